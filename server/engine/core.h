/* core: the engine without its thread – live jobs, workers, slices, waiting requests – as plain data and functions that
 * take events and act through ports. So a test runs it in simulated time with the store's twin, thousands of seeds a
 * second (tests/unit/engine_test.c); engine.c runs it on a libuv loop.
 *
 * Who does what (each file a concern, all on the engine thread):
 *   ranges    sets of item indices              lines      checks result lines
 *   jobs      life of a job, its state          chunks     item texts: cached, dropped, loaded again
 *   schedule  whose turn it is, how much        dispatch   slices to idle workers
 *   slice     results, from frames or outbox    workers    coming, going, time, blame
 *   attempts  failures: retry or final          commit     one transaction a turn, and what follows it
 *   follow    waiting requests, recent results  submit     new jobs, more items
 *   requests  the table of requests             recover    what the last life left
 *   functions what can be called, and when      definitions the manifests in force, their state
 *   probes    finding out what they offer       catalog    the list for GET /v1/functions
 *   journal   what the log is told of them      clients    how many unfinished jobs each has
 *   sandbox   what is in force around workers
 *   shared…   objects that tasks and clients share
 *
 * The way of an item: ready range → slice → worker → checked line → batch with a position → (commit) → recent + store
 * → whoever follows. Nothing is shown before its commit. */
#ifndef POOLD_ENGINE_CORE_H
#define POOLD_ENGINE_CORE_H

#include <stdio.h>
#include <sys/queue.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/log_limit.h"
#include "engine/engine.h"
#include "engine/ranges.h"
#include "wire/messages.h"
#include "wire/scoreboard.h"
#include "wire/workbench.h"

enum {
    PRIORITIES = 10,
    INTERRUPTED_MAX = 3,       /* an item that was running at this many deaths of the service is not tried again */
    JOBS_LIVE_MAX = 100000,    /* live jobs: ~2 KB each */
    RECENT_JOB_BATCHES = 8192, /* of one item each they are small, and looking for one takes time */
    LOADS_MAX = 64,            /* chunks on their way from the store at once: each is up to 256 KiB */
    WAITING_MAX = 65536,       /* items of one job that wait for another attempt: beyond it nothing new starts */
    LINGER_MAX = 256,          /* ended jobs kept for followers that are just reading their last results… */
    RECENT_DEFINITIONS = 8,    /* that a worker is remembered to have run */
    PROGRESS_BYTES_MAX = 4096,
};
#define LINGER_NS (2 * NS_PER_S) /* …for this long */
#define TICK_NS (20 * NS_PER_MS)
#define DEFER_NS (5 * NS_PER_MS) /* an apply that is waited for shares its result's commit if that comes this soon */
#define CANCEL_PATIENCE_NS (50 * NS_PER_MS) /* a running item may end by itself before its worker is stopped */
#define SLICE_TARGET_NS (10 * NS_PER_MS)
#define STEAL_AFTER_NS (20 * NS_PER_MS)
#define STEAL_UNBEGUN_NS NS_PER_S /* of a slice that its worker has not begun */
#define FULL_RETRY_NS NS_PER_S
#define BACKSTOP_NS                                                                                                    \
    (2 * NS_PER_S) /* workers end the items of exec and runtime functions themselves, and have kill_grace              \
                      plus this for it */
#define SPACE_NS (50 * NS_PER_MS) /* between looks at the free space: a fast disk takes ~50 MB meanwhile */
#define ITEMS_CACHE_BYTES                                                                                              \
    ((size_t)32 << 20)                      /* 10 M integers uploaded while they run: 1.15 x the time per item of      \
                                               100,000 with it, 1.3 x with 16 MiB (chunks loaded again) */
#define ITEMS_AHEAD_BYTES ((size_t)1 << 20) /* of one job, when the cache is full */
#define TURN_BYTES_MAX                                                                                                 \
    ((size_t)2 << 20) /* results that wait for their commit: no new slices meanwhile. Also bounds                      \
                       how long a small commit waits behind a large one: p99 of an apply beside                        \
                       a map of 1 M was 133 ms with 32 MiB, 68 with 4, 41 with 1 */
#define RECENT_JOB_BYTES ((size_t)4 << 20)
#define RECENT_ALL_BYTES ((size_t)24 << 20)

