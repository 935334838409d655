/* write: executes the writes that the store thread gives it, all as one transaction; and its loads. */
#include "base/check.h"
#include "base/log.h"
#include "store/sqlite/sqlite.h"

#define SERIAL(table)                                                                                                  \
    "(SELECT coalesce(max(key), ?1 << 32) + 1 FROM " table " WHERE key BETWEEN ?1 << 32 AND (?1 << 32) + 0xffffffff)"
#define REAP(table)                                                                                                    \
    "DELETE FROM " table " WHERE key IN (SELECT key FROM " table " WHERE key BETWEEN ?1 AND ?2 LIMIT ?3)"

const char *const sqlite_write_sql[W_STATEMENTS] = {
    [W_BEGIN] = "BEGIN IMMEDIATE",
    [W_COMMIT] = "COMMIT",
    [W_ROLLBACK] = "ROLLBACK",
    [W_JOB_PUT] = sqlite_job_put,
    [W_JOB_UPDATE] = sqlite_job_update,
    [W_JOB_GROW] = "UPDATE job SET total = ?2 WHERE seq = ?1",
    [W_JOB_LINK] = "UPDATE job SET retried_by = ?2, retried_by_created_ms = ?3 WHERE seq = ?1",
    /* expires_ms 1: the reaper's index finds it first. */
    [W_JOB_DELETE] = "UPDATE job SET deleted = 1, expires_ms = 1 WHERE seq = ?1",
    [W_KEY_DROP] = "UPDATE job SET key = NULL, fingerprint = NULL WHERE seq = ?1",
    [W_CHUNK_PUT] = "INSERT INTO chunk (key, count, origins, items) VALUES (?1, ?2, ?3, ?4)",
    [W_RESULT_PUT] = "INSERT INTO result (key, place, count, failed, lines) VALUES (?1, ?2, ?3, ?4, ?5)",
    [W_ATTEMPT_PUT] =
        "INSERT INTO attempt (key, item, number, failure, signal, exit_code, started_ms, ended_ms, message)"
        " VALUES (" SERIAL("attempt") ", ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [W_OUTPUT_PUT] =
        "INSERT INTO output (key, item, attempt, stream, bytes) VALUES (" SERIAL("output") ", ?2, ?3, ?4, ?5)",
    [W_OBJECT_PUT] = "INSERT INTO object (id, kind, name, config) VALUES (?1, ?2, ?3, ?4)"
                     " ON CONFLICT (id) DO UPDATE SET config = excluded.config",
    [W_OBJECT_DROP] = "UPDATE object SET name = NULL WHERE id = ?1",
    [W_ENTRY_PUT] = "REPLACE INTO entry (object, key, value) VALUES (?1, ?2, ?3)",
    [W_ENTRY_DROP] = "DELETE FROM entry WHERE object = ?1 AND key = ?2",
    [W_LOAD] = "SELECT key, count, items FROM chunk WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC LIMIT 1",
    [W_REAP_NEXT] = "SELECT seq FROM job WHERE expires_ms <> 0 AND expires_ms <= ?1 ORDER BY expires_ms LIMIT 1",
    [W_REAP_CHUNK] = REAP("chunk"),
    [W_REAP_RESULT] = REAP("result"),
    [W_REAP_ATTEMPT] = REAP("attempt"),
    [W_REAP_OUTPUT] = REAP("output"),
    [W_REAP_META] = "UPDATE meta SET value = max(value, (SELECT max(seq) FROM job)) WHERE name = 'last_seq'",
    [W_REAP_JOB] = "DELETE FROM job WHERE seq = ?1",
    [W_REAP_NEXT_OBJECT] = "SELECT id FROM object INDEXED BY object_dropped WHERE name IS NULL LIMIT 1",
    [W_REAP_ENTRY] =
        "DELETE FROM entry WHERE object = ?1 AND key IN (SELECT key FROM entry WHERE object = ?1 LIMIT ?2)",
    [W_REAP_OBJECT] = "DELETE FROM object WHERE id = ?1",
    [W_FREE_PAGES] = "PRAGMA freelist_count",
};

