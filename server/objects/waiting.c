/* waiting: calls that cannot be answered yet. Each waits in one group of its object, in the order of arrival; when the
 * object changes, the first of the group is tried again, then the next, until one still has to wait. A deadline gives
 * a call one last try, whose status is its answer. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "objects/inside.h"

static const char *default_problem(enum object_status status)
{
    static const char *const texts[OBJECT_STATUSES] = {
        [OBJECT_MISSING] = "does not exist",
        [OBJECT_NO_ENTRY] = "has no such entry",
        [OBJECT_EXISTS] = "exists with another configuration",
        [OBJECT_EMPTY] = "is empty",
        [OBJECT_QUEUE_FULL] = "is full",
        [OBJECT_BUSY] = "is held",
        [OBJECT_NOT_HOLDER] = "is not held by this caller",
        [OBJECT_CLOSED] = "is closed",
        [OBJECT_CHANGED] = "has been changed",
        [OBJECT_INVALID] = "cannot take this argument",
        [OBJECT_OVERFLOW] = "cannot hold this value",
        [OBJECT_LIMIT] = "is at a limit",
        [OBJECT_NO_ROOM] = "has no room: the memory for objects is used up",
        [OBJECT_DELETED] = "was deleted meanwhile",
        [OBJECT_GIVEN_UP] = "was not waited for any longer",
    };
    return texts[status];
}

void call_finish(struct object_call *call, enum object_status status)
{
    CHECK(call->waits_for == NULL && status < OBJECT_STATUSES, "status %d", (int)status);
    buf_free(&call->kept);
    call->status = status;
    if (status == OBJECT_OK || status == OBJECT_CREATED)
        call->problem[0] = '\0';
    else
        buf_free(&call->answer);
    if (call->problem[0] == '\0' && default_problem(status))
        snprintf(call->problem, sizeof call->problem, "%s %s %s", object_kind_name(call->kind), call->name,
                 default_problem(status));
    call->done(call);
}

bool call_try(struct object *object, struct object_call *call, enum object_status *status)
{
    struct arguments arguments;
    call->problem[0] = '\0';
    *status = arguments_read(&arguments, call->operation->takes, call);
    if (*status == OBJECT_OK)
        *status = call->operation->run(object, call, &arguments);
    arguments_free(&arguments);
    return *status == OBJECT_OK || *status != call->operation->waits_on || !call->may_wait;
}

static void keep_arguments(struct object_call *call)
{
    if (call->kept.data != call->args || call->args_length == 0) {
        buf_clear(&call->kept, 0);
        buf_append(&call->kept, call->args, call->args_length);
    }
    call->args = buf_cstr(&call->kept);
    call->raw = NULL;
    call->raw_length = 0;
}

void call_wait(struct object *object, struct object_call *call, enum object_status status)
{
    if (object->waiting >= OBJECT_WAITERS_MAX) {
        call_problem(call, OBJECT_LIMIT, "%u calls wait for %s %s already", object->waiting, object->ops->name,
                     object->name);
        call_finish(call, OBJECT_LIMIT);
        return;
    }
    CHECK(call->group < OBJECT_GROUPS, "group %u", call->group);
    keep_arguments(call);
    call->status = status;
    call->waits_for = object;
    TAILQ_INSERT_TAIL(&object->waiters[call->group], call, wait_link);
    object->waiting++;
    object->all->waiting++;
    holder_waits(object->all, call);
    timers_set(&object->all->timers, &call->timer, call->deadline_ns);
}

void call_leave(struct object_call *call)
{
    struct object *object = call->waits_for;
    TAILQ_REMOVE(&object->waiters[call->group], call, wait_link);
    object->waiting--;
    object->all->waiting--;
    holder_waits_no_more(object->all, call);
    timers_stop(&object->all->timers, &call->timer);
    call->waits_for = NULL;
    object_wake(object, call->group); /* who is first now may want less than this one did */
}

/* Nobody is there any more to take the answer. */
static bool is_gone(struct object_call *call)
{
    bool gone = call->gone && call->gone(call);
    if (gone)
        call->problem[0] = '\0';
    return gone;
}

void call_expire(struct object_call *call)
{
    struct object *object = call->waits_for;
    enum object_status status = OBJECT_GIVEN_UP;
    call->may_wait = false;
    if (!is_gone(call))
        call_try(object, call, &status);
    call_leave(call);
    call_finish(call, status);
    object_settle(object);
}

void objects_give_up(struct objects *all, struct object_call *call)
{
    struct object *object = call->waits_for;
    (void)all;
    CHECK(object, "a call that does not wait is given up");
    call->problem[0] = '\0';
    call_leave(call);
    call_finish(call, OBJECT_GIVEN_UP);
    object_settle(object);
}

void object_dismiss_all(struct object *object, enum object_status status)
{
    for (unsigned group = 0; group < OBJECT_GROUPS; group++) {
        for (struct object_call *call; (call = TAILQ_FIRST(&object->waiters[group]));) {
            call->problem[0] = '\0';
            call_leave(call);
            call_finish(call, status);
        }
    }
    object->wake = 0;
}

void object_wake(struct object *object, unsigned group)
{
    object->wake |= 1U << group;
}

bool object_ahead(const struct object *object, unsigned group, const struct object_call *call)
{
    const struct object_call *first = TAILQ_FIRST(&object->waiters[group]);
    return first && first != call;
}

static void try_group(struct object *object, unsigned group)
{
    for (struct object_call *call; (call = TAILQ_FIRST(&object->waiters[group]));) {
        enum object_status status;
        if (is_gone(call)) {
            call_leave(call);
            object->wake &= ~(1U << group);
            call_finish(call, OBJECT_GIVEN_UP);
            continue;
        }
        if (call->operation->ready && !call->operation->ready(object, call))
            return;
        if (!call_try(object, call, &status))
            return;
        call_leave(call);
        object->wake &= ~(1U << group); /* by call_leave: this loop goes on anyway */
        call_finish(call, status);
    }
}

void object_settle(struct object *object)
{
    while (object->wake) {
        unsigned group = (unsigned)__builtin_ctz(object->wake);
        object->wake &= ~(1U << group);
        try_group(object, group);
    }
}
