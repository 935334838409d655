/* fingerprint: 64 bits that tell one request from another, for Idempotency-Key. Pure.
 *
 * Fed in pieces of any size; only the bytes count, not how they were cut. Not a defence against people who look for
 * collisions: whoever holds a key can only confuse themselves. */
#ifndef POOLD_HTTP_FINGERPRINT_H
#define POOLD_HTTP_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

struct fingerprint {
    uint64_t state;
    unsigned char rest[8];
    unsigned rest_length;
    uint64_t length;
};

void fingerprint_init(struct fingerprint *);
void fingerprint_add(struct fingerprint *, const void *bytes, size_t length);
uint64_t fingerprint_value(const struct fingerprint *);

#endif
