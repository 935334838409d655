/* fake server: speaks the control protocol and does what the test says.
 *
 * It connects to $POOLD_FAKE_SOCKET (SEQPACKET: a packet is a line), reports what the supervisor tells it, and obeys:
 *   up · ready · exit N · abort · closecontrol · nonsense · accept
 *   stop SLOT GEN CAUSE GRACE · spawn REQUEST · resize N · tell SLOT BYTE · close SLOT
 *   massacre N (as soon as a worker says hello it is told to kill itself, N times) */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/config.h"
#include "base/fd.h"
#include "wire/channel.h"
#include "wire/fds.h"
#include "wire/limits.h"
#include "wire/messages.h"

static int test = -1;
static struct channel control;
static struct {
    int fd;
    uint32_t generation;
} workers[WORKERS_MAX];
static unsigned massacre;

static void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void report(const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (send(test, text, (size_t)length, MSG_NOSIGNAL) == -1)
        _exit(1); /* the test is over */
}

static void connect_to_test(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", getenv("POOLD_FAKE_SOCKET"));
    test = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connect(test, (struct sockaddr *)&address, sizeof address) == -1)
        _exit(1);
}

/* Before anything is opened: what we were given. */
static int count_fds(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
        count += e->d_name[0] != '.';
    closedir(dir);
    return count - 1; /* the folder itself */
}

/* ---- from the supervisor ---- */

static void on_new(const struct frame *f)
{
    struct message_worker_new m;
    message_worker_new_decode(&m, f->body, f->body_length);
    fd_close(&workers[f->slot].fd);
    workers[f->slot].fd = channel_take_fd(&control);
    workers[f->slot].generation = f->generation;
    int workbench = channel_take_fd(&control);
    fd_close(&workbench);
    report("new %u %u %u %u %llu", f->slot, f->generation, m.pid, m.extra, (unsigned long long)m.request);
}

static void on_gone(const struct frame *f)
{
    struct message_worker_gone m;
    message_worker_gone_decode(&m, f->body, f->body_length);
    if (workers[f->slot].generation == f->generation)
        fd_close(&workers[f->slot].fd);
    report("gone %u %u %u %u %u %u %d", f->slot, f->generation, m.pid, m.signal, m.exit_code, m.cause,
           m.max_rss_kib > 0);
}

static void on_control(const struct frame *f)
{
    struct message_pool_state state;
    struct message_drain drain;
    struct message_reload reload;
    if (f->type == MESSAGE_worker_new)
        on_new(f);
    else if (f->type == MESSAGE_worker_gone)
        on_gone(f);
    else if (f->type == MESSAGE_pool_state && message_pool_state_decode(&state, f->body, f->body_length) == 0)
        report("state %u %llu", state.processes, (unsigned long long)state.restarts);
    else if (f->type == MESSAGE_drain && message_drain_decode(&drain, f->body, f->body_length) == 0)
        report("drain %u", drain.grace_ms);
    else if (f->type == MESSAGE_reload && message_reload_decode(&reload, f->body, f->body_length) == 0)
        report("reload %u", reload.times);
    else
        report("unexpected %u", f->type);
}

static void receive_control(void)
{
    enum channel_status status = channel_receive(&control);
    struct frame frame;
    while (channel_next(&control, &frame))
        on_control(&frame);
    if (status != CHANNEL_OK || control.broken)
        _exit(1);
}

/* ---- from the test ---- */

#define SEND(name, slot, generation, ...)                                                                              \
    do {                                                                                                               \
        struct message_##name m = {__VA_ARGS__};                                                                       \
        unsigned char body[MESSAGE_BODY_MAX];                                                                          \
        channel_send(&control, MESSAGE_##name, slot, generation, body, message_##name##_encode(&m, body), NULL, 0);    \
    } while (0)

static void accept_one(void)
{
    fd_set_nonblocking(FD_LISTEN, false);
    int client = accept4(FD_LISTEN, NULL, NULL, SOCK_CLOEXEC);
    report(client != -1 && write(client, "hi", 2) == 2 ? "accepted" : "not accepted");
    fd_close(&client);
}

static bool obey_simple(const char *word)
{
    if (strcmp(word, "up") == 0)
        SEND(server_up, 0, 0, .protocol = WIRE_PROTOCOL);
    else if (strcmp(word, "ready") == 0)
        SEND(server_ready, 0, 0, .port = 1);
    else if (strcmp(word, "abort") == 0)
        raise(SIGKILL);
    else if (strcmp(word, "closecontrol") == 0)
        channel_close(&control);
    else if (strcmp(word, "nonsense") == 0)
        SEND(worker_gone, 0, 0, .pid = 1);
    else if (strcmp(word, "accept") == 0)
        accept_one();
    else
        return false;
    return true;
}

static void obey(const char *text)
{
    unsigned a, b, c, d;
    char byte;
    unsigned long long request;
    if (obey_simple(text))
        return;
    if (sscanf(text, "exit %u", &a) == 1)
        exit((int)a);
    else if (sscanf(text, "stop %u %u %u %u", &a, &b, &c, &d) == 4)
        SEND(worker_stop, a, b, .cause = c, .grace_ms = d);
    else if (sscanf(text, "spawn %llu", &request) == 1)
        SEND(worker_spawn, 0, 0, .request = request);
    else if (sscanf(text, "resize %u", &a) == 1)
        SEND(pool_resize, 0, 0, .processes = a);
    else if (sscanf(text, "massacre %u", &a) == 1)
        massacre = a;
    else if (sscanf(text, "tell %u %c", &a, &byte) == 2)
        (void)!write(workers[a].fd, &byte, 1);
    else if (sscanf(text, "close %u", &a) == 1)
        fd_close(&workers[a].fd);
    else
        report("what? %s", text);
}

static void receive_test(void)
{
    char text[256];
    ssize_t length = recv(test, text, sizeof text - 1, 0);
    if (length <= 0)
        _exit(1);
    text[length] = '\0';
    obey(text);
}

/* ---- from workers ---- */

static void receive_worker(unsigned slot)
{
    char byte;
    if (recv(workers[slot].fd, &byte, 1, MSG_DONTWAIT) != 1) {
        fd_close(&workers[slot].fd); /* its death is the supervisor's to tell */
        return;
    }
    SEND(worker_ready, slot, workers[slot].generation, .pid = 0);
    report("hello %u %u", slot, workers[slot].generation);
    if (massacre > 0) {
        massacre--;
        (void)!write(workers[slot].fd, "k", 1);
    }
}

static void serve(void)
{
    struct pollfd polled[2 + WORKERS_MAX] = {{.fd = test, .events = POLLIN}};
    polled[1] = (struct pollfd){.fd = control.fd, .events = POLLIN};
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        polled[2 + i] = (struct pollfd){.fd = workers[i].fd, .events = POLLIN};
    if (poll(polled, 2 + WORKERS_MAX, -1) <= 0)
        return;
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        if (polled[2 + i].revents != 0)
            receive_worker(i);
    if (polled[1].revents != 0)
        receive_control();
    if (polled[0].revents != 0)
        receive_test();
}

int main(int argc, char **argv)
{
    static struct config config;
    char message[512];
    int fds = count_fds();
    connect_to_test();
    enum config_result result = config_parse(&config, argc, argv, message, sizeof message);
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        workers[i].fd = -1;
    fd_set_nonblocking(FD_CHANNEL, true);
    channel_init(&control, FD_CHANNEL);
    report("start %d %d %d %d", (int)getpid(), result == CONFIG_OK, config.read_only, fds);
    for (;;)
        serve();
}
