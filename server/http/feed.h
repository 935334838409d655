/* feed: the results of a job in one order, from wherever they are: the engine while it lives, the store else.
 *
 *     feed_ask ─ (the engine) ─ feed_take ┬ FEED_LINES    lines to take; then ask again
 *                                         ├ FEED_NOTHING  the deadline came
 *                                         ├ FEED_ENDED    all is taken, `view` is the job's end
 *                                         ├ FEED_DRAINED  the service ends: the rest is there when it is back
 *                                         └ FEED_CUT      it cannot go on (the job is deleted, the store fails)
 * HTTP thread. */
#ifndef POOLD_HTTP_FEED_H
#define POOLD_HTTP_FEED_H

#include "http/request.h"

enum feed_state { FEED_LINES, FEED_NOTHING, FEED_ENDED, FEED_DRAINED, FEED_CUT };

struct feed {
    struct request *r;
    bool input_order;
    uint32_t from;        /* next position or index */
    bool from_store;      /* the engine no longer knows it */
    bool ended;           /* nothing follows these batches */
    struct job_view view; /* when ended */
    struct store_batch batches[ENGINE_BATCHES_MAX];
    unsigned count, at; /* batches, and which one is being taken */
    bool entered;
    uint32_t line; /* lines of it taken */
    size_t offset; /* bytes of it taken */
};

void feed_init(struct feed *, struct request *, bool input_order, uint32_t from);
void feed_free(struct feed *);
/* Asks the engine (r->ask), unless the store is where to look. True if asked: wait for r->ask, then feed_take.
 * deadline_ns 0: answer at once. */
bool feed_ask(struct feed *, int64_t deadline_ns);
/* What has come: after the ask was taken, or if feed_ask said false. */
enum feed_state feed_take(struct feed *);
/* Whether there are lines to take. */
bool feed_any(const struct feed *);
/* Copies whole and partial lines into [out, out + size): bytes copied; 0 if the next lines must be written one by
 * one. */
size_t feed_copy(struct feed *, char *out, size_t size);
/* Where to go on after the next line: its number in this order, plus one. There must be one (feed_any). */
uint32_t feed_next(struct feed *);
/* Appends the next line, with its newline. False when there is none. */
bool feed_line(struct feed *, struct buf *);

#endif
