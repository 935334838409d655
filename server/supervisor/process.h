/* process: the one server. Starts it, watches its first signs, drains it, judges its death.
 *
 * When it dies its workers are stopped too, and the next one starts only after all of them are reaped: an item's next
 * attempt must not run beside the last one. */
#ifndef POOLD_SUPERVISOR_PROCESS_H
#define POOLD_SUPERVISOR_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/backoff.h"
#include "supervisor/reap.h"

struct supervisor;

/* A large WAL or an old scoreboard takes a while to read; serving then is a matter of moments. */
#define SERVER_UP_NS (120 * NS_PER_S)
#define SERVER_READY_NS (30 * NS_PER_S)
/* From closing the control channel to its exit: a last checkpoint. */
#define SERVER_LEAVE_NS (10 * NS_PER_S)
/* Beyond the grace it was told to drain in, and --kill-grace for the workers that it stops then. */
#define SERVER_DRAIN_MORE_NS (5 * NS_PER_S)

/* How the server says it: <sysexits.h>. */
enum { SERVER_EXIT_STORAGE = 74, SERVER_EXIT_CONFIG = 78 };

enum server_state {
    SERVER_DOWN,
    SERVER_STARTING,
    SERVER_UP,
    SERVER_READY,
    SERVER_DRAINING,
    SERVER_LEAVING,
    SERVER_KILLED,
    SERVER_STATES
};
enum server_event {
    SERVER_SPAWN,
    SERVER_SAYS_UP,
    SERVER_SAYS_READY,
    SERVER_DRAIN,
    SERVER_LEAVE,
    SERVER_KILL,
    SERVER_EXIT,
    SERVER_EVENTS
};
enum server_verdict { SERVER_RESTART, SERVER_RESTART_READ_ONLY, SERVER_GIVE_UP };

struct server {
    enum server_state state;
    pid_t pid;      /* 0 while DOWN */
    bool was_ready; /* this one */
    bool announced; /* "listening on" was printed */
    bool read_only; /* a storage error happened: stays until poold itself is restarted */
    uint64_t restarts;
    int64_t deadline_ns; /* 0 = none */
    struct backoff backoff;
};

/* Pure: the table, and what follows from a death that nobody asked for. */
bool server_allows(enum server_state, enum server_event);
const char *server_state_name(enum server_state);
enum server_verdict server_judge(const struct server *, const struct corpse *);

/* True while workers may be given to it. */
bool server_takes_workers(const struct supervisor *);
/* Starts it when it is wanted, due and all workers of the last one are reaped. */
void server_start_if_due(struct supervisor *, int64_t now);
/* Kills one whose deadline has passed. */
void server_deadlines(struct supervisor *, int64_t now);
/* The next time to look, or 0. */
int64_t server_next(const struct supervisor *, int64_t now);

void server_is_up(struct supervisor *);
void server_is_ready(struct supervisor *);
/* It closed the control channel: it is exiting, or had better. */
void server_left(struct supervisor *);
/* SIGKILL; nothing happens when it is down or killed already. */
void server_kill(struct supervisor *, const char *why);
/* Asks it to finish within the grace time; one that is not up yet is killed. */
void server_drain(struct supervisor *);
/* False when that was not the server. */
bool server_exited(struct supervisor *, const struct corpse *);

#endif
