/* child: one process of a function: started without a shell, in a group of its own, with its limits; ended with all its
 * descendants. The only place besides the supervisor that makes processes (vfork + exec; NUMBERS.md: 3.4 k a second).
 * One thread. */
#ifndef POOLD_RUNTIMES_CHILD_H
#define POOLD_RUNTIMES_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/error.h"
#include "manifest/manifest.h"
#include "sandbox/files.h"

enum { CHILD_FDS_MAX = 6, CHILDREN_MAX = 64 /* at once */ };

struct child_plan {
    char *const *argv;
    char *const *envp;
    const char *directory;
    int fds[CHILD_FDS_MAX]; /* become 0, 1, 2, 3…; -1: /dev/null for 0, closed for others. All else is closed. */
    unsigned fd_count;
    const struct manifest_limits *limits; /* files, cpu (of the whole process: exec), memory backstop */
    const struct sandbox_files *files;    /* all that it may touch; NULL: whatever its user may */
    bool cpu_is_per_process;              /* set RLIMIT_CPU at the start (exec); a runtime's is moved item by item */
};

struct child {
    pid_t pid;   /* 0 = none */
    int pidfd;   /* readable when it has ended */
};

struct child_end {
    int signal;     /* 0 = it exited */
    int exit_code;  /* -1 when killed by a signal */
    struct rusage usage; /* ru_maxrss 0: not known, as it was never above this worker's own */
};

/* Called once per worker: subreaper, no_new_privs. */
void child_setup(void);
/* 0; or -1 with the reason ("convert: No such file or directory"): what exec said is known when this returns. */
int child_start(struct child *, const struct child_plan *, struct error *);
/* Signals its process group and every descendant outside of the group (setsid, double fork). */
void child_signal(const struct child *, int signal);
/* Ends it: SIGTERM to all of it, SIGKILL after grace_ms; then as child_reap. */
void child_stop(struct child *, unsigned grace_ms, struct child_end *);
/* Reaps it (it has ended: pidfd is readable; blocks otherwise), kills and reaps every descendant that is left, closes
 * the pidfd. */
void child_reap(struct child *, struct child_end *);
/* Resident bytes of it and all its descendants together; 0 when that cannot be read. */
int64_t child_resident(const struct child *);
/* Its direct children, at most `most`; returns how many. */
unsigned child_children(const struct child *, pid_t *list, unsigned most);
/* Of its direct children but the `count` ones that are kept: kills those that have left its group, and all below them
 * (to reap them is its own affair); those that have not may be its helpers. Returns how many all are, also of those that
 * ended without being reaped. */
unsigned child_tidy(const struct child *, const pid_t *kept, unsigned count, unsigned *helpers);
/* Kills and reaps all children of this process but those that child_start made and nobody has reaped yet: what
 * functions have left behind. One system call when there is nothing. */
void children_sweep(void);
/* SIGKILL to the groups of all that child_start made. Async-signal-safe: for a worker that must die now. */
void children_kill(void);
/* SIGKILL to all of them and all of theirs, and reaps them: this process is about to exit. */
void children_end(void);

#endif
