/* job_columns: the columns of the job row and the members of struct job_view that they hold. */
#ifndef POOLD_STORE_SQLITE_JOB_COLUMNS_H
#define POOLD_STORE_SQLITE_JOB_COLUMNS_H

/* X(column, member): set once… */
#define JOB_FIXED(X)                                                                                                   \
    X(created_ms, created_ms)                                                                                          \
    X(total, counts.total) /* JOB_GROW */                                                                              \
    X(kind, kind)                                                                                                      \
    X(chunksize, options.chunksize)                                                                                    \
    X(processes, options.processes)                                                                                    \
    X(timeout_ms, options.timeout_ms)                                                                                  \
    X(max_attempts, options.max_attempts)                                                                              \
    X(backoff_ms, options.backoff_ms)                                                                                  \
    X(priority, options.priority)                                                                                      \
    X(isolation, options.isolation)                                                                                    \
    X(fail_fast, options.fail_fast)                                                                                    \
    X(delay_ms, options.delay_ms)                                                                                      \
    X(retention_s, options.retention_s)                                                                                \
    X(retry_of, retry_of)                                                                                              \
    X(retry_of_created_ms, retry_of_created_ms)                                                                        \
    X(retried_by, retried_by)                                                                                          \
    X(retried_by_created_ms, retried_by_created_ms)

/* …and what JOB_UPDATE changes. */
#define JOB_MOVING(X)                                                                                                  \
    X(state, state)                                                                                                    \
    X(succeeded, counts.succeeded)                                                                                     \
    X(failed, counts.failed)                                                                                           \
    X(cancelled, counts.cancelled)                                                                                     \
    X(positions, positions)                                                                                            \
    X(started_ms, started_ms)                                                                                          \
    X(ended_ms, ended_ms)                                                                                              \
    X(expires_ms, expires_ms)                                                                                          \
    X(uploading, uploading)                                                                                            \
    X(open, options.open)

#define JOB_COLUMN_NAME(column, member) ", " #column

/* In the order that sqlite_read_job_row() reads. */
#define JOB_COLUMNS                                                                                                    \
    "seq, deleted, function, name, reason, client, traceparent" JOB_FIXED(JOB_COLUMN_NAME) JOB_MOVING(JOB_COLUMN_NAME)

#endif
