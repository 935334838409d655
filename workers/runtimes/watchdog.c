/* watchdog: see watchdog.h. */
#include "runtimes/watchdog.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"

/* Looks in vain until it sleeps: items that follow each other closely do not pay a wake-up each. */
#define PATIENCE 20

static void pause_for(unsigned period_ms)
{
    struct timespec pause = {.tv_nsec = (long)period_ms * (long)NS_PER_MS};
    nanosleep(&pause, NULL);
}

static void *run(void *argument)
{
    struct watchdog *dog = argument;
    unsigned idle = 0;
    pthread_mutex_lock(&dog->lock);
    for (;;) {
        if (dog->on) {
            dog->look(dog->context);
            idle = 0;
        } else if (++idle > PATIENCE) {
            dog->asleep = true;
            while (!dog->on)
                pthread_cond_wait(&dog->wake, &dog->lock);
            dog->asleep = false;
            idle = 0;
        }
        pthread_mutex_unlock(&dog->lock);
        pause_for(dog->period_ms);
        pthread_mutex_lock(&dog->lock);
    }
    return NULL;
}

/* Signals are for the thread that runs functions. */
static void make(struct watchdog *dog)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int failure = pthread_create(&thread, &attributes, run, dog);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    CHECK(failure == 0, "pthread_create: %s", strerror(failure));
    dog->made = true;
}

void watchdog_on(struct watchdog *dog)
{
    if (!dog->made)
        make(dog);
    pthread_mutex_lock(&dog->lock);
    dog->on = true;
    if (dog->asleep)
        pthread_cond_signal(&dog->wake);
    pthread_mutex_unlock(&dog->lock);
}

void watchdog_off(struct watchdog *dog)
{
    if (!dog->made)
        return;
    pthread_mutex_lock(&dog->lock);
    dog->on = false;
    pthread_mutex_unlock(&dog->lock);
}
