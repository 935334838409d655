/* call: what the parts of poold-call share: main.c (what is wanted), request.c (arguments to JSON), link.c (the
 * worker), show.c (answers to text), run.c (a command under a lock). One thread. */
#ifndef POOLD_CALL_CALL_H
#define POOLD_CALL_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <sysexits.h>

#include "base/buf.h"

/* What was asked for on the command line. */
struct wish {
    const char *object, *op;
    char **words; /* positional arguments and options, behind the operation */
    int count;
    char **command; /* behind "--", NULL-terminated; or NULL */
    bool json;      /* print the whole answer */
    bool raw;       /* print a string's content */
    bool one;       /* a get of one element */
};

/* Complains and exits with EX_USAGE (64)… */
_Noreturn void usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* …or with `status`. */
_Noreturn void fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The request's text for `wish`, whose options of our own are set by this. */
void request_make(struct wish *, struct buf *request);
/* JSON of a word: itself if it is JSON, else a string. */
void request_append_word(struct buf *, const char *word, bool text);

/* Sends it to the worker and waits; `line` holds the text of *ok (true: of "ok", false: of "error"). */
const char *link_ask(const struct buf *request, struct buf *line, size_t *length, bool *ok);
void link_progress(const struct buf *json);

/* The value of an object's member `key`, or the first element of an array when `key` is NULL; *length is that of `json`
 * before and of what was found after. NULL: there is none. */
const char *answer_find(const char *json, size_t *length, const char *key);
/* Prints an answer. */
void show(const struct wish *, const char *answer, size_t length);
/* Prints an error; the exit status for it. */
int show_error(const char *error, size_t length);

/* acquire, the command, release: its exit status. */
int run_locked(struct wish *);

#endif
