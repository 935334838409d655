/* commit: one transaction a turn, one turn at the store at a time, so that positions are committed in their order; what
 * comes meanwhile gathers into the next. Effects (showing results, ends, answers) follow the commit, never precede it.
 *
 * A full disk keeps the turn and tries it again; nothing is dispatched and no submission taken meanwhile. A commit of
 * unknown fate ends the service. */
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "engine/shared.h"

struct write_end {
    void (*after)(struct core *, struct store_write *, void *context);
    void *context;
};

struct store_write *write_for(struct core *core, void (*after)(struct core *, struct store_write *, void *),
                              void *context)
{
    (void)core;
    struct store_write *write = store_write_new();
    struct write_end *end = malloc(sizeof *end);
    CHECK(end, "out of memory");
    *end = (struct write_end){after, context};
    write->owner = end;
    return write;
}

void write_submit(struct core *core, struct store_write *write)
{
    core->ports.write(core->ports.context, write);
}

void storage_broken(struct core *core, const char *note)
{
    if (core->storage_failed)
        return;
    core->storage_failed = true;
    log_event(LOG_ERROR, "storage.failed", "note=\"%s\"", note);
    core->ports.storage_failed(core->ports.context);
}

/* Told once, until something could be written again: submissions may meet the full disk again and again. */
static void storage_filled(struct core *core)
{
    core->storage_full = true;
    if (!core->full_told)
        log_event(LOG_ERROR, "storage.full", "");
    core->full_told = true;
}

static void storage_resumed(struct core *core)
{
    if (!core->full_told || core->storage_full)
        return;
    log_event(LOG_WARNING, "storage.resumed", "");
    core->full_told = false;
}

void core_written(struct core *core, struct store_write *write)
{
    struct write_end *end = write->owner;
    if (write->status == STORE_IO)
        storage_broken(core, "the fate of the last commit is unknown");
    if (write->status == STORE_FULL)
        storage_filled(core);
    bool room = write->status == STORE_OK;
    end->after(core, write, end->context); /* may free it */
    if (room)
        storage_resumed(core);
}

/* Frees what write_for made. */
void write_finish(struct store_write *write)
{
    free(write->owner);
    store_write_free(&write);
}

static void turn_written(struct core *core, struct store_write *write, void *context);

struct turn *turn_current(struct core *core)
{
    if (!core->turn) {
        struct turn *turn = calloc(1, sizeof *turn);
        CHECK(turn, "out of memory");
        STAILQ_INIT(&turn->effects);
        STAILQ_INIT(&turn->replies);
        turn->write = write_for(core, turn_written, turn);
        core->turn = turn;
    }
    return core->turn;
}

void turn_effect(struct core *core, struct effect effect)
{
    if (effect.type == EFFECT_REPLY && core->storage_full) {
        reply(effect.request, ENGINE_STORE_FULL); /* it cannot be promised; it happens once there is room */
        return;
    }
    struct effect *copy = malloc(sizeof *copy);
    CHECK(copy, "out of memory");
    *copy = effect;
    if (copy->job)
        copy->job->pins++;
    struct turn *turn = turn_current(core);
    if (copy->type == EFFECT_REPLY)
        STAILQ_INSERT_TAIL(&turn->replies, copy, link);
    else
        STAILQ_INSERT_TAIL(&turn->effects, copy, link);
}

struct job_view *view_copy(const struct job_view *view)
{
    struct job_view *copy = malloc(sizeof *copy);
    CHECK(copy, "out of memory");
    *copy = *view;
    return copy;
}

/* Before all that the write holds already: its result may be there. */
static void put_deferred(struct core *core, struct job *job)
{
    struct store_write *write = core->turn->write;
    struct store_op *others = write->first, **others_last = write->last;
    struct item_chunk *chunk;
    write->first = NULL;
    write->last = &write->first;
    struct store_op *op = store_write_add(write, STORE_JOB_PUT, job->view.seq);
    op->job = view_copy(&job->view);
    op->key = job->key ? strdup(job->key) : NULL; /* the job keeps it busy until the commit */
    CHECK(op->key || !job->key, "out of memory");
    op->fingerprint = job->fingerprint;
    TAILQ_FOREACH(chunk, &job->chunks, link)
    {
        op = store_write_add(write, STORE_CHUNK_PUT, job->view.seq);
        op->first = chunk->first;
        op->count = chunk->count;
        op->bytes = blob_ref(chunk->items);
    }
    *write->last = others;
    if (others)
        write->last = others_last;
    job->deferred = false;
    job->accepted = true;
}

static void put_dirty(struct core *core)
{
    for (size_t i = 0; i < core->dirty_count; i++) {
        struct job *job = core->dirty[i];
        turn_current(core);
        if (job->deferred)
            put_deferred(core, job);
        else
            store_write_add(core->turn->write, STORE_JOB_UPDATE, job->view.seq)->job = view_copy(&job->view);
        turn_effect(core, (struct effect){.type = EFFECT_JOB,
                                          .job = job,
                                          .counts = job->view.counts,
                                          .positions = job->view.positions,
                                          .state = job->view.state});
        job->dirty = false;
        job->pins--;
    }
    core->dirty_count = 0;
}

