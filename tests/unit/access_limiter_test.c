/* Tests of the limiter: rates on a clock of our own, streams, and what it remembers of many clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "access/limiter.h"
#include "base/clock.h"

#define MS(n) ((n)*NS_PER_MS)

static const int64_t begin_ns = 7 * NS_PER_S;

static void test_burst_then_rate(void **state)
{
    (void)state;
    struct limiter *l = limiter_new(10);
    int64_t now = begin_ns;
    for (int i = 0; i < 10; i++)
        assert_int_equal(limiter_take(l, "a", 10, now), 0);
    assert_int_equal(limiter_take(l, "a", 10, now), MS(100));
    assert_int_equal(limiter_take(l, "a", 10, now + MS(40)), MS(60)); /* what is refused does not count */
    assert_int_equal(limiter_take(l, "a", 10, now + MS(100)), 0);
    assert_int_equal(limiter_take(l, "a", 10, now + MS(100)), MS(100));
    assert_int_equal(limiter_take(l, "b", 10, now), 0); /* others are not affected */
    now += MS(700);                                     /* six more have come */
    for (int i = 0; i < 6; i++)
        assert_int_equal(limiter_take(l, "a", 10, now), 0);
    assert_int_equal(limiter_take(l, "a", 10, now), MS(100));
    now += 3600 * NS_PER_S; /* never more than a burst */
    for (int i = 0; i < 10; i++)
        assert_int_equal(limiter_take(l, "a", 10, now), 0);
    assert_true(limiter_take(l, "a", 10, now) > 0);
    limiter_free(&l);
    assert_null(l);
}

static void test_evenly_for_ever(void **state)
{
    (void)state;
    static const unsigned rates[] = {1, 3, 7, 1000, 1000000};
    for (unsigned r = 0; r < sizeof rates / sizeof *rates; r++) {
        struct limiter *l = limiter_new(1);
        unsigned taken = 0;
        for (int64_t now = 0; now < 5 * NS_PER_S; now += rates[r] < 1000 ? MS(1) : MS(100))
            while (limiter_take(l, "a", rates[r], begin_ns + now) == 0)
                taken++;
        /* a burst and five seconds' worth, but for the last moment's */
        assert_in_range(taken, (uintmax_t)rates[r] * 59 / 10 - 1, (uintmax_t)rates[r] * 6);
        limiter_free(&l);
    }
}

static void test_waits_at_most_a_second(void **state)
{
    (void)state;
    struct limiter *l = limiter_new(1);
    assert_int_equal(limiter_take(l, "a", 1, begin_ns), 0);
    assert_int_equal(limiter_take(l, "a", 1, begin_ns), NS_PER_S);
    assert_int_equal(limiter_take(l, "a", 1, begin_ns + NS_PER_S - 1), 1);
    assert_int_equal(limiter_take(l, "a", 1, begin_ns + NS_PER_S), 0);
    assert_int_equal(limiter_take(l, "a", 0, begin_ns), 0); /* any */
    limiter_free(&l);
}

static void test_rate_changes(void **state)
{
    (void)state;
    struct limiter *l = limiter_new(1);
    assert_int_equal(limiter_take(l, "a", 1, begin_ns), 0);
    assert_true(limiter_take(l, "a", 1, begin_ns) > 0);
    assert_true(limiter_take(l, "a", 1000, begin_ns + MS(2)) ==
                0); /* what was used of the old one is all but nothing */
    limiter_free(&l);
}

static void test_streams(void **state)
{
    (void)state;
    struct limiter *l = limiter_new(10);
    struct limiter_hold *one = limiter_hold(l, "a", 2), *two = limiter_hold(l, "a", 2);
    struct limiter_hold *other = limiter_hold(l, "b", 2), *any = limiter_hold(l, "a", 0);
    assert_true(one && two && other && any);
    assert_null(limiter_hold(l, "a", 2));
    assert_non_null(two = limiter_hold(l, "a", 4));
    limiter_drop(l, &one);
    assert_null(one);
    limiter_drop(l, &one);
    limiter_drop(l, &any);
    assert_null(limiter_hold(l, "a", 2));
    limiter_drop(l, &two);
    assert_non_null(two = limiter_hold(l, "a", 2));
    limiter_free(&l);
}

static void test_many_clients(void **state)
{
    (void)state;
    enum { MOST = 100 };
    struct limiter *l = limiter_new(MOST);
    char name[16];
    assert_int_equal(limiter_take(l, "steady", 1, begin_ns), 0);
    struct limiter_hold *hold = limiter_hold(l, "holder", 1);
    assert_int_equal(limiter_take(l, "holder", 1, begin_ns), 0);
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(limiter_take(l, name, 1, begin_ns), 0);
        if (i % (MOST / 2) == 0) /* who is over its rate stays so as long as it goes on asking */
            assert_true(limiter_take(l, "steady", 1, begin_ns) > 0);
        assert_true(limiter_clients(l) <= MOST + 1);
    }
    assert_int_equal(limiter_clients(l), MOST + 1);
    assert_int_equal(limiter_take(l, "0", 1, begin_ns), 0); /* was forgotten */
    assert_null(limiter_hold(l, "holder", 1));              /* was not */
    assert_true(limiter_take(l, "holder", 1, begin_ns) > 0);
    limiter_drop(l, &hold);
    assert_int_equal(limiter_clients(l), MOST);
    limiter_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_then_rate),
        cmocka_unit_test(test_evenly_for_ever),
        cmocka_unit_test(test_waits_at_most_a_second),
        cmocka_unit_test(test_rate_changes),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_many_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
