#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "killloop.h"
#include "support/stream.h"

const char *const load_function_names[LOAD_FUNCTIONS] = {"square", "echo", "sleep"};

uint64_t load_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint32_t below(struct load_client *c, uint32_t n)
{
    return (uint32_t)(load_random(&c->random) % n);
}

uint64_t load_hash(uint32_t index, const char *value, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325u ^ index;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)value[i]) * 0x100000001b3u;
    return hash | 1;
}

int load_item(enum load_function function, uint32_t i, char *to, size_t size)
{
    if (function == LOAD_ECHO)
        return snprintf(to, size, "{\"i\":%" PRIu32 ",\"x\":-0.10,\"s\":\"\\u00e9\"}", i);
    if (function == LOAD_SLEEP) /* every other one takes no time: its line waits for the slow one behind it */
        return snprintf(to, size, "0.0%" PRIu32, i % 2 == 0 ? 0 : 2 + i % 8);
    return snprintf(to, size, "%" PRIu32, i);
}

int load_value(enum load_function function, uint32_t i, char *to, size_t size)
{
    if (function == LOAD_SQUARE)
        return snprintf(to, size, "%" PRIu64, (uint64_t)i * i);
    return load_item(function, i, to, size);
}

void load_wrong(struct load_client *c, const struct load_job *job, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "WRONG: job %s (%s, %s, %" PRIu32 " items): ", job->id.text, job->key,
            load_function_names[job->function], job->n);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    c->wrong++;
}

/* On disk before anything else happens: what a person reads when the tally says "lost". */
static void note(const struct load_client *c, const char *what, const struct load_job *job)
{
    char line[256];
    int length = snprintf(line, sizeof line, "%s %s %s %s %" PRIu32 "\n", what, job->key, job->id.text,
                          load_function_names[job->function], job->n);
    if (write(c->log, line, (size_t)length) != length || fsync(c->log) == -1)
        abort();
}

long load_insist(struct http *h, const struct ask *ask, struct reply *r, uint32_t *broken)
{
    for (long long end = now_ms() + 120000;;) {
        long status = http_ask(h, ask, r);
        bool conflict = status == 409 && strstr(json_text(r->json, "type"), "flight") != NULL;
        if (r->code == CURLE_OK && status < 500 && !conflict)
            return status;
        (*broken)++;
        if (now_ms() > end)
            service_give_up(h->service, "%s %s: no answer for two minutes (curl %d, %ld %.300s)",
                            ask->method != NULL ? ask->method : "GET", ask->path, (int)r->code, status, r->body);
        reply_free(r);
        sleep_ms(20);
    }
}

static long post_job(struct load_client *c, struct http *h, struct load_job *job, struct reply *r)
{
    char key[96];
    snprintf(key, sizeof key, "Idempotency-Key: %s", job->key);
    struct ask ask = {.method = "POST",
                      .path = job->path,
                      .body = job->body,
                      .timeout_ms = 20000,
                      .headers = {key, job->ndjson ? "Content-Type: application/x-ndjson" : NULL}};
    return load_insist(h, &ask, r, &c->broken);
}

static void remember(uint64_t **hashes, uint32_t at, uint64_t hash, struct load_client *c, const struct load_job *job)
{
    if (*hashes == NULL)
        *hashes = calloc(LOAD_ITEMS_MAX, sizeof **hashes);
    if (at >= LOAD_ITEMS_MAX || ((*hashes)[at] != 0 && (*hashes)[at] != hash))
        load_wrong(c, job, "the result at %" PRIu32 " is another than before", at);
    else
        (*hashes)[at] = hash;
}

/* Posts it until it is acknowledged; now and then once more, which must name the same job. */
static void submit(struct load_client *c, struct http *h, struct load_job *job)
{
    struct reply r;
    note(c, "sent", job);
    long status = post_job(c, h, job, &r);
    snprintf(job->id.text, sizeof job->id.text, "%s", json_text(r.json, "id"));
    if (status != 200 && status != 202) {
        load_wrong(c, job, "POST was answered with %ld %.300s", status, r.body);
        reply_free(&r);
        return;
    }
    job->acknowledged = true;
    note(c, "accepted", job);
    const char *value = strstr(r.body, "\"value\":");
    if (job->kind == LOAD_APPLY && status == 200 && value != NULL) {
        char wanted[64];
        int length = load_value(job->function, 0, wanted, sizeof wanted);
        if (strncmp(value + 8, wanted, (size_t)length) != 0)
            load_wrong(c, job, "wrong value: %.200s", value);
        else
            remember(&job->read_by_index, 0, load_hash(0, wanted, (size_t)length), c, job);
    }
    reply_free(&r);
    if (below(c, 8) != 0)
        return;
    c->replays++;
    post_job(c, h, job, &r);
    if (strcmp(json_text(r.json, "id"), job->id.text) != 0)
        load_wrong(c, job, "the same Idempotency-Key gave %.300s", r.body);
    reply_free(&r);
}

