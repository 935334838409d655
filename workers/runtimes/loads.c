/* loads: see loads.h. */
#include "runtimes/loads.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define RETRY_FIRST_NS (100 * NS_PER_MS)
#define RETRY_MOST_NS (30 * NS_PER_S)
#define KILLED "killed while it was being loaded (its initialiser crashed?)"

static uint32_t loading(const struct scoreboard_slot *board)
{
    return atomic_load_explicit(&board->loading, memory_order_relaxed);
}

static struct scoreboard_load *find(const struct scoreboard_slot *board, uint32_t definition)
{
    for (unsigned i = 0; i < SCOREBOARD_LOADS; i++)
        if (board->loads[i].definition == definition)
            return (struct scoreboard_load *)&board->loads[i];
    return NULL;
}

/* A free entry, or the one that matters least: whose wait is over first. */
static struct scoreboard_load *entry_for(struct scoreboard_slot *board, uint32_t definition)
{
    struct scoreboard_load *entry = find(board, definition);
    if (entry == NULL)
        entry = find(board, 0);
    if (entry == NULL) {
        entry = &board->loads[0];
        for (unsigned i = 1; i < SCOREBOARD_LOADS; i++)
            if (board->loads[i].retry_ns < entry->retry_ns)
                entry = &board->loads[i];
    }
    if (entry->definition != definition)
        *entry = (struct scoreboard_load){.definition = definition};
    return entry;
}

static void set_reason(struct scoreboard_load *entry, const char *reason)
{
    snprintf(entry->reason, sizeof entry->reason, "%s", reason);
}

/* The wait begins when the failure is known: a load may take longer than that. */
static void wait_from_now(struct scoreboard_load *entry)
{
    unsigned doubled = entry->failures - 1 < 20 ? entry->failures - 1 : 20;
    int64_t wait_ns = RETRY_FIRST_NS << doubled;
    entry->retry_ns = clock_mono_ns() + (wait_ns < RETRY_MOST_NS ? wait_ns : RETRY_MOST_NS);
}

bool loads_refused(const struct scoreboard_slot *board, uint32_t definition, struct error *error)
{
    const struct scoreboard_load *entry = find(board, definition);
    if (entry == NULL || entry->failures == 0 || clock_mono_ns() >= entry->retry_ns)
        return false;
    error_set(error, "%.*s", (int)sizeof entry->reason - 1, entry->reason);
    return true;
}

void loads_begin(struct scoreboard_slot *board, uint32_t definition)
{
    struct scoreboard_load *entry = entry_for(board, definition);
    entry->failures++;
    set_reason(entry, KILLED);
    wait_from_now(entry);
    atomic_store_explicit(&board->loading, definition, memory_order_release);
}

void loads_blame(struct scoreboard_slot *board, const char *reason)
{
    struct scoreboard_load *entry = find(board, loading(board));
    if (entry == NULL || entry->definition == 0)
        return;
    set_reason(entry, reason);
    wait_from_now(entry);
}

void loads_end(struct scoreboard_slot *board, const char *reason)
{
    struct scoreboard_load *entry = find(board, loading(board));
    if (entry && entry->definition != 0) {
        if (reason == NULL)
            *entry = (struct scoreboard_load){0};
        else {
            set_reason(entry, reason);
            wait_from_now(entry);
        }
    }
    atomic_store_explicit(&board->loading, 0, memory_order_release);
}

void loads_inherit(struct scoreboard_slot *board)
{
    if (loading(board) == 0)
        return;
    struct scoreboard_load *entry = find(board, loading(board));
    if (entry)
        wait_from_now(entry);
    atomic_store_explicit(&board->loading, 0, memory_order_release);
}
