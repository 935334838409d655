/* engine: all that HTTP sees of it.
 *
 * One thread owns all live state (jobs, slices, workers, waiting requests). Everybody else puts a request into its
 * mailbox and gets it back through `done`, which is called on the engine thread exactly once and must only hand over
 * (e.g. mark ready and resume a connection). A request, and all it points to, belongs to the engine from engine_ask()
 * until `done`. A request with a deadline comes back at the latest then, with what there is. At shutdown all come back
 * with ENGINE_SHUTDOWN, but those that wait for the end of an accepted job: as if their time were over.
 *
 * The engine knows jobs that have not ended, and ended ones for as long as somebody follows them. Of all others it says
 * ENGINE_NOT_LIVE: then the answer is in the store (a reader). A job is only NOT_LIVE once its end is committed. */
#ifndef POOLD_ENGINE_ENGINE_H
#define POOLD_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/config.h"
#include "base/histogram.h"
#include "base/job.h"
#include "base/mailbox.h"
#include "objects/objects.h"
#include "store/store.h"
#include "wire/limits.h"

struct engine;
struct manifest_set;

enum engine_status {
    ENGINE_OK,
    ENGINE_NOT_LIVE,         /* look into the store */
    ENGINE_TIMEOUT,          /* the deadline came first (ask_results: nothing new; others: see view) */
    ENGINE_SHUTDOWN,         /* the service ends: 503 */
    ENGINE_DRAINING,         /* submissions while draining: 503 */
    ENGINE_STARTING,         /* no worker has said hello yet, so functions are unknown: 503 */
    ENGINE_NO_FUNCTION,      /* 422/404: no function of that name */
    ENGINE_BUSY_KEY,         /* 409: the first request with this Idempotency-Key is in flight */
    ENGINE_OTHER_BODY,       /* 422: the key was used with another body */
    ENGINE_NOT_OPEN,         /* 409: items for a job that is not open */
    ENGINE_ENDED,            /* 409: cancel of a job that has ended */
    ENGINE_NOT_ENDED,        /* 409: delete of a job that has not ended */
    ENGINE_TOO_MANY,         /* 413/429: items of the job, or jobs, over the limit */
    ENGINE_CLIENT_JOBS,      /* 429: the client has as many unfinished jobs as it may */
    ENGINE_OVER_CEILING,     /* 422: an option is beyond what the function's manifest allows; `problem` says which */
    ENGINE_STORE_FULL,       /* 507 */
    ENGINE_STORE_FAILED,     /* 503; the outcome is unknown */
};

/* Some consecutive items on their way in, as they will be stored. */
struct engine_chunk {
    struct engine_chunk *next;
    uint32_t count;
    struct blob *items;   /* count items, each ended by '\n', ≤ CHUNK_BYTES_MAX unless one item; a reference */
    struct blob *origins; /* retry: count × uint32; else NULL; a reference */
};
struct engine_chunk *engine_chunk_new(uint32_t count, struct blob *items); /* takes the reference over */
void engine_chunk_free(struct engine_chunk **list);                          /* the whole list; sets NULL */

enum engine_request_type {
    ASK_SUBMIT,   /* a new job */
    ASK_APPEND,   /* more items; `last`: and no more to come; `abort`: the upload broke, cancel the job */
    ASK_JOB,      /* one job's view; with deadline: when it ends */
    ASK_VIEWS,    /* live views of several jobs at once */
    ASK_RESULTS,  /* the next results of a live job */
    ASK_ITEM,     /* what a live job knows of one item */
    ASK_CANCEL,
    ASK_DELETE,
    ASK_POOL,     /* workers, pool size, functions, counters */
    ASK_RESIZE,
    ASK_OBJECT,         /* one operation on a shared object; answered once all that it saw or did is committed */
    ASK_OBJECT_GIVE_UP, /* the client of a waiting ASK_OBJECT is gone */
};

enum { ENGINE_BATCHES_MAX = 64 };

