/* workers: their coming and going, their time, and who is to blame when one dies. */
#include <signal.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/signal_name.h"
#include "engine/functions.h"
#include "engine/lines.h"
#include "engine/sandbox.h"
#include "engine/shared.h"

struct worker *worker_at(struct core *core, unsigned slot, unsigned generation)
{
    if (slot >= WORKERS_MAX || !core->workers[slot].present || core->workers[slot].generation != generation) {
        core->counters.stale_frames++;
        return NULL;
    }
    return &core->workers[slot];
}

void core_worker_nonsense(struct core *core, unsigned slot, unsigned generation)
{
    struct worker *worker = worker_at(core, slot, generation);
    if (!worker || worker->stopping)
        return;
    log_event(LOG_DEBUG, "worker.nonsense", "slot=%u gen=%u", slot, generation);
    worker->stopping = true;
    worker->stop_cause = STOP_PROTOCOL;
    core->ports.stop_worker(core->ports.context, slot, generation, STOP_PROTOCOL, 0);
}

void core_worker_garbled(struct core *core, unsigned slot, unsigned generation)
{
    struct worker *worker = worker_at(core, slot, generation);
    if (worker)
        worker->garbled = true;
    core_worker_nonsense(core, slot, generation);
}

static void trim(struct worker *worker)
{
    if (worker->dead)
        return;
    uint32_t limit = workbench_trim(worker->bench, worker->run);
    if (limit >= worker->count || limit < worker->received)
        return; /* all started, or a scribbled bench: its results will tell */
    ranges_add(&worker->job->ready, worker->first + limit, worker->count - limit);
    worker->count = limit;
}

void job_trim_slices(struct core *core, struct job *job)
{
    for (unsigned i = 0; i < core->worker_top && job->workers; i++) {
        if (core->workers[i].present && core->workers[i].job == job)
            trim(&core->workers[i]);
    }
}

void stop_worker(struct core *core, struct worker *worker, enum stop_cause cause)
{
    if (worker->stopping)
        return;
    worker->stopping = true;
    worker->stop_cause = cause;
    core->ports.stop_worker(core->ports.context, worker->slot, worker->generation, cause, core->config->kill_grace_ms);
}

void job_stop_workers(struct core *core, struct job *job)
{
    for (unsigned i = 0; i < core->worker_top; i++) {
        if (core->workers[i].present && core->workers[i].job == job)
            stop_worker(core, &core->workers[i], STOP_CANCEL);
    }
}

/* Workers end the items of exec and runtime functions themselves; what runs inside a worker ends with it. */
static bool ends_items(const struct worker *worker)
{
    return worker->definition && worker->definition->manifest->kind != MANIFEST_PLUGIN;
}

/* A worker that does not even begin (it is stopped, or stuck before its first item) is measured from its RUN. */
static bool timed_out(const struct core *core, const struct worker *worker, int64_t now)
{
    int64_t timeout_ns = worker->job->view.options.timeout_ms * NS_PER_MS;
    struct scoreboard_slot *board = worker->board;
    if (timeout_ns == 0 || worker->stopping || worker_loads(worker)) /* a slow start is not the item's time */
        return false;
    if (ends_items(worker))
        timeout_ns += core->config->kill_grace_ms * NS_PER_MS + BACKSTOP_NS;
    if (atomic_load(&board->run) != worker->run)
        return now - worker->started_ns > timeout_ns;
    int64_t started = atomic_load(&board->started_ns);
    return atomic_load(&board->activity) == ACTIVITY_RUNNING && started && now - started > timeout_ns;
}

/* A worker that has not begun is mostly short of processor time, as all are then: its items would go from one idle worker
 * to the next, and none would begin them. (While draining they go to nobody.) */
static int64_t steal_after(const struct core *core, const struct worker *worker)
{
    bool begun = atomic_load(&worker->board->run) == worker->run;
    return begun || core->draining ? STEAL_AFTER_NS : STEAL_UNBEGUN_NS;
}

static void steal(struct core *core, struct worker *worker, int64_t now)
{
    if (worker->stopping || worker->extra || now - worker->started_ns < steal_after(core, worker))
        return;
    if (function_gate(worker->function, worker->job) == GATE_FULL)
        return; /* nobody else may run them */
    uint32_t before = worker->count;
    trim(worker);
    if (worker->count < before) {
        core->counters.steals++;
        worker->job->stolen = true;
        cost_at_least(worker->function, (now - worker->started_ns) / (worker->count ? worker->count : 1));
        job_settle(core, worker->job);
    }
}

