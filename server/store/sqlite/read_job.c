/* read_job: the questions about jobs. */
#include "store/sqlite/sqlite.h"

static sqlite3_stmt *statement_of(struct store_reader *reader, enum read_statement which)
{
    return ((struct sqlite_reader *)reader)->statements[which];
}

/* NOT_FOUND when there is no row. */
static enum store_status read_row(struct store_reader *reader, int64_t seq, int64_t created_ms, int64_t now_ms,
                                  struct job_view *view)
{
    sqlite3_stmt *statement = statement_of(reader, R_JOB);
    sqlite3_bind_int64(statement, 1, seq);
    int result = sqlite3_step(statement);
    bool found = result == SQLITE_ROW;
    bool deleted = found && sqlite_read_job_row(statement, view);
    enum store_status status = sqlite_read_end(statement, result);
    if (status != STORE_OK)
        return status;
    if (!found || (created_ms != 0 && created_ms != view->created_ms))
        return STORE_NOT_FOUND;
    return deleted || store_expired(view->expires_ms, now_ms) ? STORE_GONE : STORE_OK;
}

enum store_status sqlite_read_job(struct store_reader *reader, int64_t seq, int64_t created_ms, int64_t now_ms,
                                  struct job_view *view)
{
    view->seq = 0;
    enum store_status status = read_row(reader, seq, created_ms, now_ms, view);
    if (status != STORE_NOT_FOUND || view->seq != 0)
        return status;
    int64_t last;
    status = sqlite_read_last_seq(reader, &last);
    if (status != STORE_OK || seq > last)
        return status != STORE_OK ? status : STORE_NOT_FOUND;
    /* It was given out: has it been committed since the first look, or is it no more? */
    status = read_row(reader, seq, created_ms, now_ms, view);
    return status == STORE_NOT_FOUND && view->seq == 0 ? STORE_GONE : status;
}

static enum read_statement choose(const struct store_jobs_query *query)
{
    if (query->by_state)
        return query->function != NULL ? R_JOBS_BOTH : R_JOBS_STATE;
    return query->function != NULL ? R_JOBS_FUNCTION : R_JOBS;
}

enum store_status sqlite_read_jobs(struct store_reader *reader, const struct store_jobs_query *query,
                                   struct job_view *views, unsigned *count)
{
    sqlite3_stmt *statement = statement_of(reader, choose(query));
    sqlite3_bind_int64(statement, 1, query->before == 0 ? INT64_MAX : query->before);
    sqlite3_bind_int64(statement, 2, query->now_ms);
    sqlite3_bind_int64(statement, 3, query->limit);
    if (query->by_state)
        sqlite3_bind_int(statement, 4, (int)query->state);
    if (query->function != NULL)
        sqlite3_bind_text(statement, 5, query->function, -1, SQLITE_STATIC);
    int result;
    *count = 0;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW)
        sqlite_read_job_row(statement, &views[(*count)++]);
    return sqlite_read_end(statement, result);
}

enum store_status sqlite_read_key(struct store_reader *reader, const char *key, int64_t *seq, uint64_t *fingerprint)
{
    sqlite3_stmt *statement = statement_of(reader, R_KEY);
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    int result = sqlite3_step(statement);
    bool found = result == SQLITE_ROW;
    if (found) {
        *seq = sqlite3_column_int64(statement, 0);
        *fingerprint = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    enum store_status status = sqlite_read_end(statement, result);
    return status == STORE_OK && !found ? STORE_NOT_FOUND : status;
}

enum store_status sqlite_read_last_seq(struct store_reader *reader, int64_t *seq)
{
    sqlite3_stmt *statement = statement_of(reader, R_LAST_SEQ);
    int result = sqlite3_step(statement);
    *seq = result == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    return sqlite_read_end(statement, result);
}

enum store_status sqlite_read_unfinished(struct store_reader *reader, void (*each)(void *, const struct job_view *),
                                         void *context)
{
    sqlite3_stmt *statement = statement_of(reader, R_UNFINISHED);
    struct job_view view;
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        sqlite_read_job_row(statement, &view);
        each(context, &view);
    }
    return sqlite_read_end(statement, result);
}
