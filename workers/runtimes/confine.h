/* confine: `files` of a manifest, as child.h takes it. Inside of workers/runtimes only. */
#ifndef POOLD_RUNTIMES_CONFINE_H
#define POOLD_RUNTIMES_CONFINE_H

#include "runtimes/runner.h"
#include "sandbox/files.h"

/* Fills *files, which points into manifest and host, and returns it; NULL when the manifest says nothing, or this
 * kernel or --sandbox off does nothing about it. */
const struct sandbox_files *confine(struct sandbox_files *files, const struct manifest *, const struct host *);

#endif
