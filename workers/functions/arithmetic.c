/* arithmetic: square, cube, sum, fibonacci. Integers stay exact up to 128 bits, everything else is a double. */
#include <stdint.h>

#include "functions/builtin.h"
#include "functions/number.h"
#include "wire/scan.h"

static int beyond_128_bits(struct call *call)
{
    return call_error(call, "%s: the result is beyond 128 bits", call->name);
}

int builtin_square(struct call *call)
{
    struct number x;
    if (call_number(call, &x) == -1)
        return -1;
    if (!x.exact)
        return call_real(call, x.real * x.real);
    uint128 result;
    if (__builtin_mul_overflow(x.magnitude, x.magnitude, &result))
        return beyond_128_bits(call);
    return call_integer(call, false, result);
}

int builtin_cube(struct call *call)
{
    struct number x;
    if (call_number(call, &x) == -1)
        return -1;
    if (!x.exact)
        return call_real(call, x.real * x.real * x.real);
    uint128 result;
    if (__builtin_mul_overflow(x.magnitude, x.magnitude, &result) ||
        __builtin_mul_overflow(result, x.magnitude, &result))
        return beyond_128_bits(call);
    return call_integer(call, x.negative, result);
}

/* Positive and negative integers are counted apart and set off against each other only when one side is full. */
struct total {
    uint128 positive, negative;
    long double real;
    bool exact, overflow;
};

static bool add_exactly(uint128 *side, uint128 *other, uint128 magnitude)
{
    uint128 common = *side < *other ? *side : *other;
    if (!__builtin_add_overflow(*side, magnitude, side))
        return true;
    *side = *side - magnitude - common; /* the addition has wrapped round: undo it */
    *other -= common;
    return !__builtin_add_overflow(*side, magnitude, side);
}

static void add(struct total *total, const struct number *x)
{
    total->real += number_to_real(x);
    total->exact = total->exact && x->exact;
    if (!total->exact || total->overflow)
        return;
    total->overflow = x->negative ? !add_exactly(&total->negative, &total->positive, x->magnitude)
                                  : !add_exactly(&total->positive, &total->negative, x->magnitude);
}

static int give_total(struct call *call, const struct total *total)
{
    if (!total->exact)
        return call_real(call, (double)total->real);
    if (total->overflow)
        return beyond_128_bits(call);
    bool negative = total->negative > total->positive;
    return call_integer(call, negative,
                        negative ? total->negative - total->positive : total->positive - total->negative);
}

int builtin_sum(struct call *call)
{
    if (call->item[0] != '[')
        return call_expected(call, "an array of numbers");
    struct total total = {.exact = true};
    struct number x;
    struct scan_walk walk;
    unsigned position = 0;
    for (scan_enter(&walk, (char *)call->item, (char *)call->item + call->length, false); scan_next(&walk);
         position++) {
        if (walk.kind != SCAN_NUMBER)
            return call_error(call, "%s: expected an array of numbers, got %s at position %u", call->name,
                              json_kind(walk.value[0]), position);
        enum number_fault fault = number_read(&x, walk.value, walk.value_end);
        if (fault != NUMBER_OK)
            return call_number_fault(call, fault);
        add(&total, &x);
    }
    return give_total(call, &total);
}

/* Naive on purpose: it is the standard load for trying out a pool. */
static uint64_t compute_fibonacci(unsigned n)
{
    return n < 2 ? n : compute_fibonacci(n - 1) + compute_fibonacci(n - 2);
}

#define FIBONACCI_MAX 50 /* about a minute of computing */

int builtin_fibonacci(struct call *call)
{
    struct number x;
    if (call_number(call, &x) == -1)
        return -1;
    if (!x.exact || (x.negative && x.magnitude != 0) || x.magnitude > FIBONACCI_MAX)
        return call_error(call, "%s: expected an integer from 0 to %d", call->name, FIBONACCI_MAX);
    return call_integer(call, false, compute_fibonacci((unsigned)x.magnitude));
}
