/* scan: reads JSON texts without building a tree, so that values can be kept byte for byte.
 *
 * A strict RFC 8259 validator and splitter: depth cap, UTF-8 check (no overlongs, no surrogates, no lone
 * \ud800 escapes: see scan_value), no size limit of its own. It never allocates and never reads at or beyond
 * `end`. White space between tokens that would break a line (\n, \r) is overwritten with a space where the
 * function says so, so that every item fits one NDJSON line while staying the same length.
 * Any thread; no state. Fuzzed against jansson (tests/fuzz). */
#ifndef POOLD_WIRE_SCAN_H
#define POOLD_WIRE_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#define SCAN_DEPTH_MAX 64 /* jansson stops at 2048 on parse and not at all on dump; 64 is generous for people */

enum scan_kind { SCAN_NULL, SCAN_FALSE, SCAN_TRUE, SCAN_NUMBER, SCAN_STRING, SCAN_ARRAY, SCAN_OBJECT };

/* Where and why a text is not JSON. */
struct scan_error {
    const char
        *at; /* the offending byte (of a bad character or surrogate: its first), or `end` when it stops too early */
    const char *reason; /* static text: "expected ',' or ']'", "invalid UTF-8", "too deep", "unexpected end" … */
};

/* Skips spaces, tabs, \n, \r. Returns the first other byte, or end. */
const char *scan_space(const char *at, const char *end);
/* Validates exactly one value that begins at `at` (no leading white space). Returns the byte after it, or NULL
 * with *error filled (error may be NULL). *kind may be NULL. Lone surrogate escapes (\ud800) are an error,
 * as jansson has it; \u0000 is valid. */
const char *scan_value(const char *at, const char *end, enum scan_kind *kind, struct scan_error *error);
/* The same, and overwrites \n and \r outside strings with spaces (as far as it came, if there is an error). */
char *scan_value_flatten(char *at, char *end, enum scan_kind *kind, struct scan_error *error);
/* True when [at, end) is one value with nothing but white space around it. */
bool scan_is_value(const char *at, const char *end, struct scan_error *error);

/* Walks the members of an object or the elements of an array without validating deeper than it must:
 *
 *     struct scan_walk w;
 *     for (scan_enter(&w, at, end); scan_next(&w);)  use w.key…, w.value…w.value_end
 *     if (w.error.reason) …
 *
 * Every value passed over is fully validated (and flattened when `flatten`), each with the whole depth of
 * SCAN_DEPTH_MAX to itself. After the loop without error, w.at is the byte after the closing bracket. `at` must be
 * at the opening bracket: w.object tells which. */
struct scan_walk {
    char *at, *end;
    bool object, first, flatten, done;
    const char *key, *key_end; /* the raw text of the key between its quotes, escapes untouched */
    char *value, *value_end;
    enum scan_kind kind;
    struct scan_error error; /* reason NULL while all is well */
};
void scan_enter(struct scan_walk *, char *at, char *end, bool flatten);
bool scan_next(struct scan_walk *);

/* True when the bytes are UTF-8 as Unicode has it (no overlongs, no surrogates); controls and NUL are fine here. */
bool scan_is_utf8(const char *at, const char *end);

/* Reads a number token that is an integer (no fraction, no exponent) in the range of long long;
 * 0, or -1 when it is none. */
int scan_integer(const char *at, const char *end, long long *value);

#endif
