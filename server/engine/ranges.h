/* ranges: a set of item indices as sorted, disjoint, merged runs. A ten-million-item map is one run. */
#ifndef POOLD_ENGINE_RANGES_H
#define POOLD_ENGINE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
    uint32_t first, count;
};
struct ranges {
    struct range *runs; /* runs[start … start+count) are in use */
    size_t start, count, capacity;
    uint64_t total; /* indices in the set */
};

/* Adds [first, first+count), which must not overlap the set. */
void ranges_add(struct ranges *, uint32_t first, uint32_t count);
/* The run that holds `index`, or NULL. */
const struct range *ranges_find(const struct ranges *, uint32_t index);
/* Removes and returns up to `most` indices from the front: *first and how many; 0 when empty. */
uint32_t ranges_take(struct ranges *, uint32_t most, uint32_t *first);
/* Removes one index; false when it is not in the set. */
bool ranges_remove(struct ranges *, uint32_t index);
/* The first run, or NULL. */
const struct range *ranges_front(const struct ranges *);
void ranges_free(struct ranges *);

#endif
