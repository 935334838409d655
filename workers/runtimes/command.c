/* command: see command.h. */
#include "runtimes/command.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "runtimes/callers.h"
#include "wire/scan.h"

#define SAMPLE_NS (15 * NS_PER_MS)
enum { READ_BYTES = 64 * 1024, PROGRESS_LINE_MAX = 64 * 1024 };

/* ---- ending it ---- */

/* With a grace time for who is told in a friendly way. */
static void end_it(struct command *command, enum command_end why, int signal, unsigned grace_ms)
{
    if (command->why != COMMAND_ENDED)
        return;
    command->why = why;
    command->deadline_ns = command->sample_ns = 0;
    child_signal(&command->child, signal);
    if (signal != SIGKILL)
        command->kill_ns = clock_mono_ns() + (int64_t)grace_ms * NS_PER_MS;
}

static void kill_it(struct command *command)
{
    command->kill_ns = 0;
    child_signal(&command->child, SIGKILL);
}

static void look_at_memory(struct command *command, int64_t now_ns)
{
    int64_t resident = child_resident(&command->child);
    command->sample_ns = now_ns + SAMPLE_NS;
    if (resident > command->peak)
        command->peak = resident;
    if (resident > command->memory_max)
        end_it(command, COMMAND_TOO_MUCH_MEMORY, SIGKILL, 0);
}

static void look_at_clock(struct command *command)
{
    int64_t now_ns = clock_mono_ns();
    if (command->deadline_ns && now_ns >= command->deadline_ns)
        end_it(command, COMMAND_TIMED_OUT, SIGTERM, command->host->grace_ms);
    if (command->kill_ns && now_ns >= command->kill_ns)
        kill_it(command);
    if (command->sample_ns && now_ns >= command->sample_ns)
        look_at_memory(command, now_ns);
}

/* ---- what it writes ---- */

static void keep_tail(struct command *command, const char *bytes, size_t length)
{
    if (length > STDERR_TAIL) {
        command->tail_total += length - STDERR_TAIL;
        bytes += length - STDERR_TAIL;
        length = STDERR_TAIL;
    }
    for (size_t i = 0; i < length; i++)
        command->tail[command->tail_total++ % STDERR_TAIL] = bytes[i];
}

static void took_stdout(struct command *command, const char *bytes, size_t length)
{
    if (command->why != COMMAND_ENDED)
        return; /* nobody wants it any more */
    buf_append(command->printed, bytes, length);
    if (command->printed->length > command->printed_max)
        end_it(command, COMMAND_TOO_LARGE, SIGKILL, 0);
}

static void took_stderr(struct command *command, const char *bytes, size_t length)
{
    keep_tail(command, bytes, length);
    log_cap_pass(&command->log, bytes, length);
}

/* The value of {"progress":…} in a line; false when there is none. */
static bool find_progress(char *line, size_t length, const char **json, size_t *json_length)
{
    struct scan_walk walk;
    *json = NULL;
    char *end = line + length, *at = line + (scan_space(line, end) - line);
    if (at == end || *at != '{')
        return false;
    for (scan_enter(&walk, at, end, true); scan_next(&walk);)
        if (walk.key_end - walk.key == 8 && memcmp(walk.key, "progress", 8) == 0) {
            *json = walk.value;
            *json_length = (size_t)(walk.value_end - walk.value);
        }
    return walk.done && *json && scan_space(walk.at, end) == end;
}

/* Of the lines that have come together only the last one still says anything. */
static void took_progress(struct command *command, const char *bytes, size_t length)
{
    struct buf *text = &command->progress;
    const char *json, *last = NULL;
    size_t json_length, last_length = 0, used = 0;
    buf_append(text, bytes, length);
    for (char *newline; (newline = memchr(text->data + used, '\n', text->length - used));) {
        char *line = text->data + used;
        used = (size_t)(newline + 1 - text->data);
        if (find_progress(line, (size_t)(newline - line), &json, &json_length)) {
            last = json;
            last_length = json_length;
        }
    }
    if (last)
        command->host->progress(command->host->context, command->place, last, last_length);
    buf_consume(text, text->length - used > PROGRESS_LINE_MAX ? text->length : used);
}

static void take(struct command *command, enum pipe_name name, const char *bytes, size_t length)
{
    if (name == PIPE_OUT)
        took_stdout(command, bytes, length);
    else if (name == PIPE_ERR)
        took_stderr(command, bytes, length);
    else
        took_progress(command, bytes, length);
}

/* One read; false when there is nothing. */
static bool read_some(struct command *command, enum pipe_name name)
{
    static char bytes[READ_BYTES];
    ssize_t got = read(command->plumbing->pipes[name].read, bytes, sizeof bytes);
    if (got > 0)
        take(command, name, bytes, (size_t)got);
    return got > 0 || (got == -1 && errno == EINTR);
}

/* ---- waiting ---- */

enum { WAIT_CHILD, WAIT_OUT, WAIT_ERR, WAIT_PROGRESS, WAIT_STOP, WAIT_CHANNEL, WAITS };

