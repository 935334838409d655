/* definitions: see definitions.h. */
#include "worker/definitions.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "worker/board.h"
#include "worker/stop.h"

static void close_one(struct definition *definition)
{
    runner_close(&definition->runner);
    plugin_close(&definition->plugin);
    definition->tasks = 0;
}

static void drop(struct worker *worker, struct definition *definition)
{
    TAILQ_REMOVE(&worker->definitions, definition, next);
    close_one(definition);
    manifest_unref(&definition->manifest);
    free(definition);
}

/* The one before it of that name is closed, but kept, since a slice may still name it; older ones go. */
static void retire_namesakes(struct worker *worker, const char *name)
{
    struct definition *definition = TAILQ_FIRST(&worker->definitions), *next;
    for (; definition; definition = next) {
        next = TAILQ_NEXT(definition, next);
        if (definition->manifest == NULL || strcmp(definition->manifest->name, name) != 0)
            continue;
        if (definition->retired) {
            drop(worker, definition);
        } else {
            close_one(definition);
            definition->retired = true;
        }
    }
}

void definitions_add(struct worker *worker, uint32_t number, const char *text, size_t length)
{
    struct definition *definition = calloc(1, sizeof *definition);
    CHECK(definition, "out of memory");
    definition->number = number;
    definition->manifest = manifest_parse(text, length, "a definition", "/", &definition->broken);
    if (definition->manifest)
        retire_namesakes(worker, definition->manifest->name);
    else
        log_event(LOG_ERROR, "worker.definition", "number=%u reason=\"%s\"", number, definition->broken.text);
    TAILQ_INSERT_TAIL(&worker->definitions, definition, next);
}

struct definition *definitions_find(struct worker *worker, uint32_t number)
{
    struct definition *definition;
    TAILQ_FOREACH(definition, &worker->definitions, next)
    {
        if (definition->number == number)
            return definition;
    }
    return NULL;
}

struct runner *definition_runner(struct worker *worker, struct definition *definition)
{
    if (definition->runner == NULL)
        definition->runner = runner_open(definition->manifest, &worker->host);
    return definition->runner;
}

struct plugin *definition_plugin(struct worker *worker, struct definition *definition, struct error *error)
{
    if (definition->plugin == NULL)
        plugin_open(definition->manifest, definition->number, worker->board, &definition->plugin, error);
    return definition->plugin;
}

/* ---- offers ---- */

static void offer(struct worker *worker, uint32_t number, bool ok, const char *tail, size_t length)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_offer message = {.definition = number, .ok = ok};
    worker_send(worker, MESSAGE_offer, body, message_offer_encode(&message, body), tail, length);
}

static int describe(struct worker *worker, struct definition *definition, struct buf *list, struct error *error)
{
    if (definition->manifest == NULL) {
        *error = definition->broken;
        return -1;
    }
    if (definition->manifest->kind != MANIFEST_PLUGIN)
        return runner_describe(definition_runner(worker, definition), list, error);
    if (definition_plugin(worker, definition, error) == NULL)
        return -1;
    plugin_describe(definition->plugin, list);
    return 0;
}

void definition_probe(struct worker *worker, struct definition *definition)
{
    struct buf list = BUF_EMPTY;
    struct error error;
    board_probe(worker);
    worker->host.context = NULL; /* no slice: whatever happens is in the answer */
    stop_gently(definition->manifest && definition->manifest->kind != MANIFEST_PLUGIN);
    if (describe(worker, definition, &list, &error) == 0)
        offer(worker, definition->number, true, list.data, list.length);
    else
        offer(worker, definition->number, false, error.text, strlen(error.text));
    buf_free(&list);
    definitions_rest(worker, definition);
}

void definition_start_failed(struct worker *worker, const struct definition *definition, const char *reason)
{
    offer(worker, definition->number, false, reason, strlen(reason));
}

/* ---- what is warm ---- */

static bool is_warm(const struct definition *definition)
{
    return definition->runner && runner_warm(definition->runner);
}

void definitions_rest(struct worker *worker, struct definition *used)
{
    struct definition *definition;
    unsigned warm = 0;
    TAILQ_REMOVE(&worker->definitions, used, next);
    TAILQ_INSERT_HEAD(&worker->definitions, used, next);
    TAILQ_FOREACH(definition, &worker->definitions, next)
    {
        if (!is_warm(definition))
            continue;
        if (warm < worker->idle_runtimes && !definition->retired)
            warm++;
        else
            runner_close(&definition->runner);
    }
    stop_gently(warm > 0);
}

void definitions_idle(struct worker *worker)
{
    struct definition *definition;
    TAILQ_FOREACH(definition, &worker->definitions, next)
    {
        if (definition->plugin)
            plugin_idle(definition->plugin);
    }
}

void definitions_close(struct worker *worker)
{
    struct definition *definition;
    TAILQ_FOREACH(definition, &worker->definitions, next)
    {
        runner_close(&definition->runner);
    }
}
