/* supervisor: the whole of poold in one struct, and the loop that moves it. Single-threaded.
 *
 * Callbacks note what happened (a message, a death, a signal, a deadline) and then call supervisor_step, which does
 * whatever the state now asks for. Its parts below call each other only through the functions in their headers. */
#ifndef POOLD_SUPERVISOR_SUPERVISOR_H
#define POOLD_SUPERVISOR_SUPERVISOR_H

#include <stdint.h>
#include <uv.h>

#include "base/config.h"
#include "base/error.h"
#include "supervisor/control.h"
#include "supervisor/listen.h"
#include "supervisor/pool.h"
#include "supervisor/process.h"
#include "supervisor/user.h"

/* RUN ──► DRAIN (SIGTERM, SIGINT: the server finishes what runs) ──► STOP (no server; the last workers go) ──► exit.
 * A second signal, or a server that gives up, goes to STOP at once. */
enum phase { PHASE_RUN, PHASE_DRAIN, PHASE_STOP };

enum { SUPERVISOR_SIGNALS = 4 };

struct supervisor {
    struct config config;
    char libexec[1024]; /* where poold-server and poold-worker are */
    struct worker_user user; /* of the workers */
    int lock_fd, scoreboard_fd;
    struct listener listener;
    enum phase phase;
    int exit_code;
    struct control control;
    struct server server;
    struct pool pool;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t signals[SUPERVISOR_SIGNALS];
    uint32_t reloads; /* asked for by SIGHUP */
};

/* Takes the data directory, the port and all else that can be refused. -1: *error says what. Destroy in any case. */
int supervisor_init(struct supervisor *, const struct config *, struct error *);
/* --check: refuses what poold itself can refuse, then becomes the server's program, which looks at the manifests and
 * exits. Returns only with an error. */
int supervisor_check(struct supervisor *, const struct config *, char **argv, struct error *);
/* --backup: becomes the server's program at once; takes neither the data directory nor the port, which a service holds.
 * Returns only with an error. */
int supervisor_become_server(struct supervisor *, const struct config *, char **argv, struct error *);
/* Until the end; returns the exit status. */
int supervisor_run(struct supervisor *);
void supervisor_destroy(struct supervisor *);

/* For the parts. */
int64_t supervisor_now(void);
/* Brings everything up to date after an event. */
void supervisor_step(struct supervisor *);
/* No new server; end with `exit_code` as soon as the workers are gone. */
void supervisor_stop(struct supervisor *, int exit_code);
/* SIGKILLs what no worker of ours keeps any more; how many there were. */
unsigned supervisor_kill_strangers(struct supervisor *);
/* The path of an executable of ours. */
void supervisor_program(const struct supervisor *, const char *name, char path[]);
/* The configuration as the children shall see it: the real port, the wanted size, read_only. */
struct config supervisor_child_config(const struct supervisor *);

#endif
