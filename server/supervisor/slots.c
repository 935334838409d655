/*              spawn              hello             stop (TERM)          (KILL)
 *    EMPTY ───────────► STARTING ───────► READY ──────────────► STOPPING ───────► KILLED
 *      ▲                   │  │             │                      │                │
 *      │                   │  └─ stop, kill ─── as from READY ─────┘                │
 *      └──────── exit ─────┴────────────────┴──────────────────────┴────────────────┘
 *
 * A hello that crosses our signal changes nothing; nor does a second stop, which may only bring SIGKILL nearer. */
#include "supervisor/slots.h"

#include <signal.h>
#include <stddef.h>

#include "base/check.h"

struct move {
    bool allowed;
    enum slot_state to;
};
#define TO(state)                                                                                                      \
    {                                                                                                                  \
        true, state                                                                                                    \
    }

static const struct move moves[SLOT_STATES][SLOT_EVENTS] = {
    [SLOT_EMPTY] = {[SLOT_SPAWN] = TO(SLOT_STARTING)},
    [SLOT_STARTING] = {[SLOT_HELLO] = TO(SLOT_READY),
                       [SLOT_STOP] = TO(SLOT_STOPPING),
                       [SLOT_KILL] = TO(SLOT_KILLED),
                       [SLOT_EXIT] = TO(SLOT_EMPTY)},
    [SLOT_READY] = {[SLOT_STOP] = TO(SLOT_STOPPING), [SLOT_KILL] = TO(SLOT_KILLED), [SLOT_EXIT] = TO(SLOT_EMPTY)},
    [SLOT_STOPPING] = {[SLOT_HELLO] = TO(SLOT_STOPPING),
                       [SLOT_STOP] = TO(SLOT_STOPPING),
                       [SLOT_KILL] = TO(SLOT_KILLED),
                       [SLOT_EXIT] = TO(SLOT_EMPTY)},
    [SLOT_KILLED] = {[SLOT_HELLO] = TO(SLOT_KILLED), [SLOT_STOP] = TO(SLOT_KILLED), [SLOT_EXIT] = TO(SLOT_EMPTY)},
};

static const char *const state_names[SLOT_STATES] = {
    [SLOT_EMPTY] = "empty",       [SLOT_STARTING] = "starting", [SLOT_READY] = "ready",
    [SLOT_STOPPING] = "stopping", [SLOT_KILLED] = "killed",
};

bool slot_allows(enum slot_state state, enum slot_event event)
{
    return moves[state][event].allowed;
}

const char *slot_state_name(enum slot_state state)
{
    return state_names[state];
}

static void move(struct slots *s, struct slot *slot, enum slot_event event)
{
    const struct move *m = &moves[slot->state][event];
    CHECK(m->allowed, "event %d in slot %u, which is %s", event, slots_index(s, slot), slot_state_name(slot->state));
    if (slot->state != SLOT_EMPTY)
        s->in_state[slot->state]--;
    slot->state = m->to;
    if (slot->state != SLOT_EMPTY)
        s->in_state[slot->state]++;
}

unsigned slots_index(const struct slots *s, const struct slot *slot)
{
    return (unsigned)(slot - s->at);
}

unsigned slots_alive(const struct slots *s)
{
    return s->in_state[SLOT_STARTING] + s->in_state[SLOT_READY] + s->in_state[SLOT_STOPPING] + s->in_state[SLOT_KILLED];
}

unsigned slots_resize(struct slots *s, uint32_t wanted)
{
    s->wanted = wanted < 1 ? 1 : wanted > PROCESSES_MAX ? PROCESSES_MAX : wanted;
    return s->wanted;
}

struct slot *slots_free_pool(struct slots *s)
{
    for (unsigned i = 0; i < s->wanted; i++)
        if (s->at[i].state == SLOT_EMPTY)
            return &s->at[i];
    return NULL;
}

struct slot *slots_free_extra(struct slots *s)
{
    for (unsigned i = WORKERS_MAX; i-- > s->wanted;)
        if (s->at[i].state == SLOT_EMPTY)
            return &s->at[i];
    return NULL;
}

uint32_t slot_next_generation(const struct slot *slot)
{
    return slot->generation + 1;
}

void slots_spawned(struct slots *s, struct slot *slot, pid_t pid, int64_t hello_deadline_ns)
{
    uint32_t generation = slot_next_generation(slot);
    move(s, slot, SLOT_SPAWN);
    *slot = (struct slot){.state = slot->state, .pid = pid, .generation = generation, .deadline_ns = hello_deadline_ns};
}

struct slot *slots_find(struct slots *s, pid_t pid)
{
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        if (s->at[i].state != SLOT_EMPTY && s->at[i].pid == pid)
            return &s->at[i];
    return NULL;
}

struct slot *slots_current(struct slots *s, uint32_t index, uint32_t generation)
{
    if (index < WORKERS_MAX && s->at[index].state != SLOT_EMPTY && s->at[index].generation == generation)
        return &s->at[index];
    s->stale++;
    return NULL;
}

void slots_hello(struct slots *s, struct slot *slot)
{
    if (slot->said_hello) {
        s->stale++;
        return;
    }
    move(s, slot, SLOT_HELLO);
    slot->said_hello = true;
    if (slot->state == SLOT_READY)
        slot->deadline_ns = 0;
}

static void kill_slot(struct slots *s, struct slot *slot)
{
    move(s, slot, SLOT_KILL);
    slot->deadline_ns = 0;
}

int slots_stop(struct slots *s, struct slot *slot, enum stop_cause cause, int64_t grace_ns, int64_t now)
{
    if (slot->cause == STOP_NONE)
        slot->cause = cause;
    if (slot->state == SLOT_KILLED)
        return 0;
    if (grace_ns <= 0) {
        kill_slot(s, slot);
        return SIGKILL;
    }
    bool first = slot->state != SLOT_STOPPING;
    move(s, slot, SLOT_STOP);
    if (first || now + grace_ns < slot->deadline_ns)
        slot->deadline_ns = now + grace_ns;
    return first ? SIGTERM : 0;
}

struct slot *slots_due(struct slots *s, int64_t now)
{
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        struct slot *slot = &s->at[i];
        if (slot->deadline_ns == 0 || slot->deadline_ns > now)
            continue;
        if (slot->state == SLOT_STARTING)
            slot->cause = STOP_HELLO;
        kill_slot(s, slot);
        return slot;
    }
    return NULL;
}

int64_t slots_deadline(const struct slots *s)
{
    int64_t earliest = 0;
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        int64_t d = s->at[i].deadline_ns;
        if (d != 0 && (earliest == 0 || d < earliest))
            earliest = d;
    }
    return earliest;
}

struct slot slots_exited(struct slots *s, struct slot *slot)
{
    struct slot was = *slot;
    move(s, slot, SLOT_EXIT);
    *slot = (struct slot){.state = slot->state, .generation = was.generation};
    return was;
}

bool slot_failed_early(const struct slot *was)
{
    if (was->said_hello)
        return false;
    return was->cause == STOP_NONE || was->cause == STOP_HELLO || was->cause == STOP_PROTOCOL;
}
