/* list_sort: sort and reverse, in memory at once, in the store as many writes as there are elements that move. */
#include <float.h>
#include <stdlib.h>

#include "base/check.h"
#include "objects/json_order.h"
#include "objects/list_rows.h"
#include "objects/number.h"
#include "objects/version.h"

/* ---- a stable merge sort whose comparison may fail ---- */

/* An element with its number, if all of the list are numbers that a double holds exactly: then texts are read once. */
struct item {
    struct element *element;
    double number;
};

struct sorting {
    struct json_order order;
    bool reverse, numbers;
};

static bool take_number(struct item *item)
{
    const int64_t exact = (int64_t)1 << DBL_MANT_DIG;
    struct number number;
    const char *text = item->element->text, *end = text + item->element->length;
    if (number_parse(text, end, &number) != 0 || (!number.whole && number_is_integer(text, end)) ||
        (number.whole && (number.integer > exact || number.integer < -exact)))
        return false;
    item->number = number_real(&number);
    return true;
}

/* Whether `b` has to come before `a`, which stood before it. Equal ones stay, in reverse, too, as in Python. */
static bool goes_before(struct sorting *sorting, const struct item *b, const struct item *a)
{
    if (sorting->numbers)
        return sorting->reverse ? a->number < b->number : b->number < a->number;
    const struct element *x = a->element, *y = b->element;
    int order = json_compare(x->text, x->length, y->text, y->length, &sorting->order);
    return sorting->reverse ? order < 0 : order > 0;
}

static void merge(struct sorting *sorting, const struct item *from, size_t middle, size_t count, struct item *to)
{
    size_t left = 0, right = middle;
    for (size_t i = 0; i < count; i++) {
        bool take_right = left == middle || (right < count && goes_before(sorting, &from[right], &from[left]));
        to[i] = take_right ? from[right++] : from[left++];
    }
}

/* Merges runs of 1, 2, 4 … to and fro; returns which of the two arrays has the outcome. */
static struct item *merge_sort(struct sorting *sorting, struct item *from, struct item *to, size_t count)
{
    for (size_t run = 1; run < count && !sorting->order.failed; run *= 2) {
        for (size_t at = 0; at < count; at += 2 * run) {
            size_t rest = count - at;
            merge(sorting, from + at, run < rest ? run : rest, 2 * run < rest ? 2 * run : rest, to + at);
        }
        struct item *other = from;
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

static struct item *room_for(size_t count)
{
    struct item *room = calloc(count + 1, sizeof *room);
    CHECK(room, "out of memory for %zu elements", count);
    return room;
}

/* The elements get this order. Ranks belong to places: only elements on another place are written. */
static void arrange(struct list *list, const struct item *order, struct object_call *call)
{
    uint64_t *ranks = calloc(list->count + 1, sizeof *ranks);
    CHECK(ranks, "out of memory for %zu elements", list->count);
    for (size_t i = 0; i < list->count; i++)
        ranks[i] = (*list_at(list, i))->rank;
    for (size_t i = 0; i < list->count; i++)
        if (*list_at(list, i) != order[i].element)
            list_place(list, i, order[i].element, ranks[i]);
    free(ranks);
    list_changed(list, call);
}

enum object_status list_sort(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct list *list = list_of(object);
    struct sorting sorting = {.reverse = argument(arguments, "reverse")->truth, .numbers = true};
    enum object_status status = may_rewrite(object, call, arguments);
    if (status != OBJECT_OK)
        return status;
    struct item *one = room_for(list->count), *other = room_for(list->count);
    for (size_t i = 0; i < list->count; i++) {
        one[i].element = *list_at(list, i);
        sorting.numbers = sorting.numbers && take_number(&one[i]);
    }
    struct item *sorted = merge_sort(&sorting, one, other, list->count);
    if (sorting.order.failed)
        status = call_problem(call, OBJECT_INVALID, "list %s cannot be sorted: %s", object->name, sorting.order.reason);
    else
        arrange(list, sorted, call);
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
    struct item *reversed = room_for(list->count);
    for (size_t i = 0; i < list->count; i++)
        reversed[i].element = *list_at(list, list->count - 1 - i);
    arrange(list, reversed, call);
    free(reversed);
    return OBJECT_OK;
}
