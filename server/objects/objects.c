/* objects: the calls. What is behind them: create.c (how objects come and go), arguments.c, waiting.c, holders.c,
 * timers.c, ledger.c, and a file per kind. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "objects/inside.h"
#include "objects/mapped.h"

/* ---- names ---- */

const char *object_kind_name(enum object_kind kind)
{
    const struct object_kind_ops *ops = kind > 0 && kind < OBJECT_KINDS ? object_kinds[kind] : NULL;
    return ops ? ops->name : "object";
}

const char *object_kind_plural(enum object_kind kind)
{
    const struct object_kind_ops *ops = kind > 0 && kind < OBJECT_KINDS ? object_kinds[kind] : NULL;
    return ops ? ops->plural : "objects";
}

static bool is_word(const char *word, const char *name, size_t length)
{
    return strlen(word) == length && memcmp(word, name, length) == 0;
}

int object_kind_parse(const char *name, size_t length, enum object_kind *kind)
{
    for (int i = 1; i < OBJECT_KINDS; i++) {
        const struct object_kind_ops *ops = object_kinds[i];
        if (ops && (is_word(ops->name, name, length) || is_word(ops->plural, name, length))) {
            *kind = (enum object_kind)i;
            return 0;
        }
    }
    return -1;
}

const char *object_status_name(enum object_status status)
{
    static const char *const names[OBJECT_STATUSES] = {
        [OBJECT_OK] = "ok",
        [OBJECT_CREATED] = "created",
        [OBJECT_MISSING] = "missing",
        [OBJECT_NO_ENTRY] = "no-entry",
        [OBJECT_EXISTS] = "exists",
        [OBJECT_EMPTY] = "empty",
        [OBJECT_QUEUE_FULL] = "full",
        [OBJECT_BUSY] = "busy",
        [OBJECT_NOT_HOLDER] = "not-holder",
        [OBJECT_CLOSED] = "closed",
        [OBJECT_CHANGED] = "changed",
        [OBJECT_INVALID] = "invalid",
        [OBJECT_OVERFLOW] = "overflow",
        [OBJECT_LIMIT] = "limit",
        [OBJECT_NO_ROOM] = "no-room",
        [OBJECT_DELETED] = "deleted",
        [OBJECT_GIVEN_UP] = "given-up",
    };
    return status < OBJECT_STATUSES ? names[status] : "unknown";
}

/* ---- for the kinds ---- */

enum object_status call_problem(struct object_call *call, enum object_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(call->problem, sizeof call->problem, format, arguments);
    va_end(arguments);
    return status;
}

void answer_value(struct object_call *call, const char *name, const char *text, size_t length)
{
    buf_printf(&call->answer, "{\"%s\":", name);
    buf_append(&call->answer, text, length);
    buf_append_char(&call->answer, '}');
}

void answer_integer(struct object_call *call, const char *name, int64_t value)
{
    buf_printf(&call->answer, "{\"%s\":%lld}", name, (long long)value);
}

enum object_status object_room(struct object *object, struct object_call *call, size_t more)
{
    const struct objects *all = object->all;
    if (all->bytes <= all->bytes_max && more <= all->bytes_max - all->bytes)
        return OBJECT_OK;
    return call_problem(call, OBJECT_NO_ROOM, "%s %s: the memory for objects (%zu bytes) is used up", object->ops->name,
                        object->name, all->bytes_max);
}

void object_account(struct object *object, ptrdiff_t change)
{
    CHECK(change >= 0 || object->bytes >= (size_t)-change, "%s %s: %zu bytes and %td", object->ops->name, object->name,
          object->bytes, change);
    object->bytes += (size_t)change;
    object->all->bytes += (size_t)change;
}

int64_t object_now_ns(const struct object *object)
{
    return object->all->ports.now_ns(object->all->ports.context);
}

int64_t object_wall_ms(const struct object *object)
{
    return object->all->ports.wall_ms(object->all->ports.context);
}

void object_timer_set(struct object *object, struct object_timer *timer, int64_t at_ns)
{
    timer->object = object;
    timers_set(&object->all->timers, timer, at_ns);
}

void object_timer_stop(struct object *object, struct object_timer *timer)
{
    timers_stop(&object->all->timers, timer);
}

const char *object_folder(const struct object *object)
{
    return object->all->folder;
}

struct object *object_find(struct objects *all, enum object_kind kind, const char *name)
{
    struct object *object;
    HASH_FIND(by_name, all->by_name[kind], name, strlen(name), object);
    return object;
}

