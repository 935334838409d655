/* read: a reader's connection, and the questions about chunks and results: each one range of one key.
 *
 * A reader is used by one thread; every question resets its statement before it returns. */
#include <stdlib.h>

#include "base/check.h"
#include "store/sqlite/job_columns.h"
#include "store/sqlite/sqlite.h"

#define READER_CACHE_KIB 2048

#define VISIBLE "deleted = 0 AND (expires_ms = 0 OR expires_ms > ?2)"
#define JOBS(filter)                                                                                                   \
    "SELECT " JOB_COLUMNS " FROM job WHERE " filter "seq < ?1 AND " VISIBLE " ORDER BY seq DESC LIMIT ?3"
/* The batches from the one that may hold ?2 on. */
#define RESULTS(key)                                                                                                   \
    "SELECT key, place, count, failed, lines FROM result WHERE " key " BETWEEN coalesce((SELECT max(" key              \
    ") FROM result WHERE " key " BETWEEN ?1 AND ?2), ?2) AND ?3 ORDER BY " key
#define ATTEMPTS(filter)                                                                                               \
    "SELECT item, number, failure, signal, exit_code, started_ms, ended_ms, message FROM attempt WHERE " filter        \
    " ORDER BY item, key"
#define OUTPUT(filter) "SELECT key, item, attempt, stream, bytes FROM output WHERE " filter " ORDER BY key LIMIT ?3"

const char *const sqlite_read_sql[R_STATEMENTS] = {
    [R_JOB] = "SELECT " JOB_COLUMNS " FROM job WHERE seq = ?1",
    [R_LAST_SEQ] = "SELECT max(coalesce((SELECT max(seq) FROM job), 0), value) FROM meta WHERE name = 'last_seq'",
    [R_JOBS] = JOBS(""),
    [R_JOBS_STATE] = JOBS("state = ?4 AND "),
    [R_JOBS_FUNCTION] = JOBS("function = ?5 AND "),
    [R_JOBS_BOTH] = JOBS("state = ?4 AND function = ?5 AND "),
    [R_KEY] = "SELECT seq, fingerprint FROM job WHERE key = ?1",
    /* + : a few jobs out of the index by state are sorted, rather than all jobs walked through. */
    [R_UNFINISHED] = "SELECT " JOB_COLUMNS " FROM job WHERE state IN (1, 2, 3) AND deleted = 0 ORDER BY +seq",
    [R_RESULTS_COMPLETION] = RESULTS("key"),
    [R_RESULTS_INPUT] = RESULTS("place"),
    [R_DONE] = "SELECT key, place, count, failed FROM result WHERE place BETWEEN ?1 AND ?2 ORDER BY place",
    [R_CHUNK] = "SELECT key, count, origins, items FROM chunk WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC LIMIT 1",
    [R_ATTEMPTS] = ATTEMPTS("item = ?1"),
    [R_JOB_ATTEMPTS] = ATTEMPTS("item BETWEEN ?1 AND ?2"),
    [R_OUTPUT_ITEM] = OUTPUT("item = ?1 AND key > ?2"),
    [R_OUTPUT_JOB] = OUTPUT("key > ?2 AND key <= ?1"),
    [R_OBJECTS] = "SELECT id, kind, name, config FROM object WHERE name IS NOT NULL ORDER BY id",
    [R_ENTRIES] = "SELECT key, value FROM entry WHERE object = ?1 ORDER BY key",
};

struct blob *sqlite_column_take(sqlite3_stmt *statement, int column)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return NULL;
    const void *bytes = sqlite3_column_blob(statement, column);
    return blob_new(bytes, (size_t)sqlite3_column_bytes(statement, column));
}

enum store_status sqlite_read_end(sqlite3_stmt *statement, int result)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result == SQLITE_ROW || result == SQLITE_DONE ? STORE_OK : STORE_IO;
}

static void close_reader(struct store_reader *reader)
{
    struct sqlite_reader *sqlite = (struct sqlite_reader *)reader;
    sqlite_disconnect(sqlite->db, sqlite->statements, R_STATEMENTS);
    free(sqlite);
}

static struct store_batch read_batch(sqlite3_stmt *statement)
{
    return (struct store_batch){
        .position = store_key_low(sqlite3_column_int64(statement, 0)),
        .first = store_key_low(sqlite3_column_int64(statement, 1)),
        .count = (uint32_t)sqlite3_column_int64(statement, 2),
        .failed = (uint32_t)sqlite3_column_int64(statement, 3),
    };
}

