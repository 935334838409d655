/* runner_kind: what each kind of manifest does behind runner.h. Inside of workers/runtimes only. */
#ifndef POOLD_RUNTIMES_RUNNER_KIND_H
#define POOLD_RUNTIMES_RUNNER_KIND_H

#include "runtimes/runner.h"

/* Stands first in the struct of each kind; runner.c makes it and drops it. */
struct runner {
    const struct runner_kind *kind;
    struct manifest *manifest; /* one reference */
    const struct host *host;
};

/* The functions of runner.h for one kind; all are set. */
struct runner_kind {
    size_t size; /* of its own struct, which comes zeroed but for `struct runner` */
    void (*open)(struct runner *);
    uint32_t (*window)(const struct runner *, const struct assignment *);
    bool (*run)(struct runner *, const struct assignment *, const struct task *, uint32_t count);
    int (*describe)(struct runner *, struct buf *list, struct error *);
    void (*close)(struct runner *); /* what it holds, not itself */
    bool (*warm)(const struct runner *);
};

extern const struct runner_kind exec_kind, runtime_kind;

#endif
