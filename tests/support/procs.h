/* procs: the processes of a poold under test, found in /proc by the mark in their environment or by their session. */
#ifndef POOLD_TESTS_PROCS_H
#define POOLD_TESTS_PROCS_H

#include <stdbool.h>
#include <sys/types.h>

enum role { ROLE_SUPERVISOR, ROLE_SERVER, ROLE_WORKER, ROLE_OTHER };

struct process {
    pid_t pid, parent;
    enum role role;
    char state; /* as in /proc/PID/stat */
};

enum { PROCS_MAX = 700 };

/* Fills `found`; zombies count only when asked for. Returns how many. */
int procs_find(const char *mark, struct process *found, int capacity, bool zombies);
/* The pid of the first process in that role, or the n-th (0 = first); 0 when there is none. */
pid_t procs_role(const char *mark, enum role, int n);
int procs_count(const char *mark, enum role);
/* SIGKILLs the whole tree until none is left; also `supervisor` if not 0. */
void procs_kill_all(const char *mark, pid_t supervisor);
/* False when some still live after the time; says on stderr which. */
bool procs_wait_none(const char *mark, int timeout_ms);
/* Descriptors that a process has open. */
int procs_descriptors(pid_t);
/* Pss from smaps_rollup of all its processes, KiB. */
long procs_pss_kib(const char *mark);
/* VmHWM, KiB; 0 when it is gone. */
long procs_peak_kib(pid_t);

#endif
