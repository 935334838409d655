/* typed: what values and arrays share – elements of one typecode in mapped memory. A value is one of them.
 *
 * The memory belongs to tasks, too, which change it at any time without a word to us: nothing is cached, each access is
 * atomic for its element, and the object's version counts only what was done through here. What must happen to several
 * elements as one is done under the lock "arrays/NAME" or "values/NAME" (get_lock()). */
#ifndef POOLD_OBJECTS_TYPED_H
#define POOLD_OBJECTS_TYPED_H

#include "objects/kind.h"
#include "objects/mapped.h"
#include "objects/typecode.h"

struct typed {
    struct object object;
    const struct typecode *type;
    size_t length; /* elements */
    struct mapped mapped;
    uint64_t reserved; /* see version.h */
};

static inline struct typed *typed_of(struct object *object)
{
    return (struct typed *)object;
}

static inline void *typed_at(const struct typed *typed, size_t index)
{
    return typed->mapped.memory + index * typed->type->size;
}

/* Takes the argument "typecode": OBJECT_OK or INVALID. */
enum object_status typed_configure(struct typed *, struct object_call *, const struct arguments *);
/* Makes the file. OBJECT_OK or NO_ROOM. */
enum object_status typed_create(struct typed *, struct object_call *);
/* What was created is there, with its first content, even after a power cut. OBJECT_OK or NO_ROOM. */
enum object_status typed_settle(struct typed *, struct object_call *);
/* typecode_parse with the problem in the call, behind `where` ("values[3]: " or ""). */
enum object_status typed_parse(const struct typed *, struct object_call *, const char *where, const char *at,
                               const char *end, uint64_t *bits);
void typed_changed(struct typed *, struct object_call *);
void typed_answer(const struct typed *, struct object_call *, uint64_t bits);

/* Operations on the element at `index`. */
enum object_status typed_get(struct typed *, struct object_call *, size_t index);
enum object_status typed_set(struct typed *, struct object_call *, const struct arguments *, size_t index);
enum object_status typed_add(struct typed *, struct object_call *, const struct arguments *, size_t index);
enum object_status typed_compare_set(struct typed *, struct object_call *, const struct arguments *, size_t index);
/* How a task gets at the memory itself. */
enum object_status typed_open(struct object *, struct object_call *, const struct arguments *);

/* Of struct object_kind_ops. */
int typed_restore_entry(struct object *, const char *key, size_t key_length, const char *value, size_t length,
                        struct error *error);
int typed_restored(struct object *, struct error *error);
void typed_release(struct object *);
void typed_deleted(struct object *);

/* At a start, when all objects are there: removes the files of values and arrays that are not. */
void typed_remove_orphans(struct objects *, const char *folder);

#endif
