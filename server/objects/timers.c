#include "objects/timers.h"

#include <stdlib.h>

#include "base/check.h"

static bool before(const struct object_timer *a, const struct object_timer *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

static void place(struct timers *timers, size_t at, struct object_timer *timer)
{
    timers->heap[at] = timer;
    timer->place = at;
}

/* Finds the place for a timer from `at` on towards the first … */
static size_t rise(struct timers *timers, size_t at, const struct object_timer *timer)
{
    for (; at > 1 && before(timer, timers->heap[at / 2]); at /= 2)
        place(timers, at, timers->heap[at / 2]);
    return at;
}

/* … and away from it. */
static size_t sink(struct timers *timers, size_t at, const struct object_timer *timer)
{
    for (size_t child; (child = at * 2) <= timers->count; at = child) {
        if (child < timers->count && before(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!before(timers->heap[child], timer))
            break;
        place(timers, at, timers->heap[child]);
    }
    return at;
}

static void settle(struct timers *timers, size_t at, struct object_timer *timer)
{
    at = rise(timers, at, timer);
    place(timers, sink(timers, at, timer), timer);
}

void timers_set(struct timers *timers, struct object_timer *timer, int64_t at_ns)
{
    if (at_ns == INT64_MAX) {
        timers_stop(timers, timer);
        return;
    }
    timer->at_ns = at_ns;
    timer->order = timers->set++;
    if (!timer->place) {
        if (timers->count + 1 >= timers->room) {
            timers->room = timers->room ? timers->room * 2 : 64;
            timers->heap = realloc(timers->heap, timers->room * sizeof *timers->heap);
            CHECK(timers->heap, "out of memory for %zu timers", timers->room);
        }
        timer->place = ++timers->count;
    }
    settle(timers, timer->place, timer);
}

void timers_stop(struct timers *timers, struct object_timer *timer)
{
    size_t at = timer->place;
    if (!at)
        return;
    CHECK(at <= timers->count && timers->heap[at] == timer, "timer %zu of %zu", at, timers->count);
    timer->place = 0;
    struct object_timer *last = timers->heap[timers->count--];
    if (last != timer)
        settle(timers, at, last);
}

struct object_timer *timers_first(const struct timers *timers)
{
    return timers->count ? timers->heap[1] : NULL;
}

void timers_free(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}
