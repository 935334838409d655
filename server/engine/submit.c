/* submit: new jobs, and more items for open ones.
 *
 * A submission is a transaction of its own: job, chunks, key. Nothing is dispatched before its commit – except an apply
 * that is waited for (`deferred`): its answer is what promises durability, so accept and result share one commit. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "engine/functions.h"

struct engine_chunk *engine_chunk_new(uint32_t count, struct blob *items)
{
    struct engine_chunk *chunk = calloc(1, sizeof *chunk);
    CHECK(chunk, "out of memory");
    chunk->count = count;
    chunk->items = items;
    return chunk;
}

void engine_chunk_free(struct engine_chunk **list)
{
    struct engine_chunk *chunk;
    while ((chunk = *list)) {
        *list = chunk->next;
        blob_unref(&chunk->items);
        blob_unref(&chunk->origins);
        free(chunk);
    }
}

/* ---- idempotency ---- */

static struct job *key_in_flight(struct core *core, const char *key)
{
    struct job *job;
    HASH_FIND(key_hh, core->keys, key, strlen(key), job);
    return job;
}

static void key_hold(struct core *core, struct job *job, const char *key, uint64_t fingerprint)
{
    job->key = strdup(key);
    CHECK(job->key, "out of memory");
    job->fingerprint = fingerprint;
    HASH_ADD_KEYPTR(key_hh, core->keys, job->key, strlen(job->key), job);
}

void key_release(struct core *core, struct job *job)
{
    if (!job->key)
        return;
    HASH_DELETE(key_hh, core->keys, job);
    free(job->key);
    job->key = NULL;
}

static void answer_replay(struct core *core, struct engine_request *request, bool same_body)
{
    struct job *job = job_find(core, request->seq, 0);
    request->submit.replayed = true;
    if (!same_body) {
        reply(request, ENGINE_OTHER_BODY);
    } else if (!job) {
        reply(request, ENGINE_NOT_LIVE);
    } else if (request->submit.wait && !job->ended) {
        follow(core, job, request);
    } else {
        job_view_of(core, job, &request->view);
        reply(request, ENGINE_OK);
    }
}

/* True when the request has been answered (or waits) because its key is known: it makes no new job, whatever else
 * stands in its way (draining, a full disk). */
static bool replay(struct core *core, struct engine_request *request)
{
    uint64_t fingerprint;
    if (request->submit.key[0] == '\0' || core->storage_failed)
        return false;
    bool busy = key_in_flight(core, request->submit.key) != NULL;
    if (!busy && store_read_key(core->reader, request->submit.key, &request->seq, &fingerprint) != STORE_OK)
        return false;
    engine_chunk_free(&request->submit.chunks);
    if (busy)
        reply(request, ENGINE_BUSY_KEY);
    else
        answer_replay(core, request, fingerprint == request->submit.fingerprint);
    return true;
}

/* ---- new jobs ---- */

/* What is still being found out, or is broken just now, is taken on trust: its items will tell. */
static bool function_known(const struct core *core, const char *name)
{
    const struct function *function = function_find(core, name);
    const struct definition *definition = definition_for(core, name);
    return (function && function_callable(function)) || (definition && definition->state != DEFINITION_READY);
}

/* The function's defaults, and its ceilings. */
static enum engine_status apply_rules(const struct core *core, struct engine_request *request)
{
    const struct function *function = function_find(core, request->submit.function);
    bool callable = function && function_callable(function);
    const struct definition *definition =
        callable ? function_definition(function) : definition_for(core, request->submit.function);
    struct error error;
    if (!definition ||
        manifest_apply(definition->manifest, request->submit.asked, &request->submit.options, &error) == 0)
        return ENGINE_OK;
    snprintf(request->submit.problem, sizeof request->submit.problem, "%.255s", error.text);
    return ENGINE_OVER_CEILING;
}

