/* Workers, and the size of the pool. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "http/access.h"
#include "http/handlers.h"
#include "http/job_json.h"
#include "http/sandbox.h"
#include "http/server.h"
#include "http/usage.h"
#include "wire/limits.h"
#include "wire/scan.h"

/* The snapshot that came back, or NULL after answering the problem. */
static struct engine_pool *pool_of(struct request *r)
{
    if (r->ask.engine.status == ENGINE_OK)
        return r->ask.engine.pool.pool;
    request_fail_engine(r, r->ask.engine.status);
    return NULL;
}

/* ---- workers ---- */

/* null when there is none */
static void write_text(struct buf *b, const char *text)
{
    if (*text)
        buf_append_json_string(b, text, strlen(text));
    else
        buf_append_text(b, "null");
}

/* What it does is nobody's business who may not use that function. */
static struct engine_worker seen_by(const struct request *r, const struct engine_worker *w)
{
    struct engine_worker seen = *w;
    if (seen.job_seq && !access_sees(r, seen.function)) {
        seen.job_seq = 0;
        *seen.waits_for = '\0';
    }
    return seen;
}

static void write_worker(struct buf *b, const struct engine_worker *w)
{
    char id[JOB_ID_LENGTH + 1];
    struct usage usage;
    bool known = usage_read(w->pid, &usage);
    enum worker_state state = w->state;
    if (known && state == WORKER_RUNNING && !usage.on_cpu)
        state = WORKER_WAITING; /* its task sleeps or blocks */
    buf_printf(b, "{\"slot\":%u,\"generation\":%u,\"pid\":%u,\"state\":\"%s\",\"extra\":%s", w->slot, w->generation,
               w->pid, worker_state_name(state), w->extra ? "true" : "false");
    if (w->job_seq) {
        job_id_format(id, w->job_created_ms, w->job_seq);
        buf_printf(b, ",\"job\":\"%s\",\"function\":", id);
        buf_append_json_string(b, w->function, strlen(w->function));
        buf_printf(b, ",\"item\":%u,\"attempt\":%u", w->index, w->attempt);
    } else {
        buf_append_text(b, ",\"job\":null,\"function\":null,\"item\":null,\"attempt\":null");
    }
    buf_append_text(b, ",\"since\":");
    time_write(b, w->since_ms);
    if (known)
        buf_printf(b, ",\"cpu_seconds\":%.2f,\"rss_bytes\":%lld", usage.cpu_s, (long long)usage.rss_bytes);
    else
        buf_append_text(b, ",\"cpu_seconds\":null,\"rss_bytes\":null");
    buf_printf(b, ",\"items_done\":%llu,\"restarts\":%u,\"waiting_for\":", (unsigned long long)w->items_done,
               w->restarts);
    write_text(b, w->waits_for);
    buf_append_char(b, '}');
}

static void show_workers(struct request *r)
{
    struct engine_pool *pool = pool_of(r);
    struct buf document = BUF_EMPTY;
    if (!pool)
        return;
    buf_append_text(&document, "{\"workers\":[");
    for (unsigned i = 0; i < pool->worker_count; i++) {
        struct engine_worker worker = seen_by(r, &pool->workers[i]);
        buf_append_text(&document, i ? ",\n" : "\n");
        write_worker(&document, &worker);
    }
    buf_append_text(&document, "\n]}\n");
    request_answer_json(r, 200, &document);
}

void get_workers(struct request *r)
{
    request_question(r, ASK_POOL);
    request_ask(r, show_workers);
}

/* ---- the pool ---- */

static void show_pool(struct request *r)
{
    struct engine_pool *p = pool_of(r);
    struct buf document = BUF_EMPTY;
    if (!p)
        return;
    buf_printf(&document,
               "{\"processes\":%u,\"cpu_count\":%u,"
               "\"workers\":{\"ready\":%u,\"running\":%u,\"starting\":%u,\"waiting\":%u},"
               "\"jobs_live\":%u,\"items_queued\":%lld,\"draining\":%s,\"storage\":\"%s\",\"stuck\":",
               p->processes, p->cpu_count, p->ready, p->running, p->starting, p->waiting, p->jobs_live,
               (long long)p->items_queued, p->draining ? "true" : "false",
               p->storage_failed ? "failed"
               : p->storage_full ? "full"
                                 : "ok");
    write_text(&document, p->stuck);
    buf_append_text(&document, ",\"sandbox\":");
    sandbox_write(&document, &p->sandbox, r->http->config);
    buf_append_text(&document, "}\n");
    request_answer_json(r, 200, &document);
}

void get_pool(struct request *r)
{
    request_question(r, ASK_POOL);
    request_ask(r, show_pool);
}

static void resized(struct request *r)
{
    if (r->ask.engine.status == ENGINE_OK)
        get_pool(r);
    else
        request_fail_engine(r, r->ask.engine.status);
}

static bool bad_field(struct request *r, const struct scan_walk *w)
{
    problem_set(&r->problem, PROBLEM_UNKNOWN_FIELD, "the only field is \"processes\"");
    problem_at(&r->problem, w->key - 1 - r->body.data, "/%.*s",
               (int)(w->key_end - w->key > 100 ? 100 : w->key_end - w->key), w->key);
    return false;
}

static bool bad_value(struct request *r, const struct scan_walk *w)
{
    problem_set(&r->problem, PROBLEM_INVALID_VALUE, "processes must be an integer from 1 to %d", PROCESSES_MAX);
    problem_at(&r->problem, w->value - r->body.data, "/processes");
    return false;
}

static bool parse_resize(struct request *r, unsigned *processes)
{
    struct scan_walk w;
    struct scan_error error = {0};
    long long value;
    char *at = r->body.data, *end = at + r->body.length;
    if (!at || !scan_is_value(at, end, &error)) {
        problem_set(&r->problem, PROBLEM_INVALID_JSON, "%s", at ? error.reason : "the body is empty");
        problem_at(&r->problem, at ? error.at - at : 0, NULL);
        return false;
    }
    at = (char *)scan_space(at, end);
    *processes = 0;
    if (*at != '{')
        return problem_set(&r->problem, PROBLEM_INVALID_VALUE, "expected an object with \"processes\"");
    for (scan_enter(&w, at, end, false); scan_next(&w);) {
        if (w.key_end - w.key != 9 || memcmp(w.key, "processes", 9) != 0)
            return bad_field(r, &w);
        if (*processes) {
            problem_set(&r->problem, PROBLEM_INVALID_VALUE, "the field comes twice");
            problem_at(&r->problem, w.key - 1 - r->body.data, "/processes");
            return false;
        }
        if (scan_integer(w.value, w.value_end, &value) || value < 1 || value > PROCESSES_MAX)
            return bad_value(r, &w);
        *processes = (unsigned)value;
    }
    return *processes || problem_set(&r->problem, PROBLEM_MISSING_FIELD, "\"processes\" is missing");
}

void patch_pool(struct request *r)
{
    unsigned processes;
    if (!parse_resize(r, &processes)) {
        request_answer_problem(r);
        return;
    }
    request_question(r, ASK_RESIZE)->resize.processes = processes;
    request_ask(r, resized);
}
