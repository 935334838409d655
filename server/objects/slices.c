#include "objects/slices.h"

#include <inttypes.h>

size_t slice_bound(int64_t index, size_t count)
{
    if (index < 0)
        index += (int64_t)count;
    if (index < 0)
        return 0;
    return (size_t)index < count ? (size_t)index : count;
}

struct slice slice_of(const struct arguments *arguments, size_t count)
{
    const struct argument *start = argument(arguments, "start"), *stop = argument(arguments, "stop");
    struct slice slice = {.start = start->given ? slice_bound(start->integer, count) : 0,
                          .stop = stop->given ? slice_bound(stop->integer, count) : count};
    if (slice.stop < slice.start)
        slice.stop = slice.start;
    return slice;
}

enum object_status slice_index(const struct object *object, struct object_call *call, const struct arguments *arguments,
                               int64_t otherwise, size_t count, size_t *index)
{
    const struct argument *given = argument(arguments, "index");
    int64_t wanted = given->given ? given->integer : otherwise, found = wanted;
    if (found < 0)
        found += (int64_t)count;
    if (found < 0 || (uint64_t)found >= count)
        return call_problem(call, OBJECT_NO_ENTRY, "index %" PRId64 " is out of range: %s %s has %zu elements", wanted,
                            object->ops->name, object->name, count);
    *index = (size_t)found;
    return OBJECT_OK;
}

enum object_status slice_too_large(struct object_call *call)
{
    buf_clear(&call->answer, 0);
    return call_problem(call, OBJECT_LIMIT,
                        "the slice is over %d bytes, the most of one answer: ask for shorter slices", OBJECT_VALUE_MAX);
}
