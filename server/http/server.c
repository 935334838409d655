#include "http/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "http/access.h"
#include "http/objects.h"
#include "http/request.h"
#include "http/upload.h"

/* Pieces of an upload and of a stream are as large as half of this allows (NUMBERS.md: filled buffers are 35 × as
 * fast as one line a write). Only what is touched is resident. */
#define CONNECTION_MEMORY ((size_t)64 * 1024) /* libmicrohttpd clears all of it before every request */
#define CONNECTION_MEMORY_STEP ((size_t)32 * 1024)
enum {
    TICK_UPLOAD_MS = 10,
    TICK_MS = 100,
    TICK_IDLE_MS = 5000,
    FAREWELL_MS = 500,
    CLIENTS_REMEMBERED = 4096,
    EVENTS = 64
};
/* For who does not read its answer; all other deadlines are in caps.c. */
#define SILENCE_S 900u

/* ---- libmicrohttpd's callbacks ---- */

static enum MHD_Result on_admission(void *context, const struct sockaddr *from, socklen_t length)
{
    (void)length;
    return connection_admit(context, from) ? MHD_YES : MHD_NO;
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct connection *c = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        c = connection_new(context, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
                           MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
        tls_begin(c, mhd);
        *socket_context = c;
    } else if (c) {
        tls_end(c);
        connection_free(&c);
    }
}

static void *on_uri(void *context, const char *uri, struct MHD_Connection *mhd)
{
    struct connection *c = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    return request_new(context, mhd, c, uri);
}

/* Names and values are decoded by query.c, which is stricter: nothing here. */
static size_t on_unescape(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context;
    (void)mhd;
    return strlen(text);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *data, size_t *length, void **request)
{
    struct request *r = *request;
    (void)context;
    (void)mhd;
    (void)url;
    if (!r->begun)
        return request_begin(r, method, version) ? MHD_YES : MHD_NO;
    bool fine = *length ? request_body(r, data, length) : request_continue(r);
    return fine ? MHD_YES : MHD_NO;
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **request,
                         enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)mhd;
    (void)code;
    if (*request)
        request_completed(*request);
    *request = NULL;
}

static void on_log(void *context, const char *format, va_list arguments)
{
    char text[256];
    (void)context;
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    log_event(LOG_DEBUG, "http.library", "text=\"%s\"", text);
}

/* ---- the thread ---- */

void http_wake(struct http *http)
{
    atomic_fetch_add(&http->wakes, 1);
    if (atomic_exchange(&http->asleep, false))
        (void)!write(http->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* Sleeps until there is something to do, and wakes those who shake hands. A wake-up before `asleep` shows in `wakes`,
 * one after it in the eventfd, which is edge-triggered and so never needs to be read. */
static void sleep_until(struct http *http, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    MHD_UNSIGNED_LONG_LONG due_ms;
    unsigned seen = http->wakes_seen;
    if (MHD_get_timeout(http->daemon, &due_ms) == MHD_YES && due_ms < (MHD_UNSIGNED_LONG_LONG)timeout_ms)
        timeout_ms = (int)due_ms;
    atomic_store(&http->asleep, true);
    if (atomic_load(&http->wakes) != seen)
        timeout_ms = 0;
    int count = epoll_wait(http->epoll_fd, events, EVENTS, timeout_ms);
    atomic_store(&http->asleep, false);
    http->wakes_seen = atomic_load(&http->wakes);
    for (int i = 0; i < count; i++)
        if (events[i].data.ptr)
            tls_wake(events[i].data.ptr);
}

static void turn(struct http *http, int timeout_ms)
{
    sleep_until(http, timeout_ms);
    MHD_run_wait(http->daemon, 0);
    tls_turn(http);
    uploads_tick(http);
    object_puts_tick(http);
    connections_sweep(http);
    if (atomic_load(&http->quiet) && !http->asks_refused) {
        http->asks_refused = true;
        sem_post(&http->quiet_reached);
    }
}

/* A body that still comes will not be taken any more. */
static void refuse_bodies(struct http *http)
{
    struct connection *c;
    LIST_FOREACH(c, &http->connections, link)
    {
        if (c->phase != PHASE_BODY || !c->request)
            continue;
        problem_set(&c->request->problem, PROBLEM_DRAINING, "the service ends; ask again");
        request_refuse_now(c->request);
    }
}

static bool any_busy(const struct http *http)
{
    struct connection *c;
    LIST_FOREACH(c, &http->connections, link)
    if (c->phase == PHASE_BUSY)
        return true;
    return false;
}

/* All questions are back, so what still can be said is being sent. */
static void farewell(struct http *http)
{
    int64_t until = clock_mono_ns() + FAREWELL_MS * NS_PER_MS;
    refuse_bodies(http);
    while (any_busy(http) && clock_mono_ns() < until)
        turn(http, TICK_UPLOAD_MS);
    struct connection *c;
    LIST_FOREACH(c, &http->connections, link)
    {
        if (c->request) {
            c->request->dead = true;
            request_wake(c->request); /* libmicrohttpd must not be stopped with suspended connections */
        }
    }
    tls_quit(http);
    turn(http, 0);
}

static void *loop(void *context)
{
    struct http *http = context;
    while (!atomic_load(&http->stop))
        turn(http, http->upload_count ? TICK_UPLOAD_MS : http->connection_count ? TICK_MS : TICK_IDLE_MS);
    farewell(http);
    return NULL;
}

/* ---- start and stop ---- */

static void set_listen_host(struct http *http)
{
    const char *listen = http->config->listen, *colon = strrchr(listen, ':');
    snprintf(http->listen_host, sizeof http->listen_host, "%.*s",
             (int)(colon ? colon - listen : (ptrdiff_t)strlen(listen)), listen);
}

static int find_port(struct http *http, int fd, struct error *e)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char port[16];
    if (getsockname(fd, (struct sockaddr *)&address, &length) ||
        getnameinfo((struct sockaddr *)&address, length, NULL, 0, port, sizeof port, NI_NUMERICSERV))
        return error_set(e, "the listening socket has no address: %s", strerror(errno));
    http->port = (unsigned)atoi(port);
    return 0;
}

/* Not strict: what strictness adds (Host) is checked in heads.c, and libmicrohttpd's own error answers are broken in
 * 0.9.75 (the head is sent twice). */
static int start_daemon(struct http *http, int listen_fd, struct error *e)
{
    const struct config *config = http->config;
    unsigned limit = config->max_connections + RESERVE_CONNECTIONS;
    http->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | tls_flags(http), 0,
                         on_admission, http, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, http,
                         MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
                         MHD_OPTION_CONNECTION_MEMORY_INCREMENT, CONNECTION_MEMORY_STEP, MHD_OPTION_CONNECTION_LIMIT,
                         limit, MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_S, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
                         http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_URI_LOG_CALLBACK, on_uri,
                         http, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, http, MHD_OPTION_STRICT_FOR_CLIENT, 0,
                         MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, tls_options(http), MHD_OPTION_END);
    return http->daemon ? 0 : error_set(e, "libmicrohttpd did not start: %s", strerror(errno));
}

