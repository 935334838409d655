/* histogram: how often something took how long, in fixed buckets. Plain data with one owner, copied freely; adding to
 * it costs a search of ~20 numbers. */
#ifndef POOLD_BASE_HISTOGRAM_H
#define POOLD_BASE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BOUNDS = 20 };
/* The upper bounds, inclusive, in ns, ascending: 10 us, 100 us, then 1 ms … 1 h. */
extern const int64_t histogram_bounds[HISTOGRAM_BOUNDS];

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* each bucket's own, not cumulative; the last is beyond all bounds */
    uint64_t sum_ns;
};

/* `count` things that took `ns` each (a negative time is none). */
void histogram_add(struct histogram *, uint64_t count, int64_t ns);

#endif
