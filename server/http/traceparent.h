/* traceparent: the header of W3C Trace Context (level 1) that says which span a request belongs to. poold opens no
 * spans of its own: it keeps what it was given and hands it to the tasks, whose libraries go on from there. Pure. */
#ifndef POOLD_HTTP_TRACEPARENT_H
#define POOLD_HTTP_TRACEPARENT_H

#include <stdbool.h>

enum { TRACEPARENT_LENGTH = 55 };

/* False, and "", when `header` is not valid: as if it had not been there, says the specification. One of a later
 * version is read as far as this one goes, and kept as version 00, which is what its ids mean to whoever knows no
 * later one. */
bool traceparent_read(const char *header, char kept[TRACEPARENT_LENGTH + 1]);

#endif
