/* The deeds (functions_house/deeds.py) as a plugin. HOW, where given, is what its start does wrong: RAISES, DIES, LATE,
 * VERSION, EMPTY (functions.cmake). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "poold.h"

#define RAISES 1
#define DIES 2
#define LATE 3
#define VERSION 4
#define EMPTY 5
#ifndef HOW
#define HOW 0
#endif

static void nap(unsigned ms)
{
    usleep(ms * 1000);
}

#if HOW != EMPTY

/* ---- the item, which the test wrote with a blank behind each colon ---- */

static const char *member(const char *item, const char *name)
{
    char key[32];
    snprintf(key, sizeof key, "\"%s\": ", name);
    const char *at = strstr(item, key);
    return at != NULL ? at + strlen(key) : NULL;
}

static long number(const char *item, const char *name, long otherwise)
{
    const char *at = member(item, name);
    return at != NULL ? strtol(at, NULL, 10) : otherwise;
}

static const char *word(const char *item, const char *name, char to[64])
{
    const char *at = member(item, name);
    size_t length = 0;
    if (at != NULL && *at == '"')
        for (at++; at[length] != '"' && length < 63; length++)
            to[length] = at[length];
    to[length] = '\0';
    return to;
}

static const char *note_path(const char *name, char to[PATH_MAX])
{
    const char *notes = getenv("DEEDS_NOTES");
    snprintf(to, PATH_MAX, "%s/%s", notes != NULL ? notes : "/nowhere", name);
    return to;
}

