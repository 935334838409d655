/* start: from nothing to a runtime that is ready. See runtime.h.
 *
 * What it prints meanwhile belongs to no item and is dropped; only when it does not become ready, the end of its stderr
 * is a part of the reason. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/signal_name.h"
#include "runtimes/confine.h"
#include "runtimes/environment.h"
#include "runtimes/fault.h"
#include "runtimes/runtime.h"

enum { LAST_WORDS = 2048, SAMPLE_MS = 15, SOCKET_BYTES = 1024 * 1024, PATH_BYTES = 4096 };

/* ---- the process ---- */

struct command {
    char *argv[10];
    char launcher[PATH_BYTES];
    struct environment environment;
};

static unsigned launcher_arguments(struct command *command, const struct manifest *manifest, unsigned count)
{
    char **argv = command->argv;
    argv[count++] = manifest->module;
    if (manifest->initializer) {
        argv[count++] = "--initializer";
        argv[count++] = manifest->initializer;
    }
    if (manifest->initializer && manifest->initargs) {
        argv[count++] = "--initargs";
        argv[count++] = manifest->initargs;
    }
    return count;
}

/* BASE/LANGUAGE, the manifest's folder, and what its author has declared himself. */
static void set_search_path(struct command *command, const struct runtime *runtime, const char *name,
                            const char *launchers)
{
    const struct manifest *manifest = runtime->base.manifest;
    const char *declared = environment_get(&command->environment, name);
    struct buf path = BUF_EMPTY;
    if (launchers)
        buf_printf(&path, "%s/%s:", runtime->base.host->runtimes, launchers);
    buf_append_text(&path, manifest->folder);
    if (declared && *declared)
        buf_printf(&path, ":%s", declared);
    environment_set(&command->environment, name, buf_cstr(&path));
    buf_free(&path);
}

static char *const *command_make(struct command *command, const struct runtime *runtime)
{
    const struct manifest *manifest = runtime->base.manifest;
    unsigned count = 0;
    environment_begin(&command->environment, manifest);
    set_search_path(command, runtime, "PYTHONPATH", "python");
    set_search_path(command, runtime, "NODE_PATH", "node");
    if (manifest->language == LANGUAGE_NONE)
        return manifest->argv;
    command->argv[count++] = manifest->argv[0];
    if (manifest->language == LANGUAGE_PYTHON) {
        command->argv[count++] = "-m";
        command->argv[count++] = "poold_worker";
    } else {
        snprintf(command->launcher, sizeof command->launcher, "%s/node/poold_worker.js", runtime->base.host->runtimes);
        command->argv[count++] = command->launcher;
    }
    command->argv[launcher_arguments(command, manifest, count)] = NULL;
    return command->argv;
}

/* The child's ends: stdout, stderr, 3, 4 (4 is ours as well). */
struct ends {
    int out, err, talk;
};

