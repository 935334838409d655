/* pool: does with the workers what slots.h decides: starts, signals, reports. */
#ifndef POOLD_SUPERVISOR_POOL_H
#define POOLD_SUPERVISOR_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/backoff.h"
#include "supervisor/reap.h"
#include "supervisor/slots.h"

struct supervisor;

/* At once starting: 512 interpreters that start together on two processors all miss the hello deadline, and their
 * descriptors in flight to the server must fit its channel (channel.h). */
#define POOL_STARTING_MAX 32
/* Extra workers that were asked for and have no slot yet; a server that asks for more has lost count. */
#define POOL_REQUESTS_MAX 4096

struct pool {
    struct slots slots;
    struct backoff backoff;
    uint64_t requests[POOL_REQUESTS_MAX]; /* a ring */
    unsigned first_request, request_count;
};

/* Fills what is wanted and free. */
void pool_fill(struct supervisor *, int64_t now);
/* SIGKILLs those whose deadline has passed. */
void pool_deadlines(struct supervisor *, int64_t now);
/* The next time to look, or 0. */
int64_t pool_next(const struct supervisor *, int64_t now);

void pool_worker_ready(struct supervisor *, uint32_t slot, uint32_t generation);
void pool_worker_stop(struct supervisor *, uint32_t slot, uint32_t generation, enum stop_cause, uint32_t grace_ms);
/* False when too many are waiting. */
bool pool_request(struct supervisor *, uint64_t request);
/* Only notes the size: which workers are idle the server knows. It closes the channels of surplus ones, they exit, and
 * are not started again. */
void pool_resize(struct supervisor *, uint32_t processes);
/* Every worker, and forget the requests: shutdown, or the server is lost. */
void pool_stop_all(struct supervisor *, uint32_t grace_ms);
/* False when that was no worker. */
bool pool_exited(struct supervisor *, const struct corpse *);

#endif
