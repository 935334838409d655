/* bench_spawn: the least that a process for each item can cost: vfork, exec and wait, so many at a time. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_work.h"

static bool start(char *const argv[])
{
    char *const envp[] = {NULL};
    pid_t pid = vfork();
    if (pid == 0) {
        execve(argv[0], argv, envp);
        _exit(127);
    }
    return pid != -1;
}

int bench_spawn(uint32_t n, unsigned at_once)
{
    char *const argv[] = {"/bin/true", NULL};
    uint32_t started = 0, wrong = 0;
    double from = bench_now();
    for (uint32_t ended = 0; ended < n && wrong == 0;) {
        int status;
        if (started < n && started - ended < at_once) {
            wrong += !start(argv);
            started++;
            continue;
        }
        wrong += wait(&status) == -1 || status != 0;
        ended++;
    }
    double seconds = bench_now() - from;
    printf("{\"seconds\":%.6f,\"per_second\":%.1f,\"jobs\":1}\n", seconds, n / seconds);
    return wrong == 0 ? 0 : 1;
}
