/* items: see items.h. */
#include "worker/items.h"

#include <string.h>

void items_split(struct items *items, const struct message_run *run, const char *tail, size_t length)
{
    const char *at = tail, *end = tail + length;
    if (run->count == 0 || run->count > CHUNK_ITEMS_MAX)
        worker_confused("a run of no or too many items");
    items->text = tail;
    for (uint32_t i = 0; i < run->count; i++) {
        const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (newline == NULL || newline == at)
            worker_confused("a run with fewer items than it says");
        items->starts[i] = (uint32_t)(at - tail);
        at = newline + 1;
    }
    items->starts[run->count] = (uint32_t)(at - tail);
    if (at != end)
        worker_confused("a run with more items than it says");
}

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

void items_get(const struct items *items, uint32_t offset, const char **item, size_t *length)
{
    const char *at = items->text + items->starts[offset];
    const char *end = items->text + items->starts[offset + 1] - 1; /* the newline */
    while (at < end && is_white(*at))
        at++;
    while (at < end && is_white(end[-1]))
        end--;
    if (at == end)
        worker_confused("an empty item");
    *item = at;
    *length = (size_t)(end - at);
}
