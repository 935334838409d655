/*          spawn            up        ready          drain             EOF            kill
 *    DOWN ───────► STARTING ────► UP ───────► READY ───────► DRAINING ─────► LEAVING ───────► KILLED
 *      ▲              │           │  drain      │               ▲               ▲               │
 *      │              │           ├─────────────┼───────────────┘               │               │
 *      │              └─ EOF, kill┴─────────────┴─ from each alive state ───────┴───────────────┤
 *      └───────────────────────────── exit, from each alive state ──────────────────────────────┘ */
#include "supervisor/process.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/signal_name.h"
#include "supervisor/spawn.h"
#include "supervisor/supervisor.h"

struct move {
    bool allowed;
    enum server_state to;
};
#define TO(state)                                                                                                      \
    {                                                                                                                  \
        true, state                                                                                                    \
    }
#define ENDS [SERVER_KILL] = TO(SERVER_KILLED), [SERVER_EXIT] = TO(SERVER_DOWN)

static const struct move moves[SERVER_STATES][SERVER_EVENTS] = {
    [SERVER_DOWN] = {[SERVER_SPAWN] = TO(SERVER_STARTING)},
    [SERVER_STARTING] = {[SERVER_SAYS_UP] = TO(SERVER_UP), [SERVER_LEAVE] = TO(SERVER_LEAVING), ENDS},
    [SERVER_UP] = {[SERVER_SAYS_READY] = TO(SERVER_READY),
                   [SERVER_DRAIN] = TO(SERVER_DRAINING),
                   [SERVER_LEAVE] = TO(SERVER_LEAVING),
                   ENDS},
    [SERVER_READY] = {[SERVER_DRAIN] = TO(SERVER_DRAINING), [SERVER_LEAVE] = TO(SERVER_LEAVING), ENDS},
    /* told to drain just before it was ready */
    [SERVER_DRAINING] = {[SERVER_SAYS_READY] = TO(SERVER_DRAINING), [SERVER_LEAVE] = TO(SERVER_LEAVING), ENDS},
    [SERVER_LEAVING] = {ENDS},
    [SERVER_KILLED] = {[SERVER_EXIT] = TO(SERVER_DOWN)},
};

static const char *const state_names[SERVER_STATES] = {
    [SERVER_DOWN] = "down",         [SERVER_STARTING] = "starting", [SERVER_UP] = "up",        [SERVER_READY] = "ready",
    [SERVER_DRAINING] = "draining", [SERVER_LEAVING] = "leaving",   [SERVER_KILLED] = "killed"};

bool server_allows(enum server_state state, enum server_event event)
{
    return moves[state][event].allowed;
}

const char *server_state_name(enum server_state state)
{
    return state_names[state];
}

/* The one place where the state changes; the deadline belongs to the state. */
static void move(struct server *server, enum server_event event, int64_t deadline_ns)
{
    const struct move *m = &moves[server->state][event];
    CHECK(m->allowed, "event %d while the server is %s", event, server_state_name(server->state));
    server->state = m->to;
    server->deadline_ns = deadline_ns;
}

bool server_takes_workers(const struct supervisor *s)
{
    return (s->server.state == SERVER_UP || s->server.state == SERVER_READY) && s->control.health == CONTROL_GOOD;
}

/* ---- start ---- */

static pid_t spawn_server(struct supervisor *s, int control_fd)
{
    char path[PATH_MAX];
    supervisor_program(s, "poold-server", path);
    struct config config = supervisor_child_config(s);
    char **argv = config_to_argv(&config, "poold-server");
    struct spawn_plan plan = {
        .path = path,
        .argv = argv,
        /* after FD_LISTEN the lock: never used there, but held until the server is dead (datadir.h) */
        .fds = {control_fd, s->scoreboard_fd, s->listener.fd, s->lock_fd},
        .fd_count = 4,
        .many_files = true,
    };
    pid_t pid = spawn(&plan);
    free(argv);
    return pid;
}

static int start(struct supervisor *s, int64_t now)
{
    int pair[2];
    if (fd_stream_pair(pair, 0) == -1)
        return -1;
    pid_t pid = spawn_server(s, pair[1]);
    fd_close(&pair[1]);
    if (pid == -1) {
        fd_close(&pair[0]);
        return -1;
    }
    control_open(s, pair[0]);
    s->server.pid = pid;
    s->server.was_ready = false;
    move(&s->server, SERVER_SPAWN, now + SERVER_UP_NS);
    log_event(LOG_INFO, "server.started", "pid=%d read_only=%s", (int)pid, log_bool(s->server.read_only));
    return 0;
}

void server_start_if_due(struct supervisor *s, int64_t now)
{
    if (s->phase != PHASE_RUN || s->server.state != SERVER_DOWN || slots_alive(&s->pool.slots) > 0 ||
        backoff_left(&s->server.backoff, now) > 0)
        return;
    supervisor_kill_strangers(s);
    if (start(s, now) == 0)
        return;
    log_event(LOG_ERROR, "server.not_started", "error=\"%s\"", strerror(errno));
    backoff_failed(&s->server.backoff, now);
}

/* ---- its life ---- */

void server_is_up(struct supervisor *s)
{
    move(&s->server, SERVER_SAYS_UP, supervisor_now() + SERVER_READY_NS);
    log_event(LOG_INFO, "server.up", "pid=%d", (int)s->server.pid);
    backoff_worked(&s->pool.backoff); /* the last pool's failures may have been the last server's */
    control_send_pool_state(s);
}

static void announce(struct supervisor *s)
{
    if (s->server.announced)
        return;
    s->server.announced = true;
    fprintf(stderr, "listening on %s\n", s->listener.url);
}

