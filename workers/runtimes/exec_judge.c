/* exec_judge: what becomes of an item, from how its command ended and what it printed. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/signal_name.h"
#include "runtimes/exec.h"
#include "runtimes/fault.h"
#include "runtimes/forms.h"

size_t exec_value_max(const struct exec_run *run)
{
    int64_t limit = run->manifest->limits.output;
    bool own = limit > 0 && (size_t)limit < run->assignment->value_max;
    return own ? (size_t)limit : run->assignment->value_max;
}

static const char *program_name(const struct exec_run *run)
{
    const char *slash = strrchr(run->manifest->argv[0], '/');
    return slash ? slash + 1 : run->manifest->argv[0];
}

/* ---- outcomes ---- */

static void succeed(struct exec_run *run, const char *value, size_t length)
{
    const struct host *host = run->exec->base.host;
    struct outcome outcome = {.value = value, .length = length, .pid = run->pid, .exit_code = 0};
    host->ended(host->context, run->place, &outcome);
}

/* The object has been begun in exec->fault. */
static void fail(struct exec_run *run)
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

static void begin_fault(struct exec_run *run, enum failure type, const char *message)
{
    struct fault fault = {.type = type, .message = message, .exit_code = -1, .attempts = run->assignment->attempt};
    if (run->pid) {
        fault.signal = run->command.end.signal;
        fault.exit_code = run->command.end.exit_code;
    }
    buf_clear(&run->exec->fault, EXEC_KEPT_BYTES);
    fault_begin(&run->exec->fault, &fault);
}

static void add_stderr(struct exec_run *run, bool even_if_empty)
{
    char tail[STDERR_TAIL];
    size_t length = command_tail(&run->command, tail);
    if (length > 0 || even_if_empty)
        fault_text(&run->exec->fault, "stderr", tail, length);
}

void exec_fail(struct exec_run *run, enum failure type, const char *message)
{
    begin_fault(run, type, message);
    if (run->pid)
        add_stderr(run, false);
    fail(run);
}

static void fail_by_timeout(struct exec_run *run)
{
    char message[96];
    snprintf(message, sizeof message, "took longer than its timeout of %.3f s",
             (double)run->assignment->timeout_ns / (double)NS_PER_S);
    exec_fail(run, FAILURE_TIMEOUT, message);
}

static void fail_by_cpu(struct exec_run *run)
{
    char message[96];
    snprintf(message, sizeof message, "used more than its %" PRId64 " s of processor time",
             run->manifest->limits.cpu_s);
    exec_fail(run, FAILURE_TIMEOUT, message);
}

static void fail_by_size(struct exec_run *run)
{
    char message[96];
    snprintf(message, sizeof message, "the value has more than the %zu bytes that it may have", exec_value_max(run));
    exec_fail(run, FAILURE_TOO_LARGE, message);
}

static void fail_by_memory(struct exec_run *run)
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

static void fail_by_signal(struct exec_run *run)
{
    char message[64], name[16];
    snprintf(message, sizeof message, "killed by %s", signal_name(run->command.end.signal, name));
    exec_fail(run, FAILURE_CRASH, message);
}

static void fail_by_status(struct exec_run *run)
{
    char message[320];
    snprintf(message, sizeof message, "%.255s exited with status %d", program_name(run), run->command.end.exit_code);
    begin_fault(run, FAILURE_ERROR, message);
    add_stderr(run, true);
    fail(run);
}

/* ---- judging ---- */

static int64_t true_peak(const struct exec_run *run)
{
    int64_t seen = run->command.end.usage.ru_maxrss * 1024;
    return seen > run->command.peak ? seen : run->command.peak;
}

static bool ran_out_of_memory(struct exec_run *run)
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
static bool ran_out_of_cpu(const struct exec_run *run)
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

static void judge_value(struct exec_run *run)
{
    const char *value;
    size_t length;
    struct error error;
    struct exec *exec = run->exec;
    if (form_write(run->manifest->output, &exec->printed, &exec->value, &value, &length, &error) == -1)
        exec_fail(run, FAILURE_PROTOCOL, error.text);
    else if (length > exec_value_max(run))
        fail_by_size(run);
    else
        succeed(run, value, length);
}

void exec_judge(struct exec_run *run)
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
