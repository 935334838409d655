#include "supervisor/pool.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/signal_name.h"
#include "supervisor/spawn.h"
#include "supervisor/supervisor.h"
#include "wire/workbench.h"

/* When memory is short, a worker goes before the server does. */
#define WORKER_OOM_SCORE 500

/* ---- start ---- */

static pid_t spawn_worker(struct supervisor *s, const struct slot *slot, bool extra, int channel_fd, int workbench_fd)
{
    char path[PATH_MAX];
    supervisor_program(s, "poold-worker", path);
    struct config config = supervisor_child_config(s);
    char **argv = config_to_argv(&config, "poold-worker");
    struct spawn_plan plan = {
        .path = path,
        .argv = argv,
        .fds = {channel_fd, s->scoreboard_fd, workbench_fd},
        .fd_count = 3,
        .oom_score_adj = WORKER_OOM_SCORE,
        .user = s->user.other ? &s->user : NULL,
    };
    spawn_variable(&plan, "POOLD_WORKER_SLOT", slots_index(&s->pool.slots, slot));
    spawn_variable(&plan, "POOLD_WORKER_GENERATION", slot_next_generation(slot));
    spawn_variable(&plan, "POOLD_WORKER_EXTRA", extra);
    pid_t pid = spawn(&plan);
    free(argv);
    return pid;
}

/* Both ends and the workbench leave this process: one end to the worker, the rest to the server. */
static int start(struct supervisor *s, struct slot *slot, bool extra, uint64_t request, int64_t now)
{
    struct error error = {.text = "socketpair or fork"};
    int pair[2] = {-1, -1}, workbench = -1;
    pid_t pid = -1;
    if (fd_stream_pair(pair, 0) == 0 && (workbench = workbench_create(&error)) != -1)
        pid = spawn_worker(s, slot, extra, pair[1], workbench);
    if (pid == -1) {
        log_event(LOG_ERROR, "worker.not_started", "error=\"%s\" system_error=%d", error.text, errno);
        fd_close(&pair[0]);
        fd_close(&pair[1]);
        fd_close(&workbench);
        backoff_failed(&s->pool.backoff, now);
        return -1;
    }
    fd_close(&pair[1]);
    slots_spawned(&s->pool.slots, slot, pid, now + (int64_t)s->config.hello_deadline_ms * NS_PER_MS);
    slot->extra = extra;
    slot->request = request;
    /* Of a successor it is enough to hear why there is one: worker.gone. */
    log_event(extra || slot->generation > 1 ? LOG_DEBUG : LOG_INFO, "worker.started", "slot=%u gen=%u pid=%d extra=%s",
              slots_index(&s->pool.slots, slot), slot->generation, (int)pid, log_bool(extra));
    control_send_worker_new(s, slot, pair[0], workbench);
    return 0;
}

static bool may_start(const struct supervisor *s, int64_t now)
{
    return s->phase == PHASE_RUN && server_takes_workers(s) && backoff_left(&s->pool.backoff, now) == 0 &&
           s->pool.slots.in_state[SLOT_STARTING] < POOL_STARTING_MAX;
}

static void fill_pool(struct supervisor *s, int64_t now)
{
    struct slot *slot;
    while (may_start(s, now) && (slot = slots_free_pool(&s->pool.slots)) != NULL)
        if (start(s, slot, false, 0, now) == -1)
            return;
}

static void fill_extras(struct supervisor *s, int64_t now)
{
    struct pool *p = &s->pool;
    struct slot *slot;
    while (p->request_count > 0 && may_start(s, now) && (slot = slots_free_extra(&p->slots)) != NULL) {
        if (start(s, slot, true, p->requests[p->first_request], now) == -1)
            return;
        p->first_request = (p->first_request + 1) % POOL_REQUESTS_MAX;
        p->request_count--;
    }
}

void pool_fill(struct supervisor *s, int64_t now)
{
    fill_pool(s, now);
    fill_extras(s, now);
}

int64_t pool_next(const struct supervisor *s, int64_t now)
{
    int64_t deadline = slots_deadline(&s->pool.slots);
    if (backoff_left(&s->pool.backoff, now) == 0)
        return deadline;
    return deadline == 0 || s->pool.backoff.until_ns < deadline ? s->pool.backoff.until_ns : deadline;
}

/* ---- what the server wants ---- */

void pool_worker_ready(struct supervisor *s, uint32_t index, uint32_t generation)
{
    struct slot *slot = slots_current(&s->pool.slots, index, generation);
    if (slot == NULL)
        return;
    slots_hello(&s->pool.slots, slot);
    backoff_worked(&s->pool.backoff);
    log_event(LOG_DEBUG, "worker.ready", "slot=%u gen=%u pid=%d", index, generation, (int)slot->pid);
}

