#include "supervisor/reap.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

#define INHERITED_MAX 64

static pid_t inherited[INHERITED_MAX];
static unsigned inherited_count;

/* Calls `each` for our children; none when the kernel or the container has no such file. */
static void for_children(void (*each)(pid_t))
{
    char path[64], text[16384];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    if (fd_read_file(path, text, sizeof text) <= 0)
        return;
    char *rest = text;
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        if (rest != NULL && word[0] != '\0') /* the last may be cut */
            each((pid_t)atoi(word));
}

static void note_inherited(pid_t pid)
{
    if (inherited_count < INHERITED_MAX)
        inherited[inherited_count++] = pid;
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
    for_children(note_inherited);
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

void reap_children(bool (*is_ours)(void *context, pid_t), void (*gone)(void *context, const struct corpse *),
                   void *context)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 || info.si_pid == 0)
            return;
        if (is_ours(context, info.si_pid))
            kill(-info.si_pid, SIGKILL);
        forget_inherited(info.si_pid);
        struct corpse corpse = take(info.si_pid);
        gone(context, &corpse);
    }
}

static void kill_stranger(pid_t pid)
{
    if (is_inherited(pid) || kill(pid, SIGKILL) == -1)
        return;
    log_event(LOG_INFO, "stranger.killed", "pid=%d", (int)pid);
}

void reap_kill_strangers(void)
{
    for_children(kill_stranger);
}
