/* fake worker: says hello with one byte and does what the word in $POOLD_FAKE_MODE (a file) says, then what the bytes
 * from its server say: k = kill yourself, x = exit 5. EOF = exit 0.
 *   good      says hello
 *   silent    does not
 *   dies      exits with 3 at once
 *   checks    looks at what it was given first; exits with the number of the first thing that is wrong
 *   stubborn  ignores SIGTERM, and so does a child in its group
 *   escaped   leaves a process in a session of its own, which ignores SIGTERM
 *   keeper    keeps what is left behind, as real workers do, until it dies: a process in a session of its own that has
 *             started another one in yet another session; both ignore SIGTERM
 *   orphan    leaves a process that exits when it is nobody's child any more */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "wire/fds.h"

static bool only_our_fds(void)
{
    bool good = true;
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.' && atoi(e->d_name) > FD_WORKBENCH && atoi(e->d_name) != dirfd(dir))
            good = false;
    closedir(dir);
    return good;
}

static bool stdin_is_null(void)
{
    struct stat in, null;
    return fstat(STDIN_FILENO, &in) == 0 && stat("/dev/null", &null) == 0 && in.st_rdev == null.st_rdev;
}

static bool signals_are_normal(void)
{
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int i = 1; i < SIGRTMIN; i++) {
        struct sigaction action;
        bool sanitizers = i == SIGSEGV || i == SIGBUS || i == SIGFPE; /* they are in this program before main */
        if (!sanitizers && sigaction(i, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            return false;
        if (sigismember(&blocked, i) == 1)
            return false;
    }
    return true;
}

static bool dies_with_parent(void)
{
    int number = 0;
    return prctl(PR_GET_PDEATHSIG, &number) == 0 && number == SIGKILL;
}

static bool is_first_victim(void)
{
    char text[16];
    return fd_read_file("/proc/self/oom_score_adj", text, sizeof text) > 0 && atoi(text) == 500;
}

static bool has_name(void)
{
    const char *slot = getenv("POOLD_WORKER_SLOT"), *generation = getenv("POOLD_WORKER_GENERATION");
    const char *extra = getenv("POOLD_WORKER_EXTRA");
    return slot && generation && extra && strcmp(slot, "0") == 0 && atoi(generation) >= 1 && strcmp(extra, "0") == 0;
}

static void check(void)
{
    bool (*const checks[])(void) = {only_our_fds,     stdin_is_null,   signals_are_normal,
                                    dies_with_parent, is_first_victim, has_name};
    for (int i = 0; i < (int)(sizeof checks / sizeof checks[0]); i++)
        if (!checks[i]())
            exit(10 + i);
    if (getpgrp() != getpid())
        exit(20);
}

static void ignore_for_ever(void)
{
    signal(SIGTERM, SIG_IGN);
    close(FD_CHANNEL);
    for (;;)
        pause();
}

static void wait_for_adoption(pid_t parent)
{
    close(FD_CHANNEL);
    while (getppid() == parent)
        usleep(1000);
    _exit(0);
}

/* A grandchild without a parent. */
static void leave_behind(bool escaped)
{
    pid_t child = fork();
    if (child > 0) {
        waitpid(child, NULL, 0);
        return;
    }
    pid_t parent = getpid();
    if (fork() > 0)
        _exit(0);
    if (!escaped)
        wait_for_adoption(parent);
    setsid();
    ignore_for_ever();
}

/* The second comes to us only when the first is dead, and then to whoever takes our orphans. */
static void keep_escaped(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t child = fork();
    if (child > 0) {
        waitpid(child, NULL, 0);
        return;
    }
    if (fork() > 0)
        _exit(0);
    setsid();
    if (fork() == 0)
        setsid();
    ignore_for_ever();
}

static void behave(const char *mode)
{
    if (strcmp(mode, "dies") == 0)
        exit(3);
    if (strcmp(mode, "silent") == 0)
        for (;;)
            pause();
    if (strcmp(mode, "checks") == 0)
        check();
    if (strcmp(mode, "stubborn") == 0) {
        signal(SIGTERM, SIG_IGN);
        if (fork() == 0)
            ignore_for_ever();
    }
    if (strcmp(mode, "keeper") == 0)
        keep_escaped();
    if (strcmp(mode, "escaped") == 0 || strcmp(mode, "orphan") == 0)
        leave_behind(strcmp(mode, "escaped") == 0);
}

static void obey(bool stubborn)
{
    char byte;
    ssize_t length = read(FD_CHANNEL, &byte, 1);
    if (length == 1 && byte == 'k')
        raise(SIGKILL);
    if (length == 1 && byte == 'x')
        exit(5);
    if (length != 1 && stubborn)
        for (;;)
            pause();
    if (length != 1)
        exit(0);
}

int main(void)
{
    char mode[32];
    if (fd_read_file(getenv("POOLD_FAKE_MODE"), mode, sizeof mode) <= 0)
        return 2;
    behave(mode);
    fd_set_nonblocking(FD_CHANNEL, false);
    if (write(FD_CHANNEL, "h", 1) != 1)
        return 0;
    for (;;)
        obey(strcmp(mode, "stubborn") == 0);
}
