/* plugin: functions in a shared object, loaded into the worker. The other side of workers/sdk/poold.h.
 *
 * A plugin that cannot be loaded fails with the reason and is not tried again at once (loads.h); one that crashes in
 * its initialiser takes this worker with it, and its successor in the slot knows. Limits of the manifest (guard.h) hold
 * around every call. Plugins that are still open when the process exits are finalised then. One thread. */
#ifndef POOLD_RUNTIMES_PLUGIN_H
#define POOLD_RUNTIMES_PLUGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "functions/function.h"
#include "manifest/manifest.h"
#include "wire/scoreboard.h"

struct plugin;

/* Loads and initialises it; takes its own reference of the manifest. `board` is the page of this worker. 0; or -1 with
 * the reason, which is that of the last failure while nobody tries (100 ms after the first, up to 30 s). */
int plugin_open(struct manifest *, uint32_t definition, struct scoreboard_slot *board, struct plugin **,
                struct error *);
/* NULL when it has none of that name. Good until plugin_close. Whoever calls it has set call.function. */
const struct function *plugin_function(const struct plugin *, const char *name);
/* JSON array of {"name","summary"?,"example"?}. */
void plugin_describe(const struct plugin *, struct buf *list);
/* Nothing has been asked of it for some time. */
void plugin_idle(struct plugin *);
/* Finalises and unloads. */
void plugin_close(struct plugin **);

#endif
