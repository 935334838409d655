/* slice: the loop over the items of a slice that runs in this process, the hot path of the whole service. See worker.h.
 *
 * Per item: claim, one look at the coarse clock, three stores on the scoreboard, the call, the line. A line is written
 * where it will be sent from; `more` moves to an empty outbox when a value does not fit behind the others. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "functions/function.h"
#include "functions/number.h"
#include "runtimes/child.h"
#include "runtimes/guard.h"
#include "wire/scan.h"
#include "worker/board.h"
#include "worker/calls.h"
#include "worker/capture.h"
#include "worker/definitions.h"
#include "worker/items.h"
#include "worker/outbox.h"

#define BEFORE_INDEX "{\"index\":"
#define BEFORE_VALUE ",\"value\":"
#define AFTER_VALUE "}\n"
#define PROCESS ",\"pid\":%d,\"exit_code\":0"
enum {
    PROCESS_MAX = sizeof PROCESS + 10,
    LINE_OVERHEAD = sizeof BEFORE_INDEX + sizeof BEFORE_VALUE + PROCESS_MAX + sizeof AFTER_VALUE + 10, /* at least */
    USUAL_VALUE = 2048, /* room that every call has from the start; larger values ask */
};

struct slice {
    struct outbox outbox;
    const struct message_run *run;
    struct definition *definition;   /* NULL: a built-in function */
    const struct function *function; /* NULL when there is none of that name, or it cannot be loaded: */
    struct error missing;
    struct items items;
    struct call call;
    size_t usual_room; /* USUAL_VALUE or value_max, if that is smaller */
    char *line;        /* the one being written */
    uint32_t offset;   /* of the item being run */
    int64_t looked_ns; /* coarse, when the plugin's max_rss was last looked at */
    bool called;       /* the item has made a call */
};

/* ---- lines ---- */

static uint32_t index_of(const struct slice *slice)
{
    return slice->run->first + slice->offset;
}

static inline char *put(char *at, const char *text, size_t length)
{
    memcpy(at, text, length);
    return at + length;
}

/* Writes a line up to its value, behind which there is room for `bytes`. */
static bool open_line(struct slice *slice, size_t bytes)
{
    char digits[NUMBER_TEXT_MAX], *end = digits + sizeof digits;
    slice->line = outbox_room(&slice->outbox, LINE_OVERHEAD + bytes);
    if (slice->line == NULL)
        return false;
    const char *first = number_write_back(end, false, index_of(slice));
    char *at = put(slice->line, BEFORE_INDEX, sizeof BEFORE_INDEX - 1);
    at = put(at, first, (size_t)(end - first));
    slice->call.value = put(at, BEFORE_VALUE, sizeof BEFORE_VALUE - 1);
    slice->call.room = bytes;
    return true;
}

static bool more_room(struct call *call, size_t bytes)
{
    return open_line(call->context, bytes);
}

static void say_progress(struct call *call, const char *json, size_t length)
{
    struct slice *slice = call->context;
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_progress progress = {
        .run = slice->run->run, .index = index_of(slice), .attempt = slice->run->attempt};
    worker_send(slice->outbox.worker, MESSAGE_progress, body, message_progress_encode(&progress, body), json, length);
}

static const char *ask(struct call *call, const char *request, size_t length, size_t *answer_length)
{
    struct slice *slice = call->context;
    slice->called = true;
    return calls_ask(slice->outbox.worker, slice->run, index_of(slice), request, length, answer_length);
}

static void finish_value(struct slice *slice)
{
    char *at = slice->call.value + slice->call.value_length;
    if (slice->run->flags & RUN_ONCE)
        at += snprintf(at, PROCESS_MAX, PROCESS, (int)getpid());
    at = put(at, AFTER_VALUE, sizeof AFTER_VALUE - 1);
    outbox_finish(&slice->outbox, slice->offset, (size_t)(at - slice->line), false);
}

static void finish_error(struct slice *slice)
{
    struct buf line = BUF_EMPTY;
    const struct call *call = &slice->call;
    buf_printf(&line, BEFORE_INDEX "%u,\"error\":{\"type\":\"%s\",\"message\":", index_of(slice), call->error_type);
    buf_append_json_string(&line, call->error, strlen(call->error));
    buf_printf(&line, ",\"signal\":null,\"exit_code\":null,\"attempts\":%u", slice->run->attempt);
    if (slice->run->flags & RUN_ONCE)
        buf_printf(&line, ",\"pid\":%d", (int)getpid());
    buf_append_text(&line, "}}\n");
    memcpy(outbox_room(&slice->outbox, line.length), line.data, line.length); /* a few KiB always fit an empty outbox */
    outbox_finish(&slice->outbox, slice->offset, line.length, true);
    buf_free(&line);
}

/* Looks at a value that may be anything, and makes it fit a line; 0, or -1 with the error set. */
static int check_value(struct call *call)
{
    char *end = call->value + call->value_length;
    char *begin = call->value + (scan_space(call->value, end) - call->value);
    struct scan_error error = {.reason = "unexpected end"};
    char *after = scan_value_flatten(begin, end, NULL, &error);
    if (after && scan_space(after, end) != end)
        error.reason = "something follows the value";
    else if (after) {
        call->value_length = (size_t)(after - begin);
        memmove(call->value, begin, call->value_length);
        return 0;
    }
    call_error(call, "%s returned no JSON: %s", call->name, error.reason);
    call->error_type = "protocol";
    return -1;
}

/* ---- items ---- */

