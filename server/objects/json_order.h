/* json_order: JSON texts compared as Python compares what they stand for.
 *
 * Numbers by exact value (1 is 1.0, and true is 1, as in Python), strings by code points whatever their escapes, arrays
 * element by element, objects for equality only (of a name that comes twice the last counts). What Python answers with
 * a TypeError – null < null, 1 < "1", {} < {} – has no order. Texts are valid JSON (wire/scan.h has seen them), may
 * have white space around them and need no NUL. Recursion goes as deep as the texts: at most SCAN_DEPTH_MAX. Any
 * thread. */
#ifndef POOLD_OBJECTS_JSON_ORDER_H
#define POOLD_OBJECTS_JSON_ORDER_H

#include <stdbool.h>
#include <stddef.h>

bool json_is_equal(const char *a, size_t a_length, const char *b, size_t b_length);

/* Why two texts have no order: "'<' is not defined between string and number", or "". */
struct json_order {
    bool failed;
    char reason[80];
};
/* Below, equal or above 0. When they have none, 0 and order->failed (which is never set back: a whole sort can look
 * once). */
int json_compare(const char *a, size_t a_length, const char *b, size_t b_length, struct json_order *order);

#endif
