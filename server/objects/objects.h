/* objects: what tasks of any language and HTTP clients share – queues, pipes, locks, dicts, lists, values, arrays.
 *
 * A pure state machine, like the engine's core: calls come in, answers go out through `done`, changes go to the store
 * through ports, time is told. It runs on the engine's thread, so every operation is atomic and there are no locks.
 * Everything is held in memory (bounded, see limits below) and written as it changes; values and arrays are mapped
 * files. Who waits is served in the order of arrival.
 *
 * Durability. A change is in the engine's present transaction before its call is answered. Answers to those outside
 * (HTTP) are held back by the engine until that is committed, so what they were told survives everything. Answers to
 * tasks are not held back: their items' results are committed after it in the same order, so a crash that forgets the
 * change also forgets the item, which then runs again – and nobody outside has seen either. ("External synchrony",
 * Nightingale et al., OSDI 2006.) */
#ifndef POOLD_OBJECTS_OBJECTS_H
#define POOLD_OBJECTS_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/blob.h"
#include "base/buf.h"
#include "base/error.h"
#include "store/store.h"

enum object_kind {
    OBJECT_QUEUE = 1,
    OBJECT_PIPE,
    OBJECT_LOCK,
    OBJECT_DICT,
    OBJECT_LIST,
    OBJECT_VALUE,
    OBJECT_ARRAY,
    OBJECT_KINDS
}; /* stored as these numbers */

const char *object_kind_name(enum object_kind);                             /* "queue" … */
const char *object_kind_plural(enum object_kind);                           /* "queues" …, as in the paths */
int object_kind_parse(const char *name, size_t length, enum object_kind *); /* either; 0 or -1 */

enum {
    OBJECT_NAME_MAX = 128,                 /* [A-Za-z0-9_][A-Za-z0-9_.-]* */
    OBJECT_PATH_MAX = OBJECT_NAME_MAX + 7, /* a lock may be called "values/NAME" or "arrays/NAME" */
    OBJECTS_MAX = 100000,                  /* of all kinds */
    OBJECT_KEY_MAX = 512,                  /* bytes of a dict's key (UTF-8, not empty) */
    OBJECT_VALUE_MAX = 8 * 1024 * 1024,    /* bytes of one element */
    OBJECT_ELEMENTS_MAX = 10000000,        /* of one object */
    OBJECT_WAITERS_MAX = 10000,            /* calls that wait with one object */
    ARRAY_BYTES_MAX = 1024 * 1024 * 1024,
};

enum object_status {
    OBJECT_OK,
    OBJECT_CREATED,    /* 201 */
    OBJECT_MISSING,    /* 404 no such object */
    OBJECT_NO_ENTRY,   /* 404 no such key, index, element, lease (KeyError, IndexError, ValueError) */
    OBJECT_EXISTS,     /* 409 it is there with another configuration */
    OBJECT_EMPTY,      /* 409 nothing to get, also after the wait (queue.Empty; pipe: nothing to receive) */
    OBJECT_QUEUE_FULL, /* 409 no room, also after the wait (queue.Full) */
    OBJECT_BUSY,       /* 409 the lock is held, also after the wait; or join: not all is done yet */
    OBJECT_NOT_HOLDER, /* 409 release or renew by who does not hold it; task_done once too often */
    OBJECT_CLOSED,     /* 410 end of file: the other end is closed and all is read; or this end is closed */
    OBJECT_CHANGED,    /* 412 compare-and-set: it has another version or value */
    OBJECT_INVALID,    /* 422 a bad argument, a wrong type (TypeError) */
    OBJECT_OVERFLOW,   /* 422 out of the typecode's range (OverflowError) */
    OBJECT_LIMIT,      /* 413 a size or count is over its limit */
    OBJECT_NO_ROOM,    /* 507 memory for objects is used up */
    OBJECT_DELETED,    /* 410 deleted while this call waited */
    OBJECT_GIVEN_UP,   /* the engine took the call back (holder gone, shutdown) */
    OBJECT_STATUSES
};
/* The word for it in answers to tasks and in problem types: "missing", "no-entry", "exists", "empty", "full", "busy",
 * "not-holder", "closed", "changed", "invalid", "overflow", "limit", "no-room", "deleted". */
const char *object_status_name(enum object_status);

/* Who calls: a running item of a job, or (run 0) somebody outside. What an item holds is released when it ends. */
struct object_holder {
    uint64_t run;   /* the slice's number, unique in the life of the server */
    uint32_t index; /* of the item */
};

