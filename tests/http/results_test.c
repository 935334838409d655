/* Pagination and resume at every boundary, in both orders and all three forms. */
#include "fixture.h"

enum { N = 40 };
static struct job_id finished;

static int setup(void **state)
{
    fixture_setup(state);
    char body[512], *at = body + sprintf(body, "{\"function\":\"square\",\"chunksize\":3,\"map\":[");
    for (int i = 0; i < N; i++)
        at += sprintf(at, "%d%s", i, i + 1 < N ? "," : "]}");
    finished = run_job(body, "succeeded");
    return 0;
}

static const char *const orders[] = {"input", "completion"};

/* Skipping n results gives the lines after the n-th, for every n; one too many is only the end. */
static void test_from_everywhere(void **state)
{
    (void)state;
    for (int o = 0; o < 2; o++) {
        char query[64];
        snprintf(query, sizeof query, "?order=%s", orders[o]);
        char *all = results_of(finished, query);
        assert_int_equal(count_lines(all), N + 1);
        const char *rest = all;
        for (int from = 0; from <= N; from++) {
            snprintf(query, sizeof query, "?order=%s&from=%d", orders[o], from);
            char *got = results_of(finished, query);
            assert_string_equal(got, rest);
            free(got);
            rest = strchr(rest, '\n') + 1;
        }
        free(all);
    }
}

static void test_input_order(void **state)
{
    (void)state;
    char *all = results_of(finished, ""), wanted[64];
    for (unsigned i = 0; i < N; i++) {
        char *line = line_of(all, i);
        snprintf(wanted, sizeof wanted, "{\"index\":%u,\"value\":%u}", i, i * i);
        assert_string_equal(line, wanted);
        free(line);
    }
    char *end = line_of(all, N);
    assert_non_null(strstr(end, "\"end\":true"));
    assert_non_null(strstr(end, "\"state\":\"succeeded\""));
    assert_non_null(strstr(end, "\"counts\":{"));
    free(end);
    free(all);
}

/* Pages of every size from every place, put together, are the whole. */
static void test_pages(void **state)
{
    (void)state;
    for (int o = 0; o < 2; o++) {
        for (int limit = 1; limit <= N + 1; limit += limit < 8 ? 1 : 11) {
            bool seen[N] = {false};
            long long from = 0;
            int pages = 0;
            for (bool end = false; !end; pages++) {
                struct reply r;
                http_get_as(&web, &r, "application/json", "/v1/jobs/%s/results?order=%s&from=%lld&limit=%d",
                            finished.text, orders[o], from, limit);
                const json_t *results = json_at(r.json, "results");
                assert_true(json_array_size(results) <= (size_t)limit);
                for (size_t i = 0; i < json_array_size(results); i++) {
                    long long index = json_number(json_array_get(results, i), "index");
                    assert_true(index >= 0 && index < N && !seen[index]);
                    assert_true(o == 1 || index == from + (long long)i);
                    seen[index] = true;
                }
                from += (long long)json_array_size(results);
                end = json_is_true(json_at(r.json, "end"));
                if (!end)
                    assert_int_equal(json_number(r.json, "next"), from);
                expect_status(&r, 200);
                assert_true(pages <= N + 1);
            }
            assert_int_equal(from, N);
        }
    }
}

static void test_page_of_a_running_job(void **state)
{
    (void)state;
    struct job_id id = job_submit(&web, "{\"function\":\"sleep\",\"map\":[1]}");
    struct reply r;
    http_get_as(&web, &r, "application/json", "/v1/jobs/%s/results", id.text);
    assert_int_equal(json_array_size(json_at(r.json, "results")), 0);
    assert_true(json_is_false(json_at(r.json, "end")));
    assert_int_equal(json_number(r.json, "next"), 0);
    expect_status(&r, 200);
    http_get(&web, &r, "/v1/jobs/%s/results?format=json", id.text);
    assert_true(json_is_array(json_at(r.json, "results")));
    expect_status(&r, 200);
    job_wait(&web, id, 20000, &r); /* the next test counts on 4 idle workers */
    reply_free(&r);
}

/* Event ids are places: Last-Event-ID goes on behind them. */
static void test_last_event_id(void **state)
{
    (void)state;
    struct reply all;
    http_get_as(&web, &all, "text/event-stream", "/v1/jobs/%s/results?order=completion", finished.text);
    char media[64];
    assert_true(reply_header(&all, "content-type", media, sizeof media));
    assert_int_equal(strncmp(media, "text/event-stream", 17), 0);
    assert_true(reply_header(&all, "x-accel-buffering", media, sizeof media));
    assert_string_equal(media, "no");
    const char *at = all.body;
    for (int i = 0; i < N; i++) {
        at = strstr(at, "id: ");
        assert_non_null(at);
        char id[64], header[96], path[128];
        sscanf(at, "id: %63s", id);
        at = strchr(strstr(at, "data: "), '\n');
        snprintf(header, sizeof header, "Last-Event-ID: %s", id);
        snprintf(path, sizeof path, "/v1/jobs/%s/results?order=completion", finished.text);
        struct reply r;
        http_ask(&web, &(struct ask){.path = path, .headers = {header, "Accept: text/event-stream"}}, &r);
        assert_non_null(r.body);
        const char *first = strstr(r.body, "data: "), *wanted = strstr(at, "data: ");
        assert_non_null(first);
        assert_string_equal(first, wanted);
        expect_status(&r, 200);
    }
    reply_free(&all);
}

static void test_formats(void **state)
{
    (void)state;
    static const char *const formats[][2] = {
        {"ndjson", "application/x-ndjson"}, {"sse", "text/event-stream"}, {"json", "application/json"}};
    for (int i = 0; i < 3; i++) {
        struct reply r;
        char media[64] = "";
        http_get(&web, &r, "/v1/jobs/%s/results?format=%s", finished.text, formats[i][0]);
        reply_header(&r, "content-type", media, sizeof media);
        assert_int_equal(strncmp(media, formats[i][1], strlen(formats[i][1])), 0);
        expect_status(&r, 200);
    }
}

/* A stream follows the job until it ends, and what was read before the end is its prefix. */
static void test_follow_a_running_job(void **state)
{
    (void)state;
    struct job_id id = job_submit(&web, "{\"function\":\"sleep\",\"map\":[0.5,0.1,0.3,0.01]}");
    char *followed = results_of(id, "?order=completion");
    char *again = results_of(id, "?order=completion");
    assert_int_equal(count_lines(followed), 5);
    assert_int_equal(strncmp(followed, "{\"index\":3,", 11), 0); /* the shortest first: there are 4 workers */
    char *a = line_of(followed, 3), *b = line_of(again, 3);
    assert_string_equal(a, b);
    free(a);
    free(b);
    char *ordered = results_of(id, "?order=input");
    assert_int_equal(strncmp(ordered, "{\"index\":0,", 11), 0);
    free(ordered);
    free(again);
    free(followed);
}

/* After a restart everything comes from the store, and it is the same. */
static void test_same_after_restart(void **state)
{
    (void)state;
    char *before = results_of(finished, "?order=completion");
    assert_int_equal(service_stop(&service, 30000), 0);
    service_start(&service);
    char *after = results_of(finished, "?order=completion");
    assert_string_equal(before, after);
    free(before);
    free(after);
    test_from_everywhere(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_everywhere),
        cmocka_unit_test(test_input_order),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_page_of_a_running_job),
        cmocka_unit_test(test_last_event_id),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_follow_a_running_job),
        cmocka_unit_test(test_same_after_restart),
    };
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
