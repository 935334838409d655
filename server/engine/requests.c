/* requests: the table of what can be asked, and the small answers. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "engine/functions.h"
#include "engine/shared.h"

static void ask_job(struct core *core, struct engine_request *request)
{
    struct job *job = job_find_stored(core, request->seq, request->created_ms);
    if (!job) {
        reply(request, ENGINE_NOT_LIVE);
    } else if (request->deadline_ns && !job->ended) {
        follow(core, job, request);
    } else {
        job_view_of(core, job, &request->view);
        reply(request, ENGINE_OK);
    }
}

static void ask_views(struct core *core, struct engine_request *request)
{
    for (unsigned i = 0; i < request->views.count; i++) {
        struct job *job = job_find_stored(core, request->views.seqs[i], 0);
        if (job)
            job_view_of(core, job, &request->views.views[i]);
        else
            request->views.views[i].seq = 0;
    }
    reply(request, ENGINE_OK);
}

static void ask_results(struct core *core, struct engine_request *request)
{
    struct job *job = job_find_stored(core, request->seq, request->created_ms);
    if (!job) {
        reply(request, ENGINE_NOT_LIVE);
    } else if (results_answer(core, job, request)) {
        reply(request, ENGINE_OK);
    } else if (request->deadline_ns && !job->ended) {
        follow(core, job, request);
    } else {
        job_view_of(core, job, &request->view);
        reply(request, ENGINE_TIMEOUT);
    }
}

static const struct worker *running_it(const struct core *core, const struct job *job, uint32_t index)
{
    for (unsigned i = 0; i < core->worker_top; i++) {
        const struct worker *worker = &core->workers[i];
        if (worker->present && worker->job == job && index - worker->first < worker->count &&
            atomic_load(&worker->board->run) == worker->run && atomic_load(&worker->board->index) == index &&
            atomic_load(&worker->board->activity) == ACTIVITY_RUNNING)
            return worker;
    }
    return NULL;
}

static int64_t mono_to_wall(const struct core *core, int64_t ns)
{
    return core->ports.wall_ms(core->ports.context) + (ns - core->ports.now_ns(core->ports.context)) / NS_PER_MS;
}

static void ask_item(struct core *core, struct engine_request *request)
{
    struct job *job = job_find_stored(core, request->seq, request->created_ms);
    uint32_t index = request->item.index;
    if (!job) {
        reply(request, ENGINE_NOT_LIVE);
        return;
    }
    job_view_of(core, job, &request->view);
    struct item_trouble *trouble = NULL;
    HASH_FIND(hh, job->troubles, &index, sizeof index, trouble);
    const struct worker *worker = running_it(core, job, index);
    request->item.state = ITEM_READY;
    request->item.attempt = attempt_number(job, index);
    request->item.due_ms = 0;
    if (ranges_find(&job->committed, index)) {
        request->item.state = ITEM_DONE;
    } else if (worker) {
        bool waits = shared_waits(core, worker, index, request->item.waits_for, sizeof request->item.waits_for);
        request->item.state = waits ? ITEM_WAITING : ITEM_RUNNING;
        request->item.slot = worker->slot;
        request->item.started_ms = mono_to_wall(core, atomic_load(&worker->board->started_ns));
        if (worker->progress && worker->progress_index == index)
            request->item.progress = blob_ref(worker->progress);
    } else if ((trouble && trouble->waiting) || job->not_before_ns) {
        request->item.state = ITEM_WAITING;
        request->item.due_ms = mono_to_wall(core, trouble && trouble->waiting ? trouble->due_ns : job->not_before_ns);
    }
    reply(request, ENGINE_OK);
}

static void ask_cancel(struct core *core, struct engine_request *request)
{
    struct job *job = job_find_stored(core, request->seq, request->created_ms);
    if (!job || job->ended || job->ending) {
        if (job)
            job_view_of(core, job, &request->view);
        reply(request, job ? ENGINE_ENDED : ENGINE_NOT_LIVE);
        return;
    }
    if (core->storage_failed) {
        reply(request, ENGINE_STORE_FAILED);
        return;
    }
    job_stop(core, job, true, "cancelled by request");
    request->status = ENGINE_OK;
    turn_effect(core, (struct effect){.type = EFFECT_REPLY, .job = job, .request = request});
}

static void ask_delete(struct core *core, struct engine_request *request)
{
    struct job *job = job_find(core, request->seq, 0);
    if (job && request->created_ms && job->view.created_ms != request->created_ms) { /* an id that never was */
        reply(request, ENGINE_NOT_LIVE);
        return;
    }
    if (job && !job->ended) {
        reply(request, ENGINE_NOT_ENDED);
        return;
    }
    if (core->storage_failed || core->config->read_only) {
        reply(request, ENGINE_STORE_FAILED);
        return;
    }
    store_write_add(turn_current(core)->write, STORE_JOB_DELETE, request->seq);
    request->status = ENGINE_OK;
    turn_effect(core, (struct effect){.type = EFFECT_REPLY, .request = request});
    core->reap_ns = 0; /* give the space back soon */
    if (job && job->ended_ns) {
        TAILQ_REMOVE(&core->lingering, job, lingering);
        core->lingering_count--;
        job->ended_ns = 0;
        job_release(core, job);
    }
}

