/* recover: what the last life left, from the store and the old scoreboard.
 *
 * A job that has not ended goes on with the items that have no committed result. What was running when the service died
 * is recorded as interrupted; an item that was running at INTERRUPTED_MAX deaths is not tried again. A job whose own
 * upload was cut was never accepted: it is cancelled and its key forgotten. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/functions.h"
#include "engine/shared.h"

struct recovery {
    struct core *core;
    struct job *job;
    uint32_t next; /* first index not yet known as done */
};

static void restore_job(void *context, const struct job_view *view)
{
    struct core *core = context;
    core->last_seq = view->seq - 1; /* job_new gives the next: set it right again in core_recover */
    struct job *job = job_new(core);
    job->view = *view;
    job->view.counts.ready = job->view.counts.running = job->view.counts.waiting = 0;
    job->shown = job->view.counts;
    job->shown_positions = view->positions;
    job->shown_state = view->state;
    job->accepted = job->stored = true;
    function_hold(core, job, false);
    client_hold(core, job);
    int64_t wait_ms = view->created_ms + view->options.delay_ms - core->ports.wall_ms(core->ports.context);
    if (view->options.delay_ms > 0 && wait_ms > 0) {
        job->not_before_ns = core->ports.now_ns(core->ports.context) + wait_ms * NS_PER_MS;
        job_time(core, job);
    }
}

static void restore_done(void *context, const struct store_batch *batch)
{
    struct recovery *r = context;
    CHECK(batch->first >= r->next, "job %lld: item %u has two results", (long long)r->job->view.seq, batch->first);
    ranges_add(&r->job->ready, r->next, batch->first - r->next);
    ranges_add(&r->job->committed, batch->first, batch->count);
    r->next = batch->first + batch->count;
}

static void restore_attempt(void *context, uint32_t index, const struct store_attempt *attempt)
{
    struct recovery *r = context;
    if (ranges_find(&r->job->committed, index))
        return;
    struct item_trouble *trouble = trouble_get(r->job, index);
    if (attempt->failure == FAILURE_INTERRUPTED)
        trouble->interrupted += attempt->signal == 0; /* not a stop on purpose: attempt_stopped */
    else
        trouble->failures++;
}

static enum store_status restore_items(struct core *core, struct job *job)
{
    struct recovery r = {.core = core, .job = job};
    enum store_status status = store_read_done(core->reader, job->view.seq, restore_done, &r);
    if (status == STORE_OK)
        ranges_add(&job->ready, r.next, (uint32_t)job->view.counts.total - r.next);
    if (status == STORE_OK)
        status = store_read_job_attempts(core->reader, job->view.seq, restore_attempt, &r);
    return status;
}

/* An item that ran at the moment of death: back to the ready ones with an interrupted attempt, or failed for good. */
static void blame(struct core *core, struct scoreboard_slot *slot)
{
    struct job *job = job_find(core, (int64_t)atomic_load(&slot->job), 0);
    uint32_t index = atomic_load(&slot->index);
    uint32_t activity = atomic_load(&slot->activity);
    if ((activity != ACTIVITY_RUNNING && activity != ACTIVITY_STOPPED) || !job || index >= job->view.counts.total ||
        ranges_find(&job->committed, index) || !ranges_remove(&job->ready, index))
        return;
    uint32_t attempt = attempt_number(job, index);
    int64_t now_ms = core->ports.wall_ms(core->ports.context);
    if (activity == ACTIVITY_STOPPED)
        attempt_stopped(core, job, index, attempt, now_ms, NULL);
    else
        attempt_interrupted(core, job, index, attempt, now_ms, NULL);
}

static void blame_all(struct core *core, const struct scoreboard *board)
{
    for (unsigned i = 0; board && i < board->slots; i++) {
        struct scoreboard_slot *slot = scoreboard_slot(board, i);
        blame(core, slot);
        atomic_store(&slot->activity, ACTIVITY_NONE); /* no worker runs: we are the one writer */
        atomic_store(&slot->job, 0);
        scoreboard_forget_loads(slot);
    }
}

static void resume(struct core *core, struct job *job)
{
    bool failing_fast = job->view.options.fail_fast && job->view.counts.failed > 0;
    char reason[sizeof job->view.reason];
    memcpy(reason, job->view.reason, sizeof reason);
    if (job->view.uploading) {
        store_write_add(turn_current(core)->write, STORE_KEY_DROP, job->view.seq);
        job_stop(core, job, true, "its upload was cut by a restart of the service");
    } else if (failing_fast) {
        job_stop(core, job, false, reason[0] ? reason : "an item failed (fail_fast)");
    } else if (reason[0]) {
        job_stop(core, job, true, reason);
    } else {
        job_settle(core, job);
    }
}

int core_recover(struct core *core, const struct scoreboard *board, struct error *error)
{
    int64_t last_seq;
    struct job *job, *next;
    if (shared_open(core, error) != 0)
        return -1;
    if (store_read_last_seq(core->reader, &last_seq) != STORE_OK ||
        store_read_unfinished(core->reader, restore_job, core) != STORE_OK)
        return error_set(error, "cannot read the unfinished jobs");
    core->last_seq = last_seq;
    if (core->config->read_only)
        return 0;
    HASH_ITER(hh, core->jobs, job, next)
    {
        if (restore_items(core, job) != STORE_OK)
            return error_set(error, "cannot read the items of job %lld", (long long)job->view.seq);
    }
    blame_all(core, board);
    HASH_ITER(hh, core->jobs, job, next)
    {
        resume(core, job);
    }
    if (core->job_count)
        log_event(LOG_INFO, "jobs.resumed", "jobs=%u", core->job_count);
    return 0;
}
