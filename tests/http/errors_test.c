/* Every error that a client can bring about, with its status, type and place (server/http/problem.c is the list). */
#include "fixture.h"

static struct job_id finished;

static int setup(void **state)
{
    static const char *const args[] = {"--max-body", "1M", "--max-item", "100K", "--max-value", "200K", NULL};
    (void)state;
    fixture_begin(args);
    finished = run_job("{\"function\":\"square\",\"map\":[1,2]}", "succeeded");
    return 0;
}

static void submit_refused(const char *body, const char *type, long long offset, const char *pointer)
{
    struct reply r;
    http_post(&web, &r, "/v1/jobs", body);
    if (r.status != 400)
        print_error("%s\n", body);
    expect_problem(&r, 400, type);
    if ((offset >= 0 && json_number(r.json, "offset") != offset) ||
        (pointer != NULL && strcmp(json_text(r.json, "pointer"), pointer) != 0))
        fail_msg("%s: expected offset %lld and pointer %s: %s", body, offset, pointer, r.body);
    reply_free(&r);
}

static void test_syntax(void **state)
{
    (void)state;
    submit_refused("", "invalid-json", 0, NULL);
    submit_refused("[1]", "invalid-json", 0, NULL);
    submit_refused("{\"function\":\"square\",\"map\":[1,2,,3]}", "invalid-json", 32, NULL);
    submit_refused("{\"function\":\"square\",\"map\":[1,2", "invalid-json", 31, NULL);
    submit_refused("{\"function\":\"square\",\"map\":[01]}", "invalid-json", 29, NULL);
    submit_refused("{\"function\":\"square\",\"map\":[1]} x", "invalid-json", 32, NULL);
    submit_refused("{\"function\":\"square\",\"map\":[\"\\x\"]}", "invalid-json", -1, NULL);
    submit_refused("{\"function\":\"square\",\"map\":[\"\xff\"]}", "invalid-json", -1, NULL);
    submit_refused("{\"function\":\"square\",\"map\":[\"\\ud800\"]}", "invalid-json", -1, NULL);
    submit_refused("{'function':'square'}", "invalid-json", 1, NULL);
}

static void test_depth(void **state)
{
    (void)state;
    char body[512] = "{\"function\":\"echo\",\"apply\":";
    size_t n = strlen(body);
    memset(body + n, '[', 100);
    memset(body + n + 100, ']', 100);
    strcpy(body + n + 200, "}");
    submit_refused(body, "invalid-json", -1, NULL);
}

static void test_fields(void **state)
{
    (void)state;
    submit_refused("{\"map\":[1]}", "missing-field", -1, "/function");
    submit_refused("{\"function\":\"square\"}", "missing-field", -1, NULL);
    submit_refused("{\"function\":\"square\",\"map\":[1],\"colour\":\"red\"}", "unknown-field", -1, "/colour");
    submit_refused("{\"function\":\"square\",\"map\":[1],\"apply\":1}", "invalid-value", -1, "/apply");
    submit_refused("{\"function\":\"square\",\"map\":{}}", "invalid-value", -1, "/map");
    submit_refused("{\"function\":\"square\",\"map\":3}", "invalid-value", -1, "/map");
    submit_refused("{\"function\":\"a b\",\"map\":[1]}", "invalid-value", -1, "/function");
    submit_refused("{\"function\":7,\"map\":[1]}", "invalid-value", -1, "/function");
    submit_refused("{\"function\":\"square\",\"function\":\"cube\",\"map\":[1]}", "invalid-value", -1, "/function");
    submit_refused("{\"function\":\"square\",\"apply\":1,\"open\":true}", "invalid-value", -1, "/open");
    submit_refused("{\"function\":\"sum\",\"starmap\":[[1,2],3]}", "invalid-value", -1, "/starmap/1");
}