struct core;
struct definition;
struct function;
struct manifest_set;
struct shared;
struct callers;

/* What the core does to the world. */
struct core_ports {
    void *context;
    int64_t (*now_ns)(void *);
    int64_t (*wall_ms)(void *);
    /* Sends a slice; an error shows later as the worker's death. */
    void (*run)(void *, unsigned slot, unsigned generation, const struct message_run *, const char *items,
                size_t length);
    /* Before the first run or probe that names it. */
    void (*define)(void *, unsigned slot, unsigned generation, uint32_t definition, const char *text);
    void (*probe)(void *, unsigned slot, unsigned generation, uint32_t definition); /* answered by core_worker_offer */
    void (*answer)(void *, unsigned slot, unsigned generation, const struct message_answer *, const char *text,
                   size_t length);
    bool (*worker_left)(void *, unsigned slot, unsigned generation); /* its channel is closed at the other end */
    void (*stop_worker)(void *, unsigned slot, unsigned generation, enum stop_cause, unsigned grace_ms);
    void (*release_worker)(void *, unsigned slot,
                           unsigned generation); /* idle and no longer wanted: close its channel */
    void (*worker_ready)(void *, unsigned slot, unsigned generation, unsigned pid);
    void (*spawn_extra)(void *, uint64_t request);
    void (*resize)(void *, unsigned processes);
    void (*write)(void *, struct store_write *); /* comes back by core_written */
    void (*load)(void *, struct store_load *);   /* … core_loaded */
    void (*reap)(void *, struct store_reap *);   /* … core_reaped */
    void (*storage_failed)(void *);              /* the fate of a commit is unknown: end the service */
};

/* Stored items of a job; `items` NULL: in the store only. */
struct item_chunk {
    TAILQ_ENTRY(item_chunk) link;
    uint32_t first, count;
    struct blob *items;
    uint32_t cursor; /* items before the cursor lie before cursor_offset */
    size_t cursor_offset;
};

TAILQ_HEAD(item_chunk_list, item_chunk);

/* An item that failed and will be tried again, or was interrupted before. */
struct item_trouble {
    UT_hash_handle hh;
    uint32_t index;       /* key */
    uint32_t failures;    /* attempts that count */
    uint32_t interrupted; /* attempts that do not */
    bool waiting;         /* for due_ns */
    int64_t due_ns;
};

struct job {
    UT_hash_handle hh;       /* by view.seq */
    struct job_view view;    /* what is true once all writes so far are committed */
    struct job_counts shown; /* what is committed */
    int64_t shown_positions;
    enum job_state shown_state;
    unsigned pins; /* turns and writes in flight that name it */

    bool deferred;  /* not yet given to the store: an apply that is waited for */
    bool dirty;     /* its row must be updated at the end of the turn */
    bool accepted;  /* given to the store, before anything else of it */
    bool stored;    /* …and committed: nobody outside hears of it before */
    bool stopping;  /* cancelled or failing fast: nothing new starts */
    bool cancelled; /* …by request */
    bool ended;     /* its end is committed */
    bool ending;    /* its end is in a write */
    int64_t accepted_ns, not_before_ns, ended_ns, stopping_ns;
    char *key; /* Idempotency-Key, until committed; in core.keys */
    UT_hash_handle key_hh;
    uint64_t fingerprint;

    bool starved; /* its next items are being loaded */
    bool stolen;  /* an idle worker had to steal from its slices: they are too large to share it out */
    bool hurry;   /* …and have come: to the head of its queue */
    enum { TIMED_NOT, TIMED_SOON, TIMED_LATER } timed; /* in core.timed or core.later: something depends on time */
    TAILQ_ENTRY(job) timed_link;
    struct function *function; /* counted by it */
    struct client *client;     /* counted by it until it has ended, or NULL */
    /* Of its failed attempts: lines in the log (1: those that are no mere error), and those left out there. */
    unsigned told[2], untold;
    bool trusting; /* accepted while its function was not known yet: if there turns out to be none, its items fail */

    struct ranges ready;     /* items nobody runs */
    struct ranges committed; /* items whose results are committed */
    struct item_chunk_list chunks;
    size_t items_bytes; /* of cached chunks */
    unsigned loads;     /* under way */
    struct item_trouble *troubles;
    uint32_t waiting;    /* troubles with waiting set */
    int64_t next_due_ns; /* none of them is due before */
    uint32_t workers;    /* that hold a slice of it */
    uint32_t spawning;   /* extra workers on their way for it */

