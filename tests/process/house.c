#include "house.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "support/procs.h"
#include "support/service.h"

/* ---- making ---- */

void house_make(struct house *h)
{
    static unsigned number;
    *h = (struct house){.doorbell = -1, .server = -1};
    snprintf(h->dir, sizeof h->dir, "/tmp/poold-house-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    snprintf(h->data, sizeof h->data, "%s/data", h->dir);
    snprintf(h->log, sizeof h->log, "%s/log", h->dir);
    snprintf(h->mode, sizeof h->mode, "%s/mode", h->dir);
    snprintf(h->mark, sizeof h->mark, "house-%d-%u", (int)getpid(), number++);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s/bell", h->dir);
    h->doorbell = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(h->doorbell, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(h->doorbell, 8), 0);
    setenv("POOLD_FAKE_SOCKET", address.sun_path, 1);
    setenv("POOLD_FAKE_MODE", h->mode, 1);
    setenv("POOLD_TEST_MARK", h->mark, 1);
    setenv("POOLD_LIBEXEC", HOUSE_FAKES, 1);
    house_mode(h, "good");
}

void house_mode(const struct house *h, const char *mode)
{
    char fresh[200];
    snprintf(fresh, sizeof fresh, "%s.new", h->mode);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, mode, strlen(mode)), (ssize_t)strlen(mode));
    close(fd);
    assert_int_equal(rename(fresh, h->mode), 0); /* no worker sees half a word */
}

static _Noreturn void become_poold(const struct house *h, const char *const *args)
{
    const char *argv[32] = {HOUSE_POOLD, "--listen=127.0.0.1:0", "--data", h->data};
    int count = 4;
    for (; args != NULL && *args != NULL && count < 31; args++)
        argv[count++] = *args;
    int log = open(h->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, STDERR_FILENO);
    close(log);
    execv(HOUSE_POOLD, (char **)(uintptr_t)argv);
    _exit(126);
}

/* As PID 1 of a namespace with a /proc of its own. The process between only waits. */
static _Noreturn void become_container(const struct house *h, const char *const *args)
{
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) == -1)
        _exit(125);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 || mount("proc", "/proc", "proc", 0, NULL) == -1)
            _exit(125);
        become_poold(h, args);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

void house_start(struct house *h, const char *const *args)
{
    h->poold = fork();
    if (h->poold == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that is cut off leaves nothing running */
    if (h->poold == 0 && h->contained)
        become_container(h, args);
    if (h->poold == 0)
        become_poold(h, args);
    assert_true(h->poold > 0);
}

void house_begin(struct house *h, const char *const *args)
{
    house_make(h);
    house_start(h, args);
    house_await_server(h);
}

void house_begin_ready(struct house *h, unsigned processes, const char *const *args)
{
    const char *all[16] = {NULL};
    char size[32];
    int count = 0;
    snprintf(size, sizeof size, "--processes=%u", processes);
    all[count++] = size;
    for (; args != NULL && *args != NULL && count < 15; args++)
        all[count++] = *args;
    house_begin(h, all);
    house_make_ready(h, processes);
}

void house_make_ready(struct house *h, unsigned processes)
{
    house_tell(h, "up");
    for (unsigned i = 0; i < processes; i++)
        house_await(h, "hello");
    house_tell(h, "ready");
    house_await_log(h, "listening on http://127.0.0.1:");
}

static void remove_folder(const char *dir)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%.200s'", dir);
    assert_int_equal(system(command), 0);
}

void house_end(struct house *h)
{
    if (h->poold > 0)
        kill(h->poold, SIGKILL);
    bool clean = h->poold == 0 ? procs_wait_none(h->mark, 0) : (procs_kill_all(h->mark, h->poold), true);
    if (h->poold > 0)
        waitpid(h->poold, NULL, 0);
    fd_close(&h->server);
    fd_close(&h->doorbell);
    remove_folder(h->dir);
    assert_true(clean);
}

/* ---- the server ---- */

static bool readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

static void show_log(const struct house *h)
{
    static char text[1 << 20];
    ssize_t length = fd_read_file(h->log, text, sizeof text);
    print_error("---- %s, last report \"%s\":\n%s", h->log, h->last, text + (length > 4000 ? length - 4000 : 0));
}

