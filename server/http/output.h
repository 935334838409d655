/* output: what items printed. HTTP thread. */
#ifndef POOLD_HTTP_OUTPUT_H
#define POOLD_HTTP_OUTPUT_H

#include "base/buf.h"
#include "store/store.h"

/* Appends a line of the log as a JSON object. */
void output_write_line(struct buf *, const struct store_output *);
/* Appends the output of one item as the elements of a JSON array. */
void output_write_item(struct store_reader *, int64_t seq, uint32_t index, struct buf *);

#endif
