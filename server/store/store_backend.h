/* store_backend: what a backend (sqlite/, memory.c) must do for store.c and reader.c.
 *
 * A backend is called from one thread at a time (the store thread, or who calls store_turn); its readers each from
 * their own thread, at the same time. */
#ifndef POOLD_STORE_STORE_BACKEND_H
#define POOLD_STORE_STORE_BACKEND_H

#include "store/store.h"

struct store_backend;

struct store_backend_calls {
    /* Executes all writes of the list as one transaction. `forced` is the outcome that a test asked for: FULL rolls
     * back instead of committing, IO commits and says that it is unknown (the worse of both fates to handle). */
    enum store_status (*apply)(struct store_backend *, const struct store_write *writes, enum store_status forced);
    /* These two fill the message's fields; the status too. */
    void (*load)(struct store_backend *, struct store_load *);
    void (*reap)(struct store_backend *, struct store_reap *, enum store_status forced);
    /* Housekeeping after each turn, or (idle) when nothing has come for a moment. *again: wants an idle moment. */
    enum store_status (*tend)(struct store_backend *, bool idle, bool *again);
    void (*stats)(struct store_backend *, struct store_stats *); /* checkpoints, wal_bytes; same thread as apply */
    struct store_reader *(*reader_open)(struct store_backend *, struct error *);
    void (*close)(struct store_backend *);
};

struct store_backend {
    const struct store_backend_calls *calls;
};

/* The fourteen reading functions of store.h, without their prefix. */
struct store_reader_calls {
    void (*close)(struct store_reader *);
    enum store_status (*job)(struct store_reader *, int64_t seq, int64_t created_ms, int64_t now_ms, struct job_view *);
    enum store_status (*jobs)(struct store_reader *, const struct store_jobs_query *, struct job_view *, unsigned *);
    enum store_status (*results)(struct store_reader *, int64_t seq, bool input_order, uint32_t from, size_t bytes,
                                 struct store_batch *, unsigned capacity, unsigned *count);
    enum store_status (*chunk)(struct store_reader *, int64_t seq, uint32_t index, uint32_t *first, uint32_t *count,
                               struct blob **items, struct blob **origins);
    enum store_status (*attempts)(struct store_reader *, int64_t seq, uint32_t index,
                                  void (*each)(void *, const struct store_attempt *), void *);
    enum store_status (*output)(struct store_reader *, int64_t seq, int64_t index, int64_t after, unsigned limit,
                                void (*each)(void *, const struct store_output *), void *);
    enum store_status (*key)(struct store_reader *, const char *key, int64_t *seq, uint64_t *fingerprint);
    enum store_status (*last_seq)(struct store_reader *, int64_t *seq);
    enum store_status (*unfinished)(struct store_reader *, void (*each)(void *, const struct job_view *), void *);
    enum store_status (*done)(struct store_reader *, int64_t seq, void (*each)(void *, const struct store_batch *),
                              void *);
    enum store_status (*job_attempts)(struct store_reader *, int64_t seq,
                                      void (*each)(void *, uint32_t, const struct store_attempt *), void *);
    enum store_status (*objects)(struct store_reader *,
                                 bool (*each)(void *, int64_t, uint32_t, const char *, const char *, size_t), void *);
    enum store_status (*entries)(struct store_reader *, int64_t id,
                                 bool (*each)(void *, const char *, size_t, const char *, size_t), void *);
};

struct store_reader {
    const struct store_reader_calls *calls;
};

/* Makes the store around an opened backend, which it then owns; directory NULL: no file system to look at. */
struct store *store_new(struct store_backend *, const char *directory);

/* The key scheme: a job's rows lie in one range of the key. */
static inline int64_t store_key(int64_t seq, uint32_t n)
{
    return (int64_t)((uint64_t)seq << 32 | n);
}
static inline uint32_t store_key_low(int64_t key)
{
    return (uint32_t)((uint64_t)key & UINT32_MAX);
}

/* What a job that has not ended runs or waits for only the engine knows; committed is that it is not done. */
static inline void store_count_ready(struct job_view *view)
{
    struct job_counts *counts = &view->counts;
    if (!job_state_ended(view->state))
        counts->ready = counts->total - counts->succeeded - counts->failed - counts->cancelled;
}

/* Entries are small beside chunks and results: so many are removed for each row of those. */
enum { STORE_ENTRIES_PER_ROW = 8 };

/* True when a job with these is no more for readers. */
static inline bool store_expired(int64_t expires_ms, int64_t now_ms)
{
    return expires_ms != 0 && expires_ms <= now_ms;
}

#endif
