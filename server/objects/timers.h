/* timers: a heap of the moments that calls, leases and ttls wait for. The first is found in O(1), set and stopped in
 * O(log n). The timers live in what they belong to. */
#ifndef POOLD_OBJECTS_TIMERS_H
#define POOLD_OBJECTS_TIMERS_H

#include "objects/objects.h"

struct timers {
    struct object_timer **heap; /* from 1 */
    size_t count, room;
    uint64_t set; /* how many were ever set */
};

/* Also for one that is set already; INT64_MAX stops it. */
void timers_set(struct timers *, struct object_timer *, int64_t at_ns);
void timers_stop(struct timers *, struct object_timer *);
/* The next to come, or NULL. */
struct object_timer *timers_first(const struct timers *);
void timers_free(struct timers *);

#endif
