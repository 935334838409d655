/* list: what Manager().list() is, of JSON values kept byte for byte. Each operation is atomic and, but for sort and
 * reverse, writes what it changes and little more; see list_rows.h. */
#include <string.h>

#include "objects/json_order.h"
#include "objects/list_rows.h"
#include "objects/number.h"
#include "objects/slices.h"
#include "objects/version.h"

/* ---- one element ---- */

static enum object_status find(struct object *object, struct object_call *call, const struct arguments *arguments,
                               int64_t otherwise, size_t *index)
{
    return slice_index(object, call, arguments, otherwise, list_of(object)->count, index);
}

static void answer_element(struct object *object, struct object_call *call, size_t index)
{
    const struct element *element = *list_at(list_of(object), index);
    answer_value(call, "value", element->text, element->length);
    call->version = object->version;
}

static enum object_status get(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    size_t index;
    enum object_status status = find(object, call, arguments, 0, &index);
    if (status == OBJECT_OK)
        answer_element(object, call, index);
    return status;
}

/* The element at `index` becomes this text. */
static enum object_status replace(struct object *object, struct object_call *call, size_t index, const char *text,
                                  size_t length)
{
    struct list *list = list_of(object);
    size_t old = (*list_at(list, index))->length;
    enum object_status status = list_fits(list, call, 0, length > old ? length - old : 0);
    if (status != OBJECT_OK)
        return status;
    list_replace(list, index, element_new(text, length));
    list_changed(list, call);
    return OBJECT_OK;
}

static enum object_status set(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    size_t index;
    const struct argument *value = argument(arguments, "value");
    enum object_status status = find(object, call, arguments, 0, &index);
    if (status == OBJECT_OK)
        status = version_matches(call, arguments, object->version);
    return status == OBJECT_OK ? replace(object, call, index, value->at, (size_t)(value->end - value->at)) : status;
}

static enum object_status add(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    size_t index;
    const struct argument *by = argument(arguments, "by");
    struct number sum, summand = {.whole = true, .integer = 1};
    enum object_status status = find(object, call, arguments, 0, &index);
    if (status == OBJECT_OK)
        status = version_matches(call, arguments, object->version);
    if (status != OBJECT_OK)
        return status;
    const struct element *element = *list_at(list_of(object), index);
    if (number_parse(element->text, element->text + element->length, &sum) != 0)
        return call_problem(call, OBJECT_INVALID, "the element at index %zu is no number", index);
    if (by->given)
        number_parse(by->at, by->end, &summand);
    if (number_add(&sum, &summand, &sum) != 0)
        return call_problem(call, OBJECT_OVERFLOW, "the sum is beyond what a double can be");
    struct buf text = BUF_EMPTY;
    number_format(&sum, &text);
    status = replace(object, call, index, text.data, text.length);
    if (status == OBJECT_OK)
        answer_element(object, call, index);
    buf_free(&text);
    return status;
}

static enum object_status insert_at(struct object *object, struct object_call *call, const struct arguments *arguments,
                                    size_t index)
{
    struct list *list = list_of(object);
    const struct argument *value = argument(arguments, "value");
    size_t length = (size_t)(value->end - value->at);
    enum object_status status = version_matches(call, arguments, object->version);
    if (status == OBJECT_OK)
        status = list_fits(list, call, 1, list_cost(length));
    if (status != OBJECT_OK)
        return status;
    struct element *element = element_new(value->at, length);
    list_insert(list, index, &element, 1);
    list_changed(list, call);
    return OBJECT_OK;
}

static enum object_status append(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    return insert_at(object, call, arguments, list_of(object)->count);
}

static enum object_status insert(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    size_t index = slice_bound(argument(arguments, "index")->integer, list_of(object)->count);
    return insert_at(object, call, arguments, index);
}

static enum object_status delete_index(struct object *object, struct object_call *call,
                                       const struct arguments *arguments, size_t index)
{
    enum object_status status = version_matches(call, arguments, object->version);
    if (status != OBJECT_OK)
        return status;
    list_delete(list_of(object), index, 1);
    list_changed(list_of(object), call);
    return OBJECT_OK;
}

static enum object_status pop(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    size_t index;
    enum object_status status = find(object, call, arguments, -1, &index);
    if (status == OBJECT_OK)
        status = version_matches(call, arguments, object->version);
    if (status != OBJECT_OK)
        return status;
    answer_element(object, call, index);
    return delete_index(object, call, arguments, index);
}

