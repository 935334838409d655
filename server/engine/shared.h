/* shared: objects that tasks and clients share (server/objects), as the engine keeps them.
 *
 * shared.c        owns them: what they write becomes part of the turn, recovery, time, who waits for what
 * shared_tasks.c  calls of running items, by their worker's channel: answered at once
 * shared_read.c   …what they say
 * shared_asks.c   calls from outside, by ASK_OBJECT: answered once all that came before is committed
 *
 * Why that is sound: server/objects/objects.h. All on the engine thread. */
#ifndef POOLD_ENGINE_SHARED_H
#define POOLD_ENGINE_SHARED_H

#include "engine/core.h"

enum {
    CALLS_MAX = 64,                   /* of one worker that wait at a time */
    UNWRITTEN_MAX = 64 * 1024 * 1024, /* bytes of changes that wait for their commit, beside what --max-objects allows
                                         the elements: more are refused */
};
#define STUCK_NS NS_PER_S /* all workers wait for so long while items are ready: that is told */

/* Entries that the present turn writes, by object and key: a later change of the same one takes the earlier's place.
 * An element that comes and goes between two commits costs one DELETE of nothing. */
struct unwritten {
    struct store_op **slots;
    size_t count, capacity; /* a power of two */
};

struct shared {
    struct objects *objects;
    struct unwritten unwritten;
    bool called;     /* since the last tick */
    int64_t next_ns; /* something is due; INT64_MAX: nothing */
    struct buf text; /* of the answer that is being sent */
    int64_t full_ns; /* since when all workers of the pool wait; 0: not all do */
    bool stuck;
};

/* The items of a worker's slice that called and have not ended, and their calls that wait. */
struct callers {
    uint32_t *items;
    size_t count, capacity;
    LIST_HEAD(, task_call) calls;
    unsigned waiting;
    char name[96]; /* of the item `named`, for people */
    uint32_t named;
};

/* ---- shared.c ---- */

/* Reads them from the store. */
int shared_open(struct core *, struct error *);
/* Gives all calls back. */
void shared_close(struct core *);
/* The turn goes to the store: what follows belongs to the next. */
void shared_flushed(struct core *);
/* What is due, after calls and when next_ns has come. */
void shared_tick(struct core *);
/* Whether all workers wait. */
void shared_watch(struct core *, int64_t now);
/* What the worker's item waits for; false: for nothing. */
bool shared_waits(const struct core *, const struct worker *, uint32_t index, char *text, size_t size);
bool shared_is_waiting(const struct worker *);
/* Why this call cannot be taken now, or ENGINE_OK. */
enum engine_status shared_refusal(const struct core *, const struct object_call *);

/* ---- shared_tasks.c ---- */

/* An item's error line has come: had its process died? */
void shared_item_failed(struct core *, struct worker *, uint32_t index, enum failure);
/* All items that the worker has sent lines of have ended. */
void shared_items_ended(struct core *, struct worker *);
/* The slice is over; `died` with its worker. */
void shared_slice_ended(struct core *, struct worker *, bool died);

/* ---- shared_read.c ---- */

/* Fills the call in; its args lie in the text. NULL, or what is wrong with it. */
const char *shared_read(struct object_call *, const char *text, size_t length, int64_t now, bool *quiet);

/* ---- shared_asks.c ---- */

void ask_object(struct core *, struct engine_request *);
void ask_object_give_up(struct core *, struct engine_request *);

#endif
