/* backoff: how long to wait before trying again what failed before it ever worked. Pure: the caller brings the time.
 *
 * 100 ms, 200 ms, … 30 s; forgotten with the first success, so that a crash of something healthy is repaired at once
 * and crashing one's own worker gains nothing. */
#ifndef POOLD_SUPERVISOR_BACKOFF_H
#define POOLD_SUPERVISOR_BACKOFF_H

#include <stdint.h>

#include "base/clock.h"

#define BACKOFF_FIRST_NS (100 * NS_PER_MS)
#define BACKOFF_MOST_NS (30 * NS_PER_S)

struct backoff {
    int64_t wait_ns;  /* the last wait; 0 when nothing has failed */
    int64_t until_ns; /* not before this time; 0 = at once */
};

/* Something failed at `now`. Failures within the wait are of the same round (a pool whose eight workers all die is one
 * failure, not eight) and change nothing. */
void backoff_failed(struct backoff *, int64_t now);
/* It worked: all is forgotten. */
void backoff_worked(struct backoff *);
/* How long to wait still: 0 when it may be tried. */
int64_t backoff_left(const struct backoff *, int64_t now);

#endif