static enum engine_status refusal(const struct core *core, const struct engine_request *request)
{
    if (core->storage_failed || core->config->read_only)
        return ENGINE_STORE_FAILED;
    if (core->draining)
        return ENGINE_DRAINING;
    if (!core->builtins)
        return ENGINE_STARTING;
    if (!function_known(core, request->submit.function))
        return ENGINE_NO_FUNCTION;
    if (core->storage_full || core->space_low)
        return ENGINE_STORE_FULL;
    if (!client_may_submit(core, request->submit.origin.client, request->submit.client_jobs))
        return ENGINE_CLIENT_JOBS;
    return core->job_count >= JOBS_LIVE_MAX ? ENGINE_TOO_MANY : ENGINE_OK;
}

static void fill_job(struct core *core, struct job *job, const struct engine_request *request)
{
    struct job_view *view = &job->view;
    int64_t now = core->ports.now_ns(core->ports.context);
    view->created_ms = core->ports.wall_ms(core->ports.context);
    memcpy(view->function, request->submit.function, sizeof view->function);
    view->kind = request->submit.kind;
    view->options = request->submit.options;
    view->origin = request->submit.origin;
    view->retry_of = request->submit.retry_of;
    view->retry_of_created_ms = request->submit.retry_of_created_ms;
    view->uploading = request->submit.uploading;
    function_hold(core, job, true);
    client_hold(core, job);
    job->accepted_ns = now;
    if (view->options.delay_ms > 0) {
        job->not_before_ns = now + view->options.delay_ms * NS_PER_MS;
        job_time(core, job);
    }
    job_set_state(core, job, view->options.open || view->uploading ? JOB_OPEN : JOB_READY);
    if (request->submit.key[0])
        key_hold(core, job, request->submit.key, request->submit.fingerprint);
}

/* Moves the chunks into the job (and, with `write`, into the store), numbering their items from `first`. */
static void take_chunks(struct core *core, struct job *job, struct engine_chunk **list, struct store_write *write,
                        uint32_t first)
{
    for (struct engine_chunk *chunk = *list; chunk; chunk = chunk->next) {
        if (write) {
            struct store_op *op = store_write_add(write, STORE_CHUNK_PUT, job->view.seq);
            op->first = first;
            op->count = chunk->count;
            op->bytes = blob_ref(chunk->items);
            op->origins = blob_ref(chunk->origins);
            write->bytes += chunk->items->length;
        }
        chunks_add(core, job, first, chunk->count, blob_ref(chunk->items));
        first += chunk->count;
    }
    engine_chunk_free(list);
}

static int64_t count_items(const struct engine_chunk *chunk)
{
    int64_t items = 0;
    for (; chunk; chunk = chunk->next)
        items += chunk->count;
    return items;
}

static void job_discard(struct core *core, struct job *job)
{
    job->ended = true;
    job->ended_ns = 0;
    job_release(core, job);
}

static void link_retry(struct core *core, const struct job *job)
{
    struct job *first = job_find(core, job->view.retry_of, 0);
    if (first) {
        first->view.retried_by = job->view.seq;
        first->view.retried_by_created_ms = job->view.created_ms;
    }
}

static void submitted(struct core *core, struct store_write *write, void *context)
{
    struct engine_request *request = context;
    struct job *job = job_find(core, request->seq, 0);
    enum store_status status = write->status;
    write_finish(write);
    job->pins--;
    if (status != STORE_OK) {
        job_discard(core, job);
        reply(request, status == STORE_FULL ? ENGINE_STORE_FULL : ENGINE_STORE_FAILED);
        return;
    }
    job->accepted = job->stored = true;
    key_release(core, job);
    core->counters.jobs_accepted++;
    journal_accepted(job);
    link_retry(core, job);
    job_settle(core, job);
    if (request->submit.wait && !job->ended) {
        follow(core, job, request);
    } else {
        job_view_of(core, job, &request->view);
        reply(request, ENGINE_OK);
    }
}

