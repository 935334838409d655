/* tally: how requests were answered, by method and status, for /metrics. Plain data; HTTP thread. */
#ifndef POOLD_HTTP_TALLY_H
#define POOLD_HTTP_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { TALLY_METHODS = 8, TALLY_STATUS_END = 600 };

struct tally {
    uint64_t counts[TALLY_METHODS][TALLY_STATUS_END];
};

/* `method` is one of enum method, or 0: none that is known here. */
void tally_add(struct tally *, unsigned method, bool head, unsigned status);
/* The samples of `name`: only what has happened, so at most methods × statuses that this service gives. */
void tally_write(struct buf *, const char *name, const struct tally *);

#endif
