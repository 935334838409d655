/* sqlite: what the files of this folder share: connections, prepared statements, the job row.
 *
 * One connection writes and checkpoints (SQLite up to 3.51.2 can corrupt a WAL when two do); readers have read-only
 * connections of their own. Statements are prepared once a connection and reset after each use, because a statement
 * that stays open holds a snapshot and so the WAL. */
#ifndef POOLD_STORE_SQLITE_SQLITE_H
#define POOLD_STORE_SQLITE_SQLITE_H

#include <sqlite3.h>

#include "store/store_backend.h"

enum write_statement {
    W_BEGIN,
    W_COMMIT,
    W_ROLLBACK,
    W_JOB_PUT,
    W_JOB_UPDATE,
    W_JOB_GROW,
    W_JOB_LINK,
    W_JOB_DELETE,
    W_KEY_DROP,
    W_CHUNK_PUT,
    W_RESULT_PUT,
    W_ATTEMPT_PUT,
    W_OUTPUT_PUT,
    W_OBJECT_PUT,
    W_OBJECT_DROP,
    W_ENTRY_PUT,
    W_ENTRY_DROP,
    W_LOAD,
    W_REAP_NEXT,
    W_REAP_CHUNK,
    W_REAP_RESULT,
    W_REAP_ATTEMPT,
    W_REAP_OUTPUT,
    W_REAP_META,
    W_REAP_JOB,
    W_REAP_NEXT_OBJECT,
    W_REAP_ENTRY,
    W_REAP_OBJECT,
    W_FREE_PAGES,
    W_STATEMENTS
};

struct sqlite_store {
    struct store_backend backend;
    sqlite3 *db;
    sqlite3_stmt *statements[W_STATEMENTS];
    bool read_only;
    char path[4096];
    int page_size;
    int wal_frames;                  /* in the WAL after the last commit */
    bool wal_pending;                /* frames that no checkpoint has copied yet */
    int64_t wal_ready;               /* bytes of it that are written ahead */
    int64_t checkpoint_at;           /* WAL bytes at which a busy store checkpoints next */
    bool failing, checkpoint_failed; /* commits, checkpoints; this has been told */
    uint64_t checkpoints;
};

/* open.c */
/* Opens a connection with this project's settings, `cache_kib` bounds its page cache. NULL on error. */
sqlite3 *sqlite_connect(const char *path, int flags, int cache_kib, struct error *);
int sqlite_prepare_all(sqlite3 *, const char *const *sql, int count, sqlite3_stmt **statements, struct error *);
void sqlite_disconnect(sqlite3 *, sqlite3_stmt **statements, int count);
/* Runs SQL without results. */
int sqlite_execute(sqlite3 *, const char *sql, struct error *);
/* The integer that a query yields, or -1. */
int64_t sqlite_query_integer(sqlite3 *, const char *sql);
/* Steps a statement that yields no rows and resets it. */
int sqlite_run(sqlite3_stmt *);
/* Names in a directory are on disk only after it is synced. 0 or -1. */
int sqlite_sync_directory(const char *directory, struct error *);
/* What an outcome means for a transaction. Aborts on a constraint: only our own inconsistency breaks one. */
enum store_status sqlite_status(sqlite3 *, int result);

/* migrate.c: brings the database to this program's schema. 0, or -1. */
int sqlite_migrate(sqlite3 *, bool read_only, struct error *);

/* files.c: the files of `folder` (which need not be there) into the backup `db`; and out of it to its place in the data
 * directory, when it is one that no start has unpacked yet. 0, or -1. */
int sqlite_pack_files(sqlite3 *, const char *folder, struct error *);
int64_t sqlite_files_bytes(const char *folder); /* about so many will be packed */
int sqlite_unpack_files(sqlite3 *, const char *directory, bool read_only, struct error *);

/* job.c */
extern const char sqlite_job_put[], sqlite_job_update[];
void sqlite_bind_job_put(sqlite3_stmt *, const struct store_op *);
void sqlite_bind_job_update(sqlite3_stmt *, const struct store_op *);
/* Reads a row of SELECT JOB_COLUMNS; true when the job is deleted. */
bool sqlite_read_job_row(sqlite3_stmt *, struct job_view *);

