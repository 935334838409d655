#include "bench_work.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/json.h"
#include "support/stream.h"

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- results ---- */

struct expect {
    uint32_t n, next;
    bool input_order;
    enum bench_items items; /* ints: their squares; objects: themselves; empty: an empty text for each int */
    unsigned char *seen;
    double first;       /* when the first result came */
    const char **texts; /* objects: where each item stands in the body, which echo must give back */
    atomic_bool started;
};

static int object_text(char *to, size_t size, uint32_t i)
{
    return snprintf(to, size,
                    "{\"id\":%" PRIu32 ",\"name\":\"item %06" PRIu32 "\",\"tags\":[\"a\",\"b\"],\"score\":%" PRIu32
                    ".5,\"active\":true}",
                    i, i % 1000000, i % 100);
}

static bool check_value(const struct expect *e, uint32_t index, const char *value, size_t length)
{
    if (e->items == BENCH_OBJECTS)
        return memcmp(e->texts[index], value, length) == 0 && strchr(",]", e->texts[index][length]) != NULL;
    if (e->items == BENCH_EMPTY)
        return length == 2 && memcmp(value, "\"\"", 2) == 0;
    uint64_t number = 0;
    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(value[i] - '0');
    }
    return number == (uint64_t)index * index;
}

static bool on_result(void *context, uint32_t index, const char *value, size_t length, bool failed)
{
    struct expect *e = context;
    if (!e->started) {
        e->first = bench_now();
        e->started = true;
    }
    if (failed || index >= e->n || e->seen[index] != 0)
        return false;
    e->seen[index] = 1;
    if (e->input_order && index != e->next++)
        return false;
    return check_value(e, index, value, length);
}

static void expect_begin(struct expect *e, uint32_t n)
{
    memset(e, 0, sizeof *e);
    e->n = n;
    e->seen = calloc(n, 1);
}

/* All there, all right, and the line that says so. */
static bool judge(const struct expect *e, const struct stream *s, const struct reply *r)
{
    bool right = r->code == CURLE_OK && r->status == 200 && s->wrong == 0 && s->lines == e->n && s->ended;
    if (!right)
        fprintf(stderr, "WRONG: curl %d, status %ld, %zu of %" PRIu32 " lines, %zu wrong (%s), end %s\n", (int)r->code,
                r->status, s->lines, e->n, s->wrong, s->first_wrong, s->ended ? s->end : "missing");
    return right;
}

/* ---- one map in one request ---- */

static char *map_body(struct expect *e, const char *function, size_t *length)
{
    uint32_t n = e->n;
    bool objects = e->items == BENCH_OBJECTS;
    char *body = malloc(64 + (size_t)n * (objects ? 100 : 11));
    e->texts = objects ? calloc(n, sizeof *e->texts) : NULL;
    char *at = body + sprintf(body, "{\"function\":\"%s\",\"map\":[", function);
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0)
            *at++ = ',';
        if (objects)
            e->texts[i] = at;
        at += objects ? object_text(at, 100, i) : sprintf(at, "%" PRIu32, i);
    }
    at += sprintf(at, "]}");
    *length = (size_t)(at - body);
    return body;
}

static bool run_map(struct service *service, const char *function, const char *order, struct expect *e, double *seconds)
{
    struct http h;
    http_open(&h, service);
    char path[64];
    size_t length;
    snprintf(path, sizeof path, "/v1/jobs?order=%s", order);
    char *body = map_body(e, function, &length);
    e->input_order = strcmp(order, "input") == 0;
    struct stream s = {.on_result = on_result, .context = e};
    struct ask ask = {.method = "POST",
                      .path = path,
                      .body = body,
                      .body_length = length,
                      .timeout_ms = 600000,
                      .headers = {"Accept: application/x-ndjson"},
                      .on_data = stream_data,
                      .context = &s};
    struct reply r;
    double start = bench_now();
    http_ask(&h, &ask, &r);
    *seconds = bench_now() - start;
    e->first -= start;
    bool right = judge(e, &s, &r);
    reply_free(&r);
    stream_free(&s);
    free(body);
    free(e->texts);
    http_close(&h);
    return right;
}

int bench_map(struct service *service, uint32_t n, const char *function, const char *order, enum bench_items items)
{
    struct expect e;
    double seconds;
    expect_begin(&e, n);
    e.items = items;
    bool right = run_map(service, function, order, &e, &seconds);
    printf("{\"seconds\":%.6f,\"per_second\":%.0f,\"first\":%.6f,\"jobs\":1}\n", seconds, n / seconds, e.first);
    free(e.seen);
    return right ? 0 : 1;
}

/* ---- applies ---- */

struct applier {
    struct service *service;
    uint32_t n, seed;
    double *seconds; /* of each */
    uint32_t wrong;
    const atomic_bool *until; /* stop when it is true; NULL: after n */
};

static bool apply_once(struct http *h, uint32_t x, double *seconds)
{
    char body[64], wanted[32];
    snprintf(body, sizeof body, "{\"function\":\"square\",\"apply\":%" PRIu32 "}", x);
    int length = snprintf(wanted, sizeof wanted, "\"value\":%" PRIu64, (uint64_t)x * x);
    struct reply r;
    double start = bench_now();
    long status = http_post(h, &r, "/v1/jobs?wait=30", body);
    *seconds = bench_now() - start;
    const char *at = strstr(r.body, wanted);
    bool right = status == 200 && at != NULL && (at[length] < '0' || at[length] > '9');
    if (!right)
        fprintf(stderr, "WRONG: apply of %" PRIu32 ": curl %d, %ld %.300s\n", x, (int)r.code, status, r.body);
    reply_free(&r);
    return right;
}

