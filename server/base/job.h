/* job: the words that store, engine and HTTP share for a job: its states, its options, its counts.
 *
 * Plain data, copied freely; no behaviour but the names of the states. */
#ifndef POOLD_BASE_JOB_H
#define POOLD_BASE_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stored as these numbers: never renumber. */
enum job_state { JOB_OPEN = 1, JOB_READY, JOB_RUNNING, JOB_SUCCEEDED, JOB_FAILED, JOB_CANCELLED };
enum job_kind { JOB_MAP = 1, JOB_APPLY, JOB_STARMAP, JOB_KINDS };
/* Why an attempt or an item did not succeed; stored as these numbers. */
enum failure { FAILURE_NONE, FAILURE_ERROR, FAILURE_CRASH, FAILURE_TIMEOUT, FAILURE_MEMORY, FAILURE_INTERRUPTED,
               FAILURE_CANCELLED, FAILURE_TOO_LARGE, FAILURE_PROTOCOL, FAILURES };

const char *job_state_name(enum job_state);             /* "open" … */
int job_state_parse(const char *name, enum job_state *); /* 0 or -1 */
bool job_state_ended(enum job_state);
const char *job_kind_name(enum job_kind);               /* "map" "apply" "starmap" */
const char *failure_name(enum failure);                 /* "error" "crash" …; NULL for none */
int failure_parse(const char *name, size_t length, enum failure *);

enum isolation { ISOLATION_POOL, ISOLATION_PROCESS };

/* What a submission may ask for; job_options_default() gives the defaults. */
struct job_options {
    uint32_t chunksize;    /* 0 = automatic */
    uint32_t processes;    /* most workers at once; 0 = no limit */
    int64_t timeout_ms;    /* per attempt; 0 = none */
    uint32_t max_attempts; /* 1 */
    int64_t backoff_ms;    /* before the second attempt; doubles, ± 25 % jitter; 1000 */
    uint32_t priority;     /* 0…9, 5 */
    enum isolation isolation;
    bool fail_fast;
    int64_t delay_ms;      /* before the first item may start */
    int64_t retention_s;   /* after the end; -1 = the service's default */
    bool open;             /* more items may follow */
    char name[129];
};
struct job_options job_options_default(void);

/* Which options somebody spoke about: a request, a manifest's defaults or ceilings. */
enum {
    OPTION_CHUNKSIZE = 1 << 0, OPTION_PROCESSES = 1 << 1, OPTION_TIMEOUT = 1 << 2, OPTION_MAX_ATTEMPTS = 1 << 3,
    OPTION_BACKOFF = 1 << 4, OPTION_PRIORITY = 1 << 5, OPTION_ISOLATION = 1 << 6, OPTION_FAIL_FAST = 1 << 7,
    OPTION_RETENTION = 1 << 8,
};

/* Where a job came from; "" what there is not of it. */
struct job_origin {
    char client[65];      /* name of the token that it was submitted with; or, where jobs are counted, an address */
    char traceparent[56]; /* W3C Trace Context: the span of the client's that its items belong to */
};

struct job_counts {
    int64_t total, ready, running, waiting, succeeded, failed, cancelled;
};

/* A job as clients see it. */
struct job_view {
    int64_t seq;
    int64_t created_ms, started_ms, ended_ms, expires_ms; /* wall; 0 = not yet */
    char function[65];
    enum job_kind kind;
    enum job_state state;
    char reason[200];       /* why it was cancelled or failed as a whole; "" */
    struct job_options options;
    struct job_origin origin;
    struct job_counts counts;
    int64_t positions;      /* results committed so far (all orders) */
    int64_t retry_of;       /* seq of the job whose failed items these are; 0 */
    int64_t retry_of_created_ms;
    int64_t retried_by;     /* seq of the newest retry; 0 */
    int64_t retried_by_created_ms;
    bool uploading;         /* its own POST is still sending items */
    char waiting_for[200];  /* why its items cannot start now; "". Of live jobs only, never stored */
};

#endif