static void submit_now(struct core *core, struct job *job, struct engine_request *request)
{
    struct store_write *write = write_for(core, submitted, request);
    struct store_op *op = store_write_add(write, STORE_JOB_PUT, job->view.seq);
    op->job = view_copy(&job->view);
    if (job->key) {
        op->key = strdup(job->key);
        CHECK(op->key, "out of memory");
        op->fingerprint = job->fingerprint;
    }
    if (job->view.retry_of) {
        op = store_write_add(write, STORE_JOB_LINK, job->view.retry_of);
        op->job = view_copy(&job->view);
        op->job->retried_by = job->view.seq;
        op->job->retried_by_created_ms = job->view.created_ms;
    }
    take_chunks(core, job, &request->submit.chunks, write, 0);
    job->pins++;
    write_submit(core, write);
}

void submit(struct core *core, struct engine_request *request)
{
    int64_t items = count_items(request->submit.chunks);
    if (replay(core, request))
        return;
    enum engine_status status = refusal(core, request);
    if (status == ENGINE_OK && items > JOB_ITEMS_MAX)
        status = ENGINE_TOO_MANY;
    if (status == ENGINE_OK)
        status = apply_rules(core, request);
    if (status != ENGINE_OK) {
        engine_chunk_free(&request->submit.chunks);
        reply(request, status);
        return;
    }
    struct job *job = job_new(core);
    request->seq = job->view.seq;
    fill_job(core, job, request);
    job->view.counts.total = items;
    ranges_add(&job->ready, 0, (uint32_t)items);
    bool defer = request->submit.wait && job->view.kind == JOB_APPLY && items == 1 && !job->not_before_ns &&
                 job->view.state == JOB_READY && !job->view.retry_of;
    if (!defer) {
        submit_now(core, job, request);
        return;
    }
    job->deferred = true;
    core->counters.jobs_accepted++;
    journal_accepted(job);
    take_chunks(core, job, &request->submit.chunks, NULL, 0);
    follow(core, job, request);
    job_time(core, job);
    job_settle(core, job);
}

/* ---- more items ---- */

/* Answers those whose items are stored; the one that also ends the upload goes on as a plain end. */
static void answer_appends(struct core *core, struct job *job, struct engine_request *list, enum engine_status status)
{
    while (list) {
        struct engine_request *request = list;
        list = request->waiting.next;
        if (status == ENGINE_OK && request->append.last) {
            request->waiting.next = job->appends;
            job->appends = request;
            continue;
        }
        job_view_of(core, job, &request->view);
        reply(request, status);
    }
}

struct append_batch {
    struct engine_request *requests;
    int64_t seq, total_before;
};

/* The part of an append that is not items: its end, or its abort. */
static void close_after(struct core *core, struct job *job, const struct engine_request *request)
{
    if (request->append.abort) {
        store_write_add(turn_current(core)->write, STORE_KEY_DROP, job->view.seq);
        job_stop(core, job, true, request->append.reason);
    } else if (request->append.last && request->append.uploading) {
        job->view.uploading = false;
        if (!job->view.options.open && job->view.state == JOB_OPEN)
            job_set_state(core, job, JOB_READY);
    } else if (request->append.last) {
        job->view.options.open = false;
        if (!job->view.uploading && job->view.state == JOB_OPEN)
            job_set_state(core, job, JOB_READY);
    }
    job_touch(core, job);
}

static void appended(struct core *core, struct store_write *write, void *context)
{
    struct append_batch *batch = context;
    struct job *job = job_find(core, batch->seq, 0);
    enum store_status status = write->status;
    int64_t total = write->first->job->counts.total;
    write_finish(write);
    job->pins--;
    job->appending = false;
    if (status == STORE_OK) {
        job->view.counts.total = total;
        ranges_add(&job->ready, (uint32_t)batch->total_before, (uint32_t)(total - batch->total_before));
        if (job->stopping) /* cancelled meanwhile: these too */
            job_stop(core, job, job->cancelled, job->view.reason);
    } else {
        chunks_free(core, job); /* texts of items that are not there; the others are loaded again */
    }
    answer_appends(core, job, batch->requests,
                   status == STORE_OK     ? ENGINE_OK
                   : status == STORE_FULL ? ENGINE_STORE_FULL
                                          : ENGINE_STORE_FAILED);
    free(batch);
    append_next(core, job);
    job_settle(core, job);
    job_release(core, job);
}

