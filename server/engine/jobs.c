/* jobs: the life of a job.
 *
 *            +------------------------- cancel, abort, fail_fast ------------------------+
 *            |                 |                      |                                   v
 *   (new) → open ── close ──→ ready ── first slice → running ── last result → succeeded | failed | cancelled
 *     |      |                 ^  |                                               ^
 *     +------+-----------------+  +------------------ empty map ------------------+
 *
 * An open job may already run and go straight to an end when it is closed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "engine/functions.h"

#define BIT(state) (1u << (state))
static const unsigned allowed_moves[] = {
    [0] = BIT(JOB_OPEN) | BIT(JOB_READY),
    [JOB_OPEN] = BIT(JOB_READY) | BIT(JOB_RUNNING) | BIT(JOB_SUCCEEDED) | BIT(JOB_FAILED) | BIT(JOB_CANCELLED),
    [JOB_READY] = BIT(JOB_RUNNING) | BIT(JOB_SUCCEEDED) | BIT(JOB_FAILED) | BIT(JOB_CANCELLED),
    [JOB_RUNNING] = BIT(JOB_SUCCEEDED) | BIT(JOB_FAILED) | BIT(JOB_CANCELLED),
    [JOB_SUCCEEDED] = 0,
    [JOB_FAILED] = 0,
    [JOB_CANCELLED] = 0,
};

bool job_state_allowed(enum job_state from, enum job_state to)
{
    return (allowed_moves[from] & BIT(to)) != 0;
}

void job_set_state(struct core *core, struct job *job, enum job_state state)
{
    CHECK(job_state_allowed(job->view.state, state), "job %lld: %d to %d", (long long)job->view.seq, job->view.state,
          state);
    job->view.state = state;
    if (!job_state_ended(state)) {
        job->shown_state = state; /* an end is shown once it is committed */
        return;
    }
    int64_t retention = job->view.options.retention_s >= 0 ? job->view.options.retention_s : core->config->retention_s;
    job->view.ended_ms = core->ports.wall_ms(core->ports.context);
    job->view.expires_ms = job->view.ended_ms + retention * 1000;
    job->ending = true;
    job_touch(core, job);
}

struct job *job_find(struct core *core, int64_t seq, int64_t created_ms)
{
    struct job *job = NULL;
    HASH_FIND(hh, core->jobs, &seq, sizeof seq, job);
    return job && (created_ms == 0 || job->view.created_ms == created_ms) ? job : NULL;
}

struct job *job_find_stored(struct core *core, int64_t seq, int64_t created_ms)
{
    struct job *job = job_find(core, seq, created_ms);
    return job && job->stored ? job : NULL;
}

struct job *job_new(struct core *core)
{
    struct job *job = calloc(1, sizeof *job);
    CHECK(job, "out of memory");
    TAILQ_INIT(&job->chunks);
    job->view.seq = ++core->last_seq;
    CHECK(core->last_seq < JOB_ITEMS_MAX, "sequence numbers are used up");
    HASH_ADD(hh, core->jobs, view.seq, sizeof job->view.seq, job);
    core->job_count++;
    return job;
}

void job_touch(struct core *core, struct job *job)
{
    if (job->dirty)
        return;
    job->dirty = true;
    job->pins++;
    if (core->dirty_count == core->dirty_capacity) {
        core->dirty_capacity = core->dirty_capacity ? core->dirty_capacity * 2 : 64;
        core->dirty = realloc(core->dirty, core->dirty_capacity * sizeof(struct job *));
        CHECK(core->dirty, "out of memory");
    }
    core->dirty[core->dirty_count++] = job;
}

static struct job_list *time_list(struct core *core, const struct job *job)
{
    return job->timed == TIMED_SOON ? &core->timed : &core->later;
}

static void untime(struct core *core, struct job *job)
{
    if (job->timed)
        TAILQ_REMOVE(time_list(core, job), job, timed_link);
    job->timed = TIMED_NOT;
}

void job_time(struct core *core, struct job *job)
{
    if (job->timed == TIMED_SOON)
        return;
    untime(core, job);
    job->timed = TIMED_SOON;
    TAILQ_INSERT_TAIL(&core->timed, job, timed_link);
}

/* A hundred thousand jobs that are delayed for an hour must not be looked at fifty times a second. */
static void time_later(struct core *core, struct job *job)
{
    untime(core, job);
    job->timed = TIMED_LATER;
    TAILQ_INSERT_TAIL(&core->later, job, timed_link);
}

static bool all_done(const struct job *job)
{
    const struct job_counts *counts = &job->view.counts;
    return !job->view.options.open && !job->view.uploading && !job->appending && !job->appends && job->workers == 0 &&
           counts->succeeded + counts->failed + counts->cancelled == counts->total;
}

void job_settle(struct core *core, struct job *job)
{
    if ((job->accepted || job->deferred) && !job->ending && all_done(job)) {
        enum job_state end = job->cancelled ? JOB_CANCELLED : job->view.counts.failed > 0 ? JOB_FAILED : JOB_SUCCEEDED;
        job_set_state(core, job, end);
    }
    job_queue(core, job);
}

/* All that is ready or waits becomes cancelled: ranges without lines, so a million cost one row. */
static void cancel_ready(struct core *core, struct job *job)
{
    struct item_trouble *trouble, *next;
    HASH_ITER(hh, job->troubles, trouble, next)
    {
        if (trouble->waiting) {
            trouble->waiting = false;
            job->waiting--;
            ranges_add(&job->ready, trouble->index, 1);
        }
    }
    uint32_t first, count;
    while ((count = ranges_take(&job->ready, UINT32_MAX, &first)) > 0)
        batch_put(core, job, first, count, count, NULL);
}