static int64_t sooner(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static void deliver(void *runner, uint32_t place, uint32_t call, const char *json, size_t length)
{
    static const char quiet[] = "a quiet call failed: ";
    struct command *command = runner;
    if (place != command->place)
        return;
    if (call != 0) {
        callers_answer(call, json, length);
    } else if (length > 8 && memcmp(json, "{\"error\"", 8) == 0) {
        took_stderr(command, quiet, sizeof quiet - 1);
        took_stderr(command, json, length);
        took_stderr(command, "\n", 1);
    }
}

/* The server is gone: nobody wants anything any more. A stop gets half of the grace time: who stops us waits no longer
 * than the whole. */
static void heed(struct command *command, const struct pollfd waits[WAITS])
{
    if (waits[WAIT_CHANNEL].revents & (POLLHUP | POLLERR | POLLRDHUP)) {
        command->why = COMMAND_STOPPED;
        command->deadline_ns = command->sample_ns = 0;
        kill_it(command);
    } else if (waits[WAIT_STOP].revents && command->why != COMMAND_STOPPED) {
        command->why = COMMAND_ENDED;
        end_it(command, COMMAND_STOPPED, SIGTERM, command->host->grace_ms / 2);
    } else if (waits[WAIT_CHANNEL].revents & POLLIN) {
        command->host->incoming(command->host->context, deliver, command);
    }
}

/* Once it is being stopped, there is nothing more to hear from these. */
static int unless_stopped(const struct command *command, int fd)
{
    return command->why == COMMAND_STOPPED ? -1 : fd;
}

static bool wait_for_news(struct command *command)
{
    const short hearing = command->host->incoming ? POLLIN | POLLRDHUP : POLLRDHUP;
    struct pollfd waits[WAITS + CALLERS_FDS] = {
        [WAIT_CHILD] = {.fd = command->child.pidfd, .events = POLLIN},
        [WAIT_OUT] = {.fd = command->plumbing->pipes[PIPE_OUT].read, .events = POLLIN},
        [WAIT_ERR] = {.fd = command->plumbing->pipes[PIPE_ERR].read, .events = POLLIN},
        [WAIT_PROGRESS] = {.fd = command->plumbing->pipes[PIPE_PROGRESS].read, .events = POLLIN},
        [WAIT_STOP] = {.fd = unless_stopped(command, command->host->stop_fd), .events = POLLIN},
        [WAIT_CHANNEL] = {.fd = unless_stopped(command, command->host->channel_fd), .events = hearing},
    };
    unsigned callers = command->why == COMMAND_STOPPED ? 0 : callers_fds(waits + WAITS);
    int64_t until = sooner(sooner(command->deadline_ns, command->kill_ns), command->sample_ns);
    int64_t left = until ? until - clock_mono_ns() : 0;
    struct timespec limit = {.tv_sec = left > 0 ? left / NS_PER_S : 0, .tv_nsec = left > 0 ? left % NS_PER_S : 0};
    if (ppoll(waits, WAITS + callers, until ? &limit : NULL, NULL) == -1) {
        CHECK(errno == EINTR, "poll: %s", strerror(errno));
        return true;
    }
    heed(command, waits);
    for (enum pipe_name name = 0; name < PIPES; name++)
        if (waits[WAIT_OUT + name].revents)
            read_some(command, name);
    callers_turn(waits + WAITS, callers);
    return waits[WAIT_CHILD].revents == 0;
}

/* Its time and its memory are looked at whenever it lets us wait, and when it never does. */
static void watch(struct command *command)
{
    while (wait_for_news(command))
        if (command->deadline_ns || command->kill_ns || command->sample_ns)
            look_at_clock(command);
}

void command_watch(struct command *command)
{
    int64_t now_ns = command->timeout_ns || command->memory_max ? clock_mono_ns() : 0;
    command->deadline_ns = command->timeout_ns ? now_ns + command->timeout_ns : 0;
    command->sample_ns = command->memory_max ? now_ns + SAMPLE_NS : 0;
    log_cap_begin(&command->log, command->host, command->place, 2);
    callers_begin(command->host, command->place);
    watch(command);
    child_reap(&command->child, &command->end);
    /* Nobody writes any more: what has come is in the pipes. */
    for (enum pipe_name name = 0; name < PIPES; name++)
        while (read_some(command, name))
            ;
    callers_end();
    log_cap_end(&command->log);
    buf_free(&command->progress);
}

size_t command_tail(const struct command *command, char text[STDERR_TAIL])
{
    size_t length = command->tail_total < STDERR_TAIL ? command->tail_total : STDERR_TAIL;
    for (size_t i = 0; i < length; i++)
        text[i] = command->tail[(command->tail_total - length + i) % STDERR_TAIL];
    char *newline = command->tail_total > length ? memchr(text, '\n', length - 1) : NULL;
    if (newline) {
        length -= (size_t)(newline + 1 - text);
        memmove(text, newline + 1, length);
    }
    return length;
}
