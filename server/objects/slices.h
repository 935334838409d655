/* slices: indexes and slices as in Python, for lists and arrays. */
#ifndef POOLD_OBJECTS_SLICES_H
#define POOLD_OBJECTS_SLICES_H

#include "objects/kind.h"

struct slice {
    size_t start, stop; /* start <= stop <= count */
};

/* [start:stop] of the arguments "start" and "stop", negative from the end, cut to what is there; never an error. */
struct slice slice_of(const struct arguments *, size_t count);
/* One bound: -1 is the last; outside it is the first or the end. */
size_t slice_bound(int64_t index, size_t count);
/* The element that the argument "index" means (or `otherwise`, when it is not given): OBJECT_OK, or NO_ENTRY. */
enum object_status slice_index(const struct object *, struct object_call *, const struct arguments *, int64_t otherwise,
                               size_t count, size_t *index);
/* Takes the answer back: LIMIT. */
enum object_status slice_too_large(struct object_call *);

#endif
