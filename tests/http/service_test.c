/* What depends on how the service was started or ends: token, free space, draining, caps, where it listens. */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef"

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void begin(const char *const *args)
{
    signal(SIGPIPE, SIG_IGN);
    service_begin(&service, args);
    http_open(&web, &service);
}

static void end(void)
{
    http_close(&web);
    service_end(&service);
}

static void test_token(void **state)
{
    (void)state;
    char path[] = "/tmp/poold-token-XXXXXX", header[128];
    close(mkstemp(path));
    write_file(path, TOKEN "\n");
    begin((const char *const[]){"--token-file", path, NULL});
    struct reply r;
    refuse("GET", "/v1/workers", NULL, 401, "unauthorized");
    refuse_with("GET", "/v1/workers", NULL, "Authorization: Bearer " TOKEN "x", 401, "unauthorized");
    refuse_with("GET", "/v1/workers", NULL, "Authorization: Basic " TOKEN, 401, "unauthorized");
    refuse("POST", "/v1/jobs", "{\"function\":\"square\",\"map\":[1]}", 401, "unauthorized");
    snprintf(header, sizeof header, "Authorization: Bearer %s", TOKEN);
    http_ask(&web, &(struct ask){.path = "/v1/workers", .headers = {header}}, &r);
    expect_status(&r, 200);
    http_get(&web, &r, "/healthz"); /* a container's health check has no token */
    expect_status(&r, 200);
    assert_int_equal(service_log_count(&service, TOKEN), 0);
    end();
    unlink(path);
}

static void test_no_space(void **state)
{
    (void)state;
    begin((const char *const[]){"--min-free", "1000000G", "--processes", "1", NULL});
    assert_true(wait_workers(&web, NULL, 1, 20000));
    sleep_ms(1500); /* the free space is looked at every second */
    refuse("POST", "/v1/jobs", "{\"function\":\"square\",\"map\":[1]}", 507, "storage-full");
    struct reply r;
    http_get(&web, &r, "/v1/jobs"); /* reading goes on */
    expect_status(&r, 200);
    end();
}

static void test_draining(void **state)
{
    (void)state;
    begin((const char *const[]){"--processes", "1", NULL});
    assert_true(wait_workers(&web, NULL, 1, 20000));
    struct job_id id = job_submit(&web, "{\"function\":\"sleep\",\"map\":[2]}");
    assert_true(wait_workers(&web, "ready", 0, 10000));
    kill(service.pid, SIGTERM);
    struct reply r;
    long status = 202;
    for (long long end = now_ms() + 5000; status == 202 && now_ms() < end; sleep_ms(10)) {
        status = http_post(&web, &r, "/v1/jobs", "{\"function\":\"square\",\"map\":[1]}");
        if (status == 503)
            expect_problem(&r, 503, "draining");
        reply_free(&r);
    }
    assert_true(status == 503 || status == 0);
    for (long long end = now_ms() + 20000; service_alive(&service) && now_ms() < end;)
        sleep_ms(10);
    assert_int_equal(service.pid, 0);
    service_start(&service); /* what ran was allowed to finish */
    job_wait(&web, id, 20000, &r);
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    reply_free(&r);
    end();
}

static void test_too_many_streams(void **state)
{
    (void)state;
    enum { STREAMS = 8 };
    begin((const char *const[]){"--max-streams", "8", "--processes", "1", NULL});
    assert_true(wait_workers(&web, NULL, 1, 20000));
    struct job_id id = job_submit(&web, "{\"function\":\"sleep\",\"map\":[4]}");
    char text[256];
    int fds[STREAMS];
    snprintf(text, sizeof text, "GET /v1/jobs/%s/results HTTP/1.1\r\nHost: localhost\r\n\r\n", id.text);
    for (int i = 0; i < STREAMS; i++) {
        fds[i] = raw_connect(&service);
        raw_send(fds[i], text, strlen(text));
    }
    sleep_ms(300);
    snprintf(text, sizeof text, "/v1/jobs/%s/results", id.text);
    refuse("GET", text, NULL, 503, "overloaded");
    for (int i = 0; i < STREAMS; i++)
        close(fds[i]);
    struct reply r;
    job_wait(&web, id, 20000, &r);
    reply_free(&r);
    end();
}

static void test_elsewhere_needs_a_token(void **state)
{
    (void)state;
    begin((const char *const[]){"--processes", "1", NULL});
    assert_int_equal(service_stop(&service, 20000), 0);
    service.args[2] = "--listen=0.0.0.0:0";
    assert_false(service_try_start(&service, 10000));
    assert_int_equal(service.pid, 0); /* it said no, and ended */
    service.args[2] = NULL;
    service_start(&service);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_no_space),
        cmocka_unit_test(test_draining),
        cmocka_unit_test(test_too_many_streams),
        cmocka_unit_test(test_elsewhere_needs_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
