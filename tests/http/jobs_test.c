/* The life of a job over HTTP: submit, wait, look, list, cancel, retry, delete; and the routes around it. */
#include "fixture.h"

static void test_submit_is_accepted(void **state)
{
    (void)state;
    struct reply r;
    char location[128] = "", wanted[128];
    http_post(&web, &r, "/v1/jobs", "{\"function\":\"square\",\"map\":[1,2,3],\"name\":\"three squares\"}");
    assert_int_equal(r.status, 202);
    assert_int_equal(strlen(json_text(r.json, "id")), 16);
    assert_string_equal(json_text(r.json, "function"), "square");
    assert_string_equal(json_text(r.json, "name"), "three squares");
    assert_int_equal(json_number(r.json, "counts.total"), 3);
    assert_true(reply_header(&r, "location", location, sizeof location));
    snprintf(wanted, sizeof wanted, "/v1/jobs/%s", json_text(r.json, "id"));
    assert_non_null(strstr(location, wanted));
    reply_free(&r);
    http_get(&web, &r, "%s", wanted);
    expect_status(&r, 200);
    http_get(&web, &r, "%s/", wanted); /* a trailing slash is accepted */
    expect_status(&r, 200);
}

static void test_form_type_is_json(void **state)
{
    (void)state;
    struct reply r;
    http_ask(&web,
             &(struct ask){.method = "POST",
                           .path = "/v1/jobs?wait=20",
                           .body = "{\"function\":\"square\",\"apply\":12}",
                           .headers = {"Content-Type: application/x-www-form-urlencoded"}},
             &r);
    assert_int_equal(json_number(r.json, "value"), 144);
    expect_status(&r, 200);
}

static void test_wait_apply(void **state)
{
    (void)state;
    struct reply r;
    http_post(&web, &r, "/v1/jobs?wait=20", "{\"function\":\"square\",\"apply\":30}");
    assert_int_equal(json_number(r.json, "value"), 900);
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    expect_status(&r, 200);
    http_ask(&web,
             &(struct ask){.method = "POST",
                           .path = "/v1/jobs",
                           .body = "{\"function\":\"fail\",\"apply\":{}}",
                           .headers = {"Prefer: wait=20"}},
             &r);
    assert_string_equal(json_text(r.json, "state"), "failed");
    assert_string_equal(json_text(r.json, "error.type"), "error");
    assert_int_equal(json_number(r.json, "error.attempts"), 1);
    expect_status(&r, 200);
}

static void test_wait_ends_before_the_job(void **state)
{
    (void)state;
    struct reply r;
    http_post(&web, &r, "/v1/jobs?wait=0.2", "{\"function\":\"sleep\",\"apply\":2}");
    struct job_id id;
    snprintf(id.text, sizeof id.text, "%s", json_text(r.json, "id"));
    expect_status(&r, 202);
    http_get(&web, &r, "/v1/jobs/%s?wait=0.1", id.text);
    assert_string_equal(json_text(r.json, "state"), "running");
    expect_status(&r, 200);
    http_get(&web, &r, "/v1/jobs/%s?wait=20", id.text); /* comes back early, when it ends */
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    expect_status(&r, 200);
}

static void test_wait_map(void **state)
{
    (void)state;
    struct reply r;
    http_post(&web, &r, "/v1/jobs?wait=20", "{\"function\":\"square\",\"map\":[0,1,2,3,4,5,6,7,8,9]}");
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    assert_int_equal(json_number(r.json, "counts.succeeded"), 10);
    expect_status(&r, 200);
}

static void test_empty_map(void **state)
{
    (void)state;
    struct job_id id = run_job("{\"function\":\"square\",\"map\":[]}", "succeeded");
    char *got = results_of(id, "");
    assert_int_equal(count_lines(got), 1);
    assert_non_null(strstr(got, "\"end\":true"));
    free(got);
}

static void test_submit_and_stream(void **state)
{
    (void)state;
    struct reply r;
    char location[128];
    http_ask(&web,
             &(struct ask){.method = "POST",
                           .path = "/v1/jobs?order=input",
                           .body = "{\"function\":\"square\",\"map\":[2,3]}",
                           .headers = {"Accept: application/x-ndjson"}},
             &r);
    assert_true(reply_header(&r, "location", location, sizeof location));
    assert_non_null(strstr(r.body, "{\"index\":0,\"value\":4}\n{\"index\":1,\"value\":9}\n{\"end\":true"));
    expect_status(&r, 200);
    http_ask(&web,
             &(struct ask){.method = "POST",
                           .path = "/v1/jobs",
                           .body = "{\"function\":\"square\",\"map\":[2]}",
                           .headers = {"Accept: text/event-stream"}},
             &r);
    assert_non_null(strstr(r.body, "data: {\"index\":0,\"value\":4}\n"));
    expect_status(&r, 200);
}

