#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "killloop.h"
#include "support/stream.h"

struct check {
    struct load_client *client;
    struct load_job *job;
    struct check_tally *tally;
    unsigned char *seen;
    uint64_t *hashes; /* by index, of the first order that was read */
    uint32_t position;
    bool input_order;
};

/* A kill -9 may cost what ran at that moment, and nothing else may fail. */
static bool permitted(struct check *k, const char *error, size_t length)
{
    bool crash = memmem(error, length, "\"type\":\"crash\"", 14) != NULL;
    bool interrupted = memmem(error, length, "\"type\":\"interrupted\"", 20) != NULL;
    k->tally->crashes += k->input_order && crash;
    k->tally->interrupted += k->input_order && interrupted;
    return crash || interrupted;
}

static bool right_value(struct check *k, uint32_t index, const char *value, size_t length, bool failed)
{
    char wanted[64];
    if (failed)
        return permitted(k, value, length);
    int n = load_value(k->job->function, index, wanted, sizeof wanted);
    return (size_t)n == length && memcmp(wanted, value, length) == 0;
}

static void compare_with_read(struct check *k, uint32_t index, uint64_t hash)
{
    const struct load_job *job = k->job;
    if (job->read_by_index != NULL && job->read_by_index[index] != 0 && job->read_by_index[index] != hash)
        load_wrong(k->client, job, "the result of item %" PRIu32 " has changed since it was read", index);
    if (!k->input_order && job->read_by_position != NULL && job->read_by_position[k->position] != 0 &&
        job->read_by_position[k->position] != hash)
        load_wrong(k->client, job, "position %" PRIu32 " holds another result than when it was read", k->position);
    if (k->hashes[index] != 0 && k->hashes[index] != hash)
        load_wrong(k->client, job, "item %" PRIu32 " differs between the two orders", index);
    k->hashes[index] = hash;
}

static bool on_result(void *context, uint32_t index, const char *value, size_t length, bool failed)
{
    struct check *k = context;
    if (index >= k->job->n || k->position >= k->job->n)
        return false;
    if (k->seen[index]++ != 0 || (k->input_order && index != k->position))
        return false;
    compare_with_read(k, index, load_hash(index, value, length));
    k->position++;
    k->tally->items += k->input_order;
    return right_value(k, index, value, length, failed);
}

static void check_order(struct check *k, struct http *h, bool input_order)
{
    struct stream s = {.on_result = on_result, .context = k};
    struct load_job *job = k->job;
    char path[160];
    struct reply r;
    k->input_order = input_order;
    k->position = 0;
    memset(k->seen, 0, job->n + 1);
    snprintf(path, sizeof path, "/v1/jobs/%s/results?order=%s", job->id.text, input_order ? "input" : "completion");
    struct ask ask = {.path = path, .on_data = stream_data, .context = &s};
    long status = http_ask(h, &ask, &r);
    if (r.code != CURLE_OK || status != 200 || !s.ended || s.wrong > 0 || s.lines != job->n)
        load_wrong(k->client, job, "%s order: curl %d, status %ld, %zu lines, %zu wrong (%s), end %s",
                   input_order ? "input" : "completion", (int)r.code, status, s.lines, s.wrong, s.first_wrong,
                   s.ended ? s.end : "missing");
    reply_free(&r);
    stream_free(&s);
}

/* Ended, with every item accounted for. */
static void check_status(struct check *k, struct http *h)
{
    struct reply r;
    struct load_job *job = k->job;
    job_wait(h, job->id, 60000, &r);
    long long total = json_number(r.json, "counts.total"), failed = json_number(r.json, "counts.failed");
    if (total != job->n || json_number(r.json, "counts.succeeded") + failed != total ||
        strcmp(json_text(r.json, "state"), failed > 0 ? "failed" : "succeeded") != 0)
        load_wrong(k->client, job, "its end is not right: %.600s", r.body);
    reply_free(&r);
}

static void check_key(struct check *k, struct http *h)
{
    struct load_job *job = k->job;
    char key[96];
    struct reply r;
    snprintf(key, sizeof key, "Idempotency-Key: %s", job->key);
    struct ask ask = {.method = "POST",
                      .path = job->path,
                      .body = job->body,
                      .headers = {key, job->ndjson ? "Content-Type: application/x-ndjson" : NULL}};
    http_ask(h, &ask, &r);
    if (strcmp(json_text(r.json, "id"), job->id.text) != 0)
        load_wrong(k->client, job, "its Idempotency-Key now gives %ld %.300s", r.status, r.body);
    reply_free(&r);
}

static void check_job(struct check *k, struct http *h)
{
    k->seen = calloc(k->job->n + 1, 1);
    k->hashes = calloc(k->job->n + 1, sizeof *k->hashes);
    check_status(k, h);
    check_order(k, h, true);
    check_order(k, h, false);
    check_key(k, h);
    free(k->hashes);
    free(k->seen);
}

void check_client(struct load_client *c, struct http *h, struct check_tally *tally)
{
    for (uint32_t i = 0; i < c->count; i++) {
        struct load_job *job = &c->jobs[i];
        if (!job->acknowledged)
            continue;
        tally->jobs++;
        tally->maps += job->kind == LOAD_MAP;
        tally->applies += job->kind == LOAD_APPLY;
        tally->opens += job->kind == LOAD_OPEN;
        tally->ndjsons += job->kind == LOAD_NDJSON;
        struct check k = {.client = c, .job = job, .tally = tally};
        check_job(&k, h);
        free(job->body);
        free(job->read_by_index);
        free(job->read_by_position);
    }
}