void workers_tick(struct core *core, int64_t now)
{
    bool hungry = !core->draining && queue_empty(&core->pool_queue) && worker_idle(core);
    for (unsigned i = 0; i < core->worker_top; i++) {
        struct worker *worker = &core->workers[i];
        if (!worker->present || !worker->job)
            continue;
        if (now - worker->started_ns > STEAL_AFTER_NS)
            slice_peek(core, worker);
        if (timed_out(core, worker, now)) {
            trim(worker); /* first: or the next item would be hit */
            job_settle(core, worker->job);
            stop_worker(core, worker, STOP_TIMEOUT);
        } else if (hungry || core->draining || shared_is_waiting(worker)) { /* who waits, may for an item behind it */
            steal(core, worker, now);
        }
    }
}

/* ---- coming and going ---- */

void core_worker_new(struct core *core, unsigned slot, const struct message_worker_new *new, unsigned generation,
                     struct workbench *bench, struct scoreboard_slot *board)
{
    CHECK(slot < WORKERS_MAX, "slot %u", slot);
    struct worker *worker = &core->workers[slot];
    CHECK(!worker->present, "slot %u is taken by generation %u", slot, worker->generation);
    unsigned restarts = worker->generation ? worker->restarts + 1 : 0;
    if (restarts > 0 && !new->extra)
        core->counters.worker_restarts[worker->ended]++;
    *worker = (struct worker){.present = true,
                              .extra = new->extra != 0,
                              .slot = slot,
                              .generation = generation,
                              .pid = new->pid,
                              .request = new->request,
                              .bench = bench,
                              .board = board,
                              .restarts = restarts,
                              .since_ms = core->ports.wall_ms(core->ports.context)};
    if (slot >= core->worker_top)
        core->worker_top = slot + 1;
}

static void start_extra(struct core *core, struct worker *worker)
{
    struct job *job = job_find(core, (int64_t)worker->request, 0);
    if (job && job->spawning) {
        job->spawning--;
        job->function->running--;
    }
    if (!job || core->draining || !job_runnable(job) || !slice_start(core, worker, job)) {
        worker->releasing = true;
        core->ports.release_worker(core->ports.context, worker->slot, worker->generation);
    }
    if (job) {
        job_settle(core, job);
        job_release(core, job);
    }
    worker->request = 0;
}

void core_worker_hello(struct core *core, unsigned slot, unsigned generation, const struct message_hello *hello,
                       const char *functions, size_t length)
{
    struct worker *worker = worker_at(core, slot, generation);
    if (!worker)
        return;
    worker->ready = true;
    worker->since_ms = core->ports.wall_ms(core->ports.context);
    sandbox_told(core, worker, hello);
    builtins_learn(core, functions, length);
    core->ports.worker_ready(core->ports.context, slot, generation, worker->pid);
    if (worker->extra)
        start_extra(core, worker);
}

/* The worker saw its own end coming, and said why. */
static bool killed_for_memory(const struct worker *worker)
{
    const struct scoreboard_slot *board = worker->board;
    return atomic_load(&board->run) == worker->run && atomic_load(&board->generation) == worker->generation &&
           atomic_load(&board->verdict) == FAILURE_MEMORY;
}

static bool used_its_cpu(const struct worker *worker, const struct message_worker_gone *gone)
{
    return gone->signal == SIGXCPU && worker->definition && worker->definition->manifest->limits.cpu_s > 0;
}

static enum failure failure_of(const struct worker *worker, const struct message_worker_gone *gone)
{
    static const enum failure failures[STOP_CAUSES] = {
        [STOP_NONE] = FAILURE_CRASH,           [STOP_TIMEOUT] = FAILURE_TIMEOUT,    [STOP_CANCEL] = FAILURE_CANCELLED,
        [STOP_PROTOCOL] = FAILURE_PROTOCOL,    [STOP_RESIZE] = FAILURE_INTERRUPTED, [STOP_HELLO] = FAILURE_CRASH,
        [STOP_SHUTDOWN] = FAILURE_INTERRUPTED,
    };
    if (killed_for_memory(worker))
        return FAILURE_MEMORY;
    if (!worker->stopping && used_its_cpu(worker, gone))
        return FAILURE_TIMEOUT;
    return failures[worker->stopping ? worker->stop_cause : STOP_NONE];
}

