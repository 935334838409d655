/* functions: the table of names, and the gate where jobs wait for what they call. See functions.h.
 *
 * A job that could run but for its function is kept at the function's gate, a run queue of its own: so what is not
 * defined now, or is at its `concurrency`, costs the dispatcher nothing however many jobs wait for it. Once a turn the
 * gates let as many through as there is room for; whoever comes too late to its turn goes back. */
#include "engine/functions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "wire/scan.h"

/* ---- the table ---- */

struct function *function_find(const struct core *core, const char *name)
{
    struct function *function;
    HASH_FIND_STR(core->functions, name, function);
    return function;
}

struct function *function_get(struct core *core, const char *name)
{
    struct function *function = function_find(core, name);
    if (function)
        return function;
    function = calloc(1, sizeof *function);
    CHECK(function && strlen(name) < sizeof function->name, "function %s", name);
    memcpy(function->name, name, strlen(name) + 1);
    function->grow = 1;
    function->definition = definition_ref(definition_for(core, name));
    function->offered = function->definition && function->definition->manifest->kind == MANIFEST_EXEC;
    queue_init(&function->gate);
    HASH_ADD_STR(core->functions, name, function);
    return function;
}

static void function_free(struct core *core, struct function *function)
{
    if (function->gated)
        TAILQ_REMOVE(&core->gated, function, gated_link);
    HASH_DEL(core->functions, function);
    definition_unref(&function->definition);
    free(function->summary);
    free(function->example);
    free(function);
}

void function_forget(struct core *core, struct function *function)
{
    if (!function->builtin && !function->offered && function->jobs == 0)
        function_free(core, function);
}

void function_hold(struct core *core, struct job *job, bool trusting)
{
    job->function = function_get(core, job->view.function);
    job->function->jobs++;
    job->trusting = trusting && !function_callable(job->function);
    job->function->trusted += job->trusting;
}

void function_release(struct core *core, struct job *job)
{
    struct function *function = job->function;
    if (!function)
        return;
    function->jobs--;
    function->trusted -= job->trusting;
    job->function = NULL;
    function_forget(core, function);
}

void functions_count(const struct core *core, struct engine_pool *pool)
{
    pool->function_counters = calloc(HASH_COUNT(core->functions) + 1, sizeof *pool->function_counters);
    CHECK(pool->function_counters, "out of memory");
    for (const struct function *function = core->functions; function; function = function->hh.next) {
        if (!function->builtin && !function->offered && !function->known)
            continue;
        struct engine_function *out = &pool->function_counters[pool->function_count++];
        memcpy(out->name, function->name, sizeof out->name);
        out->items = function->items;
    }
}

void functions_free(struct core *core)
{
    struct function *function, *next;
    HASH_ITER(hh, core->functions, function, next)
    {
        function_free(core, function);
    }
    blob_unref(&core->builtins);
    blob_unref(&core->catalog);
}

void function_shadows(const struct function *function)
{
    log_event(LOG_WARNING, "function.shadowed", "function=%s note=\"%s takes the place of the built-in function\"",
              function->name, function->definition->manifest->source);
}

/* ---- built in: what the workers said they can run ---- */

static void learn_name(struct core *core, const struct scan_walk *member)
{
    char name[FUNCTION_NAME_MAX + 1];
    size_t length = (size_t)(member->value_end - member->value) - 2;
    if (member->kind != SCAN_STRING || length >= sizeof name)
        return;
    memcpy(name, member->value + 1, length);
    name[length] = '\0';
    struct function *function = function_get(core, name);
    function->builtin = true;
    if (function->offered)
        function_shadows(function);
}

void builtins_learn(struct core *core, const char *json, size_t length)
{
    if (core->builtins)
        return;
    struct scan_walk list, object;
    core->builtins = blob_new(json, length);
    char *data = core->builtins->data;
    for (scan_enter(&list, data, data + length, false); scan_next(&list);) {
        for (scan_enter(&object, list.value, list.value_end, false); scan_next(&object);) {
            if (object.key_end - object.key == 4 && memcmp(object.key, "name", 4) == 0)
                learn_name(core, &object);
        }
    }
    catalog_stale(core);
}

/* ---- whether it may run ---- */

/* The operator's function wins over the built-in one of that name. */
struct definition *function_definition(const struct function *function)
{
    return function->builtin && !function->offered ? NULL : function->definition;
}

const char *function_within(const struct function *function, const struct definition *definition)
{
    size_t prefix = definition ? strlen(definition->manifest->name) : 0;
    return prefix && function->name[prefix] == '.' ? function->name + prefix + 1 : function->name;
}

