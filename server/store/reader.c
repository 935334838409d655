/* reader: hands each question to the backend of the reader it is asked of. */
#include "store/store_backend.h"

void store_reader_close(struct store_reader **reader)
{
    if (reader == NULL || *reader == NULL)
        return;
    (*reader)->calls->close(*reader);
    *reader = NULL;
}

enum store_status store_read_job(struct store_reader *reader, int64_t seq, int64_t created_ms, int64_t now_ms,
                                 struct job_view *view)
{
    return reader->calls->job(reader, seq, created_ms, now_ms, view);
}

enum store_status store_read_jobs(struct store_reader *reader, const struct store_jobs_query *query,
                                  struct job_view *views, unsigned *count)
{
    return reader->calls->jobs(reader, query, views, count);
}

enum store_status store_read_results(struct store_reader *reader, int64_t seq, bool input_order, uint32_t from,
                                     size_t bytes, struct store_batch *batches, unsigned capacity, unsigned *count)
{
    return reader->calls->results(reader, seq, input_order, from, bytes, batches, capacity, count);
}

enum store_status store_read_chunk(struct store_reader *reader, int64_t seq, uint32_t index, uint32_t *first,
                                   uint32_t *count, struct blob **items, struct blob **origins)
{
    return reader->calls->chunk(reader, seq, index, first, count, items, origins);
}

enum store_status store_read_attempts(struct store_reader *reader, int64_t seq, uint32_t index,
                                      void (*each)(void *context, const struct store_attempt *), void *context)
{
    return reader->calls->attempts(reader, seq, index, each, context);
}

enum store_status store_read_output(struct store_reader *reader, int64_t seq, int64_t index, int64_t after,
                                    unsigned limit, void (*each)(void *context, const struct store_output *),
                                    void *context)
{
    return reader->calls->output(reader, seq, index, after, limit, each, context);
}

enum store_status store_read_key(struct store_reader *reader, const char *key, int64_t *seq, uint64_t *fingerprint)
{
    return reader->calls->key(reader, key, seq, fingerprint);
}

enum store_status store_read_last_seq(struct store_reader *reader, int64_t *seq)
{
    return reader->calls->last_seq(reader, seq);
}

enum store_status store_read_unfinished(struct store_reader *reader,
                                        void (*each)(void *context, const struct job_view *), void *context)
{
    return reader->calls->unfinished(reader, each, context);
}

enum store_status store_read_done(struct store_reader *reader, int64_t seq,
                                  void (*each)(void *context, const struct store_batch *), void *context)
{
    return reader->calls->done(reader, seq, each, context);
}

enum store_status store_read_job_attempts(struct store_reader *reader, int64_t seq,
                                          void (*each)(void *context, uint32_t index, const struct store_attempt *),
                                          void *context)
{
    return reader->calls->job_attempts(reader, seq, each, context);
}

enum store_status store_read_objects(struct store_reader *reader,
                                     bool (*each)(void *context, int64_t id, uint32_t kind, const char *name,
                                                  const char *config, size_t length),
                                     void *context)
{
    return reader->calls->objects(reader, each, context);
}

enum store_status store_read_entries(struct store_reader *reader, int64_t id,
                                     bool (*each)(void *context, const char *key, size_t key_length, const char *value,
                                                  size_t length),
                                     void *context)
{
    return reader->calls->entries(reader, id, each, context);
}
