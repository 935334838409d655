/* query: percent-decoding and query strings. Pure; fuzzed. Any thread.
 *
 * What comes out is valid UTF-8 without NUL and control characters: names and values go into texts, JSON and logs. */
#ifndef POOLD_HTTP_QUERY_H
#define POOLD_HTTP_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "http/problem.h"

enum { QUERY_PAIRS_MAX = 32, QUERY_TEXT_MAX = 8192 };

struct query {
    unsigned count;
    struct {
        const char *name, *value; /* "" when there is no '=' */
    } pairs[QUERY_PAIRS_MAX];
    char *text; /* what they point into; owned */
};

/* Decodes [at, end) into `out` (room for end - at + 1 bytes, NUL-terminated). False on a broken escape, NUL, control
 * character or invalid UTF-8. `plus`: '+' is a space. */
bool percent_decode(const char *at, const char *end, bool plus, char *out);
/* The same, control characters included, for the path. */
bool percent_decode_any(const char *at, const char *end, char *out);
/* Parses what follows the '?'. Duplicate names are an error. query_free() is due in any case. */
bool query_parse(struct query *, const char *text, size_t length, struct problem *);
/* The value, or NULL when it is not there. */
const char *query_get(const struct query *, const char *name);
void query_free(struct query *);

/* Whole numbers and seconds as people write them. 0, or -1 when it is none or beyond the range. */
int parse_unsigned(const char *text, unsigned long long most, unsigned long long *value);
/* Seconds with an optional fraction ("2", "0.25") as ms, at most `most_ms`. */
int parse_seconds(const char *text, size_t length, long long most_ms, long long *ms);

#endif
