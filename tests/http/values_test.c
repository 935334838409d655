/* Values are kept verbatim: what goes in as an item comes out of echo byte for byte, whatever way it came and goes. */
#include "fixture.h"

static const char *const texts[] = {"0.1",
                                    "1e400",
                                    "12345678901234567890",
                                    "\"\\u00e9\"",
                                    "-0",
                                    "{\"b\":1,\"a\":2}",
                                    "1.0",
                                    "1E+2",
                                    "-0.0e-0",
                                    "\"\xc3\xa9\"",
                                    "\"\\/\"",
                                    "\"\\ud83d\\ude00\"",
                                    "null",
                                    "true",
                                    "false",
                                    "[]",
                                    "{}",
                                    "[[1.50],{\"k\":null}]",
                                    "\"\"",
                                    "\"\\u0000\"",
                                    "{\"a\":1,\"a\":2}",
                                    "123456789.123456789123456789",
                                    "\"a\\tb\\n\\\"c\"",
                                    "[ 1 , 2 ]",
                                    "\"\xf0\x9f\x98\x80\"",
                                    "1e-999",
                                    "99999999999999999999999999999999999999"};
enum { TEXTS = sizeof texts / sizeof *texts };

static char *joined(const char *before, const char *separator, const char *after)
{
    char *all = calloc(1, 8192), *at = all + sprintf(all, "%s", before);
    for (int i = 0; i < TEXTS; i++)
        at += sprintf(at, "%s%s", texts[i], i + 1 < TEXTS ? separator : after);
    return all;
}

static void expect_verbatim(struct job_id id, const char *query, bool any_order)
{
    char *got = results_of(id, query), wanted[256];
    assert_int_equal(count_lines(got), TEXTS + 1);
    for (unsigned i = 0; i < TEXTS; i++) {
        char *line = line_of(got, i);
        snprintf(wanted, sizeof wanted, "{\"index\":%u,\"value\":%s}", i, texts[i]);
        if (any_order)
            assert_non_null(strstr(got, wanted));
        else
            assert_string_equal(line, wanted);
        free(line);
    }
    free(got);
}

static void test_json_map(void **state)
{
    (void)state;
    char *body = joined("{\"function\":\"echo\",\"map\":[", ",", "]}");
    struct job_id id = run_job(body, "succeeded");
    expect_verbatim(id, "", false);
    expect_verbatim(id, "?order=completion", true);
    free(body);
}

static void test_ndjson_map(void **state)
{
    (void)state;
    char *body = joined("", "\n", "");
    struct reply r;
    http_ask(&web,
             &(struct ask){.method = "POST",
                           .path = "/v1/jobs?function=echo&wait=20",
                           .body = body,
                           .headers = {"Content-Type: application/x-ndjson"}},
             &r);
    struct job_id id;
    snprintf(id.text, sizeof id.text, "%s", json_text(r.json, "id"));
    expect_status(&r, 200);
    expect_verbatim(id, "", false);
    free(body);
}

static void test_apply(void **state)
{
    (void)state;
    for (int i = 0; i < TEXTS; i++) {
        char body[256], wanted[256];
        struct reply r;
        snprintf(body, sizeof body, "{\"function\":\"echo\",\"apply\":%s}", texts[i]);
        snprintf(wanted, sizeof wanted, "\"value\":%s", texts[i]);
        http_post(&web, &r, "/v1/jobs?wait=20", body);
        if (strstr(r.body, wanted) == NULL)
            fail_msg("%s is not in %s", wanted, r.body);
        expect_status(&r, 200);
    }
}

static void test_page_and_item(void **state)
{
    (void)state;
    char *body = joined("{\"function\":\"echo\",\"map\":[", ",", "]}"), wanted[256];
    struct job_id id = run_job(body, "succeeded");
    struct reply page, item;
    http_get_as(&web, &page, "application/json", "/v1/jobs/%s/results?limit=1000", id.text);
    for (int i = 0; i < TEXTS; i++) {
        snprintf(wanted, sizeof wanted, "\"value\":%s", texts[i]);
        assert_non_null(strstr(page.body, wanted));
        http_get(&web, &item, "/v1/jobs/%s/items/%d", id.text, i);
        if (strstr(item.body, wanted) == NULL)
            fail_msg("%s is not in %s", wanted, item.body);
        expect_status(&item, 200);
    }
    expect_status(&page, 200);
    free(body);
}

static void test_event_stream(void **state)
{
    (void)state;
    char *body = joined("{\"function\":\"echo\",\"map\":[", ",", "]}"), wanted[256];
    struct job_id id = run_job(body, "succeeded");
    struct reply r;
    http_get_as(&web, &r, "text/event-stream", "/v1/jobs/%s/results", id.text);
    for (int i = 0; i < TEXTS; i++) {
        snprintf(wanted, sizeof wanted, "data: {\"index\":%d,\"value\":%s}\n", i, texts[i]);
        if (strstr(r.body, wanted) == NULL)
            fail_msg("%s is not in %s", wanted, r.body);
    }
    expect_status(&r, 200);
    free(body);
}

/* White space between tokens may change, only so far that an item is one line. */
static void test_line_breaks_in_an_item(void **state)
{
    (void)state;
    struct job_id id = run_job("{\"function\":\"echo\",\"map\":[[1,\n2],\r\n{\"a\":\n\"x\\n\"}]}", "succeeded");
    char *got = results_of(id, "");
    char *first = line_of(got, 0), *second = line_of(got, 1);
    assert_string_equal(first, "{\"index\":0,\"value\":[1, 2]}");
    assert_string_equal(second, "{\"index\":1,\"value\":{\"a\": \"x\\n\"}}");
    free(first);
    free(second);
    free(got);
}

/* A value of megabytes, and a list whose items differ in size by six orders of magnitude. */
static void test_large_items(void **state)
{
    (void)state;
    enum { SIZE = 2000000 };
    char *body = malloc(SIZE + 200), *at = body + sprintf(body, "{\"function\":\"echo\",\"map\":[1,\"");
    memset(at, 'x', SIZE);
    strcpy(at + SIZE, "\",2]}");
    struct job_id id = run_job(body, "succeeded");
    char *got = results_of(id, ""), *line = line_of(got, 1);
    assert_int_equal(strlen(line), SIZE + 2 + strlen("{\"index\":1,\"value\":}"));
    assert_memory_equal(line + strlen("{\"index\":1,\"value\":\""), at, SIZE);
    free(line);
    free(got);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_map),     cmocka_unit_test(test_ndjson_map),
        cmocka_unit_test(test_apply),        cmocka_unit_test(test_page_and_item),
        cmocka_unit_test(test_event_stream), cmocka_unit_test(test_line_breaks_in_an_item),
        cmocka_unit_test(test_large_items),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
