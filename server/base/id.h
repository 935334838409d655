/* id: the public name of a job.
 *
 * A job has a sequence number (`seq`, 1…2^31-1, given by the engine, never reused) and its time of
 * creation. Its id is both, as 16 lower-case Crockford base-32 digits: 9 of wall ms, 7 of seq. So ids
 * sort by time, need no index of their own (seq is the key), and an id whose seq was given out but
 * whose row is gone is "deleted" (410), not "never existed" (404). Any thread. */
#ifndef POOLD_BASE_ID_H
#define POOLD_BASE_ID_H

#include <stdint.h>

#define JOB_ID_LENGTH 16
#define JOB_SEQ_MAX INT64_C(0x7fffffff)

/* Writes the 16 digits and a NUL. */
void job_id_format(char text[JOB_ID_LENGTH + 1], int64_t created_ms, int64_t seq);
/* 0, or -1 when `text` is not exactly an id (wrong length, digit, seq 0 or too large). */
int job_id_parse(const char *text, int64_t *created_ms, int64_t *seq);

#endif
