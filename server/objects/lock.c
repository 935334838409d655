/* lock: Lock, RLock, Semaphore and BoundedSemaphore, in the order of arrival. Every acquire gets a token that is
 * greater than all before it, for fencing. Items hold what they acquired until they release it or end; outsiders until
 * their ttl is over. After a holder died the next one is told (`recovered`), because what the lock guards may be half
 * done. */
#include <string.h>

#include "base/clock.h"
#include "objects/lock.h"

enum { HOLDERS_SHOWN = 100, VALUE_MAX = 1000000 };

static const char *const type_names[LOCK_TYPES] = {"lock", "rlock", "semaphore", "bounded"};

static enum object_status read_type(struct lock *lock, const struct argument *type, struct object_call *call)
{
    lock->type = LOCK_PLAIN;
    for (int i = 0; type->given && i < LOCK_TYPES; i++) {
        if (strcmp(type->text, type_names[i]) == 0) {
            lock->type = (enum lock_type)i;
            return OBJECT_OK;
        }
    }
    if (!type->given)
        return OBJECT_OK;
    return call_problem(call, OBJECT_INVALID,
                        "argument \"type\" must be \"lock\", \"rlock\", \"semaphore\" or \"bounded\"");
}

static enum object_status configure(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct lock *lock = lock_of(object);
    const struct argument *value = argument(arguments, "value");
    int64_t number = value->given ? value->integer : 1;
    TAILQ_INIT(&lock->permits);
    enum object_status status = read_type(lock, argument(arguments, "type"), call);
    if (status != OBJECT_OK)
        return status;
    if (number < 0 || number > VALUE_MAX)
        return call_problem(call, OBJECT_INVALID, "argument \"value\" must be from 0 to %d", VALUE_MAX);
    if (number != 1 && lock->type != LOCK_SEMAPHORE && lock->type != LOCK_BOUNDED)
        return call_problem(call, OBJECT_INVALID, "only semaphores have another value than 1");
    lock->value = (uint64_t)number;
    buf_printf(&object->config, "{\"type\":\"%s\",\"value\":%lld}", type_names[lock->type], (long long)number);
    return OBJECT_OK;
}

/* ---- acquire ---- */

static void answer_permit(struct object_call *call, const struct permit *permit)
{
    buf_printf(&call->answer, "{\"token\":%llu,\"expires_ms\":", (unsigned long long)permit->token);
    if (permit->expires_ms)
        buf_printf(&call->answer, "%lld", (long long)permit->expires_ms);
    else
        buf_append_text(&call->answer, "null");
}

static enum object_status acquired(struct object_call *call, const struct permit *permit, bool recovered)
{
    answer_permit(call, permit);
    buf_printf(&call->answer, ",\"recovered\":%s}", recovered ? "true" : "false");
    return OBJECT_OK;
}

/* Its ttl, 0 when it needs none; outsiders must say one, because nobody tells when they are gone. */
static enum object_status read_ttl(const struct argument *ttl, struct object_call *call, int64_t *ttl_ns)
{
    *ttl_ns = ttl->given ? ttl->integer : 0;
    if (ttl->given && ttl->integer == 0)
        return call_problem(call, OBJECT_INVALID, "argument \"ttl\" must be a number of seconds above 0");
    if (!ttl->given && !call->holder.run)
        return call_problem(call, OBJECT_INVALID, "outside of tasks %s needs \"ttl\", the seconds until it expires",
                            call->op);
    return OBJECT_OK;
}

/* Who holds an rlock already goes in once more. */
static enum object_status reenter(struct lock *lock, struct object_call *call, const struct argument *token,
                                  struct permit **permit)
{
    *permit = NULL;
    if (token->given && lock->type != LOCK_REENTRANT)
        return call_problem(call, OBJECT_INVALID, "only an rlock is acquired with the token that holds it");
    if (lock->type == LOCK_REENTRANT)
        *permit =
            token->given ? permit_by_token(lock, (uint64_t)token->integer) : permit_by_holder(lock, &call->holder);
    if (token->given && !*permit)
        return call_problem(call, OBJECT_NOT_HOLDER, "lock %s is not held with token %lld", lock->object.name,
                            (long long)token->integer);
    return OBJECT_OK;
}

static enum object_status busy(struct lock *lock, struct object_call *call)
{
    const struct permit *first = TAILQ_FIRST(&lock->permits);
    return call_problem(call, OBJECT_BUSY, "lock %s is held by %s", lock->object.name,
                        first ? first->holder_name : "nobody: others wait for it or its value is 0");
}

static enum object_status acquire(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct lock *lock = lock_of(object);
    struct permit *permit;
    int64_t ttl_ns;
    enum object_status status = reenter(lock, call, argument(arguments, "token"), &permit);
    if (status == OBJECT_OK && permit) {
        permit->depth++;
        permit_renew(lock, permit, argument(arguments, "ttl")->integer);
        return acquired(call, permit, false);
    }
    if (status == OBJECT_OK)
        status = read_ttl(argument(arguments, "ttl"), call, &ttl_ns);
    if (status != OBJECT_OK)
        return status;
    if (lock_available(lock) == 0 || object_ahead(object, ACQUIRERS, call))
        return busy(lock, call);
    status = object_room(object, call, OBJECT_COST(struct permit, 0));
    if (status != OBJECT_OK)
        return status;
    bool recovered = lock->recovered;
    permit = permit_new(lock, call, ttl_ns);
    lock_mark_recovered(lock, false);
    return acquired(call, permit, recovered);
}

