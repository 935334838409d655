/* lock: what its files share – lock.c (operations), lock_permits.c (who holds it).
 *
 * A lock and an rlock have one permit, a semaphore as many as its value (a plain one more with each release by somebody
 * who holds none). Entries in the store:
 *
 *     h TOKEN      "EXPIRES_MS DEPTH " and the name of the holder: a permit held by somebody outside
 *     r            the next who acquires it is told that a holder died
 *     v            "EXTRA ": permits that came with releases
 *
 * A task's permit is not written: no task survives a restart. Tokens come from the ledger, so they only grow. */
#ifndef POOLD_OBJECTS_LOCK_H
#define POOLD_OBJECTS_LOCK_H

#include "objects/kind.h"

enum lock_type { LOCK_PLAIN, LOCK_REENTRANT, LOCK_SEMAPHORE, LOCK_BOUNDED, LOCK_TYPES };

struct permit {
    TAILQ_ENTRY(permit) link;
    UT_hash_handle hh;
    uint64_t token;
    struct object_holder holder;
    uint64_t depth;     /* of an rlock: how often its holder acquired it */
    int64_t expires_ms; /* wall; 0: never */
    struct object_timer timer;
    char holder_name[96];
};

TAILQ_HEAD(permit_list, permit);

struct lock {
    struct object object;
    enum lock_type type;
    uint64_t value, extra;
    struct permit *by_token; /* uthash */
    struct permit_list permits;
    bool recovered; /* a holder died, and nobody has acquired it since */
};

enum { ACQUIRERS };

static inline struct lock *lock_of(struct object *object)
{
    return (struct lock *)object;
}

uint64_t lock_available(const struct lock *);
struct permit *permit_new(struct lock *, const struct object_call *, int64_t ttl_ns);
/* The one with this token, or the last one of this holder; NULL. */
struct permit *permit_by_token(const struct lock *, uint64_t token);
struct permit *permit_by_holder(const struct lock *, const struct object_holder *);
/* Sets when it expires, if ttl_ns is not 0, and keeps it in the store if it must be there. */
void permit_renew(struct lock *, struct permit *, int64_t ttl_ns);
/* Gives it back; whoever waits is served. */
void permit_end(struct lock *, struct permit *);
void lock_mark_recovered(struct lock *, bool recovered);
void lock_note_extra(struct lock *);

void lock_timer(struct object *, struct object_timer *);
void lock_holder_gone(struct object *, const struct object_holder *, bool died);
int lock_restore_entry(struct object *, const char *key, size_t key_length, const char *value, size_t length,
                       struct error *);
void lock_release_all(struct object *);

#endif
