/* Leases: elements in somebody's hands. They come back in front when they are not acknowledged in time, are given back,
 * or when the item that has them is gone. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "objects/queue.h"

static const ptrdiff_t cost = (ptrdiff_t)OBJECT_COST(struct lease, 0);

static struct lease *enter(struct queue *queue, uint64_t token, struct element *element,
                           const struct object_holder *holder)
{
    struct lease *lease = calloc(1, sizeof *lease);
    CHECK(lease, "out of memory");
    lease->token = token;
    lease->element = element;
    lease->holder = *holder;
    HASH_ADD(hh, queue->leases, token, sizeof lease->token, lease);
    object_account(&queue->object, cost);
    object_hold(&queue->object, holder);
    return lease;
}

static void leave(struct queue *queue, struct lease *lease)
{
    object_timer_stop(&queue->object, &lease->timer);
    object_unhold(&queue->object, &lease->holder);
    object_account(&queue->object, -cost);
    HASH_DEL(queue->leases, lease);
    free(lease);
}

struct lease *lease_new(struct queue *queue, struct element *element, const struct object_holder *holder,
                        int64_t for_ns)
{
    struct object *object = &queue->object;
    struct lease *lease = enter(queue, object_token(object), element, holder);
    lease->expires_ms = object_wall_ms(object) + (for_ns + NS_PER_MS - 1) / NS_PER_MS;
    object_timer_set(object, &lease->timer, object_now_ns(object) + for_ns);
    if (!holder->run) {
        char text[48];
        struct entry_key key = entry_key('l', lease->token);
        int length = snprintf(text, sizeof text, "%llu %lld ", (unsigned long long)element->number,
                              (long long)lease->expires_ms);
        object_entry_put(object, key.bytes, sizeof key.bytes, text, (size_t)length);
    }
    return lease;
}

/* Ends the lease; the element is the caller's to return or to drop. */
static struct element *end(struct queue *queue, struct lease *lease)
{
    struct element *element = lease->element;
    if (!lease->holder.run) {
        struct entry_key key = entry_key('l', lease->token);
        object_entry_drop(&queue->object, key.bytes, sizeof key.bytes);
    }
    leave(queue, lease);
    return element;
}

static struct lease *find(const struct queue *queue, uint64_t token)
{
    struct lease *lease;
    HASH_FIND(hh, queue->leases, &token, sizeof token, lease);
    return lease;
}

static int token_of(const struct scan_walk *walk, uint64_t *token)
{
    long long number;
    if (walk->kind != SCAN_NUMBER || scan_integer(walk->value, walk->value_end, &number) != 0 || number < 0)
        return -1;
    *token = (uint64_t)number;
    return 0;
}

/* All must be there before any is ended. */
static enum object_status check_leases(struct queue *queue, struct object_call *call, const struct argument *leases)
{
    struct scan_walk walk;
    uint64_t token;
    for (argument_walk(leases, &walk); scan_next(&walk);) {
        if (token_of(&walk, &token) != 0)
            return call_problem(call, OBJECT_INVALID,
                                "argument \"leases\" must be an array of the numbers that get gave");
        if (!find(queue, token))
            return call_problem(
                call, OBJECT_NO_ENTRY,
                "queue %s has no lease %llu: it has expired, or its holder ended, or it was acknowledged",
                queue->object.name, (unsigned long long)token);
    }
    return OBJECT_OK;
}

static enum object_status end_leases(struct object *object, struct object_call *call, const struct arguments *arguments,
                                     void (*then)(struct queue *, struct element *))
{
    struct queue *queue = queue_of(object);
    const struct argument *leases = argument(arguments, "leases");
    struct scan_walk walk;
    uint64_t token;
    enum object_status status = check_leases(queue, call, leases);
    if (status != OBJECT_OK)
        return status;
    for (argument_walk(leases, &walk); scan_next(&walk);) {
        struct lease *lease = token_of(&walk, &token) == 0 ? find(queue, token) : NULL;
        if (lease) /* else it was named twice */
            then(queue, end(queue, lease));
    }
    return OBJECT_OK;
}

enum object_status queue_ack(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    return end_leases(object, call, arguments, element_drop);
}

enum object_status queue_nack(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    return end_leases(object, call, arguments, element_return);
}

void queue_lease_timer(struct queue *queue, struct object_timer *timer)
{
    struct lease *lease = (struct lease *)(void *)((char *)timer - offsetof(struct lease, timer));
    element_return(queue, end(queue, lease));
}

void queue_holder_gone(struct object *object, const struct object_holder *holder, bool died)
{
    struct queue *queue = queue_of(object);
    struct lease *lease, *next;
    (void)died;
    HASH_ITER(hh, queue->leases, lease, next)
    {
        if (same_holder(&lease->holder, holder))
            element_return(queue, end(queue, lease));
    }
}

int lease_restore(struct queue *queue, uint64_t token, uint64_t number, int64_t expires_ms)
{
    struct element *element = TAILQ_FIRST(&queue->elements);
    while (element && element->number != number)
        element = TAILQ_NEXT(element, link);
    if (!element || find(queue, token))
        return -1;
    element_take(queue, element);
    struct lease *lease = enter(queue, token, element, &(struct object_holder){0});
    lease->expires_ms = expires_ms;
    object_timer_set(&queue->object, &lease->timer, object_at_ns(&queue->object, expires_ms));
    return 0;
}

void leases_free(struct queue *queue)
{
    struct lease *lease, *next;
    HASH_ITER(hh, queue->leases, lease, next)
    {
        free(lease->element);
        leave(queue, lease);
    }
}
