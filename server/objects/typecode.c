/* One table of typecodes; four functions that know the widths. */
#include "objects/typecode.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw bytes of arrays are little endian");
_Static_assert(sizeof(int) == 4 && sizeof(long) == 8 && sizeof(float) == 4, "typecodes have these sizes");

enum { QUOTED = 40 }; /* bytes of a value that a problem shows */

const struct typecode *typecode_of(const char *text, size_t length)
{
    static const struct typecode all[] = {
        {'b', false, true, 1}, {'B', false, false, 1}, {'h', false, true, 2}, {'H', false, false, 2},
        {'i', false, true, 4}, {'I', false, false, 4}, {'l', false, true, 8}, {'L', false, false, 8},
        {'q', false, true, 8}, {'Q', false, false, 8}, {'f', true, true, 4},  {'d', true, true, 8},
    };
    for (size_t i = 0; length == 1 && i < sizeof all / sizeof *all; i++)
        if (all[i].code == *text)
            return &all[i];
    return NULL;
}

/* --- bits and numbers ------------------------------------------------------------------------------------------- */

static __int128 least(const struct typecode *type)
{
    return type->is_signed ? -((__int128)1 << (type->size * 8 - 1)) : 0;
}

static __int128 most(const struct typecode *type)
{
    return ((__int128)1 << (type->size * 8 - type->is_signed)) - 1;
}

static uint64_t bits_of_real(const struct typecode *type, double real)
{
    uint64_t bits = 0;
    float narrow = (float)real;
    if (type->size == sizeof narrow)
        memcpy(&bits, &narrow, sizeof narrow);
    else
        memcpy(&bits, &real, sizeof real);
    return bits;
}

static double real_of_bits(const struct typecode *type, uint64_t bits)
{
    double real;
    float narrow;
    if (type->size == sizeof narrow) {
        memcpy(&narrow, &bits, sizeof narrow);
        return (double)narrow;
    }
    memcpy(&real, &bits, sizeof real);
    return real;
}

static __int128 integer_of_bits(const struct typecode *type, uint64_t bits)
{
    unsigned unused = 64 - type->size * 8u;
    return type->is_signed ? (__int128)((int64_t)(bits << unused) >> unused) : (__int128)bits;
}

static struct number number_of_bits(const struct typecode *type, uint64_t bits)
{
    if (type->real)
        return (struct number){.real = real_of_bits(type, bits)};
    return (struct number){.whole = true, .integer = integer_of_bits(type, bits)};
}

/* --- problems --------------------------------------------------------------------------------------------------- */

static void range_text(const struct typecode *type, struct buf *text)
{
    if (type->real) {
        buf_printf(text, "up to ±%.9g", type->size == 4 ? (double)FLT_MAX : DBL_MAX);
        return;
    }
    number_format_integer(least(type), text);
    buf_append_text(text, "…");
    number_format_integer(most(type), text);
}

static enum object_status overflow(const struct typecode *type, const char *what, const char *at, const char *end,
                                   struct error *error)
{
    struct buf range = BUF_EMPTY;
    range_text(type, &range);
    int length = end - at > QUOTED ? QUOTED : (int)(end - at);
    error_set(error, "%s %.*s%s does not fit typecode %c (%s)", what, length, at, end - at > QUOTED ? "…" : "",
              type->code, buf_cstr(&range));
    buf_free(&range);
    return OBJECT_OVERFLOW;
}

static enum object_status wrong_type(const struct typecode *type, const char *at, const char *end, struct error *error)
{
    const char *wanted = type->real ? "a number" : "an integer";
    if (*at == '"' || *at == '[' || *at == '{') /* not shown: a cut could be in the middle of a character */
        error_set(error, "the value must be %s (typecode %c)", wanted, type->code);
    else
        error_set(error, "%.*s is not %s (typecode %c)", end - at > QUOTED ? QUOTED : (int)(end - at), at, wanted,
                  type->code);
    return OBJECT_INVALID;
}

/* --- JSON ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    double real;
} unsayable[] = {{"\"NaN\"", (double)NAN}, {"\"Infinity\"", (double)INFINITY}, {"\"-Infinity\"", -(double)INFINITY}};

enum { UNSAYABLE = sizeof unsayable / sizeof *unsayable };

static bool is_text(const char *at, const char *end, const char *text)
{
    return (size_t)(end - at) == strlen(text) && memcmp(at, text, strlen(text)) == 0;
}

static int parse_unsayable(const char *at, const char *end, double *real)
{
    for (int i = 0; i < UNSAYABLE; i++) {
        if (is_text(at, end, unsayable[i].text)) {
            *real = unsayable[i].real;
            return 0;
        }
    }
    return -1;
}

/* Numbers, and as in Python true and false. */
static int parse_number(const char *at, const char *end, struct number *number)
{
    bool truth = is_text(at, end, "true");
    if (!truth && !is_text(at, end, "false"))
        return number_parse(at, end, number);
    *number = (struct number){.whole = true, .integer = truth};
    return 0;
}

