/* ledger: numbers that are given once and only grow, over restarts too: ids of objects, tokens of locks and leases.
 *
 * Not every number is worth a write: a ceiling a thousand ahead is stored, and a restart goes on above it. It is stored
 * as a lock of a name that nobody can give, with an entry per kind of number. The ceiling is raised long before it is
 * reached, and at the start: tasks are told numbers at once, and one whose ceiling is not yet committed would be given
 * again after a crash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objects/inside.h"

enum { AHEAD = 1000 };

static void note(struct objects *all, const struct reserve *reserve)
{
    const struct object_ports *ports = &all->ports;
    const char *key = reserve == &all->ids ? "ids" : "tokens";
    char text[24];
    int length = snprintf(text, sizeof text, "%llu", (unsigned long long)reserve->ceiling);
    if (!all->ledger)
        ports->object_put(ports->context, LEDGER_ID, OBJECT_LOCK, LEDGER_NAME, "{}", 2);
    all->ledger = true;
    ports->entry_put(ports->context, LEDGER_ID, key, strlen(key), text, (size_t)length);
}

uint64_t ledger_next(struct objects *all, struct reserve *reserve)
{
    if (reserve->ceiling - reserve->last <= AHEAD / 2) {
        reserve->ceiling += AHEAD;
        note(all, reserve);
    }
    return ++reserve->last;
}

void ledger_prepare(struct objects *all)
{
    all->ids.ceiling += AHEAD;
    note(all, &all->ids);
    all->tokens.ceiling += AHEAD;
    note(all, &all->tokens);
}

int ledger_restore(struct objects *all, const char *key, size_t key_length, const char *value, size_t length,
                   struct error *error)
{
    long long number;
    struct reserve *reserve = key_length == 3 && memcmp(key, "ids", 3) == 0 ? &all->ids : &all->tokens;
    if (scan_integer(value, value + length, &number) != 0 || number < 0)
        return error_set(error, "the ledger of objects has no number in %.*s", (int)key_length, key);
    reserve->last = reserve->ceiling = (uint64_t)number;
    return 0;
}

uint64_t object_token(struct object *object)
{
    return ledger_next(object->all, &object->all->tokens);
}
