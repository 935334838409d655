/* child: see child.h. Ending what a child has left behind is descendants.c's.
 *
 * clone with CLONE_VM and CLONE_VFORK is what vfork does, on a stack of its own: the child borrows our memory until it
 * has called exec, so nothing is copied and what it says of a failure is there when we go on. Until then it makes
 * system calls and nothing else. */
#include "runtimes/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "runtimes/descendants.h"
#include "sandbox/landlock.h"

enum { STACK_BYTES = 64 * 1024, EXIT_NOT_STARTED = 127 };
#define BACKSTOP_EXTRA (INT64_C(64) * 1024 * 1024)

/* What the child reads, and where it leaves a note. */
struct birth {
    const struct child_plan *plan;
    const char *program;
    pid_t parent;
    int domain;                  /* Landlock's ruleset; -1 = none */
    const sigset_t *unusual;     /* signals whose disposition is not the default one */
    const char *volatile failed; /* the step, NULL when all went well */
    volatile int error;
};

/* ---- the child, between clone and exec: on our memory, so it may do little and must not return ---- */

/* ASan must not touch what it knows of our stack on the way to _exit. */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined", "thread")))

IN_CHILD static _Noreturn void give_up(struct birth *birth, const char *step)
{
    birth->error = errno;
    birth->failed = step;
    _exit(EXIT_NOT_STARTED);
}

IN_CHILD static void tie_to_parent(struct birth *birth)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != birth->parent)
        give_up(birth, "prctl");
}

/* exec does this for handlers, but not for signals that are ignored, and before it a signal would run our handler in
 * our memory. */
