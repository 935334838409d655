/* kind: the table behind objects.h. Each kind of object (queue.c, pipe.c, lock.c, dict.c …) is one struct
 * object_kind_ops, listed in kinds.c, and a struct that begins with `struct object`.
 *
 *     call ── objects.c finds the object (or makes it) ── arguments.c reads args by the operation's rules
 *          ── the handler checks, changes memory, writes entries, appends the answer, returns a status
 *          ── status == waits_on and the call may wait: waiting.c keeps it until object_wake
 *
 * A handler checks everything first and changes nothing unless it returns OBJECT_OK. All of this runs on one thread. */
#ifndef POOLD_OBJECTS_KIND_H
#define POOLD_OBJECTS_KIND_H

#include <uthash.h>

#include "objects/arguments.h"
#include "objects/objects.h"

enum { OBJECT_GROUPS = 4, OBJECT_OPS_MAX = 32 };

TAILQ_HEAD(object_waiters, object_call);

struct object {
    int64_t id;
    const struct object_kind_ops *ops;
    char name[OBJECT_PATH_MAX + 1];
    struct buf config; /* canonical JSON object, made by `configure`; what is stored and compared */
    uint64_t version;  /* of the whole, for kinds that have one (they keep it durable); shown by inspect unless 0 */
    /* objects.c, waiting.c */
    struct objects *all;
    size_t bytes; /* accounted, see object_account */
    struct object_waiters waiters[OBJECT_GROUPS];
    uint32_t waiting;
    unsigned wake; /* groups to try again: a bit each */
    UT_hash_handle by_name, by_id;
};

struct object_op {
    const char *name; /* NULL ends the list */
    /* Does it. When it returns waits_on, the call is tried again after object_wake(object, call->group). */
    enum object_status (*run)(struct object *, struct object_call *, const struct arguments *);
    struct argument_rule takes[ARGUMENTS_MAX + 1];
    enum object_status waits_on; /* OBJECT_OK: it never waits */
    unsigned group;              /* call->group before `run`, which may change it */
    /* May be NULL: whether it is worth to try a waiting call again (saves reading long arguments in vain). */
    bool (*ready)(struct object *, const struct object_call *);
};

struct object_kind_ops {
    enum object_kind kind;
    const char *name, *plural;
    size_t size;   /* of the kind's struct, which begins with struct object; zeroed at first */
    bool implicit; /* a task's call makes it when it is missing, with the default configuration */
    /* What `create` takes. The canonical configuration must be valid arguments for it, too: recovery uses it. */
    struct argument_rule options[ARGUMENTS_MAX + 1];
    /* Checks the options and appends the canonical configuration to object->config, `{"maxsize":0}`. Sets what the
     * kind's struct keeps of it. The object has no id yet and may turn out to be only for comparison. */
    enum object_status (*configure)(struct object *, struct object_call *, const struct arguments *);
    /* May be NULL: the object is new and stored, write its first entries, map its file … A failure undoes all. */
    enum object_status (*created)(struct object *, struct object_call *, const struct arguments *);
    /* May be NULL: `create` was called and the object is there already, with the same configuration. */
    void (*recreated)(struct object *);
    /* Recovery: an entry as it was written; -1 when it is nonsense. Account memory as if it had been put now. */
    int (*restore_entry)(struct object *, const char *key, size_t key_length, const char *value, size_t length,
                         struct error *);
    /* May be NULL: all entries have been restored. */
    int (*restored)(struct object *, struct error *);
    /* Appends more members for people and programs, each with a comma before it: `,"size":3`. */
    void (*inspect)(const struct object *, struct buf *);
    /* Frees what the kind's struct points to (object_unhold, object_timer_stop …), not the struct. Must be fine with an
     * object that was only configured. */
    void (*release)(struct object *);
    /* May be NULL: deleted for ever, before `release`: remove its file … Entries go by themselves. */
    void (*deleted)(struct object *);
    /* May be NULL: a holder that object_hold named is gone: free what it holds (and object_unhold). */
    void (*holder_gone)(struct object *, const struct object_holder *, bool died);
    /* May be NULL: a timer of this object has come. It is no longer set. */
    void (*timer)(struct object *, struct object_timer *);
    const struct object_op *operations;
};

