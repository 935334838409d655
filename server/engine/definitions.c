/* definitions: the manifests in force, and what is known of each. See functions.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/functions.h"
#include "engine/sandbox.h"

#define RETRY_FIRST_NS NS_PER_S
#define RETRY_LAST_NS (60 * NS_PER_S)

struct definition *definition_ref(struct definition *definition)
{
    if (definition)
        definition->references++;
    return definition;
}

void definition_unref(struct definition **slot)
{
    struct definition *definition = *slot;
    *slot = NULL;
    if (!definition || --definition->references > 0)
        return;
    CHECK(!definition->in_force, "definition %u lost its last reference", definition->number);
    manifest_unref(&definition->manifest);
    free(definition);
}

static struct definition *definition_named(const struct core *core, const char *name, size_t length)
{
    struct definition *definition;
    HASH_FIND(hh, core->definitions, name, length, definition);
    return definition;
}

struct definition *definition_numbered(const struct core *core, uint32_t number)
{
    for (struct definition *definition = core->definitions; definition; definition = definition->hh.next) {
        if (definition->number == number)
            return definition;
    }
    return NULL;
}

struct definition *definition_for(const struct core *core, const char *function)
{
    struct definition *definition = definition_named(core, function, strlen(function));
    const char *dot = strrchr(function, '.');
    if (definition || !dot)
        return definition;
    definition = definition_named(core, function, (size_t)(dot - function));
    return definition && definition->manifest->kind != MANIFEST_EXEC ? definition : NULL;
}

/* ---- states ---- */

static void set_state(struct core *core, struct definition *definition, enum definition_state state)
{
    definition->state = state;
    definition->told |= state == DEFINITION_READY || state == DEFINITION_BROKEN;
    catalog_stale(core);
}

static void probe_at(struct core *core, struct definition *definition, int64_t ns)
{
    definition->retry_ns = ns;
    if (ns < core->probe_ns)
        core->probe_ns = ns;
}

/* Doubles from RETRY_FIRST_NS to RETRY_LAST_NS. */
static void back_off(struct core *core, struct definition *definition, const char *reason)
{
    int64_t wait = RETRY_FIRST_NS;
    for (unsigned i = 0; i < definition->failures && wait < RETRY_LAST_NS; i++)
        wait *= 2;
    if (wait > RETRY_LAST_NS)
        wait = RETRY_LAST_NS;
    definition->failures++;
    snprintf(definition->problem, sizeof definition->problem, "%s", reason);
    probe_at(core, definition, core->ports.now_ns(core->ports.context) + wait);
    log_event(LOG_WARNING, "function.broken", "manifest=%s failures=%u retry_ms=%lld reason=\"%s\"",
              definition->manifest->name, definition->failures, (long long)(wait / NS_PER_MS), definition->problem);
}

void definition_probing(struct core *core, struct definition *definition)
{
    CHECK(definition->state == DEFINITION_UNKNOWN || definition->state == DEFINITION_BROKEN, "definition %u: state %d",
          definition->number, (int)definition->state);
    set_state(core, definition, DEFINITION_PROBING);
}

void definition_ready(struct core *core, struct definition *definition)
{
    definition->problem[0] = '\0';
    set_state(core, definition, DEFINITION_READY);
}

void definition_broken(struct core *core, struct definition *definition, const char *reason)
{
    back_off(core, definition, reason);
    set_state(core, definition, DEFINITION_BROKEN);
}

void definition_doubtful(struct core *core, struct definition *definition, const char *reason)
{
    if (definition->state != DEFINITION_READY) /* its probe will tell, or has told */
        return;
    back_off(core, definition, reason);
    set_state(core, definition, DEFINITION_UNKNOWN);
}

void definition_unprobed(struct core *core, struct definition *definition)
{
    set_state(core, definition, DEFINITION_UNKNOWN);
    probe_at(core, definition, 0);
}

void definition_works(struct definition *definition)
{
    if (definition->state == DEFINITION_READY)
        definition->failures = 0;
}

/* ---- the set in force ---- */