/* ---- renew, release ---- */

/* The permit it is about: that of the token, or the caller's own. */
static enum object_status own(struct lock *lock, struct object_call *call, const struct argument *token,
                              struct permit **permit)
{
    *permit = token->given ? permit_by_token(lock, (uint64_t)token->integer) : permit_by_holder(lock, &call->holder);
    if (*permit)
        return OBJECT_OK;
    if (token->given)
        return call_problem(call, OBJECT_NOT_HOLDER, "lock %s is not held with token %lld", lock->object.name,
                            (long long)token->integer);
    if (!call->holder.run && lock->type != LOCK_SEMAPHORE)
        return call_problem(call, OBJECT_INVALID, "outside of tasks %s needs the argument \"token\"", call->op);
    return call_problem(call, OBJECT_NOT_HOLDER, "lock %s is not held by this caller", lock->object.name);
}

static enum object_status renew(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct lock *lock = lock_of(object);
    const struct argument *ttl = argument(arguments, "ttl");
    struct permit *permit;
    int64_t ttl_ns;
    enum object_status status = read_ttl(ttl, call, &ttl_ns);
    if (status == OBJECT_OK)
        status = own(lock, call, argument(arguments, "token"), &permit);
    if (status != OBJECT_OK)
        return status;
    permit_renew(lock, permit, ttl_ns);
    answer_permit(call, permit);
    buf_append_char(&call->answer, '}');
    return OBJECT_OK;
}

/* As in Python, anybody may release a plain semaphore: its value grows. */
static enum object_status grow(struct lock *lock, struct object_call *call)
{
    if (lock->value + lock->extra >= VALUE_MAX)
        return call_problem(call, OBJECT_LIMIT, "the value of semaphore %s is %d already", lock->object.name,
                            VALUE_MAX);
    lock->extra++;
    lock_note_extra(lock);
    object_wake(&lock->object, ACQUIRERS);
    return OBJECT_OK;
}

static enum object_status release(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct lock *lock = lock_of(object);
    const struct argument *token = argument(arguments, "token");
    struct permit *permit;
    enum object_status status = own(lock, call, token, &permit);
    if (status == OBJECT_NOT_HOLDER && !token->given && lock->type == LOCK_SEMAPHORE)
        return grow(lock, call);
    if (status != OBJECT_OK)
        return status;
    if (--permit->depth == 0)
        permit_end(lock, permit);
    else
        permit_renew(lock, permit, 0);
    return OBJECT_OK;
}

/* ---- the object ---- */

static void inspect(const struct object *object, struct buf *out)
{
    const struct lock *lock = (const struct lock *)object;
    const struct permit *permit;
    int shown = 0;
    buf_printf(out, ",\"held\":%u,\"available\":%llu,\"recovered\":%s,\"holders\":[", HASH_COUNT(lock->by_token),
               (unsigned long long)lock_available(lock), lock->recovered ? "true" : "false");
    TAILQ_FOREACH(permit, &lock->permits, link)
    {
        if (shown == HOLDERS_SHOWN)
            break;
        buf_printf(out, "%s{\"token\":%llu,\"holder\":", shown++ ? "," : "", (unsigned long long)permit->token);
        buf_append_json_string(out, permit->holder_name, strlen(permit->holder_name));
        buf_printf(out, ",\"depth\":%llu,\"expires_ms\":", (unsigned long long)permit->depth);
        if (permit->expires_ms)
            buf_printf(out, "%lld}", (long long)permit->expires_ms);
        else
            buf_append_text(out, "null}");
    }
    buf_append_char(out, ']');
}

static const struct object_op operations[] = {
    {.name = "acquire",
     .run = acquire,
     .takes = {{"ttl", ARGUMENT_SECONDS, false}, {"token", ARGUMENT_INTEGER, false}},
     .waits_on = OBJECT_BUSY,
     .group = ACQUIRERS},
    {.name = "renew", .run = renew, .takes = {{"token", ARGUMENT_INTEGER, false}, {"ttl", ARGUMENT_SECONDS, true}}},
    {.name = "release", .run = release, .takes = {{"token", ARGUMENT_INTEGER, false}}},
    {0},
};

const struct object_kind_ops lock_ops = {
    .kind = OBJECT_LOCK,
    .name = "lock",
    .plural = "locks",
    .size = sizeof(struct lock),
    .implicit = true,
    .options = {{"type", ARGUMENT_TEXT, false}, {"value", ARGUMENT_INTEGER, false}},
    .configure = configure,
    .restore_entry = lock_restore_entry,
    .inspect = inspect,
    .release = lock_release_all,
    .holder_gone = lock_holder_gone,
    .timer = lock_timer,
    .operations = operations,
};
