/* slice: the loop over a slice's items, the hot path of the whole service. See worker.h.
 *
 * Per item: claim, one look at the coarse clock, three stores on the scoreboard, the call, the line. A line is written
 * where it will be sent from; `more` moves to an empty outbox when a value does not fit behind the others. */
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "functions/function.h"
#include "functions/number.h"
#include "wire/scan.h"
#include "worker/board.h"
#include "worker/capture.h"
#include "worker/worker.h"

#define BEFORE_INDEX "{\"index\":"
#define BEFORE_VALUE ",\"value\":"
#define AFTER_VALUE "}\n"
enum {
    LINE_OVERHEAD = sizeof BEFORE_INDEX + sizeof BEFORE_VALUE + sizeof AFTER_VALUE + 10, /* at least */
    USUAL_VALUE = 2048, /* room that every call has from the start; larger values ask */
};

struct slice {
    struct worker *worker;
    const struct message_run *run;
    const struct function *function; /* NULL when there is none of that name */
    const char *items;
    uint32_t starts[CHUNK_ITEMS_MAX + 1]; /* where each item begins; the last is the end */
    struct call call;
    size_t usual_room; /* USUAL_VALUE or value_max, if that is smaller */
    char *line;        /* the one being written */
    uint32_t offset;   /* of the item being run */
    size_t unsent;     /* bytes in the outbox */
    int64_t began_ns;  /* precise, for busy_ns */
    int64_t sent_ns;   /* coarse, when the outbox was last emptied */
    int64_t now_ns;    /* coarse */
};

/* ---- sending ---- */

static void flush(struct slice *slice, bool done)
{
    struct worker *worker = slice->worker;
    struct outbox_view lines;
    unsigned char body[MESSAGE_BODY_MAX];
    workbench_outbox(worker->bench, slice->run->run, &lines);
    struct message_result result = {
        .run = slice->run->run,
        .first = slice->run->first + lines.first,
        .count = lines.count,
        .failed = lines.count == 0 ? 0 : atomic_load_explicit(&worker->bench->outbox_failed, memory_order_relaxed),
        .done = done,
        .busy_ns = (uint64_t)(clock_mono_ns() - slice->began_ns),
    };
    worker_send(worker, MESSAGE_result, body, message_result_encode(&result, body), lines.lines, lines.bytes);
    workbench_sent(worker->bench); /* not before: until now a kill must find the lines there */
    slice->unsent = 0;
    slice->sent_ns = slice->now_ns = clock_coarse_ns();
}

static bool flush_is_due(const struct slice *slice)
{
    return slice->unsent >= OUTBOX_FLUSH_BYTES ||
           (slice->unsent > 0 && slice->now_ns - slice->sent_ns >= OUTBOX_FLUSH_NS);
}

/* Room for a line of `bytes`; NULL when even the empty outbox has none. */
static char *line_room(struct slice *slice, size_t bytes)
{
    char *room = workbench_room(slice->worker->bench, bytes);
    if (room || slice->unsent == 0)
        return room;
    flush(slice, false);
    return workbench_room(slice->worker->bench, bytes);
}

static void finish_line(struct slice *slice, size_t length, bool failed)
{
    workbench_finish(slice->worker->bench, slice->offset, length, failed);
    slice->unsent += length;
}

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
    slice->line = line_room(slice, LINE_OVERHEAD + bytes);
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

static void finish_value(struct slice *slice)
{
    char *at = slice->call.value + slice->call.value_length;
    at = put(at, AFTER_VALUE, sizeof AFTER_VALUE - 1);
    finish_line(slice, (size_t)(at - slice->line), false);
}

