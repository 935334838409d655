#include "base/blob.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct blob *blob_new(const void *bytes, size_t length)
{
    CHECK(length < SIZE_MAX - sizeof(struct blob), "a blob of %zu bytes", length);
    struct blob *blob = malloc(sizeof *blob + length + 1);
    CHECK(blob != NULL, "out of memory for a blob of %zu bytes", length);
    atomic_init(&blob->references, 1);
    blob->length = length;
    if (bytes != NULL)
        memcpy(blob->data, bytes, length);
    blob->data[length] = '\0';
    return blob;
}

struct blob *blob_ref(struct blob *blob)
{
    if (blob != NULL) {
        /* Relaxed: the caller already holds a reference, so nothing needs to be seen. */
        unsigned before = atomic_fetch_add_explicit(&blob->references, 1, memory_order_relaxed);
        CHECK(before > 0 && before < UINT32_MAX, "reference to a freed blob (count %u)", before);
    }
    return blob;
}

void blob_unref(struct blob **reference)
{
    if (reference == NULL || *reference == NULL)
        return;
    struct blob *blob = *reference;
    *reference = NULL;
    /* Acquire and release: the last one must see all reads of the others done before it frees. */
    unsigned before = atomic_fetch_sub_explicit(&blob->references, 1, memory_order_acq_rel);
    CHECK(before > 0, "a blob was dropped once too often");
    if (before == 1)
        free(blob);
}
