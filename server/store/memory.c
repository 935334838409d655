/* memory: the twin's writes, loads and reaps. Nothing can fail half-way here, so a transaction that a test wants to
 * fail is simply not applied. */
#include "store/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct memory_job *memory_job_find(struct memory_store *store, int64_t seq)
{
    if (seq < 1 || seq > INT32_MAX)
        return NULL;
    size_t after = memory_list_after(&store->jobs, (uint32_t)seq);
    struct memory_job *job = after == 0 ? NULL : store->jobs.entries[after - 1].value;
    return job != NULL && job->view.seq == seq ? job : NULL;
}

struct memory_row *memory_row_holding(const struct memory_list *list, uint32_t n)
{
    size_t after = memory_list_after(list, n);
    if (after == 0)
        return NULL;
    struct memory_row *row = list->entries[after - 1].value;
    return n - list->entries[after - 1].key < row->count ? row : NULL;
}

static char *copy_text(const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);
    CHECK(text == NULL || copy != NULL, "out of memory for a key");
    return copy;
}

static void put_job(struct memory_store *store, const struct store_op *op)
{
    CHECK(memory_job_find(store, op->seq) == NULL, "job %lld is there already", (long long)op->seq);
    for (size_t i = 0; op->key != NULL && i < store->jobs.count; i++) {
        const struct memory_job *other = store->jobs.entries[i].value;
        CHECK(other->key == NULL || strcmp(other->key, op->key) != 0, "a key is there already");
    }
    struct memory_job *job = calloc(1, sizeof *job);
    CHECK(job != NULL, "out of memory for a job");
    job->view = *op->job;
    job->view.seq = op->seq;
    job->view.counts.ready = job->view.counts.running = job->view.counts.waiting = 0;
    job->key = copy_text(op->key);
    job->fingerprint = op->fingerprint;
    memory_list_insert(&store->jobs, (uint32_t)op->seq, job);
    if (op->seq > store->last_seq)
        store->last_seq = op->seq;
}

static void update_job(struct memory_job *job, const struct job_view *new)
{
    struct job_view *view = &job->view;
    view->state = new->state;
    memcpy(view->reason, new->reason, sizeof view->reason);
    view->counts.succeeded = new->counts.succeeded;
    view->counts.failed = new->counts.failed;
    view->counts.cancelled = new->counts.cancelled;
    view->positions = new->positions;
    view->started_ms = new->started_ms;
    view->ended_ms = new->ended_ms;
    view->expires_ms = new->expires_ms;
    view->uploading = new->uploading;
    view->options.open = new->options.open;
}

static void drop_key(struct memory_job *job)
{
    free(job->key);
    job->key = NULL;
}

static void change_job(struct memory_job *job, const struct store_op *op)
{
    switch (op->type) {
    case STORE_JOB_UPDATE:
        if (!job->deleted)
            update_job(job, op->job);
        break;
    case STORE_JOB_GROW:
        job->view.counts.total = op->job->counts.total;
        break;
    case STORE_JOB_LINK:
        job->view.retried_by = op->job->retried_by;
        job->view.retried_by_created_ms = op->job->retried_by_created_ms;
        break;
    case STORE_JOB_DELETE:
        job->deleted = true;
        job->view.expires_ms = 1;
        break;
    default:
        drop_key(job);
    }
}

static void *new_value(const void *value, size_t size)
{
    void *copy = malloc(size);
    CHECK(copy != NULL, "out of memory for a row");
    return memcpy(copy, value, size);
}

static void put_row(struct memory_job *job, const struct store_op *op)
{
    struct memory_row row = {op->position, op->first,           op->count,
                             op->failed,   blob_ref(op->bytes), blob_ref(op->origins)};
    struct memory_row *copy = new_value(&row, sizeof row);
    if (op->type == STORE_CHUNK_PUT) {
        CHECK(memory_row_holding(&job->chunks, op->first) == NULL, "item %u is there already", op->first);
        memory_list_insert(&job->chunks, op->first, copy);
        return;
    }
    CHECK(memory_row_holding(&job->results, op->position) == NULL, "position %u is there already", op->position);
    CHECK(memory_row_holding(&job->places, op->first) == NULL, "item %u has a result already", op->first);
    memory_list_insert(&job->results, op->position, copy);
    memory_list_insert(&job->places, op->first, copy);
}

static void put_output(struct memory_job *job, const struct store_op *op)
{
    struct memory_output output = {op->first, op->attempt->number, op->stream, blob_ref(op->bytes)};
    memory_list_insert(&job->outputs, ++job->serial, new_value(&output, sizeof output));
}

static void execute(struct memory_store *store, const struct store_op *op)
{
    if (op->type == STORE_JOB_PUT) {
        put_job(store, op);
        return;
    }
    if (op->type >= STORE_OBJECT_PUT) {
        memory_object_execute(store, op);
        return;
    }
    struct memory_job *job = memory_job_find(store, op->seq);
    if (op->type == STORE_CHUNK_PUT || op->type == STORE_RESULT_PUT || op->type == STORE_ATTEMPT_PUT ||
        op->type == STORE_OUTPUT_PUT)
        CHECK(job != NULL, "a row of job %lld, which is not there", (long long)op->seq);
    if (op->type == STORE_CHUNK_PUT || op->type == STORE_RESULT_PUT)
        put_row(job, op);
    else if (op->type == STORE_ATTEMPT_PUT)
        memory_list_insert(&job->attempts, op->first, new_value(op->attempt, sizeof *op->attempt));
    else if (op->type == STORE_OUTPUT_PUT)
        put_output(job, op);
    else if (job != NULL)
        change_job(job, op);
}

