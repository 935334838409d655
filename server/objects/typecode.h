/* typecode: the elements of values and arrays, named and sized as in Python's array and ctypes on Linux (x86-64 and
 * aarch64, little endian: l and L have 8 bytes), and their way between JSON and memory.
 *
 * Memory is shared with tasks that write to it at any time, so it is touched only by atomic accesses of the element's
 * width; an element is here its bits, zero-extended. Nothing wraps: what does not fit is an overflow. JSON has no word
 * for what a double may also be: "NaN", "Infinity" and "-Infinity" are strings here, in both directions.
 * Any thread; no state. */
#ifndef POOLD_OBJECTS_TYPECODE_H
#define POOLD_OBJECTS_TYPECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "objects/number.h"
#include "objects/objects.h"

struct typecode {
    char code;
    bool real, is_signed;
    uint8_t size; /* bytes, and alignment */
};

#define TYPECODES "bBhHiIlLqQfd"

/* The typecode of this one letter; NULL when it is none. */
const struct typecode *typecode_of(const char *text, size_t length);

/* The bits for a JSON value: OBJECT_OK, INVALID (not a number of this kind) or OVERFLOW, with `error` naming value,
 * typecode and range. */
enum object_status typecode_parse(const struct typecode *, const char *at, const char *end, uint64_t *bits,
                                  struct error *error);
/* Appends the JSON of an element. */
void typecode_format(const struct typecode *, uint64_t bits, struct buf *);

uint64_t typecode_load(const struct typecode *, const void *at);
void typecode_store(const struct typecode *, void *at, uint64_t bits);
/* Many at once, `bytes` at any address: each element is whole, but not all of them are of one moment. */
void typecode_read(const struct typecode *, const void *at, char *bytes, size_t count);
void typecode_write(const struct typecode *, void *at, const char *bytes, size_t count);
/* Adds; what others write meanwhile is not lost. OBJECT_OK with the sum in *bits, INVALID or OVERFLOW. */
enum object_status typecode_add(const struct typecode *, void *at, const char *by, const char *by_end, uint64_t *bits,
                                struct error *error);
/* Stores `desired` if the element is equal (by value: -0.0 is 0.0; NaN is NaN) to `expected`. False: *expected is what
 * it is. */
bool typecode_compare_set(const struct typecode *, void *at, uint64_t *expected, uint64_t desired);

#endif