static void test_list(void **state)
{
    (void)state;
    struct job_id ids[3];
    for (int i = 0; i < 3; i++)
        ids[i] = run_job("{\"function\":\"greet\",\"map\":[\"Ada\"]}", "succeeded");
    struct reply r;
    http_get(&web, &r, "/v1/jobs?function=greet&limit=2");
    const json_t *jobs = json_at(r.json, "jobs");
    assert_int_equal(json_array_size(jobs), 2);
    assert_string_equal(json_text(jobs, "0.id"), ids[2].text);
    assert_string_equal(json_text(jobs, "1.id"), ids[1].text);
    expect_status(&r, 200);
    http_get(&web, &r, "/v1/jobs?function=greet&limit=2&after=%s", ids[1].text);
    assert_string_equal(json_text(r.json, "jobs.0.id"), ids[0].text);
    expect_status(&r, 200);
    http_get(&web, &r, "/v1/jobs?state=succeeded&limit=1");
    assert_string_equal(json_text(r.json, "jobs.0.state"), "succeeded");
    expect_status(&r, 200);
    http_get(&web, &r, "/v1/jobs?state=open");
    assert_int_equal(json_array_size(json_at(r.json, "jobs")), 0);
    expect_status(&r, 200);
}

static void test_item_and_log(void **state)
{
    (void)state;
    struct job_id id = run_job("{\"function\":\"print\",\"map\":[\"hello\",\"world\"]}", "succeeded");
    struct reply r;
    http_get(&web, &r, "/v1/jobs/%s/items/1", id.text);
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    assert_string_equal(json_text(r.json, "value"), "world");
    assert_int_equal(json_number(r.json, "index"), 1);
    expect_status(&r, 200);
    http_get(&web, &r, "/v1/jobs/%s/log", id.text);
    assert_non_null(strstr(r.body, "hello"));
    assert_non_null(strstr(r.body, "world"));
    assert_non_null(strstr(r.body, "stderr"));
    expect_status(&r, 200);
}

static void test_crash_costs_one_item(void **state)
{
    (void)state;
    struct job_id id = run_job("{\"function\":\"crash\",\"map\":[0,\"SIGSEGV\",0]}", "failed");
    struct reply r;
    http_get(&web, &r, "/v1/jobs/%s/items/1", id.text);
    assert_string_equal(json_text(r.json, "error.type"), "crash");
    assert_string_equal(json_text(r.json, "error.signal"), "SIGSEGV");
    assert_true(json_is_null(json_at(r.json, "error.exit_code")));
    assert_int_equal(json_array_size(json_at(r.json, "attempts")), 1);
    assert_string_equal(json_text(r.json, "attempts.0.type"), "crash");
    expect_status(&r, 200);
    assert_int_equal(job_number(id, "counts.failed"), 1 + 2); /* 0 is no signal: an error, not a crash */
    id = run_job("{\"function\":\"exit\",\"apply\":7}", "failed");
    http_get(&web, &r, "/v1/jobs/%s/items/0", id.text);
    assert_int_equal(json_number(r.json, "error.exit_code"), 7);
    expect_status(&r, 200);
}

static void test_cancel(void **state)
{
    (void)state;
    struct job_id id = job_submit(&web, "{\"function\":\"hang\",\"map\":[1,2,3,4,5,6,7,8]}");
    struct reply r;
    char path[96];
    assert_true(wait_workers(&web, "ready", 0, 10000));
    snprintf(path, sizeof path, "/v1/jobs/%s/cancel", id.text);
    http_post(&web, &r, path, "");
    assert_int_equal(r.status / 100, 2);
    reply_free(&r);
    job_wait(&web, id, 20000, &r);
    assert_string_equal(json_text(r.json, "state"), "cancelled");
    assert_int_equal(json_number(r.json, "counts.cancelled"), 8);
    reply_free(&r);
    char *got = results_of(id, "");
    assert_int_equal(count_lines(got), 9);
    assert_non_null(strstr(got, "\"type\":\"cancelled\""));
    free(got);
    refuse("POST", path, "", 409, "job-ended");
    assert_true(wait_workers(&web, NULL, 4, 20000));
}

static void test_retry(void **state)
{
    (void)state;
    struct job_id id = run_job("{\"function\":\"exit\",\"map\":[1,-5,2]}", "failed");
    struct reply r;
    char path[96];
    snprintf(path, sizeof path, "/v1/jobs/%s/retry", id.text);
    char *before = results_of(id, "");
    http_post(&web, &r, path, "");
    assert_string_equal(json_text(r.json, "retry_of"), id.text);
    assert_int_equal(json_number(r.json, "counts.total"), 3);
    struct job_id retry;
    snprintf(retry.text, sizeof retry.text, "%s", json_text(r.json, "id"));
    assert_int_equal(r.status / 100, 2);
    reply_free(&r);
    job_wait(&web, retry, 20000, &r);
    reply_free(&r);
    expect_text(id, "retried_by", retry.text);
    char *after = results_of(id, "");
    assert_string_equal(before, after);
    free(before);
    free(after);
    id = run_job("{\"function\":\"square\",\"map\":[1,2]}", "succeeded");
    snprintf(path, sizeof path, "/v1/jobs/%s/retry", id.text);
    refuse("POST", path, "", 409, "nothing-to-retry");
}

