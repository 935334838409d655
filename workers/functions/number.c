/* number: see number.h. */
#include "functions/number.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* For digits beyond the 18 that surely fit 64 bits. */
static enum number_fault read_long(struct number *number, const char *at, const char *end)
{
    for (; at < end; at++) {
        if (__builtin_mul_overflow(number->magnitude, (uint128)10, &number->magnitude) ||
            __builtin_add_overflow(number->magnitude, (uint128)(*at - '0'), &number->magnitude))
            return NUMBER_OVER_128_BITS;
    }
    return NUMBER_OK;
}

static enum number_fault read_real(struct number *number, const char *at)
{
    number->exact = false;
    number->real = strtod(at, NULL);
    return isfinite(number->real) ? NUMBER_OK : NUMBER_OVER_DOUBLE;
}

enum number_fault number_read(struct number *number, const char *at, const char *end)
{
    const char *begin = at;
    number->exact = true;
    number->negative = at < end && *at == '-';
    at += number->negative;
    if (at == end || !is_digit(*at))
        return NUMBER_NONE;
    const char *sure = end - at > 18 ? at + 18 : end;
    uint64_t small = 0;
    for (; at < sure && is_digit(*at); at++)
        small = small * 10 + (uint64_t)(*at - '0');
    number->magnitude = small;
    if (at == end)
        return NUMBER_OK;
    const char *digits = at;
    while (at < end && is_digit(*at))
        at++;
    return at == end ? read_long(number, digits, end) : read_real(number, begin);
}

double number_to_real(const struct number *number)
{
    if (!number->exact)
        return number->real;
    return number->negative ? -(double)number->magnitude : (double)number->magnitude;
}

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

static char *write_64(char *end, uint64_t value)
{
    while (value >= 100) {
        end -= 2;
        memcpy(end, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value < 10) {
        *--end = (char)('0' + value);
        return end;
    }
    end -= 2;
    memcpy(end, pairs + value * 2, 2);
    return end;
}

#define TEN_TO_19 UINT64_C(10000000000000000000)

/* Exactly 19 digits below the part that `value` still holds. */
static char *write_19(char *end, uint64_t part)
{
    char *at = write_64(end, part);
    while (end - at < 19)
        *--at = '0';
    return at;
}

char *number_write_back(char *end, bool negative, uint128 magnitude)
{
    bool minus = negative && magnitude != 0;
    while (magnitude >> 64) {
        end = write_19(end, (uint64_t)(magnitude % TEN_TO_19));
        magnitude /= TEN_TO_19;
    }
    end = write_64(end, (uint64_t)magnitude);
    if (minus)
        *--end = '-';
    return end;
}

size_t number_write_real(char to[NUMBER_TEXT_MAX], double value)
{
    /* 15 digits always survive a double and %g drops trailing zeros, so 15 is the shortest whenever it reads back;
     * subnormals have fewer true digits. */
    int digits = fabs(value) < DBL_MIN ? 1 : 15;
    for (;; digits++) {
        int length = snprintf(to, NUMBER_TEXT_MAX, "%.*g", digits, value);
        if (digits == 17 || strtod(to, NULL) == value)
            return (size_t)length;
    }
}

int call_number_fault(struct call *call, enum number_fault fault)
{
    if (fault == NUMBER_OVER_128_BITS)
        return call_error(call, "%s: the integer is beyond 128 bits", call->name);
    if (fault == NUMBER_OVER_DOUBLE)
        return call_error(call, "%s: the number is beyond the range of a double", call->name);
    return call_expected(call, "a number");
}

int call_number(struct call *call, struct number *number)
{
    enum number_fault fault = number_read(number, call->item, call->item + call->length);
    return fault == NUMBER_OK ? 0 : call_number_fault(call, fault);
}

int call_integer(struct call *call, bool negative, uint128 magnitude)
{
    char text[NUMBER_TEXT_MAX];
    char *end = text + sizeof text;
    char *at = number_write_back(end, negative, magnitude);
    return call_value(call, at, (size_t)(end - at));
}

int call_real(struct call *call, double value)
{
    char text[NUMBER_TEXT_MAX];
    if (!isfinite(value))
        return call_error(call, "%s: the result is beyond the range of a double", call->name);
    return call_value(call, text, number_write_real(text, value));
}
