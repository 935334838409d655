/* The options of a job: each seen to do what it says. Time never decides, except as a generous deadline. */
#include "fixture.h"

static void test_timeout(void **state)
{
    (void)state;
    struct job_id id = run_job("{\"function\":\"sleep\",\"map\":[0.01,60,0.02],\"timeout\":0.3}", "failed");
    char *got = results_of(id, "");
    assert_non_null(strstr(got, "{\"index\":0,\"value\":0.01}"));
    assert_non_null(strstr(got, "{\"index\":1,\"error\":{\"type\":\"timeout\""));
    assert_non_null(strstr(got, "{\"index\":2,\"value\":0.02}"));
    free(got);
    assert_true(wait_workers(&web, NULL, 4, 20000));
}

static void test_timeout_of_one_that_ignores_sigterm(void **state)
{
    (void)state;
    struct job_id id = run_job("{\"function\":\"hang\",\"map\":[1,2],\"timeout\":0.2}", "failed");
    assert_int_equal(job_number(id, "counts.failed"), 2);
    assert_true(wait_workers(&web, NULL, 4, 20000));
}

static void test_max_attempts(void **state)
{
    (void)state;
    struct job_id id =
        run_job("{\"function\":\"fail\",\"apply\":{\"until\":3},\"max_attempts\":3,\"backoff\":0.01}", "succeeded");
    struct reply r;
    http_get(&web, &r, "/v1/jobs/%s/items/0", id.text);
    assert_int_equal(json_number(r.json, "value"), 3);
    assert_int_equal(json_array_size(json_at(r.json, "attempts")), 2);
    expect_status(&r, 200);
    id = run_job("{\"function\":\"fail\",\"apply\":{\"until\":9},\"max_attempts\":3,\"backoff\":0.01}", "failed");
    http_get(&web, &r, "/v1/jobs/%s/items/0", id.text);
    assert_int_equal(json_number(r.json, "error.attempts"), 3);
    assert_int_equal(json_array_size(json_at(r.json, "attempts")), 3);
    expect_status(&r, 200);
}

static void test_attempts_after_crashes(void **state)
{
    (void)state;
    struct job_id id = run_job("{\"function\":\"crash_until\",\"map\":[{\"until\":1},{\"until\":2},{\"until\":3}],"
                               "\"max_attempts\":3,\"backoff\":0}",
                               "succeeded");
    char *got = results_of(id, "");
    for (int i = 0; i < 3; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "{\"index\":%d,\"value\":%d}", i, i + 1);
        assert_non_null(strstr(got, wanted));
    }
    free(got);
    struct reply r;
    http_get(&web, &r, "/v1/jobs/%s/items/2", id.text);
    assert_string_equal(json_text(r.json, "attempts.1.signal"), "SIGKILL");
    expect_status(&r, 200);
}

/* Many crashes in one chunk: each is blamed on its own item, and no neighbour pays. */
static void test_exact_blame(void **state)
{
    (void)state;
    enum { N = 300 };
    char *body = malloc(N * 16 + 200), *at = body + sprintf(body, "{\"function\":\"crash\",\"chunksize\":64,\"map\":[");
    for (int i = 0; i < N; i++)
        at += sprintf(at, "%s%s", i % 50 == 7 ? "\"SIGKILL\"" : "\"no signal\"", i + 1 < N ? "," : "]}");
    struct job_id id = run_job(body, "failed");
    free(body);
    char *got = results_of(id, "");
    for (unsigned i = 0; i < N; i++) {
        char *line = line_of(got, i);
        assert_non_null(strstr(line, i % 50 == 7 ? "\"type\":\"crash\"" : "\"type\":\"error\""));
        free(line);
    }
    free(got);
    assert_true(wait_workers(&web, NULL, 4, 20000));
}

static void test_fail_fast(void **state)
{
    (void)state;
    struct job_id id = run_job("{\"function\":\"sleep\",\"map\":[\"x\",5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5],"
                               "\"fail_fast\":true}",
                               "failed");
    assert_int_equal(job_number(id, "counts.failed"), 1);
    assert_int_equal(job_number(id, "counts.cancelled"), 16);
    char *got = results_of(id, "");
    assert_int_equal(count_lines(got), 18); /* each item has its result all the same */
    free(got);
}

static void test_delay(void **state)
{
    (void)state;
    long long start = now_ms();
    struct job_id id = job_submit(&web, "{\"function\":\"square\",\"map\":[1],\"delay\":0.7}");
    expect_text(id, "state", "ready");
    struct reply r;
    job_wait(&web, id, 20000, &r);
    assert_true(now_ms() - start >= 650);
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    reply_free(&r);
}

/* With processes 1 there is never more than one item at work. */
static void test_processes(void **state)
{
    (void)state;
    struct job_id id = job_submit(&web, "{\"function\":\"sleep\",\"processes\":1,\"map\":[0.1,0.1,0.1,0.1,0.1]}");
    for (long long n = 0; n < 5; sleep_ms(5)) {
        struct reply r;
        http_get(&web, &r, "/v1/jobs/%s", id.text);
        assert_true(json_number(r.json, "counts.running") <= 1);
        n = json_number(r.json, "counts.succeeded");
        expect_status(&r, 200);
    }
}

