/* plugin: see plugin.h. */
#include "runtimes/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/check.h"
#include "runtimes/environment.h"
#include "runtimes/guard.h"
#include "runtimes/loads.h"
#include "runtimes/plugin_call.h"
#include "wire/limits.h"
#include "wire/scan.h"

/* What a plugin of the first release has at least. */
#define PLUGIN_SIZE (offsetof(struct poold_plugin, finalise) + sizeof(void (*)(void)))
#define FUNCTION_SIZE (offsetof(struct poold_function, flags) + sizeof(uint32_t))
#define FUNCTIONS_MAX 1024

struct plugin_function {
    struct function as_function; /* first: as_function.context is the plugin */
    poold_function_call *call;
};

struct plugin {
    LIST_ENTRY(plugin) next;
    struct manifest *manifest;
    struct scoreboard_slot *board;
    void *library;
    struct poold_plugin says; /* what it does not have is 0 */
    bool initialised;
    int64_t held; /* guard.h */
    struct environment environment;
    struct poold_call call;
    struct plugin_function *functions; /* says.count */
};

static LIST_HEAD(, plugin) open_plugins;

/* ---- in and out of its code ---- */

static struct {
    struct plugin *plugin; /* whose code runs; NULL = none */
    struct plugin *at;     /* whose directory we are in: nobody else in the worker minds where that is */
    char **environment;    /* the worker's own */
} inside;

static int enter(struct plugin *plugin, struct error *error)
{
    const char *directory = plugin->manifest->directory;
    if (inside.at != plugin && directory && chdir(directory) == -1)
        return error_set(error, "%s: %s", directory, strerror(errno));
    inside.at = plugin;
    inside.plugin = plugin;
    inside.environment = environ;
    environ = plugin->environment.list;
    return 0;
}

static void leave(void)
{
    environ = inside.environment;
    inside.plugin = NULL;
}

static void finalise(struct plugin *plugin)
{
    if (!plugin->initialised || plugin->says.finalise == NULL || enter(plugin, NULL) == -1)
        return;
    plugin->says.finalise();
    leave();
}

/* ---- calling ---- */

static int call_plugin(struct call *call)
{
    const struct plugin_function *function = (const struct plugin_function *)(const void *)call->function;
    struct plugin *plugin = call->function->context;
    struct error error;
    if (enter(plugin, &error) == -1)
        return call_error(call, "%s", error.text);
    guard_begin(plugin->board, &plugin->manifest->limits, &plugin->held);
    int result = plugin_call_run(&plugin->call, call, function->call);
    guard_end();
    leave();
    return result;
}

/* ---- believing what it says ---- */

