#include "supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "supervisor/user.h"

enum { FIRST_FD = 3 };

void spawn_variable(struct spawn_plan *plan, const char *name, unsigned value)
{
    CHECK(plan->variable_count < SPAWN_VARIABLES_MAX, "no room for %s", name);
    plan->variables[plan->variable_count].name = name;
    snprintf(plan->variables[plan->variable_count].value, sizeof plan->variables[0].value, "%u", value);
    plan->variable_count++;
}

/* ---- the child, between fork and exec; none of these returns to the parent's code ---- */

static _Noreturn void give_up(const char *path, const char *what)
{
    log_event(LOG_ERROR, "spawn.failed", "path=\"%s\" step=\"%s\" error=\"%s\"", path, what, strerror(errno));
    _exit(SPAWN_FAILED);
}

/* A child must not survive us. The signal does not come when we died before it was asked for. */
static void tie_to_parent(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
        _exit(SPAWN_FAILED);
}

static void reset_signals(void)
{
    struct sigaction normal = {.sa_handler = SIG_DFL};
    for (int i = 1; i < NSIG; i++)
        sigaction(i, &normal, NULL); /* fails for KILL, STOP and libc's own, which are as they should be */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void place_fds(const struct spawn_plan *plan)
{
    int safe[SPAWN_FDS_MAX];
    /* First out of the way, else one placed could overwrite one that is still to be placed. */
    for (unsigned i = 0; i < plan->fd_count; i++)
        if ((safe[i] = fcntl(plan->fds[i], F_DUPFD_CLOEXEC, FIRST_FD + SPAWN_FDS_MAX)) == -1)
            give_up(plan->path, "dup");
    for (unsigned i = 0; i < plan->fd_count; i++)
        if (dup2(safe[i], FIRST_FD + (int)i) == -1)
            give_up(plan->path, "dup2");
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null == -1 || dup2(null, STDIN_FILENO) == -1)
        give_up(plan->path, "open /dev/null");
    if (close_range(FIRST_FD + plan->fd_count, ~0u, 0) == -1)
        give_up(plan->path, "close_range");
}

static void set_oom_score(int adj)
{
    char text[16];
    int length = snprintf(text, sizeof text, "%d", adj);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd == -1)
        return; /* no /proc: it works without */
    ssize_t written = write(fd, text, (size_t)length);
    (void)written;
    close(fd);
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static _Noreturn void child(const struct spawn_plan *plan, pid_t parent)
{
    setpgid(0, 0);
    reset_signals();
    place_fds(plan);
    if (plan->oom_score_adj != 0)
        set_oom_score(plan->oom_score_adj);
    if (plan->many_files)
        raise_file_limit();
    for (unsigned i = 0; i < plan->variable_count; i++)
        setenv(plan->variables[i].name, plan->variables[i].value, 1);
    if (plan->user != NULL && worker_user_become(plan->user) == -1)
        give_up(plan->path, "change user");
    tie_to_parent(parent); /* last: a change of user unties */
    execv(plan->path, plan->argv);
    give_up(plan->path, "exec");
}

/* ---- the parent ---- */

pid_t spawn(const struct spawn_plan *plan)
{
    CHECK(plan->fd_count <= SPAWN_FDS_MAX, "%u descriptors", plan->fd_count);
    sigset_t all, before;
    sigfillset(&all);
    pid_t parent = getpid();
    /* A signal between fork and exec would run the loop's handler in the child and write into our pipe. */
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        child(plan, parent);
    int kept = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid > 0)
        setpgid(pid, pid); /* the child does it too: whoever comes first, the group is there when we return */
    errno = kept;
    return pid;
}
