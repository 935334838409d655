/* slice: the results of a slice, from frames or from the outbox.
 *
 * Fences: a frame counts only from the slot's present generation, for the run it has, for the next items of that run.
 * Everything else is stale or nonsense. Lines are believed only after they have been checked. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "engine/functions.h"
#include "engine/lines.h"
#include "engine/shared.h"
#include "wire/scan.h"

void batch_put(struct core *core, struct job *job, uint32_t first, uint32_t count, uint32_t failed, struct blob *lines)
{
    struct store_batch batch = {
        .position = (uint32_t)job->view.positions, .first = first, .count = count, .failed = failed, .lines = lines};
    struct store_op *op = store_write_add(turn_current(core)->write, STORE_RESULT_PUT, job->view.seq);
    op->position = batch.position;
    op->first = first;
    op->count = count;
    op->failed = failed;
    op->bytes = blob_ref(lines);
    job->view.positions += count;
    if (count == 1 && job->troubles)
        trouble_end(job, first); /* an item that had failed before runs alone */
    if (lines) {
        turn_current(core)->write->bytes += lines->length;
        job->view.counts.succeeded += count - failed;
        job->view.counts.failed += failed;
        core->counters.items_succeeded += count - failed;
        core->counters.items_failed += failed;
        job->function->items.succeeded += count - failed;
        job->function->items.failed += failed;
    } else {
        job->view.counts.cancelled += count;
        core->counters.items_cancelled += count;
        job->function->items.cancelled += count;
    }
    job_touch(core, job);
    turn_effect(core, (struct effect){.type = EFFECT_BATCH, .job = job, .batch = batch});
}

static void put_span(struct core *core, struct job *job, uint32_t first, uint32_t count, uint32_t failed,
                     const char *from, const char *to)
{
    if (count)
        batch_put(core, job, first, count, failed, blob_new(from, (size_t)(to - from)));
}

static void note_failure(struct core *core, struct worker *worker, const struct result_line *line, struct blob *final)
{
    char message[sizeof((struct store_attempt *)0)->message];
    result_line_message(line, message, sizeof message);
    struct attempt_end end = {.failure = line->failure,
                              .signal = line->signal,
                              .exit_code = line->exit_code,
                              .message = message,
                              .started_ms = worker->since_ms,
                              .attempt = worker->attempt,
                              .line = final,
                              .worker = worker};
    attempt_failed(core, worker->job, line->index, &end);
}

/* Lines with failures among them: what is final stays together, what will be tried again is cut out. */
static void take_mixed(struct core *core, struct worker *worker, uint32_t first, uint32_t count, const char *lines,
                       const char *end)
{
    struct job *job = worker->job;
    bool again = worker->attempt < job->view.options.max_attempts && !job->stopping;
    const char *from = lines, *at = lines;
    uint32_t span_first = first, span_failed = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct result_line line;
        const char *next = result_line_read(&line, at, end, first + i);
        CHECK(next, "a checked line reads otherwise now");
        if (line.failure != FAILURE_NONE && worker->callers)
            shared_item_failed(core, worker, line.index, line.failure);
        if (line.failure != FAILURE_NONE && again) {
            put_span(core, job, span_first, first + i - span_first, span_failed, from, at);
            note_failure(core, worker, &line, NULL);
            from = next;
            span_first = first + i + 1;
            span_failed = 0;
        } else if (line.failure != FAILURE_NONE) {
            attempt_record(core, job, line.index, &line, worker);
            span_failed++;
        }
        at = next;
    }
    put_span(core, job, span_first, first + count - span_first, span_failed, from, end);
}

/* False when the lines are not all what they must be; those before the first bad one count, so that it alone pays. */
static bool take_lines(struct core *core, struct worker *worker, uint32_t count, const char *lines, size_t length)
{
    uint32_t first = worker->first + worker->received, failed;
    size_t bytes;
    uint32_t good = result_lines_prefix(lines, lines + length, first, count, &bytes, &failed);
    worker->received += good;
    worker->items_done += good;
    if (worker->definition && good > failed)
        definition_works(worker->definition);
    if (worker->progress && worker->progress_index < worker->first + worker->received)
        progress_drop(worker);
    struct job *job = worker->job;
    if (failed == 0)
        put_span(core, job, first, good, 0, lines, lines + bytes);
    else
        take_mixed(core, worker, first, good, lines, lines + bytes);
    if (worker->callers)
        shared_items_ended(core, worker);
    if (job->view.options.fail_fast && job->view.counts.failed > 0 && !job->stopping)
        job_stop(core, job, false, "an item failed (fail_fast)");
    return good == count && bytes == length;
}

static const char *skip_lines(const char *at, const char *end, uint32_t count)
{
    while (count-- && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        at = newline ? newline + 1 : end;
    }
    return at;
}

/* The worker is free of its slice; unfinished items have been dealt with. */
void slice_end(struct core *core, struct worker *worker)
{
    struct job *job = worker->job;
    shared_slice_ended(core, worker, worker->dead);
    worker->job = NULL;
    worker->function->running--;
    worker->function = NULL;
    definition_unref(&worker->definition);
    progress_drop(worker);
    blob_unref(&worker->items);
    worker->since_ms = core->ports.wall_ms(core->ports.context);
    job->workers--;
    job_settle(core, job);
    job_release(core, job);
}

/* One observation a slice, so that the items cost nothing: what fast items differ by within their slice is not seen.
 * The worker's word is believed no further than the slice's own time. */