    struct run_queue *queue; /* that it is in, or NULL: the pool's, the extras', or its function's gate */
    TAILQ_ENTRY(job) runnable;

    struct store_batch *recent; /* ring of committed batches, by position; recent[(recent_start+i) % capacity] */
    unsigned recent_start, recent_count, recent_capacity;
    size_t recent_bytes;
    bool remembered; /* in core.remembered */
    TAILQ_ENTRY(job) recent_link;

    bool appending;                   /* an append write is in flight (one at a time: no holes) */
    struct engine_request *appends;   /* requests that wait for their turn, oldest first */
    struct engine_request *followers; /* RESULTS, JOB, SUBMIT and CANCEL requests that wait */
    TAILQ_ENTRY(job) lingering;
};
TAILQ_HEAD(job_list, job);

struct run_queue {
    struct job_list levels[PRIORITIES];
    uint64_t pass[PRIORITIES]; /* stride scheduling: the level with the least pass is next */
    uint64_t now;
};

struct worker {
    bool present, ready, extra, stopping, releasing;
    bool late; /* stopped because it took too long to load a function */
    bool garbled; /* its channel: which of its items wrote there cannot be seen */
    bool dead; /* its slice is being judged: nothing may be taken back from it meanwhile */
    unsigned slot, generation, pid;
    uint64_t request; /* extra */
    struct workbench *bench;
    struct scoreboard_slot *board;
    int64_t since_ms;
    uint64_t items_done;
    unsigned restarts;
    struct engine_sandbox sandbox; /* around it */
    enum stop_cause stop_cause;
    enum restart_cause ended; /* of the process before, kept while the slot is empty */
    /* the slice it runs; job NULL = idle */
    struct job *job;
    struct blob *items;
    uint64_t run;
    uint32_t first, count, received, attempt;
    int64_t started_ns;
    struct function *function;
    struct definition *definition; /* of that slice, a reference; NULL = built in */
    struct blob *progress;         /* what the running item last said of itself, or NULL */
    uint32_t progress_index;
    struct callers *callers; /* its items that used shared objects (shared.h), or NULL */
    /* what it knows and what is warm in it (probes.c) */
    struct definition *probe; /* that it is loading, a reference, or NULL; counts as busy */
    int64_t probe_until_ns;
    uint32_t *defined; /* definitions that it was sent */
    size_t defined_count, defined_capacity;
    uint32_t recent[RECENT_DEFINITIONS]; /* that it ran, the last one first */
};

/* What follows the commit of a turn. */
struct effect {
    STAILQ_ENTRY(effect) link;
    enum { EFFECT_BATCH, EFFECT_JOB, EFFECT_REPLY } type;
    struct job *job;
    struct store_batch batch; /* BATCH */
    struct job_counts counts; /* JOB */
    int64_t positions;
    enum job_state state;
    struct engine_request *request; /* REPLY */
};
STAILQ_HEAD(effect_list, effect);

struct turn {
    struct store_write *write;
    struct effect_list effects; /* in order, first */
    struct effect_list replies; /* then these, so that they tell of the state after them */
    bool refused;               /* its write came back undone: to be tried again (not one that is still at the store) */
    struct core *core;
};

struct core {
    const struct config *config;
    struct core_ports ports;
    struct store_reader *reader;
    int64_t last_seq;
    uint64_t last_run, last_request;

    struct job *jobs; /* live, by seq */
    unsigned job_count;
    struct client *clients; /* that have unfinished jobs, by name */
    struct job *keys; /* those whose key is not committed yet, by key */
    struct job_list lingering;
    unsigned lingering_count;
    struct job_list timed, later; /* looked at every tick; once a second */
    int64_t later_ns;
    struct engine_request *timed_requests;
    struct job **dirty; /* jobs to update at the end of the turn */
    size_t dirty_count, dirty_capacity;
    struct run_queue pool_queue, extra_queue;
    size_t items_bytes, recent_bytes;
    unsigned loads;             /* under way, of all jobs */
    struct job_list remembered; /* jobs with recent batches, the one whose last came first at the head */

