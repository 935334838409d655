#include "base/utf8.h"

size_t utf8_length(const unsigned char *text, size_t available, size_t *bad)
{
    unsigned char first = text[0], low = 0x80, high = 0xbf;
    size_t length;
    *bad = 1;
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        length = 2;
    else if (first >= 0xe0 && first <= 0xef)
        length = 3;
    else if (first >= 0xf0 && first <= 0xf4)
        length = 4;
    else
        return 0;
    /* The second byte's range excludes overlong forms, surrogates and what is over U+10FFFF. */
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < length; i++, low = 0x80, high = 0xbf) {
        if (i >= available || text[i] < low || text[i] > high) {
            *bad = i;
            return 0;
        }
    }
    return length;
}
