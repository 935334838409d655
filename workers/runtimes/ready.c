/* ready: the first line of a runtime: what it offers, or why it cannot. See runtime.h. */
#include <string.h>

#include "runtimes/fault.h"
#include "runtimes/log.h"
#include "runtimes/replies.h"
#include "runtimes/runtime.h"

enum { REASON_TEXT_MAX = 4 * 1024, TRACEBACK_MAX = 16 * 1024 };

struct greeting {
    enum { SAYS_NOTHING, SAYS_TRUE, SAYS_FALSE } ready;
    bool batch, bad;
    struct piece functions, error;
};

static bool is_boolean(const struct scan_walk *walk)
{
    return walk->kind == SCAN_TRUE || walk->kind == SCAN_FALSE;
}

static struct piece piece_of(const struct scan_walk *walk)
{
    return (struct piece){walk->value, (size_t)(walk->value_end - walk->value)};
}

static void take_member(struct greeting *greeting, const struct scan_walk *walk)
{
    if (reply_key_is(walk, "ready") && is_boolean(walk))
        greeting->ready = walk->kind == SCAN_TRUE ? SAYS_TRUE : SAYS_FALSE;
    else if (reply_key_is(walk, "batch") && is_boolean(walk))
        greeting->batch = walk->kind == SCAN_TRUE;
    else if (reply_key_is(walk, "functions") && walk->kind == SCAN_ARRAY)
        greeting->functions = piece_of(walk);
    else if (reply_key_is(walk, "error") && walk->kind == SCAN_OBJECT)
        greeting->error = piece_of(walk);
    else
        greeting->bad = true;
}

/* {"name","summary"?,"example"?} of an object of that kind; false when it has no name. */
static bool append_function(struct buf *offers, char *at, char *end)
{
    struct piece name = {0}, summary = {0}, example = {0};
    struct scan_walk walk;
    for (scan_enter(&walk, at, end, true); scan_next(&walk);)
        if (reply_key_is(&walk, "name") && walk.kind == SCAN_STRING)
            name = piece_of(&walk);
        else if (reply_key_is(&walk, "summary") && walk.kind == SCAN_STRING)
            summary = piece_of(&walk);
        else if (reply_key_is(&walk, "example"))
            example = piece_of(&walk);
    if (name.length <= 2)
        return false;
    buf_append_text(offers, "{\"name\":");
    buf_append(offers, name.at, name.length);
    if (summary.at) {
        buf_append_text(offers, ",\"summary\":");
        buf_append(offers, summary.at, summary.length);
    }
    if (example.at) {
        buf_append_text(offers, ",\"example\":");
        buf_append(offers, example.at, example.length);
    }
    buf_append_char(offers, '}');
    return true;
}

static bool list_functions(struct buf *offers, const struct piece *functions)
{
    struct scan_walk walk;
    buf_clear(offers, READ_PIECE);
    buf_append_char(offers, '[');
    for (scan_enter(&walk, functions->at, functions->at + functions->length, true); scan_next(&walk);) {
        if (offers->length > 1)
            buf_append_char(offers, ',');
        if (walk.kind == SCAN_STRING && walk.value_end - walk.value > 2)
            buf_printf(offers, "{\"name\":%.*s}", (int)(walk.value_end - walk.value), walk.value);
        else if (walk.kind != SCAN_OBJECT || !append_function(offers, walk.value, walk.value_end))
            return false;
    }
    buf_append_char(offers, ']');
    return true;
}

/* "CLASS: MESSAGE", and the members that the items' errors get. */
static void take_error(struct runtime *runtime, const struct piece *error)
{
    struct piece message = {0}, class_name = {0}, traceback = {0};
    struct scan_walk walk;
    for (scan_enter(&walk, error->at, error->at + error->length, true); scan_next(&walk);) {
        struct piece *piece = reply_key_is(&walk, "message")     ? &message
                              : reply_key_is(&walk, "class")     ? &class_name
                              : reply_key_is(&walk, "traceback") ? &traceback
                                                                 : NULL;
        if (piece && walk.kind == SCAN_STRING)
            *piece = reply_unescape(walk.value, walk.value_end);
    }
    if (class_name.at) {
        buf_printf(&runtime->reason, "%.200s: ", class_name.at);
        fault_text(&runtime->reason_more, "class", class_name.at, class_name.length);
    }
    if (message.length > REASON_TEXT_MAX)
        message.length = log_whole_characters(message.at, REASON_TEXT_MAX);
    buf_append(&runtime->reason, message.at ? message.at : "no reason given",
               message.at ? message.length : strlen("no reason given"));
    if (traceback.length > TRACEBACK_MAX)
        traceback.length = log_whole_characters(traceback.at, TRACEBACK_MAX);
    if (traceback.at)
        fault_text(&runtime->reason_more, "traceback", traceback.at, traceback.length);
}

enum readiness ready_parse(struct runtime *runtime, char *line, size_t length)
{
    struct greeting greeting = {0};
    struct scan_walk walk;
    if (length == 0 || *line != '{')
        return READY_NONSENSE;
    for (scan_enter(&walk, line, line + length, true); scan_next(&walk);)
        take_member(&greeting, &walk);
    if (walk.error.reason || scan_space(walk.at, line + length) != line + length || greeting.bad)
        return READY_NONSENSE;
    if (greeting.ready == SAYS_FALSE) {
        take_error(runtime, &greeting.error);
        return NOT_READY;
    }
    if (greeting.ready != SAYS_TRUE || greeting.functions.at == NULL ||
        !list_functions(&runtime->offers, &greeting.functions))
        return READY_NONSENSE;
    runtime->batch = greeting.batch;
    return READY;
}