static int call_function(struct slice *slice)
{
    struct call *call = &slice->call;
    const struct function *function = slice->function;
    if (function == NULL)
        return call_error(call, "%s", slice->missing.text);
    if ((slice->run->flags & RUN_STAR) && !function->takes_star && call_unpack(call) == -1)
        return -1;
    if (function->prints)
        capture_begin(index_of(slice));
    int result = function->call(call);
    if (function->prints)
        capture_end();
    return result == 0 && function->unchecked ? check_value(call) : result;
}

static void run_item(struct slice *slice)
{
    items_get(&slice->items, slice->offset, &slice->call.item, &slice->call.length);
    slice->call.index = index_of(slice);
    if (slice->run->timeout_ns)
        slice->call.deadline_ns = clock_mono_ns() + (int64_t)slice->run->timeout_ns;
    board_item_begins(slice->outbox.worker->board, index_of(slice), slice->outbox.now_ns);
    open_line(slice, slice->usual_room);
    if (call_function(slice) == 0)
        finish_value(slice);
    else
        finish_error(slice);
    if (slice->definition)
        children_sweep(); /* whatever a plugin has started is not to outlive its item */
    /* Only once the line is in the outbox: whoever finds both knows that the item is done; finding neither, it would
     * have to run it again. */
    board_item_ended(slice->outbox.worker->board);
    slice->outbox.now_ns = clock_coarse_ns();
    if (slice->called) /* others may wait for what it held */
        outbox_flush(&slice->outbox, false);
    slice->called = false;
}

/* ---- the slice ---- */

static void find_function(struct slice *slice, struct worker *worker)
{
    struct definition *definition = slice->definition;
    slice->function = NULL;
    if (definition == NULL)
        slice->function = function_find(slice->run->function, worker->test_functions);
    else if (definition->manifest == NULL)
        slice->missing = definition->broken;
    else if (definition_plugin(worker, definition, &slice->missing) == NULL)
        definition_start_failed(worker, definition, slice->missing.text);
    else
        slice->function = plugin_function(definition->plugin, slice->run->function);
    if (slice->function == NULL && (definition == NULL || definition->plugin))
        error_set(&slice->missing, "no such function: %s", slice->run->function);
}

static size_t value_max_of(const struct slice *slice)
{
    size_t value_max = VALUE_BYTES_MAX;
    if (slice->run->value_max > 0 && slice->run->value_max < value_max)
        value_max = (size_t)slice->run->value_max;
    if (slice->definition && slice->definition->manifest) {
        int64_t own = slice->definition->manifest->limits.output;
        if (own > 0 && (size_t)own < value_max)
            value_max = (size_t)own;
    }
    return value_max;
}

static void prepare(struct slice *slice, struct worker *worker, const struct message_run *run,
                    struct definition *definition)
{
    slice->run = run;
    slice->definition = definition;
    find_function(slice, worker);
    outbox_begin(&slice->outbox, worker, run); /* looks at the clock: what loading took is not the first item's time */
    slice->looked_ns = slice->outbox.now_ns;
    size_t value_max = value_max_of(slice);
    slice->usual_room = value_max < USUAL_VALUE ? value_max : USUAL_VALUE;
    slice->call = (struct call){.star = run->flags & RUN_STAR,
                                .attempt = run->attempt,
                                .name = run->function,
                                .function = slice->function,
                                .job_id = run->job_id,
                                .traceparent = run->traceparent,
                                .progress = say_progress,
                                .ask = ask,
                                .value_max = value_max,
                                .more = more_room,
                                .context = slice};
}

/* True when the plugin has had as many items as one process may give it, or holds more than it may keep. */
static bool is_worn_out(struct slice *slice)
{
    struct definition *definition = slice->definition;
    if (definition == NULL || definition->plugin == NULL)
        return false;
    const struct manifest *manifest = definition->manifest;
    definition->tasks++;
    if (manifest->max_tasks_per_child > 0 && definition->tasks >= manifest->max_tasks_per_child)
        return true;
    if (manifest->max_rss == 0 || slice->outbox.now_ns == slice->looked_ns)
        return false;
    slice->looked_ns = slice->outbox.now_ns;
    return guard_rss_exceeds(manifest->max_rss);
}

static bool prints(const struct slice *slice)
{
    return slice->function && slice->function->prints;
}

/* Whatever is left of the slice is for another process. */
static void retire(struct slice *slice)
{
    if (prints(slice))
        capture_off();
    outbox_flush(&slice->outbox, false);
    worker_leave(0);
}

void slice_run(struct worker *worker, const struct message_run *run, struct definition *definition, const char *tail,
               size_t tail_length)
{
    static struct slice slice; /* static: too large for comfort on a stack that functions recurse on */
    items_split(&slice.items, run, tail, tail_length);
    board_slice(worker, run); /* first: to prepare may load a plugin, and what that does must be found under our name */
    prepare(&slice, worker, run, definition);
    if (prints(&slice))
        capture_on(worker, run);
    /* Claiming before looking at the clock spares slow single items a second, empty frame. */
    for (bool left = outbox_claim(&slice.outbox, &slice.offset); left;) {
        run_item(&slice);
        if (is_worn_out(&slice))
            retire(&slice);
        left = outbox_claim(&slice.outbox, &slice.offset);
        if (left && outbox_is_due(&slice.outbox))
            outbox_flush(&slice.outbox, false);
    }
    if (prints(&slice))
        capture_off();
    outbox_flush(&slice.outbox, true);
}
