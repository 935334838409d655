/* read_item: the questions about single items: their attempts and what they printed. */
#include <stdio.h>

#include "store/sqlite/sqlite.h"

static struct store_attempt read_attempt(sqlite3_stmt *statement)
{
    struct store_attempt attempt = {
        .number = (uint32_t)sqlite3_column_int64(statement, 1),
        .failure = (enum failure)sqlite3_column_int(statement, 2),
        .signal = (uint32_t)sqlite3_column_int64(statement, 3),
        .exit_code = sqlite3_column_int(statement, 4),
        .started_ms = sqlite3_column_int64(statement, 5),
        .ended_ms = sqlite3_column_int64(statement, 6),
    };
    const char *message = (const char *)sqlite3_column_text(statement, 7);
    snprintf(attempt.message, sizeof attempt.message, "%s", message == NULL ? "" : message);
    return attempt;
}

enum store_status sqlite_read_attempts(struct store_reader *reader, int64_t seq, uint32_t index,
                                       void (*each)(void *, const struct store_attempt *), void *context)
{
    sqlite3_stmt *statement = ((struct sqlite_reader *)reader)->statements[R_ATTEMPTS];
    sqlite3_bind_int64(statement, 1, store_key(seq, index));
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_attempt attempt = read_attempt(statement);
        each(context, &attempt);
    }
    return sqlite_read_end(statement, result);
}

enum store_status sqlite_read_job_attempts(struct store_reader *reader, int64_t seq,
                                           void (*each)(void *, uint32_t, const struct store_attempt *), void *context)
{
    sqlite3_stmt *statement = ((struct sqlite_reader *)reader)->statements[R_JOB_ATTEMPTS];
    sqlite3_bind_int64(statement, 1, store_key(seq, 0));
    sqlite3_bind_int64(statement, 2, store_key(seq, UINT32_MAX));
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_attempt attempt = read_attempt(statement);
        each(context, store_key_low(sqlite3_column_int64(statement, 0)), &attempt);
    }
    return sqlite_read_end(statement, result);
}

/* The id that clients page with is the serial number within the job. */
enum store_status sqlite_read_output(struct store_reader *reader, int64_t seq, int64_t index, int64_t after,
                                     unsigned limit, void (*each)(void *, const struct store_output *), void *context)
{
    sqlite3_stmt *statement = ((struct sqlite_reader *)reader)->statements[index < 0 ? R_OUTPUT_JOB : R_OUTPUT_ITEM];
    uint32_t start = after < 0 ? 0 : after > UINT32_MAX ? UINT32_MAX : (uint32_t)after;
    sqlite3_bind_int64(statement, 1, store_key(seq, index < 0 ? UINT32_MAX : (uint32_t)index));
    sqlite3_bind_int64(statement, 2, store_key(seq, start));
    sqlite3_bind_int64(statement, 3, limit);
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        int64_t item = sqlite3_column_int64(statement, 1);
        struct store_output output = {
            .id = store_key_low(sqlite3_column_int64(statement, 0)),
            .index = store_key_low(item),
            .attempt = (uint32_t)sqlite3_column_int64(statement, 2),
            .stream = (uint32_t)sqlite3_column_int64(statement, 3),
            .bytes = sqlite3_column_blob(statement, 4),
            .length = (size_t)sqlite3_column_bytes(statement, 4),
        };
        each(context, &output);
    }
    return sqlite_read_end(statement, result);
}
