/* lines: see lines.h. The prefix of a line is compared, its value scanned; nothing is built. */
#include "engine/lines.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/signal_name.h"
#include "wire/scan.h"

static const char *skip(const char *at, const char *end, const char *text, size_t length)
{
    if ((size_t)(end - at) < length || memcmp(at, text, length) != 0)
        return NULL;
    return at + length;
}
#define SKIP(at, end, literal) skip(at, end, literal, sizeof(literal) - 1)

static const char *skip_index(const char *at, const char *end, uint32_t index)
{
    char digits[10];
    size_t n = sizeof digits;
    do
        digits[--n] = (char)('0' + index % 10);
    while ((index /= 10) != 0);
    return skip(at, end, digits + n, sizeof digits - n);
}

/* A number without sign, fraction, exponent or leading zero. */
static const char *skip_number(const char *at, const char *end)
{
    const char *first = at;
    while (at < end && *at >= '0' && *at <= '9' && at - first < 10)
        at++;
    return at == first || (*first == '0' && at - first > 1) ? NULL : at;
}

/* What an item in a process of its own has behind its value. */
static const char *skip_process(const char *at, const char *end)
{
    const char *pid = SKIP(at, end, ",\"pid\":");
    if (!pid)
        return at;
    at = skip_number(pid, end);
    at = at ? SKIP(at, end, ",\"exit_code\":") : NULL;
    return at ? skip_number(at, end) : NULL;
}

static unsigned signal_number(const char *name, size_t length)
{
    char text[16];
    for (unsigned i = 1; i < NSIG; i++)
        if (strlen(signal_name((int)i, text)) == length && memcmp(text, name, length) == 0)
            return i;
    return 0;
}

static bool is_key(const struct scan_walk *walk, const char *key)
{
    size_t length = (size_t)(walk->key_end - walk->key);
    return length == strlen(key) && memcmp(walk->key, key, length) == 0;
}

/* One member of the error that lies at `at` and was copied to `copy`; false when its type is none. */
static bool read_member(struct result_line *line, const struct scan_walk *walk, const char *at, const char *copy)
{
    bool text = walk->kind == SCAN_STRING;
    const char *inside = walk->value + 1;
    size_t length = text ? (size_t)(walk->value_end - walk->value) - 2 : 0;
    if (is_key(walk, "type"))
        return text && failure_parse(inside, length, &line->failure) == 0;
    if (is_key(walk, "message") && text) {
        line->message = at + (inside - copy);
        line->message_length = length;
    } else if (is_key(walk, "exit_code") && walk->kind == SCAN_NUMBER) {
        line->exit_code = (int)strtol(walk->value, NULL, 10);
    } else if (is_key(walk, "signal") && text) {
        line->signal = signal_number(inside, length);
    }
    return true;
}

/* The error object is cold, and may hold a long traceback. (The walk wants a text that it may write to.) */
static bool read_error(struct result_line *line, const char *at, const char *end)
{
    struct scan_walk walk;
    size_t length = (size_t)(end - at);
    char *copy = malloc(length + 1);
    CHECK(copy, "out of memory");
    memcpy(copy, at, length);
    copy[length] = '\0';
    line->failure = FAILURE_ERROR;
    bool good = true;
    for (scan_enter(&walk, copy, copy + length, false); good && scan_next(&walk);)
        good = read_member(line, &walk, at, copy);
    good = good && walk.error.reason == NULL;
    free(copy);
    return good;
}

const char *result_line_read(struct result_line *line, const char *at, const char *end, uint32_t index)
{
    enum scan_kind kind;
    const char *value;
    line->text = at;
    line->index = index;
    line->failure = FAILURE_NONE;
    line->message = NULL;
    line->exit_code = -1;
    line->signal = 0;
    at = SKIP(at, end, "{\"index\":");
    at = at ? skip_index(at, end, index) : NULL;
    if (!at)
        return NULL;
    if ((value = SKIP(at, end, ",\"value\":"))) {
        at = scan_value(value, end, NULL, NULL);
        at = at ? skip_process(at, end) : NULL;
    } else if ((value = SKIP(at, end, ",\"error\":"))) {
        at = scan_value(value, end, &kind, NULL);
        if (!at || kind != SCAN_OBJECT || !read_error(line, value, at))
            return NULL;
    } else {
        return NULL;
    }
    at = at ? SKIP(at, end, "}\n") : NULL;
    if (at)
        line->length = (size_t)(at - line->text);
    return at;
}

