/* shared_tasks: calls of running items. User code makes them, so nonsense in one is an error that it is told, not its
 * worker's death. Whoever called is remembered until its item has ended: then what it holds is released. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/id.h"
#include "engine/shared.h"

struct task_call {
    struct object_call call; /* first */
    struct core *core;
    struct callers *callers;
    LIST_ENTRY(task_call) link;
    unsigned slot, generation;
    struct message_answer answer;
    bool quiet;
};

enum { ANSWER_MAX = FRAME_BYTES_MAX - 1024 };

/* ---- answers ---- */

static void write_error(struct buf *text, const char *type, const char *message)
{
    buf_printf(text, "{\"error\":{\"type\":\"%s\",\"message\":", type);
    buf_append_json_string(text, message, strlen(message));
    buf_append_text(text, "}}");
}

static void write_answer(struct buf *text, const struct object_call *call)
{
    bool good = call->status == OBJECT_OK || call->status == OBJECT_CREATED;
    if (!good) {
        write_error(text, object_status_name(call->status), call->problem);
    } else if (call->answer.length > ANSWER_MAX) {
        write_error(text, object_status_name(OBJECT_LIMIT), "the answer is longer than 8 MiB: ask for less at once");
    } else {
        buf_append_text(text, "{\"ok\":");
        if (call->answer.length)
            buf_append(text, call->answer.data, call->answer.length);
        else
            buf_append_text(text, "null");
        buf_append_char(text, '}');
    }
}

static void answer(struct task_call *c)
{
    struct core *core = c->core;
    struct buf *text = &core->shared->text;
    buf_clear(text, 64 * 1024);
    write_answer(text, &c->call);
    core->ports.answer(core->ports.context, c->slot, c->generation, &c->answer, text->data, text->length);
}

static void done(struct object_call *call)
{
    struct task_call *c = (struct task_call *)call;
    bool good = call->status == OBJECT_OK || call->status == OBJECT_CREATED;
    LIST_REMOVE(c, link);
    c->callers->waiting--;
    if (call->status != OBJECT_GIVEN_UP && (!good || !c->quiet))
        answer(c);
    buf_free(&call->answer);
    buf_free(&call->kept);
    free(c);
}

static bool gone(struct object_call *call)
{
    const struct task_call *c = (const struct task_call *)call;
    return c->core->ports.worker_left(c->core->ports.context, c->slot, c->generation);
}

/* ---- who called ---- */

static struct callers *callers_of(struct worker *worker)
{
    if (!worker->callers) {
        worker->callers = calloc(1, sizeof *worker->callers);
        CHECK(worker->callers, "out of memory");
        LIST_INIT(&worker->callers->calls);
        worker->callers->named = UINT32_MAX;
    }
    return worker->callers;
}

static void note_caller(struct callers *callers, uint32_t index)
{
    for (size_t i = callers->count; i > 0; i--)
        if (callers->items[i - 1] == index)
            return;
    if (callers->count == callers->capacity) {
        callers->capacity = callers->capacity ? callers->capacity * 2 : 4;
        callers->items = realloc(callers->items, callers->capacity * sizeof *callers->items);
        CHECK(callers->items, "out of memory");
    }
    callers->items[callers->count++] = index;
}

static void caller_gone(struct core *core, struct worker *worker, size_t at, bool died)
{
    struct callers *callers = worker->callers;
    struct object_holder holder = {worker->run, callers->items[at]};
    callers->items[at] = callers->items[--callers->count];
    core->shared->called = true;
    objects_holder_gone(core->shared->objects, &holder, died);
}

void shared_item_failed(struct core *core, struct worker *worker, uint32_t index, enum failure failure)
{
    bool died = failure == FAILURE_CRASH || failure == FAILURE_TIMEOUT || failure == FAILURE_MEMORY ||
                failure == FAILURE_PROTOCOL;
    for (size_t i = 0; worker->callers && i < worker->callers->count; i++) {
        if (worker->callers->items[i] == index) {
            caller_gone(core, worker, i, died);
            return;
        }
    }
}

void shared_items_ended(struct core *core, struct worker *worker)
{
    struct callers *callers = worker->callers;
    for (size_t i = callers ? callers->count : 0; i > 0; i--)
        if (callers->items[i - 1] < worker->first + worker->received)
            caller_gone(core, worker, i - 1, false);
}