static void ask_resize(struct core *core, struct engine_request *request)
{
    core->processes = request->resize.processes;
    core->ports.resize(core->ports.context, request->resize.processes);
    reply(request, ENGINE_OK);
}

/* ---- the pool as seen from outside ---- */

static enum worker_state state_of(const struct worker *worker)
{
    if (worker->stopping || worker->releasing)
        return WORKER_STOPPING;
    if (!worker->ready || worker->probe) /* it loads functions */
        return WORKER_STARTING;
    return worker->job ? WORKER_RUNNING : WORKER_READY;
}

const char *worker_state_name(enum worker_state state)
{
    static const char *const names[] = {[WORKER_STARTING] = "starting",
                                        [WORKER_READY] = "ready",
                                        [WORKER_RUNNING] = "running",
                                        [WORKER_WAITING] = "waiting",
                                        [WORKER_STOPPING] = "stopping"};
    return names[state];
}

static void describe(const struct core *core, const struct worker *worker, struct engine_worker *out)
{
    *out = (struct engine_worker){.slot = worker->slot,
                                  .generation = worker->generation,
                                  .pid = worker->pid,
                                  .state = state_of(worker),
                                  .extra = worker->extra,
                                  .since_ms = worker->since_ms,
                                  .items_done = worker->items_done,
                                  .restarts = worker->restarts};
    if (!worker->job)
        return;
    out->job_seq = worker->job->view.seq;
    out->job_created_ms = worker->job->view.created_ms;
    memcpy(out->function, worker->job->view.function, sizeof out->function);
    out->attempt = worker->attempt;
    out->index = worker->first + worker->received;
    if (atomic_load(&worker->board->run) == worker->run && atomic_load(&worker->board->activity) == ACTIVITY_RUNNING) {
        out->index = atomic_load(&worker->board->index);
        out->since_ms = mono_to_wall(core, atomic_load(&worker->board->started_ns));
    }
    if (shared_waits(core, worker, out->index, out->waits_for, sizeof out->waits_for) && out->state == WORKER_RUNNING)
        out->state = WORKER_WAITING;
}

static void count_items_queued(const struct core *core, struct engine_pool *pool)
{
    for (const struct job *job = core->jobs; job; job = job->hh.next) {
        pool->items_queued += (int64_t)job->ready.total + job->waiting;
        pool->jobs_live += !job->ended;
    }
}

static void ask_pool(struct core *core, struct engine_request *request)
{
    struct engine_pool *pool = calloc(1, sizeof *pool);
    CHECK(pool, "out of memory");
    pool->processes = core->processes;
    pool->cpu_count = core->cpu_count;
    pool->draining = core->draining;
    pool->storage_failed = core->storage_failed || core->config->read_only;
    pool->storage_full = core->storage_full || core->space_low;
    pool->sandbox = core->sandbox;
    pool->functions_known = core->builtins != NULL;
    pool->functions = blob_ref(catalog(core));
    memcpy(pool->functions_problem, core->functions_problem, sizeof pool->functions_problem);
    pool->counters = core->counters;
    pool->workers = calloc(core->worker_top ? core->worker_top : 1, sizeof *pool->workers);
    CHECK(pool->workers, "out of memory");
    store_stats(core->store, &pool->store);
    count_items_queued(core, pool);
    functions_count(core, pool);
    for (unsigned i = 0; i < core->worker_top; i++) {
        const struct worker *worker = &core->workers[i];
        if (!worker->present)
            continue;
        struct engine_worker *out = &pool->workers[pool->worker_count++];
        describe(core, worker, out);
        pool->ready += out->state == WORKER_READY;
        pool->running += out->state == WORKER_RUNNING || out->state == WORKER_WAITING;
        pool->waiting += out->state == WORKER_WAITING;
        pool->starting += out->state == WORKER_STARTING;
    }
    objects_counters(core->shared->objects, &pool->objects);
    if (core->shared->stuck)
        snprintf(
            pool->stuck, sizeof pool->stuck,
            "all %u workers wait for shared objects while items are ready to run; \"isolation\":\"process\" gives a "
            "way out",
            core->processes);
    request->pool.pool = pool;
    reply(request, ENGINE_OK);
}

void engine_pool_free(struct engine_pool **pool)
{
    if (*pool) {
        blob_unref(&(*pool)->functions);
        free((*pool)->workers);
        free((*pool)->function_counters);
        free(*pool);
        *pool = NULL;
    }
}

/* ---- the table ---- */

static void (*const handlers[])(struct core *, struct engine_request *) = {
    [ASK_SUBMIT] = submit,     [ASK_APPEND] = append,       [ASK_JOB] = ask_job,
    [ASK_VIEWS] = ask_views,   [ASK_RESULTS] = ask_results, [ASK_ITEM] = ask_item,
    [ASK_CANCEL] = ask_cancel, [ASK_DELETE] = ask_delete,   [ASK_POOL] = ask_pool,
    [ASK_RESIZE] = ask_resize, [ASK_OBJECT] = ask_object,   [ASK_OBJECT_GIVE_UP] = ask_object_give_up,
};

void core_request(struct core *core, struct engine_request *request)
{
    CHECK(request->type < sizeof handlers / sizeof *handlers, "request type %d", request->type);
    handlers[request->type](core, request);
}
