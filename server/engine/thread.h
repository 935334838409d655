/* thread: what the files that run the core on its thread share – engine.c (life), loop.c (mail, turns, tick), ports.c
 * (what the core does to the world), links.c (workers), control.c (supervisor), reload.c (manifests). Nobody else
 * includes it. */
#ifndef POOLD_ENGINE_THREAD_H
#define POOLD_ENGINE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

#include "engine/core.h"
#include "engine/engine.h"
#include "wire/channel.h"

struct engine;

/* The engine's end of a worker. */
struct link {
    struct engine *engine;
    unsigned slot, generation;
    struct channel channel;
    uv_poll_t poll;
    int events;
    uint64_t frames; /* that came */
    struct workbench *bench;
};

struct engine {
    struct core core;
    const struct config *config;
    struct store *store;
    struct store_reader *reader;
    struct scoreboard board;
    pthread_t thread;

    uv_loop_t loop;
    int wake_fd; /* an eventfd; see engine_wake() */
    uv_poll_t wake_poll;
    uv_check_t check;
    uv_timer_t timer, due_timer;
    int64_t due_ns; /* what due_timer is set to; INT64_MAX: not set */
    bool timer_fast, trimmed, settled; /* settled: functions_settled has been noted */
    struct mailbox requests, written, loaded, reaped;

    struct channel control;
    uv_poll_t control_poll;
    int control_events;
    struct link *links[WORKERS_MAX];
    int64_t drain_began_ns, drain_deadline_ns; /* 0 = it does not drain */
    bool handing_back;         /* the deadline is that of what was stopped */

    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    bool functions_known, functions_settled, ended, stop;
    bool drain_began, reload_asked; /* until engine_wait_end() has told it */
    int status;
    unsigned announce_port;
};

/* One a process: what comes back from the store carries no engine. */
extern struct engine *the_engine;

/* Every message of a mailbox, as what it is. */
#define EACH_MAIL(box, type, variable, call)                                                                           \
    for (struct mail *mail = mailbox_take(box), *next_mail; mail; mail = next_mail) {                                  \
        type *variable = (type *)mail;                                                                                 \
        next_mail = mail->next;                                                                                        \
        call;                                                                                                          \
    }

/* loop.c */
void engine_loop_init(struct engine *, int control_fd);
void *engine_loop_run(void *engine);
void engine_wake(void *engine); /* any thread */
/* Ends the service with this exit status (the first one counts). */
void engine_end(struct engine *, int status);
/* Sets a flag that other threads wait for. */
void engine_note(struct engine *, bool *flag);
/* ports.c */
void engine_ports(struct engine *, struct core_ports *);

/* links.c */
void link_new(struct engine *, const struct frame *, const struct message_worker_new *);
/* Drains a dead worker's channel before its items are judged: the result may already be in it. */
void link_gone(struct engine *, const struct frame *, const struct message_worker_gone *);
void link_poll_update(struct link *);
void link_quiet(struct link *);
void link_closed(uv_handle_t *); /* frees it */

/* reload.c */
void functions_reload(struct engine *);

/* control.c */
void control_poll_update(struct engine *);
/* Says something to the supervisor. */
void control_tell(struct engine *, unsigned type, unsigned slot, unsigned generation, const unsigned char *body,
                  size_t length);

#endif
