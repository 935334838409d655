/* list_rows: the elements of a list in memory and in the store; what list.c, list_many.c and list_sort.c share.
 *
 * In memory an array of pointers with room at both ends, so that a list makes a good queue. In the store an entry per
 * element whose key is "e" + its rank, a number between those of its neighbours: an insertion in the middle writes one
 * entry. When there is no number left between two, ranks are given anew in the smallest surrounding range of numbers
 * that is thin enough (Bender et al., Two Simplified Algorithms for Maintaining Order in a List, ESA 2002), which costs
 * O(log n) writes for each insertion on average, wherever they come. */
#ifndef POOLD_OBJECTS_LIST_ROWS_H
#define POOLD_OBJECTS_LIST_ROWS_H

#include "objects/kind.h"

struct element {
    uint64_t rank;
    uint32_t length;
    char text[];
};

struct list {
    struct object object;
    struct element **room; /* room[first … first + count) are the elements */
    size_t first, count, capacity;
    uint64_t reserved; /* see version.h */
};

enum { LIST_REWRITE_MAX = 1000000 }; /* elements: sort and reverse write nearly all of them at once */

static inline struct list *list_of(struct object *object)
{
    return (struct list *)object;
}

static inline struct element **list_at(const struct list *list, size_t index)
{
    return &list->room[list->first + index];
}

/* What an element of this length costs. */
size_t list_cost(size_t length);
/* Whether so many elements and bytes more may come: OBJECT_OK, LIMIT or NO_ROOM. */
enum object_status list_fits(struct list *, struct object_call *, size_t added, size_t bytes);

/* An element of its own, not yet in the list. */
struct element *element_new(const char *text, size_t length);

/* All of these change memory and store. The element belongs to the list then; that it fits is known. */
void list_replace(struct list *, size_t index, struct element *);
/* Puts `added` elements before `index`. */
void list_insert(struct list *, size_t index, struct element *const *elements, size_t added);
void list_delete(struct list *, size_t index, size_t removed);
/* The element is here now, but keeps the rank that belongs to the place: for sort and reverse. */
void list_place(struct list *, size_t index, struct element *, uint64_t rank);
/* The version after a change. */
void list_changed(struct list *, struct object_call *);

int list_restore_entry(struct object *, const char *key, size_t key_length, const char *value, size_t length,
                       struct error *error);
void list_release(struct object *);

/* ---- operations: list_many.c, list_sort.c ---- */

enum object_status list_slice(struct object *, struct object_call *, const struct arguments *);
enum object_status list_set_slice(struct object *, struct object_call *, const struct arguments *);
enum object_status list_extend(struct object *, struct object_call *, const struct arguments *);
enum object_status list_clear(struct object *, struct object_call *, const struct arguments *);
enum object_status list_sort(struct object *, struct object_call *, const struct arguments *);
enum object_status list_reverse(struct object *, struct object_call *, const struct arguments *);

#endif
