/* attempts: what became of an attempt that did not succeed. Every one is recorded; an item that may be tried again
 * waits (back-off doubles, ± 25 % jitter so that a burst of failures does not return as a burst), another gets its
 * final line. Interrupted attempts cost the item nothing until they are INTERRUPTED_MAX. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/signal_name.h"
#include "engine/core.h"
#include "engine/lines.h"

struct item_trouble *trouble_get(struct job *job, uint32_t index)
{
    struct item_trouble *trouble;
    HASH_FIND(hh, job->troubles, &index, sizeof index, trouble);
    if (!trouble) {
        trouble = calloc(1, sizeof *trouble);
        CHECK(trouble, "out of memory");
        trouble->index = index;
        HASH_ADD(hh, job->troubles, index, sizeof trouble->index, trouble);
    }
    return trouble;
}

static void trouble_drop(struct job *job, struct item_trouble *trouble)
{
    HASH_DEL(job->troubles, trouble);
    free(trouble);
}

void trouble_free_all(struct job *job)
{
    struct item_trouble *trouble, *next;
    HASH_ITER(hh, job->troubles, trouble, next)
    {
        trouble_drop(job, trouble);
    }
}

void trouble_end(struct job *job, uint32_t index)
{
    struct item_trouble *trouble;
    HASH_FIND(hh, job->troubles, &index, sizeof index, trouble);
    if (trouble)
        trouble_drop(job, trouble);
}

uint32_t attempt_number(const struct job *job, uint32_t index)
{
    struct item_trouble *trouble;
    if (!job->troubles)
        return 1;
    HASH_FIND(hh, job->troubles, &index, sizeof index, trouble);
    return trouble ? trouble->failures + 1 : 1;
}

static bool tried_again(const struct job *job, const struct attempt_end *end)
{
    return end->attempt < job->view.options.max_attempts && !job->stopping && end->failure != FAILURE_CANCELLED;
}

static void record(struct core *core, struct job *job, uint32_t index, const struct attempt_end *end, bool again)
{
    struct store_op *op = store_write_add(turn_current(core)->write, STORE_ATTEMPT_PUT, job->view.seq);
    op->first = index;
    op->attempt = calloc(1, sizeof *op->attempt);
    CHECK(op->attempt, "out of memory");
    *op->attempt = (struct store_attempt){.number = end->attempt,
                                          .failure = end->failure,
                                          .signal = end->signal,
                                          .exit_code = end->exit_code,
                                          .started_ms = end->started_ms,
                                          .ended_ms = core->ports.wall_ms(core->ports.context)};
    snprintf(op->attempt->message, sizeof op->attempt->message, "%s", end->message);
    core->counters.attempts_failed[end->failure]++;
    journal_failed(core, job, index, end, again);
    job_touch(core, job);
}

void attempt_record(struct core *core, struct job *job, uint32_t index, const struct result_line *line,
                    const struct worker *worker)
{
    char message[sizeof((struct store_attempt *)0)->message];
    result_line_message(line, message, sizeof message);
    record(core, job, index,
           &(struct attempt_end){.failure = line->failure,
                                 .signal = line->signal,
                                 .exit_code = line->exit_code,
                                 .message = message,
                                 .started_ms = worker->since_ms,
                                 .attempt = worker->attempt,
                                 .worker = worker},
           false);
}

static int64_t backoff_ns(const struct job *job, uint32_t index, uint32_t failures)
{
    int64_t ms = job->view.options.backoff_ms;
    for (uint32_t i = 1; i < failures && ms < 3600000; i++)
        ms *= 2;
    uint32_t random = (index * 2654435761u) ^ ((uint32_t)job->view.seq * 40503u) ^ (failures * 97u);
    return (ms * 3 / 4 + ms * (int64_t)(random % 1000) / 2000) * NS_PER_MS;
}

static void wait_for_next(struct core *core, struct job *job, struct item_trouble *trouble, int64_t delay_ns)
{
    trouble->waiting = true;
    trouble->due_ns = core->ports.now_ns(core->ports.context) + delay_ns;
    if (job->waiting++ == 0 || trouble->due_ns < job->next_due_ns)
        job->next_due_ns = trouble->due_ns;
    job_time(core, job);
}

static void finish(struct core *core, struct job *job, uint32_t index, const struct attempt_end *end)
{
    char name[16];
    struct failure_report report = {.failure = end->failure,
                                    .message = end->message,
                                    .signal_name = signal_name_any((int)end->signal, name),
                                    .exit_code = end->exit_code,
                                    .attempts = end->attempt,
                                    .limit = end->limit,
                                    .peak = end->peak,
                                    .pid = end->pid};
    if (end->failure == FAILURE_CANCELLED)
        batch_put(core, job, index, 1, 1, NULL);
    else
        batch_put(core, job, index, 1, 1, end->line ? end->line : result_line_failure(index, &report));
    if (job->view.options.fail_fast && end->failure != FAILURE_CANCELLED && !job->stopping)
        job_stop(core, job, false, "an item failed (fail_fast)");
}

void attempt_failed(struct core *core, struct job *job, uint32_t index, const struct attempt_end *end)
{
    bool again = tried_again(job, end);
    record(core, job, index, end, again);
    if (!again) {
        finish(core, job, index, end);
        return;
    }
    struct item_trouble *trouble = trouble_get(job, index);
    trouble->failures = end->attempt;
    wait_for_next(core, job, trouble, backoff_ns(job, index, trouble->failures));
}

void attempt_interrupted(struct core *core, struct job *job, uint32_t index, uint32_t attempt, int64_t started_ms,
                         const struct worker *worker)
{
    struct attempt_end end = {.failure = FAILURE_INTERRUPTED,
                              .exit_code = -1,
                              .message = "the service stopped while it ran",
                              .started_ms = started_ms,
                              .attempt = attempt,
                              .worker = worker};
    bool given_up = ++trouble_get(job, index)->interrupted >= INTERRUPTED_MAX;
    record(core, job, index, &end, !given_up && !job->stopping);
    if (given_up) {
        end.message = "was running each time the service died";
        finish(core, job, index, &end);
    } else if (job->stopping) {
        end.failure = FAILURE_CANCELLED;
        finish(core, job, index, &end);
    } else {
        ranges_add(&job->ready, index, 1);
    }
}

void attempt_stopped(struct core *core, struct job *job, uint32_t index, uint32_t attempt, int64_t started_ms,
                     const struct worker *worker)
{
    record(core, job, index,
           &(struct attempt_end){.failure = FAILURE_INTERRUPTED,
                                 .signal = SIGTERM,
                                 .exit_code = -1,
                                 .message = "the service was stopped while it ran",
                                 .started_ms = started_ms,
                                 .attempt = attempt,
                                 .worker = worker},
           !job->stopping);
    ranges_add(&job->ready, index, 1);
}

void troubles_tick(struct core *core, struct job *job, int64_t now)
{
    if (job->not_before_ns && now >= job->not_before_ns)
        job->not_before_ns = 0;
    if (!job->waiting || core->draining || now < job->next_due_ns)
        return;
    struct item_trouble *trouble, *next;
    job->next_due_ns = INT64_MAX;
    HASH_ITER(hh, job->troubles, trouble, next)
    {
        if (trouble->waiting && trouble->due_ns <= now) {
            trouble->waiting = false;
            job->waiting--;
            ranges_add(&job->ready, trouble->index, 1);
        } else if (trouble->waiting && trouble->due_ns < job->next_due_ns) {
            job->next_due_ns = trouble->due_ns;
        }
    }
}
