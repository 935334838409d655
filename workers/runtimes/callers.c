/* callers: see callers.h. */
#include "runtimes/callers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "runtimes/replies.h"
#include "runtimes/runtime.h"

enum { OUT_KEPT = 64 * 1024, PROGRESS_MAX = 64 * 1024, BACKLOG = 128 };

struct caller {
    int fd; /* 0 = free */
    struct source said;
    struct buf out;
    size_t sent;
    uint32_t number, theirs; /* of the call that waits; number 0 = none */
};

static struct {
    int listening; /* 0 = not tried yet, -1 = there is none */
    char name[64]; /* without the NUL that stands before it */
    const struct host *host;
    uint32_t place;
    uint32_t last; /* number of a call */
    struct caller callers[CALLERS_MAX];
} now;

/* ---- the socket ---- */

static int listen_somewhere(void)
{
    uint64_t secret[2];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (getrandom(secret, sizeof secret, 0) != sizeof secret)
        return -1;
    int length = snprintf(now.name, sizeof now.name, "poold-%016" PRIx64 "%016" PRIx64, secret[0], secret[1]);
    memcpy(address.sun_path + 1, now.name, (size_t)length);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd != -1 && (bind(fd, (struct sockaddr *)&address, size) == -1 || listen(fd, BACKLOG) == -1))
        fd_close(&fd);
    return fd;
}

static bool is_open(void)
{
    if (now.listening == 0 && (now.listening = listen_somewhere()) == -1)
        log_event(LOG_WARNING, "callers.none", "reason=\"%s\"", strerror(errno));
    return now.listening != -1;
}

void callers_environment(struct environment *environment, const struct host *host)
{
    char text[8192];
    const char *slash = host->runtimes ? strrchr(host->runtimes, '/') : NULL;
    if (host->call == NULL || !is_open())
        return;
    environment_set(environment, "POOLD_SOCKET", now.name);
    if (slash == NULL)
        return;
    int folder = (int)(slash - host->runtimes);
    snprintf(text, sizeof text, "%.*s/poold-call", folder, host->runtimes);
    environment_set(environment, "POOLD_CALL", text);
    if (snprintf(text, sizeof text, "%s:%.*s", environment_get(environment, "PATH"), folder, host->runtimes) <
        (int)sizeof text)
        environment_set(environment, "PATH", text);
}

/* ---- connections ---- */

static void hang_up(struct caller *caller)
{
    if (caller->number)
        now.host->call(now.host->context, now.place, caller->number, NULL, 0);
    close(caller->fd);
    buf_free(&caller->said.bytes);
    buf_free(&caller->out);
    *caller = (struct caller){.fd = 0};
}

