/* command: one run of a command, watched from its start to its end: its time, its memory, what it prints and what it
 * says of its progress. Inside of workers/runtimes only. One thread. */
#ifndef POOLD_RUNTIMES_COMMAND_H
#define POOLD_RUNTIMES_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "runtimes/child.h"
#include "runtimes/log.h"
#include "runtimes/plumbing.h"
#include "runtimes/runner.h"

enum { STDERR_TAIL = 2048 };

/* Why it was ended by us. */
enum command_end { COMMAND_ENDED, COMMAND_TIMED_OUT, COMMAND_TOO_LARGE, COMMAND_TOO_MUCH_MEMORY, COMMAND_STOPPED };

struct command {
    /* set by the caller */
    const struct host *host;
    uint32_t place;
    struct plumbing *plumbing;
    int64_t timeout_ns; /* 0 = none */
    int64_t memory_max; /* bytes; 0 = no limit */
    size_t printed_max; /* bytes of stdout */
    struct child child;
    /* what came of it */
    struct buf *printed;    /* stdout; the caller's */
    char tail[STDERR_TAIL]; /* the end of stderr, as a ring: tail_total bytes have gone through it */
    size_t tail_total;
    int64_t peak; /* resident bytes, as far as anybody looked */
    enum command_end why;
    struct child_end end;
    /* its own */
    struct log_cap log;
    struct buf progress;
    int64_t deadline_ns, kill_ns, sample_ns; /* 0 = none */
};

/* Waits for the end of command->child, which has just been started, ends it if need be, and reads all that it left. */
void command_watch(struct command *);
/* The last whole lines of stderr, at most STDERR_TAIL bytes; returns their length. */
size_t command_tail(const struct command *, char text[STDERR_TAIL]);

#endif
