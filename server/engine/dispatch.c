/* dispatch: slices to idle workers, in the order that schedule.c gives. */
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/id.h"
#include "engine/functions.h"

bool job_wants(const struct job *job)
{
    const struct job_options *options = &job->view.options;
    uint32_t held = job->workers + job->spawning;
    return (job->accepted || job->deferred) && !job->stopping && !job->ending && !job->starved && !job->not_before_ns &&
           job->waiting < WAITING_MAX && job->ready.total > job->spawning &&
           (options->processes == 0 || held < options->processes);
}

bool job_runnable(const struct job *job)
{
    return job_wants(job) && function_gate(job->function, job) == GATE_OPEN;
}

static struct run_queue *queue_of(struct core *core, const struct job *job)
{
    return job->view.options.isolation == ISOLATION_PROCESS ? &core->extra_queue : &core->pool_queue;
}

void job_admit(struct core *core, struct job *job)
{
    queue_put(queue_of(core, job), job);
}

/* Who comes while others are at the gate stands behind them: gates_turn lets them through in their order. */
void job_queue(struct core *core, struct job *job)
{
    bool waits = job->queue != queue_of(core, job) && !queue_empty(&job->function->gate);
    if (!job_wants(job))
        queue_remove(job);
    else if (waits || function_gate(job->function, job) != GATE_OPEN)
        gate_put(core, job);
    else
        job_admit(core, job);
}

void job_begins(struct core *core, struct job *job)
{
    if (job->view.state == JOB_READY)
        job_set_state(core, job, JOB_RUNNING);
    if (job->view.started_ms == 0)
        job->view.started_ms = core->ports.wall_ms(core->ports.context);
}

/* How many of the `most` items from `index` may go together: one that failed before goes alone. */
static uint32_t untroubled(const struct job *job, uint32_t index, uint32_t most)
{
    struct item_trouble *trouble;
    if (!job->troubles)
        return most;
    for (uint32_t i = 0; i < most; i++) {
        uint32_t key = index + i;
        HASH_FIND(hh, job->troubles, &key, sizeof key, trouble);
        if (trouble)
            return i ? i : 1;
    }
    return most;
}

static void assign(struct core *core, struct worker *worker, struct job *job, uint32_t first, uint32_t count)
{
    worker->job = job;
    worker->run = ++core->last_run;
    worker->first = first;
    worker->count = count;
    worker->received = 0;
    worker->attempt = attempt_number(job, first);
    worker->started_ns = core->ports.now_ns(core->ports.context);
    worker->since_ms = core->ports.wall_ms(core->ports.context);
    worker->function = job->function;
    worker->function->running++;
    worker->definition = definition_ref(function_definition(job->function));
    job->workers++;
    core->counters.slices++;
    workbench_offer(worker->bench, worker->run, count);
}

static void send_run(struct core *core, struct worker *worker, const char *items, size_t length)
{
    struct job *job = worker->job;
    const struct definition *definition = worker->definition;
    struct message_run run = {.run = worker->run,
                              .job = (uint64_t)job->view.seq,
                              .first = worker->first,
                              .count = worker->count,
                              .attempt = worker->attempt,
                              .flags =
                                  (job->view.kind == JOB_STARMAP ? RUN_STAR : 0u) | (worker->extra ? RUN_ONCE : 0u),
                              .value_max = (uint64_t)core->config->max_value,
                              .timeout_ns = (uint64_t)(job->view.options.timeout_ms * NS_PER_MS)};
    job_id_format(run.job_id, job->view.created_ms, job->view.seq);
    snprintf(run.function, sizeof run.function, "%s", function_within(worker->function, definition));
    memcpy(run.traceparent, job->view.origin.traceparent, sizeof run.traceparent);
    if (definition) {
        uint64_t output = (uint64_t)definition->manifest->limits.output;
        if (output && output < run.value_max)
            run.value_max = output;
        run.definition = definition->number;
        definition_send(core, worker, definition);
        definition_ran(worker, definition);
    }
    core->ports.run(core->ports.context, worker->slot, worker->generation, &run, items, length);
}

bool slice_start(struct core *core, struct worker *worker, struct job *job)
{
    const struct range *front = ranges_front(&job->ready);
    uint32_t first = front->first, count;
    uint32_t size = slice_size(core, job);
    uint32_t most = untroubled(job, first, front->count < size ? front->count : size);
    const char *items;
    size_t length;
    struct blob *blob = chunks_slice(core, job, first, most, &count, &items, &length);
    if (!blob) {
        job->starved = true;
        return false;
    }
    worker->items = blob_ref(blob);
    CHECK(ranges_take(&job->ready, count, &first) == count, "front of the ready items");
    assign(core, worker, job, first, count);
    job_begins(core, job);
    send_run(core, worker, items, length);
    front = ranges_front(&job->ready);
    chunks_passed(core, job, front ? front->first : (uint32_t)job->view.counts.total);
    return true;
}

static bool is_free(const struct worker *worker)
{
    return worker->present && worker->ready && !worker->job && !worker->probe && !worker->stopping && !worker->extra &&
           !worker->releasing;
}

bool worker_is_idle(const struct core *core, const struct worker *worker)
{
    return is_free(worker) && worker->slot < core->processes;
}

struct worker *worker_idle(struct core *core)
{
    for (unsigned i = 0; i < core->worker_top; i++) {
        if (worker_is_idle(core, &core->workers[i]))
            return &core->workers[i];
    }
    return NULL;
}

/* The pool has shrunk: idle workers beyond it go. */
static void release_surplus(struct core *core)
{
    for (unsigned i = core->processes; i < core->worker_top; i++) {
        struct worker *worker = &core->workers[i];
        if (!is_free(worker))
            continue;
        worker->releasing = true;
        core->ports.release_worker(core->ports.context, worker->slot, worker->generation);
    }
}

static void spawn_extras(struct core *core)
{
    struct job *job;
    while (core->extras < core->processes && (job = queue_next(&core->extra_queue))) {
        if (!job_runnable(job)) { /* others have filled its function meanwhile */
            job_queue(core, job);
            continue;
        }
        core->extras++;
        job->spawning++;
        job->function->running++;
        core->ports.spawn_extra(core->ports.context, (uint64_t)job->view.seq);
        queue_charge(&core->extra_queue, job);
        job_settle(core, job);
    }
}

/* The disk is slower than the workers: what waits for its commit must not grow without bounds. */
static bool behind(const struct core *core)
{
    return core->turn && core->turn->write->bytes > TURN_BYTES_MAX;
}

void dispatch(struct core *core)
{
    struct job *job;
    release_surplus(core);
    if (core->draining || core->storage_full || core->storage_failed || behind(core))
        return;
    probes_turn(core);
    gates_turn(core);
    while (core->loads < LOADS_MAX && worker_idle(core) && (job = queue_next(&core->pool_queue))) {
        if (job_runnable(job) && slice_start(core, worker_for(core, job), job))
            queue_charge(&core->pool_queue, job);
        job_settle(core, job);
    }
    spawn_extras(core);
}
