/* runtime: programs that stay alive and run items one after the other: their life. See runtime.h, PROTOCOL.md.
 *
 *     none --start--> ready --batch--> ready --recycled, idle too long, once--> none
 *       ^ failed: no other start before 100 ms, 200 ms … 30 s |
 *       '---------- died, silent, nonsense, too much ---------' */
#include "runtimes/runtime.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "runtimes/exchange.h"

#define PAUSE_FIRST_NS (100 * NS_PER_MS)
#define PAUSE_MOST_NS (30 * NS_PER_S)
/* A batch should take about this long: long enough that waking up for it costs little, short enough that nobody waits
 * for it and that a worker which takes its next items from the same slice is not left without. */
#define BATCH_NS (2 * NS_PER_MS)

enum { SETTLE_MS = 20 };

static struct runtime *runtime_of(struct runner *runner)
{
    return (struct runtime *)runner;
}

static bool is_alive(const struct runtime *runtime)
{
    return runtime->child.pid != 0;
}

/* ---- ends of processes ---- */

bool runtime_told_to_stop(const struct host *host)
{
    struct pollfd fds[] = {{.fd = host->stop_fd, .events = POLLIN}, {.fd = host->channel_fd, .events = POLLRDHUP}};
    return poll(fds, 2, 0) > 0;
}

/* We may be killed ourselves once the grace is over, and must have tidied up before. */
unsigned runtime_stop_grace_ms(const struct host *host)
{
    struct pollfd channel = {.fd = host->channel_fd, .events = POLLRDHUP};
    return poll(&channel, 1, 0) > 0 ? 0 : host->grace_ms / 2;
}

void runtime_kill(struct runtime *runtime, unsigned grace_ms, struct child_end *end)
{
    if (grace_ms == 0)
        child_signal(&runtime->child, SIGKILL);
    child_stop(&runtime->child, grace_ms, end);
}

void runtime_forget(struct runtime *runtime)
{
    fd_close(&runtime->talk);
    fd_close(&runtime->answers);
    fd_close(&runtime->printed[0]);
    fd_close(&runtime->printed[1]);
    source_clear(&runtime->said);
    source_clear(&runtime->answered);
    runtime->answers_read = runtime->answers_freed = 0;
    runtime->ran = 0;
}

void runtime_drop_output(struct runtime *runtime)
{
    struct source text = {0};
    for (int stream = 0; stream < 2; stream++)
        if (runtime->printed[stream] != -1 && source_read(&text, runtime->printed[stream]) == -1)
            fd_close(&runtime->printed[stream]);
    buf_free(&text.bytes);
}

/* Waits for it to end by itself, listening to nothing that it says. */
static void wait_for_end(struct runtime *runtime, int64_t deadline_ns)
{
    const struct host *host = runtime->base.host;
    for (;;) {
        struct pollfd fds[] = {{.fd = runtime->child.pidfd, .events = POLLIN},
                               {.fd = runtime->printed[0], .events = POLLIN},
                               {.fd = runtime->printed[1], .events = POLLIN},
                               {.fd = host->channel_fd, .events = POLLRDHUP}};
        int64_t left = (deadline_ns - clock_mono_ns()) / NS_PER_MS;
        if (left <= 0)
            return;
        poll(fds, 4, (int)left);
        if (fds[0].revents || fds[3].revents)
            return;
        runtime_drop_output(runtime);
    }
}

/* As a good runtime likes it: descriptor 3 ends, and so does it. */
static void close_process(struct runtime *runtime)
{
    const struct host *host = runtime->base.host;
    unsigned grace_ms = runtime_told_to_stop(host) ? runtime_stop_grace_ms(host) : host->grace_ms;
    struct child_end end;
    if (is_alive(runtime)) {
        if (runtime->talk != -1)
            shutdown(runtime->talk, SHUT_WR);
        wait_for_end(runtime, clock_mono_ns() + grace_ms * NS_PER_MS);
        runtime_kill(runtime, 0, &end);
    }
    runtime_forget(runtime);
}

/* ---- starts ---- */

static void note_failure(struct runtime *runtime)
{
    runtime->pause_ns = runtime->pause_ns == 0 ? PAUSE_FIRST_NS : 2 * runtime->pause_ns;
    if (runtime->pause_ns > PAUSE_MOST_NS)
        runtime->pause_ns = PAUSE_MOST_NS;
    runtime->not_before_ns = clock_mono_ns() + runtime->pause_ns;
    log_event(LOG_WARNING, "runtime.start_failed", "manifest=%s pause_ms=%lld", runtime->base.manifest->name,
              (long long)(runtime->pause_ns / NS_PER_MS));
}

