/* slots: the table of workers, as policy: who is in which slot, what may happen next, which signal is due.
 *
 * Pure: no system calls, the caller brings the time and does what it is told (pool.c). Slot and generation name a
 * worker; what the server says about an older generation is stale, counted and dropped. Pool workers live in
 * [0, wanted), extra workers take the highest free slot at or above `wanted`. */
#ifndef POOLD_SUPERVISOR_SLOTS_H
#define POOLD_SUPERVISOR_SLOTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/limits.h"
#include "wire/messages.h"

enum slot_state { SLOT_EMPTY, SLOT_STARTING, SLOT_READY, SLOT_STOPPING, SLOT_KILLED, SLOT_STATES };
enum slot_event { SLOT_SPAWN, SLOT_HELLO, SLOT_STOP, SLOT_KILL, SLOT_EXIT, SLOT_EVENTS };

struct slot {
    enum slot_state state;
    pid_t pid;             /* also its process group; valid until it is reaped; 0 when empty */
    uint32_t generation;   /* of the worker that is here or was last; 0 = never used */
    bool extra;            /* for one item; not respawned */
    bool said_hello;       /* a death from now on is a crash of user code: no back-off */
    uint64_t request;      /* extra: which request it serves */
    enum stop_cause cause; /* why we ended it; the first cause stays */
    int64_t deadline_ns;   /* STARTING: hello; STOPPING: SIGKILL; 0 = none */
};

struct slots {
    struct slot at[WORKERS_MAX];
    unsigned wanted;                /* pool workers */
    unsigned in_state[SLOT_STATES]; /* how many; EMPTY is not counted */
    uint64_t stale;                 /* messages about workers that were gone */
};

/* True when `event` may happen in `state`. */
bool slot_allows(enum slot_state state, enum slot_event event);
const char *slot_state_name(enum slot_state);

unsigned slots_index(const struct slots *, const struct slot *);
/* How many processes there are. */
unsigned slots_alive(const struct slots *);
/* Takes `wanted`, held within 1…PROCESSES_MAX; returns what was taken. */
unsigned slots_resize(struct slots *, uint32_t wanted);

/* The slot for the next pool or extra worker; NULL when there is none. */
struct slot *slots_free_pool(struct slots *);
struct slot *slots_free_extra(struct slots *);
/* The generation that the next worker in this slot will have. */
uint32_t slot_next_generation(const struct slot *);

/* A worker was started in a free slot. */
void slots_spawned(struct slots *, struct slot *, pid_t pid, int64_t hello_deadline_ns);
/* The worker with this pid, or NULL. */
struct slot *slots_find(struct slots *, pid_t pid);
/* The worker of exactly this generation, or NULL (counted as stale). */
struct slot *slots_current(struct slots *, uint32_t index, uint32_t generation);
/* Its hello has come. Too late (already being stopped) is fine and changes nothing but said_hello. */
void slots_hello(struct slots *, struct slot *);

/* To be stopped, at the latest by SIGKILL at now + grace. Returns the signal to send to its group now: SIGTERM,
 * SIGKILL (no grace) or 0 (it has had it already; a shorter grace still counts). */
int slots_stop(struct slots *, struct slot *, enum stop_cause cause, int64_t grace_ns, int64_t now);
/* A worker whose deadline has passed: now KILLED, its group wants SIGKILL. NULL when there is none (left). */
struct slot *slots_due(struct slots *, int64_t now);
/* The earliest deadline, or 0. */
int64_t slots_deadline(const struct slots *);

/* It is reaped; returns what it was (the slot itself is empty). */
struct slot slots_exited(struct slots *, struct slot *);
/* True when this end (a slot as slots_exited returned it) is a failure before the first success. */
bool slot_failed_early(const struct slot *);

#endif
