/* watchdog: a thread that looks at something every few milliseconds while it is on, for as long as the worker's only
 * other thread is busy with a function.
 *
 * Made with the first use; while off for some time it sleeps without waking up. Turning it on and off costs an
 * uncontended lock. */
#ifndef POOLD_RUNTIMES_WATCHDOG_H
#define POOLD_RUNTIMES_WATCHDOG_H

#include <pthread.h>
#include <stdbool.h>

struct watchdog {
    unsigned period_ms;
    void (*look)(void *context); /* on the watchdog's thread, with nothing else of it running */
    void *context;
    /* its own */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool on, asleep, made;
};

#define WATCHDOG(period, function)                                                                                     \
    {                                                                                                                  \
        .period_ms = (period), .look = (function), .lock = PTHREAD_MUTEX_INITIALIZER,                                  \
        .wake = PTHREAD_COND_INITIALIZER                                                                               \
    }

void watchdog_on(struct watchdog *);
/* No look is going on when this returns, and none will begin. */
void watchdog_off(struct watchdog *);

#endif
