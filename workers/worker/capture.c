/* capture: see capture.h. */
#include "worker/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "runtimes/guard.h"
#include "runtimes/log.h"
#include "runtimes/watchdog.h"
#include "worker/turn.h"

enum { LOOK_EVERY_MS = 20, PIECE = 64 * 1024, RESCUE_WAIT_MS = 1000 };

static void look(void *);
static void send_output(void *context, uint32_t index, unsigned stream, const char *bytes, size_t length);

static struct watchdog dog = WATCHDOG(LOOK_EVERY_MS, look);
static struct turn draining; /* who reads the files and moves what is below */
static struct {
    bool on;
    int channel;
    pid_t pid; /* a function may fork, and its child die */
    const struct message_run *run;
    struct host host; /* its output is all that is used */
    struct log_cap caps[2];
    off_t taken[2]; /* bytes of each file */
    int saved[2];   /* what stdout and stderr really are; -1: closed */
} now;
static int files[2] = {-1, -1};
static struct stat owned[3];   /* what the files and the channel are */
static char unwritten[BUFSIZ]; /* stdout's buffer: ours, so that a signal handler can find what is in it */

/* ---- a function may close what is not its own, and open something else in its place ---- */

static bool is_owned(int place, int fd)
{
    struct stat stat;
    return fstat(fd, &stat) == 0 && stat.st_ino == owned[place].st_ino && stat.st_dev == owned[place].st_dev;
}

/* The worker cannot go on without them, and must not write to whatever has their numbers now. */
static void check_descriptors(void)
{
    bool whole = is_owned(0, files[0]) && is_owned(1, files[1]) && is_owned(2, now.channel);
    if (!whole)
        now.on = false; /* no last words */
    CHECK(whole, "a function has left the worker's descriptors alone");
}

/* ---- reading and sending ---- */

static void send_output(void *context, uint32_t index, unsigned stream, const char *bytes, size_t length)
{
    const struct message_run *run = now.run;
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_output output = {.run = run->run, .index = index, .attempt = run->attempt, .stream = stream};
    worker_send(context, MESSAGE_output, body, message_output_encode(&output, body), bytes, length);
}

/* Once the log is full, what is printed only costs memory. */
static void drop(int stream)
{
    CHECK(ftruncate(files[stream], 0) == 0, "ftruncate: %s", strerror(errno));
    now.taken[stream] = 0;
}

static void drain(int stream)
{
    static char piece[PIECE];
    ssize_t got;
    if (!is_owned(stream, files[stream]))
        return;
    while (!now.caps[stream].cut && (got = pread(files[stream], piece, sizeof piece, now.taken[stream])) > 0) {
        now.taken[stream] += got;
        log_cap_pass(&now.caps[stream], piece, (size_t)got);
    }
    if (now.caps[stream].cut)
        drop(stream);
}

static void look(void *context)
{
    (void)context;
    turn_take(&draining);
    drain(0);
    drain(1);
    turn_give(&draining);
}

/* ---- last words ---- */

static void write_unwritten(void)
{
    size_t length = __fpending(stdout);
    if (length > 0 && length <= sizeof unwritten)
        (void)!write(STDOUT_FILENO, unwritten, length);
}

void capture_rescue(void)
{
    if (!now.on || getpid() != now.pid || worker_is_sending() || !turn_take_within(&draining, RESCUE_WAIT_MS))
        return;
    write_unwritten();
    for (int stream = 0; stream < 2; stream++) {
        drain(stream);
        log_cap_end(&now.caps[stream]);
    }
    now.on = false;
    turn_give(&draining);
}

static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGXCPU};
static struct sigaction before[sizeof deadly / sizeof deadly[0]];

/* The death is to be what it would have been: with the old action back, a fault happens again as we return, and what
 * somebody sent is sent again. */
static void on_deadly(int number, siginfo_t *info, void *context)
{
    (void)context;
    int error = errno;
    capture_rescue();
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        if (deadly[i] == number)
            sigaction(number, &before[i], NULL);
    if (info->si_code <= 0 || number == SIGXCPU)
        raise(number); /* blocked until we return */
    errno = error;
}

/* On a stack of their own, because a recursion without end is the usual way to a SIGSEGV. */
static void catch_deadly(void)
{
    static char stack[128 * 1024];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = on_deadly, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaltstack(&alternate, NULL);
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        sigaction(deadly[i], &action, &before[i]);
}

/* ---- around a call ---- */

static int open_memory(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    CHECK(fd != -1, "memfd_create: %s", strerror(errno));
    /* Appending, so that writers that share it cannot overwrite each other, and that emptying it is all it takes. */
    CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0, "F_SETFL: %s", strerror(errno));
    return fd;
}

/* By lines, or a function that prints seldom would be silent for long. */
static void set_up(const struct worker *worker)
{
    files[0] = open_memory("poold-stdout");
    files[1] = open_memory("poold-stderr");
    for (int i = 0; i < 3; i++)
        fstat(i < 2 ? files[i] : worker->channel.fd, &owned[i]);
    setvbuf(stdout, unwritten, _IOLBF, sizeof unwritten);
    guard_last_words(capture_rescue);
    catch_deadly();
}

static void redirect(int stream)
{
    dup2(files[stream], STDOUT_FILENO + stream);
}

void capture_on(struct worker *worker, const struct message_run *run)
{
    fflush(NULL);
    if (files[0] == -1)
        set_up(worker);
    now.channel = worker->channel.fd;
    now.pid = getpid();
    now.run = run;
    now.host = (struct host){.context = worker, .output = send_output};
    for (int i = 0; i < 2; i++) {
        drop(i);
        now.saved[i] = fcntl(STDOUT_FILENO + i, F_DUPFD_CLOEXEC, 10);
        redirect(i);
    }
}

static void give_back(int stream)
{
    if (now.saved[stream] == -1) { /* it was closed when we came */
        close(STDOUT_FILENO + stream);
        return;
    }
    dup2(now.saved[stream], STDOUT_FILENO + stream);
    close(now.saved[stream]);
}

void capture_off(void)
{
    give_back(0);
    give_back(1);
}

void capture_begin(uint32_t index)
{
    for (int i = 0; i < 2; i++)
        log_cap_begin(&now.caps[i], &now.host, index, (unsigned)i + 1);
    now.on = true;
    watchdog_on(&dog);
}

/* What it has printed is taken out; mostly that is nothing. */
static void finish(int stream)
{
    struct stat stat;
    if (!is_owned(stream, STDOUT_FILENO + stream)) /* it has closed or redirected its own */
        redirect(stream);
    if (fstat(files[stream], &stat) == 0 && stat.st_size == 0 && now.taken[stream] == 0)
        return;
    turn_take(&draining);
    drain(stream);
    log_cap_end(&now.caps[stream]);
    drop(stream);
    turn_give(&draining);
}

void capture_end(void)
{
    fflush(NULL);
    watchdog_off(&dog);
    check_descriptors();
    finish(0);
    finish(1);
    now.on = false;
}
