/* op: the writes that travel to the store: made by the engine, freed by whoever has them last.
 *
 * One thread at a time has a write, so nothing here locks. */
#include <stdlib.h>
#include <string.h>

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

/* A value of up to this size is kept in the op itself: one allocation. A larger one can be freed before the op is. */
enum { INLINE_MAX = 1024 };

static struct store_op *add_sized(struct store_write *write, enum store_op_type type, int64_t id, const void *key,
                                  size_t key_length, const void *value, size_t length)
{
    size_t within = length <= INLINE_MAX ? length : 0;
    struct store_op *op = malloc(sizeof *op + key_length + within);
    CHECK(op != NULL, "out of memory for an operation");
    memset(op, 0, sizeof *op);
    op->type = type;
    op->seq = id;
    op->key_length = (uint32_t)key_length;
    op->length = length;
    if (key_length > 0)
        memcpy(op->data, key, key_length);
    if (within > 0)
        memcpy(op->data + key_length, value, length);
    else if (length > 0)
        op->bytes = blob_new(value, length);
    *write->last = op;
    write->last = &op->next;
    return op;
}

struct store_op *store_write_object(struct store_write *write, int64_t id, uint32_t kind, const char *name,
                                    const char *config, size_t length)
{
    struct store_op *op = add_sized(write, STORE_OBJECT_PUT, id, name, strlen(name), config, length);
    op->kind = kind;
    return op;
}

struct store_op *store_write_entry(struct store_write *write, int64_t id, const void *key, size_t key_length,
                                   const void *value, size_t length)
{
    return add_sized(write, STORE_ENTRY_PUT, id, key, key_length, value, length);
}

struct store_op *store_write_entry_drop(struct store_write *write, int64_t id, const void *key, size_t key_length)
{
    return add_sized(write, STORE_ENTRY_DROP, id, key, key_length, NULL, 0);
}

const char *store_op_value(const struct store_op *op)
{
    return op->bytes != NULL ? op->bytes->data : op->data + op->key_length;
}

void store_op_cancel(struct store_op *op)
{
    op->type = STORE_NOTHING;
    blob_unref(&op->bytes);
    op->length = 0;
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
