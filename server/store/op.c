/* op: the writes that travel to the store: made by the engine, freed by whoever has them last.
 *
 * One thread at a time has a write, so nothing here locks. */
#include <stdlib.h>

#include "base/check.h"
#include "store/store.h"

struct store_write *store_write_new(void)
{
    struct store_write *write = calloc(1, sizeof *write);
    CHECK(write != NULL, "out of memory for a write");
    write->last = &write->first;
    return write;
}

struct store_op *store_write_add(struct store_write *write, enum store_op_type type, int64_t seq)
{
    struct store_op *op = calloc(1, sizeof *op);
    CHECK(op != NULL, "out of memory for an operation");
    op->type = type;
    op->seq = seq;
    *write->last = op;
    write->last = &op->next;
    return op;
}

static void op_free(struct store_op *op)
{
    blob_unref(&op->bytes);
    blob_unref(&op->origins);
    free(op->job);
    free(op->attempt);
    free(op->key);
    free(op);
}

void store_write_free(struct store_write **reference)
{
    if (reference == NULL || *reference == NULL)
        return;
    for (struct store_op *op = (*reference)->first, *next; op != NULL; op = next) {
        next = op->next;
        op_free(op);
    }
    free(*reference);
    *reference = NULL;
}