static enum object_status delete_at(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    size_t index;
    enum object_status status = find(object, call, arguments, 0, &index);
    return status == OBJECT_OK ? delete_index(object, call, arguments, index) : status;
}

/* ---- by value ---- */

static bool is_at(const struct list *list, size_t index, const struct argument *value)
{
    const struct element *element = *list_at(list, index);
    return json_is_equal(element->text, element->length, value->at, (size_t)(value->end - value->at));
}

/* The first that is equal, or count. */
static size_t search(struct object *object, const struct arguments *arguments)
{
    const struct list *list = list_of(object);
    const struct argument *value = argument(arguments, "value");
    size_t index = 0;
    while (index < list->count && !is_at(list, index, value))
        index++;
    return index;
}

static enum object_status no_value(struct object *object, struct object_call *call)
{
    return call_problem(call, OBJECT_NO_ENTRY, "list %s does not have this value", object->name);
}

static enum object_status remove_value(struct object *object, struct object_call *call,
                                       const struct arguments *arguments)
{
    size_t index = search(object, arguments);
    return index < list_of(object)->count ? delete_index(object, call, arguments, index) : no_value(object, call);
}

static enum object_status index_of(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    size_t index = search(object, arguments);
    if (index == list_of(object)->count)
        return no_value(object, call);
    answer_integer(call, "index", (int64_t)index);
    call->version = object->version;
    return OBJECT_OK;
}

static enum object_status count(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    const struct list *list = list_of(object);
    int64_t found = 0;
    for (size_t i = 0; i < list->count; i++)
        found += is_at(list, i, argument(arguments, "value"));
    answer_integer(call, "count", found);
    call->version = object->version;
    return OBJECT_OK;
}

static enum object_status contains(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    const char *truth = search(object, arguments) < list_of(object)->count ? "true" : "false";
    answer_value(call, "contains", truth, strlen(truth));
    call->version = object->version;
    return OBJECT_OK;
}

static enum object_status length(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    (void)arguments;
    answer_integer(call, "length", (int64_t)list_of(object)->count);
    call->version = object->version;
    return OBJECT_OK;
}

/* ---- the kind ---- */

static enum object_status configure(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    (void)call;
    (void)arguments;
    buf_append_text(&object->config, "{}");
    return OBJECT_OK;
}

/* The first version is 1: to REST, 0 is none. */
static enum object_status created(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    (void)arguments;
    call->version = version_next(object, &list_of(object)->reserved);
    return OBJECT_OK;
}

static void inspect(const struct object *object, struct buf *out)
{
    buf_printf(out, ",\"length\":%zu", ((const struct list *)object)->count);
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
    {.name = "slice", .run = list_slice, .takes = {START, STOP}},
    {.name = "set_slice", .run = list_set_slice, .takes = {START, STOP, VALUES, VERSION}},
    {.name = "append", .run = append, .takes = {VALUE, VERSION}},
    {.name = "extend", .run = list_extend, .takes = {VALUES, VERSION}},
    {.name = "insert", .run = insert, .takes = {INDEX, VALUE, VERSION}},
    {.name = "pop", .run = pop, .takes = {{"index", ARGUMENT_INTEGER, false}, VERSION}},
    {.name = "remove", .run = remove_value, .takes = {VALUE, VERSION}},
    {.name = "index", .run = index_of, .takes = {VALUE}},
    {.name = "count", .run = count, .takes = {VALUE}},
    {.name = "contains", .run = contains, .takes = {VALUE}},
    {.name = "sort", .run = list_sort, .takes = {{"reverse", ARGUMENT_BOOL, false}, VERSION}},
    {.name = "reverse", .run = list_reverse, .takes = {VERSION}},
    {.name = "delete_at", .run = delete_at, .takes = {INDEX, VERSION}},
    {.name = "add", .run = add, .takes = {INDEX, {"by", ARGUMENT_NUMBER, false}, VERSION}},
    {.name = "len", .run = length},
    {.name = "clear", .run = list_clear, .takes = {VERSION}},
    {0},
};

const struct object_kind_ops list_ops = {
    .kind = OBJECT_LIST,
    .name = "list",
    .plural = "lists",
    .size = sizeof(struct list),
    .implicit = true,
    .configure = configure,
    .created = created,
    .restore_entry = list_restore_entry,
    .inspect = inspect,
    .release = list_release,
    .operations = operations,
};