struct engine_request {
    struct mail mail; /* first */
    enum engine_request_type type;
    enum engine_status status;  /* out */
    void (*done)(struct engine_request *);
    void *owner;                /* the asker's */
    int64_t deadline_ns;        /* clock_mono_ns; 0 = answer at once (RESULTS, JOB, SUBMIT: no waiting) */
    struct { struct engine_request *next, **link; } waiting, timed; /* the engine's: by job, by deadline */
    int64_t waits_for;          /* the engine's: seq of the job it waits with */
    int64_t seq;                /* in: the job (all but SUBMIT, VIEWS, POOL, RESIZE); out: SUBMIT */
    int64_t created_ms;         /* in: from the id, 0 = any; a mismatch is NOT_LIVE */
    struct job_view view;       /* out: SUBMIT, APPEND, JOB, CANCEL, RESULTS (when ended) */
    union {
        struct {
            char function[65];
            enum job_kind kind;
            struct job_options options;
            unsigned asked;              /* OPTION_…: those that the request gave; others are the function's to set */
            char problem[256];           /* out: OVER_CEILING */
            struct engine_chunk *chunks; /* taken over */
            char key[256];               /* Idempotency-Key or "" */
            uint64_t fingerprint;
            struct job_origin origin;
            unsigned client_jobs;        /* so many unfinished jobs the client of the origin may have; 0 = any */
            bool uploading;              /* more chunks follow by ASK_APPEND of the same HTTP request: answered when
                                            committed; the job is cancelled if an `abort` comes, or no `last` before a restart */
            int64_t retry_of;            /* seq of the first job or 0 (its created_ms in retry_of_created_ms) */
            int64_t retry_of_created_ms;
            bool wait;                   /* answer when the job has ended (deadline_ns: or then); an apply that is
                                            waited for is dispatched before its commit, and both share one */
            bool replayed;               /* out: the key named an earlier job; view is that job's (or NOT_LIVE) */
            struct blob *line;           /* out: apply that has ended: its result line (a reference) */
        } submit;
        struct {
            struct engine_chunk *chunks; /* taken over; may be NULL */
            bool last, abort;
            char reason[160];            /* abort: why */
            bool uploading;              /* in: this is the upload of the job's own POST (job need not be `open`) */
        } append; /* answered when committed; view.counts.total says how many items the job has */
        struct {
            int64_t *seqs;               /* count; the asker's memory */
            struct job_view *views;      /* out: views[i].seq is 0 when not live */
            unsigned count;
        } views;
        struct {
            bool input_order;
            uint32_t from;               /* next position, or next index */
            struct store_batch batches[ENGINE_BATCHES_MAX]; /* out: committed; the first holds `from`; consecutive in
                                            that order; each `lines` is a reference for the asker (or NULL: cancelled) */
            unsigned count;              /* out */
            bool in_store;               /* out: `from` is committed but no longer in memory: read the store, ask again */
            bool ended;                  /* out: the job has ended and nothing follows these batches */
        } results; /* comes back when there is something, the job ended, or the deadline came */
        struct {
            uint32_t index;
            enum { ITEM_READY, ITEM_RUNNING, ITEM_WAITING, ITEM_DONE } state; /* out; DONE: see the store */
            uint32_t attempt;            /* out: the current or next one */
            int64_t started_ms;          /* out: running */
            unsigned slot;               /* out: running */
            struct blob *progress;       /* out: running: what it last said of itself, JSON; a reference or NULL */
            int64_t due_ms;              /* out: waiting; 0: it runs and waits for an object (waits_for, slot …) */
            char waits_for[160];         /* out: waiting: "queue results (get)" or "" */
        } item;
        struct {
            struct engine_pool *pool;    /* out: free with engine_pool_free */
        } pool;
        struct {
            unsigned processes;          /* 1…PROCESSES_MAX */
        } resize;
        struct {
            struct object_call *call;    /* the asker's, zeroed and filled in (kind, name, op, args, deadline_ns,
                                            holder_name); the engine sets holder, done, owner, gone. ENGINE_OK: its
                                            status and answer tell (the asker frees `answer` and `kept` in any case).
                                            STORE_FULL, STORE_FAILED, SHUTDOWN: do not look into it */
            bool (*gone)(struct engine_request *); /* may be NULL; engine thread, before a waiting call is served: true
                                            when its client has vanished, so that it takes nothing */
            bool waiting;                /* the engine's, and this too: */
            void *core;
        } object;
        struct {
            struct engine_request *request; /* ASK_OBJECT; must stay valid until this one comes back, also when it has
                                            come back already. It takes nothing any more, and comes back (SHUTDOWN) */
        } give_up;
    };
};

enum worker_state { WORKER_STARTING, WORKER_READY, WORKER_RUNNING, WORKER_WAITING, WORKER_STOPPING };
const char *worker_state_name(enum worker_state);

struct engine_worker {
    unsigned slot, generation, pid;
    enum worker_state state;
    bool extra;
    int64_t job_seq, job_created_ms; /* 0 = none */
    char function[65];
    uint32_t index, attempt;         /* of the running item */
    int64_t since_ms;                /* wall: in this state, or the item's start */
    uint64_t items_done;             /* by this process */
    unsigned restarts;               /* of this slot */
    char waits_for[160];             /* WAITING: "queue results (get)" */
};

