/* scoreboard: what every worker is doing right now, in shared memory on a file (`scoreboard` in the data directory).
 *
 * One page per slot, one writer each: the worker in that slot maps only its own page, so a wild write hits nobody
 * else. It gives exact blame without a message per item, timeouts without a timer per item, and it outlives kill -9:
 * at the next start it says which items were running. The supervisor creates and sizes the file; the server maps all
 * of it and, while no worker runs, wipes what it has dealt with. */
#ifndef POOLD_WIRE_SCOREBOARD_H
#define POOLD_WIRE_SCOREBOARD_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/error.h"

/* STOPPED: it was running when the service was stopped on purpose, which speaks not against its item. */
enum worker_activity { ACTIVITY_NONE, ACTIVITY_STARTING, ACTIVITY_READY, ACTIVITY_RUNNING, ACTIVITY_STOPPED };

/* What went wrong with loading a definition in this slot, and until when (clock_mono_ns) nobody here tries again. The
 * worker's alone (runtimes/loads.c): it is here because a crash while loading kills who would remember it. */
struct scoreboard_load {
    uint32_t definition; /* 0 = none */
    uint32_t failures;   /* in a row */
    int64_t retry_ns;
    char reason[384];
};

enum { SCOREBOARD_LOADS = 8 };

struct scoreboard_slot {
    _Atomic uint32_t generation;
    _Atomic uint32_t activity;   /* enum worker_activity; written last when an item starts, first when it ends */
    _Atomic uint64_t run;        /* the slice's number (message run.run) */
    _Atomic uint64_t job;        /* job seq */
    _Atomic uint32_t index;      /* of the item in its job */
    _Atomic uint32_t attempt;
    _Atomic int64_t started_ns;  /* clock_coarse_ns when the item started; 0 when idle */
    _Atomic uint64_t items_done; /* by this generation */
    _Atomic uint32_t verdict;    /* enum failure (job.h) that the worker knows its own coming death to be: memory */
    _Atomic uint32_t loading;    /* definition it is loading into itself (a plugin's initialiser runs), or 0 */
    _Atomic uint64_t limit, peak; /* of that verdict, bytes */
    struct scoreboard_load loads[SCOREBOARD_LOADS];
};

#define SCOREBOARD_PAGE 4096 /* what mmap can give a worker of its own; a machine with larger pages gets an error */

struct scoreboard {
    unsigned slots;
    char *map; /* slots pages */
};

/* Opens or creates `path` with WORKERS_MAX pages, really allocated (posix_fallocate: no SIGBUS on a full disk).
 * Returns a descriptor to hand to children, or -1. Supervisor. */
int scoreboard_create(const char *path, struct error *);
/* Maps all slots (server) …  0 or -1. The descriptor stays the caller's. */
int scoreboard_map(struct scoreboard *, int fd, struct error *);
void scoreboard_unmap(struct scoreboard *);
/* When no process is left: what was running becomes STOPPED. Supervisor. */
void scoreboard_mark_stopped(int fd);
/* Forgets what is said of definitions, whose numbers begin anew with the server. Server, while no worker runs. */
void scoreboard_forget_loads(struct scoreboard_slot *);
/* The slot must be one (check a number that came from a child before). */
struct scoreboard_slot *scoreboard_slot(const struct scoreboard *, unsigned slot);
/* … or just one (worker). NULL on error. */
struct scoreboard_slot *scoreboard_map_slot(int fd, unsigned slot, struct error *);

#endif
