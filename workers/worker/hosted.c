/* hosted: a slice whose function runs in processes of its own. The runner runs them, this file keeps the books: the
 * scoreboard, the lines, the log. See worker.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtimes/fault.h"
#include "worker/board.h"
#include "worker/calls.h"
#include "worker/definitions.h"
#include "worker/items.h"
#include "worker/outbox.h"
#include "worker/stop.h"

enum { WINDOW_MAX = CHUNK_ITEMS_MAX, BEFORE_VALUE_MAX = 48, AFTER_VALUE_MAX = 48 };

struct hosted {
    struct outbox outbox;
    struct definition *definition;
    struct assignment assignment;
    struct items items;
    struct task tasks[WINDOW_MAX];
    uint32_t first; /* offset in the slice of tasks[0] */
    bool called;    /* the present item has made a call */
};

/* ---- lines ---- */

/* Behind a value, or at the end of an error object: who it was, when the process was the item's own. */
static size_t put_process(char *to, const struct hosted *hosted, const struct outcome *outcome)
{
    if (!hosted->assignment.once || outcome->pid == 0)
        return 0;
    int length = outcome->error ? snprintf(to, AFTER_VALUE_MAX, ",\"pid\":%d", (int)outcome->pid)
                                : snprintf(to, AFTER_VALUE_MAX, ",\"pid\":%d,\"exit_code\":%d", (int)outcome->pid,
                                           outcome->exit_code);
    return (size_t)length;
}

/* False when the outbox is too small for it. */
static bool write_line(struct hosted *hosted, uint32_t offset, const struct outcome *outcome)
{
    const char *text = outcome->error ? outcome->error : outcome->value;
    size_t length = outcome->error ? outcome->length - 1 : outcome->length; /* without its bracket */
    char *line = outbox_room(&hosted->outbox, BEFORE_VALUE_MAX + length + AFTER_VALUE_MAX + 8);
    if (line == NULL)
        return false;
    char *at = line + snprintf(line, BEFORE_VALUE_MAX, "{\"index\":%u,\"%s\":", hosted->outbox.run->first + offset,
                               outcome->error ? "error" : "value");
    memcpy(at, text, length);
    at += length;
    at += put_process(at, hosted, outcome);
    const char *tail = outcome->error ? "}}\n" : "}\n";
    memcpy(at, tail, strlen(tail));
    at += strlen(tail);
    outbox_finish(&hosted->outbox, offset, (size_t)(at - line), outcome->error != NULL);
    return true;
}

static void write_too_large(struct hosted *hosted, uint32_t offset, const struct outcome *outcome, size_t limit)
{
    char message[96];
    struct buf object = BUF_EMPTY;
    snprintf(message, sizeof message, "the %s has %zu bytes, the limit is %zu", outcome->error ? "error" : "value",
             outcome->length, limit);
    struct fault fault = {
        .type = FAILURE_TOO_LARGE, .message = message, .exit_code = -1, .attempts = hosted->outbox.run->attempt};
    fault_begin(&object, &fault);
    fault_end(&object);
    struct outcome small = {.error = object.data, .length = object.length, .pid = outcome->pid, .exit_code = -1};
    write_line(hosted, offset, &small);
    buf_free(&object);
}

/* ---- what the runner tells ---- */

static uint32_t index_of(const struct hosted *hosted, uint32_t place)
{
    return hosted->outbox.run->first + hosted->first + place;
}

static void began(void *context, uint32_t place)
{
    struct hosted *hosted = context;
    hosted->outbox.now_ns = clock_coarse_ns();
    board_item_begins(hosted->outbox.worker->board, index_of(hosted, place), hosted->outbox.now_ns);
}

static void ended(void *context, uint32_t place, const struct outcome *outcome)
{
    struct hosted *hosted = context;
    uint32_t offset = hosted->first + place;
    size_t limit = hosted->assignment.value_max;
    if (!outcome->error && outcome->length > limit)
        write_too_large(hosted, offset, outcome, limit);
    else if (!write_line(hosted, offset, outcome))
        write_too_large(hosted, offset, outcome, FRAME_BYTES_MAX);
    board_item_ended(hosted->outbox.worker->board);
    hosted->outbox.now_ns = clock_coarse_ns();
    /* The last line of a slice goes with the word that it is done; but others may wait for what an item held that has
     * made calls. */
    if (hosted->called || (offset + 1 < hosted->outbox.run->count && outbox_is_due(&hosted->outbox)))
        outbox_flush(&hosted->outbox, false);
    hosted->called = false;
}

