/* journal: what the log is told of jobs, items and workers.
 *
 * Of a million items that fail the first few are told one by one, the rest as a number when the job ends. An apply's
 * beginning and end are for those who want to know everything: there may be thousands a second, and the two lines cost
 * 3 us of the server's 78 for it (JSON 6) and 310 bytes (24,000 applies by 16 clients). */
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/signal_name.h"
#include "engine/functions.h"

enum { TOLD_OF_A_JOB = 10, TOLD_A_SECOND = 100 };

static enum log_level level_of(const struct job *job)
{
    return job->view.kind == JOB_APPLY ? LOG_DEBUG : LOG_INFO;
}

static const char *id_of(const struct job *job, char id[JOB_ID_LENGTH + 1])
{
    job_id_format(id, job->view.created_ms, job->view.seq);
    return id;
}

static const char *given(const char *text)
{
    return *text ? text : NULL;
}

void journal_accepted(const struct job *job)
{
    const struct job_view *view = &job->view;
    char id[JOB_ID_LENGTH + 1];
    if (!log_wants(level_of(job)))
        return;
    log_event(level_of(job), "job.accepted", "job=%s function=%s kind=%s items=%lld client=%s traceparent=%s",
              id_of(job, id), view->function, job_kind_name(view->kind), (long long)view->counts.total,
              given(view->origin.client), given(view->origin.traceparent));
}

void journal_ended(const struct job *job, int64_t took_ns)
{
    const struct job_view *view = &job->view;
    const struct job_counts *counts = &view->counts;
    char id[JOB_ID_LENGTH + 1];
    if (!log_wants(level_of(job)))
        return;
    log_event(level_of(job), "job.ended",
              "job=%s function=%s state=%s items=%lld succeeded=%lld failed=%lld cancelled=%lld seconds=%.3f "
              "unlogged=%d reason=%s",
              id_of(job, id), view->function, job_state_name(view->state), (long long)counts->total,
              (long long)counts->succeeded, (long long)counts->failed, (long long)counts->cancelled,
              (double)took_ns / NS_PER_S, job->untold ? (int)job->untold : LOG_NONE, given(view->reason));
}

void journal_failed(struct core *core, struct job *job, uint32_t index, const struct attempt_end *end, bool again)
{
    bool serious =
        end->failure != FAILURE_ERROR; /* counted apart: errors that a function tells must not hide a crash */
    enum log_level level = serious ? LOG_WARNING : LOG_INFO;
    char id[JOB_ID_LENGTH + 1], signal[SIGNAL_NAME_SIZE];
    int unlogged;
    if (end->failure == FAILURE_CANCELLED || !log_wants(level))
        return;
    if (job->told[serious] == TOLD_OF_A_JOB ||
        !log_limit_allows(&core->failures_told, TOLD_A_SECOND, core->ports.now_ns(core->ports.context), &unlogged)) {
        job->untold++;
        return;
    }
    job->told[serious]++;
    log_event(
        level, "item.failed",
        "job=%s function=%s item=%u attempt=%u type=%s again=%s slot=%d gen=%d signal=%s exit_code=%d unlogged=%d",
        id_of(job, id), job->view.function, index, end->attempt, failure_name(end->failure), log_bool(again),
        end->worker ? (int)end->worker->slot : LOG_NONE, end->worker ? (int)end->worker->generation : LOG_NONE,
        signal_name_any((int)end->signal, signal), end->exit_code >= 0 ? end->exit_code : LOG_NONE, unlogged);
}

/* As the scoreboard says, which is exact: what it had finished may not have come yet. */
static int item_of(const struct worker *worker)
{
    const struct scoreboard_slot *board = worker->board;
    uint32_t activity = atomic_load(&board->activity), index = atomic_load(&board->index);
    bool ours =
        worker->job && atomic_load(&board->run) == worker->run && atomic_load(&board->generation) == worker->generation;
    bool runs = ours && (activity == ACTIVITY_RUNNING || activity == ACTIVITY_STOPPED);
    return runs && index - worker->first < worker->count ? (int)index : LOG_NONE;
}

static enum log_level level_of_end(const struct worker *worker, enum restart_cause cause)
{
    bool known = worker->job && worker->job->told[1] == TOLD_OF_A_JOB; /* its items take one down after the other */
    if (known || (worker->extra && cause == RESTART_RETIRED))
        return LOG_DEBUG;
    bool expected =
        cause == RESTART_RETIRED || cause == RESTART_CANCEL || cause == RESTART_RESIZE || cause == RESTART_SHUTDOWN;
    return expected ? LOG_INFO : LOG_WARNING;
}

void journal_worker_gone(struct core *core, const struct worker *worker, const struct message_worker_gone *gone,
                         enum restart_cause cause)
{
    enum log_level level = level_of_end(worker, cause);
    const struct job *job = worker->job;
    char id[JOB_ID_LENGTH + 1], signal[SIGNAL_NAME_SIZE];
    int item = item_of(worker), unlogged;
    if (!log_wants(level) ||
        !log_limit_allows(&core->ends_told, TOLD_A_SECOND, core->ports.now_ns(core->ports.context), &unlogged))
        return;
    log_event(level, "worker.gone",
              "slot=%u gen=%u pid=%u cause=%s signal=%s exit_code=%d max_rss_kib=%llu job=%s function=%s item=%d "
              "attempt=%d unlogged=%d",
              worker->slot, worker->generation, gone->pid, restart_cause_name(cause),
              signal_name_any((int)gone->signal, signal), gone->signal ? LOG_NONE : (int)gone->exit_code,
              (unsigned long long)gone->max_rss_kib, job ? id_of(job, id) : NULL, job ? job->view.function : NULL, item,
              item != LOG_NONE ? (int)worker->attempt : LOG_NONE, unlogged);
}

static unsigned slices_running(const struct core *core)
{
    unsigned running = 0;
    for (unsigned i = 0; i < core->worker_top; i++)
        running += core->workers[i].present && core->workers[i].job;
    return running;
}

static unsigned jobs_unfinished(const struct core *core)
{
    unsigned unfinished = 0;
    for (const struct job *job = core->jobs; job; job = job->hh.next)
        unfinished += !job->ended;
    return unfinished;
}

void journal_drain(const struct core *core, bool begins, double seconds)
{
    if (begins)
        log_event(LOG_INFO, "drain.begin", "jobs=%u running=%u grace=%.3f", jobs_unfinished(core), slices_running(core),
                  seconds);
    else
        log_event(LOG_INFO, "drain.end", "jobs=%u handed_back=%u seconds=%.3f", jobs_unfinished(core),
                  core->handed_back + slices_running(core), seconds);
}