static enum object_status parse_real(const struct typecode *type, const char *at, const char *end, uint64_t *bits,
                                     struct error *error)
{
    double real;
    struct number number;
    if (parse_number(at, end, &number) == 0) {
        real = number_real(&number);
        if (!isfinite(real) || (type->size == 4 && !isfinite((float)real)))
            return overflow(type, "value", at, end, error);
    } else if (parse_unsayable(at, end, &real) != 0) {
        return wrong_type(type, at, end, error);
    }
    *bits = bits_of_real(type, real);
    return OBJECT_OK;
}

static uint64_t bits_of_integer(const struct typecode *type, __int128 integer)
{
    return (uint64_t)integer & (uint64_t)((((unsigned __int128)1) << (type->size * 8)) - 1);
}

static enum object_status parse_integer(const struct typecode *type, const char *at, const char *end, uint64_t *bits,
                                        struct error *error)
{
    struct number number;
    if (parse_number(at, end, &number) != 0)
        return wrong_type(type, at, end, error);
    if (!number.whole)
        return number_is_integer(at, end) ? overflow(type, "value", at, end, error) : wrong_type(type, at, end, error);
    if (number.integer < least(type) || number.integer > most(type))
        return overflow(type, "value", at, end, error);
    *bits = bits_of_integer(type, number.integer);
    return OBJECT_OK;
}

enum object_status typecode_parse(const struct typecode *type, const char *at, const char *end, uint64_t *bits,
                                  struct error *error)
{
    return type->real ? parse_real(type, at, end, bits, error) : parse_integer(type, at, end, bits, error);
}

void typecode_format(const struct typecode *type, uint64_t bits, struct buf *text)
{
    struct number number = number_of_bits(type, bits);
    if (number.whole || isfinite(number.real))
        number_format(&number, text);
    else
        buf_append_text(text, unsayable[isnan(number.real) ? 0 : number.real > 0 ? 1 : 2].text);
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

uint64_t typecode_load(const struct typecode *type, const void *at)
{
    switch (type->size) {
    case 1:
        return __atomic_load_n((const uint8_t *)at, __ATOMIC_SEQ_CST);
    case 2:
        return __atomic_load_n((const uint16_t *)at, __ATOMIC_SEQ_CST);
    case 4:
        return __atomic_load_n((const uint32_t *)at, __ATOMIC_SEQ_CST);
    default:
        return __atomic_load_n((const uint64_t *)at, __ATOMIC_SEQ_CST);
    }
}

void typecode_store(const struct typecode *type, void *at, uint64_t bits)
{
    switch (type->size) {
    case 1:
        __atomic_store_n((uint8_t *)at, (uint8_t)bits, __ATOMIC_SEQ_CST);
        return;
    case 2:
        __atomic_store_n((uint16_t *)at, (uint16_t)bits, __ATOMIC_SEQ_CST);
        return;
    case 4:
        __atomic_store_n((uint32_t *)at, (uint32_t)bits, __ATOMIC_SEQ_CST);
        return;
    default:
        __atomic_store_n((uint64_t *)at, bits, __ATOMIC_SEQ_CST);
    }
}

void typecode_read(const struct typecode *type, const void *at, char *bytes, size_t count)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    switch (type->size) {
    case 1:
        for (size_t i = 0; i < count; i++) {
            uint8_t element = __atomic_load_n((const uint8_t *)at + i, __ATOMIC_RELAXED);
            memcpy(bytes + i * sizeof element, &element, sizeof element);
        }
        break;
    case 2:
        for (size_t i = 0; i < count; i++) {
            uint16_t element = __atomic_load_n((const uint16_t *)at + i, __ATOMIC_RELAXED);
            memcpy(bytes + i * sizeof element, &element, sizeof element);
        }
        break;
    case 4:
        for (size_t i = 0; i < count; i++) {
            uint32_t element = __atomic_load_n((const uint32_t *)at + i, __ATOMIC_RELAXED);
            memcpy(bytes + i * sizeof element, &element, sizeof element);
        }
        break;
    default:
        for (size_t i = 0; i < count; i++) {
            uint64_t element = __atomic_load_n((const uint64_t *)at + i, __ATOMIC_RELAXED);
            memcpy(bytes + i * sizeof element, &element, sizeof element);
        }
        break;
    }
}

