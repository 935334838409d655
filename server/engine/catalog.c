/* catalog: all that can be called, as GET /v1/functions shows it. Built when somebody asks, after a change. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "engine/functions.h"
#include "engine/sandbox.h"
#include "manifest/rules.h"
#include "wire/scan.h"

void catalog_stale(struct core *core)
{
    blob_unref(&core->catalog);
}

static void put_text(struct buf *list, const char *key, const char *text)
{
    buf_printf(list, ",\"%s\":", key);
    if (text)
        buf_append_json_string(list, text, strlen(text));
    else
        buf_append_text(list, "null");
}

static void put_json(struct buf *list, const char *key, const char *json)
{
    buf_printf(list, ",\"%s\":%s", key, json ? json : "null");
}

/* ---- built in ---- */

static bool is_shadowed(const struct core *core, char *at, char *end)
{
    struct scan_walk member;
    char name[FUNCTION_NAME_MAX + 1];
    for (scan_enter(&member, at, end, false); scan_next(&member);) {
        size_t length = (size_t)(member.value_end - member.value);
        if (member.key_end - member.key != 4 || memcmp(member.key, "name", 4) != 0 || length - 2 >= sizeof name)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(length - 2), member.value + 1);
        const struct function *function = function_find(core, name);
        return function && function_definition(function);
    }
    return false;
}

static void begin_element(struct buf *list)
{
    if (list->length > 1)
        buf_append_char(list, ',');
}

/* As the worker describes them, with what all functions have. */
static void put_builtins(const struct core *core, struct buf *list)
{
    struct scan_walk element;
    char *at = core->builtins->data;
    for (scan_enter(&element, at, at + core->builtins->length, false); scan_next(&element);) {
        if (element.kind != SCAN_OBJECT || is_shadowed(core, element.value, element.value_end))
            continue;
        begin_element(list);
        buf_append(list, element.value, (size_t)(element.value_end - element.value) - 1);
        buf_append_text(list, ",\"state\":\"ready\",\"problem\":null,\"defaults\":{},\"ceilings\":{},\"limits\":{},"
                              "\"concurrency\":null}");
    }
}

/* ---- brought ---- */

static void put_limits(struct buf *list, const struct manifest_limits *limits)
{
    const struct {
        const char *name;
        int64_t value;
    } all[] = {
        {"memory", limits->memory}, {"cpu", limits->cpu_s}, {"files", limits->files}, {"output", limits->output}};
    const char *comma = "";
    buf_append_text(list, ",\"limits\":{");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].value == 0)
            continue;
        buf_printf(list, "%s\"%s\":%lld", comma, all[i].name, (long long)all[i].value);
        comma = ",";
    }
    buf_append_char(list, '}');
}

static void put_rules(struct buf *list, const struct manifest *manifest)
{
    buf_append_text(list, ",\"defaults\":");
    rules_write(&manifest->defaults, list);
    buf_append_text(list, ",\"ceilings\":");
    rules_write(&manifest->ceilings, list);
    put_limits(list, &manifest->limits);
    if (manifest->concurrency)
        buf_printf(list, ",\"concurrency\":%u", manifest->concurrency);
    else
        buf_append_text(list, ",\"concurrency\":null");
    if (manifest->language != LANGUAGE_NONE)
        put_text(list, "language", manifest->language == LANGUAGE_PYTHON ? "python" : "node");
}

static void put_paths(struct buf *list, char *const *paths)
{
    buf_append_char(list, '[');
    for (char *const *path = paths; *path; path++) {
        if (path != paths)
            buf_append_char(list, ',');
        buf_append_json_string(list, *path, strlen(*path));
    }
    buf_append_char(list, ']');
}

static void put_files(const struct core *core, struct buf *list, const struct manifest_files *files)
{
    if (!files->given)
        return;
    buf_append_text(list, ",\"files\":{\"read\":");
    put_paths(list, files->read);
    buf_append_text(list, ",\"write\":");
    put_paths(list, files->write);
    buf_printf(list, ",\"enforced\":%s}", sandbox_confines(core) ? "true" : "false");
}

static const char *state_name(const struct definition *definition)
{
    if (definition->state == DEFINITION_READY)
        return "ready";
    return definition->problem[0] ? "broken" : "loading";
}

/* `function` NULL: nothing is known but the manifest. */
static void put_one(const struct core *core, struct buf *list, const struct definition *definition,
                    const struct function *function)
{
    const struct manifest *manifest = definition->manifest;
    begin_element(list);
    buf_append_text(list, "{\"name\":");
    const char *name = function ? function->name : manifest->name;
    buf_append_json_string(list, name, strlen(name));
    put_text(list, "kind", manifest_kind_name(manifest->kind));
    if (function && function->summary)
        put_json(list, "summary", function->summary);
    else
        put_text(list, "summary", manifest->summary);
    put_json(list, "example", function && function->example ? function->example : manifest->example);
    buf_append_text(list, ",\"test\":false");
    put_text(list, "state", state_name(definition));
    put_text(list, "problem", definition->problem[0] ? definition->problem : NULL);
    put_rules(list, manifest);
    put_files(core, list, &manifest->files);
    buf_append_char(list, '}');
}

static int by_name(const void *a, const void *b)
{
    const struct function *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static void put_functions(const struct core *core, struct buf *list)
{
    size_t count = 0;
    struct function **all = calloc(HASH_COUNT(core->functions) + 1, sizeof(struct function *));
    CHECK(all, "out of memory");
    for (struct function *function = core->functions; function; function = function->hh.next) {
        if (function->definition && function->offered)
            all[count++] = function;
    }
    qsort(all, count, sizeof *all, by_name);
    for (size_t i = 0; i < count; i++)
        put_one(core, list, all[i]->definition, all[i]);
    free(all);
}

static bool offers_any(const struct core *core, const struct definition *definition)
{
    for (const struct function *function = core->functions; function; function = function->hh.next) {
        if (function->definition == definition && function->offered)
            return true;
    }
    return false;
}

static void put_silent(const struct core *core, struct buf *list)
{
    for (const struct definition *definition = core->definitions; definition; definition = definition->hh.next) {
        if (!offers_any(core, definition))
            put_one(core, list, definition, NULL);
    }
}

struct blob *catalog(struct core *core)
{
    if (core->catalog || !core->builtins)
        return core->catalog;
    struct buf list = BUF_EMPTY;
    buf_append_char(&list, '[');
    put_builtins(core, &list);
    put_functions(core, &list);
    put_silent(core, &list);
    buf_append_char(&list, ']');
    core->catalog = blob_new(list.data, list.length);
    buf_free(&list);
    return core->catalog;
}
