/* poold.h: functions for poold, written in C (or anything that can export a C symbol).
 *
 * A plugin is a shared object that exports one symbol:
 *
 *     #include "poold.h"
 *
 *     static int length(const struct poold_host *host, struct poold_call *call, const char *item, size_t size)
 *     {
 *         size_t bytes;
 *         if (host->text(call, item, size, &bytes) == NULL)
 *             return host->expected(call, "a string");
 *         return poold_integer(host, call, (int64_t)bytes);
 *     }
 *
 *     static const struct poold_function functions[] = {
 *         POOLD_FUNCTION("length", length, "bytes of a string", "\"hello\""),
 *     };
 *     static const struct poold_plugin plugin = POOLD_PLUGIN(functions, NULL, NULL);
 *
 *     POOLD_EXPORT const struct poold_plugin *poold_plugin(void)
 *     {
 *         return &plugin;
 *     }
 *
 *     cc -std=c99 -O2 -fPIC -shared -I…/workers/sdk -o words.so words.c
 *
 * and a manifest beside it, words.json in a folder given with --functions, makes it callable as `words.length`:
 *
 *     {"plugin": "words.so"}
 *
 * Each worker process loads the plugin for itself, before the first item for it. Text in, text out: a function gets
 * its item as JSON text and gives back JSON text, which poold checks before it believes it. One thread calls, one item
 * at a time; state kept between items is the worker's own and goes with it. What a function prints to stdout and
 * stderr is the log of its item. It may crash, hang, or take too much memory: the item ends as `crash`, `timeout` or
 * `memory` and the worker is replaced. When an item is cancelled or its time is up, the worker gets SIGTERM and dies.
 * Leave the signal dispositions, the working directory (the manifest's `directory`) and the descriptors that are not
 * yours as they are. The environment is what the manifest declares. Processes that a function starts are killed when
 * its item has ended.
 *
 * Versions. `version` is POOLD_VERSION of the header that each side was made with; poold loads only plugins of its own
 * version and says so of others. Within a version members are only ever added, at the ends of structs, and flags only
 * to bits that were 0; so every struct begins with its own size. An older plugin gets along with a newer poold: what
 * its structs do not have is taken as 0. A newer plugin gets along with an older poold if it asks POOLD_HAS(host,
 * member) before it uses a member that is newer than the first release of the version; if it cannot do without, its
 * initialise should say so with an error.
 *
 * Changes
 *   version 1    poold 0.1    first release
 *                poold 0.2    host: call, map (ask POOLD_HAS(host, call) if it has to run with 0.1, too)
 */
#ifndef POOLD_H
#define POOLD_H

#include <stddef.h>
#include <stdint.h>

#define POOLD_VERSION 1