/* Requests with nothing to store (a close, an abort): answered when the turn that carries the change is committed. */
static void append_plain(struct core *core, struct job *job, struct engine_request *request)
{
    close_after(core, job, request);
    job_settle(core, job);
    request->status = ENGINE_OK;
    turn_effect(core, (struct effect){.type = EFFECT_REPLY, .job = job, .request = request});
}

static void append_items(struct core *core, struct job *job)
{
    struct append_batch *batch = calloc(1, sizeof *batch);
    CHECK(batch, "out of memory");
    struct store_write *write = write_for(core, appended, batch);
    struct store_op *row = store_write_add(write, STORE_JOB_GROW, job->view.seq);
    int64_t total = job->view.counts.total;
    struct engine_request **tail = &batch->requests;
    batch->seq = job->view.seq;
    batch->total_before = total;
    bool last = false;
    while (job->appends && job->appends->append.chunks && !job->appends->append.abort && !last) {
        struct engine_request *request = job->appends;
        last = request->append.last;
        job->appends = request->waiting.next;
        int64_t items = count_items(request->append.chunks);
        take_chunks(core, job, &request->append.chunks, write, (uint32_t)total);
        total += items;
        *tail = request;
        tail = &request->waiting.next;
        *tail = NULL;
    }
    row->job = view_copy(&job->view);
    row->job->counts.total = total;
    job->appending = true;
    job->pins++;
    write_submit(core, write);
}

/* An upload belongs to the job's own POST; other items need an open job; an abort ends either. */
static enum engine_status append_refusal(const struct core *core, const struct job *job,
                                         const struct engine_request *request)
{
    bool open = request->append.uploading ? job->view.uploading : job->view.options.open;
    if (core->closing)
        return ENGINE_SHUTDOWN;
    if (core->storage_failed)
        return ENGINE_STORE_FAILED;
    if (core->draining && !request->append.uploading && request->append.chunks)
        return ENGINE_DRAINING; /* an upload that is on its way may still come to its end */
    return open && !job->stopping && !job->ending ? ENGINE_OK : ENGINE_NOT_OPEN;
}

/* Looks again at whether each may: one before it in the queue may have closed the job. */
void append_next(struct core *core, struct job *job)
{
    while (job->appends && !job->appending) {
        struct engine_request *request = job->appends;
        enum engine_status status = append_refusal(core, job, request);
        if (status != ENGINE_OK) {
            job->appends = request->waiting.next;
            engine_chunk_free(&request->append.chunks);
            job_view_of(core, job, &request->view);
            reply(request, status);
        } else if (!request->append.chunks || request->append.abort) {
            job->appends = request->waiting.next;
            engine_chunk_free(&request->append.chunks);
            append_plain(core, job, request);
        } else {
            append_items(core, job);
        }
    }
}

void append(struct core *core, struct engine_request *request)
{
    struct job *job = job_find_stored(core, request->seq, request->created_ms);
    enum engine_status status = job && !job->ended ? append_refusal(core, job, request) : ENGINE_NOT_LIVE;
    if (status == ENGINE_OK && core->storage_full && !request->append.abort)
        status = ENGINE_STORE_FULL;
    else if (status == ENGINE_OK && job->view.counts.total + count_items(request->append.chunks) > JOB_ITEMS_MAX)
        status = ENGINE_TOO_MANY;
    if (status != ENGINE_OK) {
        engine_chunk_free(&request->append.chunks);
        if (job)
            job_view_of(core, job, &request->view);
        reply(request, status);
        return;
    }
    struct engine_request **tail = &job->appends;
    while (*tail)
        tail = &(*tail)->waiting.next;
    request->waiting.next = NULL;
    *tail = request;
    append_next(core, job);
}
