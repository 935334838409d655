/* number: JSON numbers as Python counts with them – integers exactly, everything else as a double.
 *
 * Integers are exact up to 128 bits; what is larger, and what has a fraction or an exponent, is a double. Comparing is
 * exact for all of them, however long (Python's integers have no limit, and 2**200 is not 2**200 + 1). Texts are valid
 * JSON (wire/scan.h has seen them) and need no NUL at their end. Any thread; no state. */
#ifndef POOLD_OBJECTS_NUMBER_H
#define POOLD_OBJECTS_NUMBER_H

#include <stdbool.h>

#include "base/buf.h"

struct number {
    bool whole; /* then `integer` counts, else `real` */
    __int128 integer;
    double real; /* may be infinite: 1e400 */
};

/* The number that fills [at, end); 0, or -1 when it is something else than a number. */
int number_parse(const char *at, const char *end, struct number *);
/* True when the token is an integer as Python's json has it: no fraction and no exponent. Of any length. */
bool number_is_integer(const char *at, const char *end);
/* Below, equal or above 0, by exact value. Both are numbers of any length. */
int number_compare(const char *a, const char *a_end, const char *b, const char *b_end);
/* a + b; exact while both and the sum are integers of 128 bits, else as doubles. 0, or -1 when the double is infinite,
 * which JSON cannot say. */
int number_add(const struct number *a, const struct number *b, struct number *sum);
double number_real(const struct number *);
/* Appends the number as JSON: doubles as short as reads back to the same, with a sign that they are doubles ("2.0",
 * "1e+22"), as Python writes them. Infinity and NaN are none of JSON's: CHECKed. */
void number_format(const struct number *, struct buf *);
/* The same for one integer or double. */
void number_format_integer(__int128, struct buf *);
void number_format_real(double, struct buf *);

#endif
