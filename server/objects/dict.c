/* dict: what Manager().dict() is – keys are texts, values JSON kept byte for byte, the order is that of insertion. */
#include <inttypes.h>
#include <string.h>

#include "objects/dict_entries.h"
#include "objects/number.h"
#include "objects/version.h"

/* ---- answers and checks ---- */

static void answer_entry(struct object_call *call, const struct entry *entry)
{
    buf_append_text(&call->answer, "{\"value\":");
    buf_append(&call->answer, entry->text, entry->length);
    buf_printf(&call->answer, ",\"version\":%" PRIu64 "}", entry->version);
    call->version = entry->version;
}

static void answer_version(struct object_call *call, uint64_t version)
{
    answer_integer(call, "version", (int64_t)version);
    call->version = version;
}

static enum object_status may_put(struct dict *dict, struct object_call *call, const struct argument *key,
                                  const struct entry *old, size_t length)
{
    enum object_status status = dict_key_fits(call, key->text, key->length);
    return status == OBJECT_OK ? dict_fits(dict, call, !old, dict_growth(old, key->length, length)) : status;
}

/* ---- operations on one key ---- */

static struct entry *find_argument(struct object *object, const struct arguments *arguments)
{
    const struct argument *key = argument(arguments, "key");
    return dict_find(dict_of(object), key->text, key->length);
}

static enum object_status get(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct entry *entry = find_argument(object, arguments);
    const struct argument *instead = argument(arguments, "default");
    if (entry)
        answer_entry(call, entry);
    else if (instead->given)
        answer_value(call, "value", instead->at, (size_t)(instead->end - instead->at));
    else
        return dict_no_key(call, argument(arguments, "key")->text);
    return OBJECT_OK;
}

static enum object_status set(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct dict *dict = dict_of(object);
    const struct argument *key = argument(arguments, "key"), *value = argument(arguments, "value");
    struct entry *entry = find_argument(object, arguments);
    size_t length = (size_t)(value->end - value->at);
    enum object_status status = version_matches(call, arguments, entry ? entry->version : 0);
    if (status == OBJECT_OK)
        status = may_put(dict, call, key, entry, length);
    if (status == OBJECT_OK)
        answer_version(call, dict_put(dict, key->text, key->length, value->at, length)->version);
    return status;
}

static enum object_status delete_key(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct entry *entry = find_argument(object, arguments);
    if (!entry)
        return dict_no_key(call, argument(arguments, "key")->text);
    enum object_status status = version_matches(call, arguments, entry->version);
    if (status == OBJECT_OK)
        dict_drop(dict_of(object), entry);
    return status;
}

static enum object_status contains(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    const char *truth = find_argument(object, arguments) ? "true" : "false";
    answer_value(call, "contains", truth, strlen(truth));
    return OBJECT_OK;
}

static enum object_status pop(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct entry *entry = find_argument(object, arguments);
    enum object_status status = version_matches(call, arguments, entry ? entry->version : 0);
    if (status == OBJECT_OK)
        status = get(object, call, arguments);
    if (status == OBJECT_OK && entry)
        dict_drop(dict_of(object), entry);
    return status;
}

static enum object_status popitem(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    (void)arguments;
    struct entry *entry = dict_last(dict_of(object));
    if (!entry)
        return call_problem(call, OBJECT_NO_ENTRY, "dict %s is empty", object->name);
    buf_append_text(&call->answer, "{\"key\":");
    buf_append_json_string(&call->answer, entry->key, entry->key_length);
    buf_append_text(&call->answer, ",\"value\":");
    buf_append(&call->answer, entry->text, entry->length);
    buf_append_char(&call->answer, '}');
    dict_drop(dict_of(object), entry);
    return OBJECT_OK;
}

static enum object_status setdefault(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct dict *dict = dict_of(object);
    const struct argument *key = argument(arguments, "key"), *value = argument(arguments, "value");
    struct entry *entry = find_argument(object, arguments);
    const char *text = value->given ? value->at : "null";
    size_t length = value->given ? (size_t)(value->end - value->at) : strlen(text);
    enum object_status status = entry ? OBJECT_OK : may_put(dict, call, key, NULL, length);
    if (status == OBJECT_OK)
        answer_entry(call, entry ? entry : dict_put(dict, key->text, key->length, text, length));
    return status;
}

static enum object_status add(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct dict *dict = dict_of(object);
    const struct argument *key = argument(arguments, "key"), *by = argument(arguments, "by");
    struct entry *entry = find_argument(object, arguments);
    struct number sum = {.whole = true}, summand = {.whole = true, .integer = 1};
    enum object_status status = version_matches(call, arguments, entry ? entry->version : 0);
    if (status != OBJECT_OK)
        return status;
    if (entry && number_parse(entry->text, entry->text + entry->length, &sum) != 0)
        return call_problem(call, OBJECT_INVALID, "the value of key %.*s is no number", 120, key->text);
    if (by->given)
        number_parse(by->at, by->end, &summand);
    if (number_add(&sum, &summand, &sum) != 0)
        return call_problem(call, OBJECT_OVERFLOW, "the sum is beyond what a double can be");
    struct buf text = BUF_EMPTY;
    number_format(&sum, &text);
    status = may_put(dict, call, key, entry, text.length);
    if (status == OBJECT_OK)
        answer_entry(call, dict_put(dict, key->text, key->length, text.data, text.length));
    buf_free(&text);
    return status;
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
    call->version = version_next(object, &dict_of(object)->reserved);
    return OBJECT_OK;
}

static void inspect(const struct object *object, struct buf *out)
{
    buf_printf(out, ",\"length\":%zu", dict_count((const struct dict *)object));
}

// clang-format off
#define KEY {"key", ARGUMENT_TEXT, true}
#define VERSION {"version", ARGUMENT_INTEGER, false}
#define PAGE {{"after", ARGUMENT_TEXT, false}, {"limit", ARGUMENT_INTEGER, false}, {0}}
// clang-format on

static const struct object_op operations[] = {
    {.name = "get", .run = get, .takes = {KEY, {"default", ARGUMENT_VALUE, false}}},
    {.name = "set", .run = set, .takes = {KEY, {"value", ARGUMENT_VALUE, true}, VERSION}},
    {.name = "delete", .run = delete_key, .takes = {KEY, VERSION}},
    {.name = "contains", .run = contains, .takes = {KEY}},
    {.name = "pop", .run = pop, .takes = {KEY, {"default", ARGUMENT_VALUE, false}, VERSION}},
    {.name = "popitem", .run = popitem},
    {.name = "setdefault", .run = setdefault, .takes = {KEY, {"value", ARGUMENT_VALUE, false}}},
    {.name = "update", .run = dict_update, .takes = {{"entries", ARGUMENT_ENTRIES, true}, VERSION}},
    {.name = "add", .run = add, .takes = {KEY, {"by", ARGUMENT_NUMBER, false}, VERSION}},
    {.name = "keys", .run = dict_keys, .takes = PAGE},
    {.name = "values", .run = dict_values, .takes = PAGE},
    {.name = "items", .run = dict_items, .takes = PAGE},
    {.name = "len", .run = dict_length},
    {.name = "clear", .run = dict_clear, .takes = {VERSION}},
    {0},
};

const struct object_kind_ops dict_ops = {
    .kind = OBJECT_DICT,
    .name = "dict",
    .plural = "dicts",
    .size = sizeof(struct dict),
    .implicit = true,
    .configure = configure,
    .created = created,
    .restore_entry = dict_restore_entry,
    .inspect = inspect,
    .release = dict_release,
    .operations = operations,
};
