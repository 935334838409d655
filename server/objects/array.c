/* array: what multiprocessing.Array is – numbers of a typecode in memory that tasks share, as many as at the beginning
 * for ever. Bytes go in and out as they are in memory: little endian. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objects/slices.h"
#include "objects/typed.h"
#include "objects/version.h"

enum { ARRAY_READ_MAX = 64 * 1024 * 1024 }; /* bytes of one "read"; a task gets what fits a frame */

/* ---- one element ---- */

static enum object_status find(struct object *object, struct object_call *call, const struct arguments *arguments,
                               size_t *index)
{
    return slice_index(object, call, arguments, 0, typed_of(object)->length, index);
}

static enum object_status get(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    size_t index;
    enum object_status status = find(object, call, arguments, &index);
    return status == OBJECT_OK ? typed_get(typed_of(object), call, index) : status;
}

static enum object_status set(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    size_t index;
    enum object_status status = find(object, call, arguments, &index);
    return status == OBJECT_OK ? typed_set(typed_of(object), call, arguments, index) : status;
}

static enum object_status add(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    size_t index;
    enum object_status status = find(object, call, arguments, &index);
    return status == OBJECT_OK ? typed_add(typed_of(object), call, arguments, index) : status;
}

static enum object_status compare_set(struct object *object, struct object_call *call,
                                      const struct arguments *arguments)
{
    size_t index;
    enum object_status status = find(object, call, arguments, &index);
    return status == OBJECT_OK ? typed_compare_set(typed_of(object), call, arguments, index) : status;
}

/* ---- many ---- */

static enum object_status slice(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    const struct typed *typed = typed_of(object);
    struct slice range = slice_of(arguments, typed->length);
    buf_append_text(&call->answer, "{\"values\":[");
    for (size_t i = range.start; i < range.stop; i++) {
        if (i > range.start)
            buf_append_char(&call->answer, ',');
        typecode_format(typed->type, typecode_load(typed->type, typed_at(typed, i)), &call->answer);
        if (call->answer.length > OBJECT_VALUE_MAX)
            return slice_too_large(call);
    }
    buf_append_text(&call->answer, "]}");
    call->version = object->version;
    return OBJECT_OK;
}

/* The bits of all values, of the element's width each, one behind the other. */
static enum object_status parse_all(const struct typed *typed, struct object_call *call, const struct argument *values,
                                    char *bytes)
{
    struct scan_walk walk;
    enum object_status status = OBJECT_OK;
    size_t count = 0;
    for (argument_walk(values, &walk); status == OBJECT_OK && scan_next(&walk); count++) {
        uint64_t bits;
        struct error error;
        status = typecode_parse(typed->type, walk.value, walk.value_end, &bits, &error);
        if (status == OBJECT_OK)
            memcpy(bytes + count * typed->type->size, &bits, typed->type->size);
        else
            call_problem(call, status, "values[%zu]: %.200s", count, error.text);
    }
    return status;
}

/* The argument "start" for `count` elements, which must all be within the array. */
static enum object_status find_range(struct typed *typed, struct object_call *call, const struct arguments *arguments,
                                     size_t count, size_t *start)
{
    int64_t given = argument(arguments, "start")->integer, length = (int64_t)typed->length;
    int64_t first = given < 0 ? given + length : given;
    if (first < 0 || first > length || count > (size_t)(length - first))
        return call_problem(call, OBJECT_NO_ENTRY, "%zu elements from index %" PRId64 " are not within array %s of %zu",
                            count, given, typed->object.name, typed->length);
    *start = (size_t)first;
    return version_matches(call, arguments, typed->object.version);
}

static enum object_status set_slice(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct typed *typed = typed_of(object);
    const struct argument *values = argument(arguments, "values");
    size_t start = 0;
    enum object_status status = find_range(typed, call, arguments, values->count, &start);
    if (status != OBJECT_OK)
        return status;
    char *bytes = malloc(values->count * typed->type->size + 1);
    CHECK(bytes, "out of memory for %zu elements", values->count);
    status = parse_all(typed, call, values, bytes);
    if (status == OBJECT_OK) {
        typecode_write(typed->type, typed_at(typed, start), bytes, values->count);
        typed_changed(typed, call);
    }
    free(bytes);
    return status;
}

static enum object_status read_bytes(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    const struct typed *typed = typed_of(object);
    struct slice range = slice_of(arguments, typed->length);
    size_t size = typed->type->size, count = range.stop - range.start;
    size_t most = call->holder.run ? OBJECT_VALUE_MAX : ARRAY_READ_MAX;
    if (count * size > most)
        return call_problem(call, OBJECT_LIMIT, "%zu bytes are over the limit of one answer, %zu: read shorter ranges",
                            count * size, most);
    char *bytes = buf_reserve(&call->answer, count * size);
    typecode_read(typed->type, typed_at(typed, range.start), bytes, count);
    call->answer.length += count * size;
    call->version = object->version;
    return OBJECT_OK;
}

