/* Idempotency keys of get: who did not receive an answer asks again with the same key and gets the same elements. Kept
 * for an hour, 10,000 keys and 64 MiB a queue, the oldest go first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objects/queue.h"

enum { KEEP_MS = 3600 * 1000, KEYS_MAX = 10000, BYTES_MAX = 64 * 1024 * 1024 };

static size_t cost(const struct answered *answered)
{
    return OBJECT_COST(struct answered, answered->key_length + answered->length);
}

static struct answered *find(const struct queue *queue, const char *key, size_t length)
{
    struct answered *answered;
    HASH_FIND(hh, queue->answers, key, length, answered);
    return answered;
}

static struct answered *enter(struct queue *queue, const char *key, size_t key_length, const char *answer,
                              size_t length)
{
    struct answered *answered = calloc(1, sizeof *answered + key_length + length);
    CHECK(answered, "out of memory");
    answered->key_length = key_length;
    answered->length = length;
    memcpy(answered->data, key, key_length);
    memcpy(answered->data + key_length, answer, length);
    HASH_ADD_KEYPTR(hh, queue->answers, answered->data, key_length, answered);
    queue->answers_bytes += cost(answered);
    object_account(&queue->object, (ptrdiff_t)cost(answered));
    return answered;
}

static void leave(struct queue *queue, struct answered *answered)
{
    queue->answers_bytes -= cost(answered);
    object_account(&queue->object, -(ptrdiff_t)cost(answered));
    TAILQ_REMOVE(&queue->oldest, answered, link);
    HASH_DEL(queue->answers, answered);
    free(answered);
}

bool answer_again(struct queue *queue, struct object_call *call, const struct argument *key)
{
    const struct answered *answered = key->given ? find(queue, key->text, key->length) : NULL;
    if (answered)
        buf_append(&call->answer, answered->data + answered->key_length, answered->length);
    return answered != NULL;
}

static void entry_name(struct buf *name, const char *key, size_t length)
{
    buf_append_char(name, 'k');
    buf_append(name, key, length);
}

static void write_entry(struct queue *queue, const struct answered *answered)
{
    struct buf name = BUF_EMPTY, value = BUF_EMPTY;
    entry_name(&name, answered->data, answered->key_length);
    buf_printf(&value, "%lld %llu ", (long long)answered->at_ms, (unsigned long long)answered->order);
    buf_append(&value, answered->data + answered->key_length, answered->length);
    object_entry_put(&queue->object, name.data, name.length, value.data, value.length);
    buf_free(&name);
    buf_free(&value);
}

static void drop_entry(struct queue *queue, const struct answered *answered)
{
    struct buf name = BUF_EMPTY;
    entry_name(&name, answered->data, answered->key_length);
    object_entry_drop(&queue->object, name.data, name.length);
    buf_free(&name);
}

void answer_keep(struct queue *queue, const struct object_call *call, const struct argument *key)
{
    if (!key->given)
        return;
    struct answered *answered = enter(queue, key->text, key->length, call->answer.data, call->answer.length);
    answered->at_ms = object_wall_ms(&queue->object);
    answered->order = ++queue->answers_order;
    TAILQ_INSERT_TAIL(&queue->oldest, answered, link);
    write_entry(queue, answered);
    answers_trim(queue);
}

static bool must_go(const struct queue *queue, const struct answered *oldest, int64_t now_ms)
{
    return HASH_COUNT(queue->answers) > KEYS_MAX || oldest->at_ms + KEEP_MS <= now_ms ||
           (queue->answers_bytes > BYTES_MAX && HASH_COUNT(queue->answers) > 1);
}

void answers_trim(struct queue *queue)
{
    int64_t now_ms = object_wall_ms(&queue->object);
    struct answered *oldest;
    while ((oldest = TAILQ_FIRST(&queue->oldest)) && must_go(queue, oldest, now_ms)) {
        drop_entry(queue, oldest);
        leave(queue, oldest);
    }
    object_timer_set(&queue->object, &queue->forget,
                     oldest ? object_at_ns(&queue->object, oldest->at_ms + KEEP_MS) : INT64_MAX);
}

/* The keys come in their own order; how old they are is seen to when all are there. */
int answer_restore(struct queue *queue, const char *key, size_t key_length, const char *value, size_t length)
{
    uint64_t numbers[2];
    size_t behind = entry_numbers(value, length, numbers, 2);
    if (!behind || find(queue, key, key_length))
        return -1;
    struct answered *answered = enter(queue, key, key_length, value + behind, length - behind);
    answered->at_ms = (int64_t)numbers[0];
    answered->order = numbers[1];
    TAILQ_INSERT_TAIL(&queue->oldest, answered, link);
    if (answered->order > queue->answers_order)
        queue->answers_order = answered->order;
    return 0;
}

static int by_order(struct answered *a, struct answered *b)
{
    return a->order < b->order ? -1 : a->order > b->order;
}

void answers_restored(struct queue *queue)
{
    struct answered *answered, *next;
    HASH_SORT(queue->answers, by_order);
    TAILQ_INIT(&queue->oldest);
    HASH_ITER(hh, queue->answers, answered, next)
    {
        TAILQ_INSERT_TAIL(&queue->oldest, answered, link);
    }
    if (queue->answers)
        answers_trim(queue);
}

void answers_free(struct queue *queue)
{
    struct answered *answered;
    while ((answered = TAILQ_FIRST(&queue->oldest)))
        leave(queue, answered);
    object_timer_stop(&queue->object, &queue->forget);
}
