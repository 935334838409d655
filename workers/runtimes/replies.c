/* replies: see replies.h. */
#include "runtimes/replies.h"

#include <stdio.h>
#include <string.h>

#define BEFORE_ID "{\"id\":"
#define BEFORE_VALUE ",\"value\":"

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

/* What most lines are: {"id":DIGITS,"value":VALUE} and nothing else. */
static bool parse_value_line(char *line, char *end, struct reply *reply)
{
    size_t before = sizeof BEFORE_ID - 1, between = sizeof BEFORE_VALUE - 1;
    char *at = line + before;
    if ((size_t)(end - line) < before + between + 3 || memcmp(line, BEFORE_ID, before) != 0)
        return false;
    for (reply->id = 0; at < end && *at >= '0' && *at <= '9' && at < line + before + 18; at++)
        reply->id = reply->id * 10 + (uint64_t)(*at - '0');
    if (at == line + before || (size_t)(end - at) < between || memcmp(at, BEFORE_VALUE, between) != 0)
        return false;
    char *value = at + between, *after = scan_value_flatten(value, end, NULL, NULL);
    if (after == NULL || after != end - 1 || *after != '}')
        return false;
    reply->kind = REPLY_VALUE;
    reply->text = (struct piece){value, (size_t)(after - value)};
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

/* What a line may say beside its id; `walk` is at a member. */
static bool parse_member(struct reply *reply, const struct scan_walk *walk, struct piece *error, bool *found,
                         const char **reason)
{
    if (reply_key_is(walk, "stream"))
        return parse_stream(reply, walk) || (*reason = "a stream that is neither stdout nor stderr", false);
    if (*found)
        return *reason = "more than one answer in a line", false;
    *found = true;
    reply->text = (struct piece){walk->value, (size_t)(walk->value_end - walk->value)};
    if (reply_key_is(walk, "value")) {
        reply->kind = REPLY_VALUE;
    } else if (reply_key_is(walk, "progress")) {
        reply->kind = REPLY_PROGRESS;
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
    if (parse_value_line(line, end, reply))
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

bool reply_begins_value(const char *line, size_t length, uint64_t id)
{
    char digits[24];
    const char *at = line, *end = line + length;
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)id);
    const char *const words[] = {"{", "\"id\"", ":", digits, ",", "\"value\"", ":"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if ((at = skip_word(at, end, words[i])) == NULL)
            return false;
    return true;
}