extern const struct object_kind_ops queue_ops, pipe_ops, lock_ops, dict_ops, list_ops, value_ops, array_ops;
extern const struct object_kind_ops *const object_kinds[OBJECT_KINDS]; /* kinds.c; NULL: not there (also [0]) */

/* ---- answers ---- */

/* Sets call->problem and returns the status: `return call_problem(call, OBJECT_NO_ENTRY, "no key %.60s", key);` */
enum object_status call_problem(struct object_call *, enum object_status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* An answer of one member: {"name":TEXT} with TEXT verbatim JSON. */
void answer_value(struct object_call *, const char *name, const char *text, size_t length);
void answer_integer(struct object_call *, const char *name, int64_t);

/* ---- entries: in the present transaction, by the ports ---- */

void object_entry_put(struct object *, const void *key, size_t key_length, const void *value, size_t length);
void object_entry_drop(struct object *, const void *key, size_t key_length);

/* Keys sort by memcmp: a letter, then a number big endian. */
enum { ENTRY_KEY_SIZE = 9 };
struct entry_key {
    char bytes[ENTRY_KEY_SIZE];
};
struct entry_key entry_key(char letter, uint64_t number);
uint64_t entry_key_number(const char *bytes); /* of ENTRY_KEY_SIZE bytes */
/* Reads `count` decimal numbers from an entry's value, each with a space behind it; returns how many bytes they took, 0
 * when it is none such. */
size_t entry_numbers(const char *value, size_t length, uint64_t *numbers, unsigned count);
/* -1 with an error that names the object. */
int entry_nonsense(const struct object *, const char *key, size_t key_length, struct error *);

/* ---- memory ---- */

/* What an element of so many bytes costs: its struct, malloc's own and its bytes. */
#define OBJECT_COST(type, length) (sizeof(type) + 16 + (size_t)(length))

/* Before adding: OBJECT_OK, or OBJECT_NO_ROOM with a problem. Accounts nothing yet. */
enum object_status object_room(struct object *, struct object_call *, size_t more);
void object_account(struct object *, ptrdiff_t change);

/* ---- waiting, time, holders ---- */

/* Those who wait in this group are tried again, first come first served, once the present call is answered: the first
 * until it returns its waits_on. */
void object_wake(struct object *, unsigned group);
/* Whether somebody else waits in this group before this call, which then should not take anything. */
bool object_ahead(const struct object *, unsigned group, const struct object_call *);

int64_t object_now_ns(const struct object *);
int64_t object_wall_ms(const struct object *);
/* When the wall clock's time will have come, for timers; may be past. */
int64_t object_at_ns(const struct object *, int64_t wall_ms);
/* Fires ops->timer at or after at_ns; INT64_MAX stops it. Setting it anew is fine. */
void object_timer_set(struct object *, struct object_timer *, int64_t at_ns);
void object_timer_stop(struct object *, struct object_timer *);

/* This holder holds something of this object (counted): ops->holder_gone comes when it is gone. Outsiders (run 0) are
 * ignored: nobody tells when they are gone. */
void object_hold(struct object *, const struct object_holder *);
void object_unhold(struct object *, const struct object_holder *);
static inline bool same_holder(const struct object_holder *a, const struct object_holder *b)
{
    return a->run == b->run && a->index == b->index;
}

/* A number that was never given before and is greater than all that were, for ever: tokens, leases. */
uint64_t object_token(struct object *);

/* ---- others ---- */

/* The folder for files, or NULL: anonymous memory. */
const char *object_folder(const struct object *);
struct object *object_find(struct objects *, enum object_kind, const char *name);

#endif
