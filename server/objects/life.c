/* life: how all objects together come from the store, and go. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "objects/inside.h"
#include "objects/typed.h"

struct objects *objects_new(const struct object_ports *ports, const char *folder, size_t bytes_max, struct error *error)
{
    if (folder && mkdir(folder, 0700) != 0 && errno != EEXIST) {
        error_set(error, "the folder %s for values and arrays cannot be made: %s", folder, strerror(errno));
        return NULL;
    }
    struct objects *all = calloc(1, sizeof *all);
    CHECK(all, "out of memory");
    all->ports = *ports;
    all->bytes_max = bytes_max;
    all->folder = folder ? strdup(folder) : NULL;
    all->ids.last = all->ids.ceiling = LEDGER_ID;
    return all;
}

static struct object *by_id(struct objects *all, int64_t id)
{
    struct object *object;
    HASH_FIND(by_id, all->by_id, &id, sizeof id, object);
    return object;
}

static struct object *configured(struct objects *all, const struct object_kind_ops *ops, const char *name,
                                 const char *config, size_t length, struct error *error)
{
    struct object_call call = {.kind = ops->kind, .args = config, .args_length = length};
    struct arguments arguments;
    struct object *object = NULL;
    enum object_status status = arguments_read(&arguments, ops->options, &call);
    if (status == OBJECT_OK)
        object = object_new(all, ops, name, &call, &arguments, &status);
    if (!object)
        error_set(error, "%s %s cannot be restored: %s", ops->name, name, call.problem);
    arguments_free(&arguments);
    buf_free(&call.kept);
    return object;
}

int objects_restore_object(struct objects *all, int64_t id, enum object_kind kind, const char *name, const char *config,
                           size_t length, struct error *error)
{
    const struct object_kind_ops *ops = kind > 0 && kind < OBJECT_KINDS ? object_kinds[kind] : NULL;
    if (id == LEDGER_ID && strcmp(name, LEDGER_NAME) == 0) {
        all->ledger = true;
        return 0;
    }
    if (!ops || !object_name_valid(kind, name))
        return error_set(error, "object %lld cannot be restored: kind %d, name %.60s", (long long)id, (int)kind, name);
    if (id <= LEDGER_ID || by_id(all, id) || object_find(all, kind, name))
        return error_set(error, "%s %s cannot be restored: there are two", ops->name, name);
    struct object *object = configured(all, ops, name, config, length, error);
    if (!object)
        return -1;
    object_enter(object, id);
    if ((uint64_t)id > all->ids.last) /* without its ledger: then numbers go on behind what there is */
        all->ids.last = all->ids.ceiling = (uint64_t)id;
    return 0;
}

int objects_restore_entry(struct objects *all, int64_t id, const char *key, size_t key_length, const char *value,
                          size_t length, struct error *error)
{
    if (id == LEDGER_ID)
        return ledger_restore(all, key, key_length, value, length, error);
    struct object *object = by_id(all, id);
    if (!object)
        return error_set(error, "there is an entry of object %lld, which is not there", (long long)id);
    if (!object->ops->restore_entry)
        return error_set(error, "%s %s has an entry", object->ops->name, object->name);
    return object->ops->restore_entry(object, key, key_length, value, length, error);
}

int objects_restored(struct objects *all, struct error *error)
{
    struct object *object, *next;
    HASH_ITER(by_id, all->by_id, object, next)
    {
        if (object->ops->restored && object->ops->restored(object, error) != 0)
            return -1;
        object->wake = 0; /* nobody waits yet */
    }
    typed_remove_orphans(all, all->folder);
    ledger_prepare(all);
    return 0;
}

void objects_free(struct objects **objects)
{
    struct objects *all = *objects;
    struct object *object, *next;
    if (!all)
        return;
    HASH_ITER(by_id, all->by_id, object, next)
    {
        object_dismiss_all(object, OBJECT_GIVEN_UP);
    }
    HASH_ITER(by_id, all->by_id, object, next)
    {
        object_free(object);
    }
    for (int kind = 1; kind < OBJECT_KINDS; kind++)
        free(all->sorted[kind].at);
    timers_free(&all->timers);
    free(all->folder);
    free(all);
    *objects = NULL;
}
