/* problem: every error that a client can see, as application/problem+json (RFC 9457).
 *
 * One table (problem.c) names each type once: its stable name, status and title; schema/problems.md lists them for
 * people. A struct problem is plain data that the pure parsers fill and the HTTP side sends. Any thread. */
#ifndef POOLD_HTTP_PROBLEM_H
#define POOLD_HTTP_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum problem_type {
    PROBLEM_NONE,
    PROBLEM_INVALID_JSON,
    PROBLEM_INVALID_LINE,
    PROBLEM_UNKNOWN_FIELD,
    PROBLEM_MISSING_FIELD,
    PROBLEM_INVALID_VALUE,
    PROBLEM_UNKNOWN_PARAMETER,
    PROBLEM_INVALID_PARAMETER,
    PROBLEM_INVALID_HEAD,
    PROBLEM_INVALID_HEADER,
    PROBLEM_UNAUTHORIZED,
    PROBLEM_FORBIDDEN,
    PROBLEM_FUNCTION_FORBIDDEN,
    PROBLEM_CROSS_SITE,
    PROBLEM_NOT_FOUND,
    PROBLEM_METHOD,
    PROBLEM_NOT_ACCEPTABLE,
    PROBLEM_TOO_SLOW,
    PROBLEM_KEY_IN_FLIGHT,
    PROBLEM_NOT_OPEN,
    PROBLEM_ENDED,
    PROBLEM_NOT_ENDED,
    PROBLEM_NOTHING_TO_RETRY,
    PROBLEM_GONE,
    PROBLEM_BODY_TOO_LARGE,
    PROBLEM_ITEM_TOO_LARGE,
    PROBLEM_TOO_MANY_ITEMS,
    PROBLEM_URI_TOO_LONG,
    PROBLEM_MEDIA_TYPE,
    PROBLEM_EXPECTATION,
    PROBLEM_WRONG_HOST,
    PROBLEM_UNKNOWN_FUNCTION,
    PROBLEM_OVER_CEILING,
    PROBLEM_KEY_REUSED,
    PROBLEM_TOO_MANY_REQUESTS,
    PROBLEM_HEAD_TOO_LARGE,
    PROBLEM_INTERNAL,
    PROBLEM_OVERLOADED,
    PROBLEM_DRAINING,
    PROBLEM_STARTING,
    PROBLEM_READ_ONLY,
    PROBLEM_STORAGE_FAILED,
    PROBLEM_STORAGE_FULL,
    /* shared objects */
    PROBLEM_OBJECT_MISSING,
    PROBLEM_NO_ENTRY,
    PROBLEM_OBJECT_EXISTS,
    PROBLEM_QUEUE_EMPTY,
    PROBLEM_QUEUE_FULL,
    PROBLEM_BUSY,
    PROBLEM_NOT_HOLDER,
    PROBLEM_END_OF_FILE,
    PROBLEM_OBJECT_DELETED,
    PROBLEM_CHANGED,
    PROBLEM_OBJECT_LIMIT,
    PROBLEM_OBJECT_INVALID,
    PROBLEM_OVERFLOW,
    PROBLEM_NO_ROOM,
    PROBLEMS
};

struct problem {
    enum problem_type type; /* PROBLEM_NONE: all is well */
    char detail[300];
    char pointer[200]; /* JSON pointer into the body, "" = none said */
    bool pointed;      /* pointer is meant, even if it is "" (the whole body) */
    int64_t offset;    /* byte of the body, -1 = none */
    int64_t line;      /* of an NDJSON body, from 1; -1 = none */
    int64_t accepted;  /* items of the request that were kept, -1 = does not apply */
};

#define PROBLEM_INIT ((struct problem){.offset = -1, .line = -1, .accepted = -1})

/* Fills type and detail, nothing else; returns false so that a failing function can return it. Keeps the first. */
bool problem_set(struct problem *, enum problem_type, const char *detail, ...) __attribute__((format(printf, 3, 4)));
/* Says where in the body. */
void problem_at(struct problem *, int64_t offset, const char *pointer, ...) __attribute__((format(printf, 3, 4)));
/* "invalid-json" …, its HTTP status, its title. */
const char *problem_name(enum problem_type);
unsigned problem_status(enum problem_type);
const char *problem_title(enum problem_type);
/* Appends the document. */
void problem_write(const struct problem *, struct buf *);

#endif