    struct worker workers[WORKERS_MAX];
    unsigned worker_top; /* slots below it may be present */
    unsigned processes, cpu_count;
    unsigned extras;                /* present or asked for */
    struct engine_sandbox sandbox;  /* of the least protected worker */
    struct function *functions;     /* by name */
    TAILQ_HEAD(, function) gated;   /* those at whose gate jobs wait */
    struct definition *definitions; /* in force, by name of the manifest */
    uint32_t last_definition;
    int64_t probe_ns;            /* no definition is to be probed before */
    struct blob *builtins;       /* as the first hello told them; NULL before */
    struct blob *catalog;        /* for GET /v1/functions; NULL = to be built again */
    char functions_problem[512]; /* why the last reload was refused */

    struct turn *turn;   /* being filled */
    struct turn *flying; /* at the store: one at a time, so that positions commit in order */
    bool storage_full, storage_failed;
    bool full_told; /* in the log, and not its end yet */
    int64_t full_retry_ns;
    bool space_low;   /* under the low-water mark: nothing new */
    int64_t space_ns; /* when to look again */
    struct store_reap reap;
    bool reaping;
    bool reap_soon; /* there are millions of small rows: at every tick */
    int64_t reap_ns;

    struct shared *shared;
    bool draining;
    unsigned handed_back; /* items, at the end of the drain */
    bool closing; /* the store takes nothing any more */
    struct engine_counters counters;
    struct log_limit failures_told, ends_told; /* lines in the log, of items and of workers */
    struct store *store; /* for statistics only */
};

/* ---- events (engine.c or a test calls these) ---- */
void core_init(struct core *, const struct config *, const struct core_ports *, struct store *, struct store_reader *);
/* recover.c: reads what the last life left; board may be NULL. */
int core_recover(struct core *, const struct scoreboard *, struct error *);
void core_request(struct core *, struct engine_request *);
void core_worker_new(struct core *, unsigned slot, const struct message_worker_new *, unsigned generation,
                     struct workbench *, struct scoreboard_slot *);
void core_worker_hello(struct core *, unsigned slot, unsigned generation, const struct message_hello *,
                       const char *functions, size_t length);
void core_worker_result(struct core *, unsigned slot, unsigned generation, const struct message_result *,
                        const char *lines, size_t length);
void core_worker_output(struct core *, unsigned slot, unsigned generation, const struct message_output *,
                        const char *bytes, size_t length);
void core_worker_offer(struct core *, unsigned slot, unsigned generation, const struct message_offer *,
                       const char *offers, size_t length);
void core_worker_progress(struct core *, unsigned slot, unsigned generation, const struct message_progress *,
                          const char *json, size_t length);
/* shared_tasks.c: an item asks something of a shared object. `deaf`: its worker is gone already, so only what needs no
 * answer is done. */
void core_worker_call(struct core *, unsigned slot, unsigned generation, const struct message_call *, const char *text,
                      size_t length, bool deaf);
void core_worker_nonsense(struct core *, unsigned slot, unsigned generation); /* by the first item without a result */
void core_worker_garbled(struct core *, unsigned slot, unsigned generation);  /* bytes that are no frame: by any of them */
/* After its channel has been drained. The workbench is unmapped by the caller after this. */
void core_worker_gone(struct core *, unsigned slot, unsigned generation, const struct message_worker_gone *);
void core_pool_state(struct core *, const struct message_pool_state *);
/* These manifests are in force from now on (it takes references of its own); running slices keep what they have. */
void core_functions(struct core *, const struct manifest_set *);
/* A reload was refused: the set before it stays in force. */
void core_functions_refused(struct core *, const char *problem);
/* The built-in functions are known, and every manifest has told what it offers or why it cannot. */
bool core_functions_settled(const struct core *);
void core_written(struct core *, struct store_write *);
void core_loaded(struct core *, struct store_load *);
void core_reaped(struct core *, struct store_reap *);
/* Every TICK_NS while core_busy, each second otherwise: timeouts, delays, retries, deadlines, retention. */
void core_tick(struct core *);
bool core_busy(const struct core *);
/* When core_turn_end should come again, though nothing happens: INT64_MAX, or when something of the shared objects is
 * due (waits, leases: in ms, so the tick is too coarse). */