static void put_in_force(struct core *core, struct manifest *manifest)
{
    struct definition *definition = calloc(1, sizeof *definition);
    CHECK(definition, "out of memory");
    definition->number = ++core->last_definition;
    definition->manifest = manifest_ref(manifest);
    definition->references = 1;
    definition->in_force = true;
    bool exec = manifest->kind == MANIFEST_EXEC;
    set_state(core, definition, exec ? DEFINITION_READY : DEFINITION_UNKNOWN);
    if (!exec)
        probe_at(core, definition, 0);
    HASH_ADD_KEYPTR(hh, core->definitions, manifest->name, strlen(manifest->name), definition);
}

static void take_out_of_force(struct core *core, struct definition *definition)
{
    HASH_DEL(core->definitions, definition);
    definition->in_force = false;
    definition_unref(&definition);
}

static const struct manifest *find_manifest(const struct manifest_set *set, const char *name)
{
    for (unsigned i = 0; i < set->count; i++) {
        if (strcmp(set->list[i]->name, name) == 0)
            return set->list[i];
    }
    return NULL;
}

static void remove_missing(struct core *core, const struct manifest_set *set)
{
    struct definition *definition, *next;
    HASH_ITER(hh, core->definitions, definition, next)
    {
        if (find_manifest(set, definition->manifest->name))
            continue;
        log_event(LOG_INFO, "function.removed", "manifest=%s", definition->manifest->name);
        take_out_of_force(core, definition);
    }
}

/* A command whose manifest is as it was keeps its number. What is loaded is always loaded anew: the code behind an
 * unchanged manifest may have changed, and nobody can tell what it imports. */
static bool is_as_it_was(const struct definition *old, const struct manifest *manifest)
{
    return manifest->kind == MANIFEST_EXEC && strcmp(manifest_text(old->manifest), manifest_text(manifest)) == 0;
}

static void put_one(struct core *core, struct manifest *manifest)
{
    struct definition *old = definition_named(core, manifest->name, strlen(manifest->name));
    if (old && is_as_it_was(old, manifest))
        return;
    log_event(LOG_INFO, old ? "function.changed" : "function.added", "manifest=%s kind=%s path=\"%s\"", manifest->name,
              manifest_kind_name(manifest->kind), manifest->source);
    if (old)
        take_out_of_force(core, old);
    put_in_force(core, manifest);
}

/* Every function belongs to what is in force now. What a changed manifest offered before stays listed until it has told
 * anew. */
static void relink(struct core *core)
{
    struct function *function, *next;
    HASH_ITER(hh, core->functions, function, next)
    {
        struct definition *definition = definition_for(core, function->name);
        bool changed = definition != function->definition;
        if (changed) {
            definition_unref(&function->definition);
            function->definition = definition_ref(definition);
        }
        function->offered = definition && (function->offered || definition->manifest->kind == MANIFEST_EXEC);
        function->known |= function->offered;
        if (changed && function->builtin && function->offered)
            function_shadows(function);
        function_forget(core, function);
    }
}

/* An exec offers itself. */
static void offer_execs(struct core *core)
{
    for (struct definition *definition = core->definitions; definition; definition = definition->hh.next) {
        if (definition->manifest->kind == MANIFEST_EXEC)
            function_get(core, definition->manifest->name)->known = true;
    }
}

void core_functions(struct core *core, const struct manifest_set *set)
{
    remove_missing(core, set);
    for (unsigned i = 0; i < set->count; i++)
        put_one(core, set->list[i]);
    relink(core);
    offer_execs(core);
    core->functions_problem[0] = '\0';
    catalog_stale(core);
    sandbox_warn(core);
}

void core_functions_refused(struct core *core, const char *problem)
{
    snprintf(core->functions_problem, sizeof core->functions_problem, "%s", problem);
}

bool core_functions_settled(const struct core *core)
{
    for (const struct definition *definition = core->definitions; definition; definition = definition->hh.next) {
        if (!definition->told)
            return false;
    }
    return core->builtins != NULL;
}

void definitions_free(struct core *core)
{
    struct definition *definition, *next;
    HASH_ITER(hh, core->definitions, definition, next)
    {
        take_out_of_force(core, definition);
    }
}
