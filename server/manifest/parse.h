/* parse: what manifest_parse and manifest_load share. */
#ifndef POOLD_MANIFEST_PARSE_H
#define POOLD_MANIFEST_PARSE_H

#include "manifest/manifest.h"

/* A canonical text begins with this; files cannot, the key is none of theirs. */
#define CANONICAL_MARK "{\"canonical\":1,"

/* Of a file; *name_line is where its name stands, for what is found to be wrong with that later. */
struct manifest *parse_file(const char *json, size_t length, const char *source, const char *folder,
                            unsigned *name_line, struct error *);
/* Makes m->text. */
void text_make(struct manifest *);

#endif
