/* reap: takes every child that has ended, ours or adopted (poold is a subreaper or PID 1), so no zombies stay.
 *
 * A group is killed while its dead leader still holds the number, so that no other process can be hit. */
#ifndef POOLD_SUPERVISOR_REAP_H
#define POOLD_SUPERVISOR_REAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct corpse {
    pid_t pid;
    int signal;    /* that killed it; 0 = it exited */
    int exit_code; /* when it exited */
    uint64_t max_rss_kib;
};

/* Becomes the subreaper, and notes the children that there already are (poold may have been exec'ed by a shell with
 * background jobs): those are reaped but never killed. Call once, at start. */
void reap_setup(void);
/* Calls `gone` for each child that has ended, and returns how many; if it `is_ours`, SIGKILLs what is left of its group
 * before (an adopted one may have led the group of something that a live worker still uses). Never blocks. SIGCHLD
 * coalesces: one signal may mean many. */
unsigned reap_children(bool (*is_ours)(void *context, pid_t), void (*gone)(void *context, const struct corpse *),
                       void *context);
/* SIGKILLs every child that neither `is_ours` nor was there at start: what a function has put into a session of its own
 * to outlive its worker. (A worker that lives keeps its orphans itself.) It would run beside the item's next attempt.
 * Children of those killed may come to us in turn: call it again whenever one is reaped. Returns how many there were,
 * also of those that are dead and not reaped yet. */
unsigned reap_kill_strangers(bool (*is_ours)(void *context, pid_t), void *context);

#endif