static void observe(struct core *core, const struct worker *worker, uint64_t busy_ns)
{
    int64_t most = core->ports.now_ns(core->ports.context) - worker->started_ns;
    if (worker->received == 0 || most < 0)
        return;
    int64_t busy = busy_ns < (uint64_t)most ? (int64_t)busy_ns : most;
    histogram_add(&core->counters.item_run, worker->received, busy / worker->received);
    worker->function->items.run_ns += (uint64_t)busy;
}

void core_worker_result(struct core *core, unsigned slot, unsigned generation, const struct message_result *result,
                        const char *lines, size_t length)
{
    struct worker *worker = worker_at(core, slot, generation);
    if (!worker)
        return;
    if (!worker->job || result->run != worker->run) {
        core->counters.stale_results += result->count;
        return;
    }
    uint32_t expected = worker->first + worker->received, limit = worker->first + worker->count;
    uint32_t first = result->count ? result->first : expected; /* an empty one says only that it is done */
    uint32_t known = expected - first; /* lines that were looked at in the outbox already (slice_peek) */
    bool sane = first >= worker->first && first <= expected && result->count <= limit - first &&
                result->count >= known && (!result->done || first + result->count == limit);
    const char *rest = skip_lines(lines, lines + length, known);
    if (!sane || !take_lines(core, worker, result->count - known, rest, (size_t)(lines + length - rest))) {
        core_worker_nonsense(core, slot, generation);
        return;
    }
    if (!result->done)
        return;
    observe(core, worker, result->busy_ns);
    cost_learn(worker->function, worker->received, (int64_t)result->busy_ns);
    slice_end(core, worker);
}

void core_worker_output(struct core *core, unsigned slot, unsigned generation, const struct message_output *output,
                        const char *bytes, size_t length)
{
    struct worker *worker = worker_at(core, slot, generation);
    if (!worker || !worker->job || output->run != worker->run)
        return;
    bool sane = output->index - worker->first < worker->count && output->attempt == worker->attempt &&
                (output->stream == 1 || output->stream == 2);
    if (!sane) {
        core_worker_nonsense(core, slot, generation);
        return;
    }
    struct store_op *op = store_write_add(turn_current(core)->write, STORE_OUTPUT_PUT, worker->job->view.seq);
    op->first = output->index;
    op->stream = output->stream;
    op->bytes = blob_new(bytes, length);
    op->attempt = calloc(1, sizeof *op->attempt);
    CHECK(op->attempt, "out of memory");
    op->attempt->number = output->attempt;
    job_touch(core, worker->job);
}

void progress_drop(struct worker *worker)
{
    blob_unref(&worker->progress);
}

/* What user code says of itself: kept when it is a small JSON text of an item that is not done, otherwise nothing. */
void core_worker_progress(struct core *core, unsigned slot, unsigned generation,
                          const struct message_progress *progress, const char *json, size_t length)
{
    struct worker *worker = worker_at(core, slot, generation);
    if (!worker || !worker->job || progress->run != worker->run)
        return;
    if (progress->index - worker->first >= worker->count || progress->attempt != worker->attempt) {
        core_worker_nonsense(core, slot, generation);
        return;
    }
    if (length > PROGRESS_BYTES_MAX || progress->index < worker->first + worker->received ||
        !scan_is_value(json, json + length, NULL))
        return;
    progress_drop(worker);
    worker->progress = blob_new(json, length);
    worker->progress_index = progress->index;
}

/* New lines of an outbox, copied: whoever else still maps the bench (a process that the function left behind) cannot
 * change them between the check and the use. */
static void take_outbox(struct core *core, struct worker *worker, const struct outbox_view *outbox, const char *lines)
{
#ifndef POOLD_BREAK_FENCE
    if (outbox->first > worker->received || outbox->first + outbox->count > worker->count ||
        outbox->first + outbox->count <= worker->received)
        return;
    uint32_t known = worker->received - outbox->first;
#else
    uint32_t known = 0;
    worker->received = outbox->first;
#endif
    const char *end = lines + outbox->bytes;
    const char *at = skip_lines(lines, end, known);
    take_lines(core, worker, outbox->count - known, at, (size_t)(end - at));
}

static char *copy_lines(const struct outbox_view *outbox)
{
    char *copy = malloc(outbox->bytes);
    CHECK(copy, "out of memory");
    return memcpy(copy, outbox->lines, outbox->bytes);
}

/* What it had finished and not sent counts: only the item that ran pays. */
void slice_salvage(struct core *core, struct worker *worker)
{
    struct outbox_view outbox;
    workbench_outbox(worker->bench, worker->run, &outbox);
    if (outbox.count == 0)
        return;
    char *lines = copy_lines(&outbox);
    take_outbox(core, worker, &outbox, lines);
    free(lines);
}

/* A fast item's line must not wait behind a slow one in its slice: the outbox of a slice that takes long is read while
 * the worker goes on. Lines are only ever appended until they are sent, so a copy is good when the box still begins at
 * the same item afterwards. */
void slice_peek(struct core *core, struct worker *worker)
{
    struct outbox_view before, after;
    workbench_outbox(worker->bench, worker->run, &before);
    if (before.count == 0 || before.first > worker->received || before.first + before.count <= worker->received)
        return;
    char *lines = copy_lines(&before);
    workbench_outbox(worker->bench, worker->run, &after);
    if (after.first == before.first && after.count >= before.count)
        take_outbox(core, worker, &before, lines);
    free(lines);
}
