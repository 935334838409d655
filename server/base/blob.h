/* blob: immutable bytes shared by threads and counted. Whoever holds a reference may read.
 *
 * Chunks of items and batches of result lines travel as blobs from the request to the store, the
 * worker and the streams without being copied. Any thread. */
#ifndef POOLD_BASE_BLOB_H
#define POOLD_BASE_BLOB_H

#include <stdatomic.h>
#include <stddef.h>

struct blob {
    _Atomic unsigned references;
    size_t length;
    char data[]; /* followed by a NUL that length does not count */
};

/* A new blob with one reference; `bytes` NULL leaves the data to be filled before it is shared. */
struct blob *blob_new(const void *bytes, size_t length);
/* One more reference; returns its argument; NULL is fine. */
struct blob *blob_ref(struct blob *);
/* Drops a reference, frees with the last, sets *blob NULL; NULL and pointer to NULL are fine. */
void blob_unref(struct blob **);

#endif
