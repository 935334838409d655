#include "objects/list_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objects/version.h"

/* The first element's rank, and how far apart neighbours are at an end: room for 2^35 elements there, and for 28
 * insertions at one place between two of them before ranks are given anew. */
#define RANK_MIDDLE ((uint64_t)1 << 63)
#define RANK_STEP ((uint64_t)1 << 28)

enum { SMALLEST = 16 };

/* ---- memory ---- */

size_t list_cost(size_t length)
{
    return OBJECT_COST(struct element, length) + sizeof(struct element *);
}

enum object_status list_fits(struct list *list, struct object_call *call, size_t added, size_t bytes)
{
    if (list->count + added > OBJECT_ELEMENTS_MAX)
        return call_problem(call, OBJECT_LIMIT, "list %s has %zu elements, at most %d may be", list->object.name,
                            list->count, OBJECT_ELEMENTS_MAX);
    return object_room(&list->object, call, bytes);
}

struct element *element_new(const char *text, size_t length)
{
    struct element *element = malloc(sizeof *element + length);
    CHECK(element, "out of memory for an element of %zu bytes", length);
    element->length = (uint32_t)length;
    memcpy(element->text, text, length);
    return element;
}

/* Elements move into another array that has at least as much room beside them, half of it at each end: what is spent
 * here is paid by as many insertions, at whichever end (and a queue that wanders through its array starts anew). */
static void move_to_middle(struct list *list, size_t added)
{
    size_t capacity = SMALLEST;
    while (capacity < 2 * (list->count + added))
        capacity *= 2;
    struct element **room = malloc(capacity * sizeof *room);
    CHECK(room, "out of memory for %zu elements", capacity);
    size_t first = (capacity - list->count - added) / 2;
    if (list->count)
        memcpy(room + first, list_at(list, 0), list->count * sizeof *room);
    free(list->room);
    list->room = room;
    list->first = first;
    list->capacity = capacity;
}

/* Makes room for `added` pointers before `index`: the shorter side moves. */
static void open_hole(struct list *list, size_t index, size_t added)
{
    size_t rest = list->count - index;
    bool to_front = index < rest;
    size_t room = to_front ? list->first : list->capacity - list->first - list->count;
    if (room < added) {
        move_to_middle(list, added);
        to_front = false; /* behind there is room for them in any case */
    }
    if (to_front) {
        memmove(list_at(list, 0) - added, list_at(list, 0), index * sizeof *list->room);
        list->first -= added;
    } else {
        memmove(list_at(list, index) + added, list_at(list, index), rest * sizeof *list->room);
    }
    list->count += added;
}

static void close_hole(struct list *list, size_t index, size_t removed)
{
    size_t rest = list->count - index - removed;
    if (index < rest) {
        memmove(list_at(list, removed), list_at(list, 0), index * sizeof *list->room);
        list->first += removed;
    } else {
        memmove(list_at(list, index), list_at(list, index + removed), rest * sizeof *list->room);
    }
    list->count -= removed;
    if (list->count == 0) {
        free(list->room);
        list->room = NULL;
        list->first = list->capacity = 0;
    }
}

/* ---- the store ---- */

static void write_element(struct list *list, const struct element *element)
{
    struct entry_key key = entry_key('e', element->rank);
    object_entry_put(&list->object, &key, sizeof key, element->text, element->length);
}

static void forget_element(struct list *list, const struct element *element)
{
    struct entry_key key = entry_key('e', element->rank);
    object_entry_drop(&list->object, &key, sizeof key);
}

/* ---- ranks ---- */

/* Elements [from, to) and the numbers [base, base + 2^bits) that they share. */
struct window {
    size_t from, to;
    uint64_t base;
    unsigned bits;
};

/* Grows around the hole [index, index + added) until no more than (4/3)^bits elements share 2^bits numbers. */
static struct window thin_window(const struct list *list, size_t index, size_t added)
{
    uint64_t anchor = (*list_at(list, index > 0 ? index - 1 : index + added))->rank;
    struct window window = {.from = index, .to = index + added};
    double most = 1;
    do {
        uint64_t inside = ++window.bits < 64 ? ((uint64_t)1 << window.bits) - 1 : UINT64_MAX;
        window.base = anchor & ~inside;
        most *= 4.0 / 3;
        while (window.from > 0 && (*list_at(list, window.from - 1))->rank >= window.base)
            window.from--;
        while (window.to < list->count && (*list_at(list, window.to))->rank <= (window.base | inside))
            window.to++;
    } while (window.bits < 64 && (double)(window.to - window.from) > most);
    return window;
}

