/* ndjson: splits a body of one item a line as it arrives, in pieces of any size. Pure; fuzzed. One owner.
 *
 * Blank lines are skipped; the last line needs no newline. A line is validated when it is complete; what came before a
 * bad one has been taken. */
#ifndef POOLD_HTTP_NDJSON_H
#define POOLD_HTTP_NDJSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/chunker.h"
#include "http/problem.h"

struct ndjson {
    struct chunker *to;
    struct buf partial; /* the line that has begun */
    int64_t offset;     /* of its first byte in the body, or of the next line's */
    int64_t line;       /* lines completed */
    int64_t max_item;
    bool star;
};

void ndjson_init(struct ndjson *, struct chunker *to, bool star, int64_t max_item);
/* Takes all bytes. False with the problem: offset and line say where. */
bool ndjson_feed(struct ndjson *, const char *data, size_t length, struct problem *);
/* The body has ended. */
bool ndjson_finish(struct ndjson *, struct problem *);
void ndjson_free(struct ndjson *);

#endif
