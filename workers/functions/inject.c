/* inject: functions that do harm, so that tests can see what becomes of it. Listed only with --test-functions. */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "functions/builtin.h"
#include "functions/number.h"
#include "wire/scan.h"

/* The item as an integer from 0 to most; -1 with the error set. */
static long long small_argument(struct call *call, long long most)
{
    long long value;
    if (scan_integer(call->item, call->item + call->length, &value) == -1 || value < 0 || value > most)
        return call_error(call, "%s: expected an integer from 0 to %lld", call->name, most);
    return value;
}

/* 0 when `name` (with its quotes) is no signal. */
static int signal_by_name(const char *name, size_t length)
{
    for (int number = 1; number < NSIG; number++) {
        const char *abbreviation = sigabbrev_np(number);
        if (abbreviation && length == strlen(abbreviation) + 5 && memcmp(name, "\"SIG", 4) == 0 &&
            memcmp(name + 4, abbreviation, length - 5) == 0)
            return number;
    }
    return 0;
}

static void die_of(int number)
{
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, number);
    signal(number, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
    raise(number);
}

int inject_crash(struct call *call)
{
    long long number = SIGSEGV;
    if (call->item[0] == '"')
        number = signal_by_name(call->item, call->length);
    else if (call->item[0] != 'n' && (number = small_argument(call, NSIG - 1)) == -1)
        return -1;
    if (number == 0)
        return call_error(call, "%s: expected a signal's name (\"SIGSEGV\") or number", call->name);
    die_of((int)number);
    return call_error(call, "%s: survived signal %lld", call->name, number);
}

/* The member "until" of an item that is an object; `otherwise` when there is none. */
static long long until(const struct call *call, long long otherwise)
{
    struct scan_walk walk;
    if (call->item[0] != '{')
        return otherwise;
    for (scan_enter(&walk, (char *)call->item, (char *)call->item + call->length, false); scan_next(&walk);)
        if (walk.key_end - walk.key == 5 && memcmp(walk.key, "until", 5) == 0)
            scan_integer(walk.value, walk.value_end, &otherwise);
    return otherwise;
}

int inject_crash_until(struct call *call)
{
    if (call->attempt < until(call, 1))
        die_of(SIGKILL);
    return call_integer(call, false, call->attempt);
}

int inject_fail(struct call *call)
{
    if (call->attempt < until(call, INT64_MAX))
        return call_error(call, "%s: failed as it was told", call->name);
    return call_integer(call, false, call->attempt);
}

int inject_exit(struct call *call)
{
    long long code = small_argument(call, 255);
    if (code >= 0)
        _exit((int)code);
    return -1;
}

int inject_hang(struct call *call)
{
    (void)call;
    signal(SIGTERM, SIG_IGN);
    for (;;)
        pause();
}

/* The worker's channel: its first socket. */
static int channel(void)
{
    struct stat stat;
    for (int fd = STDERR_FILENO + 1; fd < 256; fd++)
        if (fstat(fd, &stat) == 0 && S_ISSOCK(stat.st_mode))
            return fd;
    return -1;
}

int inject_garbage(struct call *call)
{
    unsigned char noise[4096];
    if (getrandom(noise, sizeof noise, 0) == -1)
        memset(noise, 0x5a, sizeof noise);
    noise[0] = 0xff; /* never the frame's magic by chance */
    if (write(channel(), noise, sizeof noise) == -1)
        return call_error(call, "%s: %s", call->name, strerror(errno));
    return builtin_echo(call);
}

/* The decoded content of a string item; NULL when it is none. Caller decrefs. */
static json_t *decoded(const struct call *call)
{
    if (call->item[0] != '"')
        return NULL;
    return json_loadb(call->item, call->length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

int inject_raw(struct call *call)
{
    json_t *text = decoded(call);
    if (text == NULL)
        return call_expected(call, "a string");
    int result = call_value(call, json_string_value(text), json_string_length(text));
    json_decref(text);
    return result;
}

static void write_line(int fd, const char *text, size_t length)
{
    for (ssize_t put; length > 0; text += put, length -= (size_t)put)
        if ((put = write(fd, text, length)) == -1)
            return;
    if (write(fd, "\n", 1) == -1)
        return;
}

int inject_print(struct call *call)
{
    json_t *string = decoded(call);
    const char *text = string ? json_string_value(string) : call->item;
    size_t length = string ? json_string_length(string) : call->length;
    write_line(STDOUT_FILENO, text, length);
    write_line(STDERR_FILENO, text, length);
    json_decref(string);
    return builtin_echo(call);
}

#define ALLOCATE_STEP ((size_t)16 << 20)
#define ALLOCATE_MAX ((size_t)64 << 30)

/* Slowly enough (some GiB a second) that a test machine stays alive until the limit strikes. */
int inject_allocate(struct call *call)
{
    const struct timespec pause_between = {.tv_nsec = 5000000};
    for (size_t taken = 0; taken < ALLOCATE_MAX; taken += ALLOCATE_STEP) {
        char *step =
            mmap(NULL, ALLOCATE_STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (step == MAP_FAILED)
            return call_error(call, "%s: out of memory after %zu MiB", call->name, taken >> 20);
        memset(step, 1, ALLOCATE_STEP);
        nanosleep(&pause_between, NULL);
    }
    return call_integer(call, false, ALLOCATE_MAX);
}

#define HUGE_MAX (1LL << 40) /* far above every limit, so that the limits are what says no */

int inject_huge(struct call *call)
{
    long long size = small_argument(call, HUGE_MAX);
    char *to = size < 0 ? NULL : call_room(call, (size_t)size + 2);
    if (to == NULL)
        return -1;
    memset(to, 'x', (size_t)size + 2);
    to[0] = to[size + 1] = '"';
    return 0;
}

int inject_pid(struct call *call)
{
    return call_integer(call, false, (uint128)getpid());
}