int64_t core_due_ns(const struct core *);
/* After every batch of events: dispatches, and gives the turn to the store. */
void core_turn_end(struct core *);
void core_drain(struct core *);
/* The grace is over: stops what still runs. Its items are handed back, to run again in the next life, and no failure
 * counts against them. */
void core_hand_back(struct core *);
/* Draining and nothing runs and nothing is unwritten. */
bool core_drained(const struct core *);
/* Gives back all requests; frees everything. */
void core_shutdown(struct core *);

/* ---- jobs.c ---- */
struct job *job_find(struct core *, int64_t seq, int64_t created_ms);
struct job *job_find_stored(struct core *, int64_t seq, int64_t created_ms); /* for those outside */
struct job *job_new(struct core *);
/* The one place where a job's state moves; forbidden moves abort. */
void job_set_state(struct core *, struct job *, enum job_state);
bool job_state_allowed(enum job_state from, enum job_state to);
void job_touch(struct core *, struct job *); /* its row must be written */
/* Ends it if nothing is left to do; puts it into or out of its run queue. Call after every change. */
void job_settle(struct core *, struct job *);
/* Nothing new starts; ready items become cancelled. `by_request` makes the end `cancelled`, otherwise `failed`. */
void job_stop(struct core *, struct job *, bool by_request, const char *reason);
void job_view_of(const struct core *, const struct job *, struct job_view *);
void job_ended(struct core *, struct job *);   /* its end is committed */
void job_release(struct core *, struct job *); /* frees it once nothing needs it */
void job_free(struct core *, struct job *);
void job_time(struct core *, struct job *); /* let jobs_tick look at it */
void jobs_tick(struct core *, int64_t now);

/* ---- chunks.c ---- */
void chunks_add(struct core *, struct job *, uint32_t first, uint32_t count, struct blob *items);
/* The texts of [index, index+most) within one chunk, or NULL when a load is under way (the job comes back then).
 * *count is how many; *bytes/length where; the blob stays valid while referenced. */
struct blob *chunks_slice(struct core *, struct job *, uint32_t index, uint32_t most, uint32_t *count,
                          const char **bytes, size_t *length);
void chunks_passed(struct core *, struct job *, uint32_t index); /* items below are dispatched: drop their texts */
void chunks_free(struct core *, struct job *);

/* ---- schedule.c ---- */
void queue_init(struct run_queue *);
void queue_put(struct run_queue *, struct job *); /* at the tail of its level; out of the one it was in before */
void queue_remove(struct job *);
struct job *queue_next(struct run_queue *);          /* whose turn it is (stays in the queue), or NULL */
void queue_charge(struct run_queue *, struct job *); /* it got a slice: to the tail, its level pays */
bool queue_empty(const struct run_queue *);
uint32_t slice_size(const struct core *, const struct job *);
void cost_learn(struct function *, uint32_t items, int64_t ns);
/* A slice that is still running shows that items take longer than was thought: the next ones are smaller at once. */
void cost_at_least(struct function *, int64_t ns);

/* ---- dispatch.c ---- */
void dispatch(struct core *);
/* It has items to run, and may: as far as the job itself is concerned, and its function too. */
bool job_wants(const struct job *);
bool job_runnable(const struct job *);
void job_queue(struct core *, struct job *);  /* into the queue, to the gate, or out of both */
void job_admit(struct core *, struct job *);  /* into the queue: it is its turn at the gate */
void job_begins(struct core *, struct job *); /* the first of its items does */
/* Gives an idle worker the next slice of a job; false when its items must be loaded first. */
bool slice_start(struct core *, struct worker *, struct job *);
bool worker_is_idle(const struct core *, const struct worker *);
struct worker *worker_idle(struct core *);

/* ---- slice.c ---- */
/* A checked run of lines becomes a batch with a position; takes the reference over. */
void batch_put(struct core *, struct job *, uint32_t first, uint32_t count, uint32_t failed, struct blob *lines);
void slice_salvage(struct core *, struct worker *); /* dead: what it had finished and not sent */
void slice_peek(struct core *, struct worker *);    /* alive: the same */
void slice_end(struct core *, struct worker *);     /* its unfinished items have been dealt with */
void progress_drop(struct worker *);

