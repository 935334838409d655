/* oracle: does the scanner say of a text what jansson says of it? Shared by the unit test and the fuzz target. */
#ifndef POOLD_FUZZ_ORACLE_H
#define POOLD_FUZZ_ORACLE_H

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "wire/scan.h"

enum oracle { ORACLE_BOTH_ACCEPT, ORACLE_BOTH_REJECT, ORACLE_ALLOWED, ORACLE_DISAGREE };

/* What the scanner accepts on purpose although jansson does not: it keeps bytes and need not fit them in a C type. */
static inline bool jansson_is_narrower(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_numeric_overflow: /* 1e400, 9223372036854775808 */
    case json_error_null_byte_in_key: /* {"\u0000": 1}: its keys are C strings */
        return true;
    default:
        return false;
    }
}

/* What the scanner refuses on purpose although jansson does not: its depth ends at 2048, and a NUL byte right behind a
 * number or a word gets lost in its stream_unget (2.14). */
static inline bool scanner_is_narrower(const struct scan_error *error, const char *end)
{
    return !strcmp(error->reason, "too deep") || (error->at != end && *error->at == 0);
}

static inline enum oracle oracle(const char *text, size_t length)
{
    struct scan_error scan_error = {0};
    json_error_t error;
    bool accepted = scan_is_value(text, text + length, &scan_error);
    json_t *tree = json_loadb(text, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    bool wanted = tree != NULL;
    json_decref(tree);
    if (accepted == wanted)
        return accepted ? ORACLE_BOTH_ACCEPT : ORACLE_BOTH_REJECT;
    return (accepted ? jansson_is_narrower(&error) : scanner_is_narrower(&scan_error, text + length)) ? ORACLE_ALLOWED
                                                                                                      : ORACLE_DISAGREE;
}

#endif