/* Spreads all of the window evenly. The new ones among them are written by list_insert, as always. */
static void rank_anew(struct list *list, size_t index, size_t added)
{
    struct window window = thin_window(list, index, added);
    unsigned __int128 step = ((unsigned __int128)1 << window.bits) / (window.to - window.from + 1);
    CHECK(step > 0, "%zu elements in 2^%u ranks", window.to - window.from, window.bits);
    for (size_t i = window.from; i < window.to; i++)
        if (i < index || i >= index + added)
            forget_element(list, *list_at(list, i));
    for (size_t i = window.from; i < window.to; i++) {
        (*list_at(list, i))->rank = window.base + (uint64_t)(step * (i - window.from + 1));
        if (i < index || i >= index + added)
            write_element(list, *list_at(list, i));
    }
}

/* Ranks for the new elements [index, index + added). */
static void rank_new(struct list *list, size_t index, size_t added)
{
    bool is_first = index == 0, is_last = index + added == list->count;
    uint64_t low = is_first ? 0 : (*list_at(list, index - 1))->rank;
    uint64_t high = is_last ? UINT64_MAX : (*list_at(list, index + added))->rank;
    if (is_first && is_last)
        low = RANK_MIDDLE;
    uint64_t step = (high - low) / (added + 1);
    if (step == 0) {
        rank_anew(list, index, added);
        return;
    }
    if ((is_first || is_last) && step > RANK_STEP)
        step = RANK_STEP;
    if (is_first && !is_last)
        low = high - step * (added + 1);
    for (size_t i = 0; i < added; i++)
        (*list_at(list, index + i))->rank = low + step * (i + 1);
}

/* ---- changes ---- */

void list_replace(struct list *list, size_t index, struct element *element)
{
    struct element *old = *list_at(list, index);
    element->rank = old->rank;
    *list_at(list, index) = element;
    object_account(&list->object, (ptrdiff_t)element->length - (ptrdiff_t)old->length);
    free(old);
    write_element(list, element);
}

void list_insert(struct list *list, size_t index, struct element *const *elements, size_t added)
{
    size_t bytes = 0;
    if (added == 0)
        return;
    open_hole(list, index, added);
    memcpy(list_at(list, index), elements, added * sizeof(struct element *));
    rank_new(list, index, added);
    for (size_t i = 0; i < added; i++) {
        write_element(list, elements[i]);
        bytes += list_cost(elements[i]->length);
    }
    object_account(&list->object, (ptrdiff_t)bytes);
}

void list_delete(struct list *list, size_t index, size_t removed)
{
    size_t bytes = 0;
    if (removed == 0)
        return;
    for (size_t i = index; i < index + removed; i++) {
        struct element *element = *list_at(list, i);
        bytes += list_cost(element->length);
        forget_element(list, element);
        free(element);
    }
    close_hole(list, index, removed);
    object_account(&list->object, -(ptrdiff_t)bytes);
}

void list_place(struct list *list, size_t index, struct element *element, uint64_t rank)
{
    element->rank = rank;
    *list_at(list, index) = element;
    write_element(list, element);
}

void list_changed(struct list *list, struct object_call *call)
{
    call->version = version_next(&list->object, &list->reserved);
}

/* ---- coming back and going ---- */

int list_restore_entry(struct object *object, const char *key, size_t key_length, const char *value, size_t length,
                       struct error *error)
{
    struct list *list = list_of(object);
    if (version_restore(object, &list->reserved, key, key_length, value, length))
        return 0;
    uint64_t rank = key_length == ENTRY_KEY_SIZE ? entry_key_number(key) : 0;
    bool behind = list->count == 0 || (*list_at(list, list->count - 1))->rank < rank;
    if (key_length != ENTRY_KEY_SIZE || key[0] != 'e' || length == 0 || length > UINT32_MAX || !behind)
        return error_set(error, "list %s has an entry that is none", object->name);
    struct element *element = element_new(value, length);
    element->rank = rank;
    open_hole(list, list->count, 1);
    *list_at(list, list->count - 1) = element;
    object_account(object, (ptrdiff_t)list_cost(length));
    return 0;
}

void list_release(struct object *object)
{
    struct list *list = list_of(object);
    for (size_t i = 0; i < list->count; i++)
        free(*list_at(list, i));
    free(list->room);
}
