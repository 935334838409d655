/* run: a command while a lock is held. See call.h.
 *
 * If this process dies before it has released the lock, the item still holds it, and it is free when the item ends. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call/call.h"

enum { NOT_FOUND = 127, NOT_RUNNABLE = 126, BY_SIGNAL = 128 }; /* as shells have it */

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) == -1)
        if (errno != EINTR)
            return EXIT_FAILURE;
    return WIFSIGNALED(status) ? BY_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run(char **command)
{
    pid_t pid;
    int error = posix_spawnp(&pid, command[0], NULL, NULL, command, environ);
    if (error == 0)
        return wait_for(pid);
    fprintf(stderr, "poold-call: %s: %s\n", command[0], strerror(error));
    return error == ENOENT ? NOT_FOUND : NOT_RUNNABLE;
}

/* What the lock was acquired with, as the words of its release: when a ttl is over, another may hold it, and releasing
 * a semaphore without a token would let one more in. */
struct release {
    char token[24];
    char *words[2];
};

static void take_token(struct release *release, const char *answer, size_t length)
{
    const char *token = answer_find(answer, &length, "token");
    snprintf(release->token, sizeof release->token, "%.*s", token ? (int)length : 1, token ? token : "0");
}

/* 0, or the exit status for what went wrong. `release` is filled by an acquire; NULL for a release. */
static int lock(struct wish *wish, const char *op, struct release *release)
{
    struct buf request = BUF_EMPTY, line = BUF_EMPTY;
    size_t length;
    bool ok;
    wish->op = op;
    request_make(wish, &request);
    const char *answer = link_ask(&request, &line, &length, &ok);
    int status = ok ? EXIT_SUCCESS : show_error(answer, length);
    if (ok && release)
        take_token(release, answer, length);
    buf_free(&request);
    buf_free(&line);
    return status;
}

int run_locked(struct wish *wish)
{
    static char *for_ever[] = {"--wait", "forever", NULL};
    if (strncmp(wish->object, "locks/", 6) != 0)
        usage_error("only locks can be held while a command runs");
    if (wish->command == NULL || wish->command[0] == NULL)
        usage_error("run takes a command behind --");
    if (wish->count == 0) {
        wish->words = for_ever;
        wish->count = 2;
    }
    struct release release = {.words = {"--token", release.token}};
    int status = lock(wish, "acquire", &release);
    if (status != EXIT_SUCCESS)
        return status;
    int result = run(wish->command);
    wish->words = release.words;
    wish->count = 2;
    status = lock(wish, "release", NULL);
    return status != EXIT_SUCCESS && result == EXIT_SUCCESS ? status : result;
}
