/* exec: a process for each item, from a command. See runner.h for what it promises, command.c for how one is watched,
 * exec_judge.c for what becomes of it. */
#include "runtimes/exec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtimes/callers.h"
#include "runtimes/child.h"
#include "runtimes/confine.h"
#include "runtimes/plumbing.h"

/* Printed around a value, at most, when the value itself has just the size that it may. */
enum { WHITE_SPACE_MAX = 4096 };

/* ---- running ---- */

static void set_environment(struct exec_run *run)
{
    struct environment *environment = &run->exec->environment;
    char number[16];
    environment_set(environment, "POOLD_JOB", run->assignment->job_id);
    snprintf(number, sizeof number, "%" PRIu32, run->task->index);
    environment_set(environment, "POOLD_INDEX", number);
    snprintf(number, sizeof number, "%" PRIu32, run->assignment->attempt);
    environment_set(environment, "POOLD_ATTEMPT", number);
    environment_set(environment, "POOLD_FUNCTION", run->assignment->function);
    if (*run->assignment->traceparent)
        environment_set(environment, "TRACEPARENT", run->assignment->traceparent);
    else
        environment_unset(environment, "TRACEPARENT"); /* the last job's, or what poold itself was started with */
}

static int start(struct exec_run *run, struct error *error)
{
    struct exec *exec = run->exec;
    struct plumbing *plumbing = plumbing_ready(error);
    if (plumbing == NULL)
        return -1;
    bool piped = exec->arguments.places == 0;
    if (piped && plumbing_input(plumbing, exec->arguments.input.data, exec->arguments.input.length, error) == -1)
        return -1;
    struct sandbox_files files;
    struct child_plan plan = {
        .argv = exec->arguments.argv,
        .envp = exec->environment.list,
        .directory = run->manifest->directory,
        .fds = {piped ? plumbing->input_read : -1, plumbing->pipes[PIPE_OUT].write, plumbing->pipes[PIPE_ERR].write,
                plumbing->pipes[PIPE_PROGRESS].write},
        .fd_count = 4,
        .limits = &run->manifest->limits,
        .files = confine(&files, run->manifest, exec->base.host),
        .cpu_is_per_process = true,
    };
    run->command.plumbing = plumbing;
    return child_start(&run->command.child, &plan, error);
}

static void watch(struct exec_run *run)
{
    struct command *command = &run->command;
    run->pid = command->child.pid;
    command->host = run->exec->base.host;
    command->place = run->place;
    command->timeout_ns = run->assignment->timeout_ns;
    command->memory_max = run->manifest->limits.memory;
    command->printed_max = exec_value_max(run) + WHITE_SPACE_MAX;
    command->printed = &run->exec->printed;
    buf_clear(command->printed, EXEC_KEPT_BYTES);
    buf_clear(&run->exec->value, EXEC_KEPT_BYTES);
    command_watch(command);
    if (command->why != COMMAND_ENDED || command->end.signal)
        plumbing_discard();
}

/* False when the worker was told to stop meanwhile. */
static bool run_task(struct exec_run *run)
{
    const struct task *task = run->task;
    const struct host *host = run->exec->base.host;
    struct error error;
    host->began(host->context, run->place);
    set_environment(run);
    if (arguments_make(&run->exec->arguments, run->manifest, task->item, task->length, run->assignment->star, &error) ==
            -1 ||
        start(run, &error) == -1) {
        exec_fail(run, FAILURE_ERROR, error.text);
        return true;
    }
    watch(run);
    if (run->command.why == COMMAND_STOPPED)
        return false;
    exec_judge(run);
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

static bool run_tasks(struct runner *runner, const struct assignment *assignment, const struct task *tasks,
                      uint32_t count)
{
    for (uint32_t place = 0; place < count; place++) {
        struct exec_run run = {.exec = (struct exec *)runner,
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
    .run = run_tasks,
    .describe = exec_describe,
    .close = exec_close,
    .warm = exec_warm,
};
