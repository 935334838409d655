/* clock: the three times there are. Any thread, any process. */
#ifndef POOLD_BASE_CLOCK_H
#define POOLD_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/* CLOCK_MONOTONIC in ns: for durations and deadlines; the same in all processes of one boot. */
int64_t clock_mono_ns(void);
/* The same clock as of the last tick (up to 4 ms old), ~5 ns a call: for stamps on every item. */
int64_t clock_coarse_ns(void);
/* Wall time in ms since 1970: for what people read and what is stored. */
int64_t clock_wall_ms(void);

#endif
