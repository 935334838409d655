/* sandbox: see sandbox.h. */
#include "engine/sandbox.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "engine/functions.h"

/* Each of `least` only if `one` has it, too; the reasons are those of whoever has less. */
static void lower(struct engine_sandbox *least, const struct engine_sandbox *one)
{
    if ((least->guards & ~one->guards) != 0)
        memcpy(least->missing, one->missing, sizeof least->missing);
    least->guards &= one->guards;
    if (one->landlock < least->landlock)
        least->landlock = one->landlock;
}

/* They are all of the same program on the same kernel: should they differ nevertheless, the least one counts. */
static struct engine_sandbox least_of(const struct core *core, const struct worker *newest)
{
    struct engine_sandbox least = newest->sandbox;
    for (unsigned i = 0; i < core->worker_top; i++)
        if (core->workers[i].present && core->workers[i].ready)
            lower(&least, &core->workers[i].sandbox);
    return least;
}

/* One line a reason, on one line. */
static void log_missing(const struct engine_sandbox *sandbox)
{
    char text[sizeof sandbox->missing];
    memcpy(text, sandbox->missing, sizeof text);
    for (char *at = text; (at = strchr(at, '\n')) != NULL;)
        *at = ';';
    log_event(LOG_WARNING, "sandbox.incomplete", "missing=\"%s\"", text);
}

void sandbox_told(struct core *core, struct worker *worker, const struct message_hello *hello)
{
    worker->sandbox =
        (struct engine_sandbox){.known = true, .guards = hello->guards, .landlock = hello->landlock, .uid = hello->uid};
    memcpy(worker->sandbox.missing, hello->missing, sizeof worker->sandbox.missing);
    struct engine_sandbox before = core->sandbox;
    core->sandbox = least_of(core, worker);
    if (core->sandbox.missing[0] != '\0' && strcmp(core->sandbox.missing, before.missing) != 0)
        log_missing(&core->sandbox);
    if (before.known && core->sandbox.landlock == before.landlock)
        return;
    catalog_stale(core);
    sandbox_warn(core);
}

void sandbox_warn(const struct core *core)
{
    if (!core->sandbox.known || sandbox_confines(core))
        return;
    for (const struct definition *one = core->definitions; one; one = one->hh.next)
        if (one->manifest->files.given)
            log_event(LOG_WARNING, "function.unconfined", "manifest=%s note=\"its files are not enforced\"",
                      one->manifest->name);
}

bool sandbox_confines(const struct core *core)
{
    return core->sandbox.landlock > 0;
}
