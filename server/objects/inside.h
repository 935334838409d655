/* inside: what the files of the framework share – objects.c, create.c, waiting.c, holders.c, ledger.c. Kinds of objects
 * see kind.h only. */
#ifndef POOLD_OBJECTS_INSIDE_H
#define POOLD_OBJECTS_INSIDE_H

#include "objects/kind.h"
#include "objects/timers.h"

/* Numbers given out, of which the next thousand are noted in the store: see ledger.c. */
struct reserve {
    uint64_t last, ceiling;
};

/* The objects of a kind by name, for lists; made anew when asked for after a change. */
struct sorted {
    struct object **at;
    size_t count;
    bool fresh;
};

struct objects {
    struct object_ports ports;
    char *folder; /* may be NULL */
    size_t bytes, bytes_max;
    struct object *by_name[OBJECT_KINDS], *by_id; /* uthash */
    struct sorted sorted[OBJECT_KINDS];
    struct timers timers;
    struct holder *holders; /* uthash */
    bool ledger;            /* is stored */
    struct reserve ids, tokens;
    uint64_t waiting, calls;
};

/* ---- create.c ---- */

bool object_name_valid(enum object_kind, const char *name);
/* A new object that is nowhere yet, configured by the call's args; NULL with *status and call->problem. */
struct object *object_new(struct objects *, const struct object_kind_ops *, const char *name, struct object_call *,
                          const struct arguments *, enum object_status *);
/* Enters it under its id. */
void object_enter(struct object *, int64_t id);
/* Leaves the registry and frees memory; the store keeps it. Calls must not wait any more. */
void object_free(struct object *);
/* For ever: those who wait get DELETED; a value's lock goes with it. */
void object_delete(struct object *);
enum object_status object_create(struct objects *, struct object_call *);
/* What a call means that is missing, if it is one that comes by itself; else NULL with *status. */
struct object *object_create_implicit(struct objects *, struct object_call *, enum object_status *);
void object_describe(const struct object *, struct buf *);
enum object_status objects_list(struct objects *, struct object_call *);

/* ---- waiting.c ---- */

/* Runs its operation; true when that is the end of the call. */
bool call_try(struct object *, struct object_call *, enum object_status *);
/* Answers; the call is gone after. */
void call_finish(struct object_call *, enum object_status);
/* Lets it wait, or answers with `status` when it may not. */
void call_wait(struct object *, struct object_call *, enum object_status);
/* Takes a waiting call out of all lists. */
void call_leave(struct object_call *);
/* The deadline has come: a last try. */
void call_expire(struct object_call *);
/* Tries those again whom the last change may concern. */
void object_settle(struct object *);
void object_dismiss_all(struct object *, enum object_status);

/* ---- holders.c ---- */

void holder_waits(struct objects *, struct object_call *);
void holder_waits_no_more(struct objects *, struct object_call *);

/* ---- ledger.c ---- */

enum { LEDGER_ID = 1 };
#define LEDGER_NAME "/ledger"
uint64_t ledger_next(struct objects *, struct reserve *);
/* All is restored. */
void ledger_prepare(struct objects *);
int ledger_restore(struct objects *, const char *key, size_t key_length, const char *value, size_t length,
                   struct error *);

#endif