/* Items [from, to) as `separator`-ended texts. */
static char *items_text(enum load_function function, uint32_t from, uint32_t to, const char *separator, char *at)
{
    char item[64];
    for (uint32_t i = from; i < to; i++) {
        load_item(function, i, item, sizeof item);
        at += sprintf(at, "%s%s", item, *separator == ',' && i + 1 == to ? "" : separator);
    }
    return at;
}

static void make_body(struct load_job *job, uint32_t chunksize)
{
    job->body = malloc(256 + (size_t)job->n * 48);
    char *at = job->body;
    if (job->kind == LOAD_NDJSON) {
        *items_text(job->function, 0, job->n, "\n", at) = '\0';
        return;
    }
    at += sprintf(at, "{\"function\":\"%s\",\"%s\":%s", load_function_names[job->function],
                  job->kind == LOAD_APPLY ? "apply" : "map", job->kind == LOAD_APPLY ? "" : "[");
    at = items_text(job->function, 0, job->n, ",", at);
    at = stpcpy(at, job->kind == LOAD_APPLY ? "" : "]");
    /* Slow items in slices of several: finished ones lie with the worker when it dies, some already looked at. */
    at += chunksize > 0 ? sprintf(at, ",\"chunksize\":%" PRIu32, chunksize) : 0;
    strcpy(at, job->kind == LOAD_OPEN ? ",\"open\":true}" : "}");
}

/* ---- open jobs ---- */

/* How many items the job has: what a broken append has come to. */
static uint32_t total_of(struct load_client *c, struct http *h, struct load_job *job)
{
    char path[96];
    struct reply r;
    snprintf(path, sizeof path, "/v1/jobs/%s", job->id.text);
    long status = load_insist(h, &(struct ask){.path = path, .timeout_ms = 10000}, &r, &c->broken);
    long long total = json_number(r.json, "counts.total");
    if (status != 200 || total < job->n)
        load_wrong(c, job, "%" PRIu32 " items were acknowledged, but: %ld %.400s", job->n, status, r.body);
    reply_free(&r);
    return total > 0 ? (uint32_t)total : 0;
}

static void append_items(struct load_client *c, struct http *h, struct load_job *job, uint32_t count)
{
    char path[96], *body = malloc((size_t)count * 48 + 1);
    struct reply r;
    *items_text(job->function, job->n, job->n + count, "\n", body) = '\0';
    snprintf(path, sizeof path, "/v1/jobs/%s/items", job->id.text);
    struct ask ask = {.method = "POST",
                      .path = path,
                      .body = body,
                      .timeout_ms = 10000,
                      .fresh = true,
                      .headers = {"Content-Type: application/x-ndjson"}};
    long status = http_ask(h, &ask, &r);
    if (r.code == CURLE_OK && status / 100 == 2) {
        job->n += count;
        note(c, "items", job);
    } else if (r.code == CURLE_OK && status / 100 == 4) {
        load_wrong(c, job, "items were answered with %ld %.300s", status, r.body);
    } else {
        /* Unknown: the count says what was taken, and it can only be a prefix of what was sent. */
        c->broken++;
        sleep_ms(50);
        uint32_t before = job->n, total = total_of(c, h, job);
        if (total > before + count)
            load_wrong(c, job, "%" PRIu32 " items, although only %" PRIu32 " were sent", total, before + count);
        job->n = total;
        note(c, "items?", job);
    }
    reply_free(&r);
    free(body);
}

static void close_job(struct load_client *c, struct http *h, struct load_job *job)
{
    char path[96];
    struct reply r;
    snprintf(path, sizeof path, "/v1/jobs/%s/close", job->id.text);
    long status =
        load_insist(h, &(struct ask){.method = "POST", .path = path, .body = "", .timeout_ms = 10000}, &r, &c->broken);
    if (status / 100 != 2 && status != 409) /* 409: a close that broke had been heard */
        load_wrong(c, job, "close was answered with %ld %.300s", status, r.body);
    job->closed = true;
    note(c, "closed", job);
    reply_free(&r);
}

