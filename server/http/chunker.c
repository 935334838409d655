#include "http/chunker.h"

#include "base/check.h"

void chunker_init(struct chunker *c)
{
    *c = (struct chunker){.lines = BUF_EMPTY};
    c->last = &c->first;
}

char *chunker_place(struct chunker *c, size_t length)
{
    if (c->count == CHUNK_ITEMS_MAX || (c->count && c->lines.length + length + 1 > CHUNK_BYTES_MAX))
        chunker_cut(c);
    return buf_reserve(&c->lines, length + 1);
}

void chunker_commit(struct chunker *c, size_t length)
{
    c->lines.data[c->lines.length + length] = '\n';
    c->lines.length += length + 1;
    c->count++;
    c->total++;
}

void chunker_origin(struct chunker *c, uint32_t index)
{
    buf_append(&c->origins, &index, sizeof index);
}

void chunker_cut(struct chunker *c)
{
    if (!c->count)
        return;
    struct blob *items = blob_new(c->lines.data, c->lines.length);
    CHECK(items, "out of memory for %zu bytes of items", c->lines.length);
    c->bytes += c->lines.length;
    *c->last = engine_chunk_new(c->count, items);
    if (c->with_origins)
        (*c->last)->origins = blob_new(c->origins.data, c->origins.length);
    buf_clear(&c->origins, CHUNK_BYTES_MAX);
    c->last = &(*c->last)->next;
    c->count = 0;
    buf_clear(&c->lines, 2 * CHUNK_BYTES_MAX);
}

struct engine_chunk *chunker_take(struct chunker *c)
{
    struct engine_chunk *chunks = c->first;
    c->first = NULL;
    c->last = &c->first;
    c->bytes = 0;
    return chunks;
}

void chunker_free(struct chunker *c)
{
    engine_chunk_free(&c->first);
    buf_free(&c->lines);
    buf_free(&c->origins);
    chunker_init(c);
}
