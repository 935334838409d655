/* replies: the lines that a runtime writes while items run, see PROTOCOL.md. No trees, nothing is copied. Pure. */
#ifndef POOLD_RUNTIMES_REPLIES_H
#define POOLD_RUNTIMES_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/scan.h"

enum reply_kind { REPLY_VALUE, REPLY_ERROR, REPLY_PROGRESS, REPLY_LOG, REPLY_CALL };

struct piece {
    char *at; /* NULL: not there */
    size_t length;
};

struct reply {
    enum reply_kind kind;
    uint64_t id;
    struct piece text; /* the value, progress or request: JSON; of a log: its bytes; of an error: its message, with a NUL after */
    unsigned stream;   /* of a log: 1 out, 2 err */
    uint32_t call;     /* its number */
    bool memory;       /* an error of type "memory" (or a MemoryError) */
    struct piece class_name, traceback;
};

/* Reads a line (without its newline), in place; false with a static reason when it is none of them. */
bool reply_parse(char *line, size_t length, struct reply *, const char **reason);
/* True for the beginning of a value's line: enough to know whose it is when it is too long to be read. */
bool reply_begins_value(const char *line, size_t length, uint64_t id);
/* The same for a call's. */
bool reply_begins_call(const char *line, size_t length);
/* Turns a valid JSON string with its quotes into its bytes, in place, with a NUL behind. */
struct piece reply_unescape(char *string, char *end);
/* True when the member that the walk is at has this key (which needs no escapes). */
bool reply_key_is(const struct scan_walk *, const char *key);

#endif