/* ---- reading ---- */

struct reading {
    struct load_client *client;
    struct load_job *job;
    struct stream stream;
    bool input_order;
    uint32_t at, left;
};

static bool on_read(void *context, uint32_t index, const char *value, size_t length, bool failed)
{
    struct reading *reading = context;
    (void)failed;
    uint64_t hash = load_hash(index, value, length);
    if (reading->input_order && index != reading->at)
        load_wrong(reading->client, reading->job, "index %" PRIu32 " where %" PRIu32 " was due", index, reading->at);
    if (!reading->input_order)
        remember(&reading->job->read_by_position, reading->at, hash, reading->client, reading->job);
    remember(&reading->job->read_by_index, index, hash, reading->client, reading->job);
    reading->at++;
    reading->left -= reading->left > 0;
    return true;
}

/* A client that goes away as soon as it has seen enough. */
static bool on_read_data(void *context, const char *bytes, size_t length)
{
    struct reading *reading = context;
    stream_data(&reading->stream, bytes, length);
    return reading->left > 0;
}

static void read_some(struct load_client *c, struct http *h, struct load_job *job)
{
    struct reading reading = {.client = c, .job = job, .input_order = below(c, 2) == 0, .left = 1 + below(c, 2000)};
    reading.at = below(c, 3) == 0 ? below(c, job->n + 1) : 0;
    reading.stream = (struct stream){.on_result = on_read, .context = &reading};
    char path[160];
    struct reply r;
    snprintf(path, sizeof path, "/v1/jobs/%s/results?order=%s&from=%" PRIu32, job->id.text,
             reading.input_order ? "input" : "completion", reading.at);
    struct ask ask = {.path = path, .timeout_ms = 500, .on_data = on_read_data, .context = &reading};
    long status = http_ask(h, &ask, &r);
    if (status / 100 == 4)
        load_wrong(c, job, "results were answered with %ld", status);
    if (reading.stream.wrong > 0)
        load_wrong(c, job, "a line that is no result: %s", reading.stream.first_wrong);
    c->reads++;
    reply_free(&r);
    stream_free(&reading.stream);
}

/* ---- the loop ---- */

static void make_job(struct load_client *c, struct load_job *job)
{
    memset(job, 0, sizeof *job);
    job->kind = (enum load_kind)below(c, LOAD_KINDS);
    job->function = (enum load_function)below(c, LOAD_FUNCTIONS);
    uint32_t most = job->function == LOAD_SLEEP ? 20 : below(c, 4) == 0 ? LOAD_ITEMS_MAX : 300;
    job->n = job->kind == LOAD_APPLY ? 1 : job->kind == LOAD_OPEN ? 0 : 1 + below(c, most);
    job->ndjson = job->kind == LOAD_NDJSON;
    job->closed = job->kind != LOAD_OPEN;
    snprintf(job->key, sizeof job->key, "c%u-j%" PRIu32 "-%08x", c->number, c->count,
             (unsigned)load_random(&c->random));
    if (job->ndjson)
        snprintf(job->path, sizeof job->path, "/v1/jobs?function=%s", load_function_names[job->function]);
    else
        snprintf(job->path, sizeof job->path, "/v1/jobs%s", job->kind == LOAD_APPLY ? "?wait=2" : "");
    make_body(job, below(c, 2) == 0 && job->kind != LOAD_APPLY ? 1 + below(c, 8) : 0);
}

static void one_job(struct load_client *c, struct http *h)
{
    struct load_job *job = &c->jobs[c->count];
    make_job(c, job);
    c->count++;
    submit(c, h, job);
    if (!job->acknowledged || job->kind != LOAD_OPEN)
        return;
    uint32_t most = job->function == LOAD_SLEEP ? 5 : 400;
    for (uint32_t times = below(c, 5); times > 0; times--)
        append_items(c, h, job, 1 + below(c, most));
    close_job(c, h, job);
}

void *load_run(void *context)
{
    struct load_client *c = context;
    struct http h;
    http_open(&h, c->service);
    while (!*c->stop && c->count < LOAD_JOBS_MAX) {
        one_job(c, &h);
        uint32_t recent = c->count < 10 ? c->count : 10;
        struct load_job *job = &c->jobs[c->count - 1 - below(c, recent)];
        if (job->acknowledged && below(c, 2) == 0)
            read_some(c, &h, job);
        sleep_ms((int)below(c, 40));
    }
    http_close(&h);
    return NULL;
}
