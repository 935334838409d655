/* holders: who waits for what and holds what, so that what an item leaves behind is found without looking at all
 * objects. There is a record for each item that waits for or holds something, and none for others. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "objects/inside.h"

struct holding {
    struct object *object; /* the key */
    size_t count;
    UT_hash_handle hh;
};

struct holder {
    struct {
        uint64_t run, index;
    } key;
    TAILQ_HEAD(, object_call) calls;
    struct holding *holdings;
    UT_hash_handle hh;
};

static struct holder *find(const struct objects *all, const struct object_holder *who)
{
    const uint64_t key[2] = {who->run, who->index};
    struct holder *holder;
    HASH_FIND(hh, all->holders, key, sizeof key, holder);
    return holder;
}

static struct holder *get(struct objects *all, const struct object_holder *who)
{
    struct holder *holder = find(all, who);
    if (holder)
        return holder;
    holder = calloc(1, sizeof *holder);
    CHECK(holder, "out of memory");
    holder->key.run = who->run;
    holder->key.index = who->index;
    TAILQ_INIT(&holder->calls);
    HASH_ADD(hh, all->holders, key, sizeof holder->key, holder);
    return holder;
}

static void forget_idle(struct objects *all, struct holder *holder)
{
    if (holder->holdings || !TAILQ_EMPTY(&holder->calls))
        return;
    HASH_DELETE(hh, all->holders, holder);
    free(holder);
}

void holder_waits(struct objects *all, struct object_call *call)
{
    if (call->holder.run)
        TAILQ_INSERT_TAIL(&get(all, &call->holder)->calls, call, holder_link);
}

void holder_waits_no_more(struct objects *all, struct object_call *call)
{
    if (!call->holder.run)
        return;
    struct holder *holder = find(all, &call->holder);
    CHECK(holder, "run %llu item %u waits unseen", (unsigned long long)call->holder.run, call->holder.index);
    TAILQ_REMOVE(&holder->calls, call, holder_link);
    forget_idle(all, holder);
}

void object_hold(struct object *object, const struct object_holder *who)
{
    if (!who->run)
        return;
    struct holder *holder = get(object->all, who);
    struct holding *holding;
    HASH_FIND_PTR(holder->holdings, &object, holding);
    if (!holding) {
        holding = calloc(1, sizeof *holding);
        CHECK(holding, "out of memory");
        holding->object = object;
        HASH_ADD_PTR(holder->holdings, object, holding);
    }
    holding->count++;
}

void object_unhold(struct object *object, const struct object_holder *who)
{
    if (!who->run)
        return;
    struct holder *holder = find(object->all, who);
    struct holding *holding = NULL;
    if (holder)
        HASH_FIND_PTR(holder->holdings, &object, holding);
    CHECK(holding, "run %llu item %u does not hold %s", (unsigned long long)who->run, who->index, object->name);
    if (--holding->count)
        return;
    HASH_DEL(holder->holdings, holding);
    free(holding);
    forget_idle(object->all, holder);
}

void objects_holder_gone(struct objects *all, const struct object_holder *who, bool died)
{
    struct holder *holder;
    while (who->run && (holder = find(all, who))) {
        struct object_call *call = TAILQ_FIRST(&holder->calls);
        if (call) {
            objects_give_up(all, call);
            continue;
        }
        struct object *object = holder->holdings->object;
        size_t count = holder->holdings->count;
        object->ops->holder_gone(object, who, died);
        CHECK(!(holder = find(all, who)) || holder->holdings->object != object || holder->holdings->count < count,
              "%s %s keeps what a gone holder held", object->ops->name, object->name);
        object_settle(object);
    }
}

bool objects_waits(const struct objects *all, const struct object_holder *who, char *text, size_t size)
{
    const struct holder *holder = who->run ? find(all, who) : NULL;
    const struct object_call *call = holder ? TAILQ_FIRST(&holder->calls) : NULL;
    if (!call)
        return false;
    snprintf(text, size, "%s %s (%s)", call->waits_for->ops->name, call->waits_for->name, call->op);
    return true;
}
