/* plumbing: the pipes and the memory file between the worker and the commands that it runs one after the other.
 *
 * Made once for all of them: that saves a dozen system calls an item. The worker holds both ends, so a pipe never tells
 * of its end: that a command has ended is told by its pidfd, and what it left is read after it. One thread. */
#ifndef POOLD_RUNTIMES_PLUMBING_H
#define POOLD_RUNTIMES_PLUMBING_H

#include <stddef.h>

#include "base/error.h"

enum pipe_name { PIPE_OUT, PIPE_ERR, PIPE_PROGRESS, PIPES };

struct plumbing {
    struct {
        int read, write; /* the reading end is non-blocking */
    } pipes[PIPES];
    int input_write, input_read; /* one memory file, opened twice: commands get it for reading only */
    size_t input_length;
};

/* Ready for the next command: everything empty, whatever the last one did to it. NULL when there are no descriptors. */
struct plumbing *plumbing_ready(struct error *);
/* What the next command will read from stdin. */
int plumbing_input(struct plumbing *, const char *bytes, size_t length, struct error *);
/* The last command ended in a way that makes one doubt the state of the pipes: make new ones. */
void plumbing_discard(void);

#endif
