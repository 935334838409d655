/* exposition: Prometheus' text format, version 0.0.4. A family's head comes before its samples. */
#ifndef POOLD_HTTP_EXPOSITION_H
#define POOLD_HTTP_EXPOSITION_H

#include <stdint.h>

#include "base/buf.h"
#include "base/histogram.h"

void exposition_family(struct buf *, const char *name, const char *type, const char *help);
/* A family of one sample without labels. */
void exposition_one(struct buf *, const char *name, const char *type, const char *help, double value);
void exposition_sample(struct buf *, const char *name, const char *label, const char *value, uint64_t number);
/* A counter of seconds that is kept in ns. */
void exposition_seconds(struct buf *, const char *name, const char *label, const char *value, uint64_t ns);
void exposition_sample_of_two(struct buf *, const char *name, const char *label, const char *value, const char *second,
                              const char *second_value, uint64_t number);
/* The samples of a histogram, in seconds; label NULL: none. */
void exposition_histogram(struct buf *, const char *name, const char *label, const char *value,
                          const struct histogram *);

#endif
