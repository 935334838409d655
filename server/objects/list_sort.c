/* list_sort: sort and reverse, in memory at once, in the store as many writes as there are elements that move. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objects/json_order.h"
#include "objects/list_rows.h"
#include "objects/version.h"

/* ---- a stable merge sort whose comparison may fail ---- */

struct sorting {
    struct json_order order;
    bool reverse;
};

/* Whether `b` has to come before `a`, which stood before it. Equal ones stay, in reverse, too, as in Python. */
static bool goes_before(struct sorting *sorting, const struct element *b, const struct element *a)
{
    int order = json_compare(a->text, a->length, b->text, b->length, &sorting->order);
    return sorting->reverse ? order < 0 : order > 0;
}

static void merge(struct sorting *sorting, struct element **from, size_t middle, size_t count, struct element **to)
{
    size_t left = 0, right = middle;
    for (size_t i = 0; i < count; i++) {
        bool take_right = left == middle || (right < count && goes_before(sorting, from[right], from[left]));
        to[i] = take_right ? from[right++] : from[left++];
    }
}

/* Merges runs of 1, 2, 4 … to and fro; returns which of the two arrays has the outcome. */
static struct element **merge_sort(struct sorting *sorting, struct element **from, struct element **to, size_t count)
{
    for (size_t run = 1; run < count && !sorting->order.failed; run *= 2) {
        for (size_t at = 0; at < count; at += 2 * run) {
            size_t rest = count - at;
            merge(sorting, from + at, run < rest ? run : rest, 2 * run < rest ? 2 * run : rest, to + at);
        }
        struct element **other = from;
        from = to;
        to = other;
    }
    return from;
}

/* ---- operations ---- */

static enum object_status may_rewrite(struct object *object, struct object_call *call,
                                      const struct arguments *arguments)
{
    if (list_of(object)->count > LIST_REWRITE_MAX)
        return call_problem(call, OBJECT_LIMIT, "list %s has %zu elements, %s does at most %d", object->name,
                            list_of(object)->count, call->op, LIST_REWRITE_MAX);
    return version_matches(call, arguments, object->version);
}

/* The elements get this order. Ranks belong to places: only elements on another place are written. */
static void arrange(struct list *list, struct element *const *order, uint64_t *ranks)
{
    for (size_t i = 0; i < list->count; i++)
        ranks[i] = (*list_at(list, i))->rank;
    for (size_t i = 0; i < list->count; i++)
        if (*list_at(list, i) != order[i])
            list_place(list, i, order[i], ranks[i]);
}

static void *room_for(size_t count)
{
    void *room = calloc(count + 1, sizeof(uint64_t) > sizeof(void *) ? sizeof(uint64_t) : sizeof(void *));
    CHECK(room, "out of memory for %zu elements", count);
    return room;
}

enum object_status list_sort(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct list *list = list_of(object);
    struct sorting sorting = {.reverse = argument(arguments, "reverse")->truth};
    enum object_status status = may_rewrite(object, call, arguments);
    if (status != OBJECT_OK)
        return status;
    struct element **one = room_for(list->count), **other = room_for(list->count);
    uint64_t *ranks = room_for(list->count);
    if (list->count)
        memcpy(one, list_at(list, 0), list->count * sizeof *one);
    struct element **sorted = merge_sort(&sorting, one, other, list->count);
    if (sorting.order.failed) {
        status = call_problem(call, OBJECT_INVALID, "list %s cannot be sorted: %s", object->name, sorting.order.reason);
    } else {
        arrange(list, sorted, ranks);
        list_changed(list, call);
    }
    free(ranks);
    free(one);
    free(other);
    return status;
}

enum object_status list_reverse(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct list *list = list_of(object);
    enum object_status status = may_rewrite(object, call, arguments);
    if (status != OBJECT_OK)
        return status;
    struct element **reversed = room_for(list->count);
    uint64_t *ranks = room_for(list->count);
    for (size_t i = 0; i < list->count; i++)
        reversed[i] = *list_at(list, list->count - 1 - i);
    arrange(list, reversed, ranks);
    list_changed(list, call);
    free(ranks);
    free(reversed);
    return OBJECT_OK;
}
