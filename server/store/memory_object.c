/* memory_object: the twin's objects and entries. They are hashed, and sorted when somebody reads. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "store/memory.h"

static struct memory_object *find(struct memory_store *store, int64_t id)
{
    struct memory_object *object;
    HASH_FIND(hh, store->objects, &id, sizeof id, object);
    return object;
}

static char *copy(const char *bytes, size_t length)
{
    char *bytes_copied = malloc(length + 1);
    CHECK(bytes_copied != NULL, "out of memory for %zu bytes", length);
    memcpy(bytes_copied, bytes, length);
    bytes_copied[length] = '\0';
    return bytes_copied;
}

static void put_object(struct memory_store *store, const struct store_op *op)
{
    struct memory_object *object = find(store, op->seq);
    if (object == NULL) {
        object = calloc(1, sizeof *object);
        CHECK(object != NULL, "out of memory for an object");
        object->id = op->seq;
        object->kind = op->kind;
        object->name = copy(op->data, op->key_length);
        for (struct memory_object *other = store->objects; other != NULL; other = other->hh.next)
            CHECK(other->name == NULL || other->kind != op->kind || strcmp(other->name, object->name) != 0,
                  "the object %s is there already", object->name);
        HASH_ADD(hh, store->objects, id, sizeof object->id, object);
    }
    free(object->config);
    object->config = copy(store_op_value(op), op->length);
    object->length = op->length;
}

static void remove_entry(struct memory_object *object, struct memory_object_entry *entry)
{
    HASH_DEL(object->entries, entry);
    free(entry->value);
    free(entry);
}

static void put_entry(struct memory_object *object, const struct store_op *op, struct memory_object_entry *entry)
{
    if (entry == NULL) {
        entry = calloc(1, sizeof *entry + op->key_length + 1);
        CHECK(entry != NULL, "out of memory for an entry");
        entry->key_length = op->key_length;
        memcpy(entry->key, op->data, op->key_length);
        HASH_ADD_KEYPTR(hh, object->entries, entry->key, entry->key_length, entry);
    }
    free(entry->value);
    entry->value = copy(store_op_value(op), op->length);
    entry->length = op->length;
}

void memory_object_execute(struct memory_store *store, const struct store_op *op)
{
    if (op->type == STORE_NOTHING)
        return;
    if (op->type == STORE_OBJECT_PUT) {
        put_object(store, op);
        return;
    }
    struct memory_object *object = find(store, op->seq);
    struct memory_object_entry *entry = NULL;
    if (object == NULL)
        return; /* of one that was dropped and is removed: as an UPDATE or DELETE of no row */
    if (op->type == STORE_OBJECT_DROP) {
        free(object->name);
        object->name = NULL;
        return;
    }
    HASH_FIND(hh, object->entries, op->data, op->key_length, entry);
    if (op->type == STORE_ENTRY_PUT)
        put_entry(object, op, entry);
    else if (entry != NULL)
        remove_entry(object, entry);
}

static void remove_object(struct memory_store *store, struct memory_object *object)
{
    HASH_DEL(store->objects, object);
    free(object->name);
    free(object->config);
    free(object);
}

void memory_objects_reap(struct memory_store *store, unsigned *left)
{
    struct memory_object *object, *next;
    HASH_ITER(hh, store->objects, object, next)
    {
        while (object->name == NULL && object->entries != NULL && *left > 0) {
            remove_entry(object, object->entries);
            --*left;
        }
        if (object->name == NULL && object->entries == NULL && *left > 0) {
            remove_object(store, object);
            --*left;
        }
    }
}

void memory_objects_free(struct memory_store *store)
{
    while (store->objects != NULL) {
        while (store->objects->entries != NULL)
            remove_entry(store->objects, store->objects->entries);
        remove_object(store, store->objects);
    }
}

static int by_id(const struct memory_object *a, const struct memory_object *b)
{
    return (a->id > b->id) - (a->id < b->id);
}

static int by_key(const struct memory_object_entry *a, const struct memory_object_entry *b)
{
    size_t common = a->key_length < b->key_length ? a->key_length : b->key_length;
    int order = memcmp(a->key, b->key, common);
    return order != 0 ? order : (a->key_length > b->key_length) - (a->key_length < b->key_length);
}

enum store_status memory_read_objects(struct memory_store *store,
                                      bool (*each)(void *, int64_t, uint32_t, const char *, const char *, size_t),
                                      void *context)
{
    HASH_SORT(store->objects, by_id);
    for (const struct memory_object *object = store->objects; object != NULL; object = object->hh.next) {
        if (object->name != NULL &&
            !each(context, object->id, object->kind, object->name, object->config, object->length))
            break;
    }
    return STORE_OK;
}

enum store_status memory_read_entries(struct memory_store *store, int64_t id,
                                      bool (*each)(void *, const char *, size_t, const char *, size_t), void *context)
{
    struct memory_object *object = find(store, id);
    if (object == NULL)
        return STORE_OK;
    HASH_SORT(object->entries, by_key);
    for (const struct memory_object_entry *entry = object->entries; entry != NULL; entry = entry->hh.next) {
        if (!each(context, entry->key, entry->key_length, entry->value, entry->length))
            break;
    }
    return STORE_OK;
}
