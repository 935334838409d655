/* plugin_call: what a plugin's functions see of poold (struct poold_host), made from struct call. Of plugin.c only. */
#ifndef POOLD_RUNTIMES_PLUGIN_CALL_H
#define POOLD_RUNTIMES_PLUGIN_CALL_H

#include <jansson.h>

#include "base/buf.h"
#include "functions/function.h"
#include "runtimes/plugin_objects.h"
#include "sdk/poold.h"

struct poold_call {
    struct call *call; /* while initialise runs: one without item and with room for no value */
    struct buf item;   /* with a NUL behind it */
    json_t *texts;     /* array of what host->text has given, or NULL */
    struct plugin_objects objects;
    bool answered;
};

extern const struct poold_host plugin_host;

/* Runs it: what the function should return (0 or -1), whatever the plugin's did. */
int plugin_call_run(struct poold_call *, struct call *, poold_function_call *);
void plugin_call_free(struct poold_call *);

#endif