static bool is_ours(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

static struct caller *free_place(void)
{
    for (unsigned i = 0; i < CALLERS_MAX; i++)
        if (now.callers[i].fd == 0)
            return &now.callers[i];
    return NULL;
}

static void take_connections(void)
{
    for (struct caller *caller; (caller = free_place());) {
        int fd = accept4(now.listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd == -1)
            return;
        if (is_ours(fd))
            *caller = (struct caller){.fd = fd};
        else
            close(fd);
    }
}

static void send_out(struct caller *caller)
{
    while (caller->sent < caller->out.length) {
        ssize_t sent = send(caller->fd, caller->out.data + caller->sent, caller->out.length - caller->sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            caller->sent += (size_t)sent;
        else if (errno != EINTR)
            return; /* full, or gone, which reading will tell */
    }
    buf_clear(&caller->out, OUT_KEPT);
    caller->sent = 0;
}

static void answer(struct caller *caller, uint32_t theirs, const char *json, size_t length)
{
    buf_printf(&caller->out, "{\"call\":%" PRIu32 ",\"answer\":", theirs);
    buf_append(&caller->out, json, length);
    for (char *at = caller->out.data + caller->out.length - length, *end = at + length;
         (at = memchr(at, '\n', (size_t)(end - at)));)
        *at = ' '; /* between tokens of a value */
    buf_append_text(&caller->out, "}\n");
    send_out(caller);
}

/* ---- lines ---- */

struct said {
    long long call;
    struct piece request, progress;
};

static bool parse(char *line, size_t length, struct said *said)
{
    struct scan_walk walk;
    char *end = line + length;
    *said = (struct said){.call = -1};
    if (*line != '{')
        return false;
    for (scan_enter(&walk, line, end, true); scan_next(&walk);) {
        struct piece value = {walk.value, (size_t)(walk.value_end - walk.value)};
        if (reply_key_is(&walk, "request") && walk.kind == SCAN_OBJECT)
            said->request = value;
        else if (reply_key_is(&walk, "progress"))
            said->progress = value;
        else if (!reply_key_is(&walk, "call") || scan_integer(walk.value, walk.value_end, &said->call) == -1)
            return false;
    }
    return walk.done && scan_space(walk.at, end) == end &&
           (said->progress.at ? said->request.at == NULL && said->progress.length <= PROGRESS_MAX
                              : said->request.at && said->call >= 0 && said->call <= UINT32_MAX);
}

static bool is_quiet(const struct piece *request)
{
    struct scan_walk walk;
    for (scan_enter(&walk, request->at, request->at + request->length, false); scan_next(&walk);)
        if (reply_key_is(&walk, "quiet"))
            return walk.kind == SCAN_TRUE;
    return false;
}

static void ask(struct caller *caller, const struct said *said)
{
    static const char too_large[] = "{\"error\":{\"type\":\"limit\",\"message\":\"the request is too large\"}}";
    if (said->request.length > CALL_BYTES_MAX) {
        answer(caller, (uint32_t)said->call, too_large, sizeof too_large - 1);
        return;
    }
    if (!is_quiet(&said->request)) {
        now.last += now.last == UINT32_MAX ? 2 : 1; /* never 0 */
        caller->number = now.last;
        caller->theirs = (uint32_t)said->call;
    }
    now.host->call(now.host->context, now.place, caller->number, said->request.at, said->request.length);
}

/* False when it talks nonsense. */
static bool take_lines(struct caller *caller)
{
    struct said said;
    size_t length;
    bool sane = true;
    for (char *line; sane && caller->number == 0 && (line = source_line(&caller->said, &length));) {
        sane = length > 0 && parse(line, length, &said);
        if (sane && said.progress.at)
            now.host->progress(now.host->context, now.place, said.progress.at, said.progress.length);
        else if (sane)
            ask(caller, &said);
    }
    source_tidy(&caller->said);
    return sane && caller->said.bytes.length <= CALL_LINE_MAX;
}

static void hear(struct caller *caller, short events)
{
    if (events & POLLOUT)
        send_out(caller);
    if ((events & ~POLLOUT) == 0)
        return;
    int read = source_read(&caller->said, caller->fd);
    if (!take_lines(caller) || read == -1)
        hang_up(caller);
}

/* ---- for command.c ---- */

void callers_begin(const struct host *host, uint32_t place)
{
    now.host = host;
    now.place = place;
}

unsigned callers_fds(struct pollfd *fds)
{
    unsigned count = 0;
    if (now.listening <= 0 || now.host->call == NULL)
        return 0;
    fds[count++] = (struct pollfd){.fd = free_place() ? now.listening : -1, .events = POLLIN};
    for (unsigned i = 0; i < CALLERS_MAX; i++) {
        const struct caller *caller = &now.callers[i];
        short out = caller->sent < caller->out.length ? POLLOUT : 0;
        if (caller->fd)
            fds[count++] = (struct pollfd){.fd = caller->fd, .events = (short)(POLLIN | out)};
    }
    return count;
}

void callers_turn(const struct pollfd *fds, unsigned count)
{
    for (unsigned i = 1; i < count; i++)
        for (unsigned k = 0; fds[i].revents && k < CALLERS_MAX; k++)
            if (now.callers[k].fd == fds[i].fd) {
                hear(&now.callers[k], fds[i].revents);
                break;
            }
    if (count > 0 && fds[0].revents)
        take_connections();
}

void callers_answer(uint32_t call, const char *json, size_t length)
{
    for (unsigned i = 0; i < CALLERS_MAX; i++) {
        struct caller *caller = &now.callers[i];
        if (caller->fd == 0 || caller->number != call || call == 0)
            continue;
        caller->number = 0;
        answer(caller, caller->theirs, json, length);
        if (!take_lines(caller)) /* what it has asked meanwhile */
            hang_up(caller);
        return;
    }
}

void callers_end(void)
{
    if (now.listening <= 0 || now.host->call == NULL)
        return;
    for (unsigned i = 0; i < CALLERS_MAX; i++)
        if (now.callers[i].fd) {
            now.callers[i].number = 0; /* the server gives up the calls of an item that has ended by itself */
            hang_up(&now.callers[i]);
        }
    for (int fd; (fd = accept4(now.listening, NULL, NULL, SOCK_CLOEXEC)) != -1;)
        close(fd);
}
