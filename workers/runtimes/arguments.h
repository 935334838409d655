/* arguments: the argv of one item, and what it finds on stdin. See "exec" in workers/README.md. One thread. */
#ifndef POOLD_RUNTIMES_ARGUMENTS_H
#define POOLD_RUNTIMES_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "manifest/manifest.h"

struct arguments {
    unsigned places; /* how often {} stands in the command, behind its name */
    char **argv;     /* of the item, NULL-terminated */
    size_t *starts;  /* where in `text` an argument begins that had to be put together */
    struct buf text;
    struct buf input; /* stdin, when places is 0 */
};

void arguments_begin(struct arguments *, const struct manifest *);
/* Makes argv and input of one item, valid until the next. 0, or -1 when the command cannot get it. */
int arguments_make(struct arguments *, const struct manifest *, const char *item, size_t length, bool star,
                   struct error *);
void arguments_free(struct arguments *);

#endif
