/* names: what a function, an environment variable and an identifier may be called. Any thread; no state. */
#ifndef POOLD_MANIFEST_NAMES_H
#define POOLD_MANIFEST_NAMES_H

#include <stdbool.h>

#include "manifest/manifest.h"

/* [A-Za-z_][A-Za-z0-9_-]*, at most MANIFEST_NAME_MAX; with dots too for an exec, which is a function itself. */
bool name_good(const char *name, enum manifest_kind);
/* "NAME" or "NAME=value". */
bool variable_good(const char *text);
bool variables_same(const char *, const char *);
/* A name of one would stand for functions of the other. */
bool names_collide(const struct manifest *, const struct manifest *);

#endif
