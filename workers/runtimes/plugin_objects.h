/* plugin_objects: shared objects as a plugin's functions see them (poold.h: call, map). Of plugin_call.c only. */
#ifndef POOLD_RUNTIMES_PLUGIN_OBJECTS_H
#define POOLD_RUNTIMES_PLUGIN_OBJECTS_H

#include <stdint.h>

#include "base/buf.h"
#include "functions/function.h"

struct plugin_map;

struct plugin_objects {
    struct buf answer;       /* the last one, with a NUL behind it */
    struct plugin_map *maps; /* last used first; those of earlier items are kept, since a page's first touch is dear */
    uint64_t item;           /* counts them */
};

/* As poold.h has them. */
int plugin_objects_call(struct plugin_objects *, struct call *, const char *request, const char **answer,
                        size_t *length);
void *plugin_objects_map(struct plugin_objects *, struct call *, const char *object, size_t *length, char *typecode);
/* The item has ended. */
void plugin_objects_rest(struct plugin_objects *);
/* Nothing has been asked for for some time: memory that somebody may have deleted is let go. */
void plugin_objects_unmap(struct plugin_objects *);
void plugin_objects_free(struct plugin_objects *);

#endif
