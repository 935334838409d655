#include "supervisor/supervisor.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/signal_name.h"
#include "supervisor/datadir.h"
#include "wire/scoreboard.h"

int64_t supervisor_now(void)
{
    return clock_mono_ns();
}

/* ---- making ---- */

/* Beside poold itself, unless POOLD_LIBEXEC says otherwise. */
static int find_libexec(struct supervisor *s, struct error *error)
{
    const char *given = getenv("POOLD_LIBEXEC");
    if (given != NULL && given[0] != '\0') {
        snprintf(s->libexec, sizeof s->libexec, "%s", given);
        return 0;
    }
    ssize_t length = readlink("/proc/self/exe", s->libexec, sizeof s->libexec - 1);
    if (length == -1)
        return error_set(error, "/proc/self/exe: %s; set POOLD_LIBEXEC", strerror(errno));
    s->libexec[length] = '\0';
    *strrchr(s->libexec, '/') = '\0';
    return 0;
}

void supervisor_program(const struct supervisor *s, const char *name, char path[])
{
    snprintf(path, PATH_MAX, "%s/%s", s->libexec, name);
}

static int check_program(const struct supervisor *s, const char *name, struct error *error)
{
    char path[PATH_MAX];
    supervisor_program(s, name, path);
    return access(path, X_OK) == 0 ? 0 : error_set(error, "%.400s: %s", path, strerror(errno));
}

static int create_scoreboard(struct supervisor *s, struct error *error)
{
    char path[sizeof s->config.data + 16];
    snprintf(path, sizeof path, "%s/scoreboard", s->config.data);
    return s->scoreboard_fd = scoreboard_create(path, error);
}

/* Root on purpose is what `--worker-user root` says. */
static void warn_of_root(const struct supervisor *s)
{
    if (geteuid() == 0 && s->config.worker_user[0] == '\0')
        log_event(LOG_WARNING, "worker_user.root",
                  "note=\"functions run as root, like poold; --worker-user names somebody else\"");
}

static int take_data_directory(struct supervisor *s, struct error *error)
{
    if ((s->lock_fd = datadir_lock(s->config.data, error)) == -1 || create_scoreboard(s, error) == -1)
        return -1;
    return s->user.other ? datadir_share_objects(s->config.data, s->user.gid, error) : 0;
}

int supervisor_init(struct supervisor *s, const struct config *config, struct error *error)
{
    *s = (struct supervisor){.config = *config, .lock_fd = -1, .scoreboard_fd = -1, .listener = {.fd = -1}};
    slots_resize(&s->pool.slots, config->processes != 0 ? config->processes : cpu_count());
    if (find_libexec(s, error) == -1 || check_program(s, "poold-server", error) == -1 ||
        check_program(s, "poold-worker", error) == -1 ||
        worker_user_find(s->config.worker_user, &s->user, error) == -1 || take_data_directory(s, error) == -1)
        return -1;
    warn_of_root(s);
    if (listener_open(&s->listener, &s->config, error) == -1)
        return -1;
    return datadir_write_address(s->config.data, s->listener.url, error);
}

int supervisor_become_server(struct supervisor *s, const struct config *config, char **argv, struct error *error)
{
    char path[PATH_MAX];
    *s = (struct supervisor){.config = *config};
    if (find_libexec(s, error) == -1)
        return -1;
    supervisor_program(s, "poold-server", path);
    execv(path, argv);
    return error_set(error, "%.400s: %s", path, strerror(errno));
}

int supervisor_check(struct supervisor *s, const struct config *config, char **argv, struct error *error)
{
    *s = (struct supervisor){.config = *config};
    if (find_libexec(s, error) == -1 || check_program(s, "poold-worker", error) == -1 ||
        worker_user_find(config->worker_user, &s->user, error) == -1 || listener_check(config, error) == -1)
        return -1;
    return supervisor_become_server(s, config, argv, error);
}

struct config supervisor_child_config(const struct supervisor *s)
{
    struct config config = s->config;
    snprintf(config.listen, sizeof config.listen, "%.127s", s->listener.at);
    config.processes = s->pool.slots.wanted;
    config.read_only = s->server.read_only;
    return config;
}

void supervisor_destroy(struct supervisor *s)
{
    if (s->listener.fd != -1)
        datadir_remove_address(s->config.data);
    listener_close(&s->listener);
    fd_close(&s->scoreboard_fd);
    fd_close(&s->lock_fd);
}

/* ---- the loop ---- */

static bool is_ours(void *context, pid_t pid)
{
    struct supervisor *s = context;
    return (s->server.state != SERVER_DOWN && s->server.pid == pid) || slots_find(&s->pool.slots, pid) != NULL;
}

static void on_gone(void *context, const struct corpse *corpse)
{
    struct supervisor *s = context;
    if (!pool_exited(s, corpse) && !server_exited(s, corpse))
        log_event(LOG_DEBUG, "orphan.reaped", "pid=%d", (int)corpse->pid);
}

unsigned supervisor_kill_strangers(struct supervisor *s)
{
    return reap_kill_strangers(is_ours, s);
}