void turn_flush(struct core *core)
{
    if (core->flying || core->storage_failed || (!core->turn && core->dirty_count == 0))
        return;
    put_dirty(core);
    struct turn *turn = core->turn;
    core->turn = NULL;
    shared_flushed(core);
    core->flying = turn;
    if (turn->write->first)
        write_submit(core, turn->write);
    else
        turn_written(core, turn->write, turn); /* only answers: nothing to wait for */
}

static void show(struct core *core, struct job *job, const struct effect *effect)
{
    job->stored = true;
    key_release(core, job);
    job->shown = effect->counts;
    job->shown_positions = effect->positions;
    if (job_state_ended(effect->state))
        job->shown_state = effect->state;
    if (job_state_ended(effect->state) && !job->ended)
        job_ended(core, job);
    else
        follow_wake(core, job);
}

static void run_effect(struct core *core, struct effect *effect)
{
    struct job *job = effect->job;
    if (job)
        job->pins--;
    switch (effect->type) {
    case EFFECT_BATCH:
        ranges_add(&job->committed, effect->batch.first, effect->batch.count);
        recent_add(core, job, &effect->batch);
        break;
    case EFFECT_JOB:
        show(core, job, effect);
        break;
    case EFFECT_REPLY:
        if (job && effect->request->status == ENGINE_OK)
            job_view_of(core, job, &effect->request->view);
        reply(effect->request, effect->request->status);
        if (job)
            job_release(core, job);
        break;
    }
}

/* Nobody waits for room on the disk: who asked is told, what they asked for stays in the turn. */
static void refuse_replies(struct core *core, struct turn *turn)
{
    struct effect *effect;
    while ((effect = STAILQ_FIRST(&turn->replies))) {
        struct job *job = effect->job;
        STAILQ_REMOVE_HEAD(&turn->replies, link);
        reply(effect->request, ENGINE_STORE_FULL);
        if (job) {
            job->pins--;
            job_release(core, job);
        }
        free(effect);
    }
}

static void turn_written(struct core *core, struct store_write *write, void *context)
{
    struct turn *turn = context;
    struct effect *effect;
    turn->refused = write->status == STORE_FULL || write->status == STORE_IO;
    if (write->status == STORE_FULL)
        refuse_replies(core, turn);
    if (turn->refused)
        return; /* kept in core->flying: storage_tick tries again, or the service ends */
    STAILQ_CONCAT(&turn->effects, &turn->replies);
    core->storage_full = false;
    core->flying = NULL;
    while ((effect = STAILQ_FIRST(&turn->effects))) {
        STAILQ_REMOVE_HEAD(&turn->effects, link);
        run_effect(core, effect);
        free(effect);
    }
    write_finish(write);
    free(turn);
}

/* Accepting a job reserves the room that its results will need: below the low-water mark nothing new is taken, while
 * results still are (on a full disk even deleting fails). */
static void watch_space(struct core *core, int64_t now)
{
    struct store_stats stats;
    if (now < core->space_ns)
        return;
    core->space_ns = now + SPACE_NS;
    store_stats(core->store, &stats);
    bool low = stats.free_bytes < core->config->min_free + stats.wal_bytes; /* the next checkpoint grows by that */
    if (low != core->space_low)
        log_event(LOG_WARNING, low ? "storage.low" : "storage.enough", "free_bytes=%lld", (long long)stats.free_bytes);
    core->space_low = low;
}

void storage_tick(struct core *core, int64_t now)
{
    watch_space(core, now);
    if (core->storage_failed || !core->storage_full || now < core->full_retry_ns)
        return;
    core->full_retry_ns = now + FULL_RETRY_NS;
    if (core->flying && core->flying->refused) {
        core->flying->refused = false;
        core->flying->write->status = STORE_OK;
        write_submit(core, core->flying->write);
    } else {
        core->storage_full = false; /* it was a submission's write; the next one will tell */
    }
}

/* At shutdown: what was not written is not acknowledged either. */
void turn_drop(struct core *core, struct turn **slot)
{
    struct turn *turn = *slot;
    struct effect *effect;
    (void)core;
    if (!turn)
        return;
    STAILQ_CONCAT(&turn->effects, &turn->replies);
    while ((effect = STAILQ_FIRST(&turn->effects))) {
        STAILQ_REMOVE_HEAD(&turn->effects, link);
        if (effect->type == EFFECT_REPLY)
            reply(effect->request, ENGINE_SHUTDOWN);
        if (effect->type == EFFECT_BATCH)
            blob_unref(&effect->batch.lines);
        free(effect);
    }
    write_finish(turn->write);
    free(turn);
    *slot = NULL;
}
