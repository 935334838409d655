/* exec: a process for each item, from a command. See runner.h for what it promises, command.c for how one is watched.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/clock.h"
#include "runtimes/arguments.h"
#include "runtimes/callers.h"
#include "runtimes/child.h"
#include "runtimes/command.h"
#include "runtimes/environment.h"
#include "runtimes/fault.h"
#include "runtimes/forms.h"
#include "runtimes/plumbing.h"
#include "runtimes/runner_kind.h"

enum {
    KEPT_BYTES = 1024 * 1024, /* of the buffers, between items */
    WHITE_SPACE_MAX = 4096,   /* printed around a value, at most, when the value itself has just the size that it may */
};

struct exec {
    struct runner base;
    struct environment environment;
    struct arguments arguments;
    struct buf printed, value, fault;
};

/* One item on its way. */
struct run {
    struct exec *exec;
    const struct manifest *manifest;
    const struct assignment *assignment;
    const struct task *task;
    uint32_t place;
    pid_t pid;
    struct command command;
};

static size_t value_max(const struct run *run)
{
    int64_t limit = run->manifest->limits.output;
    bool own = limit > 0 && (size_t)limit < run->assignment->value_max;
    return own ? (size_t)limit : run->assignment->value_max;
}

static const char *program_name(const struct run *run)
{
    const char *slash = strrchr(run->manifest->argv[0], '/');
    return slash ? slash + 1 : run->manifest->argv[0];
}

/* ---- outcomes ---- */

static void succeed(struct run *run, const char *value, size_t length)
{
    const struct host *host = run->exec->base.host;
    struct outcome outcome = {.value = value, .length = length, .pid = run->pid, .exit_code = 0};
    host->ended(host->context, run->place, &outcome);
}

/* The object has been begun in exec->fault. */
static void fail(struct run *run)
{
    const struct host *host = run->exec->base.host;
    struct buf *object = &run->exec->fault;
    fault_end(object);
    struct outcome outcome = {.error = object->data,
                              .length = object->length,
                              .pid = run->pid,
                              .exit_code = run->pid ? run->command.end.exit_code : -1};
    host->ended(host->context, run->place, &outcome);
}

static void begin_fault(struct run *run, enum failure type, const char *message)
{
    struct fault fault = {.type = type, .message = message, .exit_code = -1, .attempts = run->assignment->attempt};
    if (run->pid) {
        fault.signal = run->command.end.signal;
        fault.exit_code = run->command.end.exit_code;
    }
    buf_clear(&run->exec->fault, KEPT_BYTES);
    fault_begin(&run->exec->fault, &fault);
}

static void add_stderr(struct run *run, bool even_if_empty)
{
    char tail[STDERR_TAIL];
    size_t length = command_tail(&run->command, tail);
    if (length > 0 || even_if_empty)
        fault_text(&run->exec->fault, "stderr", tail, length);
}

static void fail_simply(struct run *run, enum failure type, const char *message)
{
    begin_fault(run, type, message);
    if (run->pid)
        add_stderr(run, false);
    fail(run);
}

static void fail_by_timeout(struct run *run)
{
    char message[96];
    snprintf(message, sizeof message, "took longer than its timeout of %.3f s",
             (double)run->assignment->timeout_ns / (double)NS_PER_S);
    fail_simply(run, FAILURE_TIMEOUT, message);
}

static void fail_by_cpu(struct run *run)
{
    char message[96];
    snprintf(message, sizeof message, "used more than its %" PRId64 " s of processor time",
             run->manifest->limits.cpu_s);
    fail_simply(run, FAILURE_TIMEOUT, message);
}

static void fail_by_size(struct run *run)
{
    char message[96];
    snprintf(message, sizeof message, "the value has more than the %zu bytes that it may have", value_max(run));
    fail_simply(run, FAILURE_TOO_LARGE, message);
}

