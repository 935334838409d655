#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"

#define SMALLEST 64

static void grow(struct buf *b, size_t needed)
{
    size_t capacity = b->capacity > 0 ? b->capacity : SMALLEST;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    char *data = realloc(b->data, capacity);
    CHECK(data != NULL, "out of memory for a buffer of %zu bytes", capacity);
    b->data = data;
    b->capacity = capacity;
}

char *buf_reserve(struct buf *b, size_t more)
{
    CHECK(more <= SIZE_MAX - b->length, "a buffer of %zu + %zu bytes", b->length, more);
    /* Also for 0 bytes: the result must be a pointer that may be used. */
    if (b->data == NULL || b->length + more > b->capacity)
        grow(b, b->length + more);
    return b->data + b->length;
}

void buf_append(struct buf *b, const void *bytes, size_t count)
{
    if (count == 0)
        return; /* `bytes` may be NULL then, which memcpy does not allow */
    memcpy(buf_reserve(b, count), bytes, count);
    b->length += count;
}

void buf_append_text(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_append_char(struct buf *b, char c)
{
    *buf_reserve(b, 1) = c;
    b->length++;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    char *end = buf_reserve(b, SMALLEST);
    size_t room = b->capacity - b->length;
    int length = vsnprintf(end, room, format, arguments);
    CHECK(length >= 0, "the format \"%s\" cannot be printed", format);
    if ((size_t)length >= room)
        vsnprintf(buf_reserve(b, (size_t)length + 1), (size_t)length + 1, format, again);
    b->length += (size_t)length;
    va_end(again);
    va_end(arguments);
}

static void append_escape(struct buf *b, unsigned char c)
{
    switch (c) {
    case '"':
        buf_append(b, "\\\"", 2);
        break;
    case '\\':
        buf_append(b, "\\\\", 2);
        break;
    case '\n':
        buf_append(b, "\\n", 2);
        break;
    case '\r':
        buf_append(b, "\\r", 2);
        break;
    case '\t':
        buf_append(b, "\\t", 2);
        break;
    default:
        buf_printf(b, "\\u%04x", c);
    }
}

void buf_append_json_string(struct buf *b, const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t plain = 0; /* start of the bytes that can be copied as they are */
    buf_append_char(b, '"');
    for (size_t i = 0; i < length;) {
        size_t bad, valid;
        if (bytes[i] < 0x20 || bytes[i] == '"' || bytes[i] == '\\') {
            buf_append(b, text + plain, i - plain);
            append_escape(b, bytes[i]);
            plain = ++i;
        } else if ((valid = utf8_length(bytes + i, length - i, &bad)) > 0) {
            i += valid;
        } else {
            buf_append(b, text + plain, i - plain);
            buf_append(b, "\xef\xbf\xbd", 3);
            plain = i += bad;
        }
    }
    if (length > plain)
        buf_append(b, text + plain, length - plain);
    buf_append_char(b, '"');
}

void buf_consume(struct buf *b, size_t count)
{
    CHECK(count <= b->length, "%zu bytes consumed of %zu", count, b->length);
    b->length -= count;
    if (b->length > 0 && count > 0)
        memmove(b->data, b->data + count, b->length);
}

const char *buf_cstr(struct buf *b)
{
    *buf_reserve(b, 1) = '\0';
    return b->data;
}

char *buf_steal(struct buf *b, size_t *length)
{
    char *data = b->data;
    if (length != NULL)
        *length = b->length;
    *b = BUF_EMPTY;
    return data;
}

void buf_clear(struct buf *b, size_t keep_capacity)
{
    b->length = 0;
    if (b->capacity > keep_capacity)
        buf_free(b);
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = BUF_EMPTY;
}
