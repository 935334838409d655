/* GET /metrics: Prometheus' text format. */
#include "base/config.h"
#include "base/job.h"
#include "base/self.h"
#include "http/access.h"
#include "http/exposition.h"
#include "http/handlers.h"

static void write_jobs(struct buf *b, const struct engine_pool *p)
{
    const struct engine_counters *c = &p->counters;
    exposition_one(b, "poold_jobs_accepted_total", "counter", "Jobs taken.", (double)c->jobs_accepted);
    exposition_family(b, "poold_jobs_ended_total", "counter", "Jobs ended, by state.");
    for (int s = JOB_SUCCEEDED; s <= JOB_CANCELLED; s++)
        exposition_sample(b, "poold_jobs_ended_total", "state", job_state_name((enum job_state)s), c->jobs_ended[s]);
    exposition_family(b, "poold_items_ended_total", "counter", "Items ended, by state.");
    exposition_sample(b, "poold_items_ended_total", "state", "succeeded", c->items_succeeded);
    exposition_sample(b, "poold_items_ended_total", "state", "failed", c->items_failed);
    exposition_sample(b, "poold_items_ended_total", "state", "cancelled", c->items_cancelled);
    exposition_family(b, "poold_attempts_failed_total", "counter", "Attempts that did not succeed, by type.");
    for (int f = FAILURE_ERROR; f < FAILURES; f++)
        exposition_sample(b, "poold_attempts_failed_total", "type", failure_name((enum failure)f),
                          c->attempts_failed[f]);
    exposition_one(b, "poold_jobs_live", "gauge", "Jobs that have not ended.", p->jobs_live);
    exposition_one(b, "poold_items_queued", "gauge", "Items that wait to run.", (double)p->items_queued);
}

static void write_functions(struct buf *b, const struct request *r, const struct engine_pool *p)
{
    static const char name[] = "poold_function_items_total";
    static const char busy[] = "poold_function_run_seconds_total";
    exposition_family(b, name, "counter", "Items ended, by function and outcome.");
    for (unsigned i = 0; i < p->function_count; i++) {
        const struct engine_function *f = &p->function_counters[i];
        if (!access_sees(r, f->name))
            continue;
        exposition_sample_of_two(b, name, "function", f->name, "outcome", "succeeded", f->items.succeeded);
        exposition_sample_of_two(b, name, "function", f->name, "outcome", "failed", f->items.failed);
        exposition_sample_of_two(b, name, "function", f->name, "outcome", "cancelled", f->items.cancelled);
    }
    exposition_family(b, busy, "counter",
                      "Time that workers were busy with items of a function; without those whose worker died.");
    for (unsigned i = 0; i < p->function_count; i++) {
        const struct engine_function *f = &p->function_counters[i];
        if (access_sees(r, f->name))
            exposition_seconds(b, busy, "function", f->name, f->items.run_ns);
    }
}

static void write_times(struct buf *b, const struct engine_counters *c)
{
    exposition_family(b, "poold_item_run_seconds", "histogram",
                      "Time that attempts of items ran in their worker. Items run in slices: each counts with the "
                      "mean of its slice. Those whose worker died are not in it.");
    exposition_histogram(b, "poold_item_run_seconds", NULL, NULL, &c->item_run);
    exposition_family(b, "poold_job_submit_to_result_seconds", "histogram",
                      "Time from a job's acceptance until its last result was committed, by kind of job. Of kind "
                      "apply it is the latency of one call.");
    for (int kind = JOB_MAP; kind < JOB_KINDS; kind++)
        exposition_histogram(b, "poold_job_submit_to_result_seconds", "kind", job_kind_name((enum job_kind)kind),
                             &c->jobs_took[kind]);
}

/* What an operator has to look at, each 0 or 1. */
static void write_states(struct buf *b, const struct engine_pool *p)
{
    exposition_one(b, "poold_draining", "gauge", "1: the service is shutting down.", p->draining);
    exposition_one(b, "poold_pool_stuck", "gauge",
                   "1: all workers wait for shared objects while items are ready; /v1/pool says more.", *p->stuck != 0);
    exposition_one(b, "poold_functions_refused", "gauge",
                   "1: the manifests as they were last read are wrong, those before them are in force.",
                   *p->functions_problem != 0);
    exposition_one(b, "poold_store_full", "gauge", "1: nothing is accepted, the disk has less than --min-free.",
                   p->storage_full);
    exposition_one(b, "poold_store_failed", "gauge", "1: nothing is accepted since the storage failed.",
                   p->storage_failed);
}

static void write_workers(struct buf *b, const struct engine_pool *p)
{
    const struct engine_counters *c = &p->counters;
    exposition_one(b, "poold_pool_processes", "gauge", "Size of the pool as asked for.", p->processes);
    exposition_family(b, "poold_workers", "gauge", "Workers, by state.");
    exposition_sample(b, "poold_workers", "state", "ready", p->ready);
    exposition_sample(b, "poold_workers", "state", "running", p->running);
    exposition_sample(b, "poold_workers", "state", "starting", p->starting);
    exposition_one(b, "poold_workers_waiting", "gauge",
                   "Workers, of those running, whose item waits for a shared object.", p->waiting);
    exposition_family(b, "poold_worker_restarts_total", "counter", "Workers replaced, by why the one before ended.");
    for (int cause = 0; cause < RESTART_CAUSES; cause++)
        exposition_sample(b, "poold_worker_restarts_total", "cause", restart_cause_name((enum restart_cause)cause),
                          c->worker_restarts[cause]);
    exposition_one(b, "poold_slices_total", "counter", "Slices dispatched.", (double)c->slices);
    exposition_one(b, "poold_steals_total", "counter", "Slices taken over from a busy worker.", (double)c->steals);
    exposition_one(b, "poold_stale_frames_total", "counter", "Frames of dead generations dropped.",
                   (double)c->stale_frames);
    exposition_one(b, "poold_stale_results_total", "counter", "Late results dropped.", (double)c->stale_results);
}

