/* items: the tail of a run message, one item a line. */
#ifndef POOLD_WORKER_ITEMS_H
#define POOLD_WORKER_ITEMS_H

#include "worker/worker.h"

struct items {
    const char *text;
    uint32_t starts[CHUNK_ITEMS_MAX + 1]; /* where each begins; the last is the end */
};

/* Finds them: exactly run->count lines, or the server is confused. */
void items_split(struct items *, const struct message_run *, const char *tail, size_t length);
/* The one at `offset`, without white space around it. */
void items_get(const struct items *, uint32_t offset, const char **item, size_t *length);

#endif
