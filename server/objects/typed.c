#include "objects/typed.h"

#include <string.h>

#include "objects/version.h"

/* ---- coming and going ---- */

enum object_status typed_configure(struct typed *typed, struct object_call *call, const struct arguments *arguments)
{
    const struct argument *code = argument(arguments, "typecode");
    typed->type = typecode_of(code->text, code->length);
    if (typed->type == NULL)
        return call_problem(call, OBJECT_INVALID, "argument \"typecode\" must be one of the letters %s", TYPECODES);
    return OBJECT_OK;
}

static void file_name(const struct typed *typed, char name[MAPPED_NAME_SIZE])
{
    mapped_name(name, typed->object.ops->plural, typed->object.name, typed->object.id);
}

enum object_status typed_create(struct typed *typed, struct object_call *call)
{
    struct error error;
    char name[MAPPED_NAME_SIZE];
    file_name(typed, name);
    if (mapped_create(&typed->mapped, object_folder(&typed->object), name, typed->length * typed->type->size, &error))
        return call_problem(call, OBJECT_NO_ROOM, "%s %s: %.200s", typed->object.ops->name, typed->object.name,
                            error.text);
    return OBJECT_OK;
}

enum object_status typed_settle(struct typed *typed, struct object_call *call)
{
    struct error error;
    if (mapped_settle(&typed->mapped, &error) != 0)
        return call_problem(call, OBJECT_NO_ROOM, "%.200s", error.text);
    typed_changed(typed, call);
    return OBJECT_OK;
}

int typed_restore_entry(struct object *object, const char *key, size_t key_length, const char *value, size_t length,
                        struct error *error)
{
    if (version_restore(object, &typed_of(object)->reserved, key, key_length, value, length))
        return 0;
    return error_set(error, "%s %s has an entry", object->ops->name, object->name);
}

int typed_restored(struct object *object, struct error *error)
{
    struct error why;
    struct typed *typed = typed_of(object);
    char name[MAPPED_NAME_SIZE];
    file_name(typed, name);
    size_t bytes = typed->length * typed->type->size;
    if (mapped_restore(&typed->mapped, object_folder(object), name, bytes, &why) == 0)
        return 0;
    return error_set(error, "%s %s cannot be restored: %s", object->ops->name, object->name, why.text);
}

void typed_release(struct object *object)
{
    mapped_close(&typed_of(object)->mapped);
}

void typed_deleted(struct object *object)
{
    mapped_delete(&typed_of(object)->mapped, object_now_ns(object));
}

static bool is_known(void *objects, const char *plural, const char *name, int64_t id)
{
    enum object_kind kind;
    if (object_kind_parse(plural, strlen(plural), &kind) != 0)
        return true;
    const struct object *object = object_find(objects, kind, name);
    return object && object->id == id;
}

void typed_remove_orphans(struct objects *objects, const char *folder)
{
    mapped_remove_orphans(folder, is_known, objects);
}

/* ---- one element ---- */

enum object_status typed_parse(const struct typed *typed, struct object_call *call, const char *where, const char *at,
                               const char *end, uint64_t *bits)
{
    struct error error;
    enum object_status status = typecode_parse(typed->type, at, end, bits, &error);
    return status == OBJECT_OK ? OBJECT_OK : call_problem(call, status, "%s%.200s", where, error.text);
}

void typed_changed(struct typed *typed, struct object_call *call)
{
    call->version = version_next(&typed->object, &typed->reserved);
}

void typed_answer(const struct typed *typed, struct object_call *call, uint64_t bits)
{
    buf_append_text(&call->answer, "{\"value\":");
    typecode_format(typed->type, bits, &call->answer);
    buf_append_char(&call->answer, '}');
}

enum object_status typed_get(struct typed *typed, struct object_call *call, size_t index)
{
    typed_answer(typed, call, typecode_load(typed->type, typed_at(typed, index)));
    call->version = typed->object.version;
    return OBJECT_OK;
}

enum object_status typed_set(struct typed *typed, struct object_call *call, const struct arguments *arguments,
                             size_t index)
{
    uint64_t bits;
    const struct argument *value = argument(arguments, "value");
    enum object_status status = version_matches(call, arguments, typed->object.version);
    if (status == OBJECT_OK)
        status = typed_parse(typed, call, "", value->at, value->end, &bits);
    if (status != OBJECT_OK)
        return status;
    typecode_store(typed->type, typed_at(typed, index), bits);
    typed_changed(typed, call);
    return OBJECT_OK;
}

enum object_status typed_add(struct typed *typed, struct object_call *call, const struct arguments *arguments,
                             size_t index)
{
    static const char one[] = "1";
    uint64_t bits;
    struct error error;
    const struct argument *by = argument(arguments, "by");
    const char *at = by->given ? by->at : one, *end = by->given ? by->end : one + 1;
    enum object_status status = version_matches(call, arguments, typed->object.version);
    if (status != OBJECT_OK)
        return status;
    status = typecode_add(typed->type, typed_at(typed, index), at, end, &bits, &error);
    if (status != OBJECT_OK)
        return call_problem(call, status, "%.200s", error.text);
    typed_answer(typed, call, bits);
    typed_changed(typed, call);
    return OBJECT_OK;
}

/* It is something else: says what. */
static enum object_status differs(const struct typed *typed, struct object_call *call, const struct argument *expected,
                                  uint64_t bits)
{
    struct buf is = BUF_EMPTY;
    typecode_format(typed->type, bits, &is);
    int length = expected->end - expected->at > 60 ? 60 : (int)(expected->end - expected->at);
    call_problem(call, OBJECT_CHANGED, "it is %s, not %.*s", buf_cstr(&is), length, expected->at);
    buf_free(&is);
    call->version = typed->object.version;
    return OBJECT_CHANGED;
}

enum object_status typed_compare_set(struct typed *typed, struct object_call *call, const struct arguments *arguments,
                                     size_t index)
{
    const struct argument *expected = argument(arguments, "expected"), *value = argument(arguments, "value");
    uint64_t wanted, bits;
    enum object_status status = version_matches(call, arguments, typed->object.version);
    if (status == OBJECT_OK)
        status = typed_parse(typed, call, "expected: ", expected->at, expected->end, &wanted);
    if (status == OBJECT_OK)
        status = typed_parse(typed, call, "", value->at, value->end, &bits);
    if (status != OBJECT_OK)
        return status;
    if (!typecode_compare_set(typed->type, typed_at(typed, index), &wanted, bits))
        return differs(typed, call, expected, wanted);
    typed_changed(typed, call);
    return OBJECT_OK;
}

enum object_status typed_open(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    (void)arguments;
    const struct typed *typed = typed_of(object);
    if (typed->mapped.path == NULL)
        return call_problem(call, OBJECT_INVALID, "%s %s has no file here", object->ops->name, object->name);
    buf_append_text(&call->answer, "{\"path\":");
    buf_append_json_string(&call->answer, typed->mapped.path, strlen(typed->mapped.path));
    buf_printf(&call->answer, ",\"offset\":0,\"typecode\":\"%c\",\"length\":%zu,\"lock\":\"%s/%s\"}", typed->type->code,
               typed->length, object->ops->plural, object->name);
    call->version = object->version;
    return OBJECT_OK;
}