bool objects_has(const struct objects *all, enum object_kind kind, const char *name)
{
    const struct object *object;
    HASH_FIND(by_name, all->by_name[kind], name, strlen(name), object);
    return object != NULL;
}

/* ---- calls ---- */

static enum object_status delete_object(struct object *object, struct object_call *call)
{
    static const struct argument_rule nothing[] = {{0}};
    struct arguments arguments;
    enum object_status status = arguments_read(&arguments, nothing, call);
    arguments_free(&arguments);
    if (status == OBJECT_OK)
        object_delete(object);
    return status;
}

static const struct object_op *find_op(const struct object_kind_ops *ops, const char *name)
{
    for (const struct object_op *op = ops->operations; op->name; op++)
        if (strcmp(op->name, name) == 0)
            return op;
    return NULL;
}

static void operate(struct object *object, struct object_call *call)
{
    enum object_status status;
    call->group = call->operation->group;
    call->may_wait = call->operation->waits_on != OBJECT_OK && call->deadline_ns > object_now_ns(object);
    if (call_try(object, call, &status))
        call_finish(call, status);
    else
        call_wait(object, call, status);
    object_settle(object);
}

/* What all kinds have. */
static enum object_status common(struct object *object, struct object_call *call)
{
    if (strcmp(call->op, "delete") == 0)
        return delete_object(object, call);
    object_describe(object, &call->answer);
    return OBJECT_OK;
}

/* Dicts have a "delete" of their own, with a key; without arguments it is the whole object here, too. */
static bool means_object(const struct object_call *call)
{
    if (strcmp(call->op, "delete") != 0 || call->args_length == 0)
        return strcmp(call->op, "delete") == 0;
    const char *end = call->args + call->args_length, *at = scan_space(call->args, end);
    if (at != end && *at == '{')
        at = scan_space(at + 1, end);
    return at == end || *at == '}';
}

/* The operation it names, or why not. */
static enum object_status check(struct object_call *call)
{
    const struct object_kind_ops *ops = call->kind > 0 && call->kind < OBJECT_KINDS ? object_kinds[call->kind] : NULL;
    if (!ops)
        return call_problem(call, OBJECT_INVALID, "there are no objects of this kind");
    if (strcmp(call->op, "list") == 0)
        return OBJECT_OK;
    if (!object_name_valid(call->kind, call->name))
        return call_problem(call, OBJECT_INVALID,
                            "a name has 1 to %d of A-Z a-z 0-9 _ . - and does not begin with . or -", OBJECT_NAME_MAX);
    call->operation = means_object(call) ? NULL : find_op(ops, call->op);
    if (!call->operation && strcmp(call->op, "create") != 0 && strcmp(call->op, "inspect") != 0 &&
        strcmp(call->op, "delete") != 0)
        return call_problem(call, OBJECT_INVALID, "%s have no operation %s", ops->plural, call->op);
    return OBJECT_OK;
}

void objects_call(struct objects *all, struct object_call *call)
{
    all->calls++;
    enum object_status status = check(call);
    if (status != OBJECT_OK) {
        call_finish(call, status);
        return;
    }
    /* "list" names no object, but lists have an operation of that kind's own name no more than others. */
    if (strcmp(call->op, "list") == 0) {
        call_finish(call, objects_list(all, call));
        return;
    }
    if (strcmp(call->op, "create") == 0) {
        call_finish(call, object_create(all, call));
        return;
    }
    struct object *object = object_find(all, call->kind, call->name);
    if (!object)
        object = object_create_implicit(all, call, &status);
    if (!object)
        call_finish(call, status);
    else if (call->operation)
        operate(object, call);
    else
        call_finish(call, common(object, call));
}

int64_t objects_tick(struct objects *all, int64_t now_ns)
{
    struct object_timer *timer;
    while ((timer = timers_first(&all->timers)) && timer->at_ns <= now_ns) {
        timers_stop(&all->timers, timer);
        if (timer->object) {
            struct object *object = timer->object;
            object->ops->timer(object, timer);
            object_settle(object);
        } else {
            call_expire((struct object_call *)(void *)((char *)timer - offsetof(struct object_call, timer)));
        }
    }
    int64_t sweep_ns = mapped_sweep(now_ns), next_ns = timer ? timer->at_ns : INT64_MAX;
    return sweep_ns < next_ns ? sweep_ns : next_ns;
}

void objects_counters(const struct objects *all, struct object_counters *counters)
{
    *counters = (struct object_counters){.waiting = all->waiting, .bytes = all->bytes, .calls = all->calls};
    for (int kind = 1; kind < OBJECT_KINDS; kind++)
        counters->objects[kind] = HASH_CNT(by_name, all->by_name[kind]);
}