void job_stop(struct core *core, struct job *job, bool by_request, const char *reason)
{
    if (!job->stopping) {
        job->stopping = true;
        job->cancelled = by_request;
        job->stopping_ns = core->ports.now_ns(core->ports.context);
        snprintf(job->view.reason, sizeof job->view.reason, "%s", reason);
        job->view.options.open = false;
        job->view.uploading = false;
        job_time(core, job);
        job_touch(core, job);
    }
    job_trim_slices(core, job);
    cancel_ready(core, job);
    job_settle(core, job);
}

void job_view_of(const struct core *core, const struct job *job, struct job_view *view)
{
    (void)core;
    *view = job->view;
    struct job_counts *counts = &view->counts;
    counts->succeeded = job->shown.succeeded;
    counts->failed = job->shown.failed;
    counts->cancelled = job->shown.cancelled;
    int64_t open = counts->total - counts->succeeded - counts->failed - counts->cancelled;
    counts->waiting = job->waiting < open ? job->waiting : open;
    open -= counts->waiting;
    counts->running = job->workers < open ? job->workers : open;
    counts->ready = open - counts->running;
    view->positions = job->shown_positions;
    view->state = job->shown_state;
    if (!job->ended)
        view->ended_ms = view->expires_ms = 0;
    if (job->queue == &job->function->gate)
        function_excuse(job->function, view->waiting_for, sizeof view->waiting_for);
}

static void linger(struct core *core, struct job *job)
{
    job->ended_ns = core->ports.now_ns(core->ports.context);
    TAILQ_INSERT_TAIL(&core->lingering, job, lingering);
    if (++core->lingering_count > LINGER_MAX) {
        struct job *oldest = TAILQ_FIRST(&core->lingering);
        TAILQ_REMOVE(&core->lingering, oldest, lingering);
        core->lingering_count--;
        oldest->ended_ns = 0;
        job_release(core, oldest);
    }
}

void job_release(struct core *core, struct job *job)
{
    if (!job->ended || job->pins || job->followers || job->workers || job->spawning || job->loads)
        return;
    if (job->ended_ns == 0 || job->view.kind == JOB_APPLY)
        job_free(core, job);
}

void job_free(struct core *core, struct job *job)
{
    queue_remove(job);
    untime(core, job);
    chunks_free(core, job);
    recent_free(core, job);
    trouble_free_all(job);
    ranges_free(&job->ready);
    ranges_free(&job->committed);
    HASH_DEL(core->jobs, job);
    core->job_count--;
    key_release(core, job);
    function_release(core, job);
    client_release(core, job);
    free(job);
}

/* A job of the server's last life has only wall times. */
static int64_t took_ns(const struct core *core, const struct job *job)
{
    if (job->accepted_ns)
        return core->ports.now_ns(core->ports.context) - job->accepted_ns;
    return (core->ports.wall_ms(core->ports.context) - job->view.created_ms) * NS_PER_MS;
}

/* Called by commit.c when the end is committed. */
void job_ended(struct core *core, struct job *job)
{
    job->ended = true;
    client_release(core, job);
    core->counters.jobs_ended[job->view.state]++;
    histogram_add(&core->counters.jobs_took[job->view.kind], 1, took_ns(core, job));
    journal_ended(job, took_ns(core, job));
    chunks_free(core, job);
    follow_wake(core, job);
    if (job->view.kind != JOB_APPLY)
        linger(core, job);
    job_release(core, job);
}

static void linger_tick(struct core *core, int64_t now)
{
    struct job *job;
    while ((job = TAILQ_FIRST(&core->lingering)) && now - job->ended_ns > LINGER_NS) {
        TAILQ_REMOVE(&core->lingering, job, lingering);
        core->lingering_count--;
        job->ended_ns = 0;
        job_release(core, job);
    }
}

static int64_t next_due(const struct job *job)
{
    int64_t due = job->waiting ? job->next_due_ns : INT64_MAX;
    return job->not_before_ns && job->not_before_ns < due ? job->not_before_ns : due;
}

/* Acts on what is due; returns when to look again: INT64_MAX for never, 0 for the next tick. */
static int64_t tick_one(struct core *core, struct job *job, int64_t now)
{
    if (job->deferred && now - job->accepted_ns > DEFER_NS)
        job_touch(core, job);
    if (job->stopping && job->workers && now - job->stopping_ns > CANCEL_PATIENCE_NS)
        job_stop_workers(core, job);
    troubles_tick(core, job, now);
    if (!job->ending)
        job_settle(core, job);
    if (job->ended)
        return INT64_MAX;
    if (job->deferred || (job->stopping && job->workers))
        return 0;
    return next_due(job);
}

static void later_tick(struct core *core, int64_t now)
{
    struct job *job, *next;
    if (now < core->later_ns)
        return;
    core->later_ns = now + NS_PER_S;
    for (job = TAILQ_FIRST(&core->later); job; job = next) {
        next = TAILQ_NEXT(job, timed_link);
        if (next_due(job) < now + 2 * NS_PER_S)
            job_time(core, job);
    }
}

void jobs_tick(struct core *core, int64_t now)
{
    later_tick(core, now);
    struct job *job = TAILQ_FIRST(&core->timed);
    while (job) {
        struct job *next = TAILQ_NEXT(job, timed_link);
        int64_t look = tick_one(core, job, now);
        if (look == INT64_MAX)
            untime(core, job);
        else if (look > now + 2 * NS_PER_S)
            time_later(core, job);
        job = next;
    }
    linger_tick(core, now);
}
