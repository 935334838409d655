/* queue: first in, first out, for as many producers and consumers as there are. See queue.h for what is kept where.
 *
 * Getters are served in the order of arrival with what is there when their turn comes; who asks for more than is there
 * does not hold up others. Putters wait for room in their order, too: many values wait until all of them fit. */
#include <stdlib.h>

#include "base/clock.h"
#include "objects/queue.h"

enum {
    GET_MAX = 10000,
    GET_BYTES = OBJECT_VALUE_MAX, /* of one answer, unless its first element alone is longer: it must fit a frame */
    LEASE_BYTES = 24,             /* of a token in the answer */
};

static enum object_status configure(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct queue *queue = queue_of(object);
    const struct argument *maxsize = argument(arguments, "maxsize");
    int64_t most = maxsize->given && maxsize->integer > 0 ? maxsize->integer : 0; /* as in Python: ≤ 0 is none */
    TAILQ_INIT(&queue->elements);
    TAILQ_INIT(&queue->oldest);
    if (most > OBJECT_ELEMENTS_MAX)
        return call_problem(call, OBJECT_INVALID, "argument \"maxsize\" must be at most %d (0: as many)",
                            OBJECT_ELEMENTS_MAX);
    queue->maxsize = (uint64_t)most;
    buf_printf(&object->config, "{\"maxsize\":%lld}", (long long)most);
    return OBJECT_OK;
}

static int restored(struct object *object, struct error *error)
{
    struct queue *queue = queue_of(object);
    answers_restored(queue);
    if (queue->done > queue->puts)
        return error_set(error, "queue %s has more that is done than was put", object->name);
    return 0;
}

static void inspect(const struct object *object, struct buf *out)
{
    const struct queue *queue = (const struct queue *)object;
    buf_printf(out, ",\"size\":%llu,\"leased\":%u,\"unfinished\":%llu", (unsigned long long)queue->size,
               HASH_COUNT(queue->leases), (unsigned long long)queue_unfinished(queue));
}

static void release(struct object *object)
{
    struct queue *queue = queue_of(object);
    struct element *element;
    while ((element = TAILQ_FIRST(&queue->elements))) {
        TAILQ_REMOVE(&queue->elements, element, link);
        free(element);
    }
    leases_free(queue);
    answers_free(queue);
}

static void timer(struct object *object, struct object_timer *which)
{
    struct queue *queue = queue_of(object);
    if (which == &queue->forget)
        answers_trim(queue);
    else
        queue_lease_timer(queue, which);
}

/* ---- put ---- */

static bool put_ready(struct object *object, const struct object_call *call)
{
    const struct queue *queue = queue_of(object);
    return queue->maxsize == 0 || queue->size + call->needs <= queue->maxsize;
}

static enum object_status put_check(struct queue *queue, struct object_call *call, size_t count, size_t bytes)
{
    struct object *object = &queue->object;
    call->needs = count;
    if (queue->maxsize && count > queue->maxsize)
        return call_problem(call, OBJECT_LIMIT, "%zu values never fit into queue %s with its maxsize of %llu", count,
                            object->name, (unsigned long long)queue->maxsize);
    if (queue->size + HASH_COUNT(queue->leases) + count > OBJECT_ELEMENTS_MAX)
        return call_problem(call, OBJECT_LIMIT, "queue %s would have more than %d elements", object->name,
                            OBJECT_ELEMENTS_MAX);
    if (object_ahead(object, PUTTERS, call) || !put_ready(object, call))
        return OBJECT_QUEUE_FULL;
    return object_room(object, call, bytes);
}

static enum object_status put_answer(struct queue *queue, struct object_call *call)
{
    object_wake(&queue->object, GETTERS);
    answer_integer(call, "size", (int64_t)queue->size);
    return OBJECT_OK;
}

static enum object_status put_many(struct queue *queue, struct object_call *call, const struct argument *values)
{
    size_t length = (size_t)(values->end - values->at);
    struct scan_walk walk;
    enum object_status status = put_check(queue, call, values->count, length + values->count * element_cost(0));
    if (status != OBJECT_OK)
        return status;
    for (argument_walk(values, &walk); scan_next(&walk);)
        element_append(queue, walk.value, (size_t)(walk.value_end - walk.value));
    return put_answer(queue, call);
}

static enum object_status put(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct queue *queue = queue_of(object);
    const struct argument *value = argument(arguments, "value"), *values = argument(arguments, "values");
    if (value->given == values->given)
        return call_problem(call, OBJECT_INVALID, "put needs either \"value\" or \"values\"");
    if (values->given)
        return put_many(queue, call, values);
    size_t length = (size_t)(value->end - value->at);
    enum object_status status = put_check(queue, call, 1, element_cost(length));
    if (status != OBJECT_OK)
        return status;
    element_append(queue, value->at, length);
    return put_answer(queue, call);
}

/* ---- get ---- */

/* Values into the answer, elements out of the queue: dropped, or kept in leases whose tokens go to `leases`. */
static void take(struct queue *queue, struct object_call *call, int64_t most, const struct argument *lease,
                 struct buf *leases)
{
    struct element *element;
    for (size_t bytes = 0; most > 0 && (element = TAILQ_FIRST(&queue->elements)); most--) {
        bytes += element->length + LEASE_BYTES;
        if (leases->length && bytes > GET_BYTES)
            return;
        const char *comma = leases->length ? "," : "";
        buf_append_text(&call->answer, comma);
        buf_append(&call->answer, element->data, element->length);
        element_take(queue, element);
        if (lease->given) {
            const struct lease *made = lease_new(queue, element, &call->holder, lease->integer);
            buf_printf(leases, "%s%llu", comma, (unsigned long long)made->token);
        } else {
            element_drop(queue, element);
            buf_append_char(leases, ' ');
        }
    }
}