/* object.c */
void sqlite_bind_object(sqlite3_stmt *, const struct store_op *);
void sqlite_bind_entry(sqlite3_stmt *, const struct store_op *);
enum store_status sqlite_read_objects(struct store_reader *,
                                      bool (*)(void *, int64_t, uint32_t, const char *, const char *, size_t), void *);
enum store_status sqlite_read_entries(struct store_reader *, int64_t,
                                      bool (*)(void *, const char *, size_t, const char *, size_t), void *);
/* Deletes at most *left entries of dropped objects, and those whose entries are all gone, and counts them off. */
int sqlite_reap_objects(struct sqlite_store *, unsigned *left);

/* write.c, reap.c, checkpoint.c */
extern const char *const sqlite_write_sql[W_STATEMENTS];
enum store_status sqlite_begin(struct sqlite_store *);
/* Commits or, when `status` is not OK, rolls back; returns how it ended. */
enum store_status sqlite_end(struct sqlite_store *, enum store_status status, enum store_status forced);
enum store_status sqlite_apply(struct store_backend *, const struct store_write *, enum store_status forced);
void sqlite_load(struct store_backend *, struct store_load *);
void sqlite_reap(struct store_backend *, struct store_reap *, enum store_status forced);
enum store_status sqlite_tend(struct store_backend *, bool idle, bool *again);
void sqlite_watch_wal(struct sqlite_store *);
/* After STORE_IO: touch nothing any more, not even at the end. */
void sqlite_give_up(struct sqlite_store *);

/* read.c, read_job.c, read_item.c */
enum read_statement {
    R_JOB,
    R_LAST_SEQ,
    R_JOBS,
    R_JOBS_STATE,
    R_JOBS_FUNCTION,
    R_JOBS_BOTH,
    R_KEY,
    R_UNFINISHED,
    R_RESULTS_COMPLETION,
    R_RESULTS_INPUT,
    R_DONE,
    R_CHUNK,
    R_ATTEMPTS,
    R_JOB_ATTEMPTS,
    R_OUTPUT_ITEM,
    R_OUTPUT_JOB,
    R_OBJECTS,
    R_ENTRIES,
    R_STATEMENTS
};
struct sqlite_reader {
    struct store_reader reader;
    sqlite3 *db;
    sqlite3_stmt *statements[R_STATEMENTS];
};
extern const char *const sqlite_read_sql[R_STATEMENTS];
struct store_reader *sqlite_reader_open(struct store_backend *, struct error *);
/* A new blob of a text or blob column; NULL of NULL. */
struct blob *sqlite_column_take(sqlite3_stmt *, int column);
/* Ends a query: resets the statement; OK when `result`, the last of its steps, was a row or the end. */
enum store_status sqlite_read_end(sqlite3_stmt *, int result);

enum store_status sqlite_read_job(struct store_reader *, int64_t, int64_t, int64_t, struct job_view *);
enum store_status sqlite_read_jobs(struct store_reader *, const struct store_jobs_query *, struct job_view *,
                                   unsigned *);
enum store_status sqlite_read_key(struct store_reader *, const char *, int64_t *, uint64_t *);
enum store_status sqlite_read_last_seq(struct store_reader *, int64_t *);
enum store_status sqlite_read_unfinished(struct store_reader *, void (*)(void *, const struct job_view *), void *);
enum store_status sqlite_read_attempts(struct store_reader *, int64_t, uint32_t,
                                       void (*)(void *, const struct store_attempt *), void *);
enum store_status sqlite_read_job_attempts(struct store_reader *, int64_t,
                                           void (*)(void *, uint32_t, const struct store_attempt *), void *);
enum store_status sqlite_read_output(struct store_reader *, int64_t, int64_t, int64_t, unsigned,
                                     void (*)(void *, const struct store_output *), void *);

#endif