bool house_heard(struct house *h, int timeout_ms)
{
    if (!readable(h->server, timeout_ms))
        return false;
    ssize_t length = recv(h->server, h->last, sizeof h->last - 1, 0);
    h->last[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static void hear(struct house *h)
{
    if (!house_heard(h, HOUSE_PATIENCE_MS)) {
        show_log(h);
        fail_msg("no report from the server");
    }
}

bool house_server_came(struct house *h, int timeout_ms)
{
    int ours, pid, read_only;
    if (!readable(h->doorbell, timeout_ms))
        return false;
    fd_close(&h->server);
    h->server = accept4(h->doorbell, NULL, NULL, SOCK_CLOEXEC);
    hear(h);
    assert_int_equal(sscanf(h->last, "start %d %d %d %d", &pid, &ours, &read_only, &h->server_fds), 4);
    assert_int_equal(ours, 1); /* it could read its options */
    h->server_pid = pid;
    h->read_only = read_only != 0;
    return true;
}

void house_await_server(struct house *h)
{
    if (house_server_came(h, HOUSE_PATIENCE_MS))
        return;
    show_log(h);
    fail_msg("no server came");
}

void house_tell(struct house *h, const char *format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert_int_equal(send(h->server, text, (size_t)length, MSG_NOSIGNAL), length);
}

const char *house_await(struct house *h, const char *word)
{
    size_t length = strlen(word);
    long long deadline = now_ms() + HOUSE_PATIENCE_MS;
    do {
        hear(h);
        if (now_ms() > deadline) { /* it talks, but not of this */
            show_log(h);
            fail_msg("no report \"%s\"", word);
        }
    } while (strncmp(h->last, word, length) != 0);
    return h->last + length;
}

void house_expect(struct house *h, const char *format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    hear(h);
    assert_string_equal(h->last, text);
}

/* ---- poold ---- */

static bool past(long long deadline)
{
    sleep_ms(2); /* for what sends no event: the end of a stranger, a line in a file */
    return now_ms() > deadline;
}

int house_exit_status(struct house *h)
{
    int status;
    long long deadline = now_ms() + HOUSE_PATIENCE_MS;
    while (waitpid(h->poold, &status, WNOHANG) == 0) {
        if (past(deadline)) {
            show_log(h);
            fail_msg("poold does not end");
        }
    }
    h->poold = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void house_drain(struct house *h)
{
    kill(h->poold, SIGTERM);
    house_await(h, "drain");
    house_tell(h, "exit 0");
    assert_int_equal(house_exit_status(h), 0);
}

bool house_logged(const struct house *h, const char *text)
{
    static char log[1 << 20];
    return fd_read_file(h->log, log, sizeof log) > 0 && strstr(log, text) != NULL;
}

void house_await_log(const struct house *h, const char *text)
{
    long long deadline = now_ms() + HOUSE_PATIENCE_MS;
    while (!house_logged(h, text)) {
        if (past(deadline)) {
            show_log(h);
            fail_msg("not in the log: %s", text);
        }
    }
}

int house_processes(const struct house *h, char state)
{
    static struct process found[PROCS_MAX];
    int all = procs_find(h->mark, found, PROCS_MAX, state == 'Z'), count = 0;
    for (int i = 0; i < all; i++)
        count += state == 0 || found[i].state == state;
    /* This program carries the mark only in memory: /proc shows the environment of its start. */
    return count;
}

void house_await_processes(const struct house *h, char state, int count)
{
    long long deadline = now_ms() + HOUSE_PATIENCE_MS;
    while (house_processes(h, state) != count) {
        if (past(deadline)) {
            show_log(h);
            fail_msg("%d processes, not %d", house_processes(h, state), count);
        }
    }
}

int house_connect(const struct house *h)
{
    char path[200], text[128];
    unsigned port = 0;
    snprintf(path, sizeof path, "%s/address", h->data);
    assert_true(fd_read_file(path, text, sizeof text) > 0);
    assert_int_equal(sscanf(text, "http://127.0.0.1:%u", &port), 1);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}