static enum object_status get_check(const struct argument *n, const struct argument *lease, const struct argument *key,
                                    struct object_call *call)
{
    if (n->given && (n->integer < 1 || n->integer > GET_MAX))
        return call_problem(call, OBJECT_INVALID, "argument \"n\" must be from 1 to %d", GET_MAX);
    if (lease->given && lease->integer <= 0)
        return call_problem(call, OBJECT_INVALID, "argument \"lease\" must be a number of seconds above 0");
    if (key->given && key->length == 0)
        return call_problem(call, OBJECT_INVALID, "argument \"key\" must not be empty");
    return OBJECT_OK;
}

static enum object_status get(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct queue *queue = queue_of(object);
    const struct argument *n = argument(arguments, "n"), *lease = argument(arguments, "lease");
    const struct argument *key = argument(arguments, "key");
    struct buf leases = BUF_EMPTY;
    enum object_status status = get_check(n, lease, key, call);
    if (status != OBJECT_OK || answer_again(queue, call, key))
        return status;
    if (queue->size == 0 || object_ahead(object, GETTERS, call))
        return OBJECT_EMPTY;
    buf_append_text(&call->answer, "{\"values\":[");
    take(queue, call, n->given ? n->integer : 1, lease, &leases);
    buf_append_char(&call->answer, ']');
    if (lease->given) {
        buf_append_text(&call->answer, ",\"leases\":[");
        buf_append(&call->answer, leases.data, leases.length);
        buf_append_char(&call->answer, ']');
    }
    buf_append_char(&call->answer, '}');
    buf_free(&leases);
    answer_keep(queue, call, key);
    object_wake(object, PUTTERS);
    return OBJECT_OK;
}

/* ---- the others ---- */

static enum object_status size(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    const struct queue *queue = queue_of(object);
    (void)arguments;
    buf_printf(&call->answer, "{\"size\":%llu,\"leased\":%u,\"unfinished\":%llu,\"maxsize\":%llu}",
               (unsigned long long)queue->size, HASH_COUNT(queue->leases), (unsigned long long)queue_unfinished(queue),
               (unsigned long long)queue->maxsize);
    return OBJECT_OK;
}

static void done(struct queue *queue, uint64_t count)
{
    queue->done += count;
    queue_note_counters(queue);
    if (queue_unfinished(queue) == 0)
        object_wake(&queue->object, JOINERS);
}

static enum object_status task_done(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct queue *queue = queue_of(object);
    const struct argument *count = argument(arguments, "count");
    int64_t number = count->given ? count->integer : 1;
    if (number < 1)
        return call_problem(call, OBJECT_INVALID, "argument \"count\" must be at least 1");
    if ((uint64_t)number > queue_unfinished(queue))
        return call_problem(call, OBJECT_NOT_HOLDER, "queue %s: task_done was called more often than elements were put",
                            object->name);
    done(queue, (uint64_t)number);
    return OBJECT_OK;
}

static enum object_status join(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    const struct queue *queue = queue_of(object);
    (void)arguments;
    if (queue_unfinished(queue) == 0)
        return OBJECT_OK;
    return call_problem(call, OBJECT_BUSY, "queue %s: %llu elements are not done", object->name,
                        (unsigned long long)queue_unfinished(queue));
}

/* What nobody will get, nobody can finish: it counts as done. */
static enum object_status clear(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct queue *queue = queue_of(object);
    uint64_t count = queue->size, unfinished = queue_unfinished(queue);
    struct element *element;
    (void)arguments;
    while ((element = TAILQ_FIRST(&queue->elements))) {
        element_take(queue, element);
        element_drop(queue, element);
    }
    if (count)
        done(queue, count < unfinished ? count : unfinished);
    object_wake(object, PUTTERS);
    answer_integer(call, "removed", (int64_t)count);
    return OBJECT_OK;
}

static const struct object_op operations[] = {
    {.name = "put",
     .run = put,
     .takes = {{"value", ARGUMENT_VALUE, false}, {"values", ARGUMENT_VALUES, false}},
     .waits_on = OBJECT_QUEUE_FULL,
     .group = PUTTERS,
     .ready = put_ready},
    {.name = "get",
     .run = get,
     .takes = {{"n", ARGUMENT_INTEGER, false}, {"lease", ARGUMENT_SECONDS, false}, {"key", ARGUMENT_TEXT, false}},
     .waits_on = OBJECT_EMPTY,
     .group = GETTERS},
    {.name = "ack", .run = queue_ack, .takes = {{"leases", ARGUMENT_VALUES, true}}},
    {.name = "nack", .run = queue_nack, .takes = {{"leases", ARGUMENT_VALUES, true}}},
    {.name = "size", .run = size},
    {.name = "task_done", .run = task_done, .takes = {{"count", ARGUMENT_INTEGER, false}}},
    {.name = "join", .run = join, .waits_on = OBJECT_BUSY, .group = JOINERS},
    {.name = "clear", .run = clear},
    {0},
};

const struct object_kind_ops queue_ops = {
    .kind = OBJECT_QUEUE,
    .name = "queue",
    .plural = "queues",
    .size = sizeof(struct queue),
    .implicit = true,
    .options = {{"maxsize", ARGUMENT_INTEGER, false}},
    .configure = configure,
    .restore_entry = queue_restore_entry,
    .restored = restored,
    .inspect = inspect,
    .release = release,
    .holder_gone = queue_holder_gone,
    .timer = timer,
    .operations = operations,
};