/* A new process, unless the last try failed a moment ago: then its reason holds. */
static enum started start(struct runtime *runtime)
{
    if (runtime->pause_ns > 0 && clock_mono_ns() < runtime->not_before_ns)
        return START_FAILED;
    enum started started = runtime_start(runtime);
    if (started == STARTED)
        runtime->pause_ns = 0;
    else if (started == START_FAILED)
        note_failure(runtime);
    return started;
}

static void append_reason(const struct runtime *runtime, struct buf *text)
{
    buf_printf(text, "%s: ", runtime->base.manifest->name);
    buf_append(text, runtime->reason.data ? runtime->reason.data : "", runtime->reason.length);
}

/* What it said between items: notices, and calls of threads that were late; no sane one says anything else. */
static bool has_said_well(struct runtime *runtime)
{
    struct source *said = &runtime->said;
    struct reply reply;
    const char *reason;
    size_t length;
    bool well = true;
    for (char *line; well && (line = source_line(said, &length));)
        well = length == 0 || (reply_parse(line, length, &reply, &reason) && reply.kind == REPLY_CALL &&
                               reply.id < runtime->next_id && calling_between(runtime, &reply));
    source_tidy(said);
    return well && (said->bytes.length == 0 || said->bytes.data[0] == '{');
}

/* What it did between items is nobody's: it is forgotten, and if it has ended it is replaced. */
static bool is_well(struct runtime *runtime)
{
    struct pollfd fds[] = {{.fd = runtime->child.pidfd, .events = POLLIN},
                           {.fd = runtime->talk, .events = POLLIN},
                           {.fd = runtime->printed[0], .events = POLLIN},
                           {.fd = runtime->printed[1], .events = POLLIN}};
    if (runtime->talk == -1)
        return false;
    if (poll(fds, 4, 0) == 0)
        return true;
    runtime_drop_output(runtime);
    bool ended = fds[1].revents && source_read(&runtime->said, runtime->talk) == -1;
    return !fds[0].revents && has_said_well(runtime) && !ended;
}

static enum started ensure(struct runtime *runtime)
{
    struct child_end end;
    if (is_alive(runtime) && is_well(runtime))
        return STARTED;
    if (is_alive(runtime)) {
        runtime_kill(runtime, 0, &end);
        runtime_forget(runtime);
    }
    if (runtime->pause_ns > 0 && clock_mono_ns() < runtime->not_before_ns)
        return START_FAILED;
    enum started started = start(runtime);
    if (started == START_FAILED && runtime->base.host->start_failed) {
        struct buf text = BUF_EMPTY;
        append_reason(runtime, &text);
        runtime->base.host->start_failed(runtime->base.host->context, buf_cstr(&text));
        buf_free(&text);
    }
    return started;
}

/* ---- how many at once ---- */

static struct pace *find_pace(struct runtime *runtime, const char *function)
{
    for (unsigned i = 0; i < PACES; i++)
        if (strcmp(runtime->paces[i].function, function) == 0)
            return &runtime->paces[i];
    return NULL;
}

static struct pace *pace_of(struct runtime *runtime, const char *function)
{
    struct pace *pace = find_pace(runtime, function);
    if (pace == NULL) {
        pace = &runtime->paces[runtime->paces_next++ % PACES];
        snprintf(pace->function, sizeof pace->function, "%s", function);
        pace->window = 1;
        pace->calls = false;
    }
    return pace;
}

/* Grows by doubling at most, so that one lucky batch is no promise. */
static void adapt_pace(struct pace *pace, uint32_t count, int64_t took_ns)
{
    int64_t window = took_ns > 0 ? BATCH_NS * count / took_ns : BATCH_MAX;
    if (window > 2 * (int64_t)count && window > pace->window)
        window = 2 * (int64_t)count > pace->window ? 2 * (int64_t)count : pace->window;
    pace->window = window < 1 ? 1 : window > BATCH_MAX ? BATCH_MAX : (uint32_t)window;
}

static uint32_t window(const struct runner *runner, const struct assignment *assignment)
{
    struct runtime *runtime = runtime_of((struct runner *)runner);
    const struct manifest *manifest = runner->manifest;
    const struct pace *pace = find_pace(runtime, assignment->function);
    uint32_t most = manifest->max_tasks_per_child;
    if (!is_alive(runtime) || !runtime->batch || assignment->once || runtime->careful > 0 || pace == NULL ||
        manifest->limits.memory > 0 || manifest->limits.cpu_s > 0)
        return 1;
    if (most > 0 && !pace->calls && pace->window > most - runtime->ran)
        return most - runtime->ran;
    return pace->calls ? 1 : pace->window;
}

