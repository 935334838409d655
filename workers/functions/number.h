/* number: JSON numbers as functions count with them: exact integers of up to 128 bits, doubles for the rest.
 *
 * Integers are kept as sign and magnitude: that makes 2^128-1 the largest, needs no care at the negative edge, and
 * unsigned overflow checks compile to plain code everywhere (clang asks compiler-rt for the signed one). No printf on
 * the integer path. Any thread. */
#ifndef POOLD_FUNCTIONS_NUMBER_H
#define POOLD_FUNCTIONS_NUMBER_H

#include <stdbool.h>

#include "functions/function.h"

typedef unsigned __int128 uint128;

struct number {
    bool exact; /* an integer: sign and magnitude; else `real` */
    bool negative;
    uint128 magnitude;
    double real;
};

enum number_fault { NUMBER_OK, NUMBER_NONE, NUMBER_OVER_128_BITS, NUMBER_OVER_DOUBLE };

/* Reads the JSON number that is [at, end). The byte at `end` must be readable and part of no number. */
enum number_fault number_read(struct number *, const char *at, const char *end);
double number_to_real(const struct number *);

#define NUMBER_TEXT_MAX 48 /* 39 digits, a sign; 24 for a double */

/* Writes so that the last digit is just before `end`; returns the first byte. */
char *number_write_back(char *end, bool negative, uint128 magnitude);
/* The shortest decimal that reads back as the same (finite) double; returns its length. */
size_t number_write_real(char to[NUMBER_TEXT_MAX], double);

/* The item as a number; 0, or -1 with the call's error set. */
int call_number(struct call *, struct number *);
/* Sets the error for a fault of the item (not NUMBER_OK); returns -1. */
int call_number_fault(struct call *, enum number_fault);
int call_integer(struct call *, bool negative, uint128 magnitude);

#endif