static enum store_status apply(struct store_backend *backend, const struct store_write *writes,
                               enum store_status forced)
{
    struct memory_store *store = (struct memory_store *)backend;
    if (forced == STORE_FULL)
        return forced;
    pthread_mutex_lock(&store->mutex);
    for (const struct mail *mail = &writes->mail; mail != NULL; mail = mail->next) {
        for (const struct store_op *op = ((const struct store_write *)mail)->first; op != NULL; op = op->next)
            execute(store, op);
    }
    pthread_mutex_unlock(&store->mutex);
    return forced;
}

static void load(struct store_backend *backend, struct store_load *load)
{
    struct memory_store *store = (struct memory_store *)backend;
    pthread_mutex_lock(&store->mutex);
    struct memory_job *job = memory_job_find(store, load->seq);
    struct memory_row *row = job == NULL ? NULL : memory_row_holding(&job->chunks, load->index);
    load->status = row == NULL ? STORE_NOT_FOUND : STORE_OK;
    load->items = row == NULL ? NULL : blob_ref(row->bytes);
    if (row != NULL) {
        load->first = row->first;
        load->count = row->count;
    }
    pthread_mutex_unlock(&store->mutex);
}

static void free_row(struct memory_row *row)
{
    blob_unref(&row->bytes);
    blob_unref(&row->origins);
    free(row);
}

/* Removes one row of a job; false when there is none left. */
static bool remove_row(struct memory_job *job)
{
    if (job->chunks.count > 0) {
        free_row(memory_list_remove(&job->chunks, job->chunks.count - 1));
    } else if (job->results.count > 0) {
        struct memory_row *row = memory_list_remove(&job->results, job->results.count - 1);
        memory_list_remove(&job->places, memory_list_after(&job->places, row->first) - 1);
        free_row(row);
    } else if (job->attempts.count > 0) {
        free(memory_list_remove(&job->attempts, job->attempts.count - 1));
    } else if (job->outputs.count > 0) {
        struct memory_output *output = memory_list_remove(&job->outputs, job->outputs.count - 1);
        blob_unref(&output->bytes);
        free(output);
    } else {
        return false;
    }
    return true;
}

static void remove_job(struct memory_store *store, size_t index)
{
    struct memory_job *job = memory_list_remove(&store->jobs, index);
    free(job->key);
    free(job);
}

static bool find_expired(struct memory_store *store, int64_t now_ms, size_t *index)
{
    for (*index = 0; *index < store->jobs.count; (*index)++) {
        const struct memory_job *job = store->jobs.entries[*index].value;
        if (store_expired(job->view.expires_ms, now_ms < 1 ? 1 : now_ms))
            return true;
    }
    return false;
}

static void reap(struct store_backend *backend, struct store_reap *reap, enum store_status forced)
{
    struct memory_store *store = (struct memory_store *)backend;
    reap->status = forced;
    if (forced == STORE_FULL)
        return;
    pthread_mutex_lock(&store->mutex);
    unsigned left = reap->rows;
    size_t index;
    while (!reap->more && find_expired(store, reap->now_ms, &index)) {
        while (left > 0 && remove_row(store->jobs.entries[index].value))
            left--;
        reap->more = left == 0;
        if (left > 0) {
            remove_job(store, index);
            reap->jobs_removed++;
            left--;
        }
    }
    left = reap->rows * STORE_ENTRIES_PER_ROW;
    if (!reap->more)
        memory_objects_reap(store, &left);
    reap->entries = left == 0;
    reap->more |= reap->entries;
    pthread_mutex_unlock(&store->mutex);
}

static enum store_status tend(struct store_backend *backend, bool idle, bool *again)
{
    (void)backend, (void)idle, (void)again;
    return STORE_OK;
}

static void stats(struct store_backend *backend, struct store_stats *stats)
{
    (void)backend, (void)stats;
}

static void close_store(struct store_backend *backend)
{
    struct memory_store *store = (struct memory_store *)backend;
    while (store->jobs.count > 0) {
        while (remove_row(store->jobs.entries[store->jobs.count - 1].value))
            ;
        remove_job(store, store->jobs.count - 1);
    }
    memory_objects_free(store);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

static const struct store_backend_calls calls = {
    .apply = apply,
    .load = load,
    .reap = reap,
    .tend = tend,
    .stats = stats,
    .reader_open = memory_reader_open,
    .close = close_store,
};

struct store *store_open_memory(void)
{
    struct memory_store *store = calloc(1, sizeof *store);
    CHECK(store != NULL, "out of memory for the store");
    store->backend.calls = &calls;
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&store->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return store_new(&store->backend, NULL);
}
