/* sandbox: what keeps functions in, as GET /v1/pool shows it. Any thread. */
#ifndef POOLD_HTTP_SANDBOX_H
#define POOLD_HTTP_SANDBOX_H

#include "base/buf.h"
#include "base/config.h"
#include "engine/engine.h"

/* Appends the object. */
void sandbox_write(struct buf *, const struct engine_sandbox *, const struct config *);

#endif