static void fail_by_memory(struct run *run)
{
    char message[128];
    int64_t limit = run->manifest->limits.memory, peak = run->command.peak;
    snprintf(message, sizeof message, "used %.1f MiB of memory, the limit is %.1f MiB", (double)peak / (1 << 20),
             (double)limit / (1 << 20));
    begin_fault(run, FAILURE_MEMORY, message);
    fault_number(&run->exec->fault, "limit", limit);
    fault_number(&run->exec->fault, "peak", peak);
    add_stderr(run, false);
    fail(run);
}

static void fail_by_signal(struct run *run)
{
    char message[64], name[16];
    snprintf(message, sizeof message, "killed by %s", fault_signal(run->command.end.signal, name));
    fail_simply(run, FAILURE_CRASH, message);
}

static void fail_by_status(struct run *run)
{
    char message[320];
    snprintf(message, sizeof message, "%.255s exited with status %d", program_name(run), run->command.end.exit_code);
    begin_fault(run, FAILURE_ERROR, message);
    add_stderr(run, true);
    fail(run);
}

/* ---- judging ---- */

/* What the system saw as the peak, which knows of growth between two looks. Of a process that shared our memory until
 * exec it says at least what we have ourselves. */
static int64_t true_peak(const struct run *run)
{
    struct rusage own;
    int64_t seen = run->command.end.usage.ru_maxrss;
    getrusage(RUSAGE_SELF, &own);
    return seen > own.ru_maxrss && seen * 1024 > run->command.peak ? seen * 1024 : run->command.peak;
}

