/* runner: runs items in processes of their own – a command for each (exec.c) or a persistent runtime (runtime.c) – on
 * behalf of the worker, which waits.
 *
 * The worker survives whatever they do: their time-outs, limits, crashes and silence end in an outcome of the item. One
 * thread. Children are in process groups of their own; whatever they leave behind is found (the worker is a subreaper)
 * and killed before the next item begins. */
#ifndef POOLD_RUNTIMES_RUNNER_H
#define POOLD_RUNTIMES_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "manifest/manifest.h"
#include "wire/limits.h"

/* One item to run. */
struct task {
    uint32_t index;     /* in its job */
    const char *item;   /* JSON, valid until the run returns */
    size_t length;
};

/* What all tasks of a slice share. */
struct assignment {
    const char *function; /* its name within the manifest (of an exec: the manifest's own) */
    const char *job_id;
    const char *traceparent; /* of the job; "" when it has none */
    bool star;            /* items are argument arrays of a starmap */
    bool once;            /* isolation: process */
    uint32_t attempt;
    int64_t timeout_ns;   /* for each item; 0 = none */
    size_t value_max;     /* bytes */
};

/* What became of one. Either `value` is its JSON text, or `error` is the whole error object
 * ({"type":…,"message":…,…,"attempts":N}); valid during the callback only. */
struct outcome {
    const char *value, *error;
    size_t length;   /* of whichever it is */
    pid_t pid;       /* of the process it ran in; 0 = none was started */
    int exit_code;   /* of an exec; 0 for a runtime that lives; -1 = none */
};

enum { CALL_BYTES_MAX = FRAME_BYTES_MAX };
typedef void call_answered(void *runner, uint32_t place, uint32_t call, const char *json, size_t length);

/* The worker, as the runner sees it. Tasks are named by their place in the array. */
struct host {
    void *context;
    void (*began)(void *context, uint32_t place);                            /* it is running from now on */
    void (*ended)(void *context, uint32_t place, const struct outcome *);    /* in order, once for each */
    void (*output)(void *context, uint32_t place, unsigned stream, const char *bytes, size_t length); /* 1 out, 2 err */
    void (*progress)(void *context, uint32_t place, const char *json, size_t length);
    void (*start_failed)(void *context, const char *reason); /* a runtime did not start; once for each try */
    /* Sends a call to a shared object: valid JSON, at most CALL_BYTES_MAX; of no length: the answer to the call of this
     * number is not waited for any more. Its result is flushed when the task ends. May be NULL, with `incoming`. */
    void (*call)(void *context, uint32_t place, uint32_t call, const char *request, size_t length);
    /* The channel is readable: hands over the answers that have come, {"ok":…} or {"error":…}. */
    void (*incoming)(void *context, call_answered *, void *runner);
    int channel_fd;      /* hang-up means: the server is gone, kill everything and exit */
    int stop_fd;         /* readable once SIGTERM has come (an eventfd set by the handler) */
    unsigned grace_ms;   /* from SIGTERM to SIGKILL */
    const char *runtimes; /* folder of the launchers: BIN/runtimes */
    const char *call_program; /* poold-call, or NULL */
    const char *objects; /* folder of the memory that functions map, or NULL */
    unsigned landlock;   /* ABI, for `files` of manifests; 0 = nothing is done about them */
};

struct runner; /* of one manifest in this worker */

struct runner *runner_open(struct manifest *, const struct host *); /* takes its own reference; starts nothing */
/* How many tasks may be given at once: 1 but for runtimes that take batches, where it follows their speed. */
uint32_t runner_window(const struct runner *, const struct assignment *);
/* Runs them, in order; every one of them has ended when it returns. False when the worker was told to stop: children
 * are dead, what they printed has been passed on, the unfinished have no outcome; the worker must exit. */
bool runner_run(struct runner *, const struct assignment *, const struct task *tasks, uint32_t count);
/* What this manifest offers: starts the runtime (which stays warm). JSON array of {"name","summary"?,"example"?} to
 * `list`, or -1 with the reason why it does not start. An exec offers itself. */
int runner_describe(struct runner *, struct buf *list, struct error *);
/* Closes what is warm (SIGTERM, grace, SIGKILL) and frees. */
void runner_close(struct runner **);
/* True when a process of it is alive and idle. */
bool runner_warm(const struct runner *);

#endif
