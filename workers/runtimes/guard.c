/* guard: see guard.h. */
#include "runtimes/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/job.h"
#include "runtimes/loads.h"
#include "runtimes/watchdog.h"

#define LOOK_EVERY_MS 10

static void look(void *);

static struct watchdog dog = WATCHDOG(LOOK_EVERY_MS, look);
static struct {
    struct scoreboard_slot *board;
    const struct manifest_limits *limits;
    int64_t *held;
    int64_t before;           /* resident bytes at the beginning */
    int64_t resident;         /* when it was last looked at… */
    int64_t looked_ns;        /* …by the coarse clock */
    int64_t timeout_ms;       /* loading */
    int64_t deadline_ns;      /* loading; 0 = none */
    struct rlimit cpu, files; /* as they were */
    void (*last_words)(void);
} now;

/* ---- memory ---- */

/* Kept open: it is read every 10 ms, also when the plugin has used up all descriptors. */
static int statm(void)
{
    static int fd = -1;
    if (fd == -1)
        fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    return fd;
}

int64_t guard_resident(void)
{
    char text[128];
    ssize_t got = pread(statm(), text, sizeof text - 1, 0);
    if (got <= 0)
        return 0;
    text[got] = '\0';
    char *at;
    strtoull(text, &at, 10); /* the first is its size, the second what is resident */
    return (int64_t)strtoull(at, NULL, 10) * sysconf(_SC_PAGESIZE);
}

bool guard_rss_exceeds(int64_t max_rss)
{
    return max_rss > 0 && guard_resident() > max_rss;
}

static _Noreturn void die(void)
{
    if (now.last_words)
        now.last_words();
    for (;;)
        kill(getpid(), SIGKILL);
}

static int64_t held_now(void)
{
    now.resident = guard_resident();
    now.looked_ns = clock_coarse_ns();
    int64_t held = *now.held + now.resident - now.before;
    return held > 0 ? held : 0;
}

/* Returns what the plugin holds, if that may be. */
static int64_t look_at_memory(void)
{
    int64_t held = held_now();
    char reason[160];
    if (held <= now.limits->memory)
        return held;
    snprintf(reason, sizeof reason, "needs more than %lld bytes of memory to be loaded", (long long)now.limits->memory);
    loads_blame(now.board, reason);
    atomic_store_explicit(&now.board->limit, (uint64_t)now.limits->memory, memory_order_relaxed);
    atomic_store_explicit(&now.board->peak, (uint64_t)held, memory_order_relaxed);
    atomic_store_explicit(&now.board->verdict, FAILURE_MEMORY, memory_order_release);
    die();
}

static void look_at_time(void)
{
    char reason[160];
    if (now.deadline_ns == 0 || clock_mono_ns() < now.deadline_ns)
        return;
    snprintf(reason, sizeof reason, "is not loaded after %g s", (double)now.timeout_ms / 1000);
    loads_blame(now.board, reason);
    die();
}

static void look(void *context)
{
    (void)context;
    if (now.limits->memory > 0)
        look_at_memory();
    look_at_time();
}

static bool watched(void)
{
    return now.limits->memory > 0 || now.deadline_ns != 0;
}

/* Reading it takes longer than a short call: one look at the end of an item is good for the beginning of the next. */
static int64_t resident_before(const int64_t *held)
{
    bool fresh = now.held == held && now.looked_ns == clock_coarse_ns();
    return fresh ? now.resident : guard_resident();
}

static void watch(struct scoreboard_slot *board, const struct manifest_limits *limits, int64_t *held)
{
    now.before = limits->memory > 0 ? resident_before(held) : 0; /* without a limit nobody pays for it */
    now.board = board;
    now.limits = limits;
    now.held = held;
    if (watched())
        watchdog_on(&dog);
}

/* ---- what the kernel limits ---- */

static rlim_t at_most(rlim_t wanted, rlim_t hard)
{
    return hard != RLIM_INFINITY && wanted > hard ? hard : wanted;
}

/* In whole seconds, so what began is given away: never less than the limit says. */
static void limit_cpu(int64_t seconds)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    struct rlimit limit = now.cpu;
    limit.rlim_cur = at_most((rlim_t)(used.tv_sec + (used.tv_nsec > 0) + seconds), now.cpu.rlim_max);
    setrlimit(RLIMIT_CPU, &limit);
}

/* The limit is on the largest number, and new descriptors get the smallest free one: so it has to lie where `files`
 * free numbers are below it. */
static void limit_files(int64_t files)
{
    struct rlimit limit = now.files;
    rlim_t number = 0;
    for (; files > 0 && number < limit.rlim_max; number++)
        files -= fcntl((int)number, F_GETFD) == -1 && errno == EBADF;
    limit.rlim_cur = at_most(number, limit.rlim_max);
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- around a call ---- */

void guard_begin(struct scoreboard_slot *board, const struct manifest_limits *limits, int64_t *held)
{
    now.deadline_ns = 0;
    watch(board, limits, held);
    if (limits->cpu_s > 0 && getrlimit(RLIMIT_CPU, &now.cpu) == 0)
        limit_cpu(limits->cpu_s);
    if (limits->files > 0 && getrlimit(RLIMIT_NOFILE, &now.files) == 0)
        limit_files(limits->files);
}

void guard_begin_load(struct scoreboard_slot *board, const struct manifest_limits *limits, int64_t *held,
                      int64_t timeout_ms)
{
    static struct manifest_limits memory_only;
    memory_only = (struct manifest_limits){.memory = limits->memory};
    now.timeout_ms = timeout_ms;
    now.deadline_ns = timeout_ms > 0 ? clock_mono_ns() + timeout_ms * NS_PER_MS : 0;
    watch(board, &memory_only, held);
}

void guard_end(void)
{
    if (now.limits->cpu_s > 0)
        setrlimit(RLIMIT_CPU, &now.cpu);
    if (now.limits->files > 0)
        setrlimit(RLIMIT_NOFILE, &now.files);
    if (watched())
        watchdog_off(&dog);
    /* One that is over now is to blame itself, not the next one. */
    if (now.limits->memory > 0)
        *now.held = look_at_memory();
}

void guard_last_words(void (*words)(void))
{
    now.last_words = words;
}