/* Why a slot got a new process. */
enum restart_cause {
    RESTART_RETIRED, /* it left by itself, with status 0: it had done its share */
    RESTART_CRASH,
    RESTART_MEMORY,
    RESTART_TIMEOUT,
    RESTART_CANCEL,
    RESTART_PROTOCOL,
    RESTART_RESIZE,
    RESTART_HELLO, /* no first sign in time */
    RESTART_SHUTDOWN,
    RESTART_CAUSES
};
const char *restart_cause_name(enum restart_cause);

struct engine_counters {
    uint64_t jobs_accepted, jobs_ended[7]; /* by job_state */
    uint64_t items_succeeded, items_failed, items_cancelled, attempts_failed[FAILURES];
    uint64_t stale_frames, stale_results;  /* dropped by the fences */
    uint64_t worker_restarts[RESTART_CAUSES];
    uint64_t slices, steals;
    struct histogram item_run;             /* of slices that ended: their mean, for each of their items */
    struct histogram jobs_took[JOB_KINDS]; /* by job_kind: from acceptance until the end is committed */
};

/* Of one function: items that ended, and how long its workers were busy with them. */
struct function_counters {
    uint64_t succeeded, failed, cancelled;
    uint64_t run_ns;
};
struct engine_function {
    char name[65];
    struct function_counters items;
};

/* What keeps functions in (workers/sandbox), as workers tell. */
struct engine_sandbox {
    bool known;        /* one has told */
    unsigned guards;   /* GUARD_… (messages.h) */
    unsigned landlock; /* ABI of the kernel; 0 = none */
    unsigned uid;
    char missing[200]; /* why a guard is not in force, one reason a line; "" = all are */
};

/* A snapshot for /v1/workers, /v1/pool, /v1/functions, /readyz, /metrics. */
struct engine_pool {
    unsigned processes, cpu_count, ready, running, starting;
    unsigned waiting; /* of those running: their items wait for objects */
    char stuck[160]; /* all workers of the pool wait for objects while items are ready: what that means; or "" */
    bool draining, storage_failed, storage_full, functions_known;
    struct engine_sandbox sandbox; /* of the least protected worker */
    unsigned jobs_live;
    int64_t items_queued;
    unsigned worker_count;
    struct engine_worker *workers;
    unsigned function_count;
    struct engine_function *function_counters; /* of those that can be called, or could since the server started */
    struct blob *functions; /* JSON array: all that can be called, as /v1/functions shows it; NULL while unknown */
    char functions_problem[512]; /* why the last reload was refused (the set before it is in force), or "" */
    struct engine_counters counters;
    struct object_counters objects;
    struct store_stats store;
};
void engine_pool_free(struct engine_pool **);

/* Any thread. */
void engine_ask(struct engine *, struct engine_request *);
/* The store, for readers. */
struct store *engine_store(struct engine *);

/* ---- for main.c only ---- */

/* The manifests in the configured folders; NULL with the error when any is not right. */
struct manifest_set *engine_functions(const struct config *, struct error *);
/* Starts the engine thread: reads what is unfinished and the old scoreboard, says server_up on control_fd, takes
 * workers. Returns once recovery is done, or NULL with the error. `store` must be started. */
struct engine *engine_start(const struct config *, const struct manifest_set *, struct store *, int control_fd,
                            int scoreboard_fd, struct error *);
/* Waits (at most timeout_ms) for the first worker's hello, so that functions are known, and then (at most 5 s more)
 * until every manifest has told what it offers or why it cannot. False: no hello. */
bool engine_wait_functions(struct engine *, unsigned timeout_ms);
/* Tells the supervisor that requests are accepted on this port. */
void engine_announce(struct engine *, unsigned port);
/* What the supervisor has told, for the others in the server; called by engine_wait_end(), on its thread. */
struct engine_told {
    void (*drain)(void *context);  /* draining has begun */
    void (*reload)(void *context); /* SIGHUP: several may be told as one. The engine has taken its own part */
    void *context;
};
/* Blocks until the service shall end: drained, supervisor gone, or storage failed. Returns the exit status
 * (0, EX_UNAVAILABLE 69, EX_IOERR 74). */
int engine_wait_end(struct engine *, const struct engine_told *);
/* Joins the thread, stops the store's (store_stop), gives all requests back (on the calling thread). HTTP must ask
 * nothing after. */
void engine_stop(struct engine **);

#endif