static void finish_error(struct slice *slice)
{
    struct buf line = BUF_EMPTY;
    const struct call *call = &slice->call;
    buf_printf(&line, BEFORE_INDEX "%u,\"error\":{\"type\":\"%s\",\"message\":", index_of(slice), call->error_type);
    buf_append_json_string(&line, call->error, strlen(call->error));
    buf_printf(&line, ",\"signal\":null,\"exit_code\":null,\"attempts\":%u}}\n", slice->run->attempt);
    memcpy(line_room(slice, line.length), line.data, line.length); /* a few KiB always fit an empty outbox */
    finish_line(slice, line.length, true);
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

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void take_item(struct slice *slice)
{
    const char *at = slice->items + slice->starts[slice->offset];
    const char *end = slice->items + slice->starts[slice->offset + 1] - 1; /* the newline */
    while (at < end && is_white(*at))
        at++;
    while (at < end && is_white(end[-1]))
        end--;
    if (at == end)
        worker_confused("an empty item");
    slice->call.item = at;
    slice->call.length = (size_t)(end - at);
}

static int call_function(struct slice *slice)
{
    struct call *call = &slice->call;
    const struct function *function = slice->function;
    if (function == NULL)
        return call_error(call, "no such function: %s", slice->run->function);
    if ((slice->run->flags & RUN_STAR) && !function->takes_star && call_unpack(call) == -1)
        return -1;
    if (function->prints)
        capture_begin(slice->worker, slice->run, index_of(slice));
    int result = function->call(call);
    if (function->prints)
        capture_end();
    return result == 0 && function->unchecked ? check_value(call) : result;
}

static void run_item(struct slice *slice)
{
    take_item(slice);
    board_item_begins(slice->worker->board, index_of(slice), slice->now_ns);
    open_line(slice, slice->usual_room);
    if (call_function(slice) == 0)
        finish_value(slice);
    else
        finish_error(slice);
    /* Only once the line is in the outbox: whoever finds both knows that the item is done; finding neither, it would
     * have to run it again. */
    board_item_ended(slice->worker->board);
    slice->now_ns = clock_coarse_ns();
}

/* ---- the slice ---- */

/* Exactly `count` lines, or the server is confused. */
static void split_items(struct slice *slice, const char *tail, size_t length)
{
    const char *at = tail, *end = tail + length;
    uint32_t count = slice->run->count;
    if (count == 0 || count > CHUNK_ITEMS_MAX)
        worker_confused("a run of no or too many items");
    slice->items = tail;
    for (uint32_t i = 0; i < count; i++) {
        const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (newline == NULL || newline == at)
            worker_confused("a run with fewer items than it says");
        slice->starts[i] = (uint32_t)(at - tail);
        at = newline + 1;
    }
    slice->starts[count] = (uint32_t)(at - tail);
    if (at != end)
        worker_confused("a run with more items than it says");
}

static void prepare(struct slice *slice, struct worker *worker, const struct message_run *run)
{
    bool own_limit = run->value_max > 0 && run->value_max < VALUE_BYTES_MAX;
    size_t value_max = own_limit ? (size_t)run->value_max : VALUE_BYTES_MAX;
    slice->worker = worker;
    slice->run = run;
    slice->function = function_find(run->function, worker->test_functions);
    slice->usual_room = value_max < USUAL_VALUE ? value_max : USUAL_VALUE;
    slice->unsent = 0;
    slice->sent_ns = slice->now_ns = clock_coarse_ns();
    slice->call.star = run->flags & RUN_STAR;
    slice->call.attempt = run->attempt;
    slice->call.name = run->function;
    slice->call.value_max = value_max;
    slice->call.more = more_room;
    slice->call.context = slice;
}

/* The next item of the slice, unless the rest was taken back. */
static bool claim(struct slice *slice)
{
    if (!workbench_claim(slice->worker->bench, &slice->offset))
        return false;
    if (slice->offset >= slice->run->count)
        worker_confused("the workbench has more items than the run");
    return true;
}

void slice_run(struct worker *worker, const struct message_run *run, const char *tail, size_t tail_length)
{
    static struct slice slice; /* static: too large for comfort on a stack that functions recurse on */
    slice.began_ns = clock_mono_ns();
    prepare(&slice, worker, run);
    split_items(&slice, tail, tail_length);
    board_slice(worker, run);
    if (atomic_load_explicit(&worker->bench->run, memory_order_acquire) != run->run)
        worker_confused("the workbench is set for another run");
    /* Claiming before looking at the clock spares slow single items a second, empty frame. */
    for (bool left = claim(&slice); left;) {
        run_item(&slice);
        left = claim(&slice);
        if (left && flush_is_due(&slice))
            flush(&slice, false);
    }
    flush(&slice, true);
}
