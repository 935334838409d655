/* forms: items and values as a command sees them – JSON, plain text, or bytes that travel as base64. Pure. */
#ifndef POOLD_RUNTIMES_FORMS_H
#define POOLD_RUNTIMES_FORMS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "manifest/manifest.h"

/* Appends what a command gets of an item (valid JSON without white space around it). 0, or -1 with an error: "expected
 * a string, got an array". */
int form_read(enum manifest_form, const char *json, size_t length, struct buf *bytes, struct error *);

/* The value that a command has printed, as one line of JSON: in `printed` itself or in `room` (emptied first). 0, or -1
 * when it is none. */
int form_write(enum manifest_form, struct buf *printed, struct buf *room, const char **value, size_t *length,
               struct error *);

#endif
