/* functions: what can be called, and whether it can be called now.
 *
 * A function is a name, with what is learned of it (its speed) and who waits for it. It is built in (the first hello
 * says so), or a definition's: a manifest that the operator brought, under a number that is never used again in the
 * server's life. A job holds its function by name, so it outlives reloads: each slice takes the definition that is in
 * force when it starts, and keeps it until it ends.
 *
 * functions.c is the table and the gate, definitions.c the set in force and its states, offers.c reads what user code
 * says of itself, probes.c lets workers find out, catalog.c writes the list. All of it on the engine thread. */
#ifndef POOLD_ENGINE_FUNCTIONS_H
#define POOLD_ENGINE_FUNCTIONS_H

#include "engine/core.h"
#include "manifest/manifest.h"

/*            probe               it offers functions
 *   UNKNOWN ──────→ PROBING ─────────────────────────→ READY
 *      ↑               │ it cannot start                │  │
 *      │               ↓                                │  │ a crash while loading
 *      │  (back-off)  BROKEN ←──────────────────────────│──┘
 *      └───────────────┴────────────────────────────────┘ a start fails (back-off, jobs wait)
 *
 * The back-off is `retry_ns`: BROKEN and UNKNOWN are probed once it has come. An exec is READY from the start. */
enum definition_state { DEFINITION_UNKNOWN, DEFINITION_PROBING, DEFINITION_READY, DEFINITION_BROKEN };

struct definition {
    UT_hash_handle hh; /* by name, while in force */
    uint32_t number;
    unsigned references; /* the set's, functions', workers' */
    bool in_force;
    struct manifest *manifest;
    enum definition_state state;
    bool told;         /* has been READY or BROKEN */
    unsigned failures; /* in a row */
    int64_t retry_ns;
    char problem[256]; /* of the last failure; "" once it works */
};

enum function_gate { GATE_OPEN, GATE_WAIT, GATE_FULL, GATE_FAIL };

struct function {
    UT_hash_handle hh;
    char name[FUNCTION_NAME_MAX + 1];
    bool builtin;
    bool offered;                  /* by its definition, when that last told */
    bool known;                    /* has been offered at some time */
    struct definition *definition; /* in force; whose function this is, or would be; a reference, or NULL */
    char *summary, *example;       /* as offered: JSON texts, or NULL */
    int64_t ns;                    /* per item, smoothed; 0 = unknown */
    struct function_counters items; /* that ended */
    uint32_t grow;                 /* largest slice to try next */
    uint32_t jobs, trusted;        /* that name it; those of them that were accepted before it was known */
    uint32_t admitted;             /* jobs that are in a run queue for it */
    uint32_t running;              /* slices of it, and extra workers on their way for it */
    struct run_queue gate;         /* jobs that wait: not defined, loading, or `concurrency` is reached */
    bool gated;                    /* in core.gated */
    TAILQ_ENTRY(function) gated_link;
};

/* ---- functions.c ---- */
struct function *function_find(const struct core *, const char *name); /* or NULL */
struct function *function_get(struct core *, const char *name);        /* made when there is none */
/* A job names it; `trusting`: it may turn out not to be there. */
void function_hold(struct core *, struct job *, bool trusting);
void function_release(struct core *, struct job *);
void function_forget(struct core *, struct function *); /* unless something needs it */
void function_shadows(const struct function *);         /* warns that it hides a built-in one */
/* What a new slice of it would run: NULL is the built-in one. */
struct definition *function_definition(const struct function *);
/* Its name within its manifest. */
const char *function_within(const struct function *, const struct definition *);
bool function_callable(const struct function *); /* is there, though it may be loading or broken */
enum function_gate function_gate(const struct function *, const struct job *);
/* Why GATE_WAIT and GATE_FAIL, for people. */
void function_excuse(const struct function *, char *text, size_t size);
void gate_put(struct core *, struct job *);
/* Every turn: whose gate is open goes into the run queue; jobs of what is broken fail, some at a time. */
void gates_turn(struct core *);
void builtins_learn(struct core *, const char *json, size_t length); /* the first hello's */
/* For the snapshot: the names are those of manifests and workers, never a client's. */
void functions_count(const struct core *, struct engine_pool *);
void functions_free(struct core *);

/* ---- definitions.c ---- */
struct definition *definition_ref(struct definition *);
void definition_unref(struct definition **);
struct definition *definition_numbered(const struct core *, uint32_t number); /* in force, or NULL */
/* The one whose function this is or would be: NAME, or NAME.FUNCTION of a runtime or plugin. */
struct definition *definition_for(const struct core *, const char *function);
void definition_probing(struct core *, struct definition *);
void definition_ready(struct core *, struct definition *);
/* It cannot be loaded: jobs fail with this reason until a later probe finds it better. */
void definition_broken(struct core *, struct definition *, const char *reason);
/* A start of what was ready failed: it is probed again, after a back-off; jobs wait. */
void definition_doubtful(struct core *, struct definition *, const char *reason);
/* Nobody answered for reasons of our own: again, at once. */
void definition_unprobed(struct core *, struct definition *);
void definition_works(struct definition *); /* an item succeeded */
void definitions_free(struct core *);

/* ---- offers.c ---- */
/* Takes over what the definition says it offers; 0, or -1 with the reason. */
int offers_take(struct core *, struct definition *, const char *json, size_t length, struct error *);

/* ---- probes.c ---- */
void probes_turn(struct core *);
void probes_tick(struct core *, int64_t now);
/* Its worker is gone: what that says of what it was loading. */
void probe_worker_gone(struct core *, struct worker *, const struct message_worker_gone *);
/* The worker is to run it: sends it first when it does not know it, and remembers. */
void definition_send(struct core *, struct worker *, const struct definition *);
void definition_ran(struct worker *, const struct definition *);
/* The definition that it is loading into itself just now, or 0. */
uint32_t worker_loads(const struct worker *);
/* An idle worker for a job: one that has its definition warm, or else the one with the least to lose. */
struct worker *worker_for(struct core *, const struct job *);
void worker_forget(struct worker *); /* frees what these files keep in it */

/* ---- catalog.c ---- */
/* The list; NULL while nothing is known. Stays the core's. */
struct blob *catalog(struct core *);
void catalog_stale(struct core *);

#endif
