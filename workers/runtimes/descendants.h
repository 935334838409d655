/* descendants: who belongs to the processes that child.c made, found through /proc, also those that left their group
 * (setsid) or their parent (double fork: the worker is a subreaper, so they become its own children). Inside of
 * workers/runtimes only. One thread. */
#ifndef POOLD_RUNTIMES_DESCENDANTS_H
#define POOLD_RUNTIMES_DESCENDANTS_H

#include <stdbool.h>
#include <sys/types.h>

/* The register of what child_start made and nobody has reaped yet: all other children of ours are strays. */
bool descendants_have_room(void);
void descendants_add(pid_t);
void descendants_remove(pid_t);

#endif