static void destroy(struct http **http)
{
    if ((*http)->daemon)
        MHD_stop_daemon((*http)->daemon);
    tls_close(*http);
    store_reader_close(&(*http)->reader);
    fd_close(&(*http)->epoll_fd);
    fd_close(&(*http)->wake_fd);
    sem_destroy(&(*http)->quiet_reached);
    access_free(*http);
    limiter_free(&(*http)->limiter);
    free(*http);
    *http = NULL;
}

static int add(struct http *http, int fd, uint32_t events)
{
    return epoll_ctl(http->epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = events});
}

static int start_epoll(struct http *http, struct error *e)
{
    http->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    http->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (http->wake_fd < 0 || http->epoll_fd < 0 || !info || add(http, info->epoll_fd, EPOLLIN) ||
        add(http, http->wake_fd, EPOLLIN | EPOLLET))
        return error_set(e, "epoll: %s", strerror(errno));
    return 0;
}

static int start(struct http *http, struct store *store, int listen_fd, struct error *e)
{
    set_listen_host(http);
    if (access_start(http, e) || tls_open(http, e) || find_port(http, listen_fd, e) ||
        fd_set_nonblocking(listen_fd, true))
        return -1;
    if (!(http->reader = store_reader_open(store, e)) || start_daemon(http, listen_fd, e) || start_epoll(http, e))
        return -1;
    int failed = pthread_create(&http->thread, NULL, loop, http);
    return failed ? error_set(e, "the HTTP thread did not start: %s", strerror(failed)) : 0;
}

struct http *http_start(const struct config *config, struct engine *engine, struct store *store, int listen_fd,
                        struct error *e)
{
    struct http *http = calloc(1, sizeof *http);
    CHECK(http, "out of memory");
    http->config = config;
    http->engine = engine;
    http->epoll_fd = http->wake_fd = -1;
    http->limiter = limiter_new(CLIENTS_REMEMBERED);
    LIST_INIT(&http->connections);
    LIST_INIT(&http->uploads);
    LIST_INIT(&http->puts);
    sem_init(&http->quiet_reached, 0, 0);
    if (start(http, store, listen_fd, e))
        destroy(&http);
    return http;
}

int http_check(const struct config *config, struct error *e)
{
    return access_check_file(config, e) || tls_check(config, e) ? -1 : 0;
}

unsigned http_port(const struct http *http)
{
    return http->port;
}

void http_drain(struct http *http)
{
    atomic_store(&http->draining, true);
}

void http_reload(struct http *http)
{
    access_reload(http);
    tls_reload(http);
}

void http_quiet(struct http *http)
{
    atomic_store(&http->quiet, true);
    http_wake(http);
    while (sem_wait(&http->quiet_reached) && errno == EINTR)
        ;
}

void http_stop(struct http **http)
{
    if (!*http)
        return;
    atomic_store(&(*http)->stop, true);
    http_wake(*http);
    pthread_join((*http)->thread, NULL);
    destroy(http);
}
