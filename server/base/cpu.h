/* cpu: how many processors this process may really use. */
#ifndef POOLD_BASE_CPU_H
#define POOLD_BASE_CPU_H

/* The smaller of the affinity mask and the cgroup's quota (v2 cpu.max or v1 cfs_quota, all
 * ancestors), rounded up, at least 1. Reads files: not for a hot path. Any thread. */
unsigned cpu_count(void);
/* The same, with /proc and /sys looked for below `root`: for tests. */
unsigned cpu_count_below(const char *root);

#endif
