/* list_many: the operations of a list that concern many elements at once. */
#include <stdlib.h>

#include "base/check.h"
#include "objects/list_rows.h"
#include "objects/slices.h"
#include "objects/version.h"

/* ---- elements from arguments ---- */

struct elements {
    struct element **at;
    size_t count, bytes;
};

static struct elements elements_of(const struct argument *values)
{
    struct elements elements = {.at = calloc(values->count + 1, sizeof *elements.at)};
    struct scan_walk walk;
    CHECK(elements.at, "out of memory for %zu elements", values->count);
    for (argument_walk(values, &walk); scan_next(&walk);) {
        size_t length = (size_t)(walk.value_end - walk.value);
        elements.at[elements.count++] = element_new(walk.value, length);
        elements.bytes += list_cost(length);
    }
    return elements;
}

static void elements_free(struct elements *elements)
{
    for (size_t i = 0; i < elements->count; i++)
        free(elements->at[i]);
    free(elements->at);
    *elements = (struct elements){0};
}

/* ---- operations ---- */

enum object_status list_slice(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct list *list = list_of(object);
    struct slice slice = slice_of(arguments, list->count);
    buf_append_text(&call->answer, "{\"values\":[");
    for (size_t i = slice.start; i < slice.stop; i++) {
        const struct element *element = *list_at(list, i);
        if (i > slice.start)
            buf_append_char(&call->answer, ',');
        buf_append(&call->answer, element->text, element->length);
        if (call->answer.length > OBJECT_VALUE_MAX && i > slice.start)
            return slice_too_large(call);
    }
    buf_append_text(&call->answer, "]}");
    call->version = object->version;
    return OBJECT_OK;
}

static size_t bytes_of(const struct list *list, struct slice slice)
{
    size_t bytes = 0;
    for (size_t i = slice.start; i < slice.stop; i++)
        bytes += list_cost((*list_at(list, i))->length);
    return bytes;
}

/* What is replaced keeps its place in the store; only the difference is inserted or deleted. */
static void splice(struct list *list, struct slice slice, struct elements *elements)
{
    size_t old = slice.stop - slice.start, same = old < elements->count ? old : elements->count;
    for (size_t i = 0; i < same; i++)
        list_replace(list, slice.start + i, elements->at[i]);
    list_insert(list, slice.start + same, elements->at + same, elements->count - same);
    list_delete(list, slice.start + same, old - same);
    elements->count = 0; /* they are the list's now */
}

static enum object_status put_slice(struct list *list, struct object_call *call, struct slice slice,
                                    const struct argument *values)
{
    struct elements elements = elements_of(values);
    size_t old = slice.stop - slice.start, freed = bytes_of(list, slice);
    enum object_status status = list_fits(list, call, elements.count > old ? elements.count - old : 0,
                                          elements.bytes > freed ? elements.bytes - freed : 0);
    if (status == OBJECT_OK) {
        splice(list, slice, &elements);
        list_changed(list, call);
    }
    elements_free(&elements);
    return status;
}

enum object_status list_set_slice(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct list *list = list_of(object);
    enum object_status status = version_matches(call, arguments, object->version);
    if (status == OBJECT_OK)
        status = put_slice(list, call, slice_of(arguments, list->count), argument(arguments, "values"));
    return status;
}

enum object_status list_extend(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct list *list = list_of(object);
    struct slice end = {list->count, list->count};
    enum object_status status = version_matches(call, arguments, object->version);
    return status == OBJECT_OK ? put_slice(list, call, end, argument(arguments, "values")) : status;
}

enum object_status list_clear(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct list *list = list_of(object);
    enum object_status status = version_matches(call, arguments, object->version);
    if (status != OBJECT_OK)
        return status;
    list_delete(list, 0, list->count);
    list_changed(list, call);
    return OBJECT_OK;
}