void server_is_ready(struct supervisor *s)
{
    move(&s->server, SERVER_SAYS_READY, s->server.state == SERVER_DRAINING ? s->server.deadline_ns : 0);
    s->server.was_ready = true;
    backoff_worked(&s->server.backoff);
    if (s->server.state == SERVER_READY)
        announce(s);
    log_event(LOG_INFO, "server.ready", "pid=%d address=\"%s\" read_only=%s", (int)s->server.pid, s->listener.url,
              log_bool(s->server.read_only));
}

void server_deadlines(struct supervisor *s, int64_t now)
{
    if (s->server.deadline_ns != 0 && s->server.deadline_ns <= now)
        server_kill(s, "deadline");
}

int64_t server_next(const struct supervisor *s, int64_t now)
{
    bool waiting = s->server.state == SERVER_DOWN && backoff_left(&s->server.backoff, now) > 0;
    return waiting ? s->server.backoff.until_ns : s->server.deadline_ns;
}

void server_drain(struct supervisor *s)
{
    if (s->server.state == SERVER_STARTING) {
        server_kill(s, "shutdown");
        return;
    }
    if (!server_allows(s->server.state, SERVER_DRAIN))
        return; /* it is on its way out */
    int64_t grace = (int64_t)s->config.grace_s * NS_PER_S + s->config.kill_grace_ms * NS_PER_MS;
    control_send_drain(s, s->config.grace_s * 1000);
    move(&s->server, SERVER_DRAIN, supervisor_now() + grace + SERVER_DRAIN_MORE_NS);
}

/* ---- its end ---- */

/* Nobody listens to the workers any more. They see EOF themselves; we make sure, and quickly. */
static void lose(struct supervisor *s)
{
    control_close(s);
    unsigned grace_ms = s->config.kill_grace_ms < 500 ? s->config.kill_grace_ms : 500;
    pool_stop_all(s, grace_ms);
}

void server_left(struct supervisor *s)
{
    lose(s);
    if (server_allows(s->server.state, SERVER_LEAVE))
        move(&s->server, SERVER_LEAVE, supervisor_now() + SERVER_LEAVE_NS);
}

void server_kill(struct supervisor *s, const char *why)
{
    if (!server_allows(s->server.state, SERVER_KILL))
        return;
    log_event(LOG_WARNING, "server.kill", "pid=%d state=%s why=\"%s\"", (int)s->server.pid,
              server_state_name(s->server.state), why);
    kill(-s->server.pid, SIGKILL);
    move(&s->server, SERVER_KILL, 0);
    lose(s);
}

/* A configuration that is wrong from the beginning is the operator's to mend. When we have served already, it is a file
 * that was changed since and the running server had refused to take over: nobody's service ends for that, it is tried
 * until the file is right. */
enum server_verdict server_judge(const struct server *server, const struct corpse *corpse)
{
    bool exited = corpse->signal == 0;
    if (exited && corpse->exit_code == SERVER_EXIT_STORAGE && !server->read_only)
        return SERVER_RESTART_READ_ONLY;
    if (exited && !server->was_ready && corpse->exit_code == 0)
        return SERVER_GIVE_UP;
    if (exited && !server->announced && corpse->exit_code == SERVER_EXIT_CONFIG)
        return SERVER_GIVE_UP;
    return SERVER_RESTART;
}

static void judge(struct supervisor *s, const struct corpse *corpse)
{
    switch (server_judge(&s->server, corpse)) {
    case SERVER_GIVE_UP:
        log_event(LOG_ERROR, "server.gave_up",
                  "exit_code=%d note=\"the server says that it cannot run like this; see its message above\"",
                  corpse->exit_code);
        supervisor_stop(s, corpse->exit_code);
        return;
    case SERVER_RESTART_READ_ONLY:
        log_event(LOG_ERROR, "server.read_only",
                  "note=\"the storage failed: serving what is there, accepting nothing, until poold is restarted\"");
        s->server.read_only = true;
        break;
    case SERVER_RESTART:
        if (!s->server.was_ready)
            backoff_failed(&s->server.backoff, supervisor_now());
        break;
    }
    s->server.restarts++;
}

/* Draining or stopping: the end of the server is what we waited for. */
static void judge_last(struct supervisor *s, const struct corpse *corpse, bool asked_by_force)
{
    bool clean = asked_by_force || (corpse->signal == 0 && corpse->exit_code == 0);
    char name[SIGNAL_NAME_SIZE];
    if (!clean)
        log_event(LOG_WARNING, "server.not_drained", "signal=%s exit_code=%d", signal_name_any(corpse->signal, name),
                  corpse->signal ? LOG_NONE : corpse->exit_code);
    supervisor_stop(s, clean ? 0 : 1);
}

bool server_exited(struct supervisor *s, const struct corpse *corpse)
{
    if (s->server.state == SERVER_DOWN || corpse->pid != s->server.pid)
        return false;
    control_receive(s, true); /* what it said last still counts: "ready" decides about the back-off */
    bool killed = s->server.state == SERVER_KILLED;
    char name[SIGNAL_NAME_SIZE];
    log_event(s->phase == PHASE_RUN ? LOG_ERROR : LOG_INFO, "server.gone",
              "pid=%d signal=%s exit_code=%d max_rss_kib=%llu was_ready=%s", (int)corpse->pid,
              signal_name_any(corpse->signal, name), corpse->signal ? LOG_NONE : corpse->exit_code,
              (unsigned long long)corpse->max_rss_kib, log_bool(s->server.was_ready));
    lose(s);
    move(&s->server, SERVER_EXIT, 0);
    s->server.pid = 0;
    if (s->phase == PHASE_RUN)
        judge(s, corpse);
    else
        judge_last(s, corpse, killed);
    return true;
}
