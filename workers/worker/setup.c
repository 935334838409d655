/* setup: from exec to a worker that can say hello. See worker.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/config.h"
#include "base/fd.h"
#include "base/log.h"
#include "runtimes/child.h"
#include "wire/fds.h"
#include "worker/stop.h"
#include "worker/worker.h"

#define EXIT_SETUP 2
#define HIGH_FD 100

/* Functions yield to the server's threads, which run for microseconds each time: the p99 of an apply beside a map of a
 * million items is 35 ms with it and 44 without, and the map is no slower. */
#define WORKER_NICE 5

static _Noreturn void give_up(const char *why)
{
    log_event(LOG_ERROR, "worker.setup", "error=\"%s\"", why);
    exit(EXIT_SETUP);
}

static uint32_t number_from(const char *variable)
{
    const char *text = getenv(variable);
    char *end = NULL;
    errno = 0;
    unsigned long value = text ? strtoul(text, &end, 10) : 0;
    if (text == NULL || *text < '0' || *text > '9' || *end != '\0' || errno != 0 || value > UINT32_MAX) {
        fprintf(stderr, "poold-worker: %s is missing or no number; poold starts workers, people do not\n", variable);
        exit(EXIT_SETUP);
    }
    return (uint32_t)value;
}

/* The death signal is asked for again after exec, which may have cleared it, and says nothing when the supervisor is
 * already gone: hence the look at who our parent is. (The true lifeline is the channel's EOF.) */
static void follow_the_supervisor(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getenv("POOLD_WORKER_PARENT") && (uint32_t)getppid() != number_from("POOLD_WORKER_PARENT"))
        exit(0);
}

static void set_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    stop_set_up();
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Absolute, as a plugin may change the directory. */
static void find_objects(struct worker *worker, const char *data)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/objects", data);
    if (realpath(path, worker->objects) == NULL)
        worker->objects[0] = '\0'; /* it is not there (a test), or not ours to enter */
}

static void read_arguments(struct worker *worker, int argc, char **argv)
{
    static struct config config;
    char message[512], process[32];
    worker->slot = number_from("POOLD_WORKER_SLOT");
    worker->generation = number_from("POOLD_WORKER_GENERATION");
    if (config_parse(&config, argc, argv, message, sizeof message) != CONFIG_OK)
        give_up(message);
    worker->test_functions = config.test_functions;
    worker->idle_runtimes = config.idle_runtimes;
    worker->host.grace_ms = config.kill_grace_ms;
    worker->sandbox_mode = config.sandbox;
    find_objects(worker, config.data);
    snprintf(process, sizeof process, "worker-%u", worker->slot);
    log_setup(process, config.log_level, config.log_format);
    log_apart(HIGH_FD); /* stderr is the log of whichever item runs */
}

/* A function that writes to "descriptor 3" means one of its own: it must not hit the channel, or a sibling would pay.
 */
static int out_of_the_way(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (moved == -1 || null == -1 || dup3(null, fd, O_CLOEXEC) == -1 || fd_set_nonblocking(moved, true) == -1)
        give_up("the channel cannot be moved");
    close(null);
    return moved;
}

static void open_descriptors(struct worker *worker)
{
    struct error error;
    for (int fd = FD_CHANNEL; fd <= FD_WORKBENCH; fd++)
        if (fd_set_cloexec(fd, true) == -1)
            give_up("descriptors 3 to 5 are not open");
    channel_init(&worker->channel, out_of_the_way(FD_CHANNEL));
    worker->board = scoreboard_map_slot(FD_SCOREBOARD, worker->slot, &error);
    if (worker->board)
        worker->bench = workbench_map(FD_WORKBENCH, &error);
    if (worker->board == NULL || worker->bench == NULL)
        give_up(error.text);
    close(FD_SCOREBOARD);
    close(FD_WORKBENCH);
}

/* The launchers and poold-call lie beside our binary. */
static void find_companions(struct worker *worker)
{
    char folder[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 16);
    if (length <= 0)
        give_up("/proc/self/exe cannot be read");
    while (length > 0 && folder[length - 1] != '/')
        length--;
    snprintf(worker->runtimes, sizeof worker->runtimes, "%.*sruntimes", (int)length, folder);
    snprintf(worker->call_program, sizeof worker->call_program, "%.*spoold-call", (int)length, folder);
}

/* Before any code of a function, and before there are threads. Whoever restarts us waits longer each time. */
static void go_inside(struct worker *worker)
{
    char why[sizeof worker->sandbox.missing + 32];
    int result = sandbox_enter(worker->sandbox_mode, &worker->sandbox);
    worker->host.landlock = worker->sandbox.abi;
    if (result == 0)
        return;
    snprintf(why, sizeof why, "--sandbox strict: %s", worker->sandbox.missing);
    for (char *at = why; (at = strchr(at, '\n'));)
        *at = ';';
    log_event(LOG_ERROR, "worker.no_sandbox", "reason=\"%s\"", why);
    exit(EXIT_SETUP);
}

void worker_set_up(struct worker *worker, int argc, char **argv)
{
    *worker = (struct worker){.slot = 0};
    TAILQ_INIT(&worker->definitions);
    TAILQ_INIT(&worker->kept);
    set_signals();
    follow_the_supervisor();
    (void)!nice(WORKER_NICE);
    read_arguments(worker, argc, argv);
    open_descriptors(worker);
    find_companions(worker);
    hosted_set_up(worker);
    child_setup();
    go_inside(worker);
}
