/* The elements of a queue, in memory and in the store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objects/queue.h"

size_t element_cost(size_t length)
{
    return OBJECT_COST(struct element, length);
}

static struct element *element_new(struct queue *queue, uint64_t number, const char *data, size_t length)
{
    struct element *element = malloc(sizeof *element + length);
    CHECK(element, "out of memory");
    element->number = number;
    element->length = length;
    memcpy(element->data, data, length);
    TAILQ_INSERT_TAIL(&queue->elements, element, link);
    queue->size++;
    object_account(&queue->object, (ptrdiff_t)element_cost(length));
    return element;
}

void element_append(struct queue *queue, const char *data, size_t length)
{
    struct element *element = element_new(queue, ++queue->puts, data, length);
    struct entry_key key = entry_key('e', element->number);
    object_entry_put(&queue->object, key.bytes, sizeof key.bytes, data, length);
}

void element_take(struct queue *queue, struct element *element)
{
    TAILQ_REMOVE(&queue->elements, element, link);
    queue->size--;
    if (queue->returned == element)
        queue->returned = NULL;
}

void element_return(struct queue *queue, struct element *element)
{
    struct element *next = queue->returned;
    if (!next || next->number > element->number)
        next = TAILQ_FIRST(&queue->elements);
    while (next && next->number < element->number)
        next = TAILQ_NEXT(next, link);
    if (next)
        TAILQ_INSERT_BEFORE(next, element, link);
    else
        TAILQ_INSERT_TAIL(&queue->elements, element, link);
    queue->returned = element;
    queue->size++;
    object_wake(&queue->object, GETTERS);
}

void element_drop(struct queue *queue, struct element *element)
{
    struct entry_key key = entry_key('e', element->number);
    object_entry_drop(&queue->object, key.bytes, sizeof key.bytes);
    if (element->number == queue->puts)
        queue_note_counters(queue);
    object_account(&queue->object, -(ptrdiff_t)element_cost(element->length));
    free(element);
}

void queue_note_counters(struct queue *queue)
{
    char text[48];
    int length =
        snprintf(text, sizeof text, "%llu %llu ", (unsigned long long)queue->puts, (unsigned long long)queue->done);
    object_entry_put(&queue->object, "c", 1, text, (size_t)length);
}

static int restore_element(struct queue *queue, uint64_t number, const char *value, size_t length)
{
    const struct element *last = TAILQ_LAST(&queue->elements, element_list);
    if (number == 0 || (last && number <= last->number))
        return -1;
    element_new(queue, number, value, length);
    if (number > queue->puts)
        queue->puts = number;
    return 0;
}

int queue_restore_entry(struct object *object, const char *key, size_t key_length, const char *value, size_t length,
                        struct error *error)
{
    struct queue *queue = queue_of(object);
    uint64_t numbers[2];
    int result = -1;
    if (key_length == 1 && key[0] == 'c' && entry_numbers(value, length, numbers, 2)) {
        queue->puts = numbers[0];
        queue->done = numbers[1];
        result = 0;
    } else if (key_length == ENTRY_KEY_SIZE && key[0] == 'e') {
        result = restore_element(queue, entry_key_number(key), value, length);
    } else if (key_length > 1 && key[0] == 'k') {
        result = answer_restore(queue, key + 1, key_length - 1, value, length);
    } else if (key_length == ENTRY_KEY_SIZE && key[0] == 'l' && entry_numbers(value, length, numbers, 2)) {
        result = lease_restore(queue, entry_key_number(key), numbers[0], (int64_t)numbers[1]);
    }
    return result == 0 ? 0 : entry_nonsense(object, key, key_length, error);
}
