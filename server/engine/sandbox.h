/* sandbox: what is in force around the workers, as they say in their hellos. Engine thread. */
#ifndef POOLD_ENGINE_SANDBOX_H
#define POOLD_ENGINE_SANDBOX_H

#include "engine/core.h"

/* Notes what a worker told, and what the pool's least protected one has; what is missing is logged once. */
void sandbox_told(struct core *, struct worker *, const struct message_hello *);
/* True when `files` of manifests is enforced; false while no worker has told. */
bool sandbox_confines(const struct core *);
/* Warns of each function in force whose `files` is not. Once the workers have told, and after each reload. */
void sandbox_warn(const struct core *);

#endif
