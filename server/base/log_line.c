#include "base/log_line.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* What may still follow a field: a closing quote, and the longer of ` cut=true` and `,"cut":true}`, and the newline. */
enum { RESERVE = 1 + sizeof ",\"cut\":true}\n", ESCAPE_MAX = 8 };

void log_value_add(struct log_value *value, const char *text, size_t length)
{
    size_t room = sizeof value->text - value->length, taken = length < room ? length : room;
    memcpy(value->text + value->length, text, taken);
    value->length += taken;
    value->cut = value->cut || taken < length;
}

static bool fits(const struct log_line *line, size_t length)
{
    return line->length + length + RESERVE <= sizeof line->text;
}

static void add(struct log_line *line, const char *text, size_t length)
{
    memcpy(line->text + line->length, text, length);
    line->length += length;
}

/* ---- texts ---- */

/* Writes the character at `at` as it may stand between quotes; sets how many bytes it takes there, returns how many it
 * is. What is no character but the beginning of one, where the value was cut, is nothing. */
static size_t escape(const struct log_value *value, size_t at, char to[ESCAPE_MAX], size_t *written)
{
    const unsigned char *text = (const unsigned char *)value->text + at;
    size_t bad, left = value->length - at, length = utf8_length(text, left, &bad);
    if (length == 0) {
        bool torn = value->cut && bad == left;
        *written = torn ? 0 : 3;
        memcpy(to, "\xef\xbf\xbd", 3);
        return bad;
    }
    static const char letters[] = {['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['"'] = '"', ['\\'] = '\\'};
    char letter = *text < sizeof letters ? letters[*text] : '\0';
    if (letter)
        *written = (size_t)snprintf(to, ESCAPE_MAX, "\\%c", letter);
    else if (*text < 0x20 || *text == 0x7f)
        *written = (size_t)snprintf(to, ESCAPE_MAX, "\\u%04x", *text);
    else
        memcpy(to, text, *written = length);
    return length;
}

static void add_quoted(struct log_line *line, const struct log_value *value)
{
    add(line, "\"", 1);
    for (size_t at = 0; at < value->length;) {
        char escaped[ESCAPE_MAX];
        size_t written, length = escape(value, at, escaped, &written);
        if (!fits(line, written)) {
            line->cut = true;
            break;
        }
        add(line, escaped, written);
        at += length;
    }
    line->cut = line->cut || value->cut;
    add(line, "\"", 1);
}

/* Whether logfmt can do without quotes. */
static bool is_plain(const struct log_value *value)
{
    for (size_t i = 0; i < value->length; i++) {
        unsigned char c = (unsigned char)value->text[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return value->length > 0 && !value->cut;
}

/* ---- fields ---- */

static void add_key(struct log_line *line, const char *key, size_t length)
{
    bool json = line->format == LOG_JSON;
    if (line->length > json) /* behind the brace there is none */
        add(line, json ? "," : " ", 1);
    if (json)
        add(line, "\"", 1);
    add(line, key, length);
    add(line, json ? "\":" : "=", json ? 2 : 1);
}

void log_line_field(struct log_line *line, const char *key, size_t key_length, const struct log_value *value)
{
    size_t least = key_length + 5; /* separator, quotes, colon or equals sign, the value's first quote */
    bool text = value->kind == LOG_VALUE_TEXT || value->kind == LOG_VALUE_QUOTED;
    bool plain = !text || (line->format == LOG_TEXT && value->kind == LOG_VALUE_TEXT && is_plain(value));
    bool whole = fits(line, least + value->length);
    if (!fits(line, least) || (!text && !whole)) {
        line->cut = true;
        return;
    }
    add_key(line, key, key_length);
    if (plain && whole)
        add(line, value->text, value->length);
    else
        add_quoted(line, value);
}

void log_line_text(struct log_line *line, const char *key, const char *text)
{
    struct log_value value; /* not zeroed: it is large, and this is done four times a line */
    value.kind = LOG_VALUE_TEXT;
    value.cut = false;
    value.length = 0;
    log_value_add(&value, text, strlen(text));
    log_line_field(line, key, strlen(key), &value);
}

void log_line_begin(struct log_line *line, enum log_format format)
{
    line->format = format;
    line->cut = false;
    line->length = 0;
    if (format == LOG_JSON)
        add(line, "{", 1);
}

void log_line_end(struct log_line *line)
{
    bool json = line->format == LOG_JSON;
    if (line->cut)
        add(line, json ? ",\"cut\":true" : " cut=true", json ? 11 : 9);
    add(line, json ? "}\n" : "\n", json ? 2 : 1);
}
