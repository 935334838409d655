/* killloop: random kill -9 under load, and a checker that believes nobody.
 *
 * killloop.c kills and judges the whole; killloop_load.c is the clients, which remember (and append, fsynced, to a log
 * outside of the killed tree) what they sent, what was acknowledged and what they have read; killloop_check.c compares
 * all of that with what the service says at the end. A client owns its jobs until it has been joined. */
#ifndef POOLD_TESTS_KILLLOOP_H
#define POOLD_TESTS_KILLLOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "support/http.h"
#include "support/json.h"

enum load_kind { LOAD_MAP, LOAD_APPLY, LOAD_OPEN, LOAD_NDJSON, LOAD_KINDS };
enum load_function { LOAD_SQUARE, LOAD_ECHO, LOAD_SLEEP, LOAD_FUNCTIONS };
extern const char *const load_function_names[LOAD_FUNCTIONS];

struct load_job {
    enum load_kind kind;
    enum load_function function;
    uint32_t n; /* items acknowledged */
    char key[64];
    char *body;    /* to repeat it; NULL for open jobs */
    char path[96]; /* it was posted to */
    bool ndjson;
    bool acknowledged, closed;
    struct job_id id;
    uint64_t *read_by_position, *read_by_index; /* hashes of what a client has read; 0 = nothing yet */
};

enum { LOAD_JOBS_MAX = 20000, LOAD_CLIENTS = 4, LOAD_ITEMS_MAX = 4000, LOAD_WORKERS = 4 };

struct load_client {
    struct service *service;
    unsigned number;
    uint64_t random;
    int log; /* append-only */
    struct load_job *jobs;
    uint32_t count, wrong, replays, reads, broken;
    atomic_bool *stop;
};

/* The thread of a client. */
void *load_run(void *client);
/* The text of an item, and of its value. */
int load_item(enum load_function, uint32_t i, char *to, size_t size);
int load_value(enum load_function, uint32_t i, char *to, size_t size);
uint64_t load_hash(uint32_t index, const char *value, size_t length);
uint64_t load_random(uint64_t *state);
/* Asks until an answer comes that is not "unknown, repeat it"; gives up after two minutes. */
long load_insist(struct http *, const struct ask *, struct reply *, uint32_t *broken);
/* Says what is wrong, counts it. */
void load_wrong(struct load_client *, const struct load_job *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct check_tally {
    uint64_t items, crashes, interrupted;
    uint32_t jobs, maps, applies, opens, ndjsons;
};

/* Looks at every acknowledged job of the client. */
void check_client(struct load_client *, struct http *, struct check_tally *);

#endif
