/* create: how objects come, what they look like to people, and how they go. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objects/inside.h"

static bool name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (!first && (c == '.' || c == '-'));
}

static bool plain_name(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++)
        if (!name_char(name[i], i == 0))
            return false;
    return length > 0 && length <= OBJECT_NAME_MAX;
}

/* The value or array whose lock this is: sets its kind and returns its name; NULL for other names. */
static const char *guarded(const char *name, enum object_kind *kind)
{
    *kind = strncmp(name, "values/", 7) == 0 ? OBJECT_VALUE : OBJECT_ARRAY;
    return *kind == OBJECT_VALUE || strncmp(name, "arrays/", 7) == 0 ? name + 7 : NULL;
}

bool object_name_valid(enum object_kind kind, const char *name)
{
    enum object_kind guarded_kind;
    const char *of = kind == OBJECT_LOCK ? guarded(name, &guarded_kind) : NULL;
    return plain_name(of ? of : name);
}

/* ---- coming ---- */

struct object *object_new(struct objects *all, const struct object_kind_ops *ops, const char *name,
                          struct object_call *call, const struct arguments *arguments, enum object_status *status)
{
    CHECK(ops->size >= sizeof(struct object), "kind %s", ops->name);
    struct object *object = calloc(1, ops->size);
    CHECK(object, "out of memory");
    object->ops = ops;
    object->all = all;
    memcpy(object->name, name, strlen(name) + 1);
    for (unsigned group = 0; group < OBJECT_GROUPS; group++)
        TAILQ_INIT(&object->waiters[group]);
    *status = ops->configure(object, call, arguments);
    if (*status == OBJECT_OK)
        return object;
    object_free(object);
    return NULL;
}

void object_enter(struct object *object, int64_t id)
{
    struct objects *all = object->all;
    enum object_kind kind = object->ops->kind;
    object->id = id;
    HASH_ADD(by_id, all->by_id, id, sizeof object->id, object);
    HASH_ADD_KEYPTR(by_name, all->by_name[kind], object->name, strlen(object->name), object);
    all->sorted[kind].fresh = false;
    object_account(object, (ptrdiff_t)OBJECT_COST(struct object, object->ops->size + object->config.length));
}

static struct object *store_new(struct object *object, struct object_call *call, const struct arguments *arguments,
                                enum object_status *status)
{
    struct objects *all = object->all;
    const struct object_kind_ops *ops = object->ops;
    if (HASH_CNT(by_id, all->by_id) >= OBJECTS_MAX) {
        *status = call_problem(call, OBJECT_LIMIT, "there are %d objects already", OBJECTS_MAX);
    } else {
        *status = object_room(object, call, OBJECT_COST(struct object, ops->size + object->config.length));
    }
    if (*status != OBJECT_OK) {
        object_free(object);
        return NULL;
    }
    object_enter(object, (int64_t)ledger_next(all, &all->ids));
    all->ports.object_put(all->ports.context, object->id, ops->kind, object->name, object->config.data,
                          object->config.length);
    *status = ops->created ? ops->created(object, call, arguments) : OBJECT_OK;
    if (*status == OBJECT_OK)
        return object;
    object_delete(object);
    return NULL;
}

static bool same_config(const struct object *a, const struct object *b)
{
    return a->config.length == b->config.length && memcmp(a->config.data, b->config.data, a->config.length) == 0;
}

/* It is there: the same configuration is fine. */
static enum object_status meet(struct object *there, struct object *wanted, struct object_call *call)
{
    if (!same_config(there, wanted))
        return call_problem(call, OBJECT_EXISTS, "%s %s exists with the configuration %.*s", there->ops->name,
                            there->name, (int)(there->config.length < 120 ? there->config.length : 120),
                            there->config.data);
    if (there->ops->recreated)
        there->ops->recreated(there);
    return OBJECT_OK;
}

static enum object_status create_with(struct objects *all, struct object_call *call, const struct arguments *arguments)
{
    enum object_status status;
    struct object *there = object_find(all, call->kind, call->name);
    struct object *object = object_new(all, object_kinds[call->kind], call->name, call, arguments, &status);
    if (!object)
        return status;
    if (there) {
        status = meet(there, object, call);
        object_free(object);
        if (status == OBJECT_OK)
            object_describe(there, &call->answer);
        return status;
    }
    object = store_new(object, call, arguments, &status);
    if (!object)
        return status;
    object_describe(object, &call->answer);
    return OBJECT_CREATED;
}

enum object_status object_create(struct objects *all, struct object_call *call)
{
    struct arguments arguments;
    if (strchr(call->name, '/'))
        return call_problem(call, OBJECT_INVALID, "this lock belongs to %s and comes by itself", call->name);
    enum object_status status = arguments_read(&arguments, object_kinds[call->kind]->options, call);
    if (status == OBJECT_OK)
        status = create_with(all, call, &arguments);
    arguments_free(&arguments);
    return status;
}

static bool comes_by_itself(struct objects *all, const struct object_call *call)
{
    enum object_kind kind;
    const char *of = call->kind == OBJECT_LOCK ? guarded(call->name, &kind) : NULL;
    if (of)
        return object_find(all, kind, of) != NULL;
    return call->holder.run && object_kinds[call->kind]->implicit && call->operation;
}

