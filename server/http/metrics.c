/* GET /metrics: Prometheus' text format. */
#include <inttypes.h>

#include "base/job.h"
#include "http/handlers.h"

static void metric(struct buf *b, const char *name, const char *type, const char *help, double value)
{
    buf_printf(b, "# HELP poold_%s %s\n# TYPE poold_%s %s\npoold_%s %.15g\n", name, help, name, type, name, value);
}

static void family(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP poold_%s %s\n# TYPE poold_%s %s\n", name, help, name, type);
}

static void labelled(struct buf *b, const char *name, const char *label, const char *value, uint64_t number)
{
    buf_printf(b, "poold_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, number);
}

static void write_jobs(struct buf *b, const struct engine_pool *p)
{
    const struct engine_counters *c = &p->counters;
    metric(b, "jobs_accepted_total", "counter", "Jobs taken.", (double)c->jobs_accepted);
    family(b, "jobs_ended_total", "counter", "Jobs ended, by state.");
    for (int s = JOB_SUCCEEDED; s <= JOB_CANCELLED; s++)
        labelled(b, "jobs_ended_total", "state", job_state_name((enum job_state)s), c->jobs_ended[s]);
    family(b, "items_ended_total", "counter", "Items ended, by state.");
    labelled(b, "items_ended_total", "state", "succeeded", c->items_succeeded);
    labelled(b, "items_ended_total", "state", "failed", c->items_failed);
    labelled(b, "items_ended_total", "state", "cancelled", c->items_cancelled);
    family(b, "attempts_failed_total", "counter", "Attempts that did not succeed, by type.");
    for (int f = FAILURE_ERROR; f < FAILURES; f++)
        labelled(b, "attempts_failed_total", "type", failure_name((enum failure)f), c->attempts_failed[f]);
    metric(b, "jobs_live", "gauge", "Jobs that have not ended.", p->jobs_live);
    metric(b, "items_queued", "gauge", "Items that wait to run.", (double)p->items_queued);
}

static void write_workers(struct buf *b, const struct engine_pool *p)
{
    const struct engine_counters *c = &p->counters;
    metric(b, "pool_processes", "gauge", "Size of the pool as asked for.", p->processes);
    family(b, "workers", "gauge", "Workers, by state.");
    labelled(b, "workers", "state", "ready", p->ready);
    labelled(b, "workers", "state", "running", p->running);
    labelled(b, "workers", "state", "starting", p->starting);
    metric(b, "workers_waiting", "gauge", "Workers, of those running, whose item waits for a shared object.",
           p->waiting);
    metric(b, "worker_restarts_total", "counter", "Workers replaced.", (double)c->worker_restarts);
    metric(b, "slices_total", "counter", "Slices dispatched.", (double)c->slices);
    metric(b, "steals_total", "counter", "Slices taken over from a busy worker.", (double)c->steals);
    metric(b, "stale_frames_total", "counter", "Frames of dead generations dropped.", (double)c->stale_frames);
    metric(b, "stale_results_total", "counter", "Late results dropped.", (double)c->stale_results);
}

static void write_objects(struct buf *b, const struct object_counters *c)
{
    family(b, "objects", "gauge", "Shared objects, by kind.");
    for (int kind = 1; kind < OBJECT_KINDS; kind++)
        labelled(b, "objects", "kind", object_kind_name((enum object_kind)kind), c->objects[kind]);
    metric(b, "object_calls_total", "counter", "Operations on shared objects.", (double)c->calls);
    metric(b, "object_calls_waiting", "gauge", "Operations that wait: for an element, for room, for a lock.",
           (double)c->waiting);
    metric(b, "object_bytes", "gauge", "Memory of shared objects.", (double)c->bytes);
}

static void write_store(struct buf *b, const struct store_stats *s)
{
    metric(b, "store_commits_total", "counter", "Transactions committed, one sync each.", (double)s->commits);
    metric(b, "store_checkpoints_total", "counter", "Checkpoints.", (double)s->checkpoints);
    metric(b, "store_commit_seconds_total", "counter", "Time spent committing.", (double)s->commit_ns / 1e9);
    metric(b, "store_wal_bytes", "gauge", "Size of the write-ahead log.", (double)s->wal_bytes);
    metric(b, "store_free_bytes", "gauge", "Free space of the file system.", (double)s->free_bytes);
}

static void write_http(struct buf *b, const struct http *http)
{
    static const char *const classes[] = {"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"};
    metric(b, "http_connections", "gauge", "Open connections.", http->connection_count);
    metric(b, "http_waiting", "gauge", "Streams and waiting requests.", http->waiting);
    metric(b, "http_connections_refused_total", "counter", "Connections refused at the cap.",
           (double)http->connections_refused);
    family(b, "http_answers_total", "counter", "Answers, by class of status.");
    for (int i = 2; i < 6; i++)
        labelled(b, "http_answers_total", "class", classes[i], http->answers[i]);
}

static void show(struct request *r)
{
    struct buf document = BUF_EMPTY;
    if (r->ask.engine.status != ENGINE_OK) {
        request_fail_engine(r, r->ask.engine.status);
        return;
    }
    write_jobs(&document, r->ask.engine.pool.pool);
    write_workers(&document, r->ask.engine.pool.pool);
    write_objects(&document, &r->ask.engine.pool.pool->objects);
    write_store(&document, &r->ask.engine.pool.pool->store);
    write_http(&document, r->http);
    request_answer(r, 200, "text/plain; version=0.0.4", &document);
}

void get_metrics(struct request *r)
{
    request_question(r, ASK_POOL);
    request_ask(r, show);
}
