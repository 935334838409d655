/* self: what this process uses, as the kernel counts it. Reads /proc: not for a hot path. Any thread. */
#ifndef POOLD_BASE_SELF_H
#define POOLD_BASE_SELF_H

#include <stdint.h>

struct self {
    double cpu_seconds;   /* user and system, all threads */
    double start_seconds; /* since 1970 */
    uint64_t resident_bytes, virtual_bytes;
    uint64_t open_fds, max_fds; /* max_fds 0: no limit */
};

/* 0, or -1 when /proc does not tell. */
int self_read(struct self *);

#endif
