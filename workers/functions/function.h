/* function: what a worker can call, and what a function sees of one call.
 *
 * A function gets one item as JSON text and gives back one value as JSON text (or an error). It writes the value
 * straight to where it will be sent from: ask for call_room once, with the exact length, and fill all of it; or leave
 * it to call_value, call_integer, call_real. One thread, one call at a time. */
#ifndef POOLD_FUNCTIONS_FUNCTION_H
#define POOLD_FUNCTIONS_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call;

struct function {
    const char *name;
    const char *summary; /* one line for people */
    const char *example; /* an item that works, as JSON */
    bool test_only;      /* a fault injector: only with --test-functions */
    bool takes_star;     /* gets the whole argument array of a starmap; else its one element is unpacked for it */
    bool prints;         /* its stdout and stderr are the item's log */
    bool unchecked;      /* its values may not be JSON: the worker looks before it believes */
    int (*call)(struct call *); /* 0 once the value is written, -1 after call_error */
    void *context;              /* the function's own (a plugin's: see runtimes/plugin.c) */
};

struct call {
    /* what the function reads */
    const char *item; /* one valid JSON value without white space around it; the byte at item + length is readable and
                         belongs to no number, so that strtod stops there */
    size_t length;
    bool star;        /* the item is an array of arguments (only for takes_star) */
    uint32_t attempt; /* 1 for the first */
    const char *name; /* of the function, for messages */
    const struct function *function; /* the one that is called */
    const char *job_id;
    const char *traceparent; /* of the job: W3C Trace Context; "" or NULL when it has none */
    uint32_t index;      /* of the item in its job */
    int64_t deadline_ns; /* clock_mono_ns by which it must have ended; 0 = none */
    /* shows `json` as how far the item is; may be NULL */
    void (*progress)(struct call *, const char *json, size_t length);
    /* Asks something of a shared object (valid JSON) and waits for the answer, {"ok":…} or {"error":…}, which is valid
     * until the next call; may be NULL. */
    const char *(*ask)(struct call *, const char *request, size_t length, size_t *answer_length);

    /* where the value goes: owned by the caller, used through call_room */
    char *value;
    size_t room; /* bytes that may be written at value: the smaller of what fits and value_max */
    size_t value_length;
    size_t value_max;
    bool (*more)(struct call *, size_t bytes); /* makes value and room good for `bytes`, or says no; may be NULL */
    void *context;                             /* of `more`, `progress` and `ask` */

    /* valid after -1 */
    const char *error_type; /* "error", "too_large" */
    char error[512];
};

/* The functions, in the order in which people see them. */
extern const struct function functions[];
extern const size_t functions_count;
/* NULL when there is none of that name (or it is for tests and they are not wanted). */
const struct function *function_find(const char *name, bool test_functions);

/* Begins a value of exactly `bytes` bytes; NULL (with the error set) when that is too large. */
char *call_room_made(struct call *, size_t bytes);
static inline char *call_room(struct call *call, size_t bytes)
{
    if (bytes > call->room)
        return call_room_made(call, bytes);
    call->value_length = bytes;
    return call->value;
}

/* These return what the function should return. */
int call_value(struct call *, const char *json, size_t length);
int call_real(struct call *, double);
int call_error(struct call *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "square: expected a number, got a string". */
int call_expected(struct call *, const char *what);
/* Replaces the item, an array of exactly one argument, by that argument. 0, or -1 with the error set. */
int call_unpack(struct call *);

/* "null", "a number", "a string" …: what the JSON value that begins with this byte is. */
const char *json_kind(char first);

#endif