static bool is_name(const char *name)
{
    const char *const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    return name && *name && strchr(letters, *name) &&
           strspn(name + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.-") == strlen(name + 1) &&
           strlen(name) <= FUNCTION_NAME_MAX;
}

static bool is_json(const char *text)
{
    return text && scan_is_value(text, text + strlen(text), NULL);
}

static int take_function(struct plugin *plugin, uint32_t place, const struct poold_function *theirs,
                         struct error *error)
{
    if (!is_name(theirs->name))
        return error_set(error, "%s: its function %u has no proper name", plugin->manifest->plugin, place);
    if (plugin_function(plugin, theirs->name))
        return error_set(error, "%s: has two functions called %s", plugin->manifest->plugin, theirs->name);
    if (theirs->call == NULL)
        return error_set(error, "%s: its function %s has nothing to call", plugin->manifest->plugin, theirs->name);
    plugin->functions[place] = (struct plugin_function){
        .as_function = {.name = theirs->name,
                        .summary = theirs->summary,
                        .example = is_json(theirs->example) ? theirs->example : NULL,
                        .takes_star = theirs->flags & POOLD_STAR,
                        .prints = true,
                        .unchecked = true,
                        .call = call_plugin,
                        .context = plugin},
        .call = theirs->call,
    };
    return 0;
}

static int take_functions(struct plugin *plugin, struct error *error)
{
    const char *path = plugin->manifest->plugin;
    uint32_t count = plugin->says.count;
    if (count == 0 || plugin->says.functions == NULL)
        return error_set(error, "%s: offers no function", path);
    size_t stride = plugin->says.functions->size;
    if (count > FUNCTIONS_MAX || stride < FUNCTION_SIZE || stride % _Alignof(struct poold_function) != 0)
        return error_set(error, "%s: its list of functions is broken (%u, each of %zu bytes)", path, count, stride);
    plugin->functions = calloc(count, sizeof *plugin->functions);
    CHECK(plugin->functions, "out of memory");
    for (uint32_t i = 0; i < count; i++) {
        struct poold_function theirs = {0};
        memcpy(&theirs, (const char *)plugin->says.functions + i * stride,
               stride < sizeof theirs ? stride : sizeof theirs);
        if (take_function(plugin, i, &theirs, error) == -1)
            return -1;
    }
    return 0;
}

/* Version first: of another one we cannot know what the sizes mean. */
static int take_plugin(struct plugin *plugin, const struct poold_plugin *theirs, struct error *error)
{
    const char *path = plugin->manifest->plugin;
    if (theirs == NULL)
        return error_set(error, "%s: poold_plugin() returned nothing", path);
    if (theirs->version != POOLD_VERSION)
        return error_set(error, "%s: is made for version %u of poold.h, this poold has %u", path, theirs->version,
                         POOLD_VERSION);
    if (theirs->size < PLUGIN_SIZE)
        return error_set(error, "%s: its struct poold_plugin has %zu bytes, at least %zu are needed", path,
                         theirs->size, PLUGIN_SIZE);
    memcpy(&plugin->says, theirs, theirs->size < sizeof plugin->says ? theirs->size : sizeof plugin->says);
    return take_functions(plugin, error);
}

/* ---- loading ---- */

static int run_initialise(const struct poold_host *host, struct poold_call *it, const char *item, size_t length)
{
    const struct plugin *plugin = it->call->context;
    int result = plugin->says.initialise(host, it, item, length);
    if (result == 0)
        host->value(it, "", 0);
    return result;
}

static int initialise(struct plugin *plugin, struct error *error)
{
    const char *initargs = plugin->manifest->initargs ? plugin->manifest->initargs : "[]";
    char no_value;
    struct call call = {.item = initargs,
                        .length = strlen(initargs),
                        .name = "its initialiser",
                        .attempt = 1,
                        .value = &no_value,
                        .context = plugin};
    if (plugin->says.initialise && plugin_call_run(&plugin->call, &call, run_initialise) == -1)
        return error_set(error, "%s: %s", plugin->manifest->plugin, call.error);
    plugin->initialised = true;
    return 0;
}

static int load(struct plugin *plugin, struct error *error)
{
    const char *path = plugin->manifest->plugin;
    const struct poold_plugin *(*entry)(void);
    if (enter(plugin, error) == -1)
        return -1;
    plugin->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (plugin->library == NULL)
        return error_set(error, "%s", dlerror()); /* begins with the path */
    *(void **)&entry = dlsym(plugin->library, "poold_plugin");
    if (entry == NULL)
        return error_set(error, "%s: is no plugin of poold: it exports no poold_plugin()", path);
    return take_plugin(plugin, entry(), error) == -1 ? -1 : initialise(plugin, error);
}

static int load_guarded(struct plugin *plugin, uint32_t definition, struct error *error)
{
    loads_begin(plugin->board, definition);
    guard_begin_load(plugin->board, &plugin->manifest->limits, &plugin->held, plugin->manifest->start_timeout_ms);
    int result = load(plugin, error);
    if (inside.plugin)
        leave();
    guard_end();
    loads_end(plugin->board, result == 0 ? NULL : error->text);
    return result;
}

/* At exit. When that is because the server went away while a function runs, its plugin is in no state to be left. */
static void finalise_all(void)
{
    struct plugin *plugin;
    LIST_FOREACH(plugin, &open_plugins, next)
    {
        if (inside.plugin == NULL)
            finalise(plugin);
    }
}

int plugin_open(struct manifest *manifest, uint32_t definition, struct scoreboard_slot *board, struct plugin **result,
                struct error *error)
{
    static bool at_exit;
    *result = NULL;
    if (loads_refused(board, definition, error))
        return -1;
    struct plugin *plugin = calloc(1, sizeof *plugin);
    CHECK(plugin, "out of memory");
    plugin->manifest = manifest_ref(manifest);
    plugin->board = board;
    environment_begin(&plugin->environment, manifest);
    LIST_INSERT_HEAD(&open_plugins, plugin, next);
    if (!at_exit)
        at_exit = atexit(finalise_all) == 0;
    if (load_guarded(plugin, definition, error) == -1) {
        plugin_close(&plugin);
        return -1;
    }
    *result = plugin;
    return 0;
}

void plugin_idle(struct plugin *plugin)
{
    plugin_objects_unmap(&plugin->call.objects);
}

void plugin_close(struct plugin **handle)
{
    struct plugin *plugin = *handle;
    if (plugin == NULL)
        return;
    *handle = NULL;
    LIST_REMOVE(plugin, next);
    finalise(plugin);
    if (inside.at == plugin)
        inside.at = NULL;
    plugin_call_free(&plugin->call);
    free(plugin->functions);
    if (plugin->library)
        dlclose(plugin->library);
    environment_free(&plugin->environment);
    manifest_unref(&plugin->manifest);
    free(plugin);
}

/* ---- what it offers ---- */

const struct function *plugin_function(const struct plugin *plugin, const char *name)
{
    for (uint32_t i = 0; i < plugin->says.count; i++) {
        const struct function *function = &plugin->functions[i].as_function;
        if (function->name && strcmp(function->name, name) == 0)
            return function;
    }
    return NULL;
}

void plugin_describe(const struct plugin *plugin, struct buf *list)
{
    buf_append_char(list, '[');
    for (uint32_t i = 0; i < plugin->says.count; i++) {
        const struct function *function = &plugin->functions[i].as_function;
        buf_append_text(list, i > 0 ? ",{\"name\":" : "{\"name\":");
        buf_append_json_string(list, function->name, strlen(function->name));
        if (function->summary) {
            buf_append_text(list, ",\"summary\":");
            buf_append_json_string(list, function->summary, strlen(function->summary));
        }
        if (function->example)
            buf_printf(list, ",\"example\":%s", function->example);
        buf_append_char(list, '}');
    }
    buf_append_char(list, ']');
}
