/* log_limit: so many lines of a kind a second and no more, however often it happens. One thread. */
#ifndef POOLD_BASE_LOG_LIMIT_H
#define POOLD_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct log_limit {
    int64_t began_ns; /* the second that is counted */
    unsigned said;    /* in it */
    unsigned unsaid;  /* since the last that was said */
};

/* Whether one more may be said now. *unsaid: how many were not, since the last that was; LOG_NONE: all were. */
bool log_limit_allows(struct log_limit *, unsigned a_second, int64_t now_ns, int *unsaid);

#endif
