/* Tests of problem documents: each type is listed for people, and each document is JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/fd.h"
#include "http/problem.h"

static void test_all_are_listed(void **state)
{
    (void)state;
    static char text[65536];
    assert_true(fd_read_file(SOURCE_DIR "/schema/problems.md", text, sizeof text) > 0);
    for (int type = PROBLEM_NONE + 1; type < PROBLEMS; type++) {
        char row[128];
        assert_non_null(problem_name((enum problem_type)type));
        snprintf(row, sizeof row, "| `%s` | %u |", problem_name((enum problem_type)type),
                 problem_status((enum problem_type)type));
        if (!strstr(text, row))
            fail_msg("schema/problems.md has no row %s", row);
    }
}

static void test_document(void **state)
{
    (void)state;
    struct problem p = PROBLEM_INIT;
    problem_set(&p, PROBLEM_INVALID_VALUE, "it is \"%s\"", "wrong");
    problem_set(&p, PROBLEM_INTERNAL, "a later one is not kept");
    problem_at(&p, 17, "/map/%d", 3);
    struct buf b = BUF_EMPTY;
    problem_write(&p, &b);
    json_t *j = json_loadb(b.data, b.length, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(j);
    assert_string_equal(json_string_value(json_object_get(j, "type")), "urn:poold:problem:invalid-value");
    assert_string_equal(json_string_value(json_object_get(j, "detail")), "it is \"wrong\"");
    assert_string_equal(json_string_value(json_object_get(j, "pointer")), "/map/3");
    assert_int_equal(json_integer_value(json_object_get(j, "offset")), 17);
    assert_int_equal(json_integer_value(json_object_get(j, "status")), 400);
    assert_null(json_object_get(j, "line"));
    json_decref(j);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_are_listed), cmocka_unit_test(test_document)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
