/* Slow, vanishing and many clients: none of them takes the service from the others. */
#include "fixture.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CAP = 300 };

static int setup(void **state)
{
    static const char *const args[] = {"--max-connections", "300", "--max-connections-per-address", "300", NULL};
    (void)state;
    return fixture_begin(args);
}

/* ---- vanishing ---- */

static bool first_piece_only(void *context, const char *bytes, size_t length)
{
    (void)bytes;
    *(size_t *)context += length;
    return false;
}

static void test_vanishing_reader_cancels_nothing(void **state)
{
    (void)state;
    struct job_id id = job_submit(&web, "{\"function\":\"sleep\",\"map\":[0.1,0.2,0.3,0.4,0.3,0.2,0.1,0.2]}");
    char path[96];
    snprintf(path, sizeof path, "/v1/jobs/%s/results?order=completion", id.text);
    for (int i = 0; i < 5; i++) {
        size_t got = 0;
        struct reply r;
        http_ask(&web, &(struct ask){.path = path, .on_data = first_piece_only, .context = &got}, &r);
        assert_true(got > 0);
        reply_free(&r);
    }
    struct reply r;
    job_wait(&web, id, 20000, &r);
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    reply_free(&r);
}

static void test_vanishing_submitter_cancels_nothing(void **state)
{
    (void)state;
    size_t got = 0;
    struct reply r;
    http_ask(&web,
             &(struct ask){.method = "POST",
                           .path = "/v1/jobs?order=completion",
                           .body = "{\"function\":\"sleep\",\"name\":\"left\",\"map\":[0.1,0.5,0.5]}",
                           .headers = {"Accept: application/x-ndjson"},
                           .on_data = first_piece_only,
                           .context = &got},
             &r);
    reply_free(&r);
    struct job_id id;
    http_get(&web, &r, "/v1/jobs?limit=1");
    snprintf(id.text, sizeof id.text, "%s", json_text(r.json, "jobs.0.id"));
    assert_string_equal(json_text(r.json, "jobs.0.name"), "left");
    expect_status(&r, 200);
    job_wait(&web, id, 20000, &r);
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    reply_free(&r);
}

/* Those who wait or stream and go away leave no descriptor behind. */
static void test_no_descriptor_is_leaked(void **state)
{
    (void)state;
    struct job_id id = job_submit(&web, "{\"function\":\"sleep\",\"map\":[3]}");
    char text[256];
    pid_t server = procs_role(service.mark, ROLE_SERVER, 0);
    int before = procs_descriptors(server);
    snprintf(text, sizeof text, "GET /v1/jobs/%s/results HTTP/1.1\r\nHost: localhost\r\n\r\n", id.text);
    for (int i = 0; i < 50; i++) {
        int fd = raw_connect(&service);
        raw_send(fd, text, strlen(text));
        close(fd);
    }
    struct reply r;
    job_wait(&web, id, 30000, &r);
    reply_free(&r);
    int after = 0;
    for (long long end = now_ms() + 60000; now_ms() < end; sleep_ms(50))
        if ((after = procs_descriptors(server)) <= before + 4)
            return;
    fail_msg("%d descriptors before, %d after", before, after);
}

/* ---- slow ---- */

/* A reader that takes nothing holds its own stream, not the job, nor the memory of the server. */
static void test_slow_reader(void **state)
{
    (void)state;
    enum { N = 300000 };
    char *body = malloc(N * 8 + 100), *at = body + sprintf(body, "{\"function\":\"square\",\"map\":[");
    for (int i = 0; i < N; i++)
        at += sprintf(at, "%d%s", i, i + 1 < N ? "," : "]}");
    struct job_id id = job_submit(&web, body);
    free(body);
    int fd = raw_connect(&service);
    char text[256];
    snprintf(text, sizeof text, "GET /v1/jobs/%s/results HTTP/1.0\r\nHost: localhost\r\n\r\n", id.text);
    raw_send(fd, text, strlen(text));
    struct reply r;
    job_wait(&web, id, 30000, &r);
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    reply_free(&r);
    run_job("{\"function\":\"square\",\"map\":[1]}", "succeeded");
    /* … and then it takes everything. */
    char *all = malloc(32 << 20);
    raw_read(fd, all, 32 << 20, 60000);
    close(fd);
    assert_non_null(strstr(all, "{\"index\":299999,"));
    assert_non_null(strstr(all, "\"end\":true"));
    free(all);
}

/* ---- many ---- */

enum { STREAMS = 200 };

struct watcher {
    struct job_id id;
    struct stream stream;
    long status;
};

static bool in_order(void *context, uint32_t index, const char *value, size_t length, bool failed)
{
    uint32_t *next = context;
    (void)value;
    (void)length;
    return !failed && index == (*next)++;
}

static void *watch(void *context)
{
    struct watcher *w = context;
    struct http h;
    struct reply r;
    char path[96];
    uint32_t next = 0;
    w->stream = (struct stream){.on_result = in_order, .context = &next};
    http_open(&h, &service);
    snprintf(path, sizeof path, "/v1/jobs/%s/results", w->id.text);
    w->status = http_ask(&h, &(struct ask){.path = path, .on_data = stream_data, .context = &w->stream}, &r);
    reply_free(&r);
    http_close(&h);
    return NULL;
}

static void test_many_streams(void **state)
{
    (void)state;
    static struct watcher watchers[STREAMS];
    static pthread_t threads[STREAMS];
    struct job_id id = job_submit(&web, "{\"function\":\"sleep\",\"map\":[1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.5,0.5]}");
    for (int i = 0; i < STREAMS; i++) {
        watchers[i].id = id;
        pthread_create(&threads[i], NULL, watch, &watchers[i]);
    }
    for (int i = 0; i < STREAMS; i++) {
        pthread_join(threads[i], NULL);
        struct watcher *w = &watchers[i];
        if (w->status != 200 || w->stream.lines != 10 || w->stream.wrong != 0 || !w->stream.ended)
            fail_msg("stream %d: status %ld, %zu lines, %zu wrong (%s)", i, w->status, w->stream.lines, w->stream.wrong,
                     w->stream.first_wrong);
        stream_free(&w->stream);
    }
}

/* ---- the cap ---- */

static void test_health_at_the_cap(void **state)
{
    (void)state;
    static int fds[CAP + 50];
    int count = 0;
    while (count < CAP + 50 && (fds[count] = raw_try_connect(&service)) != -1)
        count++;
    assert_true(count >= CAP);
    sleep_ms(200);
    int status = raw_status(&service, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < count; i++)
        close(fds[i]);
    assert_int_equal(status, 200);
    assert_true(wait_for(&web, "/v1/pool", "processes", "4", 20000)); /* and it recovers */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vanishing_reader_cancels_nothing),
        cmocka_unit_test(test_vanishing_submitter_cancels_nothing),
        cmocka_unit_test(test_no_descriptor_is_leaked),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_many_streams),
        cmocka_unit_test(test_health_at_the_cap),
    };
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
