/* store: what must outlive everything. The one header that the engine and HTTP see of it.
 *
 * Writes are transactions of operations, made by the engine, given to the store thread, which commits everything that
 * has queued up as one (group commit, synchronous=FULL) and then calls each one's `done`. Reads go through readers,
 * one per thread, which see only what is committed. Backends: sqlite/ and memory.c (tests); nothing here assumes that
 * this process is the only one that writes (a node id may come to stand beside the seq).
 *
 * Two kinds of rows carry the load: `chunk` (consecutive items as lines) and `result` (consecutive result lines).
 * `position` counts results in completion order, `first` items in input order. */
#ifndef POOLD_STORE_STORE_H
#define POOLD_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/error.h"
#include "base/histogram.h"
#include "base/job.h"
#include "base/mailbox.h"

struct store;

enum store_status {
    STORE_OK,
    STORE_FULL, /* no space: nothing of the transaction is there; may be tried again */
    STORE_IO,   /* the fate of the transaction is unknown: stop writing, say so, exit */
    STORE_NOT_FOUND,
    STORE_GONE, /* it was there once: deleted or expired */
};

/* ---- writing (engine thread makes, store thread executes) ---- */

enum store_op_type {
    STORE_JOB_PUT,     /* a new job: `job` (whole view), `key` may be set */
    STORE_JOB_UPDATE,  /* state, reason, positions, times, uploading, options.open, counts but total */
    STORE_JOB_GROW,    /* more items: job.counts.total only. Apart from UPDATE, because both are made from states of
                          their own time: an update made before the items came must not forget them, nor may items
                          that come carry counts of results that are not committed yet */
    STORE_JOB_LINK,    /* job.seq.retried_by = job.retried_by (and its created_ms) */
    STORE_JOB_DELETE,  /* invisible (GONE) from this commit on; rows are removed by STORE_REAP in slices */
    STORE_KEY_DROP,    /* forget the idempotency key of seq; else it lasts as long as the job's rows, and nobody
                           may be given it meanwhile: a JOB_PUT with a key that another holds aborts */
    STORE_CHUNK_PUT,   /* first, count, bytes = items, each ended by '\n'; origins may be set (retry) */
    STORE_RESULT_PUT,  /* position, first, count, failed, bytes = lines; bytes NULL: all `count` were cancelled */
    STORE_ATTEMPT_PUT, /* an attempt of item `first` that did not succeed */
    STORE_OUTPUT_PUT,  /* what item `first` printed in `attempt.number` on `stream`; bytes */
    /* Shared objects; `seq` is the object's id. Made by the three functions below. */
    STORE_OBJECT_PUT,  /* a new one, or another configuration; ids grow and are never given again */
    STORE_OBJECT_DROP, /* gone from this commit on, its name is free; entries are removed by STORE_REAP in slices */
    STORE_ENTRY_PUT,   /* new or another value */
    STORE_ENTRY_DROP,  /* may be missing */
    STORE_NOTHING,     /* what was an operation and is none any more */
};

struct store_attempt {
    uint32_t number; /* 1… ; interrupted ones repeat the number of the attempt they cost nothing */
    enum failure failure;
    uint32_t signal;              /* 0 = none */
    int32_t exit_code;            /* -1 = none */
    int64_t started_ms, ended_ms; /* wall */
    char message[200];
};

struct store_op {
    struct store_op *next;
    enum store_op_type type;
    int64_t seq;
    uint32_t first, count, failed, position, stream;
    struct blob *bytes;   /* a reference that the op holds */
    struct blob *origins; /* CHUNK_PUT of a retry: count × uint32 (native), the index in the first job; or NULL */
    struct job_view *job; /* JOB_PUT, JOB_UPDATE, JOB_GROW, JOB_LINK: owned copy (malloc) */
    struct store_attempt *attempt; /* ATTEMPT_PUT, OUTPUT_PUT (number only): owned (malloc) */
    char *key;                     /* JOB_PUT: Idempotency-Key or NULL; owned (malloc) */
    uint64_t fingerprint;          /* JOB_PUT with key: of the request */
    /* Objects and entries, in the op's own memory. ENTRY_PUT: a large value is in `bytes` instead (store_op_value). */
    uint32_t kind;
    uint32_t key_length; /* of the entry's key or the object's name, which comes first in `data` … */
    size_t length;       /* … then the value or configuration */
    char data[];
};

