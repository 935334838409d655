/* version: the number of a whole object that grows by one with each change, as the ETag over REST.
 *
 * It must never come twice, also not after kill -9, or a compare-and-set would take an old object for the present one;
 * but an entry for each change would double the writes. So numbers are reserved in blocks by one entry ("v"), and a
 * restart goes on behind the block: then it grows by more than one. */
#ifndef POOLD_OBJECTS_VERSION_H
#define POOLD_OBJECTS_VERSION_H

#include "objects/kind.h"

enum { VERSION_BLOCK = 1024, VERSION_KEY = 'v' };

/* The version after a change: object->version, which is now one more. `reserved` belongs to the object. */
uint64_t version_next(struct object *, uint64_t *reserved);
/* Whether this entry is the reservation; then it is taken over. */
bool version_restore(struct object *, uint64_t *reserved, const char *key, size_t key_length, const char *value,
                     size_t length);
/* If-Match: OBJECT_OK when the argument "version" is not given or is this, else CHANGED. */
enum object_status version_matches(struct object_call *, const struct arguments *, uint64_t version);

/* 64 bits, big endian: sorts by memcmp. */
void version_write(char bytes[8], uint64_t version);
uint64_t version_read(const char bytes[8]);

#endif
