#include "objects/arguments.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "objects/kind.h"

static enum object_status invalid(struct object_call *call, const char *name, const char *problem)
{
    return call_problem(call, OBJECT_INVALID, "argument \"%s\" %s", name, problem);
}

/* ---- strings ---- */

static unsigned hex4(const char *at)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        char c = (char)(at[i] | 0x20);
        value = value * 16 + (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return value;
}

static void append_utf8(struct buf *out, unsigned code)
{
    char bytes[4];
    size_t count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = count; i-- > 1; code >>= 6)
        bytes[i] = (char)(unsigned char)(0x80 | (code & 0x3F));
    bytes[0] = (char)(unsigned char)(lead[count == 1 ? 0 : count] | code);
    buf_append(out, bytes, count);
}

/* `at` is behind \u; returns the place behind the escape. A high surrogate has its low one: the scanner saw to it. */
static const char *append_unicode(struct buf *out, const char *at)
{
    unsigned code = hex4(at);
    at += 4;
    if (code >= 0xD800 && code <= 0xDBFF) {
        code = 0x10000 + ((code - 0xD800) << 10) + (hex4(at + 2) - 0xDC00);
        at += 6;
    }
    append_utf8(out, code);
    return at;
}

static const char *append_escape(struct buf *out, const char *at)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (*at == 'u')
        return append_unicode(out, at + 1);
    buf_append_char(out, to[strchr(from, *at) - from]);
    return at + 1;
}

void text_decode(struct buf *out, const char *at, const char *end)
{
    while (at != end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        const char *stop = escape ? escape : end;
        buf_append(out, at, (size_t)(stop - at));
        at = escape ? append_escape(out, escape + 1) : end;
    }
}

/* ---- one argument ---- */

void argument_walk(const struct argument *argument, struct scan_walk *walk)
{
    scan_enter(walk, (char *)(uintptr_t)argument->at, (char *)(uintptr_t)argument->end, false); /* only read */
}

static enum object_status check_size(struct object_call *call, const char *name, size_t length)
{
    if (length <= OBJECT_VALUE_MAX)
        return OBJECT_OK;
    return call_problem(call, OBJECT_LIMIT, "argument \"%s\": a value of %zu bytes is over the limit of %d", name,
                        length, OBJECT_VALUE_MAX);
}

static enum object_status read_many(struct argument *given, const struct argument_rule *rule, struct object_call *call)
{
    struct scan_walk walk;
    enum object_status status = OBJECT_OK;
    enum scan_kind wanted = rule->type == ARGUMENT_VALUES ? SCAN_ARRAY : SCAN_OBJECT;
    if (given->kind != wanted)
        return invalid(call, rule->name, wanted == SCAN_ARRAY ? "must be an array" : "must be an object");
    for (argument_walk(given, &walk); status == OBJECT_OK && scan_next(&walk); given->count++)
        status = check_size(call, rule->name, (size_t)(walk.value_end - walk.value));
    if (status == OBJECT_OK && given->count > OBJECT_ELEMENTS_MAX)
        status = call_problem(call, OBJECT_LIMIT, "argument \"%s\" has %zu elements, at most %d may be", rule->name,
                              given->count, OBJECT_ELEMENTS_MAX);
    return status;
}

static enum object_status read_integer(struct argument *given, const char *name, struct object_call *call)
{
    long long value;
    if (given->kind != SCAN_NUMBER || scan_integer(given->at, given->end, &value) != 0)
        return invalid(call, name, "must be an integer");
    given->integer = value;
    return OBJECT_OK;
}

static enum object_status read_seconds(struct argument *given, const char *name, struct object_call *call)
{
    const double most = 10.0 * 366 * 24 * 3600;
    char text[64] = "";
    size_t length = (size_t)(given->end - given->at);
    if (length < sizeof text)
        memcpy(text, given->at, length);
    double seconds = given->kind == SCAN_NUMBER && length < sizeof text ? strtod(text, NULL) : -1;
    if (!(seconds >= 0 && seconds <= most))
        return invalid(call, name, "must be a number of seconds, at most ten years");
    given->integer = (int64_t)llround(seconds * (double)NS_PER_S);
    return OBJECT_OK;
}

static enum object_status read_text(struct argument *given, const char *name, struct buf *texts,
                                    struct object_call *call)
{
    if (given->kind != SCAN_STRING)
        return invalid(call, name, "must be a string");
    size_t start = texts->length;
    text_decode(texts, given->at + 1, given->end - 1);
    given->length = texts->length - start;
    given->integer = (int64_t)start; /* the text may still move: see arguments_read */
    buf_append_char(texts, '\0');
    if (given->length > OBJECT_KEY_MAX)
        return call_problem(call, OBJECT_LIMIT, "argument \"%s\" has %zu bytes, at most %d may be", name, given->length,
                            OBJECT_KEY_MAX);
    return memchr(texts->data + start, '\0', given->length) ? invalid(call, name, "must not contain U+0000")
                                                            : OBJECT_OK;
}