/* ---- workers.c ---- */
void workers_tick(struct core *, int64_t now);
void job_stop_workers(struct core *, struct job *); /* those that run it, running items and all */
void stop_worker(struct core *, struct worker *, enum stop_cause);
void job_trim_slices(struct core *, struct job *); /* takes unstarted items of all its slices back to ready */
struct worker *worker_at(struct core *, unsigned slot, unsigned generation);

/* ---- attempts.c ---- */
struct attempt_end {
    enum failure failure;
    unsigned signal;
    int exit_code; /* -1 = none */
    const char *message;
    int64_t started_ms;
    uint32_t attempt;
    uint64_t limit, peak; /* memory: bytes; 0 = not told */
    unsigned pid;         /* isolation: process; 0 = not told */
    struct blob *line;    /* the worker's own error line, or NULL */
    const struct worker *worker; /* that it ran in; NULL: in none, or one of the last life */
};
/* An attempt did not succeed: recorded; the item waits for its next one or gets its final line. */
void attempt_failed(struct core *, struct job *, uint32_t index, const struct attempt_end *);
/* A failed line that is final and stays in its batch: only recorded. */
struct result_line;
void attempt_record(struct core *, struct job *, uint32_t index, const struct result_line *, const struct worker *);
/* It was running when the service (worker NULL), or its worker through no fault of its own, went away. */
void attempt_interrupted(struct core *, struct job *, uint32_t index, uint32_t attempt, int64_t started_ms,
                         const struct worker *);
/* Interrupted by a stop on purpose: recorded, with SIGTERM, but not counted. Else the same. */
void attempt_stopped(struct core *, struct job *, uint32_t index, uint32_t attempt, int64_t started_ms,
                     const struct worker *);
uint32_t attempt_number(const struct job *, uint32_t index);
void troubles_tick(struct core *, struct job *, int64_t now);
void trouble_free_all(struct job *);
void trouble_end(struct job *, uint32_t index); /* it has its result */
struct item_trouble *trouble_get(struct job *, uint32_t index);

/* ---- journal.c ---- */
void journal_accepted(const struct job *);
void journal_ended(const struct job *, int64_t took_ns);
void journal_failed(struct core *, struct job *, uint32_t index, const struct attempt_end *, bool again);
/* Before its slice is judged, which takes it away. */
void journal_worker_gone(struct core *, const struct worker *, const struct message_worker_gone *, enum restart_cause);
void journal_drain(const struct core *, bool begins, double seconds); /* that it may take; that it took */

/* ---- commit.c ---- */
struct job_view *view_copy(const struct job_view *);
struct turn *turn_current(struct core *);
void turn_effect(struct core *, struct effect);
void turn_flush(struct core *);
struct store_write *write_for(struct core *, void (*after)(struct core *, struct store_write *, void *), void *context);
void write_submit(struct core *, struct store_write *);
void write_finish(struct store_write *);
void turn_drop(struct core *, struct turn **);
void storage_broken(struct core *, const char *note); /* ends the service */
void storage_tick(struct core *, int64_t now);

/* ---- follow.c ---- */
void reply(struct engine_request *, enum engine_status);
void follow(struct core *, struct job *, struct engine_request *); /* waits with the job */
void follow_wake(struct core *, struct job *); /* something was committed: answer who can be answered */
void follow_deadlines(struct core *, int64_t now);
void recent_add(struct core *, struct job *, const struct store_batch *); /* takes the reference over */
void recent_free(struct core *, struct job *);
void unfollow(struct engine_request *);
/* At the end of the service: whoever waits for an accepted job gets what it is by now, others ENGINE_SHUTDOWN. */
void follow_give_back(struct core *, struct job *);
bool results_answer(struct core *, struct job *, struct engine_request *); /* true when there was an answer */

/* ---- submit.c ---- */
void submit(struct core *, struct engine_request *);
void append(struct core *, struct engine_request *);
void append_next(struct core *, struct job *);
void key_release(struct core *, struct job *);

/* ---- clients.c ---- */
/* From now on the job counts as one of its origin's client. */
void client_hold(struct core *, struct job *);
void client_release(struct core *, struct job *); /* again is fine */
/* Whether there is room for one more, with so many allowed (0 = any). */
bool client_may_submit(const struct core *, const char *name, unsigned most);

#endif