static void bind_blob_as_text(sqlite3_stmt *statement, int at, const struct blob *bytes)
{
    if (bytes == NULL)
        sqlite3_bind_null(statement, at);
    else
        sqlite3_bind_text64(statement, at, bytes->data, bytes->length, SQLITE_STATIC, SQLITE_UTF8);
}

static void bind_blob(sqlite3_stmt *statement, int at, const struct blob *bytes)
{
    if (bytes == NULL)
        sqlite3_bind_null(statement, at);
    else
        sqlite3_bind_blob64(statement, at, bytes->data, bytes->length, SQLITE_STATIC);
}

static void bind_link(sqlite3_stmt *statement, const struct store_op *op)
{
    sqlite3_bind_int64(statement, 1, op->seq);
    sqlite3_bind_int64(statement, 2, op->job->retried_by);
    sqlite3_bind_int64(statement, 3, op->job->retried_by_created_ms);
}

static void bind_grow(sqlite3_stmt *statement, const struct store_op *op)
{
    sqlite3_bind_int64(statement, 1, op->seq);
    sqlite3_bind_int64(statement, 2, op->job->counts.total);
}

static void bind_seq(sqlite3_stmt *statement, const struct store_op *op)
{
    sqlite3_bind_int64(statement, 1, op->seq);
}

static void bind_chunk(sqlite3_stmt *statement, const struct store_op *op)
{
    CHECK(op->origins == NULL || op->origins->length == (size_t)op->count * sizeof(uint32_t),
          "%zu bytes of origins for %u items", op->origins->length, op->count);
    sqlite3_bind_int64(statement, 1, store_key(op->seq, op->first));
    sqlite3_bind_int64(statement, 2, op->count);
    bind_blob(statement, 3, op->origins);
    bind_blob_as_text(statement, 4, op->bytes);
}

static void bind_result(sqlite3_stmt *statement, const struct store_op *op)
{
    sqlite3_bind_int64(statement, 1, store_key(op->seq, op->position));
    sqlite3_bind_int64(statement, 2, store_key(op->seq, op->first));
    sqlite3_bind_int64(statement, 3, op->count);
    sqlite3_bind_int64(statement, 4, op->failed);
    bind_blob_as_text(statement, 5, op->bytes);
}

static void bind_attempt(sqlite3_stmt *statement, const struct store_op *op)
{
    const struct store_attempt *attempt = op->attempt;
    sqlite3_bind_int64(statement, 1, op->seq);
    sqlite3_bind_int64(statement, 2, store_key(op->seq, op->first));
    sqlite3_bind_int64(statement, 3, attempt->number);
    sqlite3_bind_int(statement, 4, (int)attempt->failure);
    sqlite3_bind_int64(statement, 5, attempt->signal);
    sqlite3_bind_int(statement, 6, attempt->exit_code);
    sqlite3_bind_int64(statement, 7, attempt->started_ms);
    sqlite3_bind_int64(statement, 8, attempt->ended_ms);
    sqlite3_bind_text(statement, 9, attempt->message, -1, SQLITE_STATIC);
}

static void bind_output(sqlite3_stmt *statement, const struct store_op *op)
{
    sqlite3_bind_int64(statement, 1, op->seq);
    sqlite3_bind_int64(statement, 2, store_key(op->seq, op->first));
    sqlite3_bind_int64(statement, 3, op->attempt->number);
    sqlite3_bind_int64(statement, 4, op->stream);
    bind_blob(statement, 5, op->bytes);
}