static void *applier_run(void *context)
{
    struct applier *a = context;
    struct http h;
    http_open(&h, a->service);
    uint32_t i = 0;
    for (; i < a->n && (a->until == NULL || !*a->until); i++)
        a->wrong += !apply_once(&h, a->seed + i, &a->seconds[i]);
    a->n = i;
    http_close(&h);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_print_latencies(double *seconds, size_t n, double all, uint32_t jobs)
{
    qsort(seconds, n, sizeof *seconds, by_value);
    printf(
        "{\"seconds\":%.6f,\"per_second\":%.1f,\"p50\":%.7f,\"p99\":%.7f,\"max\":%.7f,\"samples\":%zu,\"jobs\":%" PRIu32
        "}\n",
        all, (double)n / all, n > 0 ? seconds[n / 2] : 0, n > 0 ? seconds[n * 99 / 100] : 0, n > 0 ? seconds[n - 1] : 0,
        n, jobs);
}

/* ---- applies beside a map ---- */

struct beside {
    struct service *service;
    struct expect expect;
    atomic_bool done;
    bool right;
    double seconds;
};

static void *beside_map(void *context)
{
    struct beside *b = context;
    b->right = run_map(b->service, "square", "completion", &b->expect, &b->seconds);
    b->done = true;
    return NULL;
}

int bench_beside(struct service *service, uint32_t n)
{
    enum { SAMPLES = 1000000 };
    struct beside b = {.service = service};
    expect_begin(&b.expect, n);
    struct applier a = {service, SAMPLES, 5, calloc(SAMPLES, sizeof(double)), 0, &b.done};
    pthread_t thread;
    pthread_create(&thread, NULL, beside_map, &b);
    while (!b.expect.started && !b.done)
        sleep_ms(1);
    double start = bench_now();
    applier_run(&a);
    pthread_join(thread, NULL);
    bench_print_latencies(a.seconds, a.n, bench_now() - start, a.n + 1);
    free(a.seconds);
    free(b.expect.seen);
    return b.right && a.wrong == 0 ? 0 : 1;
}

/* ---- an upload while its results are read ---- */

struct reader {
    struct service *service;
    struct job_id id;
    struct expect expect;
    bool right;
};

static void *reader_run(void *context)
{
    struct reader *reader = context;
    struct http h;
    http_open(&h, reader->service);
    char path[128];
    snprintf(path, sizeof path, "/v1/jobs/%s/results?order=completion", reader->id.text);
    struct stream s = {.on_result = on_result, .context = &reader->expect};
    struct ask ask = {.path = path, .timeout_ms = 600000, .on_data = stream_data, .context = &s};
    struct reply r;
    http_ask(&h, &ask, &r);
    reader->right = judge(&reader->expect, &s, &r);
    reply_free(&r);
    stream_free(&s);
    http_close(&h);
    return NULL;
}

struct numbers {
    uint32_t next, n;
};

static size_t give_numbers(void *context, char *to, size_t size)
{
    struct numbers *numbers = context;
    size_t length = 0;
    while (numbers->next < numbers->n && length + 12 < size) {
        char digits[12];
        int count = 0;
        for (uint32_t x = numbers->next++; count == 0 || x > 0; x /= 10)
            digits[count++] = (char)('0' + x % 10);
        while (count > 0)
            to[length++] = digits[--count];
        to[length++] = '\n';
    }
    return length;
}

static bool upload_all(struct http *h, struct job_id id, uint32_t n)
{
    char path[128];
    struct numbers numbers = {0, n};
    struct reply r;
    snprintf(path, sizeof path, "/v1/jobs/%s/items", id.text);
    struct ask ask = {.method = "POST",
                      .path = path,
                      .timeout_ms = 600000,
                      .upload = give_numbers,
                      .context = &numbers,
                      .headers = {"Content-Type: application/x-ndjson"}};
    bool right = http_ask(h, &ask, &r) / 100 == 2;
    if (!right)
        fprintf(stderr, "WRONG: items: curl %d, %ld %s\n", (int)r.code, r.status, r.body);
    reply_free(&r);
    snprintf(path, sizeof path, "/v1/jobs/%s/close", id.text);
    right = http_post(h, &r, path, "") / 100 == 2 && right;
    reply_free(&r);
    return right;
}

int bench_upload(struct service *service, uint32_t n)
{
    struct http h;
    http_open(&h, service);
    struct reader reader = {.service = service};
    expect_begin(&reader.expect, n);
    pthread_t thread;
    double start = bench_now();
    reader.id = job_submit(&h, "{\"function\":\"square\",\"map\":[],\"open\":true}");
    pthread_create(&thread, NULL, reader_run, &reader);
    bool right = upload_all(&h, reader.id, n);
    double uploaded = bench_now() - start;
    pthread_join(thread, NULL);
    double seconds = bench_now() - start;
    printf("{\"seconds\":%.6f,\"per_second\":%.0f,\"uploaded\":%.6f,\"jobs\":1}\n", seconds, n / seconds, uploaded);
    struct reply r;
    char path[128];
    snprintf(path, sizeof path, "/v1/jobs/%s", reader.id.text);
    http_ask(&h, &(struct ask){.method = "DELETE", .path = path}, &r);
    reply_free(&r);
    http_close(&h);
    free(reader.expect.seen);
    return right && reader.right ? 0 : 1;
}
