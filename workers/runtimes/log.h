/* log: what an item prints, passed on to the host as it comes, up to LOG_MAX bytes for each stream of each item.
 *
 * Only whole UTF-8 characters are passed on: the beginning of one is held back until the rest has come. What is over
 * the limit is dropped, with a mark where it was cut. One thread. (Not the log of poold itself: base/log.h.) */
#ifndef POOLD_RUNTIMES_LOG_H
#define POOLD_RUNTIMES_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtimes/runner.h"

enum { LOG_MAX = 64 * 1024 }; /* with the mark */
#define LOG_MARK "…[cut]\n"

struct log_cap {
    const struct host *host;
    uint32_t place;
    unsigned stream; /* 1 out, 2 err */
    size_t passed;
    bool cut;
    unsigned held_count;
    char held[4];
};

void log_cap_begin(struct log_cap *, const struct host *, uint32_t place, unsigned stream);
void log_cap_pass(struct log_cap *, const char *bytes, size_t length);
/* Passes on what was held back: no more will come. */
void log_cap_end(struct log_cap *);

/* Bytes of [text, text + length) that do not end within a UTF-8 sequence: length, or up to 3 less. */
size_t log_whole_characters(const char *text, size_t length);

#endif