static void write_objects(struct buf *b, const struct object_counters *c)
{
    exposition_family(b, "poold_objects", "gauge", "Shared objects, by kind.");
    for (int kind = 1; kind < OBJECT_KINDS; kind++)
        exposition_sample(b, "poold_objects", "kind", object_kind_name((enum object_kind)kind), c->objects[kind]);
    exposition_one(b, "poold_object_calls_total", "counter", "Operations on shared objects.", (double)c->calls);
    exposition_one(b, "poold_object_calls_waiting", "gauge",
                   "Operations that wait: for an element, for room, for a lock.", (double)c->waiting);
    exposition_one(b, "poold_object_bytes", "gauge", "Memory of shared objects.", (double)c->bytes);
}

static void write_store(struct buf *b, const struct store_stats *s)
{
    exposition_one(b, "poold_store_commits_total", "counter", "Transactions committed, one sync each.",
                   (double)s->commits);
    exposition_one(b, "poold_store_checkpoints_total", "counter", "Checkpoints.", (double)s->checkpoints);
    exposition_family(b, "poold_store_commit_seconds", "histogram",
                      "Time that transactions took until they were synced, also those that failed.");
    exposition_histogram(b, "poold_store_commit_seconds", NULL, NULL, &s->commit);
    exposition_one(b, "poold_store_wal_bytes", "gauge", "Size of the write-ahead log.", (double)s->wal_bytes);
    exposition_one(b, "poold_store_database_bytes", "gauge", "Size of the database, without the write-ahead log.",
                   (double)s->database_bytes);
    exposition_one(b, "poold_store_free_bytes", "gauge", "Free space of the file system.", (double)s->free_bytes);
}

static void write_http(struct buf *b, struct http *http)
{
    exposition_one(b, "poold_http_connections", "gauge", "Open connections.", http->connection_count);
    exposition_one(b, "poold_http_streams", "gauge", "Streams of results that are open.", http->streams);
    exposition_one(b, "poold_http_waiting", "gauge", "Streams and waiting requests, of --max-streams.", http->waiting);
    exposition_one(b, "poold_http_connections_accepted_total", "counter", "Connections accepted.",
                   (double)http->connections_accepted);
    exposition_one(b, "poold_http_connections_refused_total", "counter", "Connections refused at the cap.",
                   (double)http->connections_refused);
    exposition_one(b, "poold_tls_handshakes_failed_total", "counter", "Connections that did not come to speak TLS.",
                   (double)http->tls.failed);
    exposition_family(b, "poold_http_requests_total", "counter", "Requests answered, by method and status.");
    tally_write(b, "poold_http_requests_total", &http->answers);
    exposition_one(b, "poold_tls_certificate_expires_seconds", "gauge",
                   "When the certificate of --tls-cert expires, since 1970; 0 without.", (double)tls_expires(http));
}

/* The names that all of Prometheus' clients use. */
static void write_process(struct buf *b)
{
    struct self self;
    if (self_read(&self) != 0)
        return;
    exposition_one(b, "process_cpu_seconds_total", "counter", "Processor time of the server's process.",
                   self.cpu_seconds);
    exposition_one(b, "process_start_time_seconds", "gauge", "When the server's process started, since 1970.",
                   self.start_seconds);
    exposition_one(b, "process_resident_memory_bytes", "gauge", "Resident memory of the server's process.",
                   (double)self.resident_bytes);
    exposition_one(b, "process_virtual_memory_bytes", "gauge", "Address space of the server's process.",
                   (double)self.virtual_bytes);
    exposition_one(b, "process_open_fds", "gauge", "Open descriptors of the server's process.", (double)self.open_fds);
    if (self.max_fds)
        exposition_one(b, "process_max_fds", "gauge", "Most descriptors that it may open.", (double)self.max_fds);
}

static void show(struct request *r)
{
    struct buf document = BUF_EMPTY;
    if (r->ask.engine.status != ENGINE_OK) {
        request_fail_engine(r, r->ask.engine.status);
        return;
    }
    const struct engine_pool *pool = r->ask.engine.pool.pool;
    exposition_family(&document, "poold_build_info", "gauge", "1; which version this is.");
    exposition_sample(&document, "poold_build_info", "version", POOLD_VERSION, 1);
    write_jobs(&document, pool);
    write_functions(&document, r, pool);
    write_times(&document, &pool->counters);
    write_workers(&document, pool);
    write_states(&document, pool);
    write_objects(&document, &pool->objects);
    write_store(&document, &pool->store);
    write_http(&document, r->http);
    write_process(&document);
    request_answer(r, 200, "text/plain; version=0.0.4", &document);
}

void get_metrics(struct request *r)
{
    request_question(r, ASK_POOL);
    request_ask(r, show);
}