static void stop(struct supervisor *s, struct slot *slot, enum stop_cause cause, uint32_t grace_ms)
{
    int signal = slots_stop(&s->pool.slots, slot, cause, grace_ms * NS_PER_MS, supervisor_now());
    if (signal == 0)
        return;
    char name[SIGNAL_NAME_SIZE];
    kill(-slot->pid, signal); /* the number is ours until we reap it */
    log_event(LOG_DEBUG, "worker.signal", "slot=%u gen=%u pid=%d signal=%s cause=%s", slots_index(&s->pool.slots, slot),
              slot->generation, (int)slot->pid, signal_name(signal, name), stop_cause_name(cause));
}

void pool_worker_stop(struct supervisor *s, uint32_t index, uint32_t generation, enum stop_cause cause,
                      uint32_t grace_ms)
{
    struct slot *slot = slots_current(&s->pool.slots, index, generation);
    if (slot == NULL)
        log_event(LOG_DEBUG, "worker.stale", "slot=%u gen=%u count=%llu", index, generation,
                  (unsigned long long)s->pool.slots.stale);
    else
        stop(s, slot, cause, grace_ms);
}

bool pool_request(struct supervisor *s, uint64_t request)
{
    struct pool *p = &s->pool;
    if (p->request_count == POOL_REQUESTS_MAX)
        return false;
    p->requests[(p->first_request + p->request_count++) % POOL_REQUESTS_MAX] = request;
    return true;
}

void pool_resize(struct supervisor *s, uint32_t processes)
{
    unsigned before = s->pool.slots.wanted;
    slots_resize(&s->pool.slots, processes);
    log_event(LOG_INFO, "pool.resized", "from=%u to=%u", before, s->pool.slots.wanted);
    control_send_pool_state(s);
}

void pool_stop_all(struct supervisor *s, uint32_t grace_ms)
{
    s->pool.request_count = 0;
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        if (s->pool.slots.at[i].state != SLOT_EMPTY)
            stop(s, &s->pool.slots.at[i], STOP_SHUTDOWN, grace_ms);
}

/* ---- ends ---- */

void pool_deadlines(struct supervisor *s, int64_t now)
{
    for (struct slot *slot; (slot = slots_due(&s->pool.slots, now)) != NULL;) {
        kill(-slot->pid, SIGKILL);
        log_event(LOG_WARNING, "worker.killed", "slot=%u gen=%u pid=%d cause=%s", slots_index(&s->pool.slots, slot),
                  slot->generation, (int)slot->pid, stop_cause_name(slot->cause));
    }
}

/* A surplus worker that went by itself went because the server closed its channel. */
static enum stop_cause end_cause(const struct slots *slots, unsigned index, const struct slot *was,
                                 const struct corpse *corpse)
{
    bool surplus = !was->extra && index >= slots->wanted;
    bool clean = corpse->signal == 0 && corpse->exit_code == 0;
    return was->cause == STOP_NONE && surplus && clean ? STOP_RESIZE : was->cause;
}

/* The server tells more of it, as worker.gone: why, and what it ran. Here is what is known without one. */
static void note_exit(const struct supervisor *s, unsigned index, const struct slot *was, const struct corpse *corpse)
{
    bool unasked = was->cause == STOP_NONE && (corpse->signal != 0 || corpse->exit_code != 0);
    char name[SIGNAL_NAME_SIZE];
    bool told = s->control.health == CONTROL_GOOD || was->cause == STOP_SHUTDOWN;
    log_event(told ? LOG_DEBUG : unasked ? LOG_WARNING : LOG_INFO,
              "worker.exited", "slot=%u gen=%u pid=%d cause=%s signal=%s exit_code=%d max_rss_kib=%llu", index,
              was->generation, (int)corpse->pid, stop_cause_name(was->cause), signal_name_any(corpse->signal, name),
              corpse->signal ? LOG_NONE : corpse->exit_code, (unsigned long long)corpse->max_rss_kib);
}

bool pool_exited(struct supervisor *s, const struct corpse *corpse)
{
    struct slot *slot = slots_find(&s->pool.slots, corpse->pid);
    if (slot == NULL)
        return false;
    unsigned index = slots_index(&s->pool.slots, slot);
    struct slot was = slots_exited(&s->pool.slots, slot);
    was.cause = end_cause(&s->pool.slots, index, &was, corpse);
    if (slot_failed_early(&was))
        backoff_failed(&s->pool.backoff, supervisor_now());
    note_exit(s, index, &was, corpse);
    control_send_worker_gone(s, index, &was, corpse);
    return true;
}
