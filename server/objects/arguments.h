/* arguments: what an operation was given, read from the call's JSON object by the rules of the operation.
 *
 * Strict: unknown, missing, repeated and mistyped arguments are OBJECT_INVALID with a problem that names the argument.
 * `null` for an optional argument that is no ARGUMENT_VALUE counts as not given. Values are validated JSON on one line
 * (a text with line breaks between its tokens is copied and flattened), so they can be kept and given back verbatim. */
#ifndef POOLD_OBJECTS_ARGUMENTS_H
#define POOLD_OBJECTS_ARGUMENTS_H

#include "objects/objects.h"
#include "wire/scan.h"

enum { ARGUMENTS_MAX = 6 };

enum argument_type {
    ARGUMENT_VALUE,   /* any JSON, at most OBJECT_VALUE_MAX bytes, else OBJECT_LIMIT */
    ARGUMENT_VALUES,  /* an array of such; `count` is set */
    ARGUMENT_ENTRIES, /* an object of such; `count` is set */
    ARGUMENT_NUMBER,  /* any number, as its text */
    ARGUMENT_INTEGER, /* int64: `integer` */
    ARGUMENT_SECONDS, /* a number from 0 to ten years: `integer` is nanoseconds */
    ARGUMENT_BOOL,    /* `truth` */
    ARGUMENT_TEXT, /* a string without U+0000: `text`, `length` decoded and NUL-terminated; ≤ OBJECT_KEY_MAX bytes */
};

struct argument_rule {
    const char *name; /* NULL ends the list */
    enum argument_type type;
    bool required;
};

struct argument {
    bool given;
    enum scan_kind kind;
    const char *at, *end; /* the JSON text */
    int64_t integer;
    bool truth;
    const char *text;
    size_t length; /* of text */
    size_t count;  /* elements of an array, members of an object */
};

struct arguments {
    const struct argument_rule *rules;
    struct argument given[ARGUMENTS_MAX];
    struct buf texts; /* decoded strings */
};

/* OBJECT_OK, or INVALID or LIMIT with call->problem. Free with arguments_free in any case. */
enum object_status arguments_read(struct arguments *, const struct argument_rule *rules, struct object_call *);
/* By the name it has in the rules (anything else aborts). Never NULL: see `given`. */
const struct argument *argument(const struct arguments *, const char *name);
void arguments_free(struct arguments *);

/* The elements of ARGUMENT_VALUES or members of ARGUMENT_ENTRIES, one by one:
 *     for (argument_walk(a, &w); scan_next(&w);)  w.value…w.value_end, w.key…w.key_end (raw: see text_decode)
 * They are valid: there can be no error any more. */
void argument_walk(const struct argument *, struct scan_walk *);

/* Appends the string whose raw text (between its quotes, valid) is given, escapes resolved, as UTF-8. */
void text_decode(struct buf *, const char *at, const char *end);

#endif