static void output(void *context, uint32_t place, unsigned stream, const char *bytes, size_t length)
{
    struct hosted *hosted = context;
    if (hosted == NULL)
        return; /* printed while it was probed: nobody's log */
    const struct message_run *run = hosted->outbox.run;
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_output message = {
        .run = run->run, .index = index_of(hosted, place), .attempt = run->attempt, .stream = stream};
    worker_send(hosted->outbox.worker, MESSAGE_output, body, message_output_encode(&message, body), bytes, length);
}

static void progress(void *context, uint32_t place, const char *json, size_t length)
{
    struct hosted *hosted = context;
    const struct message_run *run = hosted->outbox.run;
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_progress message = {.run = run->run, .index = index_of(hosted, place), .attempt = run->attempt};
    worker_send(hosted->outbox.worker, MESSAGE_progress, body, message_progress_encode(&message, body), json, length);
}

static void call(void *context, uint32_t place, uint32_t number, const char *request, size_t length)
{
    struct hosted *hosted = context;
    hosted->called = true;
    calls_send(hosted->outbox.worker, hosted->outbox.run, index_of(hosted, place), number, request, length);
}

struct hearer {
    const struct hosted *hosted;
    call_answered *answered;
    void *runner;
};

static void pass_answer(void *context, const struct message_answer *message, const char *json, size_t length)
{
    const struct hearer *hearer = context;
    const struct hosted *hosted = hearer->hosted;
    if (message->run == hosted->outbox.run->run && message->index >= index_of(hosted, 0))
        hearer->answered(hearer->runner, message->index - index_of(hosted, 0), message->call, json, length);
}

static void incoming(void *context, call_answered *answered, void *runner)
{
    struct hosted *hosted = context;
    struct hearer hearer = {hosted, answered, runner};
    worker_overhear(hosted->outbox.worker, pass_answer, &hearer);
}

static void start_failed(void *context, const char *reason)
{
    struct hosted *hosted = context;
    if (hosted) /* a probe's answer says it */
        definition_start_failed(hosted->outbox.worker, hosted->definition, reason);
}

void hosted_set_up(struct worker *worker)
{
    worker->host.began = began;
    worker->host.ended = ended;
    worker->host.output = output;
    worker->host.progress = progress;
    worker->host.call = call;
    worker->host.incoming = incoming;
    worker->host.start_failed = start_failed;
    worker->host.channel_fd = worker->channel.fd;
    worker->host.stop_fd = stop_fd();
    worker->host.runtimes = worker->runtimes;
    worker->host.call_program = worker->call_program;
    worker->host.objects = worker->objects[0] != '\0' ? worker->objects : NULL;
}

/* ---- the slice ---- */

static void prepare(struct hosted *hosted, struct worker *worker, const struct message_run *run,
                    struct definition *definition)
{
    bool own_limit = run->value_max > 0 && run->value_max < VALUE_BYTES_MAX;
    outbox_begin(&hosted->outbox, worker, run);
    hosted->definition = definition;
    hosted->called = false;
    hosted->assignment = (struct assignment){
        .function = run->function,
        .job_id = run->job_id,
        .traceparent = run->traceparent,
        .star = run->flags & RUN_STAR,
        .once = run->flags & RUN_ONCE,
        .attempt = run->attempt,
        .timeout_ns = (int64_t)run->timeout_ns,
        .value_max = own_limit ? (size_t)run->value_max : VALUE_BYTES_MAX,
    };
    worker->host.context = hosted;
}

/* As many as the runner wants, and are left. */
static uint32_t claim_window(struct hosted *hosted, const struct runner *runner)
{
    uint32_t window = runner_window(runner, &hosted->assignment), count = 0, offset;
    for (; count < window && count < WINDOW_MAX && outbox_claim(&hosted->outbox, &offset); count++) {
        struct task *task = &hosted->tasks[count];
        if (count == 0)
            hosted->first = offset;
        items_get(&hosted->items, offset, &task->item, &task->length);
        task->index = hosted->outbox.run->first + offset;
    }
    return count;
}

static void run_all(struct hosted *hosted, struct runner *runner)
{
    uint32_t count;
    while ((count = claim_window(hosted, runner)) > 0)
        if (!runner_run(runner, &hosted->assignment, hosted->tasks, count)) {
            definitions_close(hosted->outbox.worker);
            stop_now();
        }
}

void hosted_run(struct worker *worker, const struct message_run *run, struct definition *definition, const char *tail,
                size_t tail_length)
{
    static struct hosted hosted; /* static: too large for a stack */
    items_split(&hosted.items, run, tail, tail_length);
    prepare(&hosted, worker, run, definition);
    board_slice(worker, run);
    stop_gently(true);
    run_all(&hosted, definition_runner(worker, definition));
    outbox_flush(&hosted.outbox, true);
    definitions_rest(worker, definition);
}