struct object *object_create_implicit(struct objects *all, struct object_call *call, enum object_status *status)
{
    if (!comes_by_itself(all, call)) {
        *status = call_problem(call, OBJECT_MISSING, "there is no %s %s", object_kind_name(call->kind), call->name);
        return NULL;
    }
    const struct object_kind_ops *ops = object_kinds[call->kind];
    struct object_call made = {.kind = call->kind, .args = strchr(call->name, '/') ? "{\"type\":\"rlock\"}" : ""};
    made.args_length = strlen(made.args);
    struct arguments arguments;
    *status = arguments_read(&arguments, ops->options, &made);
    struct object *object = NULL;
    if (*status == OBJECT_OK)
        object = object_new(all, ops, call->name, &made, &arguments, status);
    if (object)
        object = store_new(object, &made, &arguments, status);
    if (!object)
        call_problem(call, *status, "%s", made.problem);
    arguments_free(&arguments);
    buf_free(&made.kept);
    return object;
}

/* ---- being looked at ---- */

void object_describe(const struct object *object, struct buf *out)
{
    buf_printf(out, "{\"name\":\"%s\",\"kind\":\"%s\"", object->name, object->ops->name);
    if (object->config.length > 2) {
        buf_append_char(out, ',');
        buf_append(out, object->config.data + 1, object->config.length - 2);
    }
    if (object->ops->inspect)
        object->ops->inspect(object, out);
    if (object->version)
        buf_printf(out, ",\"version\":%llu", (unsigned long long)object->version);
    buf_printf(out, ",\"waiting\":%u,\"bytes\":%zu}", object->waiting, object->bytes);
}

static int by_name(const void *a, const void *b)
{
    const struct object *const *one = a, *const *other = b;
    return strcmp((*one)->name, (*other)->name);
}

static const struct sorted *sorted(struct objects *all, enum object_kind kind)
{
    struct sorted *list = &all->sorted[kind];
    struct object *object, *next;
    if (list->fresh)
        return list;
    list->count = 0;
    list->at = realloc(list->at, (HASH_CNT(by_name, all->by_name[kind]) + 1) * sizeof *list->at);
    CHECK(list->at, "out of memory");
    HASH_ITER(by_name, all->by_name[kind], object, next)
    {
        list->at[list->count++] = object;
    }
    qsort(list->at, list->count, sizeof *list->at, by_name);
    list->fresh = true;
    return list;
}

/* The first whose name is not less than `name`, or (`behind`) that comes behind it. */
static size_t place(const struct sorted *list, const char *name, bool behind)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(list->at[middle]->name, name);
        if (order < 0 || (behind && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void list_page(const struct sorted *list, size_t at, const char *prefix, int64_t limit, struct buf *out)
{
    const struct object *last = NULL;
    buf_append_char(out, '[');
    for (; at < list->count && limit > 0 && strncmp(list->at[at]->name, prefix, strlen(prefix)) == 0; at++, limit--) {
        if (last)
            buf_append_char(out, ',');
        last = list->at[at];
        object_describe(last, out);
    }
    bool more = last && at < list->count && strncmp(list->at[at]->name, prefix, strlen(prefix)) == 0;
    buf_append_text(out, "],\"next\":");
    if (more)
        buf_printf(out, "\"%s\"}", last->name);
    else
        buf_append_text(out, "null}");
}

enum object_status objects_list(struct objects *all, struct object_call *call)
{
    static const struct argument_rule rules[] = {
        {"prefix", ARGUMENT_TEXT, false}, {"after", ARGUMENT_TEXT, false}, {"limit", ARGUMENT_INTEGER, false}, {0}};
    enum { PAGE = 100, PAGE_MAX = 1000 };
    struct arguments arguments;
    enum object_status status = arguments_read(&arguments, rules, call);
    const struct argument *limit = argument(&arguments, "limit"), *after = argument(&arguments, "after");
    const struct argument *prefix = argument(&arguments, "prefix");
    if (status == OBJECT_OK && limit->given && (limit->integer < 1 || limit->integer > PAGE_MAX))
        status = call_problem(call, OBJECT_INVALID, "limit must be from 1 to %d", PAGE_MAX);
    if (status == OBJECT_OK) {
        const struct sorted *list = sorted(all, call->kind);
        const char *start = prefix->given ? prefix->text : "";
        size_t at = place(list, start, false), behind = after->given ? place(list, after->text, true) : 0;
        buf_printf(&call->answer, "{\"%s\":", object_kinds[call->kind]->plural);
        list_page(list, at > behind ? at : behind, start, limit->given ? limit->integer : PAGE, &call->answer);
    }
    arguments_free(&arguments);
    return status;
}

/* ---- going ---- */

void object_free(struct object *object)
{
    struct objects *all = object->all;
    enum object_kind kind = object->ops->kind;
    object->ops->release(object);
    if (object->id) {
        HASH_DELETE(by_id, all->by_id, object);
        HASH_DELETE(by_name, all->by_name[kind], object);
        all->sorted[kind].fresh = false;
    }
    all->bytes -= object->bytes;
    buf_free(&object->config);
    free(object);
}

static void delete_lock_of(struct object *object)
{
    struct buf name = BUF_EMPTY;
    buf_printf(&name, "%s/%s", object->ops->plural, object->name);
    struct object *lock = object_find(object->all, OBJECT_LOCK, buf_cstr(&name));
    if (lock)
        object_delete(lock);
    buf_free(&name);
}

void object_delete(struct object *object)
{
    if (object->ops->kind == OBJECT_VALUE || object->ops->kind == OBJECT_ARRAY)
        delete_lock_of(object);
    object_dismiss_all(object, OBJECT_DELETED);
    object->all->ports.object_drop(object->all->ports.context, object->id);
    if (object->ops->deleted)
        object->ops->deleted(object);
    object_free(object);
}
