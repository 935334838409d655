/* engine_sim: the engine's core in simulated time: the store's twin for a store, and workers that are a few lines of
 * code over a real workbench and a real scoreboard page – so that they can die at any point.
 *
 * An item is the text [KIND,MS]: what happens after MS of simulated time. Values are the items themselves. */
#ifndef POOLD_TESTS_ENGINE_SIM_H
#define POOLD_TESTS_ENGINE_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "engine/functions.h"

enum { SIM_SLOTS = 12, SIM_FRAMES = 64, SIM_JOBS = 32, SIM_ITEMS = 4096, SIM_DEFINITIONS = 1024 };

enum sim_kind {
    ITEM_OK,
    ITEM_ERROR,      /* the function says no */
    ITEM_CRASH,      /* its process dies */
    ITEM_CRASH_ONCE, /* …in its first attempt */
    ITEM_ERROR_ONCE,
    ITEM_HANG,    /* until killed */
    ITEM_GARBAGE, /* a line that is none */
    ITEM_WRONG_INDEX,
    ITEM_KINDS
};

struct sim_frame {
    struct message_result message;
    char *lines;
    size_t length;
};

/* What happens when a worker loads a manifest, by its name; `offers` of what it can do, or the reason. */
struct sim_load {
    const char *name;
    enum { LOAD_FINE, LOAD_REFUSED, LOAD_CRASH, LOAD_HANG } how;
    const char *offers;
    int ms;
};

struct sim_worker {
    struct workbench *bench;
    unsigned generation;
    enum { SIM_ABSENT, SIM_STARTING, SIM_IDLE, SIM_BUSY, SIM_PROBING, SIM_DYING } state;
    bool defined[SIM_DEFINITIONS];
    uint32_t probe; /* SIM_PROBING: what it loads */
    const struct sim_load *load;
    int64_t at;    /* of its next event */
    int64_t began; /* its slice */
    bool extra, hangs, stop;
    uint64_t request;
    struct message_worker_gone gone;
    struct message_run run;
    char *items;
    const char *next_item; /* the text that follows the last claimed item */
    bool in_item;
    uint32_t offset;
    int kind, ms;
    struct sim_frame frames[SIM_FRAMES];
    unsigned frame_count;
};

/* A request of the test's; lives until the simulation ends. */
struct sim_ask {
    struct engine_request r; /* first */
    struct sim_ask *next;
    struct sim *sim;
    bool back;   /* answered */
    bool broken; /* the server it was put to has died */
    int64_t asked_ns, answered_ns;
};

struct sim_start { /* an item's start, for back-off and order */
    int64_t seq, at;
    uint32_t index, attempt, slot, definition;
};

struct sim_answer { /* to a call of a task */
    struct message_answer message;
    unsigned slot;
    char *text;
};

struct sim {
    uint64_t random;
    int64_t now;
    struct config config;
    struct core core;
    struct store *store;
    struct store_reader *reader;
    struct scoreboard board;
    struct sim_worker workers[SIM_SLOTS];
    unsigned next_generation;
    unsigned pool;                             /* slots that are kept filled */
    struct store_write *writes, **writes_last; /* not yet given to the store */
    struct store_load *loads;
    struct store_reap *reap;
    struct store_write *written; /* back from the store */
    int64_t store_at;
    bool muted; /* a dead server's ports */
    bool storage_failed;
    int64_t next_tick;
    struct sim_ask *asks;
    unsigned outstanding;
    unsigned load_count, spawned, released, probes;
    struct manifest_set functions;
    struct sim_load *function_loads; /* a name that is not here offers x and y */
    unsigned function_load_count;
    /* what may go wrong, in 1/1000 at each opportunity */
    unsigned chaos;
    unsigned commit_ms; /* longest */
    unsigned begin_ms;  /* from a RUN until its worker begins; 0: at once, or a little later */
    struct sim_answer *answers;
    size_t answer_count, answer_capacity;
    struct sim_start *starts;
    size_t start_count, start_capacity;
};

void sim_open(struct sim *, uint64_t seed, unsigned processes);
void sim_close(struct sim *);
uint32_t sim_random(struct sim *, uint32_t below);
/* One millisecond. */
void sim_step(struct sim *);
void sim_run(struct sim *, int64_t ms);
/* Until it is back; fails the test after `ms`. */
void sim_wait(struct sim *, struct sim_ask *, int64_t ms);
/* kill -9 of the server (its workers die of EOF) and a new life with the same store and scoreboard. */
void sim_restart(struct sim *);
/* The same, but with nobody to recover yet. */
void sim_kill(struct sim *);
void sim_recover(struct sim *);
void sim_kill_worker(struct sim *, unsigned slot);
/* These manifests (JSON texts) are in force from now on, also after a restart. */
void sim_functions(struct sim *, const char *const manifests[], unsigned count);
/* The list of functions, as text; the caller frees. */
char *sim_catalog(struct sim *);

struct sim_ask *sim_ask(struct sim *, enum engine_request_type, int64_t seq);
void sim_send(struct sim_ask *);
/* `count` items as chunks of at most `per_chunk`; items[i] is the text or, when NULL, "[0,ms]". */
struct engine_chunk *sim_items(uint32_t first, uint32_t count, uint32_t per_chunk, const char *const *items, int ms);
/* A submission, not yet sent. */
struct sim_ask *sim_submission(struct sim *, struct engine_chunk *, enum job_kind);
/* …sent and answered 202; returns its seq. */
int64_t sim_accept(struct sim *, struct sim_ask *);
struct job_view sim_stored(struct sim *, int64_t seq);
/* Waits (in simulated time) until the store has its end. */
struct job_view sim_end(struct sim *, int64_t seq, int64_t ms);
/* The result line of an item, as the store has it ("" = cancelled); fails when there is none. Freed by the caller. */
char *sim_line(struct sim *, int64_t seq, uint32_t index);
/* Rows of attempts that did not succeed; `of` FAILURE_NONE: any but interrupted ones. */
unsigned sim_attempts(struct sim *, int64_t seq, uint32_t index, enum failure of);
/* Positions without gaps, each item one result, counts as the rows say. */
void sim_check_results(struct sim *, int64_t seq);

/* The item that runs in this slot calls; the number of the call is returned. */
uint32_t sim_call(struct sim *, unsigned slot, const char *request);
uint32_t sim_next_call(void); /* the number that it will return */
/* What this call was answered, or "" as long as it was not. */
const char *sim_answer(const struct sim *, uint32_t call);

/* ---- engine_lives.c ---- */
void random_lives(void **state);
void lives_seeds(uint64_t first, uint64_t count);

#endif