void typecode_write(const struct typecode *type, void *at, const char *bytes, size_t count)
{
    switch (type->size) {
    case 1:
        for (size_t i = 0; i < count; i++) {
            uint8_t element;
            memcpy(&element, bytes + i * sizeof element, sizeof element);
            __atomic_store_n((uint8_t *)at + i, element, __ATOMIC_RELAXED);
        }
        break;
    case 2:
        for (size_t i = 0; i < count; i++) {
            uint16_t element;
            memcpy(&element, bytes + i * sizeof element, sizeof element);
            __atomic_store_n((uint16_t *)at + i, element, __ATOMIC_RELAXED);
        }
        break;
    case 4:
        for (size_t i = 0; i < count; i++) {
            uint32_t element;
            memcpy(&element, bytes + i * sizeof element, sizeof element);
            __atomic_store_n((uint32_t *)at + i, element, __ATOMIC_RELAXED);
        }
        break;
    default:
        for (size_t i = 0; i < count; i++) {
            uint64_t element;
            memcpy(&element, bytes + i * sizeof element, sizeof element);
            __atomic_store_n((uint64_t *)at + i, element, __ATOMIC_RELAXED);
        }
        break;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Swaps these very bits; false with *seen what is there now. */
static bool swap_bits(const struct typecode *type, void *at, uint64_t *seen, uint64_t desired)
{
    uint8_t seen8 = (uint8_t)*seen;
    uint16_t seen16 = (uint16_t)*seen;
    uint32_t seen32 = (uint32_t)*seen;
    bool done;
    switch (type->size) {
    case 1:
        done = __atomic_compare_exchange_n((uint8_t *)at, &seen8, (uint8_t)desired, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
        *seen = seen8;
        return done;
    case 2:
        done = __atomic_compare_exchange_n((uint16_t *)at, &seen16, (uint16_t)desired, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
        *seen = seen16;
        return done;
    case 4:
        done = __atomic_compare_exchange_n((uint32_t *)at, &seen32, (uint32_t)desired, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
        *seen = seen32;
        return done;
    default:
        return __atomic_compare_exchange_n((uint64_t *)at, seen, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
}

/* The sum of what is there and `by` as bits. Infinities and NaN that a task has put there stay what they are. */
static enum object_status sum_bits(const struct typecode *type, uint64_t seen, const struct number *by, uint64_t *bits,
                                   struct error *error)
{
    struct number sum, old = number_of_bits(type, seen);
    struct buf text = BUF_EMPTY;
    bool fits = number_add(&old, by, &sum) == 0;
    if (!fits && !isfinite(old.real)) {
        *bits = seen;
        return OBJECT_OK;
    }
    if (type->real)
        fits = fits && (type->size == 8 || isfinite((float)sum.real));
    else
        fits = fits && sum.whole && sum.integer >= least(type) && sum.integer <= most(type);
    if (fits) {
        *bits = type->real ? bits_of_real(type, sum.real) : bits_of_integer(type, sum.integer);
        return OBJECT_OK;
    }
    typecode_format(type, seen, &text);
    buf_append_text(&text, " + ");
    number_format(by, &text);
    overflow(type, "the sum", text.data, text.data + text.length, error);
    buf_free(&text);
    return OBJECT_OVERFLOW;
}

static enum object_status parse_by(const struct typecode *type, const char *at, const char *end, struct number *by,
                                   struct error *error)
{
    if (parse_number(at, end, by) != 0)
        return wrong_type(type, at, end, error);
    if (!type->real && !by->whole)
        return number_is_integer(at, end) ? overflow(type, "the summand", at, end, error)
                                          : wrong_type(type, at, end, error);
    if (!by->whole && !isfinite(by->real))
        return overflow(type, "the summand", at, end, error);
    if (type->real)
        *by = (struct number){.real = number_real(by)};
    return OBJECT_OK;
}

enum object_status typecode_add(const struct typecode *type, void *at, const char *by, const char *by_end,
                                uint64_t *bits, struct error *error)
{
    struct number summand;
    enum object_status status = parse_by(type, by, by_end, &summand, error);
    if (status != OBJECT_OK)
        return status;
    uint64_t seen = typecode_load(type, at);
    do {
        status = sum_bits(type, seen, &summand, bits, error);
        if (status != OBJECT_OK)
            return status;
    } while (!swap_bits(type, at, &seen, *bits));
    return OBJECT_OK;
}

static bool are_equal(const struct typecode *type, uint64_t a, uint64_t b)
{
    if (!type->real || a == b)
        return a == b;
    double x = real_of_bits(type, a), y = real_of_bits(type, b);
    return x == y || (isnan(x) && isnan(y));
}

bool typecode_compare_set(const struct typecode *type, void *at, uint64_t *expected, uint64_t desired)
{
    uint64_t seen = typecode_load(type, at);
    do {
        if (!are_equal(type, seen, *expected)) {
            *expected = seen;
            return false;
        }
    } while (!swap_bits(type, at, &seen, desired));
    return true;
}
