/* forms: see forms.h. */
#include "runtimes/forms.h"

#include <stdint.h>
#include <string.h>

#include "functions/function.h"
#include "wire/scan.h"

/* ---- JSON strings, known to be valid ---- */

static uint32_t hex4(const char *at)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 4 | (uint32_t)(at[i] <= '9' ? at[i] - '0' : (at[i] | 32) - 'a' + 10);
    return value;
}

static void append_utf8(struct buf *to, uint32_t code)
{
    static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    char bytes[4];
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        bytes[i] = (char)(0x80 | (code & 0x3f));
    bytes[0] = (char)(heads[length] | code);
    buf_append(to, bytes, length);
}

/* One escape, at its backslash; returns the byte after it. A surrogate always comes with its other half. */
static const char *append_escape(struct buf *to, const char *at)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    if (at[1] != 'u') {
        buf_append_char(to, into[strchr(from, at[1]) - from]);
        return at + 2;
    }
    uint32_t code = hex4(at + 2);
    at += 6;
    if (code >= 0xd800 && code < 0xdc00) {
        code = 0x10000 + ((code - 0xd800) << 10) + (hex4(at + 2) - 0xdc00);
        at += 6;
    }
    append_utf8(to, code);
    return at;
}

/* [at, end) is what stands between the quotes. */
static void append_string(struct buf *to, const char *at, const char *end)
{
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        buf_append(to, at, (size_t)((escape ? escape : end) - at));
        at = escape ? append_escape(to, escape) : end;
    }
}

/* ---- base64 (RFC 4648, with padding) ---- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit_value(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static int decode_four(const char *from, bool last, unsigned char to[3], size_t *length)
{
    unsigned padding = !last || from[3] != '=' ? 0 : from[2] != '=' ? 1 : 2;
    uint32_t bits = 0;
    for (unsigned i = 0; i < 4; i++) {
        int value = i < 4 - padding ? digit_value(from[i]) : 0;
        if (value == -1)
            return -1;
        bits = bits << 6 | (uint32_t)value;
    }
    to[0] = (unsigned char)(bits >> 16);
    to[1] = (unsigned char)(bits >> 8);
    to[2] = (unsigned char)bits;
    *length = 3 - padding;
    return bits & ((1u << (8 * padding)) - 1) ? -1 : 0;
}

static int append_decoded(struct buf *to, const char *from, size_t length, struct error *error)
{
    unsigned char bytes[3];
    size_t count;
    if (length % 4 != 0)
        return error_set(error, "expected base64, whose length is a multiple of 4");
    for (size_t i = 0; i < length; i += 4) {
        if (decode_four(from + i, i + 4 == length, bytes, &count) == -1)
            return error_set(error, "expected base64, byte %zu is none", i);
        buf_append(to, bytes, count);
    }
    return 0;
}

static void append_encoded(struct buf *to, const char *bytes, size_t length)
{
    const unsigned char *from = (const unsigned char *)bytes;
    char *at = buf_reserve(to, (length + 2) / 3 * 4);
    for (size_t i = 0; i < length; i += 3, at += 4) {
        size_t left = length - i;
        uint32_t bits =
            (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) | (left > 2 ? from[i + 2] : 0);
        at[0] = digits[bits >> 18];
        at[1] = digits[bits >> 12 & 63];
        at[2] = left > 1 ? digits[bits >> 6 & 63] : '=';
        at[3] = left > 2 ? digits[bits & 63] : '=';
    }
    to->length += (length + 2) / 3 * 4;
}

/* ---- items ---- */

static int read_base64(const char *json, size_t length, struct buf *bytes, struct error *error)
{
    if (json[0] != '"')
        return error_set(error, "expected a string of base64, got %s", json_kind(json[0]));
    if (!memchr(json, '\\', length))
        return append_decoded(bytes, json + 1, length - 2, error);
    struct buf text = BUF_EMPTY; /* "\/" is a way to write '/' */
    append_string(&text, json + 1, json + length - 1);
    int result = append_decoded(bytes, text.data, text.length, error);
    buf_free(&text);
    return result;
}

static int read_text(const char *json, size_t length, struct buf *bytes, struct error *error)
{
    if (json[0] == '[' || json[0] == '{' || json[0] == 'n')
        return error_set(error, "expected a string, got %s", json_kind(json[0]));
    if (json[0] == '"')
        append_string(bytes, json + 1, json + length - 1);
    else
        buf_append(bytes, json, length);
    return 0;
}

int form_read(enum manifest_form form, const char *json, size_t length, struct buf *bytes, struct error *error)
{
    if (form == FORM_TEXT)
        return read_text(json, length, bytes, error);
    if (form == FORM_BASE64)
        return read_base64(json, length, bytes, error);
    buf_append(bytes, json, length);
    return 0;
}

/* ---- values ---- */

static int write_json(struct buf *printed, const char **value, size_t *length, struct error *error)
{
    char *end = buf_reserve(printed, 1);
    char *begin = printed->data + (scan_space(printed->data, end) - printed->data);
    struct scan_error why;
    if (begin == end)
        return error_set(error, "printed nothing, expected a value as JSON");
    char *after = scan_value_flatten(begin, end, NULL, &why);
    if (after == NULL)
        return error_set(error, "printed no JSON: %s at byte %zu", why.reason, (size_t)(why.at - printed->data));
    if (scan_space(after, end) != end)
        return error_set(error, "printed no JSON: something follows the value at byte %zu",
                         (size_t)(scan_space(after, end) - printed->data));
    *value = begin;
    *length = (size_t)(after - begin);
    return 0;
}

static void write_text(const struct buf *printed, struct buf *room)
{
    size_t length = printed->length;
    if (length > 0 && printed->data[length - 1] == '\n')
        length -= length > 1 && printed->data[length - 2] == '\r' ? 2 : 1;
    buf_append_json_string(room, printed->data ? printed->data : "", length);
}

static void write_base64(const struct buf *printed, struct buf *room)
{
    buf_append_char(room, '"');
    append_encoded(room, printed->data, printed->length);
    buf_append_char(room, '"');
}

int form_write(enum manifest_form form, struct buf *printed, struct buf *room, const char **value, size_t *length,
               struct error *error)
{
    if (form == FORM_JSON)
        return write_json(printed, value, length, error);
    room->length = 0;
    if (form == FORM_TEXT)
        write_text(printed, room);
    else
        write_base64(printed, room);
    *value = room->data;
    *length = room->length;
    return 0;
}