/* Only what failed, and each item knows which it was. */
static void test_retry_of_some(void **state)
{
    (void)state;
    struct job_id id = run_job("{\"function\":\"square\",\"map\":[1,\"x\",2,\"y\"]}", "failed");
    struct reply r;
    char path[96];
    snprintf(path, sizeof path, "/v1/jobs/%s/retry", id.text);
    http_post(&web, &r, path, "");
    struct job_id retry;
    snprintf(retry.text, sizeof retry.text, "%s", json_text(r.json, "id"));
    assert_int_equal(json_number(r.json, "counts.total"), 2);
    reply_free(&r);
    job_wait(&web, retry, 20000, &r);
    reply_free(&r);
    http_get(&web, &r, "/v1/jobs/%s/items/1", retry.text);
    assert_int_equal(json_number(r.json, "origin"), 3);
    expect_status(&r, 200);
}

static void test_delete(void **state)
{
    (void)state;
    struct reply r;
    char path[96];
    struct job_id running = job_submit(&web, "{\"function\":\"sleep\",\"apply\":1}");
    snprintf(path, sizeof path, "/v1/jobs/%s", running.text);
    refuse("DELETE", path, NULL, 409, "job-not-ended");
    struct job_id id = run_job("{\"function\":\"square\",\"map\":[1]}", "succeeded");
    snprintf(path, sizeof path, "/v1/jobs/%s", id.text);
    http_delete(&web, &r, "%s", path);
    assert_int_equal(r.length, 0);
    expect_status(&r, 204);
    refuse("GET", path, NULL, 410, "gone");
    refuse("DELETE", path, NULL, 410, "gone");
    strcat(path, "/results");
    refuse("GET", path, NULL, 410, "gone");
    refuse("GET", "/v1/jobs/0123456789abcdeg", NULL, 404, "not-found");
}

static void test_functions(void **state)
{
    (void)state;
    struct reply r;
    http_get(&web, &r, "/v1/functions");
    assert_non_null(strstr(r.body, "\"square\""));
    assert_non_null(strstr(r.body, "\"crash\"")); /* --test-functions */
    expect_status(&r, 200);
    http_get(&web, &r, "/v1/functions/square");
    assert_string_equal(json_text(r.json, "name"), "square");
    assert_true(json_text(r.json, "summary")[0] != '\0');
    expect_status(&r, 200);
    refuse("GET", "/v1/functions/nothing", NULL, 404, "not-found");
}

static void test_pool(void **state)
{
    (void)state;
    struct reply r;
    http_get(&web, &r, "/v1/pool");
    assert_int_equal(json_number(r.json, "processes"), 4);
    assert_true(json_number(r.json, "cpu_count") >= 1);
    expect_status(&r, 200);
    const char *sizes[] = {"{\"processes\":6}", "{\"processes\":2}", "{\"processes\":4}"};
    const int counts[] = {6, 2, 4};
    for (int i = 0; i < 3; i++) {
        http_ask(&web, &(struct ask){.method = "PATCH", .path = "/v1/pool", .body = sizes[i]}, &r);
        assert_int_equal(r.status / 100, 2);
        reply_free(&r);
        assert_true(wait_workers(&web, NULL, counts[i], 20000));
        run_job("{\"function\":\"square\",\"map\":[1,2,3]}", "succeeded");
    }
    refuse("PATCH", "/v1/pool", "{\"processes\":0}", 400, "invalid-value");
    refuse("PATCH", "/v1/pool", "{\"processes\":481}", 400, "invalid-value");
    refuse("PATCH", "/v1/pool", "{\"threads\":2}", 400, "unknown-field");
    refuse("PATCH", "/v1/pool", "{\"processes\":4,\"processes\":4}", 400, "invalid-value");
}

static void test_small_routes(void **state)
{
    (void)state;
    static const char *const paths[] = {"/healthz", "/readyz", "/openapi.yaml", "/v1/workers"};
    struct reply r;
    for (int i = 0; i < 4; i++) {
        http_get(&web, &r, "%s", paths[i]);
        assert_true(r.length > 0);
        expect_status(&r, 200);
        http_ask(&web, &(struct ask){.method = "HEAD", .path = paths[i]}, &r);
        assert_int_equal(r.length, 0);
        expect_status(&r, 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_submit_is_accepted),
        cmocka_unit_test(test_form_type_is_json),
        cmocka_unit_test(test_wait_apply),
        cmocka_unit_test(test_wait_ends_before_the_job),
        cmocka_unit_test(test_wait_map),
        cmocka_unit_test(test_empty_map),
        cmocka_unit_test(test_submit_and_stream),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_item_and_log),
        cmocka_unit_test(test_crash_costs_one_item),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_retry_of_some),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_small_routes),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