/* One transaction: all or nothing, committed before `done`. */
struct store_write {
    struct mail mail; /* first: travels in the store's mailbox */
    struct store_op *first, **last;
    size_t bytes; /* of all blobs, for the engine's accounting */
    enum store_status status;
    void (*done)(struct store_write *); /* called on the store thread; takes the write back */
    void *owner;
};
struct store_write *store_write_new(void);
/* Appends a zeroed op and returns it to be filled. */
struct store_op *store_write_add(struct store_write *, enum store_op_type, int64_t seq);
/* A new object or entry, or another configuration or value: bytes are copied. `bytes` of the write is not touched. */
struct store_op *store_write_object(struct store_write *, int64_t id, uint32_t kind, const char *name,
                                    const char *config, size_t length);
struct store_op *store_write_entry(struct store_write *, int64_t id, const void *key, size_t key_length,
                                   const void *value, size_t length);
struct store_op *store_write_entry_drop(struct store_write *, int64_t id, const void *key, size_t key_length);
const char *store_op_value(const struct store_op *); /* `length` bytes */
/* It will not be executed; its value is freed. */
void store_op_cancel(struct store_op *);
/* Frees it with all its ops; sets NULL; NULL is fine. */
void store_write_free(struct store_write **);

/* Loads the chunk of `seq` that holds item `index`, for dispatch; answered in turn by the store thread. */
struct store_load {
    struct mail mail;
    int64_t seq;
    uint32_t index;
    uint32_t first, count; /* out */
    struct blob *items;    /* out: a reference for the asker */
    enum store_status status;
    void (*done)(struct store_load *);
    void *owner;
};

/* Deletes at most `rows` chunk/result rows of deleted or expired jobs and entries of dropped objects, in its own
 * transaction, and gives space back (incremental vacuum). `more` says that there is more to do. */
struct store_reap {
    struct mail mail;
    int64_t now_ms;
    unsigned rows;
    bool more;
    bool entries; /* out: of a dropped object there are more: each row is small, and there may be millions */
    unsigned jobs_removed;
    enum store_status status;
    void (*done)(struct store_reap *);
    void *owner;
};

struct store_stats {
    uint64_t commits; /* transactions committed (= syncs, one each) */
    uint64_t checkpoints;
    struct histogram commit; /* how long transactions took: writes and reaps, also those that failed */
    int64_t wal_bytes, database_bytes;
    int64_t free_bytes; /* of the file system, as of the last look (≤ 40 ms old) */
};

/* The thread. store_start after opening; the three put calls may come from the engine thread only; store_stop
 * executes what is queued, checkpoints and joins. */
int store_start(struct store *, struct error *);
void store_put_write(struct store *, struct store_write *);
void store_put_load(struct store *, struct store_load *);
void store_put_reap(struct store *, struct store_reap *);
void store_stop(struct store *);
/* Without a thread (tests with a fake clock): executes all that is queued, on the calling thread. True if any was. */
bool store_turn(struct store *);
/* Any thread. */
void store_stats(struct store *, struct store_stats *);

/* Opens or creates `directory`/poold.db and migrates it; read_only after a storage error. NULL on error. */
struct store *store_open_sqlite(const char *directory, bool read_only, struct error *);
/* The twin in memory, for tests. */
struct store *store_open_memory(void);
/* Tests: the n-th commit from now (1 = next) ends with `status`. */
void store_fail_commit(struct store *, unsigned n, enum store_status status);
void store_close(struct store **);

/* ---- reading (one reader per thread; short keyed queries that leave no statement open) ---- */