static void explain(const struct worker *worker, const struct message_worker_gone *gone, struct attempt_end *end,
                    char *message, size_t size)
{
    char name[16];
    if (end->failure == FAILURE_MEMORY) {
        end->limit = atomic_load(&worker->board->limit);
        end->peak = atomic_load(&worker->board->peak);
        snprintf(message, size, "used %.1f MiB, its limit is %.1f MiB", (double)end->peak / (1 << 20),
                 (double)end->limit / (1 << 20));
    } else if (end->failure == FAILURE_TIMEOUT && !worker->stopping) {
        snprintf(message, size, "used more than its %lld s of processor time",
                 (long long)worker->definition->manifest->limits.cpu_s);
    } else if (end->failure == FAILURE_TIMEOUT) {
        snprintf(message, size, "took longer than its timeout of %.3f s",
                 (double)worker->job->view.options.timeout_ms / 1000);
    } else if (end->failure == FAILURE_PROTOCOL) {
        snprintf(message, size, "its worker sent something that is no result");
    } else if (end->failure == FAILURE_CANCELLED) {
        snprintf(message, size, "cancelled while it ran");
    } else if (gone->signal) {
        snprintf(message, size, "killed by %s", signal_name((int)gone->signal, name));
    } else {
        snprintf(message, size, "its process exited with status %u", gone->exit_code);
    }
    end->message = message;
}

static void fail_running(struct core *core, struct worker *worker, uint32_t index,
                         const struct message_worker_gone *gone)
{
    struct job *job = worker->job;
    char message[200];
    int64_t age_ms = (core->ports.now_ns(core->ports.context) - atomic_load(&worker->board->started_ns)) / NS_PER_MS;
    struct attempt_end end = {
        .failure = failure_of(worker, gone),
        .signal = gone->signal,
        .exit_code = gone->signal ? -1 : (int)gone->exit_code,
        .started_ms = core->ports.wall_ms(core->ports.context) - (age_ms > 0 ? age_ms : 0),
        .attempt = worker->attempt,
        .pid = worker->extra ? worker->pid : 0,
        .worker = worker,
    };
    if (end.failure == FAILURE_INTERRUPTED && worker->stop_cause == STOP_SHUTDOWN) {
        attempt_stopped(core, job, index, worker->attempt, end.started_ms, worker);
        core->handed_back++;
        return;
    }
    if (end.failure == FAILURE_INTERRUPTED) {
        attempt_interrupted(core, job, index, worker->attempt, end.started_ms, worker);
        return;
    }
    explain(worker, gone, &end, message, sizeof message);
    attempt_failed(core, job, index, &end);
}

enum blame { BLAME_NOBODY, BLAME_RUNNING, BLAME_INTERRUPTED };

/* It has done its share (max_tasks_per_child, max_rss) and was on its way out when this slice came: nobody's fault, and
 * no endless loop, since each such worker has done something. */
static bool retired_before(const struct worker *worker, const struct message_worker_gone *gone)
{
    return !worker->stopping && gone->signal == 0 && gone->exit_code == 0 && worker->items_done > 0 &&
           atomic_load(&worker->board->run) != worker->run;
}

/* An item may have written to the channel and been followed by others, whose results came behind that garbage. */
static bool is_ambiguous(const struct worker *worker)
{
    return worker->garbled && worker->count - worker->received > 1;
}

/* Each of them goes alone from now on, so that next time it is clear. */
static void part_company(struct worker *worker)
{
    for (uint32_t i = worker->received; i < worker->count; i++)
        trouble_get(worker->job, worker->first + i);
}

/* Exact blame: the scoreboard says which item ran. A worker that died without having finished or begun anything of its
 * slice was interrupted: that costs the item nothing, but is counted, so that it cannot go on for ever. */
