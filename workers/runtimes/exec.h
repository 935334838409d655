/* exec: what the two halves of it share. Of exec.c and exec_judge.c only. */
#ifndef POOLD_RUNTIMES_EXEC_H
#define POOLD_RUNTIMES_EXEC_H

#include "base/buf.h"
#include "base/job.h"
#include "runtimes/arguments.h"
#include "runtimes/command.h"
#include "runtimes/environment.h"
#include "runtimes/runner_kind.h"

enum { EXEC_KEPT_BYTES = 1024 * 1024 }; /* of the buffers, between items */

struct exec {
    struct runner base;
    struct environment environment;
    struct arguments arguments;
    struct buf printed, value, fault;
};

/* One item on its way. */
struct exec_run {
    struct exec *exec;
    const struct manifest *manifest;
    const struct assignment *assignment;
    const struct task *task;
    uint32_t place;
    pid_t pid;
    struct command command;
};

/* Bytes that the value may have. */
size_t exec_value_max(const struct exec_run *);
/* Tells the host what became of an item whose command has ended … */
void exec_judge(struct exec_run *);
/* … or has not even begun. */
void exec_fail(struct exec_run *, enum failure, const char *message);

#endif
