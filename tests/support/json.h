/* json: short ways into a jansson tree, and the requests that every test makes. A path is "counts.total". */
#ifndef POOLD_TESTS_JSON_H
#define POOLD_TESTS_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "support/http.h"

const json_t *json_at(const json_t *, const char *path); /* NULL when absent */
const char *json_text(const json_t *, const char *path); /* "" when absent or no string */
long long json_number(const json_t *, const char *path); /* -1 when absent or no integer */

struct job_id {
    char text[32];
};
/* Submits; gives up unless 2xx with an id. */
struct job_id job_submit(struct http *, const char *body);
/* Waits until the job has ended; its last status, to be freed. Gives up after `timeout_ms`. Repeats over restarts. */
void job_wait(struct http *, struct job_id, int timeout_ms, struct reply *);
/* State in `to`. */
void job_state(struct http *, struct job_id, char to[32]);
/* Waits until `path` of GET /v1/… has the given value as text ("running", "3"); false when it never came. */
bool wait_for(struct http *, const char *url, const char *path, const char *value, int timeout_ms);
/* Waits until the pool has `count` workers in state `state` (NULL = ready, running or waiting). */
bool wait_workers(struct http *, const char *state, int count, int timeout_ms);
/* Pid of a worker in that state (optionally with this job), and which item it is at, unless that is NULL; 0 = none.
 * "running" and "waiting" say that it was given items: see item_runs. */
int worker_pid(struct http *, const char *state, const char *job, long long *item);
/* Whether the item has begun and not ended. */
bool item_runs(struct http *, struct job_id, long long item);

#endif