/* All workers are busy; of what waits then, the more urgent comes first. */
static void test_priority(void **state)
{
    (void)state;
    struct job_id blocker = job_submit(&web, "{\"function\":\"sleep\",\"map\":[0.6,0.6,0.6,0.6]}");
    assert_true(wait_workers(&web, "ready", 0, 10000));
    struct job_id low =
        job_submit(&web, "{\"function\":\"sleep\",\"priority\":0,\"map\":[0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,"
                         "0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2]}");
    struct job_id high = job_submit(&web, "{\"function\":\"sleep\",\"priority\":9,\"map\":[0.01,0.01,0.01,0.01]}");
    struct reply r;
    job_wait(&web, high, 20000, &r);
    reply_free(&r);
    assert_true(job_number(low, "counts.succeeded") < 24);
    job_wait(&web, low, 30000, &r);
    reply_free(&r);
    job_wait(&web, blocker, 20000, &r);
    reply_free(&r);
}

/* A short job beside a long one waits for a slice, not for the map. */
static void test_fairness(void **state)
{
    (void)state;
    char *body = malloc(4000), *at = body + sprintf(body, "{\"function\":\"sleep\",\"map\":[");
    for (int i = 0; i < 400; i++)
        at += sprintf(at, "0.02%s", i + 1 < 400 ? "," : "]}");
    struct job_id map = job_submit(&web, body);
    free(body);
    struct reply r;
    http_post(&web, &r, "/v1/jobs?wait=20", "{\"function\":\"square\",\"apply\":5}");
    assert_int_equal(json_number(r.json, "value"), 25);
    expect_status(&r, 200);
    assert_true(job_number(map, "counts.succeeded") < 400);
    job_wait(&web, map, 30000, &r);
    reply_free(&r);
}

/* A process of its own for each item. */
static void test_isolation(void **state)
{
    (void)state;
    struct job_id id = run_job("{\"function\":\"pid\",\"isolation\":\"process\",\"map\":[1,2,3,4,5]}", "succeeded");
    char *got = results_of(id, "");
    int pids[5];
    for (unsigned i = 0; i < 5; i++) {
        char *line = line_of(got, i);
        assert_int_equal(sscanf(strstr(line, "\"value\":"), "\"value\":%d", &pids[i]), 1);
        for (unsigned k = 0; k < i; k++)
            assert_int_not_equal(pids[i], pids[k]);
        free(line);
    }
    free(got);
    assert_true(wait_workers(&web, NULL, 4, 20000)); /* and they are gone again */
    assert_int_equal(procs_count(service.mark, ROLE_WORKER), 4);
}

static void test_retention(void **state)
{
    (void)state;
    struct job_id id = run_job("{\"function\":\"square\",\"map\":[1],\"retention\":1}", "succeeded");
    struct reply r;
    bool gone = false;
    for (long long end = now_ms() + 20000; !gone && now_ms() < end; sleep_ms(50)) {
        http_get(&web, &r, "/v1/jobs/%s", id.text);
        gone = r.status == 410;
        reply_free(&r);
    }
    assert_true(gone);
}

static void test_query_options(void **state)
{
    (void)state;
    struct reply r;
    http_ask(&web,
             &(struct ask){.method = "POST",
                           .path = "/v1/jobs?function=fail&max_attempts=2&backoff=0.01&name=a%20b&wait=20",
                           .body = "{\"until\":2}\n{\"until\":3}\n",
                           .headers = {"Content-Type: application/x-ndjson"}},
             &r);
    assert_string_equal(json_text(r.json, "name"), "a b");
    assert_int_equal(json_number(r.json, "counts.succeeded"), 1);
    assert_int_equal(json_number(r.json, "counts.failed"), 1);
    expect_status(&r, 200);
}

static void test_starmap(void **state)
{
    (void)state;
    struct reply r;
    http_post(&web, &r, "/v1/jobs?wait=20", "{\"function\":\"sum\",\"starmap\":[[1,2],[3,4,5]]}");
    assert_int_equal(json_number(r.json, "counts.total"), 2);
    expect_status(&r, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeout),       cmocka_unit_test(test_timeout_of_one_that_ignores_sigterm),
        cmocka_unit_test(test_max_attempts),  cmocka_unit_test(test_attempts_after_crashes),
        cmocka_unit_test(test_exact_blame),   cmocka_unit_test(test_fail_fast),
        cmocka_unit_test(test_delay),         cmocka_unit_test(test_processes),
        cmocka_unit_test(test_priority),      cmocka_unit_test(test_fairness),
        cmocka_unit_test(test_isolation),     cmocka_unit_test(test_retention),
        cmocka_unit_test(test_query_options), cmocka_unit_test(test_starmap),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