static void test_option_values(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"chunksize", "-1"}, {"chunksize", "1.5"},        {"chunksize", "\"1\""}, {"processes", "-1"},
        {"timeout", "-1"},   {"timeout", "true"},         {"max_attempts", "0"},  {"backoff", "\"x\""},
        {"priority", "10"},  {"isolation", "\"thread\""}, {"isolation", "1"},     {"fail_fast", "1"},
        {"delay", "-0.5"},   {"retention", "null"},       {"open", "\"yes\""},    {"name", "5"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char body[256], pointer[64];
        snprintf(body, sizeof body, "{\"function\":\"square\",\"map\":[1],\"%s\":%s}", bad[i][0], bad[i][1]);
        snprintf(pointer, sizeof pointer, "/%s", bad[i][0]);
        submit_refused(body, "invalid-value", -1, pointer);
    }
}

static void test_unknown_function(void **state)
{
    (void)state;
    refuse("POST", "/v1/jobs", "{\"function\":\"nothing\",\"map\":[1]}", 422, "unknown-function");
    refuse_with("POST", "/v1/jobs?function=nothing", "1\n", "Content-Type: application/x-ndjson", 422,
                "unknown-function");
}

static void test_ndjson_lines(void **state)
{
    (void)state;
    struct reply r;
    static const char *const bad[] = {"1\n2\n{\n4\n", "1\n2\n3 4\n", "1\n2\nnothing\n", "1\n2\n\"\xff\"\n"};
    for (int i = 0; i < 4; i++) {
        http_ask(&web,
                 &(struct ask){.method = "POST",
                               .path = "/v1/jobs?function=echo",
                               .body = bad[i],
                               .headers = {"Content-Type: application/x-ndjson"}},
                 &r);
        expect_problem(&r, 400, "invalid-line");
        assert_int_equal(json_number(r.json, "line"), 3);
        reply_free(&r);
    }
    refuse_with("POST", "/v1/jobs", "1\n", "Content-Type: application/x-ndjson", 400, "invalid-parameter");
}

static void test_parameters(void **state)
{
    (void)state;
    char path[128];
    refuse("POST", "/v1/jobs?colour=red", "{\"function\":\"square\",\"map\":[1]}", 400, "unknown-parameter");
    refuse("GET", "/v1/jobs?colour=red", NULL, 400, "unknown-parameter");
    refuse("GET", "/v1/jobs?=x", NULL, 400, "invalid-parameter"); /* once an endless loop */
    refuse("GET", "/v1/jobs?state=happy", NULL, 400, "invalid-parameter");
    refuse("GET", "/v1/jobs?limit=0", NULL, 400, "invalid-parameter");
    refuse("GET", "/v1/jobs?limit=x", NULL, 400, "invalid-parameter");
    refuse("GET", "/v1/jobs?limit=1&limit=2", NULL, 400, "invalid-parameter");
    refuse("GET", "/v1/jobs?function=%ff", NULL, 400, "invalid-parameter");
    refuse("GET", "/v1/jobs?function=%00", NULL, 400, "invalid-parameter");
    static const char *const bad[] = {"order=random",         "from=-1",    "from=x",
                                      "limit=-1&format=json", "format=xml", "from=99999999999999999999"};
    for (int i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "/v1/jobs/%s/results?%s", finished.text, bad[i]);
        refuse("GET", path, NULL, 400, "invalid-parameter");
    }
    snprintf(path, sizeof path, "/v1/jobs/%s?wait=x", finished.text);
    refuse("GET", path, NULL, 400, "invalid-parameter");
}

static void test_not_found(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/v1",          "/v2/jobs",         "/nothing",         "/v1/jobs/nothing", "/v1/jobs/0000000000000001",
        "/v1/jobs/%00", "/v1/jobs/../jobs", "/v1/functions/x/y"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct reply r;
        http_get(&web, &r, "%s", paths[i]);
        if (r.status != 404 && r.status != 400)
            fail_msg("%s: %ld %s", paths[i], r.status, r.body);
        reply_free(&r);
    }
    char path[128];
    snprintf(path, sizeof path, "/v1/jobs/%s/items/2", finished.text);
    refuse("GET", path, NULL, 404, "not-found");
    snprintf(path, sizeof path, "/v1/jobs/%s/nothing", finished.text);
    refuse("GET", path, NULL, 404, "not-found");
}

