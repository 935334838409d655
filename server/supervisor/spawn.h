/* spawn: the only fork. Says what the child shall look like; the child is made so before it executes anything.
 *
 * Always: every signal as the system has it and none blocked, stdin is /dev/null, stdout and stderr are ours, no other
 * descriptors than those of the plan, a process group of its own (so that a terminal's ^C reaches poold alone, and one
 * signal reaches a worker with all that it started), SIGKILL when poold dies. Single-threaded callers only. */
#ifndef POOLD_SUPERVISOR_SPAWN_H
#define POOLD_SUPERVISOR_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

struct worker_user;

#define SPAWN_FDS_MAX 4
#define SPAWN_VARIABLES_MAX 4

struct spawn_plan {
    const char *path;
    char **argv;
    int fds[SPAWN_FDS_MAX]; /* become 3, 4, 5, …; stay the caller's */
    unsigned fd_count;
    struct {
        const char *name;
        char value[24];
    } variables[SPAWN_VARIABLES_MAX]; /* added to the environment */
    unsigned variable_count;
    int oom_score_adj;              /* 0 = ours */
    bool many_files;                /* raise the soft limit of open files to the hard one */
    const struct worker_user *user; /* somebody else than we are, or NULL */
};

/* Adds a variable to the plan. */
void spawn_variable(struct spawn_plan *, const char *name, unsigned value);
/* The pid, or -1 with errno. A child that cannot be made says why on stderr and exits with SPAWN_FAILED. */
pid_t spawn(const struct spawn_plan *);

#define SPAWN_FAILED 127

#endif