static uint32_t hex4(const char *at)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 4 | (uint32_t)(at[i] <= '9' ? at[i] - '0' : (at[i] | 32) - 'a' + 10);
    return value;
}

static size_t put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)(heads[length] | code);
    return length;
}

/* One escape of a text that was validated, at its backslash; writes up to 4 bytes, returns the byte after it. */
static const char *unescape(const char *at, const char *end, char *to, size_t *length)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    if (at[1] != 'u') {
        to[0] = into[strchr(from, at[1]) - from];
        *length = 1;
        return at + 2;
    }
    uint32_t code = hex4(at + 2);
    at += 6;
    if (code >= 0xd800 && code < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
        code = 0x10000 + ((code - 0xd800) << 10) + (hex4(at + 2) - 0xdc00);
        at += 6;
    }
    *length = put_utf8(to, code ? code : ' '); /* a NUL would end the text */
    return at;
}

void result_line_message(const struct result_line *line, char *text, size_t size)
{
    const char *at = line->message, *end = at ? at + line->message_length : at;
    size_t used = 0;
    while (at < end) {
        char character[4];
        size_t length = 1;
        const char *next = at + 1;
        character[0] = *at;
        if (*at == '\\')
            next = unescape(at, end, character, &length);
        else
            for (; next < end && ((unsigned char)*next & 0xc0) == 0x80 && length < 4; next++)
                character[length++] = *next;
        if (used + length >= size)
            break;
        memcpy(text + used, character, length);
        used += length;
        at = next;
    }
    text[used] = '\0';
}

uint32_t result_lines_prefix(const char *at, const char *end, uint32_t first, uint32_t count, size_t *bytes,
                             uint32_t *failed)
{
    struct result_line line;
    const char *begin = at, *next;
    uint32_t good = 0;
    *failed = 0;
    for (; good < count; good++, at = next) {
        next = result_line_read(&line, at, end, first + good);
        if (!next || memchr(at, '\n', line.length - 1))
            break;
        *failed += line.failure != FAILURE_NONE;
    }
    *bytes = (size_t)(at - begin);
    return good;
}

bool result_lines_check(const char *at, const char *end, uint32_t first, uint32_t count, uint32_t *failed)
{
    size_t bytes;
    return result_lines_prefix(at, end, first, count, &bytes, failed) == count && bytes == (size_t)(end - at);
}

struct blob *result_line_failure(uint32_t index, const struct failure_report *report)
{
    struct buf text = BUF_EMPTY;
    buf_printf(&text, "{\"index\":%u,\"error\":{\"type\":\"%s\",\"message\":", index, failure_name(report->failure));
    buf_append_json_string(&text, report->message, strlen(report->message));
    if (report->signal_name)
        buf_printf(&text, ",\"signal\":\"%s\"", report->signal_name);
    else
        buf_append_text(&text, ",\"signal\":null");
    if (report->exit_code >= 0)
        buf_printf(&text, ",\"exit_code\":%d", report->exit_code);
    else
        buf_append_text(&text, ",\"exit_code\":null");
    buf_printf(&text, ",\"attempts\":%u", report->attempts);
    if (report->limit)
        buf_printf(&text, ",\"limit\":%llu,\"peak\":%llu", (unsigned long long)report->limit,
                   (unsigned long long)report->peak);
    if (report->pid)
        buf_printf(&text, ",\"pid\":%u", report->pid);
    buf_append_text(&text, "}}\n");
    struct blob *line = blob_new(text.data, text.length);
    buf_free(&text);
    return line;
}
