/* replies: see replies.h. */
#include "runtimes/replies.h"

#include <stdio.h>
#include <string.h>

#define BEFORE_ID "{\"id\":"
#define BEFORE_VALUE ",\"value\":"
#define BEFORE_CALL ",\"call\":"
#define BEFORE_REQUEST ",\"request\":"

/* ---- strings ---- */

static unsigned hex4(const char *digits)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        char c = digits[i];
        value = value * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

static char *put_character(char *to, unsigned c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | (c >> 6));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | (c >> 12));
        *to++ = (char)(0x80 | ((c >> 6) & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | (c >> 18));
        *to++ = (char)(0x80 | ((c >> 12) & 0x3f));
        *to++ = (char)(0x80 | ((c >> 6) & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* `at` is behind "\u"; the scanner has seen to it that surrogates come in pairs. */
static const char *unescape_unicode(const char *at, char **to)
{
    unsigned c = hex4(at);
    at += 4;
    if (c >= 0xd800 && c < 0xdc00) {
        c = 0x10000 + ((c - 0xd800) << 10) + (hex4(at + 2) - 0xdc00);
        at += 6;
    }
    *to = put_character(*to, c);
    return at;
}

static char unescape_letter(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

struct piece reply_unescape(char *string, char *end)
{
    char *to = string;
    for (const char *at = string + 1; at < end - 1;) {
        if (*at != '\\') {
            *to++ = *at++;
        } else if (at[1] == 'u') {
            at = unescape_unicode(at + 2, &to);
        } else {
            *to++ = unescape_letter(at[1]);
            at += 2;
        }
    }
    *to = '\0'; /* at the latest where the closing quote was */
    return (struct piece){string, (size_t)(to - string)};
}

/* ---- lines ---- */

bool reply_key_is(const struct scan_walk *walk, const char *key)
{
    size_t length = strlen(key);
    return (size_t)(walk->key_end - walk->key) == length && memcmp(walk->key, key, length) == 0;
}

/* WORD and digits; NULL when they are not there. */
static char *read_number(char *at, char *end, const char *word, size_t length, uint64_t *number)
{
    enum { DIGITS_MAX = 18 };
    if (at == NULL || (size_t)(end - at) <= length || memcmp(at, word, length) != 0)
        return NULL;
    char *digits = at += length;
    for (*number = 0; at < end && *at >= '0' && *at <= '9' && at < digits + DIGITS_MAX; at++)
        *number = *number * 10 + (uint64_t)(*at - '0');
    return at == digits ? NULL : at;
}

/* WORD and a value behind which the line ends. */
static bool read_last(char *at, char *end, const char *word, size_t length, struct piece *value)
{
    if ((size_t)(end - at) <= length || memcmp(at, word, length) != 0)
        return false;
    at += length;
    char *after = scan_value_flatten(at, end, NULL, NULL);
    if (after == NULL || after != end - 1 || *after != '}')
        return false;
    *value = (struct piece){at, (size_t)(after - at)};
    return true;
}

/* What most lines are: {"id":DIGITS,"value":VALUE}, or {"id":DIGITS,"call":DIGITS,"request":VALUE}, and nothing else.
 */
static bool parse_usual_line(char *line, char *end, struct reply *reply)
{
    uint64_t number;
    char *at = read_number(line, end, BEFORE_ID, sizeof BEFORE_ID - 1, &reply->id);
    if (at == NULL)
        return false;
    if (read_last(at, end, BEFORE_VALUE, sizeof BEFORE_VALUE - 1, &reply->text)) {
        reply->kind = REPLY_VALUE;
        return true;
    }
    at = read_number(at, end, BEFORE_CALL, sizeof BEFORE_CALL - 1, &number);
    if (at == NULL || number > UINT32_MAX ||
        !read_last(at, end, BEFORE_REQUEST, sizeof BEFORE_REQUEST - 1, &reply->text) || *reply->text.at != '{')
        return false;
    reply->kind = REPLY_CALL;
    reply->call = (uint32_t)number;
    return true;
}

static bool parse_error_object(struct reply *reply, char *at, char *end, const char **reason)
{
    struct scan_walk walk;
    for (scan_enter(&walk, at, end, true); scan_next(&walk);) {
        bool string = walk.kind == SCAN_STRING;
        if (reply_key_is(&walk, "type")) {
            reply->memory |= string && strncmp(walk.value, "\"memory\"", 8) == 0;
            continue;
        }
        struct piece *piece = reply_key_is(&walk, "message")     ? &reply->text
                              : reply_key_is(&walk, "class")     ? &reply->class_name
                              : reply_key_is(&walk, "traceback") ? &reply->traceback
                                                                 : NULL;
        if (piece && string)
            *piece = reply_unescape(walk.value, walk.value_end);
        else if (piece && walk.kind != SCAN_NULL)
            return *reason = "a part of its error is no string", false;
    }
    if (reply->text.at == NULL)
        return *reason = "its error has no message", false;
    reply->memory |= reply->class_name.at && strcmp(reply->class_name.at, "MemoryError") == 0;
    return true;
}

static bool parse_stream(struct reply *reply, const struct scan_walk *walk)
{
    if (walk->kind != SCAN_STRING)
        return false;
    if (strncmp(walk->value, "\"stdout\"", 8) == 0)
        reply->stream = 1;
    else if (strncmp(walk->value, "\"stderr\"", 8) == 0)
        reply->stream = 2;
    return reply->stream != 0;
}

static bool parse_call(struct reply *reply, const struct scan_walk *walk, const char **reason)
{
    long long number;
    if (walk->kind != SCAN_NUMBER || scan_integer(walk->value, walk->value_end, &number) == -1 || number < 0 ||
        number > UINT32_MAX)
        return *reason = "a call without a proper number", false;
    reply->call = (uint32_t)number;
    return true;
}

/* What a line may say beside its id; `walk` is at a member. */
static bool parse_member(struct reply *reply, const struct scan_walk *walk, struct piece *error, bool *found,
                         const char **reason)
{
    if (reply_key_is(walk, "stream"))
        return parse_stream(reply, walk) || (*reason = "a stream that is neither stdout nor stderr", false);
    if (reply_key_is(walk, "call"))
        return parse_call(reply, walk, reason);
    if (*found)
        return *reason = "more than one answer in a line", false;
    *found = true;
    reply->text = (struct piece){walk->value, (size_t)(walk->value_end - walk->value)};
    if (reply_key_is(walk, "value")) {
        reply->kind = REPLY_VALUE;
    } else if (reply_key_is(walk, "progress")) {
        reply->kind = REPLY_PROGRESS;
    } else if (reply_key_is(walk, "request") && walk->kind == SCAN_OBJECT) {
        reply->kind = REPLY_CALL;
    } else if (reply_key_is(walk, "log") && walk->kind == SCAN_STRING) {
        reply->kind = REPLY_LOG; /* unescaped once the whole line is known to be good */
    } else if (reply_key_is(walk, "error") && walk->kind == SCAN_OBJECT) {
        reply->kind = REPLY_ERROR;
        *error = reply->text;
        reply->text = (struct piece){0};
    } else {
        return *reason = "a line that says nothing known", false;
    }
    return true;
}

static bool parse_members(struct scan_walk *walk, struct reply *reply, struct piece *error, const char **reason)
{
    bool found = false;
    long long id;
    if (!scan_next(walk) || !reply_key_is(walk, "id") || scan_integer(walk->value, walk->value_end, &id) == -1 ||
        id < 0)
        return *reason = walk->error.reason ? walk->error.reason : "a line without an id", false;
    reply->id = (uint64_t)id;
    while (scan_next(walk))
        if (!parse_member(reply, walk, error, &found, reason))
            return false;
    if (walk->error.reason)
        return *reason = walk->error.reason, false;
    if (!found || (reply->kind == REPLY_LOG && reply->stream == 0))
        return *reason = "a line that says nothing known", false;
    return true;
}

bool reply_parse(char *line, size_t length, struct reply *reply, const char **reason)
{
    char *end = line + length;
    struct piece error = {0};
    struct scan_walk walk;
    *reply = (struct reply){0};
    if (parse_usual_line(line, end, reply))
        return true;
    if (length == 0 || *line != '{')
        return *reason = "no JSON object", false;
    *reply = (struct reply){0};
    scan_enter(&walk, line, end, true);
    if (!parse_members(&walk, reply, &error, reason))
        return false;
    if (scan_space(walk.at, end) != end)
        return *reason = "something follows the object", false;
    if (reply->kind == REPLY_LOG)
        reply->text = reply_unescape(reply->text.at, reply->text.at + reply->text.length);
    return error.at == NULL || parse_error_object(reply, error.at, error.at + error.length, reason);
}

/* `word`, with any white space before it; NULL when it is not there. */
static const char *skip_word(const char *at, const char *end, const char *word)
{
    size_t length = strlen(word);
    at = scan_space(at, end);
    return (size_t)(end - at) >= length && memcmp(at, word, length) == 0 ? at + length : NULL;
}

static const char *skip_words(const char *at, const char *end, const char *const *words)
{
    for (; at && *words; words++)
        at = skip_word(at, end, *words);
    return at;
}

bool reply_begins_value(const char *line, size_t length, uint64_t id)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)id);
    const char *const words[] = {"{", "\"id\"", ":", digits, ",", "\"value\"", ":", NULL};
    return skip_words(line, line + length, words);
}

bool reply_begins_call(const char *line, size_t length)
{
    const char *const before[] = {"{", "\"id\"", ":", NULL}, *const behind[] = {",", "\"call\"", ":", NULL};
    const char *end = line + length, *at = skip_words(line, end, before);
    if (at == NULL)
        return false;
    at = scan_space(at, end);
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return skip_words(at, end, behind);
}