static enum blame whom_to_blame(const struct worker *worker, const struct message_worker_gone *gone)
{
    const struct scoreboard_slot *board = worker->board;
    bool ours = atomic_load(&board->run) == worker->run && atomic_load(&board->generation) == worker->generation;
    bool running = ours && atomic_load(&board->activity) == ACTIVITY_RUNNING &&
                   atomic_load(&board->index) == worker->first + worker->received;
    if (worker->received == worker->count || retired_before(worker, gone) || is_ambiguous(worker))
        return BLAME_NOBODY;
    if (running || (worker->stopping && worker->stop_cause == STOP_PROTOCOL))
        return BLAME_RUNNING;
    return worker->received == 0 && !worker->stopping ? BLAME_INTERRUPTED : BLAME_NOBODY;
}

/* What nobody is to blame for goes back first: a failure may end the job (fail_fast), which looks at all slices. */
static void abandon_slice(struct core *core, struct worker *worker, const struct message_worker_gone *gone)
{
    struct job *job = worker->job;
    worker->dead = true;
    if (!worker->garbled) /* else who wrote there would get away with the value that it gave afterwards */
        slice_salvage(core, worker);
    enum blame blame = whom_to_blame(worker, gone);
    if (is_ambiguous(worker))
        part_company(worker);
    uint32_t blamed = worker->first + worker->received, next = blamed + (blame != BLAME_NOBODY);
    ranges_add(&job->ready, next, worker->first + worker->count - next);
    if (blame == BLAME_RUNNING)
        fail_running(core, worker, blamed, gone);
    else if (blame == BLAME_INTERRUPTED)
        attempt_interrupted(core, job, blamed, worker->attempt, worker->since_ms, worker);
    if (job->stopping)
        job_stop(core, job, job->cancelled, job->view.reason);
    slice_end(core, worker);
}

/* Its blame has been told; left on the board, a restart would tell it again. The page is its successor's as soon as
 * that has written its generation. */
static void wipe_board(struct worker *worker)
{
    if (atomic_load(&worker->board->generation) == worker->generation)
        atomic_store(&worker->board->activity, ACTIVITY_NONE);
}

const char *restart_cause_name(enum restart_cause cause)
{
    static const char *const names[RESTART_CAUSES] = {
        [RESTART_RETIRED] = "retired", [RESTART_CRASH] = "crash",   [RESTART_MEMORY] = "memory",
        [RESTART_TIMEOUT] = "timeout", [RESTART_CANCEL] = "cancel", [RESTART_PROTOCOL] = "protocol",
        [RESTART_RESIZE] = "resize",   [RESTART_HELLO] = "hello",   [RESTART_SHUTDOWN] = "shutdown",
    };
    return names[cause];
}

/* The supervisor stops some without being asked: it says why too. */
static enum restart_cause cause_of(const struct worker *worker, const struct message_worker_gone *gone)
{
    static const enum restart_cause causes[STOP_CAUSES] = {
        [STOP_TIMEOUT] = RESTART_TIMEOUT, [STOP_CANCEL] = RESTART_CANCEL, [STOP_PROTOCOL] = RESTART_PROTOCOL,
        [STOP_RESIZE] = RESTART_RESIZE,   [STOP_HELLO] = RESTART_HELLO,   [STOP_SHUTDOWN] = RESTART_SHUTDOWN,
    };
    uint32_t cause = worker->stopping ? worker->stop_cause : gone->cause;
    if (killed_for_memory(worker))
        return RESTART_MEMORY;
    if (cause != STOP_NONE && cause < STOP_CAUSES)
        return causes[cause];
    return gone->signal || gone->exit_code ? RESTART_CRASH : RESTART_RETIRED;
}

void core_worker_gone(struct core *core, unsigned slot, unsigned generation, const struct message_worker_gone *gone)
{
    struct worker *worker = worker_at(core, slot, generation);
    if (!worker)
        return;
    worker->ended = cause_of(worker, gone);
    journal_worker_gone(core, worker, gone, worker->ended);
    if (worker->job)
        abandon_slice(core, worker, gone);
    probe_worker_gone(core, worker, gone);
    wipe_board(worker);
    worker_forget(worker);
    if (worker->extra) {
        core->extras--;
        struct job *job = worker->request ? job_find(core, (int64_t)worker->request, 0) : NULL;
        if (job && job->spawning) { /* it died before its hello */
            job->spawning--;
            job->function->running--;
            job_settle(core, job);
        }
    }
    worker->present = worker->ready = worker->dead = false;
    worker->bench = NULL;
    while (core->worker_top && !core->workers[core->worker_top - 1].present)
        core->worker_top--;
}
