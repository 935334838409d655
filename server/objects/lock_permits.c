/* The permits of a lock: who holds it, until when. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "objects/lock.h"

static const ptrdiff_t cost = (ptrdiff_t)OBJECT_COST(struct permit, 0);

uint64_t lock_available(const struct lock *lock)
{
    uint64_t all = lock->value + lock->extra, held = HASH_COUNT(lock->by_token);
    return all > held ? all - held : 0;
}

struct permit *permit_by_token(const struct lock *lock, uint64_t token)
{
    struct permit *permit;
    HASH_FIND(hh, lock->by_token, &token, sizeof token, permit);
    return permit;
}

struct permit *permit_by_holder(const struct lock *lock, const struct object_holder *holder)
{
    struct permit *permit;
    if (!holder->run)
        return NULL;
    TAILQ_FOREACH_REVERSE(permit, &lock->permits, permit_list, link)
    {
        if (same_holder(&permit->holder, holder))
            return permit;
    }
    return NULL;
}

static void enter(struct lock *lock, struct permit *permit)
{
    HASH_ADD(hh, lock->by_token, token, sizeof permit->token, permit);
    TAILQ_INSERT_TAIL(&lock->permits, permit, link);
    object_account(&lock->object, cost);
    object_hold(&lock->object, &permit->holder);
}

static void leave(struct lock *lock, struct permit *permit)
{
    object_timer_stop(&lock->object, &permit->timer);
    object_unhold(&lock->object, &permit->holder);
    object_account(&lock->object, -cost);
    TAILQ_REMOVE(&lock->permits, permit, link);
    HASH_DEL(lock->by_token, permit);
    free(permit);
}

struct permit *permit_new(struct lock *lock, const struct object_call *call, int64_t ttl_ns)
{
    struct permit *permit = calloc(1, sizeof *permit);
    CHECK(permit, "out of memory");
    permit->token = object_token(&lock->object);
    permit->holder = call->holder;
    permit->depth = 1;
    memcpy(permit->holder_name, call->holder_name, sizeof permit->holder_name - 1);
    enter(lock, permit);
    permit_renew(lock, permit, ttl_ns);
    return permit;
}

void permit_renew(struct lock *lock, struct permit *permit, int64_t ttl_ns)
{
    struct object *object = &lock->object;
    if (ttl_ns) {
        permit->expires_ms = object_wall_ms(object) + (ttl_ns + NS_PER_MS - 1) / NS_PER_MS;
        object_timer_set(object, &permit->timer, object_now_ns(object) + ttl_ns);
    }
    if (permit->holder.run)
        return;
    char text[160];
    struct entry_key key = entry_key('h', permit->token);
    int length = snprintf(text, sizeof text, "%lld %llu %s", (long long)permit->expires_ms,
                          (unsigned long long)permit->depth, permit->holder_name);
    object_entry_put(object, key.bytes, sizeof key.bytes, text, (size_t)length);
}

void permit_end(struct lock *lock, struct permit *permit)
{
    struct entry_key key = entry_key('h', permit->token);
    if (!permit->holder.run)
        object_entry_drop(&lock->object, key.bytes, sizeof key.bytes);
    leave(lock, permit);
    object_wake(&lock->object, ACQUIRERS);
}

void lock_mark_recovered(struct lock *lock, bool recovered)
{
    if (lock->recovered == recovered)
        return;
    lock->recovered = recovered;
    if (recovered)
        object_entry_put(&lock->object, "r", 1, "", 0);
    else
        object_entry_drop(&lock->object, "r", 1);
}

void lock_note_extra(struct lock *lock)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%llu ", (unsigned long long)lock->extra);
    object_entry_put(&lock->object, "v", 1, text, (size_t)length);
}

/* ---- what ends them ---- */

/* Who lets a lock expire has died, as far as anybody can tell. */
void lock_timer(struct object *object, struct object_timer *timer)
{
    struct lock *lock = lock_of(object);
    permit_end(lock, (struct permit *)(void *)((char *)timer - offsetof(struct permit, timer)));
    lock_mark_recovered(lock, true);
}

void lock_holder_gone(struct object *object, const struct object_holder *holder, bool died)
{
    struct lock *lock = lock_of(object);
    struct permit *permit;
    while ((permit = permit_by_holder(lock, holder)))
        permit_end(lock, permit);
    if (died)
        lock_mark_recovered(lock, true);
}

void lock_release_all(struct object *object)
{
    struct lock *lock = lock_of(object);
    struct permit *permit;
    while ((permit = TAILQ_FIRST(&lock->permits)))
        leave(lock, permit);
}

/* ---- recovery ---- */

static int restore_permit(struct lock *lock, uint64_t token, const char *value, size_t length)
{
    uint64_t numbers[2];
    size_t behind = entry_numbers(value, length, numbers, 2), rest = length - behind;
    struct permit *permit;
    if (!behind || rest >= sizeof permit->holder_name || permit_by_token(lock, token))
        return -1;
    permit = calloc(1, sizeof *permit);
    CHECK(permit, "out of memory");
    permit->token = token;
    permit->expires_ms = (int64_t)numbers[0];
    permit->depth = numbers[1];
    memcpy(permit->holder_name, value + behind, rest);
    enter(lock, permit);
    object_timer_set(&lock->object, &permit->timer, object_at_ns(&lock->object, permit->expires_ms));
    return 0;
}

int lock_restore_entry(struct object *object, const char *key, size_t key_length, const char *value, size_t length,
                       struct error *error)
{
    struct lock *lock = lock_of(object);
    uint64_t number;
    if (key_length == 1 && key[0] == 'r')
        lock->recovered = true;
    else if (key_length == 1 && key[0] == 'v' && entry_numbers(value, length, &number, 1))
        lock->extra = number;
    else if (key_length != ENTRY_KEY_SIZE || key[0] != 'h' ||
             restore_permit(lock, entry_key_number(key), value, length) != 0)
        return entry_nonsense(object, key, key_length, error);
    return 0;
}