/* A moment that something waits for; zeroed: none. */
struct object_timer {
    int64_t at_ns;
    uint64_t order;        /* of those that were set for the same moment, the first comes first */
    size_t place;          /* in the heap, from 1; 0: not set */
    struct object *object; /* NULL: of a call that waits */
};

/* One operation on one object. The caller's memory (zeroed, then filled in), from objects_call until `done` (which may
 * come before objects_call returns). `done` may free the call, but must not call into the objects; `args` and `raw`
 * need only last until objects_call returns. */
struct object_call {
    /* in */
    enum object_kind kind;
    char name[OBJECT_PATH_MAX + 1]; /* "" for the operation "list" */
    char op[20];                    /* "put", "get", "acquire" …: README of this folder */
    const char *args;               /* one JSON object with the operation's arguments, or "" */
    size_t args_length;
    const char *raw; /* arrays: bytes in (op "write"), else NULL */
    size_t raw_length;
    int64_t deadline_ns; /* wait until then (clock of ports.now_ns); 0: do not wait; INT64_MAX: for ever */
    struct object_holder holder;
    char holder_name[96]; /* for people: "job j… item 7" or "http" */
    void (*done)(struct object_call *);
    void *owner;
    bool (*gone)(struct object_call *); /* may be NULL; asked before a waiting call is tried again: its asker is no more
                                           there, so it is given up (GIVEN_UP) and the next one is served */
    /* out, valid within and after `done`: the caller frees both */
    enum object_status status;
    struct buf answer; /* JSON text (empty: null) or, for op "read", raw bytes */
    char problem[240]; /* for people, when status is not OK or CREATED */
    uint64_t version;  /* of the entry or object read or written (ETag); 0 = none */
    /* the objects' own */
    struct object *waits_for;
    const struct object_op *operation;
    TAILQ_ENTRY(object_call) wait_link, holder_link;
    struct object_timer timer;
    unsigned group;  /* among whom it waits */
    bool may_wait;   /* for its handler: false also when the deadline has come and this is the last try */
    uint64_t needs;  /* what the handler noted for `ready` */
    struct buf kept; /* args, copied when the call waits */
};

struct object_ports {
    void *context;
    int64_t (*now_ns)(void *);
    int64_t (*wall_ms)(void *);
    /* All four become part of the present transaction. Bytes are copied. */
    void (*object_put)(void *, int64_t id, enum object_kind, const char *name, const char *config, size_t length);
    void (*object_drop)(void *, int64_t id); /* with all its entries */
    void (*entry_put)(void *, int64_t id, const char *key, size_t key_length, const char *value, size_t length);
    void (*entry_drop)(void *, int64_t id, const char *key, size_t key_length);
};

struct objects;

/* `folder`: where values and arrays live as files (made when missing); NULL (tests): in anonymous memory. `bytes_max`:
 * memory for elements. */
struct objects *objects_new(const struct object_ports *, const char *folder, size_t bytes_max, struct error *);
/* Recovery, before any call: first all objects, then all their entries in key order, then the end. */
int objects_restore_object(struct objects *, int64_t id, enum object_kind, const char *name, const char *config,
                           size_t length, struct error *);
int objects_restore_entry(struct objects *, int64_t id, const char *key, size_t key_length, const char *value,
                          size_t length, struct error *);
int objects_restored(struct objects *, struct error *);

/* Runs it, or lets it wait. */
void objects_call(struct objects *, struct object_call *);
bool objects_has(const struct objects *, enum object_kind, const char *name);
/* Takes a waiting call back (its asker is gone): `done` comes with GIVEN_UP, nothing was taken. */
void objects_give_up(struct objects *, struct object_call *);
/* The item has ended or its process has died: its locks are released (marked: owner died, if `died`), its waiting
 * calls given up, its unacknowledged leases return. */
void objects_holder_gone(struct objects *, const struct object_holder *, bool died);
/* Deadlines, leases and ttls that have come; returns when to look again (INT64_MAX: never). Every call may bring that
 * nearer, so ask again after calls: it costs one comparison when nothing has come. */
int64_t objects_tick(struct objects *, int64_t now_ns);
/* What the item waits for, for people: "queue results (get)"; false when for nothing. */
bool objects_waits(const struct objects *, const struct object_holder *, char *text, size_t size);
struct object_counters {
    uint64_t objects[OBJECT_KINDS], waiting, bytes, calls;
};
void objects_counters(const struct objects *, struct object_counters *);
/* Gives all waiting calls back (GIVEN_UP) and frees everything; files stay. Sets NULL. */
void objects_free(struct objects **);

#endif
