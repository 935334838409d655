/* memory_list: a sorted array. Most insertions are at its end, as most rows come in order. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "store/memory.h"

size_t memory_list_after(const struct memory_list *list, uint32_t key)
{
    size_t low = 0, high = list->count;
    if (high > 0 && list->entries[high - 1].key <= key)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->entries[middle].key <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void memory_list_insert(struct memory_list *list, uint32_t key, void *value)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 8 : 2 * list->capacity;
        list->entries = realloc(list->entries, list->capacity * sizeof *list->entries);
        CHECK(list->entries != NULL, "out of memory for %zu entries", list->capacity);
    }
    size_t at = memory_list_after(list, key);
    memmove(&list->entries[at + 1], &list->entries[at], (list->count - at) * sizeof *list->entries);
    list->entries[at] = (struct memory_entry){key, value};
    list->count++;
}

void *memory_list_remove(struct memory_list *list, size_t index)
{
    CHECK(index < list->count, "entry %zu of %zu", index, list->count);
    void *value = list->entries[index].value;
    list->count--;
    memmove(&list->entries[index], &list->entries[index + 1], (list->count - index) * sizeof *list->entries);
    if (list->count == 0) {
        free(list->entries);
        *list = (struct memory_list){NULL, 0, 0};
    }
    return value;
}