static void note(const char *name)
{
    char path[PATH_MAX];
    int fd = open(note_path(name, path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd != -1)
        close(fd);
}

static void note_pid(void)
{
    char name[32];
    snprintf(name, sizeof name, "pid-%d", (int)getpid());
    note(name);
}

static void wait_note(const char *name)
{
    char path[PATH_MAX];
    while (access(note_path(name, path), F_OK) == -1)
        nap(20);
}

/* ---- deeds ---- */

static int give_n(const struct poold_host *host, struct poold_call *call, const char *item)
{
    return poold_integer(host, call, number(item, "n", 0));
}

static int crash(const char *item)
{
    char name[64];
    int which = strcmp(word(item, "signal", name), "SIGKILL") == 0 ? SIGKILL : SIGSEGV;
    printf("about to crash\n");
    fflush(stdout);
#ifdef SANITIZED
    signal(which, SIG_DFL); /* which a sanitizer would make an exit status */
#endif
    raise(which);
    return -1;
}

static int huge(const struct poold_host *host, struct poold_call *call, size_t n)
{
    char *text = malloc(n);
    if (text == NULL)
        return host->error(call, "no memory");
    memset(text, 'x', n);
    int result = host->value_text(call, text, n);
    free(text);
    return result;
}

static int prints(void)
{
    printf("one\n");
    fprintf(stderr, "two\n");
    fflush(stdout);
    if (system("echo three") == -1)
        return -1;
    printf("{\"id\":1,\"value\":\"not a reply\"}\nno newline at the end");
    fflush(stdout);
    return 0;
}

static _Noreturn void stay(void)
{
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    note_pid();
    execl("/bin/sleep", "left-over", "86400", (char *)NULL);
    _exit(1);
}

static void daemons(void)
{
    if (fork() == 0) {
        setsid();
        if (fork() == 0)
            stay();
        _exit(0);
    }
    if (fork() == 0)
        stay();
    nap(200);
}

static void deaf(const char *item)
{
    char name[64], heard[80];
    signal(SIGTERM, SIG_IGN);
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    printf("cannot hear you\n");
    fflush(stdout);
    if (fork() == 0) {
        setsid();
        stay();
    }
    snprintf(heard, sizeof heard, "hears-not-%s", word(item, "n", name));
    note(heard);
    sleep(60);
}

static int allocates(const struct poold_host *host, struct poold_call *call, long most_mib)
{
    const size_t step = (size_t)8 << 20;
    size_t taken = 0;
    for (; taken < (size_t)most_mib << 20; taken += step) {
        char *more = mmap(NULL, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (more == MAP_FAILED)
            abort(); /* what a function does that does not expect it */
        memset(more, 1, step);
        nap(1);
    }
    return poold_integer(host, call, (int64_t)taken);
}

static int opens(const struct poold_host *host, struct poold_call *call, long n)
{
    for (long i = 0; i < n; i++)
        if (open("/dev/null", O_RDONLY | O_CLOEXEC) == -1)
            return host->error(call, strerror(errno));
    return poold_integer(host, call, n);
}

static int alone(const struct poold_host *host, struct poold_call *call, const char *item)
{
    char name[64], path[PATH_MAX], whole[80];
    snprintf(whole, sizeof whole, "alone-%s", word(item, "note", name));
    if (mkdir(note_path(whole, path), 0700) == -1)
        return host->value(call, "false", 5);
    nap(50);
    rmdir(path);
    return host->value(call, "true", 4);
}

static int talks(const struct poold_host *host, struct poold_call *call, const char *item)
{
    char name[64];
    printf("before %s\n", word(item, "note", name));
    fflush(stdout);
    wait_note(name);
    printf("after %s\n", name);
    return give_n(host, call, item);
}

static int progress(const struct poold_host *host, struct poold_call *call, const char *item)
{
    static const char half[] = "{\"done\":0.5}";
    char name[64];
    host->progress(call, half, strlen(half));
    wait_note(word(item, "note", name));
    return give_n(host, call, item);
}

static int tries(const struct poold_host *host, struct poold_call *call, const char *item)
{
    char name[64], path[PATH_MAX];
    if (access(note_path(word(item, "note", name), path), F_OK) == -1) {
        note(name);
        raise(SIGKILL);
    }
    return give_n(host, call, item);
}

/* {"do": "echo", "text": …}: the text as it is written. */
static int echo(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    const char *at = member(item, "text");
    return host->value(call, at, (size_t)(item + length - 1 - at));
}

static int deed(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    char what[64];
    word(item, "do", what);
#define DO(name) (strcmp(what, name) == 0)
    if (DO("ok"))
        return give_n(host, call, item);
    if (DO("error"))
        return host->error(call, "no such picture");
    if (DO("argument"))
        return host->error(call, "missing");
    if (DO("crash"))
        return crash(item);
    if (DO("leave"))
        _exit((int)number(item, "code", 0));
    if (DO("huge"))
        return huge(host, call, (size_t)number(item, "n", 0));
    if (DO("prints"))
        return prints() == -1 ? -1 : give_n(host, call, item);
    if (DO("floods")) {
        for (int i = 0; i < 20000; i++)
            printf("line %06d %0100d\n", i, 0);
        return give_n(host, call, item);
    }
    if (DO("daemon")) {
        daemons();
        return give_n(host, call, item);
    }
    if (DO("deaf"))
        deaf(item);
    if (DO("closes")) {
        for (int fd = 0; fd < 64; fd++)
            close(fd);
        return give_n(host, call, item);
    }
    if (DO("garbage")) {
        for (int fd = 3; fd < 8; fd++)
            if (write(fd, "\xff\xfe this is {no JSON\n", 21) == -1)
                continue;
        return give_n(host, call, item);
    }
    if (DO("allocates"))
        return allocates(host, call, number(item, "most", 4096));
    if (DO("burns"))
        for (volatile unsigned i = 0;; i++)
            continue;
    if (DO("opens"))
        return opens(host, call, number(item, "n", 0));
    if (DO("talks"))
        return talks(host, call, item);
    if (DO("progress"))
        return progress(host, call, item);
    if (DO("pid"))
        return poold_integer(host, call, getpid());
    if (DO("trace")) {
        const char *trace = host->traceparent(call);
        return trace ? host->value_text(call, trace, strlen(trace)) : host->value(call, "null", 4);
    }
    if (DO("alone"))
        return alone(host, call, item);
    if (DO("attempt"))
        return tries(host, call, item);
    if (DO("echo"))
        return echo(host, call, item, length);
    if (DO("wrong_value"))
        return host->value(call, "[1,2}", 5);
    if (DO("no_value"))
        return 0;
    return host->error(call, "no such deed");
#undef DO
}

static int start(const struct poold_host *host, struct poold_call *call, const char *initargs, size_t length)
{
    (void)initargs;
    (void)length;
    if (HOW == RAISES)
        return host->error(call, "no model at /nowhere");
    if (HOW == DIES) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    if (HOW == LATE)
        nap(1500);
    return 0;
}

static const struct poold_function functions[] = {
    POOLD_FUNCTION("deed", deed, "does as the item says", "{\"do\": \"ok\", \"n\": 5}"),
};
static struct poold_plugin plugin = POOLD_PLUGIN(functions, start, NULL);

POOLD_EXPORT const struct poold_plugin *poold_plugin(void)
{
    if (HOW == VERSION)
        plugin.version = POOLD_VERSION + 1;
    return &plugin;
}

#else

/* A shared object, but no plugin. */
POOLD_EXPORT void not_a_plugin(void);
void not_a_plugin(void)
{
    nap(0);
}

#endif
