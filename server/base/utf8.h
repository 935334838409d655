/* utf8: where a sequence of UTF-8 ends, and whether it is one. Pure. Any thread. */
#ifndef POOLD_BASE_UTF8_H
#define POOLD_BASE_UTF8_H

#include <stddef.h>

/* The length of the sequence that `text` (at least one byte) begins with, 0 if it is not valid. *bad is then the length
 * of the part to replace with one U+FFFD (Unicode's "maximal subpart", as browsers do). */
size_t utf8_length(const unsigned char *text, size_t available, size_t *bad);

#endif