/* ---- runner_kind ---- */

static void open_runtime(struct runner *runner)
{
    struct runtime *runtime = runtime_of(runner);
    runtime->child.pidfd = runtime->talk = runtime->answers = runtime->printed[0] = runtime->printed[1] = -1;
    runtime->next_id = 1;
}

/* It has had its share: a fresh one takes over when the next item comes. */
static bool is_spent(struct runtime *runtime, const struct assignment *assignment)
{
    const struct manifest *manifest = runtime->base.manifest;
    return assignment->once || (manifest->max_tasks_per_child > 0 && runtime->ran >= manifest->max_tasks_per_child) ||
           (manifest->max_rss > 0 && child_resident(&runtime->child) > manifest->max_rss);
}

/* Killing a helper (of a pool of processes, say, which may hold a lock) would break the runtime: it keeps them. But
 * what is to be a daemon is in the group, too, until it has come to call setsid. */
static unsigned tidy_children(struct runtime *runtime)
{
    unsigned helpers, left = child_tidy(&runtime->child, runtime->kept, runtime->kept_count, &helpers);
    if (helpers > runtime->helpers) {
        usleep(SETTLE_MS * 1000);
        left = child_tidy(&runtime->child, runtime->kept, runtime->kept_count, &helpers);
    }
    runtime->helpers = helpers;
    return left;
}

/* What items have left behind: orphans, and daemons that the runtime is still the parent of. */
static void tidy_up(struct runtime *runtime)
{
    struct child_end end;
    if (is_alive(runtime) && runtime->kept_count < KEPT_MAX && tidy_children(runtime) > LEFT_MAX) {
        runtime_kill(runtime, 0, &end);
        runtime_forget(runtime);
    }
    children_sweep();
}

static enum exchanged run_batch(struct runtime *runtime, const struct assignment *assignment, const struct task *tasks,
                                uint32_t *place, uint32_t count)
{
    struct pace *pace = pace_of(runtime, assignment->function);
    uint32_t first = *place, most = window(&runtime->base, assignment);
    uint32_t end = count - first < most ? count : first + most;
    int64_t began_ns = clock_mono_ns();
    runtime->calls = false;
    enum exchanged exchanged = exchange_run(runtime, assignment, tasks, place, end);
    pace->calls |= runtime->calls;
    if (exchanged == EXCHANGED)
        adapt_pace(pace, end - first, clock_mono_ns() - began_ns);
    if (exchanged != EXCHANGED)
        runtime_forget(runtime);
    else if (is_spent(runtime, assignment))
        close_process(runtime);
    tidy_up(runtime);
    return exchanged;
}

static bool run(struct runner *runner, const struct assignment *assignment, const struct task *tasks, uint32_t count)
{
    struct runtime *runtime = runtime_of(runner);
    for (uint32_t place = 0; place < count;) {
        if (assignment->once && is_alive(runtime))
            close_process(runtime);
        enum started started = ensure(runtime);
        if (started == START_STOPPED)
            return false;
        if (started == START_FAILED) {
            items_not_started(runtime, assignment, place, count);
            return true;
        }
        if (run_batch(runtime, assignment, tasks, &place, count) == EXCHANGE_STOPPED)
            return false;
    }
    return true;
}

static int describe(struct runner *runner, struct buf *list, struct error *error)
{
    struct runtime *runtime = runtime_of(runner);
    struct buf reason = BUF_EMPTY;
    if (is_alive(runtime) && !is_well(runtime))
        close_process(runtime);
    if (is_alive(runtime) || start(runtime) == STARTED) {
        buf_append(list, runtime->offers.data, runtime->offers.length);
        return 0;
    }
    append_reason(runtime, &reason);
    error_set(error, "%s", buf_cstr(&reason));
    buf_free(&reason);
    return -1;
}

static void close_runtime(struct runner *runner)
{
    struct runtime *runtime = runtime_of(runner);
    close_process(runtime);
    buf_free(&runtime->said.bytes);
    buf_free(&runtime->answered.bytes);
    buf_free(&runtime->offers);
    buf_free(&runtime->reason);
    buf_free(&runtime->reason_more);
}

static bool is_warm(const struct runner *runner)
{
    return is_alive(runtime_of((struct runner *)runner));
}

const struct runner_kind runtime_kind = {
    .size = sizeof(struct runtime),
    .open = open_runtime,
    .window = window,
    .run = run,
    .describe = describe,
    .close = close_runtime,
    .warm = is_warm,
};
