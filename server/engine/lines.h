/* lines: believes no result line before it has checked it. Pure. */
#ifndef POOLD_ENGINE_LINES_H
#define POOLD_ENGINE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/job.h"

/* One checked line. */
struct result_line {
    uint32_t index;
    const char *text; /* with its '\n' */
    size_t length;
    enum failure failure; /* FAILURE_NONE for a value */
    const char *message;  /* raw JSON text of the message without quotes, or NULL */
    size_t message_length;
    int exit_code;   /* as the error says; -1 = none */
    unsigned signal; /* … ; 0 = none */
};

/* Reads the line at `at`, which must be exactly {"index":INDEX,"value":JSON}\n, the same with ,"pid":N,"exit_code":N
 * behind the value (isolation: process), or {"index":INDEX,"error":{…}}\n.
 * Returns the byte after it, or NULL when it is anything else. */
const char *result_line_read(struct result_line *, const char *at, const char *end, uint32_t index);
/* How many of `count` lines of consecutive indices from `first` at the head of [at, end) are good, their bytes, and how
 * many of them are errors. */
uint32_t result_lines_prefix(const char *at, const char *end, uint32_t first, uint32_t count, size_t *bytes,
                             uint32_t *failed);
/* Its message as plain text (escapes resolved), cut at a whole character. */
void result_line_message(const struct result_line *, char *text, size_t size);
/* Checks `count` lines of consecutive indices from `first` that fill [at, end) exactly; *failed is how many are errors.
 */
bool result_lines_check(const char *at, const char *end, uint32_t first, uint32_t count, uint32_t *failed);

struct failure_report {
    enum failure failure;
    const char *message;
    const char *signal_name; /* or NULL */
    int exit_code;           /* -1 = none */
    uint32_t attempts;
    uint64_t limit, peak; /* memory: bytes; left out when limit is 0 */
    unsigned pid;         /* left out when 0 */
};
/* The error line that the engine writes itself. One reference. */
struct blob *result_line_failure(uint32_t index, const struct failure_report *);

#endif
