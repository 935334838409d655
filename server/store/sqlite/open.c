/* open: connections and their settings, and the SQLite backend as a whole.
 *
 * Any thread may open; a connection is then used by one thread at a time (NOMUTEX). */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"
#include "store/sqlite/sqlite.h"

#define WRITER_CACHE_KIB 8192
#define READER_CACHE_KIB 2048
#define BUSY_MS 5000
/* Of 4, 8, 16, 32 and 64 KiB the smallest is as fast as any with large commits and the best with small ones: 256 items
 * a commit 869, 809, 685, 676, 624 k items/s, as each commit writes whole pages. auto_vacuum costs 0-5 %. */
#define PAGE_SIZE 4096

int sqlite_execute(sqlite3 *db, const char *sql, struct error *error)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    return error_set(error, "%s: %s", sqlite3_db_filename(db, "main"), sqlite3_errmsg(db));
}

int64_t sqlite_query_integer(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

int sqlite_run(sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);
    sqlite3_reset(statement);
    return result == SQLITE_DONE || result == SQLITE_ROW ? SQLITE_OK : result;
}

enum store_status sqlite_status(sqlite3 *db, int result)
{
    switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return STORE_OK;
    case SQLITE_FULL:
    case SQLITE_BUSY: /* someone else holds the write lock for seconds: like a full disk, it may pass */
        return STORE_FULL;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISUSE:
        CHECK(false, "the store contradicts itself: %s", sqlite3_errmsg(db));
    default: /* a quota is a full disk too; nothing is committed before its write has succeeded */
        return result == SQLITE_IOERR_WRITE && sqlite3_system_errno(db) == EDQUOT ? STORE_FULL : STORE_IO;
    }
}

static void configure_once(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* its global mutex would be taken on every allocation */
}

sqlite3 *sqlite_connect(const char *path, int flags, int cache_kib, struct error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_once);
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL) != SQLITE_OK) {
        error_set(error, "cannot open %s: %s", path, db == NULL ? "out of memory" : sqlite3_errmsg(db));
        sqlite3_close(db);
        return NULL;
    }
    char settings[256];
    /* secure_delete: Debian's default writes zeros over all that is deleted. */
    snprintf(settings, sizeof settings,
             "PRAGMA cache_size = -%d; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = OFF;"
             "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL",
             cache_kib);
    sqlite3_busy_timeout(db, BUSY_MS);
    if (flags & SQLITE_OPEN_READONLY)
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (sqlite_execute(db, settings, error) != 0) {
        sqlite3_close(db);
        return NULL;
    }
    return db;
}

int sqlite_prepare_all(sqlite3 *db, const char *const *sql, int count, sqlite3_stmt **statements, struct error *error)
{
    for (int i = 0; i < count; i++) {
        if (sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &statements[i], NULL) != SQLITE_OK)
            return error_set(error, "cannot prepare \"%s\": %s", sql[i], sqlite3_errmsg(db));
    }
    return 0;
}

void sqlite_disconnect(sqlite3 *db, sqlite3_stmt **statements, int count)
{
    for (int i = 0; i < count; i++)
        sqlite3_finalize(statements[i]);
    int result = sqlite3_close(db);
    CHECK(result == SQLITE_OK, "a connection was closed while in use: %d", result);
}

int sqlite_sync_directory(const char *directory, struct error *error)
{
    return fd_sync_path(directory) == 0 ? 0 : error_set(error, "cannot sync %s: %s", directory, strerror(errno));
}

/* Page size and auto_vacuum count only before the first table; WAL comes after them. */
static int set_up(struct sqlite_store *store, const char *directory, struct error *error)
{
    char settings[128];
    snprintf(settings, sizeof settings, "PRAGMA page_size = %d; PRAGMA auto_vacuum = INCREMENTAL", PAGE_SIZE);
    int64_t version = sqlite_query_integer(store->db, "PRAGMA user_version");
    bool empty = version == 0 && sqlite_query_integer(store->db, "SELECT count(*) FROM sqlite_schema") == 0;
    if (empty && !store->read_only && sqlite_execute(store->db, settings, error) != 0)
        return -1;
    if (!store->read_only && sqlite_execute(store->db, "PRAGMA journal_mode = WAL", error) != 0)
        return -1;
    if (sqlite_migrate(store->db, store->read_only, error) != 0)
        return -1;
    if (sqlite_unpack_files(store->db, directory, store->read_only, error) != 0)
        return -1;
    store->page_size = (int)sqlite_query_integer(store->db, "PRAGMA page_size");
    return store->read_only ? 0 : sqlite_sync_directory(directory, error);
}

static void close_store(struct store_backend *backend)
{
    struct sqlite_store *store = (struct sqlite_store *)backend;
    sqlite_disconnect(store->db, store->statements, W_STATEMENTS);
    free(store);
}

static void stats(struct store_backend *backend, struct store_stats *stats)
{
    const struct sqlite_store *store = (const struct sqlite_store *)backend;
    struct stat file; /* asked by name: opening and closing it would drop SQLite's locks */
    if (stat(store->path, &file) == 0)
        stats->database_bytes = file.st_size;
    stats->checkpoints = store->checkpoints;
    stats->wal_bytes = (int64_t)store->wal_frames * (store->page_size + 24);
}

static const struct store_backend_calls calls = {
    .apply = sqlite_apply,
    .load = sqlite_load,
    .reap = sqlite_reap,
    .tend = sqlite_tend,
    .stats = stats,
    .reader_open = sqlite_reader_open,
    .close = close_store,
};

struct store *store_open_sqlite(const char *directory, bool read_only, struct error *error)
{
    struct sqlite_store *store = calloc(1, sizeof *store);
    CHECK(store != NULL, "out of memory for the store");
    store->backend.calls = &calls;
    store->read_only = read_only;
    snprintf(store->path, sizeof store->path, "%s/poold.db", directory);
    int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    store->db = sqlite_connect(store->path, flags, WRITER_CACHE_KIB, error);
    if (store->db == NULL) {
        free(store);
        return NULL;
    }
    if (set_up(store, directory, error) != 0 ||
        sqlite_prepare_all(store->db, sqlite_write_sql, W_STATEMENTS, store->statements, error) != 0) {
        close_store(&store->backend);
        return NULL;
    }
    sqlite_watch_wal(store);
    return store_new(&store->backend, directory);
}