static const struct {
    enum write_statement statement;
    void (*bind)(sqlite3_stmt *, const struct store_op *);
} operations[] = {
    [STORE_JOB_PUT] = {W_JOB_PUT, sqlite_bind_job_put},
    [STORE_JOB_UPDATE] = {W_JOB_UPDATE, sqlite_bind_job_update},
    [STORE_JOB_GROW] = {W_JOB_GROW, bind_grow},
    [STORE_JOB_LINK] = {W_JOB_LINK, bind_link},
    [STORE_JOB_DELETE] = {W_JOB_DELETE, bind_seq},
    [STORE_KEY_DROP] = {W_KEY_DROP, bind_seq},
    [STORE_CHUNK_PUT] = {W_CHUNK_PUT, bind_chunk},
    [STORE_RESULT_PUT] = {W_RESULT_PUT, bind_result},
    [STORE_ATTEMPT_PUT] = {W_ATTEMPT_PUT, bind_attempt},
    [STORE_OUTPUT_PUT] = {W_OUTPUT_PUT, bind_output},
    [STORE_OBJECT_PUT] = {W_OBJECT_PUT, sqlite_bind_object},
    [STORE_OBJECT_DROP] = {W_OBJECT_DROP, bind_seq},
    [STORE_ENTRY_PUT] = {W_ENTRY_PUT, sqlite_bind_entry},
    [STORE_ENTRY_DROP] = {W_ENTRY_DROP, sqlite_bind_entry},
};

enum store_status sqlite_begin(struct sqlite_store *store)
{
    return sqlite_status(store->db, sqlite_run(store->statements[W_BEGIN]));
}

/* Tells of the first of a series only: a full disk fails every commit until it passes. */
static void note_outcome(struct sqlite_store *store, enum store_status status)
{
    bool told = store->failing;
    store->failing = status != STORE_OK;
    if (status == STORE_IO)
        sqlite_give_up(store);
    if (status != STORE_OK && !told)
        log_event(LOG_ERROR, "store.failed", "outcome=%s code=%d system_error=%d error=\"%s\"",
                  status == STORE_FULL ? "full" : "io", sqlite3_extended_errcode(store->db),
                  sqlite3_system_errno(store->db), sqlite3_errmsg(store->db));
}

enum store_status sqlite_end(struct sqlite_store *store, enum store_status status, enum store_status forced)
{
    if (status == STORE_OK && forced != STORE_FULL)
        status = sqlite_status(store->db, sqlite_run(store->statements[W_COMMIT]));
    else if (status == STORE_OK)
        status = forced;
    note_outcome(store, status);
    if (!sqlite3_get_autocommit(store->db)) /* SQLite may have rolled back by itself */
        sqlite_run(store->statements[W_ROLLBACK]);
    return status == STORE_OK ? forced : status;
}

static int execute(struct sqlite_store *store, const struct store_op *op)
{
    sqlite3_stmt *statement = store->statements[operations[op->type].statement];
    operations[op->type].bind(statement, op);
    return sqlite_run(statement);
}

static int execute_all(struct sqlite_store *store, const struct store_write *writes)
{
    for (const struct mail *mail = &writes->mail; mail != NULL; mail = mail->next) {
        for (const struct store_op *op = ((const struct store_write *)mail)->first; op != NULL; op = op->next) {
            int result = op->type == STORE_NOTHING ? SQLITE_OK : execute(store, op);
            if (result != SQLITE_OK)
                return result;
        }
    }
    return SQLITE_OK;
}

enum store_status sqlite_apply(struct store_backend *backend, const struct store_write *writes,
                               enum store_status forced)
{
    struct sqlite_store *store = (struct sqlite_store *)backend;
    enum store_status status = sqlite_begin(store);
    if (status == STORE_OK)
        status = sqlite_status(store->db, execute_all(store, writes));
    return sqlite_end(store, status, forced);
}

void sqlite_load(struct store_backend *backend, struct store_load *load)
{
    struct sqlite_store *store = (struct sqlite_store *)backend;
    sqlite3_stmt *statement = store->statements[W_LOAD];
    sqlite3_bind_int64(statement, 1, store_key(load->seq, 0));
    sqlite3_bind_int64(statement, 2, store_key(load->seq, load->index));
    int result = sqlite3_step(statement);
    load->items = NULL;
    load->status = result == SQLITE_ROW || result == SQLITE_DONE ? STORE_NOT_FOUND : STORE_IO;
    if (result == SQLITE_ROW) {
        load->first = store_key_low(sqlite3_column_int64(statement, 0));
        load->count = (uint32_t)sqlite3_column_int64(statement, 1);
        if (load->index - load->first < load->count) {
            load->items = sqlite_column_take(statement, 2);
            load->status = STORE_OK;
        }
    }
    sqlite3_reset(statement);
}