static enum object_status read_one(struct argument *given, const struct argument_rule *rule, struct buf *texts,
                                   struct object_call *call)
{
    switch (rule->type) {
    case ARGUMENT_VALUE:
        return check_size(call, rule->name, (size_t)(given->end - given->at));
    case ARGUMENT_VALUES:
    case ARGUMENT_ENTRIES:
        return read_many(given, rule, call);
    case ARGUMENT_NUMBER:
        return given->kind == SCAN_NUMBER ? OBJECT_OK : invalid(call, rule->name, "must be a number");
    case ARGUMENT_INTEGER:
        return read_integer(given, rule->name, call);
    case ARGUMENT_SECONDS:
        return read_seconds(given, rule->name, call);
    case ARGUMENT_BOOL:
        given->truth = given->kind == SCAN_TRUE;
        return given->truth || given->kind == SCAN_FALSE ? OBJECT_OK
                                                         : invalid(call, rule->name, "must be true or false");
    case ARGUMENT_TEXT:
        return read_text(given, rule->name, texts, call);
    }
    return invalid(call, rule->name, "is of no known type");
}

/* ---- all of them ---- */

static const struct argument_rule *find_rule(const struct argument_rule *rules, const char *name, size_t length)
{
    for (; rules->name; rules++)
        if (strlen(rules->name) == length && memcmp(rules->name, name, length) == 0)
            return rules;
    return NULL;
}

static enum object_status read_member(struct arguments *arguments, const struct scan_walk *walk,
                                      struct object_call *call)
{
    size_t length = (size_t)(walk->key_end - walk->key);
    const struct argument_rule *rule = find_rule(arguments->rules, walk->key, length);
    if (!rule)
        return call_problem(call, OBJECT_INVALID, "%s takes no argument \"%.*s\"", call->op,
                            (int)(length < 60 ? length : 60), walk->key);
    struct argument *given = &arguments->given[rule - arguments->rules];
    if (given->at)
        return invalid(call, rule->name, "is given twice");
    given->at = walk->value;
    given->end = walk->value_end;
    given->kind = walk->kind;
    if (walk->kind == SCAN_NULL && rule->type != ARGUMENT_VALUE && !rule->required)
        return OBJECT_OK;
    given->given = true;
    return read_one(given, rule, &arguments->texts, call);
}

static enum object_status read_members(struct arguments *arguments, struct object_call *call)
{
    struct scan_walk walk;
    if (call->args_length == 0)
        return OBJECT_OK;
    const char *end = call->args + call->args_length, *at = scan_space(call->args, end);
    if (at == end)
        return OBJECT_OK;
    if (*at != '{')
        return call_problem(call, OBJECT_INVALID, "the arguments must be a JSON object");
    enum object_status status = OBJECT_OK;
    for (scan_enter(&walk, (char *)(uintptr_t)at, (char *)(uintptr_t)end, false);
         status == OBJECT_OK && scan_next(&walk);)
        status = read_member(arguments, &walk, call);
    if (status == OBJECT_OK && walk.error.reason)
        return call_problem(call, OBJECT_INVALID, "the arguments are not JSON: %s at byte %td", walk.error.reason,
                            walk.error.at - call->args);
    if (status == OBJECT_OK && scan_space(walk.at, end) != end)
        return call_problem(call, OBJECT_INVALID, "there is something behind the arguments");
    return status;
}

/* Values are given back on one line, so line breaks between tokens go. (Within strings JSON has none.) */
static void flatten(struct object_call *call)
{
    if (call->args_length == 0 || call->args == call->kept.data ||
        (!memchr(call->args, '\n', call->args_length) && !memchr(call->args, '\r', call->args_length)))
        return;
    buf_append(&call->kept, call->args, call->args_length);
    for (size_t i = 0; i < call->kept.length; i++)
        if (call->kept.data[i] == '\n' || call->kept.data[i] == '\r')
            call->kept.data[i] = ' ';
    call->args = call->kept.data;
}

enum object_status arguments_read(struct arguments *arguments, const struct argument_rule *rules,
                                  struct object_call *call)
{
    *arguments = (struct arguments){.rules = rules, .texts = BUF_EMPTY};
    flatten(call);
    enum object_status status = read_members(arguments, call);
    for (const struct argument_rule *rule = rules; status == OBJECT_OK && rule->name; rule++) {
        CHECK(rule - rules < ARGUMENTS_MAX, "more than %d arguments", ARGUMENTS_MAX);
        struct argument *given = &arguments->given[rule - rules];
        if (given->given && rule->type == ARGUMENT_TEXT)
            given->text = arguments->texts.data + given->integer;
        if (rule->required && !given->given)
            status = call_problem(call, OBJECT_INVALID, "%s needs the argument \"%s\"", call->op, rule->name);
    }
    return status;
}

const struct argument *argument(const struct arguments *arguments, const char *name)
{
    const struct argument_rule *rule = find_rule(arguments->rules, name, strlen(name));
    CHECK(rule, "no argument %s in the rules", name);
    return &arguments->given[rule - arguments->rules];
}

void arguments_free(struct arguments *arguments)
{
    buf_free(&arguments->texts);
}