bool function_callable(const struct function *function)
{
    return function->builtin || (function->definition && function->offered);
}

enum function_gate function_gate(const struct function *function, const struct job *job)
{
    const struct definition *definition = function_definition(function);
    if (!definition)
        return function->builtin ? GATE_OPEN : GATE_WAIT;
    if (definition->state == DEFINITION_BROKEN)
        return GATE_FAIL;
    if (definition->state != DEFINITION_READY)
        return GATE_WAIT;
    if (!function->offered)
        return job->trusting && !function->known ? GATE_FAIL : GATE_WAIT;
    uint32_t most = definition->manifest->concurrency;
    return most && function->running >= most ? GATE_FULL : GATE_OPEN;
}

void function_excuse(const struct function *function, char *text, size_t size)
{
    const struct definition *definition = function_definition(function);
    text[0] = '\0';
    if (definition && definition->state == DEFINITION_BROKEN)
        snprintf(text, size, "%s could not be started: %s", definition->manifest->name, definition->problem);
    else if (definition && definition->state != DEFINITION_READY)
        snprintf(text, size, "%s is being loaded", definition->manifest->name);
    else if (definition && !function->known)
        snprintf(text, size, "%s has no function %s", definition->manifest->name,
                 function_within(function, definition));
    else if (!function_callable(function))
        snprintf(text, size, "function %s is not defined now", function->name);
}

/* ---- the gate ---- */

void gate_put(struct core *core, struct job *job)
{
    struct function *function = job->function;
    queue_put(&function->gate, job);
    if (!function->gated)
        TAILQ_INSERT_TAIL(&core->gated, function, gated_link);
    function->gated = true;
}

/* Ready items end as errors, until `budget` is used up; returns how many. */
static uint32_t fail_ready(struct core *core, struct job *job, const char *reason, uint32_t budget)
{
    uint32_t index, count = 0;
    job_begins(core, job);
    while (count < budget && job_wants(job) && ranges_take(&job->ready, 1, &index)) {
        struct attempt_end end = {.failure = FAILURE_ERROR,
                                  .exit_code = -1,
                                  .message = reason,
                                  .started_ms = core->ports.wall_ms(core->ports.context),
                                  .attempt = attempt_number(job, index)};
        attempt_failed(core, job, index, &end);
        count++;
    }
    const struct range *front = ranges_front(&job->ready);
    chunks_passed(core, job, front ? front->first : (uint32_t)job->view.counts.total);
    return count;
}

/* A slice's worth a turn: a map of ten million must not hold up everybody else. */
static void fail_some(struct core *core, struct function *function)
{
    char reason[sizeof((struct store_attempt *)0)->message];
    uint32_t budget = CHUNK_ITEMS_MAX;
    struct job *job;
    for (unsigned n = 0; n < CHUNK_ITEMS_MAX / 16 && budget && (job = queue_next(&function->gate)); n++) {
        queue_charge(&function->gate, job);
        if (function_gate(function, job) == GATE_FAIL) {
            function_excuse(function, reason, sizeof reason);
            budget -= fail_ready(core, job, reason, budget);
        }
        job_settle(core, job);
    }
}

static void open_gate(struct core *core, struct function *function)
{
    const struct definition *definition = function_definition(function);
    uint32_t most = definition ? definition->manifest->concurrency : 0;
    uint32_t taken = function->running + function->admitted;
    uint32_t room = most == 0 ? UINT32_MAX : most > taken ? most - taken : 0;
    struct job *job;
    while (room-- > 0 && (job = queue_next(&function->gate))) {
        queue_charge(&function->gate, job);
        job_admit(core, job);
    }
}

/* Some of its jobs wait and others fail: it is known by now that there is no such function. */
static bool may_fail(const struct function *function)
{
    const struct definition *definition = function_definition(function);
    return definition && definition->state == DEFINITION_READY && !function->known;
}

void gates_turn(struct core *core)
{
    struct function *function, *next;
    for (function = TAILQ_FIRST(&core->gated); function; function = next) {
        next = TAILQ_NEXT(function, gated_link);
        const struct job *first = queue_next(&function->gate);
        enum function_gate gate = first ? function_gate(function, first) : GATE_WAIT;
        if (gate == GATE_OPEN)
            open_gate(core, function);
        else if (gate == GATE_FAIL || (gate == GATE_WAIT && function->trusted && may_fail(function)))
            fail_some(core, function);
        if (queue_empty(&function->gate)) {
            TAILQ_REMOVE(&core->gated, function, gated_link);
            function->gated = false;
        }
    }
}