void shared_slice_ended(struct core *core, struct worker *worker, bool died)
{
    struct callers *callers = worker->callers;
    if (!callers)
        return;
    while (callers->count)
        caller_gone(core, worker, callers->count - 1, died);
    CHECK(callers->waiting == 0 && LIST_EMPTY(&callers->calls), "%u calls of slot %u outlive their items",
          callers->waiting, worker->slot);
    worker->callers = NULL;
    free(callers->items);
    free(callers);
}

/* ---- a call ---- */

static const char *holder_name(struct worker *worker, uint32_t index)
{
    struct callers *callers = worker->callers;
    if (callers->named != index) {
        char id[JOB_ID_LENGTH + 1];
        job_id_format(id, worker->job->view.created_ms, worker->job->view.seq);
        snprintf(callers->name, sizeof callers->name, "job %s item %u", id, index);
        callers->named = index;
    }
    return callers->name;
}

static struct task_call *new_call(struct core *core, struct worker *worker, const struct message_call *message)
{
    struct task_call *c = calloc(1, sizeof *c);
    CHECK(c, "out of memory");
    c->core = core;
    c->callers = worker->callers;
    c->slot = worker->slot;
    c->generation = worker->generation;
    c->answer = (struct message_answer){.run = message->run, .index = message->index, .call = message->call};
    c->call.holder = (struct object_holder){message->run, message->index};
    c->call.done = done;
    c->call.owner = c;
    c->call.gone = gone;
    snprintf(c->call.holder_name, sizeof c->call.holder_name, "%s", holder_name(worker, message->index));
    LIST_INSERT_HEAD(&c->callers->calls, c, link);
    c->callers->waiting++;
    return c;
}

static void refuse(struct task_call *c, enum object_status status, const char *problem)
{
    c->call.status = status;
    snprintf(c->call.problem, sizeof c->call.problem, "%s", problem);
    done(&c->call);
}

/* A later item of the slice calls, so those before it have ended, though their lines may still be in the outbox: what
 * they hold is not to be waited for. */
static void settle_earlier(struct core *core, struct worker *worker, uint32_t index)
{
    const struct callers *callers = worker->callers;
    for (size_t i = 0; callers && i < callers->count; i++) {
        if (callers->items[i] < index) {
            slice_peek(core, worker);
            return;
        }
    }
}

/* Nobody waits for its answer any more (the process that asked was killed, say); it may have come already. */
static void take_back(struct core *core, struct worker *worker, const struct message_call *message)
{
    struct task_call *c;
    if (!worker->callers)
        return;
    LIST_FOREACH(c, &worker->callers->calls, link)
    {
        if (c->answer.index == message->index && c->answer.call == message->call && !c->quiet) {
            objects_give_up(core->shared->objects, &c->call);
            return;
        }
    }
}

void core_worker_call(struct core *core, unsigned slot, unsigned generation, const struct message_call *message,
                      const char *text, size_t length, bool deaf)
{
    struct worker *worker = worker_at(core, slot, generation);
    if (!worker || !worker->job || message->run != worker->run)
        return;
    if (message->index - worker->first >= worker->count || message->attempt != worker->attempt) {
        core_worker_nonsense(core, slot, generation);
        return;
    }
    settle_earlier(core, worker, message->index);
    if (message->index < worker->first + worker->received)
        return; /* it has ended: a thread of it was late */
    if (length == 0) {
        take_back(core, worker, message);
        core->shared->called = true;
        return;
    }
    note_caller(callers_of(worker), message->index);
    struct task_call *c = new_call(core, worker, message);
    const char *problem = shared_read(&c->call, text, length, core->ports.now_ns(core->ports.context), &c->quiet);
    if (deaf && !c->quiet)
        refuse(c, OBJECT_GIVEN_UP, ""); /* nobody would get what it takes */
    else if (problem)
        refuse(c, OBJECT_INVALID, problem);
    else if (c->callers->waiting > CALLS_MAX)
        refuse(c, OBJECT_LIMIT, "64 calls of this worker wait already");
    else if (shared_refusal(core, &c->call) != ENGINE_OK)
        refuse(c, OBJECT_NO_ROOM, "the disk is full, too slow, or failed");
    else
        objects_call(core->shared->objects, &c->call);
    core->shared->called = true;
}
