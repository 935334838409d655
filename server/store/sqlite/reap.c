/* reap: removes what belongs to deleted and expired jobs and to dropped objects, a slice at a time, and gives the space
 * back. */
#include <stdio.h>

#include "store/sqlite/sqlite.h"

#define VACUUM_PAGES 1024 /* moved to the end of the file and cut off, at most, a call */
#define SLACK_PAGES 1024  /* kept free for the next jobs */

/* The next job to remove, or 0. A deleted one has expires_ms 1, so that the epoch of a test's clock finds it too. */
static int64_t next_job(struct sqlite_store *store, int64_t now_ms)
{
    sqlite3_stmt *statement = store->statements[W_REAP_NEXT];
    sqlite3_bind_int64(statement, 1, now_ms < 1 ? 1 : now_ms);
    int64_t seq = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return seq;
}

/* Deletes at most *left rows of a job and counts them off. */
static int delete_rows(struct sqlite_store *store, int64_t seq, unsigned *left)
{
    for (int table = W_REAP_CHUNK; table <= W_REAP_OUTPUT && *left > 0; table++) {
        sqlite3_stmt *statement = store->statements[table];
        sqlite3_bind_int64(statement, 1, store_key(seq, 0));
        sqlite3_bind_int64(statement, 2, store_key(seq, UINT32_MAX));
        sqlite3_bind_int64(statement, 3, *left);
        int result = sqlite_run(statement);
        if (result != SQLITE_OK)
            return result;
        *left -= (unsigned)sqlite3_changes(store->db);
    }
    return SQLITE_OK;
}

/* The job row goes last; before it goes, its seq is remembered as given out. */
static int delete_job(struct sqlite_store *store, int64_t seq)
{
    int result = sqlite_run(store->statements[W_REAP_META]);
    sqlite3_bind_int64(store->statements[W_REAP_JOB], 1, seq);
    return result != SQLITE_OK ? result : sqlite_run(store->statements[W_REAP_JOB]);
}

static int delete_slice(struct sqlite_store *store, struct store_reap *reap)
{
    unsigned left = reap->rows;
    int64_t seq;
    while ((seq = next_job(store, reap->now_ms)) != 0) {
        int result = delete_rows(store, seq, &left);
        if (result != SQLITE_OK)
            return result;
        reap->more = left == 0;
        if (left == 0)
            break;
        result = delete_job(store, seq);
        if (result != SQLITE_OK)
            return result;
        reap->jobs_removed++;
        left--;
    }
    return SQLITE_OK;
}

static int delete_objects(struct sqlite_store *store, struct store_reap *reap)
{
    unsigned left = reap->rows * STORE_ENTRIES_PER_ROW;
    int result = reap->more ? SQLITE_OK : sqlite_reap_objects(store, &left);
    reap->entries = left == 0;
    reap->more |= reap->entries;
    return result;
}

static int64_t free_pages(struct sqlite_store *store)
{
    sqlite3_stmt *statement = store->statements[W_FREE_PAGES];
    int64_t pages = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return pages;
}

static int vacuum(struct sqlite_store *store, struct store_reap *reap)
{
    int64_t pages = free_pages(store) - SLACK_PAGES;
    if (pages <= 0)
        return SQLITE_OK;
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d)", (int)(pages < VACUUM_PAGES ? pages : VACUUM_PAGES));
    reap->more |= pages > VACUUM_PAGES;
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL);
}

void sqlite_reap(struct store_backend *backend, struct store_reap *reap, enum store_status forced)
{
    struct sqlite_store *store = (struct sqlite_store *)backend;
    enum store_status status = sqlite_begin(store);
    if (status == STORE_OK) {
        int result = delete_slice(store, reap);
        if (result == SQLITE_OK)
            result = delete_objects(store, reap);
        if (result == SQLITE_OK)
            result = vacuum(store, reap);
        status = sqlite_status(store->db, result);
    }
    reap->status = sqlite_end(store, status, forced);
    if (reap->status != STORE_OK)
        reap->jobs_removed = 0;
}