/* True when the batch holds `next`, the first index or position that is not answered yet: a gap ends the answer. */
static bool continues(const struct store_batch *batch, bool input_order, uint32_t next)
{
    uint32_t start = input_order ? batch->first : batch->position;
    return start <= next && next - start < batch->count;
}

static enum store_status results(struct store_reader *reader, int64_t seq, bool input_order, uint32_t from,
                                 size_t bytes, struct store_batch *batches, unsigned capacity, unsigned *count)
{
    struct sqlite_reader *sqlite = (struct sqlite_reader *)reader;
    sqlite3_stmt *statement = sqlite->statements[input_order ? R_RESULTS_INPUT : R_RESULTS_COMPLETION];
    sqlite3_bind_int64(statement, 1, store_key(seq, 0));
    sqlite3_bind_int64(statement, 2, store_key(seq, from));
    sqlite3_bind_int64(statement, 3, store_key(seq, UINT32_MAX));
    int result = SQLITE_DONE;
    size_t taken = 0;
    *count = 0;
    while (*count < capacity && (*count == 0 || taken < bytes) && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_batch batch = read_batch(statement);
        if (!continues(&batch, input_order, from))
            break;
        batch.lines = sqlite_column_take(statement, 4);
        taken += batch.lines == NULL ? 0 : batch.lines->length;
        from = (input_order ? batch.first : batch.position) + batch.count;
        batches[(*count)++] = batch;
    }
    return sqlite_read_end(statement, result);
}

static enum store_status done(struct store_reader *reader, int64_t seq,
                              void (*each)(void *, const struct store_batch *), void *context)
{
    sqlite3_stmt *statement = ((struct sqlite_reader *)reader)->statements[R_DONE];
    sqlite3_bind_int64(statement, 1, store_key(seq, 0));
    sqlite3_bind_int64(statement, 2, store_key(seq, UINT32_MAX));
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_batch batch = read_batch(statement);
        each(context, &batch);
    }
    return sqlite_read_end(statement, result);
}

static enum store_status chunk(struct store_reader *reader, int64_t seq, uint32_t index, uint32_t *first,
                               uint32_t *count, struct blob **items, struct blob **origins)
{
    sqlite3_stmt *statement = ((struct sqlite_reader *)reader)->statements[R_CHUNK];
    sqlite3_bind_int64(statement, 1, store_key(seq, 0));
    sqlite3_bind_int64(statement, 2, store_key(seq, index));
    int result = sqlite3_step(statement);
    bool found = false;
    *items = *origins = NULL;
    if (result == SQLITE_ROW) {
        *first = store_key_low(sqlite3_column_int64(statement, 0));
        *count = (uint32_t)sqlite3_column_int64(statement, 1);
        found = index - *first < *count;
    }
    if (found) {
        *origins = sqlite_column_take(statement, 2);
        *items = sqlite_column_take(statement, 3);
    }
    enum store_status status = sqlite_read_end(statement, result);
    return status == STORE_OK && !found ? STORE_NOT_FOUND : status;
}

static const struct store_reader_calls calls = {
    .close = close_reader,
    .job = sqlite_read_job,
    .jobs = sqlite_read_jobs,
    .results = results,
    .chunk = chunk,
    .attempts = sqlite_read_attempts,
    .output = sqlite_read_output,
    .key = sqlite_read_key,
    .last_seq = sqlite_read_last_seq,
    .unfinished = sqlite_read_unfinished,
    .done = done,
    .job_attempts = sqlite_read_job_attempts,
    .objects = sqlite_read_objects,
    .entries = sqlite_read_entries,
};

struct store_reader *sqlite_reader_open(struct store_backend *backend, struct error *error)
{
    const struct sqlite_store *store = (const struct sqlite_store *)backend;
    struct sqlite_reader *reader = calloc(1, sizeof *reader);
    CHECK(reader != NULL, "out of memory for a reader");
    reader->reader.calls = &calls;
    reader->db = sqlite_connect(store->path, SQLITE_OPEN_READONLY, READER_CACHE_KIB, error);
    if (reader->db == NULL) {
        free(reader);
        return NULL;
    }
    if (sqlite_execute(reader->db, "PRAGMA query_only = ON", error) != 0 ||
        sqlite_prepare_all(reader->db, sqlite_read_sql, R_STATEMENTS, reader->statements, error) != 0) {
        close_reader(&reader->reader);
        return NULL;
    }
    return &reader->reader;
}
