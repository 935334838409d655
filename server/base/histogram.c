#include "base/histogram.h"

#define US INT64_C(1000)
#define MS (1000 * US)
#define S (1000 * MS)

const int64_t histogram_bounds[HISTOGRAM_BOUNDS] = {
    10 * US,  100 * US, 1 * MS,    2500 * US, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS,
    500 * MS, 1 * S,    2500 * MS, 5 * S,     10 * S, 30 * S,  60 * S,  300 * S, 900 * S,  3600 * S,
};

void histogram_add(struct histogram *histogram, uint64_t count, int64_t ns)
{
    unsigned bucket = 0;
    if (ns < 0)
        ns = 0;
    while (bucket < HISTOGRAM_BOUNDS && ns > histogram_bounds[bucket])
        bucket++;
    histogram->counts[bucket] += count;
    histogram->sum_ns += count * (uint64_t)ns;
}