struct store_reader;
struct store_reader *store_reader_open(struct store *, struct error *);
void store_reader_close(struct store_reader **);

/* OK, NOT_FOUND or GONE (deleted or expired at now_ms; or its seq was given out and its row is no more). created_ms
 * must match unless 0. A job that has not ended has counts of what is committed; the engine knows the rest. */
enum store_status store_read_job(struct store_reader *, int64_t seq, int64_t created_ms, int64_t now_ms,
                                 struct job_view *);

struct store_jobs_query {
    bool by_state;
    enum job_state state;
    const char *function; /* NULL = any */
    int64_t before;       /* only seq < before; 0 = from the newest */
    unsigned limit;
    int64_t now_ms;
};
/* Newest first; fills views[0…limit), returns how many. */
enum store_status store_read_jobs(struct store_reader *, const struct store_jobs_query *, struct job_view *views,
                                  unsigned *count);

/* A stored batch of results. `lines` NULL: all count items from `first` were cancelled. */
struct store_batch {
    uint32_t position, first, count, failed;
    struct blob *lines;
};
/* Batches from the one that holds `from` on, in completion order (from is a position) or input order (from is an
 * index); stops at the first gap, or when `bytes` are reached (at least one batch) or `capacity` batches. */
enum store_status store_read_results(struct store_reader *, int64_t seq, bool input_order, uint32_t from, size_t bytes,
                                     struct store_batch *batches, unsigned capacity, unsigned *count);
/* The chunk that holds `index` (items as lines), with its origins or NULL. */
enum store_status store_read_chunk(struct store_reader *, int64_t seq, uint32_t index, uint32_t *first, uint32_t *count,
                                   struct blob **items, struct blob **origins);
/* All attempts of an item that did not succeed, oldest first; calls back for each. */
enum store_status store_read_attempts(struct store_reader *, int64_t seq, uint32_t index,
                                      void (*each)(void *context, const struct store_attempt *), void *context);

struct store_output {
    int64_t id; /* grows; page with after */
    uint32_t index, attempt, stream;
    const char *bytes;
    size_t length;
};
/* Output of one item (index ≥ 0) or the whole job (-1), oldest first, at most `limit` with id > after. */
enum store_status store_read_output(struct store_reader *, int64_t seq, int64_t index, int64_t after, unsigned limit,
                                    void (*each)(void *context, const struct store_output *), void *context);
/* The job that was made with this Idempotency-Key. */
enum store_status store_read_key(struct store_reader *, const char *key, int64_t *seq, uint64_t *fingerprint);

/* ---- at start ---- */

/* The largest seq ever given out. */
enum store_status store_read_last_seq(struct store_reader *, int64_t *seq);
/* Seqs of all jobs that have not ended, oldest first. */
enum store_status store_read_unfinished(struct store_reader *, void (*each)(void *context, const struct job_view *),
                                        void *context);
/* The committed results of a job as (first, count, failed, position), by first, without their lines. */
enum store_status store_read_done(struct store_reader *, int64_t seq,
                                  void (*each)(void *context, const struct store_batch *), void *context);
/* Unsuccessful attempts of all items of a job that have no result yet matter to retries: calls back with every attempt
 * row of the job, by index, then age. */
enum store_status store_read_job_attempts(struct store_reader *, int64_t seq,
                                          void (*each)(void *context, uint32_t index, const struct store_attempt *),
                                          void *context);
/* All objects, the oldest first; then the entries of one, in the order of their keys. A value is valid within `each`,
 * which ends the reading with false (that is no error). */
enum store_status store_read_objects(struct store_reader *,
                                     bool (*each)(void *context, int64_t id, uint32_t kind, const char *name,
                                                  const char *config, size_t length),
                                     void *context);
enum store_status store_read_entries(struct store_reader *, int64_t id,
                                     bool (*each)(void *context, const char *key, size_t key_length, const char *value,
                                                  size_t length),
                                     void *context);

#endif
