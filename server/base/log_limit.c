#include "base/log_limit.h"

#include <limits.h>

#include "base/clock.h"
#include "base/log.h"

bool log_limit_allows(struct log_limit *limit, unsigned a_second, int64_t now_ns, int *unsaid)
{
    if (now_ns - limit->began_ns >= NS_PER_S) {
        limit->began_ns = now_ns;
        limit->said = 0;
    }
    if (limit->said >= a_second) {
        limit->unsaid += limit->unsaid < INT_MAX;
        return false;
    }
    limit->said++;
    *unsaid = limit->unsaid ? (int)limit->unsaid : LOG_NONE;
    limit->unsaid = 0;
    return true;
}
