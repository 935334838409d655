/* environment: what a function's process finds in its environment: PATH, what its manifest declares, and what the
 * runner adds. Nothing else of poold's own gets there. One thread. */
#ifndef POOLD_RUNTIMES_ENVIRONMENT_H
#define POOLD_RUNTIMES_ENVIRONMENT_H

#include "manifest/manifest.h"

struct environment {
    char **list; /* envp: "NAME=value", NULL-terminated */
    unsigned count, capacity;
};

/* PATH of poold and the declared names ("NAME" of which poold has none is left out). */
void environment_begin(struct environment *, const struct manifest *);
/* Adds a name or replaces its value. */
void environment_set(struct environment *, const char *name, const char *value);
/* Does nothing when it is not there. */
void environment_unset(struct environment *, const char *name);
/* NULL when it is not there. */
const char *environment_get(const struct environment *, const char *name);
void environment_free(struct environment *);

#endif