#ifdef __cplusplus
#define POOLD_EXPORT extern "C" __attribute__((visibility("default")))
extern "C" {
#else
#define POOLD_EXPORT __attribute__((visibility("default")))
#endif

/* One call of a function (or of initialise); only good until that returns. */
struct poold_call;

/* What poold offers to plugins; good as long as the plugin is loaded. Call these on the thread that was called, with
 * the call that is going on. */
struct poold_host {
    size_t size;
    uint32_t version;
    uint32_t flags; /* 0 */

    /* Answers: `return host->value(…)`. The last one counts; texts are copied. */

    /* JSON text; 0, or -1 when it is too large (the error is set). */
    int (*value)(struct poold_call *, const char *json, size_t length);
    /* A JSON string made of UTF-8 text; what is not UTF-8 becomes U+FFFD. 0 or -1. */
    int (*value_text)(struct poold_call *, const char *text, size_t length);
    /* What is wrong, for people, NUL-terminated; returns -1. */
    int (*error)(struct poold_call *, const char *message);
    /* "length: expected a string, got a number"; returns -1. */
    int (*expected)(struct poold_call *, const char *what);

    /* While it runs. */

    /* JSON text that is shown as the item's progress. */
    void (*progress)(struct poold_call *, const char *json, size_t length);
    /* Nanoseconds until the item's time is up; -1 when there is no limit. */
    int64_t (*time_left)(const struct poold_call *);

    /* What is asked. */

    const char *(*job)(const struct poold_call *);    /* its id */
    uint32_t (*index)(const struct poold_call *);     /* of the item in its job */
    uint32_t (*attempt)(const struct poold_call *);   /* 1 for the first */
    int (*is_star)(const struct poold_call *);        /* the item is the array of arguments of a starmap */

    /* Reading JSON: the item (or initargs), or a piece of it that one of these gave. */

    /* Of a string: its content as UTF-8, NUL-terminated (a \u0000 within is kept: look at *text_length, which may be
     * NULL). NULL when it is something else. Good until the function returns. */
    const char *(*text)(struct poold_call *, const char *json, size_t length, size_t *text_length);
    /* The elements of an array, one after the other: NULL after the last, or when it is something else.
     *     const char *at = NULL;
     *     size_t size = 0;
     *     while ((at = host->element(call, item, length, at, &size)) != NULL)   … size bytes at `at` */
    const char *(*element)(struct poold_call *, const char *json, size_t length, const char *previous, size_t *size);
    /* The value of a member of an object; NULL when there is none, or it is something else. */
    const char *(*member)(struct poold_call *, const char *json, size_t length, const char *key, size_t *size);

    /* Shared objects: queues, pipes, locks, dicts, lists, values, arrays; not in initialise. (Since 0.2.) */

    /* Does one operation and waits for its answer; `request` is NUL-terminated:
     *     {"object":"queues/results","op":"put","args":{"value":7},"wait":5}
     * `wait` is in seconds, null for ever; without it the call does not wait. 0: *answer is the JSON text that the
     * operation gives. -1: it is {"type":"full","message":"…"}, and the message is the item's error unless the function
     * answers something else. Both `answer` (NUL-terminated) and `length` may be NULL; good until the next call, or the
     * function returns. What an item holds is released when it ends, however it does. All the operations:
     * server/objects/README.md. */
    int (*call)(struct poold_call *, const char *request, const char **answer, size_t *length);
    /* The memory of "arrays/NAME" or "values/NAME" itself, shared with all tasks that map it: *length elements of the
     * type *typecode (as Python's array has it); each may be NULL. Good until the function returns. Who works on it
     * beside others takes turns: {"object":"locks/arrays/NAME","op":"acquire","wait":null}, and "release". NULL, with
     * the error set, when there is no such object. */
    void *(*map)(struct poold_call *, const char *object, size_t *length, char *typecode);
};

/* 0 after an answer with host->value or host->value_text, -1 after an error. `item` is one valid JSON value, `length`
 * bytes without white space around it, and a NUL behind it that `length` does not count. */
typedef int poold_function_call(const struct poold_host *, struct poold_call *, const char *item, size_t length);

/* Gets the argument arrays of a starmap as they are. Without it an array of one argument is unpacked, and others are
 * refused. */
#define POOLD_STAR UINT32_C(1)

struct poold_function {
    size_t size;
    const char *name;    /* [A-Za-z_][A-Za-z0-9_.-]*; callable as MANIFEST.name, or as MANIFEST if it has the same name */
    const char *summary; /* one line for people; may be NULL */
    const char *example; /* an item that works, as JSON text; may be NULL */
    poold_function_call *call;
    uint32_t flags; /* POOLD_… */
};

struct poold_plugin {
    size_t size;
    uint32_t version; /* POOLD_VERSION */
    uint32_t count;   /* of functions */
    const struct poold_function *functions; /* all of the size that the first one says */
    /* Runs once in each process, before everything else. `initargs` is the manifest's: the text of a JSON array, "[]"
     * when it has none. 0; or -1 after host->error(call, why): then the plugin is not used. May be NULL. */
    int (*initialise)(const struct poold_host *, struct poold_call *, const char *initargs, size_t length);
    /* Runs before the plugin is unloaded and when the worker exits in peace (a killed one runs nothing). May be NULL. */
    void (*finalise)(void);
};

/* The one symbol of a plugin. What it points to must stay as it is. */
POOLD_EXPORT const struct poold_plugin *poold_plugin(void);

#define POOLD_FUNCTION(name, call, summary, example)                                                                   \
    {                                                                                                                  \
        sizeof(struct poold_function), name, summary, example, call, 0                                                 \
    }
#define POOLD_STAR_FUNCTION(name, call, summary, example)                                                              \
    {                                                                                                                  \
        sizeof(struct poold_function), name, summary, example, call, POOLD_STAR                                        \
    }
#define POOLD_PLUGIN(functions, initialise, finalise)                                                                  \
    {                                                                                                                  \
        sizeof(struct poold_plugin), POOLD_VERSION, (uint32_t)(sizeof(functions) / sizeof((functions)[0])), functions, \
            initialise, finalise                                                                                       \
    }

/* True when the struct at `thing`, made by the other side, is large enough to have this member. */
#define POOLD_HAS(thing, member)                                                                                       \
    ((size_t)((const char *)(&(thing)->member + 1) - (const char *)(thing)) <= (thing)->size)

/* A whole number as the value. */
static inline int poold_integer(const struct poold_host *host, struct poold_call *call, int64_t number)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t left = number < 0 ? UINT64_C(0) - (uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0)
        digits[--at] = '-';
    return host->value(call, digits + at, sizeof digits - at);
}

/* Reads a whole number (all of the text): 0, or -1 when it is none or out of range. */
static inline int poold_read_integer(const char *json, size_t length, int64_t *number)
{
    const int negative = length > 0 && json[0] == '-';
    const uint64_t most = (uint64_t)INT64_MAX + (uint64_t)negative;
    uint64_t sum = 0;
    size_t at = (size_t)negative;
    if (at == length)
        return -1;
    for (; at < length; at++) {
        const unsigned digit = (unsigned)(json[at] - '0');
        if (digit > 9 || sum > (most - digit) / 10)
            return -1;
        sum = sum * 10 + digit;
    }
    *number = negative ? (int64_t)(UINT64_C(0) - sum) : (int64_t)sum;
    return 0;
}

#ifdef __cplusplus
}
#endif

#endif
