/* rules: the options that "defaults" and "ceilings" may name – one table for reading, writing, comparing and applying
 * them. Names, units and ranges are those of the HTTP API (server/http/options.c). Any thread; no state. */
#ifndef POOLD_MANIFEST_RULES_H
#define POOLD_MANIFEST_RULES_H

#include "base/buf.h"
#include "manifest/manifest.h"
#include "manifest/reader.h"

/* Whether there is an option of this name. */
bool rules_know(const struct member *);
/* An object of options. */
int rules_read(const struct reader *, const struct member *, struct manifest_rules *);
/* -1 when a default is beyond its own ceiling; `defaults` is where those stand. */
int rules_check(const struct reader *, const struct member *defaults, const struct manifest_rules *standard,
                const struct manifest_rules *ceilings);
/* `{"timeout":60,…}` in the order of the table. */
void rules_write(const struct manifest_rules *, struct buf *);
/* Times as people write them: 1500 is 1.5. */
void write_seconds(struct buf *, int64_t ms);

#endif
