/* job_json: a job as clients see it. Pure. Any thread. */
#ifndef POOLD_HTTP_JOB_JSON_H
#define POOLD_HTTP_JOB_JSON_H

#include "base/blob.h"
#include "base/buf.h"
#include "base/job.h"

/* Appends the job; `result` NULL or the result line of an apply, whose value or error becomes a member. */
void job_write(struct buf *, const struct job_view *, const struct blob *result);
/* The line that ends a result stream (with its newline). */
void job_write_end(struct buf *, const struct job_view *);
void job_write_counts(struct buf *, const struct job_counts *);
/* "2024-05-06T07:08:09.012Z", or null for 0. */
void time_write(struct buf *, int64_t wall_ms);
/* Appends `"value":…` or `"error":…` of a result line, and what stands behind it, verbatim. False when it has none. */
bool result_write_outcome(struct buf *, const char *line, size_t length);
/* The result line of an item that was cancelled before it ran. */
void result_write_cancelled(struct buf *, uint32_t index);

#endif
