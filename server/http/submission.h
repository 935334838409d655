/* submission: reads the JSON body of POST /v1/jobs, and arrays of items. Pure; fuzzed. Any thread.
 *
 * One pass: the items are validated, split and copied into chunks as the scanner goes; a line break between the tokens
 * of an item becomes a space, all else stays byte for byte. The body is overwritten in such places only. */
#ifndef POOLD_HTTP_SUBMISSION_H
#define POOLD_HTTP_SUBMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/job.h"
#include "http/chunker.h"
#include "http/problem.h"

struct submission {
    char function[65];
    enum job_kind kind;
    struct job_options options;
    unsigned asked;       /* OPTION_…: those that were given */
    struct chunker items; /* all cut */
};

/* False with the problem (type, detail, pointer, offset). submission_free() is due in any case. */
bool submission_parse(struct submission *, char *body, size_t length, int64_t max_item, struct problem *);
void submission_free(struct submission *);

/* A body that is an array of items. */
bool submission_parse_items(struct chunker *, char *body, size_t length, bool star, int64_t max_item, struct problem *);
/* Whether a value may be an item of a starmap: its arguments by place or by name. */
bool submission_star_item(char first_byte);

#endif
