/* Tests of the traceparent header: what is valid by W3C Trace Context level 1, and what is kept of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/traceparent.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define USUAL "00-" TRACE "-" PARENT "-01"

static void becomes(const char *header, const char *expected)
{
    char kept[TRACEPARENT_LENGTH + 1] = "before";
    bool valid = traceparent_read(header, kept);
    if (valid != (*expected != '\0') || strcmp(kept, expected) != 0)
        fail_msg("\"%s\" became \"%s\" (%d), not \"%s\"", header, kept, valid, expected);
}

static void test_valid(void **state)
{
    (void)state;
    becomes(USUAL, USUAL);
    becomes(USUAL " \t ", USUAL);
    becomes("00-" TRACE "-" PARENT "-00", "00-" TRACE "-" PARENT "-00");
    becomes("00-" TRACE "-" PARENT "-ff", "00-" TRACE "-" PARENT "-ff"); /* flags that nobody knows yet */
    becomes("00-00000000000000000000000000000001-0000000000000001-01",
            "00-00000000000000000000000000000001-0000000000000001-01");
}

static void test_later_versions(void **state)
{
    (void)state;
    becomes("01-" TRACE "-" PARENT "-01", USUAL);
    becomes("cc-" TRACE "-" PARENT "-01-what-the-future-will-be-like", USUAL);
    becomes("fe-" TRACE "-" PARENT "-01-", USUAL);
    becomes("01-" TRACE "-" PARENT "-0b", USUAL); /* of its flags the one that is known */
    becomes("01-" TRACE "-" PARENT "-f2", "00-" TRACE "-" PARENT "-00");
    becomes("01-" TRACE "-" PARENT "-01.more", "");
    becomes("01-" TRACE "-" PARENT "-011", "");
    becomes("01-" TRACE "-" PARENT, "");
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "0",
        "00",
        "00-",
        "00-" TRACE,
        "00-" TRACE "-",
        "00-" TRACE "-" PARENT,
        "00-" TRACE "-" PARENT "-",
        "00-" TRACE "-" PARENT "-1",
        "00-" TRACE "-" PARENT "-011",
        "00-" TRACE "-" PARENT "-01-",
        "00-" TRACE "-" PARENT "-01-more",
        "00-" TRACE "-" PARENT "-01 x",
        " " USUAL,
        "ff-" TRACE "-" PARENT "-01",
        "ff-" TRACE "-" PARENT "-01-more",
        "0-" TRACE "-" PARENT "-01",
        "000-" TRACE "-" PARENT "-01",
        "0g-" TRACE "-" PARENT "-01",
        "FE-" TRACE "-" PARENT "-01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
        "00-" TRACE "-00F067AA0BA902B7-01",
        "00-" TRACE "-" PARENT "-0A",
        "00-4bf92f3577b34da6a3ce929d0e0e473-" PARENT "-01",
        "00-4bf92f3577b34da6a3ce929d0e0e47361-" PARENT "-01",
        "00-" TRACE "-0f067aa0ba902b7-01",
        "00-" TRACE "-00f067aa0ba902b71-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473x-" PARENT "-01",
        "00_" TRACE "-" PARENT "-01",
        "00-" TRACE "_" PARENT "-01",
        "00-" TRACE "-" PARENT "_01",
        USUAL "," USUAL,
        "01-" TRACE "-" PARENT "-01," USUAL,
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        becomes(bad[i], "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_later_versions),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
