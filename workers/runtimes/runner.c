/* runner: see runner.h. The kinds do the work. */
#include "runtimes/runner.h"

#include <stdlib.h>

#include "base/check.h"
#include "runtimes/runner_kind.h"

static const struct runner_kind *kind_of(const struct manifest *manifest)
{
    CHECK(manifest->kind != MANIFEST_PLUGIN, "%s is a plugin, which runs in the worker", manifest->name);
    return manifest->kind == MANIFEST_EXEC ? &exec_kind : &runtime_kind;
}

struct runner *runner_open(struct manifest *manifest, const struct host *host)
{
    const struct runner_kind *kind = kind_of(manifest);
    struct runner *runner = calloc(1, kind->size);
    CHECK(runner, "out of memory");
    runner->kind = kind;
    runner->manifest = manifest_ref(manifest);
    runner->host = host;
    kind->open(runner);
    return runner;
}

uint32_t runner_window(const struct runner *runner, const struct assignment *assignment)
{
    return runner->kind->window(runner, assignment);
}

bool runner_run(struct runner *runner, const struct assignment *assignment, const struct task *tasks, uint32_t count)
{
    return runner->kind->run(runner, assignment, tasks, count);
}

int runner_describe(struct runner *runner, struct buf *list, struct error *error)
{
    return runner->kind->describe(runner, list, error);
}

void runner_close(struct runner **runner)
{
    if (runner == NULL || *runner == NULL)
        return;
    (*runner)->kind->close(*runner);
    manifest_unref(&(*runner)->manifest);
    free(*runner);
    *runner = NULL;
}

bool runner_warm(const struct runner *runner)
{
    return runner->kind->warm(runner);
}
