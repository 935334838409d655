/* chunker: gathers items, one a line, into the chunks that will be stored. Pure; one owner. */
#ifndef POOLD_HTTP_CHUNKER_H
#define POOLD_HTTP_CHUNKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/engine.h"

struct chunker {
    struct engine_chunk *first, **last; /* complete chunks not yet taken */
    size_t bytes;                       /* in them */
    struct buf lines;                   /* of the chunk being filled */
    uint32_t count;                     /* items in it */
    int64_t total;                      /* items ever committed here */
    bool with_origins;                  /* a retry: each item knows its index in the first job */
    struct buf origins;                 /* uint32 per item of the chunk being filled */
};

void chunker_init(struct chunker *);
/* Room for one item of `length` bytes and its newline. Cuts the chunk being filled when the item would not fit. */
char *chunker_place(struct chunker *, size_t length);
/* The item is there: ends its line. */
void chunker_commit(struct chunker *, size_t length);
/* … and, of a retry, where it comes from. */
void chunker_origin(struct chunker *, uint32_t index);
/* Cuts the chunk being filled, unless it is empty. */
void chunker_cut(struct chunker *);
/* Hands the complete chunks over. */
struct engine_chunk *chunker_take(struct chunker *);
void chunker_free(struct chunker *);

#endif