static bool ran_out_of_memory(struct run *run)
{
    if (run->manifest->limits.memory == 0)
        return false;
    run->command.peak = true_peak(run);
    return run->command.peak > run->manifest->limits.memory;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* A shell, for one, turns the signal that ended its own child into a status of 128 and more. */
static bool ran_out_of_cpu(const struct run *run)
{
    const struct child_end *end = &run->command.end;
    int64_t limit = run->manifest->limits.cpu_s;
    if (limit == 0)
        return false;
    if (end->signal == SIGXCPU || end->exit_code == 128 + SIGXCPU)
        return true;
    bool killed = end->signal == SIGKILL || end->exit_code == 128 + SIGKILL;
    return killed && seconds(end->usage.ru_utime) + seconds(end->usage.ru_stime) >= (double)limit;
}

static void judge_value(struct run *run)
{
    const char *value;
    size_t length;
    struct error error;
    struct exec *exec = run->exec;
    if (form_write(run->manifest->output, &exec->printed, &exec->value, &value, &length, &error) == -1)
        fail_simply(run, FAILURE_PROTOCOL, error.text);
    else if (length > value_max(run))
        fail_by_size(run);
    else
        succeed(run, value, length);
}

static void judge(struct run *run)
{
    const struct command *command = &run->command;
    bool failed = command->end.signal != 0 || command->end.exit_code != 0;
    if (command->why == COMMAND_TIMED_OUT)
        fail_by_timeout(run);
    else if (command->why == COMMAND_TOO_LARGE)
        fail_by_size(run);
    else if (command->why == COMMAND_TOO_MUCH_MEMORY || (failed && ran_out_of_memory(run)))
        fail_by_memory(run);
    else if (failed && ran_out_of_cpu(run))
        fail_by_cpu(run);
    else if (command->end.signal)
        fail_by_signal(run);
    else if (failed)
        fail_by_status(run);
    else
        judge_value(run);
}

/* ---- running ---- */

static void set_environment(struct run *run)
{
    struct environment *environment = &run->exec->environment;
    char number[16];
    environment_set(environment, "POOLD_JOB", run->assignment->job_id);
    snprintf(number, sizeof number, "%" PRIu32, run->task->index);
    environment_set(environment, "POOLD_INDEX", number);
    snprintf(number, sizeof number, "%" PRIu32, run->assignment->attempt);
    environment_set(environment, "POOLD_ATTEMPT", number);
    environment_set(environment, "POOLD_FUNCTION", run->assignment->function);
}

static int start(struct run *run, struct error *error)
{
    struct exec *exec = run->exec;
    struct plumbing *plumbing = plumbing_ready(error);
    if (plumbing == NULL)
        return -1;
    bool piped = exec->arguments.places == 0;
    if (piped && plumbing_input(plumbing, exec->arguments.input.data, exec->arguments.input.length, error) == -1)
        return -1;
    struct child_plan plan = {
        .argv = exec->arguments.argv,
        .envp = exec->environment.list,
        .directory = run->manifest->directory,
        .fds = {piped ? plumbing->input_read : -1, plumbing->pipes[PIPE_OUT].write, plumbing->pipes[PIPE_ERR].write,
                plumbing->pipes[PIPE_PROGRESS].write},
        .fd_count = 4,
        .limits = &run->manifest->limits,
        .cpu_is_per_process = true,
    };
    run->command.plumbing = plumbing;
    return child_start(&run->command.child, &plan, error);
}

static void watch(struct run *run)
{
    struct command *command = &run->command;
    run->pid = command->child.pid;
    command->host = run->exec->base.host;
    command->place = run->place;
    command->timeout_ns = run->assignment->timeout_ns;
    command->memory_max = run->manifest->limits.memory;
    command->printed_max = value_max(run) + WHITE_SPACE_MAX;
    command->printed = &run->exec->printed;
    buf_clear(command->printed, KEPT_BYTES);
    buf_clear(&run->exec->value, KEPT_BYTES);
    command_watch(command);
    if (command->why != COMMAND_ENDED || command->end.signal)
        plumbing_discard();
}

/* False when the worker was told to stop meanwhile. */
static bool run_task(struct run *run)
{
    const struct task *task = run->task;
    const struct host *host = run->exec->base.host;
    struct error error;
    host->began(host->context, run->place);
    set_environment(run);
    if (arguments_make(&run->exec->arguments, run->manifest, task->item, task->length, run->assignment->star, &error) ==
            -1 ||
        start(run, &error) == -1) {
        fail_simply(run, FAILURE_ERROR, error.text);
        return true;
    }
    watch(run);
    if (run->command.why == COMMAND_STOPPED)
        return false;
    judge(run);
    return true;
}

/* ---- the kind ---- */

static void exec_open(struct runner *runner)
{
    struct exec *exec = (struct exec *)runner;
    environment_begin(&exec->environment, runner->manifest);
    callers_environment(&exec->environment, runner->host);
    arguments_begin(&exec->arguments, runner->manifest);
}

static uint32_t exec_window(const struct runner *runner, const struct assignment *assignment)
{
    (void)runner;
    (void)assignment;
    return 1;
}

static bool exec_run(struct runner *runner, const struct assignment *assignment, const struct task *tasks,
                     uint32_t count)
{
    for (uint32_t place = 0; place < count; place++) {
        struct run run = {.exec = (struct exec *)runner,
                          .manifest = runner->manifest,
                          .assignment = assignment,
                          .task = &tasks[place],
                          .place = place};
        if (!run_task(&run))
            return false;
    }
    return true;
}

static int exec_describe(struct runner *runner, struct buf *list, struct error *error)
{
    const struct manifest *manifest = runner->manifest;
    (void)error;
    buf_append_text(list, "[{\"name\":");
    buf_append_json_string(list, manifest->name, strlen(manifest->name));
    if (manifest->summary) {
        buf_append_text(list, ",\"summary\":");
        buf_append_json_string(list, manifest->summary, strlen(manifest->summary));
    }
    if (manifest->example)
        buf_printf(list, ",\"example\":%s", manifest->example);
    buf_append_text(list, "}]");
    return 0;
}

static void exec_close(struct runner *runner)
{
    struct exec *exec = (struct exec *)runner;
    environment_free(&exec->environment);
    arguments_free(&exec->arguments);
    buf_free(&exec->printed);
    buf_free(&exec->value);
    buf_free(&exec->fault);
}

static bool exec_warm(const struct runner *runner)
{
    (void)runner;
    return false;
}

const struct runner_kind exec_kind = {
    .size = sizeof(struct exec),
    .open = exec_open,
    .window = exec_window,
    .run = exec_run,
    .describe = exec_describe,
    .close = exec_close,
    .warm = exec_warm,
};
