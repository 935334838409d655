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
/* Calls `gone` for each child that has ended; if it `is_ours`, SIGKILLs what is left of its group before (an adopted
 * one may have led the group of something that a live worker still uses). Never blocks. SIGCHLD coalesces: one signal
 * may mean many. */
void reap_children(bool (*is_ours)(void *context, pid_t), void (*gone)(void *context, const struct corpse *),
                   void *context);
/* While no child of ours is alive: SIGKILLs adopted processes, i.e. what a worker's function has put into a session
 * of its own to outlive it. It would run beside the item's next attempt. */
void reap_kill_strangers(void);

#endif
