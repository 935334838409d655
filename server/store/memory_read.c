/* memory_read: the twin's readers. Each question holds the mutex from its beginning to its end. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "store/memory.h"

struct memory_reader {
    struct store_reader reader;
    struct memory_store *store;
};

static struct memory_store *enter(struct store_reader *reader)
{
    struct memory_store *store = ((struct memory_reader *)reader)->store;
    pthread_mutex_lock(&store->mutex);
    return store;
}

static enum store_status leave(struct memory_store *store, enum store_status status)
{
    pthread_mutex_unlock(&store->mutex);
    return status;
}

static void close_reader(struct store_reader *reader)
{
    free(reader);
}

static void copy_view(const struct memory_job *job, struct job_view *view)
{
    *view = job->view;
    store_count_ready(view);
}

static bool visible(const struct memory_job *job, int64_t now_ms)
{
    return !job->deleted && !store_expired(job->view.expires_ms, now_ms);
}

static enum store_status read_job(struct store_reader *reader, int64_t seq, int64_t created_ms, int64_t now_ms,
                                  struct job_view *view)
{
    struct memory_store *store = enter(reader);
    const struct memory_job *job = memory_job_find(store, seq);
    if (job == NULL)
        return leave(store, seq <= store->last_seq ? STORE_GONE : STORE_NOT_FOUND);
    if (created_ms != 0 && created_ms != job->view.created_ms)
        return leave(store, STORE_NOT_FOUND);
    copy_view(job, view);
    return leave(store, visible(job, now_ms) ? STORE_OK : STORE_GONE);
}

static bool asked_for(const struct memory_job *job, const struct store_jobs_query *query)
{
    return visible(job, query->now_ms) && (query->before == 0 || job->view.seq < query->before) &&
           (!query->by_state || job->view.state == query->state) &&
           (query->function == NULL || strcmp(job->view.function, query->function) == 0);
}

static enum store_status read_jobs(struct store_reader *reader, const struct store_jobs_query *query,
                                   struct job_view *views, unsigned *count)
{
    struct memory_store *store = enter(reader);
    *count = 0;
    for (size_t i = store->jobs.count; i-- > 0 && *count < query->limit;) {
        const struct memory_job *job = store->jobs.entries[i].value;
        if (asked_for(job, query))
            copy_view(job, &views[(*count)++]);
    }
    return leave(store, STORE_OK);
}

static struct store_batch batch_of(const struct memory_row *row)
{
    return (struct store_batch){row->position, row->first, row->count, row->failed, NULL};
}

static enum store_status read_results(struct store_reader *reader, int64_t seq, bool input_order, uint32_t from,
                                      size_t bytes, struct store_batch *batches, unsigned capacity, unsigned *count)
{
    struct memory_store *store = enter(reader);
    const struct memory_job *job = memory_job_find(store, seq);
    size_t taken = 0;
    *count = 0;
    while (job != NULL && *count < capacity && (*count == 0 || taken < bytes)) {
        const struct memory_row *row = memory_row_holding(input_order ? &job->places : &job->results, from);
        if (row == NULL)
            break;
        struct store_batch *batch = &batches[(*count)++];
        *batch = batch_of(row);
        batch->lines = blob_ref(row->bytes);
        taken += row->bytes == NULL ? 0 : row->bytes->length;
        from = (input_order ? row->first : row->position) + row->count;
    }
    return leave(store, STORE_OK);
}

static enum store_status read_chunk(struct store_reader *reader, int64_t seq, uint32_t index, uint32_t *first,
                                    uint32_t *count, struct blob **items, struct blob **origins)
{
    struct memory_store *store = enter(reader);
    const struct memory_job *job = memory_job_find(store, seq);
    const struct memory_row *row = job == NULL ? NULL : memory_row_holding(&job->chunks, index);
    *items = *origins = NULL;
    if (row == NULL)
        return leave(store, STORE_NOT_FOUND);
    *first = row->first;
    *count = row->count;
    *items = blob_ref(row->bytes);
    *origins = blob_ref(row->origins);
    return leave(store, STORE_OK);
}

static enum store_status read_attempts(struct store_reader *reader, int64_t seq, uint32_t index,
                                       void (*each)(void *, const struct store_attempt *), void *context)
{
    struct memory_store *store = enter(reader);
    const struct memory_job *job = memory_job_find(store, seq);
    for (size_t i = 0; job != NULL && i < job->attempts.count; i++) {
        if (job->attempts.entries[i].key == index)
            each(context, job->attempts.entries[i].value);
    }
    return leave(store, STORE_OK);
}

static enum store_status read_job_attempts(struct store_reader *reader, int64_t seq,
                                           void (*each)(void *, uint32_t, const struct store_attempt *), void *context)
{
    struct memory_store *store = enter(reader);
    const struct memory_job *job = memory_job_find(store, seq);
    for (size_t i = 0; job != NULL && i < job->attempts.count; i++)
        each(context, job->attempts.entries[i].key, job->attempts.entries[i].value);
    return leave(store, STORE_OK);
}

static enum store_status read_output(struct store_reader *reader, int64_t seq, int64_t index, int64_t after,
                                     unsigned limit, void (*each)(void *, const struct store_output *), void *context)
{
    struct memory_store *store = enter(reader);
    const struct memory_job *job = memory_job_find(store, seq);
    for (size_t i = 0; job != NULL && i < job->outputs.count && limit > 0; i++) {
        const struct memory_output *stored = job->outputs.entries[i].value;
        if (job->outputs.entries[i].key <= after || (index >= 0 && stored->index != index))
            continue;
        struct store_output output = {
            job->outputs.entries[i].key, stored->index,        stored->attempt, stored->stream,
            stored->bytes->data,         stored->bytes->length};
        each(context, &output);
        limit--;
    }
    return leave(store, STORE_OK);
}

static enum store_status read_key(struct store_reader *reader, const char *key, int64_t *seq, uint64_t *fingerprint)
{
    struct memory_store *store = enter(reader);
    for (size_t i = 0; i < store->jobs.count; i++) {
        const struct memory_job *job = store->jobs.entries[i].value;
        if (job->key != NULL && strcmp(job->key, key) == 0) {
            *seq = job->view.seq;
            *fingerprint = job->fingerprint;
            return leave(store, STORE_OK);
        }
    }
    return leave(store, STORE_NOT_FOUND);
}

static enum store_status read_last_seq(struct store_reader *reader, int64_t *seq)
{
    struct memory_store *store = enter(reader);
    *seq = store->last_seq;
    return leave(store, STORE_OK);
}

static enum store_status read_unfinished(struct store_reader *reader, void (*each)(void *, const struct job_view *),
                                         void *context)
{
    struct memory_store *store = enter(reader);
    struct job_view view;
    for (size_t i = 0; i < store->jobs.count; i++) {
        const struct memory_job *job = store->jobs.entries[i].value;
        copy_view(job, &view);
        if (!job->deleted && !job_state_ended(view.state))
            each(context, &view);
    }
    return leave(store, STORE_OK);
}

static enum store_status read_done(struct store_reader *reader, int64_t seq,
                                   void (*each)(void *, const struct store_batch *), void *context)
{
    struct memory_store *store = enter(reader);
    const struct memory_job *job = memory_job_find(store, seq);
    for (size_t i = 0; job != NULL && i < job->places.count; i++) {
        struct store_batch batch = batch_of(job->places.entries[i].value);
        each(context, &batch);
    }
    return leave(store, STORE_OK);
}

static enum store_status read_objects(struct store_reader *reader,
                                      bool (*each)(void *, int64_t, uint32_t, const char *, const char *, size_t),
                                      void *context)
{
    struct memory_store *store = enter(reader);
    return leave(store, memory_read_objects(store, each, context));
}

static enum store_status read_entries(struct store_reader *reader, int64_t id,
                                      bool (*each)(void *, const char *, size_t, const char *, size_t), void *context)
{
    struct memory_store *store = enter(reader);
    return leave(store, memory_read_entries(store, id, each, context));
}

static const struct store_reader_calls calls = {
    .close = close_reader,
    .job = read_job,
    .jobs = read_jobs,
    .results = read_results,
    .chunk = read_chunk,
    .attempts = read_attempts,
    .output = read_output,
    .key = read_key,
    .last_seq = read_last_seq,
    .unfinished = read_unfinished,
    .done = read_done,
    .job_attempts = read_job_attempts,
    .objects = read_objects,
    .entries = read_entries,
};

struct store_reader *memory_reader_open(struct store_backend *backend, struct error *error)
{
    (void)error;
    struct memory_reader *reader = calloc(1, sizeof *reader);
    CHECK(reader != NULL, "out of memory for a reader");
    reader->reader.calls = &calls;
    reader->store = (struct memory_store *)backend;
    return &reader->reader;
}
