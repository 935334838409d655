/* The fast way is for what fits 18 digits, which is nearly every number there is. */
#include "objects/number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define INT128_MAX ((__int128)(~(unsigned __int128)0 >> 1))
#define REAL_TEXT 400 /* "%.0f" of DBL_MAX has 309 digits */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

/* strtod wants a NUL, which these texts do not have. */
static double real_of(const char *at, const char *end)
{
    char small[64], *text = small;
    size_t length = (size_t)(end - at);
    if (length >= sizeof small) {
        text = malloc(length + 1);
        CHECK(text != NULL, "out of memory for a number of %zu digits", length);
    }
    memcpy(text, at, length);
    text[length] = '\0';
    double real = strtod(text, NULL);
    if (text != small)
        free(text);
    return real;
}

/* Adds the digits [at, end) up; false when there are too many for 128 bits with a sign. */
static bool digits_of(const char *at, const char *end, bool negative, __int128 *integer)
{
    unsigned __int128 sum = 0, most = (unsigned __int128)INT128_MAX + negative;
    for (; at != end; at++) {
        unsigned digit = (unsigned)(*at - '0');
        if (sum > (most - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *integer = negative ? (__int128)(-sum) : (__int128)sum;
    return true;
}

bool number_is_integer(const char *at, const char *end)
{
    if (at != end && *at == '-')
        at++;
    if (at == end)
        return false;
    for (; at != end; at++)
        if (!is_digit(*at))
            return false;
    return true;
}

int number_parse(const char *at, const char *end, struct number *number)
{
    const char *digits = at != end && *at == '-' ? at + 1 : at;
    if (digits == end || !is_digit(*digits))
        return -1;
    *number = (struct number){.whole = true};
    if (number_is_integer(at, end)) {
        int64_t sum = 0;
        if (end - digits <= 18) {
            for (const char *digit = digits; digit != end; digit++)
                sum = sum * 10 + (*digit - '0');
            number->integer = digits == at ? sum : -sum;
            return 0;
        }
        if (digits_of(digits, end, digits != at, &number->integer))
            return 0;
    }
    *number = (struct number){.real = real_of(at, end)};
    return 0;
}

double number_real(const struct number *number)
{
    return number->whole ? (double)number->integer : number->real;
}

/* --- comparing -------------------------------------------------------------------------------------------------- */

/* An integer's digits without sign and leading zeros; zero has none. */
struct digits {
    const char *at;
    size_t count;
    bool negative;
};

static struct digits digits_in(const char *at, const char *end)
{
    struct digits digits = {.negative = *at == '-'};
    at += digits.negative;
    while (at != end && *at == '0')
        at++;
    digits.at = at;
    digits.count = (size_t)(end - at);
    digits.negative = digits.negative && digits.count > 0;
    return digits;
}

static int compare_digits(struct digits a, struct digits b)
{
    if (a.negative != b.negative)
        return a.negative ? -1 : 1;
    int order = a.count != b.count ? (a.count < b.count ? -1 : 1) : memcmp(a.at, b.at, a.count);
    return a.negative ? -order : order;
}

/* An integer of any length and a double: the whole parts as digits, then what is behind the point. */
static int compare_with_real(const char *at, const char *end, double real)
{
    if (isinf(real))
        return real > 0 ? -1 : 1;
    char text[REAL_TEXT];
    double whole = trunc(real);
    int length = snprintf(text, sizeof text, "%.0f", whole);
    int order = compare_digits(digits_in(at, end), digits_in(text, text + length));
    if (order != 0)
        return order;
    return real > whole ? -1 : real < whole ? 1 : 0;
}

int number_compare(const char *a, const char *a_end, const char *b, const char *b_end)
{
    struct number x = {0}, y = {0};
    bool numbers = number_parse(a, a_end, &x) == 0 && number_parse(b, b_end, &y) == 0;
    CHECK(numbers, "what is compared as numbers has been scanned");
    if (x.whole && y.whole)
        return x.integer < y.integer ? -1 : x.integer > y.integer;
    bool x_digits = number_is_integer(a, a_end), y_digits = number_is_integer(b, b_end);
    if (x_digits && y_digits)
        return compare_digits(digits_in(a, a_end), digits_in(b, b_end));
    if (x_digits)
        return compare_with_real(a, a_end, y.real);
    if (y_digits)
        return -compare_with_real(b, b_end, x.real);
    return x.real < y.real ? -1 : x.real > y.real;
}

/* --- adding and writing ----------------------------------------------------------------------------------------- */

int number_add(const struct number *a, const struct number *b, struct number *sum)
{
    struct number result = {.whole = true};
    if (!a->whole || !b->whole || __builtin_add_overflow(a->integer, b->integer, &result.integer))
        result = (struct number){.real = number_real(a) + number_real(b)};
    if (!result.whole && !isfinite(result.real))
        return -1;
    *sum = result;
    return 0;
}

void number_format_integer(__int128 integer, struct buf *text)
{
    char digits[48], *at = digits + sizeof digits;
    unsigned __int128 rest = integer < 0 ? -(unsigned __int128)integer : (unsigned __int128)integer;
    do
        *--at = (char)('0' + (int)(rest % 10));
    while ((rest /= 10) != 0);
    if (integer < 0)
        *--at = '-';
    buf_append(text, at, (size_t)(digits + sizeof digits - at));
}

/* 15 digits read back to the same for every decimal of so many; below DBL_MIN there are fewer to be had. */
void number_format_real(double real, struct buf *text)
{
    CHECK(isfinite(real), "JSON has no infinity and no NaN");
    char digits[40];
    if (fabs(real) < 1e15 && trunc(real) == real) { /* the most frequent ones */
        buf_printf(text, "%.1f", real);
        return;
    }
    for (int precision = fabs(real) < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, real);
        double back = strtod(digits, NULL);
        if (memcmp(&back, &real, sizeof real) == 0)
            break;
    }
    buf_append_text(text, digits);
    if (strpbrk(digits, ".e") == NULL)
        buf_append_text(text, ".0");
}

void number_format(const struct number *number, struct buf *text)
{
    if (number->whole)
        number_format_integer(number->integer, text);
    else
        number_format_real(number->real, text);
}
