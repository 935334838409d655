/* turn: a lock that knows who holds it, so that a signal handler can tell whether waiting for it makes sense. For what
 * is contended once in a blue moon: who waits, sleeps and looks again. */
#ifndef POOLD_WORKER_TURN_H
#define POOLD_WORKER_TURN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

struct turn {
    _Atomic pid_t holder; /* thread; 0 = nobody */
};

static inline bool turn_is_mine(struct turn *turn)
{
    return atomic_load(&turn->holder) == gettid();
}

/* False when this thread (whom the caller then has interrupted) has it already, or it took too long. */
static inline bool turn_take_within(struct turn *turn, unsigned ms)
{
    const struct timespec pause = {.tv_nsec = 200 * 1000};
    pid_t me = gettid();
    for (unsigned tries = 0;; tries++) {
        pid_t holder = 0;
        if (atomic_compare_exchange_strong(&turn->holder, &holder, me))
            return true;
        if (holder == me || tries / 5 >= ms)
            return false;
        nanosleep(&pause, NULL);
    }
}

static inline void turn_take(struct turn *turn)
{
    CHECK(!turn_is_mine(turn), "a thread waits for itself");
    while (!turn_take_within(turn, 1000))
        ;
}

static inline void turn_give(struct turn *turn)
{
    atomic_store(&turn->holder, 0);
}

#endif