static int open_descriptors(struct runtime *runtime, struct ends *ends)
{
    int pair[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
    bool good = fd_stream_pair(pair, SOCKET_BYTES) == 0 && fd_set_nonblocking(pair[1], false) == 0 &&
                pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0 && fd_set_nonblocking(out[0], true) == 0 &&
                fd_set_nonblocking(err[0], true) == 0;
    runtime->talk = pair[0];
    runtime->printed[0] = out[0];
    runtime->printed[1] = err[0];
    *ends = (struct ends){.out = out[1], .err = err[1], .talk = pair[1]};
    runtime->answers = memfd_create("poold-answers", MFD_CLOEXEC);
    return good && runtime->answers != -1 && fcntl(runtime->answers, F_SETFL, O_APPEND) == 0 ? 0 : -1;
}

static int start_process(struct runtime *runtime, const struct ends *ends, struct error *error)
{
    const struct manifest *manifest = runtime->base.manifest;
    struct command command = {0};
    char *const *argv = command_make(&command, runtime);
    struct sandbox_files files;
    struct child_plan plan = {
        .argv = argv,
        .envp = command.environment.list,
        .directory = manifest->directory,
        .fds = {-1, ends->out, ends->err, ends->talk, runtime->answers},
        .fd_count = 5,
        .limits = &manifest->limits,
        .files = confine(&files, manifest, runtime->base.host),
    };
    int result = child_start(&runtime->child, &plan, error);
    environment_free(&command.environment);
    return result;
}

static int launch(struct runtime *runtime, struct error *error)
{
    struct ends ends;
    int result = -1;
    if (open_descriptors(runtime, &ends) == -1)
        error_set(error, "no descriptors: %s", strerror(errno));
    else
        result = start_process(runtime, &ends, error);
    fd_close(&ends.out);
    fd_close(&ends.err);
    fd_close(&ends.talk);
    return result;
}

/* ---- until it is ready ---- */

struct waiting {
    struct runtime *runtime;
    int64_t deadline_ns;
    struct buf last_words;
};

enum progress { STILL_WAITING, IS_READY, HAS_FAILED, MUST_STOP };

static void hear(struct waiting *waiting, int stream)
{
    struct source text = {0};
    int *fd = &waiting->runtime->printed[stream];
    if (*fd != -1 && source_read(&text, *fd) == -1)
        fd_close(fd);
    if (stream == 1)
        buf_append(&waiting->last_words, text.bytes.data ? text.bytes.data : "", text.bytes.length);
    if (waiting->last_words.length > LAST_WORDS)
        buf_consume(&waiting->last_words, waiting->last_words.length - LAST_WORDS);
    buf_free(&text.bytes);
}

static void hear_both(struct waiting *waiting)
{
    hear(waiting, 0);
    hear(waiting, 1);
}

/* ": what it said last", without the white space around it. */
static void append_last_words(struct waiting *waiting)
{
    if (waiting->last_words.length == 0)
        return;
    const char *at = waiting->last_words.data, *end = at + waiting->last_words.length;
    while (at < end && (unsigned char)*at <= ' ')
        at++;
    while (at < end && (unsigned char)end[-1] <= ' ')
        end--;
    if (at < end)
        buf_printf(&waiting->runtime->reason, ": %.*s", (int)(end - at), at);
}

static enum progress fail(struct waiting *waiting, const char *format, ...) __attribute__((format(printf, 2, 3)));
static enum progress fail(struct waiting *waiting, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct child_end end;
    runtime_kill(waiting->runtime, waiting->runtime->base.host->grace_ms, &end);
    hear_both(waiting);
    buf_append_text(&waiting->runtime->reason, text);
    append_last_words(waiting);
    return HAS_FAILED;
}

static enum progress has_ended(struct waiting *waiting)
{
    struct child_end end;
    char name[16];
    struct buf *reason = &waiting->runtime->reason;
    runtime_kill(waiting->runtime, 0, &end);
    hear_both(waiting);
    if (end.signal)
        buf_printf(reason, "killed by %s before it was ready", signal_name(end.signal, name));
    else
        buf_printf(reason, "exited with status %d before it was ready", end.exit_code);
    append_last_words(waiting);
    return HAS_FAILED;
}

static enum progress first_line(struct waiting *waiting, char *line, size_t length)
{
    struct runtime *runtime = waiting->runtime;
    struct child_end end;
    switch (ready_parse(runtime, line, length)) {
    case READY:
        return IS_READY;
    case NOT_READY:
        runtime_kill(runtime, runtime->base.host->grace_ms, &end);
        return HAS_FAILED;
    default:
        return fail(waiting, "its first line is not that it is ready: %.*s", (int)(length < 100 ? length : 100), line);
    }
}

static enum progress listen_to(struct waiting *waiting)
{
    struct runtime *runtime = waiting->runtime;
    if (source_read(&runtime->said, runtime->talk) == -1)
        fd_close(&runtime->talk); /* its end is near; if not, the time runs out */
    for (;;) {
        size_t length;
        char *line = source_line(&runtime->said, &length);
        if (line && length > 0)
            return first_line(waiting, line, length);
        if (line == NULL)
            break;
    }
    return runtime->said.bytes.length > READ_TURN ? fail(waiting, "its first line does not end") : STILL_WAITING;
}

static enum progress check_limits(struct waiting *waiting)
{
    const struct manifest *manifest = waiting->runtime->base.manifest;
    if (clock_mono_ns() >= waiting->deadline_ns)
        return fail(waiting, "not ready after %g s", (double)manifest->start_timeout_ms / 1000);
    if (manifest->limits.memory == 0)
        return STILL_WAITING;
    int64_t resident = child_resident(&waiting->runtime->child);
    if (resident <= manifest->limits.memory)
        return STILL_WAITING;
    return fail(waiting, "took %" PRId64 " bytes of memory before it was ready; its limit is %" PRId64, resident,
                manifest->limits.memory);
}

static int wait_ms(const struct waiting *waiting)
{
    int64_t left = (waiting->deadline_ns - clock_mono_ns()) / NS_PER_MS + 1;
    if (waiting->runtime->base.manifest->limits.memory > 0 && left > SAMPLE_MS)
        left = SAMPLE_MS;
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static enum progress take_turn(struct waiting *waiting)
{
    struct runtime *runtime = waiting->runtime;
    const struct host *host = runtime->base.host;
    struct pollfd fds[] = {
        {.fd = runtime->talk, .events = POLLIN},       {.fd = runtime->child.pidfd, .events = POLLIN},
        {.fd = runtime->printed[0], .events = POLLIN}, {.fd = runtime->printed[1], .events = POLLIN},
        {.fd = host->stop_fd, .events = POLLIN},       {.fd = host->channel_fd, .events = POLLRDHUP},
    };
    poll(fds, sizeof fds / sizeof *fds, wait_ms(waiting));
    if (fds[4].revents || fds[5].revents)
        return MUST_STOP;
    hear_both(waiting);
    enum progress progress = runtime->talk == -1 ? STILL_WAITING : listen_to(waiting);
    if (progress != STILL_WAITING)
        return progress;
    return fds[1].revents ? has_ended(waiting) : check_limits(waiting);
}

static enum started wait_until_ready(struct runtime *runtime)
{
    struct waiting waiting = {
        .runtime = runtime,
        .deadline_ns = clock_mono_ns() + runtime->base.manifest->start_timeout_ms * NS_PER_MS,
    };
    struct child_end end;
    enum progress progress;
    do
        progress = take_turn(&waiting);
    while (progress == STILL_WAITING);
    if (progress == MUST_STOP)
        runtime_kill(runtime, runtime_stop_grace_ms(runtime->base.host), &end);
    runtime->helpers = 0;
    runtime->kept_count = child_children(&runtime->child, runtime->kept, KEPT_MAX);
    source_tidy(&runtime->said);
    buf_free(&waiting.last_words);
    return progress == IS_READY ? STARTED : progress == MUST_STOP ? START_STOPPED : START_FAILED;
}

enum started runtime_start(struct runtime *runtime)
{
    struct error error;
    enum started started = START_FAILED;
    buf_clear(&runtime->reason, 0);
    buf_clear(&runtime->reason_more, 0);
    runtime->first_id = runtime->next_id;
    if (launch(runtime, &error) == -1)
        buf_append_text(&runtime->reason, error.text);
    else
        started = wait_until_ready(runtime);
    if (started != STARTED)
        runtime_forget(runtime);
    return started;
}