IN_CHILD static void reset_signals(const sigset_t *unusual)
{
    struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int i = 1; i < NSIG; i++)
        if (sigismember(unusual, i) == 1)
            sigaction(i, &normal, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* First out of the way, else one placed could overwrite one that is still to be placed. */
IN_CHILD static void place_fds(struct birth *birth)
{
    const struct child_plan *plan = birth->plan;
    int safe[CHILD_FDS_MAX];
    for (unsigned i = 0; i < plan->fd_count; i++) {
        safe[i] = plan->fds[i];
        if (safe[i] >= 0 && safe[i] < CHILD_FDS_MAX && (safe[i] = fcntl(safe[i], F_DUPFD_CLOEXEC, CHILD_FDS_MAX)) == -1)
            give_up(birth, "dup");
    }
    for (unsigned i = 0; i < plan->fd_count; i++) {
        if (safe[i] == -1 && i == 0)
            safe[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (safe[i] == -1)
            close((int)i);
        else if (safe[i] == (int)i ? fcntl(safe[i], F_SETFD, 0) == -1 : dup2(safe[i], (int)i) == -1)
            give_up(birth, "dup2");
    }
    if (close_range(plan->fd_count, ~0u, 0) == -1)
        give_up(birth, "close_range");
}

IN_CHILD static void limit(struct birth *birth, __rlimit_resource_t resource, rlim_t soft, rlim_t hard)
{
    struct rlimit old, value = {.rlim_cur = soft, .rlim_max = hard};
    if (getrlimit(resource, &old) == -1)
        give_up(birth, "getrlimit");
    /* What poold itself may not have, its functions cannot get either. */
    if (value.rlim_max > old.rlim_max)
        value.rlim_max = old.rlim_max;
    if (value.rlim_cur > value.rlim_max)
        value.rlim_cur = value.rlim_max;
    if (setrlimit(resource, &value) == -1)
        give_up(birth, "setrlimit");
}

IN_CHILD static void set_limits(struct birth *birth)
{
    const struct manifest_limits *limits = birth->plan->limits;
    limit(birth, RLIMIT_CORE, 0, 0);
    if (limits == NULL)
        return;
    if (limits->files > 0)
        limit(birth, RLIMIT_NOFILE, (rlim_t)limits->files, (rlim_t)limits->files);
    if (limits->cpu_s > 0 && birth->plan->cpu_is_per_process)
        limit(birth, RLIMIT_CPU, (rlim_t)limits->cpu_s, (rlim_t)limits->cpu_s + 1);
    /* Only a backstop for what grows faster than anybody looks: the limit itself is on resident bytes. */
    if (limits->memory > 0) {
        rlim_t backstop = (rlim_t)(2 * limits->memory + BACKSTOP_EXTRA);
        limit(birth, RLIMIT_DATA, backstop, backstop);
    }
}

IN_CHILD static int child_main(void *context)
{
    struct birth *birth = context;
    const struct child_plan *plan = birth->plan;
    setpgid(0, 0);
    tie_to_parent(birth);
    reset_signals(birth->unusual);
    if (plan->directory && chdir(plan->directory) == -1)
        give_up(birth, "directory");
    if (birth->domain != -1 && landlock_enter(birth->domain) == -1) /* this task's alone, though the memory is ours */
        give_up(birth, "files");
    place_fds(birth);
    set_limits(birth);
    execve(birth->program, plan->argv, plan->envp);
    give_up(birth, "exec");
}

/* ---- the parent ---- */

void child_setup(void)
{
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "subreaper: %s", strerror(errno));
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs: %s", strerror(errno));
}

/* Looked up once: 64 system calls, and handlers are set before the first child. */
static const sigset_t *unusual_signals(void)
{
    static sigset_t unusual;
    static bool known;
    struct sigaction action;
    if (known)
        return &unusual;
    known = true;
    sigemptyset(&unusual);
    for (int i = 1; i < NSIG; i++)
        if (sigaction(i, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            sigaddset(&unusual, i);
    return &unusual;
}

static const char *path_of(char *const *envp)
{
    for (; envp && *envp; envp++)
        if (strncmp(*envp, "PATH=", 5) == 0)
            return *envp + 5;
    return "";
}

static bool is_program(const char *path)
{
    struct stat stat_;
    return access(path, X_OK) == 0 && stat(path, &stat_) == 0 && S_ISREG(stat_.st_mode);
}

/* Where exec finds it, in `room` if it has to be put together; NULL when it is not in PATH. */
static const char *find_program(const struct child_plan *plan, char *room, size_t size)
{
    const char *name = plan->argv[0];
    if (strchr(name, '/'))
        return name;
    for (const char *at = path_of(plan->envp); *at;) {
        size_t length = strcspn(at, ":");
        int written = snprintf(room, size, "%.*s/%s", (int)length, at, name);
        if (length > 0 && *at == '/' && written > 0 && (size_t)written < size && is_program(room))
            return room;
        at += length + (at[length] == ':');
    }
    return NULL;
}

/* The child runs on a stack of its own, so that it does not matter what the compiler keeps on ours. */
__attribute__((noinline)) static int bear(struct child *child, struct birth *birth)
{
    static char stack[STACK_BYTES] __attribute__((aligned(16)));
    sigset_t all, before;
    int pidfd = -1;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    int pid = clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, birth, &pidfd);
    int kept = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = kept;
    if (pid == -1)
        return -1;
    *child = (struct child){.pid = pid, .pidfd = pidfd};
    return 0;
}

static int not_started(struct child *child, const struct birth *birth, struct error *error)
{
    const struct child_plan *plan = birth->plan;
    waitpid(child->pid, NULL, 0);
    fd_close(&child->pidfd);
    *child = (struct child){.pidfd = -1};
    if (strcmp(birth->failed, "exec") == 0)
        return error_set(error, "%s: %s", plan->argv[0], strerror(birth->error));
    if (strcmp(birth->failed, "directory") == 0)
        return error_set(error, "directory %s: %s", plan->directory, strerror(birth->error));
    return error_set(error, "%s: %s: %s", plan->argv[0], birth->failed, strerror(birth->error));
}

static int start(struct child *child, struct birth *birth, struct error *error)
{
    const struct child_plan *plan = birth->plan;
    if (plan->files && (birth->domain = sandbox_files_ruleset(plan->files, birth->program, error)) == -1)
        return -1;
    int result = bear(child, birth);
    int kept = errno;
    fd_close(&birth->domain);
    if (result == -1)
        return error_set(error, "%s: no process: %s", plan->argv[0], strerror(kept));
    return birth->failed ? not_started(child, birth, error) : 0;
}

int child_start(struct child *child, const struct child_plan *plan, struct error *error)
{
    char room[4096];
    CHECK(plan->fd_count <= CHILD_FDS_MAX, "%u descriptors", plan->fd_count);
    *child = (struct child){.pidfd = -1};
    struct birth birth = {.plan = plan,
                          .program = find_program(plan, room, sizeof room),
                          .parent = getpid(),
                          .domain = -1,
                          .unusual = unusual_signals()};
    if (birth.program == NULL)
        return error_set(error, "%s: %s", plan->argv[0], strerror(ENOENT));
    if (!descendants_have_room())
        return error_set(error, "%s: %u processes run already", plan->argv[0], CHILDREN_MAX);
    if (start(child, &birth, error) == -1)
        return -1;
    descendants_add(child->pid);
    return 0;
}

/* The system's peak knows of growth between two looks. But of a process that shared our memory until its exec it says
 * at least what we have had ourselves: then it says nothing. */
static void forget_our_peak(struct rusage *usage)
{
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    if (usage->ru_maxrss <= own.ru_maxrss)
        usage->ru_maxrss = 0;
}

void child_reap(struct child *child, struct child_end *end)
{
    int status = 0;
    *end = (struct child_end){.exit_code = -1};
    if (child->pid == 0)
        return;
    siginfo_t info;
    /* Ended, but still there, so that nobody else has its number when its group is killed. */
    while (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT) == -1 && errno == EINTR)
        ;
    kill(-child->pid, SIGKILL);
    while (wait4(child->pid, &status, 0, &end->usage) == -1 && errno == EINTR)
        ;
    forget_our_peak(&end->usage);
    end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    end->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    descendants_remove(child->pid);
    fd_close(&child->pidfd);
    *child = (struct child){.pidfd = -1};
    children_sweep();
}

void child_stop(struct child *child, unsigned grace_ms, struct child_end *end)
{
    if (child->pid != 0) {
        int64_t deadline = clock_mono_ns() + (int64_t)grace_ms * NS_PER_MS, left = 0;
        struct pollfd wait = {.fd = child->pidfd, .events = POLLIN};
        child_signal(child, SIGTERM);
        do
            left = (deadline - clock_mono_ns()) / NS_PER_MS;
        while (left > 0 && poll(&wait, 1, (int)left) == -1 && errno == EINTR);
        if (!(wait.revents & POLLIN))
            child_signal(child, SIGKILL);
    }
    child_reap(child, end);
}
