/* Where a job came from: its traceparent, by every way of making one, and whatever else happens to it. */
#include "fixture.h"

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define OTHER "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-00f067aa0ba902b7-00"
#define NDJSON "Content-Type: application/x-ndjson"

/* POSTs with up to two headers; the answer must be `status` (then its traceparent is that, NULL: null). */
static struct job_id post(const char *path, const char *body, const char *one, const char *two, long status,
                          const char *expected)
{
    struct reply r;
    struct job_id id;
    http_ask(&web, &(struct ask){.method = "POST", .path = path, .body = body, .headers = {one, two}}, &r);
    if (r.status != status)
        fail_msg("%s with %s: %ld %s", path, one ? one : "no header", r.status, r.body);
    json_t *kept = json_object_get(r.json, "traceparent");
    if (expected ? !kept || strcmp(json_string_value(kept) ? json_string_value(kept) : "", expected) != 0
                 : !json_is_null(kept))
        fail_msg("%s with %s: traceparent is not %s: %s", path, one ? one : "no header", expected ? expected : "null",
                 r.body);
    assert_true(json_is_null(json_object_get(r.json, "client")));
    snprintf(id.text, sizeof id.text, "%s", json_text(r.json, "id"));
    reply_free(&r);
    return id;
}

static void test_every_way_of_making_a_job(void **state)
{
    (void)state;
    const char *apply = "{\"function\":\"square\",\"apply\":3}", *map = "{\"function\":\"square\",\"map\":[1,2]}";
    post("/v1/jobs", map, "traceparent: " TRACE, NULL, 202, TRACE);
    post("/v1/jobs", map, "TraceParent:   " TRACE "  ", NULL, 202, TRACE);
    post("/v1/jobs?wait=20", apply, "traceparent: " TRACE, NULL, 200, TRACE);
    post("/v1/jobs?function=square", "1\n2\n", NDJSON, "traceparent: " TRACE, 202, TRACE);
    struct job_id id = post("/v1/jobs", "{\"function\":\"square\",\"map\":[1],\"open\":true}", "traceparent: " TRACE,
                            NULL, 202, TRACE);
    char path[64];
    snprintf(path, sizeof path, "/v1/jobs/%s/close", id.text);
    post(path, "", "traceparent: " OTHER, NULL, 200, TRACE);
    post("/v1/jobs", map, NULL, NULL, 202, NULL);
}

/* The specification: a malformed one is as good as none, and never an error. */
static void test_malformed_is_ignored(void **state)
{
    (void)state;
    const char *map = "{\"function\":\"square\",\"map\":[1,2]}";
    post("/v1/jobs", map, "traceparent: " TRACE "-more", NULL, 202, NULL);
    post("/v1/jobs", map, "traceparent: 00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", NULL, 202, NULL);
    post("/v1/jobs", map, "traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01", NULL, 202, NULL);
    post("/v1/jobs", map, "traceparent;", NULL, 202, NULL); /* libcurl: a header without a value */
    post("/v1/jobs", map, "traceparent: " TRACE, "traceparent: " OTHER, 202, NULL);
    post("/v1/jobs", map, "traceparent: " TRACE, "traceparent: " TRACE, 202, NULL);
    post("/v1/jobs?function=square", "1\n", NDJSON, "traceparent: nonsense", 202, NULL);
    post("/v1/jobs", map, "traceparent: 02-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later",
         "tracestate: vendor=1", 202, TRACE);
}

/* A replay is the first job, whatever it says of itself; and who repeats a request in another trace is no other. */
static void test_replay_changes_nothing(void **state)
{
    (void)state;
    const char *map = "{\"function\":\"square\",\"map\":[1,2]}";
    struct job_id first = post("/v1/jobs", map, "Idempotency-Key: traced", "traceparent: " TRACE, 202, TRACE);
    struct job_id again = post("/v1/jobs", map, "Idempotency-Key: traced", "traceparent: " OTHER, 202, TRACE);
    assert_string_equal(first.text, again.text);
    again = post("/v1/jobs", map, "Idempotency-Key: traced", NULL, 202, TRACE);
    assert_string_equal(first.text, again.text);
}

static void test_a_retry_inherits(void **state)
{
    (void)state;
    char path[64];
    struct job_id id =
        post("/v1/jobs?wait=20", "{\"function\":\"fail\",\"map\":[{},{}]}", "traceparent: " TRACE, NULL, 200, TRACE);
    snprintf(path, sizeof path, "/v1/jobs/%s/retry?wait=20", id.text);
    struct job_id retry = post(path, "", NULL, NULL, 200, TRACE);
    post(path, "", "traceparent: nonsense", NULL, 200, TRACE);
    post(path, "", "traceparent: " OTHER, NULL, 200, OTHER);
    snprintf(path, sizeof path, "/v1/jobs/%s/retry?wait=20", retry.text);
    post(path, "", NULL, NULL, 200, TRACE);
    expect_text(id, "traceparent", TRACE); /* its own stays what it was */
}

static void test_it_outlives_a_restart(void **state)
{
    (void)state;
    struct reply r;
    struct job_id id =
        post("/v1/jobs?wait=20", "{\"function\":\"square\",\"map\":[1]}", "traceparent: " TRACE, NULL, 200, TRACE);
    assert_int_equal(service_stop(&service, 30000), 0);
    service_start(&service);
    assert_true(wait_workers(&web, NULL, 4, 20000));
    expect_text(id, "traceparent", TRACE);
    http_get(&web, &r, "/v1/jobs?limit=1");
    assert_string_equal(json_text(r.json, "jobs.0.traceparent"), TRACE);
    expect_status(&r, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_way_of_making_a_job), cmocka_unit_test(test_malformed_is_ignored),
        cmocka_unit_test(test_replay_changes_nothing),    cmocka_unit_test(test_a_retry_inherits),
        cmocka_unit_test(test_it_outlives_a_restart),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
