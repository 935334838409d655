/* fault: writes the error object of an item: {"type","message","signal","exit_code","attempts", more…}. Pure. */
#ifndef POOLD_RUNTIMES_FAULT_H
#define POOLD_RUNTIMES_FAULT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/job.h"

struct fault {
    enum failure type;
    const char *message; /* plain text */
    int signal;          /* that killed the process; 0 = none */
    int exit_code;       /* -1 = null */
    uint32_t attempts;
};

/* All but the closing bracket; then what else there is to say; then the bracket. */
void fault_begin(struct buf *, const struct fault *);
void fault_text(struct buf *, const char *key, const char *text, size_t length); /* as a JSON string */
void fault_number(struct buf *, const char *key, int64_t);
void fault_end(struct buf *);

#endif