static enum object_status write_bytes(struct object *object, struct object_call *call,
                                      const struct arguments *arguments)
{
    struct typed *typed = typed_of(object);
    size_t start = 0, size = typed->type->size;
    if (call->raw == NULL)
        return call_problem(call, OBJECT_INVALID, "write needs raw bytes");
    if (call->raw_length % size != 0)
        return call_problem(call, OBJECT_INVALID, "%zu bytes are no whole elements of typecode %c, which have %zu",
                            call->raw_length, typed->type->code, size);
    enum object_status status = find_range(typed, call, arguments, call->raw_length / size, &start);
    if (status != OBJECT_OK)
        return status;
    typecode_write(typed->type, typed_at(typed, start), call->raw, call->raw_length / size);
    typed_changed(typed, call);
    return OBJECT_OK;
}

static enum object_status length(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    (void)arguments;
    answer_integer(call, "length", (int64_t)typed_of(object)->length);
    call->version = object->version;
    return OBJECT_OK;
}

/* ---- the kind ---- */

/* As many as `length` says or `values` has; both may be given and agree. */
static enum object_status configure_length(struct typed *typed, struct object_call *call,
                                           const struct arguments *arguments)
{
    const struct argument *given = argument(arguments, "length"), *values = argument(arguments, "values");
    int64_t most = ARRAY_BYTES_MAX / typed->type->size;
    int64_t count = given->given ? given->integer : (int64_t)values->count;
    if (!given->given && !values->given)
        return call_problem(call, OBJECT_INVALID, "an array needs \"length\" or \"values\"");
    if (count < 0 || (values->given && count != (int64_t)values->count))
        return call_problem(call, OBJECT_INVALID, "argument \"length\" must be %s",
                            count < 0 ? "at least 0" : "the number of \"values\"");
    if (count > most)
        return call_problem(call, OBJECT_LIMIT,
                            "%" PRId64 " elements of typecode %c are over the limit of %d bytes (%" PRId64 " elements)",
                            count, typed->type->code, ARRAY_BYTES_MAX, most);
    typed->length = (size_t)count;
    return OBJECT_OK;
}

/* The first values are no part of the configuration: who creates it again leaves them as they are. */
static enum object_status configure(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct typed *typed = typed_of(object);
    enum object_status status = typed_configure(typed, call, arguments);
    if (status == OBJECT_OK)
        status = configure_length(typed, call, arguments);
    if (status == OBJECT_OK)
        buf_printf(&object->config, "{\"typecode\":\"%c\",\"length\":%zu}", typed->type->code, typed->length);
    return status;
}

static enum object_status created(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct typed *typed = typed_of(object);
    const struct argument *values = argument(arguments, "values");
    enum object_status status = typed_create(typed, call);
    if (status == OBJECT_OK && values->given)
        status = parse_all(typed, call, values, typed->mapped.memory);
    if (status == OBJECT_OK)
        status = typed_settle(typed, call);
    if (status != OBJECT_OK)
        mapped_abandon(&typed->mapped);
    return status;
}

// clang-format off
#define INDEX {"index", ARGUMENT_INTEGER, true}
#define VALUE {"value", ARGUMENT_VALUE, true}
#define VALUES {"values", ARGUMENT_VALUES, true}
#define START {"start", ARGUMENT_INTEGER, false}
#define STOP {"stop", ARGUMENT_INTEGER, false}
#define VERSION {"version", ARGUMENT_INTEGER, false}
// clang-format on

static const struct object_op operations[] = {
    {.name = "get", .run = get, .takes = {INDEX}},
    {.name = "set", .run = set, .takes = {INDEX, VALUE, VERSION}},
    {.name = "slice", .run = slice, .takes = {START, STOP}},
    {.name = "set_slice", .run = set_slice, .takes = {START, VALUES, VERSION}},
    {.name = "add", .run = add, .takes = {INDEX, {"by", ARGUMENT_NUMBER, false}, VERSION}},
    {.name = "compare_set", .run = compare_set, .takes = {INDEX, {"expected", ARGUMENT_VALUE, true}, VALUE, VERSION}},
    {.name = "read", .run = read_bytes, .takes = {START, STOP}},
    {.name = "write", .run = write_bytes, .takes = {START, VERSION}},
    {.name = "len", .run = length},
    {.name = "open", .run = typed_open},
    {0},
};

const struct object_kind_ops array_ops = {
    .kind = OBJECT_ARRAY,
    .name = "array",
    .plural = "arrays",
    .size = sizeof(struct typed),
    .options = {{"typecode", ARGUMENT_TEXT, true},
                {"length", ARGUMENT_INTEGER, false},
                {"values", ARGUMENT_VALUES, false}},
    .configure = configure,
    .created = created,
    .restore_entry = typed_restore_entry,
    .restored = typed_restored,
    .release = typed_release,
    .deleted = typed_deleted,
    .operations = operations,
};