static void test_methods(void **state)
{
    (void)state;
    static const char *const cases[][3] = {{"PUT", "/v1/jobs", "POST"},      {"DELETE", "/v1/jobs", "GET"},
                                           {"POST", "/healthz", "GET"},      {"PATCH", "/v1/workers", "GET"},
                                           {"POST", "/v1/functions", "GET"}, {"DELETE", "/v1/pool", "PATCH"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply r;
        char allow[128] = "";
        http_ask(&web, &(struct ask){.method = cases[i][0], .path = cases[i][1]}, &r);
        expect_problem(&r, 405, "method-not-allowed");
        assert_true(reply_header(&r, "allow", allow, sizeof allow));
        assert_non_null(strstr(allow, cases[i][2]));
        reply_free(&r);
    }
}

static void test_media_types(void **state)
{
    (void)state;
    static const char body[] = "{\"function\":\"square\",\"map\":[1]}";
    char path[128];
    refuse_with("POST", "/v1/jobs", body, "Content-Type: text/plain", 415, "unsupported-media-type");
    refuse_with("POST", "/v1/jobs", body, "Content-Type: multipart/form-data; boundary=x", 415,
                "unsupported-media-type");
    snprintf(path, sizeof path, "/v1/jobs/%s/results", finished.text);
    refuse_with("GET", path, NULL, "Accept: image/png", 406, "not-acceptable");
}

static void test_too_large(void **state)
{
    (void)state;
    char *body = malloc(2 << 20);
    int n = sprintf(body, "{\"function\":\"echo\",\"map\":[\"");
    memset(body + n, 'x', 200000);
    strcpy(body + n + 200000, "\"]}");
    refuse("POST", "/v1/jobs", body, 413, "item-too-large");
    memset(body + n, 'x', 1100000);
    strcpy(body + n + 1100000, "\"]}");
    refuse("POST", "/v1/jobs", body, 413, "body-too-large");
    body[0] = '"';
    memset(body + 1, 'x', 200000);
    strcpy(body + 200000, "\"\n");
    refuse_with("POST", "/v1/jobs?function=echo", body, "Content-Type: application/x-ndjson", 413, "item-too-large");
    free(body);
    struct job_id id = run_job("{\"function\":\"huge\",\"map\":[10,300000]}", "failed");
    char *got = results_of(id, "");
    assert_non_null(strstr(got, "{\"index\":1,\"error\":{\"type\":\"too_large\""));
    free(got);
}

static void test_conflicts(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "/v1/jobs/%s/items", finished.text);
    refuse("POST", path, "[1]", 409, "job-not-open");
    snprintf(path, sizeof path, "/v1/jobs/%s/close", finished.text);
    refuse("POST", path, "", 409, "job-not-open");
    snprintf(path, sizeof path, "/v1/jobs/%s/cancel", finished.text);
    refuse("POST", path, "", 409, "job-ended");
}

static void test_function_errors(void **state)
{
    (void)state;
    static const char *const bodies[][2] = {{"{\"function\":\"square\",\"apply\":\"x\"}", "error"},
                                            {"{\"function\":\"garbage\",\"apply\":1}", "protocol"},
                                            {"{\"function\":\"crash\",\"apply\":\"SIGABRT\"}", "crash"},
                                            {"{\"function\":\"hang\",\"apply\":1,\"timeout\":0.3}", "timeout"}};
    for (int i = 0; i < 4; i++) {
        struct job_id id = run_job(bodies[i][0], "failed");
        struct reply r;
        http_get(&web, &r, "/v1/jobs/%s/items/0", id.text);
        assert_string_equal(json_text(r.json, "error.type"), bodies[i][1]);
        assert_true(json_text(r.json, "error.message")[0] != '\0');
        expect_status(&r, 200);
    }
    assert_true(wait_workers(&web, NULL, 4, 20000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax),           cmocka_unit_test(test_depth),
        cmocka_unit_test(test_fields),           cmocka_unit_test(test_option_values),
        cmocka_unit_test(test_unknown_function), cmocka_unit_test(test_ndjson_lines),
        cmocka_unit_test(test_parameters),       cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_methods),          cmocka_unit_test(test_media_types),
        cmocka_unit_test(test_too_large),        cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_function_errors),
    };
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
