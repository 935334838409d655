/* definitions: the manifests that the server has told of, by their numbers, and what this worker holds of them: an open
 * plugin, or a runner that may be warm. */
#ifndef POOLD_WORKER_DEFINITIONS_H
#define POOLD_WORKER_DEFINITIONS_H

#include "runtimes/plugin.h"
#include "worker/worker.h"

struct definition {
    TAILQ_ENTRY(definition) next; /* of worker->definitions: last used first */
    uint32_t number;
    bool retired;              /* another one of its name has come since */
    struct manifest *manifest; /* NULL when its text could not be read: then `broken` says why */
    struct error broken;
    struct runner *runner; /* exec and runtime, once used */
    struct plugin *plugin; /* once used */
    uint32_t tasks;        /* a plugin's items in this process: max_tasks_per_child */
};

void definitions_add(struct worker *, uint32_t number, const char *text, size_t length);
/* NULL when nobody has told of it. */
struct definition *definitions_find(struct worker *, uint32_t number);

/* The runner, opened when need be (that starts nothing). */
struct runner *definition_runner(struct worker *, struct definition *);
/* The plugin, loaded when need be; NULL with the reason when that fails. */
struct plugin *definition_plugin(struct worker *, struct definition *, struct error *);
/* Tells the server what it offers, loading it for that. */
void definition_probe(struct worker *, struct definition *);
/* Tells the server, unasked, that it does not start. */
void definition_start_failed(struct worker *, const struct definition *, const char *reason);

/* After each use: of the runtimes that are warm, as many as may be stay so, the last used ones; and the next SIGTERM is
 * taken gently as long as there is one. */
void definitions_rest(struct worker *, struct definition *used);
/* Nothing has come for some time: what is only there to be quick is let go. */
void definitions_idle(struct worker *);
/* Ends all that is warm. */
void definitions_close(struct worker *);

#endif
