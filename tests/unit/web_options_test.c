/* Tests of the options' table, from both sides, and of a job as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "http/job_json.h"
#include "http/options.h"

static enum option_result from_json(struct job_options *o, const char *name, const char *value)
{
    struct problem p = PROBLEM_INIT;
    enum scan_kind kind;
    assert_non_null(scan_value(value, value + strlen(value), &kind, NULL));
    enum option_result result = option_from_json(o, name, strlen(name), value, value + strlen(value), kind, &p);
    assert_int_equal(result == OPTION_BAD, p.type != PROBLEM_NONE);
    return result;
}

static enum option_result from_text(struct job_options *o, const char *name, const char *text)
{
    struct problem p = PROBLEM_INIT;
    return option_from_text(o, name, text, &p);
}

static void test_both_sides_agree(void **state)
{
    (void)state;
    static const char *const good[][3] = {
        {"chunksize", "0", "0"},
        {"chunksize", "64", "64"},
        {"processes", "2", "2"},
        {"timeout", "0.25", "0.25"},
        {"timeout", "1e2", "1e2"},
        {"max_attempts", "3", "3"},
        {"backoff", "0", "0"},
        {"priority", "0", "0"},
        {"isolation", "\"process\"", "process"},
        {"fail_fast", "true", "1"},
        {"fail_fast", "false", "false"},
        {"delay", "1.5", "1.5"},
        {"retention", "60", "60"},
        {"open", "true", ""},
        {"name", "\"x y\"", "x y"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct job_options a = job_options_default(), b = job_options_default();
        assert_int_equal(from_json(&a, good[i][0], good[i][1]), OPTION_SET);
        assert_int_equal(from_text(&b, good[i][0], good[i][2]), OPTION_SET);
        struct buf x = BUF_EMPTY, y = BUF_EMPTY;
        options_write(&a, &x);
        options_write(&b, &y);
        assert_string_equal(buf_cstr(&x), buf_cstr(&y));
        assert_string_equal(a.name, b.name);
        buf_free(&x);
        buf_free(&y);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"chunksize", "-1"},     {"chunksize", "1.5"},     {"chunksize", "\"1\""}, {"chunksize", "null"},
        {"processes", "513"},    {"timeout", "-1"},        {"timeout", "\"1\""},   {"timeout", "1e99"},
        {"max_attempts", "0"},   {"max_attempts", "1001"}, {"priority", "10"},     {"isolation", "\"thread\""},
        {"isolation", "1"},      {"fail_fast", "1"},       {"open", "\"true\""},   {"name", "1"},
        {"name", "\"\\u0000\""}, {"name", "\"\\n\""},      {"retention", "-1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct job_options o = job_options_default();
        assert_int_equal(from_json(&o, bad[i][0], bad[i][1]), OPTION_BAD);
    }
    struct job_options o = job_options_default();
    assert_int_equal(from_json(&o, "nosuch", "1"), OPTION_UNKNOWN);
    assert_int_equal(from_text(&o, "nosuch", "1"), OPTION_UNKNOWN);
    assert_int_equal(from_text(&o, "fail_fast", "yes"), OPTION_BAD);
    char name[200];
    memset(name, 'a', sizeof name - 1);
    name[199] = '\0';
    assert_int_equal(from_text(&o, "name", name), OPTION_BAD);
    name[128] = '\0';
    assert_int_equal(from_text(&o, "name", name), OPTION_SET);
}

static void test_function_names(void **state)
{
    (void)state;
    assert_true(function_name_valid("square"));
    assert_true(function_name_valid("_a.b-c_9"));
    static const char *const bad[] = {
        "", "9a", ".a", "a b", "a/b", "\xc3\xa9", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(function_name_valid(bad[i]));
}

static void test_job_is_json(void **state)
{
    (void)state;
    struct job_view v = {.seq = 5,
                         .created_ms = 1700000000123,
                         .started_ms = 1700000001000,
                         .kind = JOB_APPLY,
                         .state = JOB_FAILED,
                         .function = "f",
                         .options = job_options_default()};
    strcpy(v.options.name, "a\"b");
    strcpy(v.reason, "why");
    static const char line[] = "{\"index\":0,\"value\":1e400}\n";
    struct blob *result = blob_new(line, sizeof line - 1);
    struct buf b = BUF_EMPTY;
    job_write(&b, &v, result);
    assert_non_null(strstr(buf_cstr(&b), "\"value\":1e400"));
    assert_non_null(strstr(b.data, "\"created\":\"2023-11-14T22:13:20.123Z\""));
    job_write_end(&b, &v);
    buf_clear(&b, SIZE_MAX);
    job_write(&b, &v, NULL);
    json_t *j = json_loadb(b.data, b.length, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(j);
    assert_string_equal(json_string_value(json_object_get(j, "name")), "a\"b");
    assert_true(json_is_null(json_object_get(j, "ended")));
    json_decref(j);
    blob_unref(&result);
    buf_free(&b);
}

static void test_outcomes(void **state)
{
    (void)state;
    static const char *const lines[][2] = {
        {"{\"index\":7,\"value\":{\"error\":1}}", "\"value\":{\"error\":1}"},
        {"{\"index\":7,\"error\":{\"type\":\"crash\"}}\n", "\"error\":{\"type\":\"crash\"}"},
        {"{\"index\":7,\"value\":1,\"pid\":5,\"exit_code\":0}\n", "\"value\":1,\"pid\":5,\"exit_code\":0"},
    };
    struct buf b = BUF_EMPTY;
    for (int i = 0; i < 3; i++) {
        buf_clear(&b, SIZE_MAX);
        assert_true(result_write_outcome(&b, lines[i][0], strlen(lines[i][0])));
        assert_string_equal(buf_cstr(&b), lines[i][1]);
    }
    assert_false(result_write_outcome(&b, "{\"index\":7}", 11));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_sides_agree), cmocka_unit_test(test_refused),  cmocka_unit_test(test_function_names),
        cmocka_unit_test(test_job_is_json),      cmocka_unit_test(test_outcomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
