#include "supervisor/reap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_limit.h"

enum { STRANGERS_TOLD_A_SECOND = 10 };

static pid_t *inherited;
static unsigned inherited_count;

/* Our children as "12 345 ", however many; empty when the kernel or the container has no such file. */
static void read_children(struct buf *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd == -1 ? 0 : 1;
    while (got > 0) {
        got = read(fd, buf_reserve(text, 4096), 4096);
        text->length += got > 0 ? (size_t)got : 0;
    }
    fd_close(&fd);
}

static void note_inherited(void)
{
    struct buf text = BUF_EMPTY;
    read_children(&text);
    char *end, *at = (char *)(uintptr_t)buf_cstr(&text);
    for (long pid; (pid = strtol(at, &end, 10)) > 0; at = end) {
        inherited = realloc(inherited, (inherited_count + 1) * sizeof *inherited);
        CHECK(inherited != NULL, "out of memory");
        inherited[inherited_count++] = (pid_t)pid;
    }
    buf_free(&text);
}

static bool is_inherited(pid_t pid)
{
    for (unsigned i = 0; i < inherited_count; i++)
        if (inherited[i] == pid)
            return true;
    return false;
}

static void forget_inherited(pid_t pid)
{
    for (unsigned i = 0; i < inherited_count; i++)
        if (inherited[i] == pid)
            inherited[i] = inherited[--inherited_count];
}

void reap_setup(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    note_inherited();
}

static struct corpse take(pid_t pid)
{
    int status = 0;
    struct rusage usage = {0};
    wait4(pid, &status, 0, &usage); /* does not block: waitid has seen its end */
    return (struct corpse){
        .pid = pid,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
        .max_rss_kib = (uint64_t)usage.ru_maxrss,
    };
}

unsigned reap_children(bool (*is_ours)(void *context, pid_t), void (*gone)(void *context, const struct corpse *),
                       void *context)
{
    for (unsigned count = 0;; count++) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 || info.si_pid == 0)
            return count;
        if (is_ours(context, info.si_pid))
            kill(-info.si_pid, SIGKILL);
        forget_inherited(info.si_pid);
        struct corpse corpse = take(info.si_pid);
        gone(context, &corpse);
    }
}

/* It is killed again until it is dead, and each worker that dies may leave some. */
static void note_stranger(pid_t pid)
{
    static struct log_limit limit;
    int unlogged;
    if (log_limit_allows(&limit, STRANGERS_TOLD_A_SECOND, clock_mono_ns(), &unlogged))
        log_event(LOG_INFO, "stranger.killed", "pid=%d unlogged=%d", (int)pid, unlogged);
}

unsigned reap_kill_strangers(bool (*is_ours)(void *context, pid_t), void *context)
{
    struct buf text = BUF_EMPTY;
    unsigned count = 0;
    read_children(&text);
    char *end, *at = (char *)(uintptr_t)buf_cstr(&text);
    for (long number; (number = strtol(at, &end, 10)) > 0; at = end) {
        pid_t pid = (pid_t)number;
        if (is_inherited(pid) || is_ours(context, pid) || kill(pid, SIGKILL) == -1)
            continue;
        count++;
        note_stranger(pid);
    }
    buf_free(&text);
    return count;
}
