/* core: making and ending it, time, and the end of a turn. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "engine/functions.h"
#include "engine/shared.h"

enum { REAP_ROWS = 64 };

void core_init(struct core *core, const struct config *config, const struct core_ports *ports, struct store *store,
               struct store_reader *reader)
{
    memset(core, 0, sizeof *core);
    core->config = config;
    core->ports = *ports;
    core->store = store;
    core->reader = reader;
    core->processes = config->processes ? config->processes : cpu_count(); /* until the supervisor says it */
    TAILQ_INIT(&core->lingering);
    TAILQ_INIT(&core->timed);
    TAILQ_INIT(&core->later);
    TAILQ_INIT(&core->remembered);
    TAILQ_INIT(&core->gated);
    queue_init(&core->pool_queue);
    queue_init(&core->extra_queue);
}

void core_pool_state(struct core *core, const struct message_pool_state *state)
{
    core->processes = state->processes;
    core->cpu_count = state->cpu_count;
}

void core_reaped(struct core *core, struct store_reap *reap)
{
    core->reaping = false;
    core->reap_soon = reap->entries;
    if (!reap->more)
        core->reap_ns = core->ports.now_ns(core->ports.context) + 10 * NS_PER_S;
}

static void reap_tick(struct core *core, int64_t now)
{
    if (core->reaping || core->storage_failed || core->config->read_only || now < core->reap_ns)
        return;
    core->reaping = true;
    core->reap = (struct store_reap){.now_ms = core->ports.wall_ms(core->ports.context), .rows = REAP_ROWS};
    core->ports.reap(core->ports.context, &core->reap);
}

void core_tick(struct core *core)
{
    int64_t now = core->ports.now_ns(core->ports.context);
    jobs_tick(core, now);
    workers_tick(core, now);
    shared_watch(core, now);
    probes_tick(core, now);
    follow_deadlines(core, now);
    storage_tick(core, now);
    reap_tick(core, now);
    core_turn_end(core);
}

bool core_busy(const struct core *core)
{
    return core->turn || core->flying || core->timed_requests || !TAILQ_EMPTY(&core->timed) || core->storage_full ||
           core->job_count > core->lingering_count || core->draining || core->reap_soon;
}

int64_t core_due_ns(const struct core *core)
{
    return core->shared->next_ns;
}

void core_turn_end(struct core *core)
{
    shared_tick(core);
    turn_flush(core); /* first: dispatch waits while too much is unwritten */
    dispatch(core);
    turn_flush(core);
}

void core_drain(struct core *core)
{
    core->draining = true;
    for (unsigned i = 0; i < core->worker_top; i++) {
        struct worker *worker = &core->workers[i];
        if (worker->present && worker->job)
            job_trim_slices(core, worker->job);
    }
}

void core_hand_back(struct core *core)
{
    for (unsigned i = 0; i < core->worker_top; i++) {
        struct worker *worker = &core->workers[i];
        if (worker->present && worker->job)
            stop_worker(core, worker, STOP_SHUTDOWN);
    }
}

bool core_drained(const struct core *core)
{
    if (core->turn || core->flying || core->dirty_count)
        return false;
    for (unsigned i = 0; i < core->worker_top; i++) {
        if (core->workers[i].present && core->workers[i].job)
            return false;
    }
    return true;
}

static void give_back(struct core *core, struct job *job)
{
    follow_give_back(core, job);
    while (job->appends) {
        struct engine_request *request = job->appends;
        job->appends = request->waiting.next;
        engine_chunk_free(&request->append.chunks);
        reply(request, ENGINE_SHUTDOWN);
    }
}

void core_shutdown(struct core *core)
{
    struct job *job, *next;
    shared_close(core); /* first: calls that are taken back may still say something */
    turn_drop(core, &core->flying);
    turn_drop(core, &core->turn);
    HASH_ITER(hh, core->jobs, job, next)
    {
        give_back(core, job);
        job_free(core, job);
    }
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        blob_unref(&core->workers[i].items);
        worker_forget(&core->workers[i]);
    }
    functions_free(core);
    definitions_free(core);
    free(core->dirty);
}
