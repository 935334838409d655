/* chunks: the texts of a job's items. In memory from their upload until their slice, within a limit; beyond it they
 * wait in the store and are loaded again a few chunks ahead. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "engine/core.h"

enum { LOADS_AHEAD = 4 };

static void forget_items(struct core *core, struct job *job, struct item_chunk *chunk)
{
    if (!chunk->items)
        return;
    core->items_bytes -= chunk->items->length;
    job->items_bytes -= chunk->items->length;
    blob_unref(&chunk->items);
}

static void remember_items(struct core *core, struct job *job, struct item_chunk *chunk, struct blob *items)
{
    core->items_bytes += items->length;
    job->items_bytes += items->length;
    chunk->items = items;
    chunk->cursor = 0;
    chunk->cursor_offset = 0;
}

static struct item_chunk *find(struct job *job, uint32_t index)
{
    struct item_chunk *chunk;
    TAILQ_FOREACH(chunk, &job->chunks, link)
    {
        if (index - chunk->first < chunk->count)
            return chunk;
        if (chunk->first > index)
            return NULL;
    }
    return NULL;
}

/* Keeps the list sorted; new chunks nearly always go to the end. */
static struct item_chunk *place(struct job *job, uint32_t first, uint32_t count)
{
    struct item_chunk *chunk = calloc(1, sizeof *chunk);
    CHECK(chunk, "out of memory");
    chunk->first = first;
    chunk->count = count;
    struct item_chunk *after = TAILQ_LAST(&job->chunks, item_chunk_list);
    while (after && after->first > first)
        after = TAILQ_PREV(after, item_chunk_list, link);
    if (after)
        TAILQ_INSERT_AFTER(&job->chunks, after, chunk, link);
    else
        TAILQ_INSERT_HEAD(&job->chunks, chunk, link);
    return chunk;
}

void chunks_add(struct core *core, struct job *job, uint32_t first, uint32_t count, struct blob *items)
{
    struct item_chunk *chunk = place(job, first, count);
    bool room = core->items_bytes < ITEMS_CACHE_BYTES || job->items_bytes < ITEMS_AHEAD_BYTES;
    if (room)
        remember_items(core, job, chunk, items);
    else
        blob_unref(&items);
}

static void ask_load(struct core *core, struct job *job, uint32_t index)
{
    struct store_load *load = calloc(1, sizeof *load);
    CHECK(load, "out of memory");
    load->seq = job->view.seq;
    load->index = index;
    job->loads++;
    core->loads++;
    core->ports.load(core->ports.context, load);
}

/* Asks for the chunks from the one that holds `index` on which are not in memory, a few at a time. */
static void load_ahead(struct core *core, struct job *job, uint32_t index)
{
    if (job->loads)
        return;
    struct item_chunk *chunk = find(job, index);
    if (!chunk) {
        ask_load(core, job, index);
        return;
    }
    size_t ahead = 0;
    for (; chunk && job->loads < LOADS_AHEAD && ahead < ITEMS_AHEAD_BYTES; chunk = TAILQ_NEXT(chunk, link)) {
        if (!chunk->items)
            ask_load(core, job, chunk->first);
        else
            ahead += chunk->items->length;
    }
}

static size_t offset_of(struct item_chunk *chunk, uint32_t item)
{
    const char *data = chunk->items->data;
    if (item < chunk->cursor) {
        chunk->cursor = 0;
        chunk->cursor_offset = 0;
    }
    const char *at = data + chunk->cursor_offset, *end = data + chunk->items->length;
    if (item == chunk->count) {
        at = end;
    } else {
        for (uint32_t i = chunk->cursor; i < item; i++) {
            const char *newline = memchr(at, '\n', (size_t)(end - at));
            CHECK(newline, "chunk at %u holds fewer than its %u items", chunk->first, chunk->count);
            at = newline + 1;
        }
    }
    chunk->cursor = item;
    chunk->cursor_offset = (size_t)(at - data);
    return chunk->cursor_offset;
}

struct blob *chunks_slice(struct core *core, struct job *job, uint32_t index, uint32_t most, uint32_t *count,
                          const char **bytes, size_t *length)
{
    struct item_chunk *chunk = find(job, index);
    if (!chunk || !chunk->items) {
        load_ahead(core, job, index);
        return NULL;
    }
    uint32_t item = index - chunk->first;
    *count = most < chunk->count - item ? most : chunk->count - item;
    size_t start = offset_of(chunk, item);
    *bytes = chunk->items->data + start;
    *length = offset_of(chunk, item + *count) - start;
    struct item_chunk *next = TAILQ_NEXT(chunk, link);
    if (!next || !next->items) {
        uint32_t after = chunk->first + chunk->count;
        if (after < job->view.counts.total)
            load_ahead(core, job, after);
    }
    return chunk->items;
}

void chunks_passed(struct core *core, struct job *job, uint32_t index)
{
    struct item_chunk *chunk;
    if (!job->accepted)
        return; /* the store does not have them yet, and a retry may want them */
    while ((chunk = TAILQ_FIRST(&job->chunks)) && chunk->first + chunk->count <= index) {
        TAILQ_REMOVE(&job->chunks, chunk, link);
        forget_items(core, job, chunk);
        free(chunk);
    }
}

void core_loaded(struct core *core, struct store_load *load)
{
    struct job *job = job_find(core, load->seq, 0);
    core->loads--;
    if (load->status == STORE_IO)
        storage_broken(core, "the items of a job cannot be read");
    if (job) {
        job->loads--;
        if (load->status == STORE_OK && !job->ended) {
            struct item_chunk *chunk = find(job, load->first);
            if (!chunk)
                chunk = place(job, load->first, load->count);
            if (!chunk->items) {
                remember_items(core, job, chunk, load->items);
                load->items = NULL;
            }
        }
        CHECK(load->status != STORE_NOT_FOUND || job->ended, "job %lld: no chunk holds item %u", (long long)load->seq,
              load->index);
        if (job->starved) {
            job->starved = false;
            job->hurry = true; /* it was its turn; and behind others its texts would fill the memory */
        }
        job_settle(core, job);
        job->hurry = false;
        job_release(core, job);
    }
    blob_unref(&load->items);
    free(load);
}

void chunks_free(struct core *core, struct job *job)
{
    struct item_chunk *chunk;
    while ((chunk = TAILQ_FIRST(&job->chunks))) {
        TAILQ_REMOVE(&job->chunks, chunk, link);
        forget_items(core, job, chunk);
        free(chunk);
    }
}
