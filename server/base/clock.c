#include "base/clock.h"

#include <time.h>

static int64_t read_ns(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now); /* cannot fail: the clocks named here always exist on Linux */
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_coarse_ns(void)
{
    return read_ns(CLOCK_MONOTONIC_COARSE);
}

int64_t clock_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME) / NS_PER_MS;
}
