/* value: what multiprocessing.Value is – one number of a typecode in memory that tasks share. */
#include "objects/typed.h"

static enum object_status get(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    (void)arguments;
    return typed_get(typed_of(object), call, 0);
}

static enum object_status set(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    return typed_set(typed_of(object), call, arguments, 0);
}

static enum object_status add(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    return typed_add(typed_of(object), call, arguments, 0);
}

static enum object_status compare_set(struct object *object, struct object_call *call,
                                      const struct arguments *arguments)
{
    return typed_compare_set(typed_of(object), call, arguments, 0);
}

/* The first value is no part of the configuration: who creates it again leaves it as it is. */
static enum object_status configure(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct typed *typed = typed_of(object);
    enum object_status status = typed_configure(typed, call, arguments);
    if (status != OBJECT_OK)
        return status;
    typed->length = 1;
    buf_printf(&object->config, "{\"typecode\":\"%c\"}", typed->type->code);
    return OBJECT_OK;
}

static enum object_status created(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct typed *typed = typed_of(object);
    const struct argument *value = argument(arguments, "value");
    uint64_t bits = 0;
    enum object_status status = OBJECT_OK;
    if (value->given)
        status = typed_parse(typed, call, "", value->at, value->end, &bits);
    if (status == OBJECT_OK)
        status = typed_create(typed, call);
    if (status != OBJECT_OK)
        return status;
    typecode_store(typed->type, typed_at(typed, 0), bits);
    return typed_settle(typed, call);
}

// clang-format off
#define VALUE {"value", ARGUMENT_VALUE, true}
#define VERSION {"version", ARGUMENT_INTEGER, false}
// clang-format on

static const struct object_op operations[] = {
    {.name = "get", .run = get},
    {.name = "set", .run = set, .takes = {VALUE, VERSION}},
    {.name = "add", .run = add, .takes = {{"by", ARGUMENT_NUMBER, false}, VERSION}},
    {.name = "compare_set", .run = compare_set, .takes = {{"expected", ARGUMENT_VALUE, true}, VALUE, VERSION}},
    {.name = "open", .run = typed_open},
    {0},
};

const struct object_kind_ops value_ops = {
    .kind = OBJECT_VALUE,
    .name = "value",
    .plural = "values",
    .size = sizeof(struct typed),
    .options = {{"typecode", ARGUMENT_TEXT, true}, {"value", ARGUMENT_VALUE, false}},
    .configure = configure,
    .created = created,
    .restore_entry = typed_restore_entry,
    .restored = typed_restored,
    .release = typed_release,
    .deleted = typed_deleted,
    .operations = operations,
};
