/* buf: a growable run of bytes with one owner. Out of memory aborts (all buffers here are capped
 * by their users, so it means the machine is out of memory). Not thread-safe. */
#ifndef POOLD_BASE_BUF_H
#define POOLD_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *data; /* NULL while capacity is 0; not NUL-terminated, but see buf_cstr */
    size_t length;
    size_t capacity;
};

#define BUF_EMPTY ((struct buf){NULL, 0, 0})

/* Makes room for `more` bytes after length; returns data + length. Grows by doubling. */
char *buf_reserve(struct buf *, size_t more);
void buf_append(struct buf *, const void *bytes, size_t count);
void buf_append_text(struct buf *, const char *text);
void buf_append_char(struct buf *, char);
void buf_printf(struct buf *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends `text` as a JSON string with quotes; invalid UTF-8 becomes U+FFFD. */
void buf_append_json_string(struct buf *, const char *text, size_t length);
/* Drops the first `count` bytes. */
void buf_consume(struct buf *, size_t count);
/* Ends the bytes with a NUL that length does not count; returns data. */
const char *buf_cstr(struct buf *);
/* Takes the bytes over (caller frees with free()), leaving the buffer empty. */
char *buf_steal(struct buf *, size_t *length);
/* Forgets the content; gives memory back when capacity is over keep_capacity. */
void buf_clear(struct buf *, size_t keep_capacity);
/* Frees; the buffer is BUF_EMPTY after. */
void buf_free(struct buf *);

#endif
