/* job: the job row. One list of columns makes the SQL, the binding and the reading. */
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "store/sqlite/job_columns.h"
#include "store/sqlite/sqlite.h"

#define MARK(column, member) ", ?"
#define SET(column, member) ", " #column " = ?"

const char sqlite_job_put[] =
    "INSERT INTO job (seq, id, function, name, reason, key, fingerprint, client, traceparent" JOB_FIXED(JOB_COLUMN_NAME)
        JOB_MOVING(JOB_COLUMN_NAME) ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?" JOB_FIXED(MARK) JOB_MOVING(MARK) ")";
/* A deleted job stays so: its expires_ms is what the reaper finds it by. */
const char sqlite_job_update[] = "UPDATE job SET reason = ?2" JOB_MOVING(SET) " WHERE seq = ?1 AND deleted = 0";

#define BIND(column, member) sqlite3_bind_int64(statement, ++at, (int64_t)view->member);

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

void sqlite_bind_job_put(sqlite3_stmt *statement, const struct store_op *op)
{
    const struct job_view *view = op->job;
    char id[JOB_ID_LENGTH + 1];
    job_id_format(id, view->created_ms, op->seq);
    sqlite3_bind_int64(statement, 1, op->seq);
    sqlite3_bind_text(statement, 2, id, -1, SQLITE_TRANSIENT);
    bind_text(statement, 3, view->function);
    bind_text(statement, 4, view->options.name);
    bind_text(statement, 5, view->reason);
    bind_text(statement, 6, op->key); /* NULL binds NULL */
    sqlite3_bind_int64(statement, 7, (int64_t)op->fingerprint);
    bind_text(statement, 8, view->origin.client);
    bind_text(statement, 9, view->origin.traceparent);
    int at = 9;
    JOB_FIXED(BIND)
    JOB_MOVING(BIND)
}

void sqlite_bind_job_update(sqlite3_stmt *statement, const struct store_op *op)
{
    const struct job_view *view = op->job;
    sqlite3_bind_int64(statement, 1, op->seq);
    bind_text(statement, 2, view->reason);
    int at = 2;
    JOB_MOVING(BIND)
}

static void read_text(sqlite3_stmt *statement, int at, char *text, size_t size)
{
    const char *stored = (const char *)sqlite3_column_text(statement, at);
    snprintf(text, size, "%s", stored == NULL ? "" : stored);
}

#define READ(column, member) view->member = (__typeof__(view->member))sqlite3_column_int64(statement, at++);

bool sqlite_read_job_row(sqlite3_stmt *statement, struct job_view *view)
{
    memset(view, 0, sizeof *view);
    view->seq = sqlite3_column_int64(statement, 0);
    bool deleted = sqlite3_column_int(statement, 1) != 0;
    read_text(statement, 2, view->function, sizeof view->function);
    read_text(statement, 3, view->options.name, sizeof view->options.name);
    read_text(statement, 4, view->reason, sizeof view->reason);
    read_text(statement, 5, view->origin.client, sizeof view->origin.client);
    read_text(statement, 6, view->origin.traceparent, sizeof view->origin.traceparent);
    int at = 7;
    JOB_FIXED(READ)
    JOB_MOVING(READ)
    store_count_ready(view);
    return deleted;
}