/* With a worker's end its orphans come to us, with the end of these theirs. */
static void on_deaths(struct supervisor *s)
{
    if (reap_children(is_ours, on_gone, s) > 0)
        supervisor_kill_strangers(s);
}

static void on_timer(uv_timer_t *timer)
{
    struct supervisor *s = timer->data;
    control_receive(s, false); /* after a pause of the machine: what has come in time counts before deadlines do */
    int64_t now = supervisor_now();
    pool_deadlines(s, now);
    server_deadlines(s, now);
    supervisor_step(s);
}

static void arm_timer(struct supervisor *s, int64_t now)
{
    int64_t pool = pool_next(s, now), server = server_next(s, now);
    int64_t next = pool == 0 || (server != 0 && server < pool) ? server : pool;
    if (next == 0) {
        uv_timer_stop(&s->timer);
        return;
    }
    uv_update_time(&s->loop);
    int64_t wait_ms = next > now ? (next - now) / NS_PER_MS + 1 : 0;
    uv_timer_start(&s->timer, on_timer, (uint64_t)wait_ms, 0);
}

static bool is_over(const struct supervisor *s)
{
    return s->phase == PHASE_STOP && s->server.state == SERVER_DOWN && slots_alive(&s->pool.slots) == 0;
}

void supervisor_step(struct supervisor *s)
{
    int64_t now = supervisor_now();
    server_start_if_due(s, now);
    pool_fill(s, now);
    control_check(s);
    control_watch(s);
    arm_timer(s, now);
    if (is_over(s))
        uv_stop(&s->loop);
}

void supervisor_stop(struct supervisor *s, int exit_code)
{
    s->phase = PHASE_STOP;
    s->exit_code = exit_code;
    pool_stop_all(s, s->config.kill_grace_ms);
}

/* ---- signals ---- */

static void on_terminate(struct supervisor *s, int number)
{
    char name[SIGNAL_NAME_SIZE];
    if (s->phase == PHASE_RUN && s->server.state != SERVER_DOWN) {
        log_event(LOG_INFO, "drain", "signal=%s grace=%u", signal_name(number, name), s->config.grace_s);
        s->phase = PHASE_DRAIN;
        server_drain(s);
        return;
    }
    log_event(LOG_INFO, "shutdown", "signal=%s", signal_name(number, name));
    s->phase = PHASE_STOP;
    server_kill(s, "shutdown");
    pool_stop_all(s, 0);
}

/* A server that is not there reads the manifests anyway when it starts; one that is starting may have read them. */
static void on_reload(struct supervisor *s)
{
    s->reloads++;
    log_event(LOG_INFO, "reload", "times=%u server=%s", s->reloads, server_state_name(s->server.state));
    if (s->phase == PHASE_RUN)
        control_send_reload(s, s->reloads);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct supervisor *s = handle->data;
    if (number == SIGCHLD)
        on_deaths(s);
    else if (number == SIGHUP)
        on_reload(s);
    else
        on_terminate(s, number);
    supervisor_step(s);
}

/* Handlers of our own for each: as PID 1 there is no default action. */
static void watch_signals(struct supervisor *s)
{
    static const int numbers[SUPERVISOR_SIGNALS] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
    signal(SIGPIPE, SIG_IGN); /* whoever reads our log may go before we do */
    for (int i = 0; i < SUPERVISOR_SIGNALS; i++) {
        int result = uv_signal_init(&s->loop, &s->signals[i]);
        CHECK(result == 0, "uv_signal_init: %s", uv_strerror(result));
        s->signals[i].data = s;
        uv_signal_start(&s->signals[i], on_signal, numbers[i]);
    }
}

/* ---- running ---- */

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_loop(struct supervisor *s)
{
    control_close(s);
    uv_walk(&s->loop, close_handle, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    int result = uv_loop_close(&s->loop);
    CHECK(result == 0, "uv_loop_close: %s", uv_strerror(result));
}

/* Nothing of what functions have started outlives the service. What does not even die by SIGKILL hangs in the kernel:
 * we do not wait longer than a second for that. */
static void end_strangers(struct supervisor *s)
{
    const struct timespec pause = {.tv_nsec = 2 * NS_PER_MS};
    int64_t end = supervisor_now() + NS_PER_S;
    while (supervisor_kill_strangers(s) > 0 && supervisor_now() < end) {
        nanosleep(&pause, NULL);
        reap_children(is_ours, on_gone, s);
    }
}

int supervisor_run(struct supervisor *s)
{
    int result = uv_loop_init(&s->loop);
    CHECK(result == 0, "uv_loop_init: %s", uv_strerror(result));
    uv_timer_init(&s->loop, &s->timer);
    s->timer.data = s;
    reap_setup();
    watch_signals(s);
    supervisor_step(s);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    end_strangers(s);
    if (s->exit_code == 0)
        scoreboard_mark_stopped(s->scoreboard_fd);
    close_loop(s);
    log_event(LOG_INFO, "stopped", "exit_code=%d", s->exit_code);
    return s->exit_code;
}
