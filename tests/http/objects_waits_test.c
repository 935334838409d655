/* Shared objects over HTTP: who waits, who leaves while waiting, lines that are put as they come. No commands run here:
 * TSan cannot follow them (clone). */
#include "fixture.h"

#include <pthread.h>
#include <unistd.h>

static const char lines_type[] = "Content-Type: application/x-ndjson";

static void must(const char *method, const char *path, const char *body, long status)
{
    struct reply r;
    http_ask(&web, &(struct ask){.method = method, .path = path, .body = body}, &r);
    if (r.status != status)
        print_error("%s %s\n", method, path);
    expect_status(&r, status);
}

static void must_wait_for(const char *url, const char *path, const char *value)
{
    if (!wait_for(&web, url, path, value, 20000))
        fail_msg("%s: %s never became %s", url, path, value);
}

/* ---- one who waits: a thread with its own connection ---- */

struct waiter {
    pthread_t thread;
    const char *method, *path, *body;
    long status;
    char answer[256];
};

static void *wait_in_thread(void *context)
{
    struct waiter *w = context;
    struct http own;
    struct reply r;
    http_open(&own, &service);
    http_ask(&own, &(struct ask){.method = w->method, .path = w->path, .body = w->body}, &r);
    w->status = r.status;
    snprintf(w->answer, sizeof w->answer, "%s", r.body ? r.body : "");
    reply_free(&r);
    http_close(&own);
    return NULL;
}

static void begin(struct waiter *w, const char *method, const char *path, const char *body)
{
    *w = (struct waiter){.method = method, .path = path, .body = body};
    assert_int_equal(pthread_create(&w->thread, NULL, wait_in_thread, w), 0);
}

static void end(struct waiter *w, long status, const char *answer)
{
    pthread_join(w->thread, NULL);
    if (w->status != status || strstr(w->answer, answer) == NULL)
        fail_msg("%s %s: %ld %s, expected %ld %s", w->method, w->path, w->status, w->answer, status, answer);
}

/* ---- waiting ---- */

static void test_getters_in_order(void **state)
{
    (void)state;
    struct waiter w[4];
    char count[8];
    must("PUT", "/v1/queues/order", "", 201);
    for (int i = 0; i < 4; i++) {
        begin(&w[i], "POST", "/v1/queues/order/get?wait=60", "");
        snprintf(count, sizeof count, "%d", i + 1);
        must_wait_for("/v1/queues/order", "waiting", count);
    }
    must("POST", "/v1/queues/order/put", "{\"values\":[0,1]}", 200);
    must("POST", "/v1/queues/order/put", "{\"value\":2}", 200);
    must("POST", "/v1/queues/order/put", "{\"value\":3}", 200);
    for (int i = 0; i < 4; i++) {
        char value[32];
        snprintf(value, sizeof value, "{\"value\":%d,", i);
        end(&w[i], 200, value);
    }
    must("DELETE", "/v1/queues/order", NULL, 204);
}

static void test_put_waits_for_room(void **state)
{
    (void)state;
    struct waiter w;
    must("PUT", "/v1/queues/room", "{\"maxsize\":1}", 201);
    must("POST", "/v1/queues/room/put", "{\"value\":1}", 200);
    begin(&w, "POST", "/v1/queues/room/put?wait=60", "{\"value\":\n2}"); /* what waits must be kept, and on one line */
    must_wait_for("/v1/queues/room", "waiting", "1");
    must("POST", "/v1/queues/room/get", "", 200);
    end(&w, 200, "{\"size\":1}");
    refuse("POST", "/v1/queues/room/put?wait=0.05", "{\"value\":3}", 409, "queue-full");
    must("DELETE", "/v1/queues/room", NULL, 204);
}

static void test_join_waits(void **state)
{
    (void)state;
    struct waiter w;
    must("PUT", "/v1/queues/joined", "", 201);
    must("POST", "/v1/queues/joined/put", "{\"values\":[1,2]}", 200);
    begin(&w, "GET", "/v1/queues/joined/join?wait=60", NULL);
    must_wait_for("/v1/queues/joined", "waiting", "1");
    must("POST", "/v1/queues/joined/task_done", "", 204);
    must("POST", "/v1/queues/joined/task_done", "", 204);
    end(&w, 204, "");
    must("DELETE", "/v1/queues/joined", NULL, 204);
}

static void test_deleted_while_waited_for(void **state)
{
    (void)state;
    struct waiter w;
    must("PUT", "/v1/queues/doomed", "", 201);
    begin(&w, "POST", "/v1/queues/doomed/get?wait=60", "");
    must_wait_for("/v1/queues/doomed", "waiting", "1");
    must("DELETE", "/v1/queues/doomed", NULL, 204);
    end(&w, 410, "object-deleted");
}

static void test_lock_and_pipe_wait(void **state)
{
    (void)state;
    struct waiter w;
    must("PUT", "/v1/locks/w", "", 201);
    must("POST", "/v1/locks/w/acquire", "{\"ttl\":0.3}", 200);
    begin(&w, "POST", "/v1/locks/w/acquire?wait=60", "{\"ttl\":60}");
    end(&w, 200, "\"token\":"); /* when the first ttl is over */
    must("DELETE", "/v1/locks/w", NULL, 204);
    must("PUT", "/v1/pipes/w", "", 201);
    begin(&w, "POST", "/v1/pipes/w/a/recv?wait=60", "");
    must_wait_for("/v1/pipes/w", "waiting", "1");
    must("POST", "/v1/pipes/w/b/send", "{\"value\":7}", 204);
    end(&w, 200, "{\"value\":7}");
    begin(&w, "GET", "/v1/pipes/w/a/poll?wait=60", NULL);
    must_wait_for("/v1/pipes/w", "waiting", "1");
    must("POST", "/v1/pipes/w/b/close", "", 204);
    end(&w, 200, "{\"ready\":true}");
    must("DELETE", "/v1/pipes/w", NULL, 204);
}

static void test_prefer(void **state)
{
    (void)state;
    struct reply r;
    char applied[32] = "";
    must("PUT", "/v1/queues/prefer", "", 201);
    must("POST", "/v1/queues/prefer/put", "{\"value\":1}", 200);
    http_ask(
        &web,
        &(struct ask){.method = "POST", .path = "/v1/queues/prefer/get", .body = "", .headers = {"Prefer: wait=20"}},
        &r);
    assert_true(reply_header(&r, "Preference-Applied", applied, sizeof applied));
    assert_string_equal(applied, "wait");
    expect_status(&r, 200);
    must("DELETE", "/v1/queues/prefer", NULL, 204);
}

/* ---- leaving ---- */

static int ask_and_wait(const char *head)
{
    char text[512];
    int fd = raw_connect(&service);
    snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", head);
    assert_true(raw_send(fd, text, strlen(text)));
    return fd;
}

/* Its end of the connection is closed before the element comes: the element must stay, whoever notices first. */
static void test_leaver_takes_nothing(void **state)
{
    (void)state;
    must("PUT", "/v1/queues/left", "", 201);
    for (int i = 0; i < 30; i++) {
        int fd = ask_and_wait("POST /v1/queues/left/get?wait=60");
        must_wait_for("/v1/queues/left", "waiting", "1");
        close(fd);
        must("POST", "/v1/queues/left/put", "{\"value\":\"mine\"}", 200);
        must("POST", "/v1/queues/left/get", "", 200);
    }
    must("DELETE", "/v1/queues/left", NULL, 204);
}

/* … and it leaves no trace, though nothing happens to what it waits for. */
static void test_leaver_is_forgotten(void **state)
{
    (void)state;
    must("PUT", "/v1/queues/gone", "", 201);
    int fd = ask_and_wait("POST /v1/queues/gone/get?wait=300");
    must_wait_for("/v1/queues/gone", "waiting", "1");
    close(fd);
    must_wait_for("/v1/queues/gone", "waiting", "0");
    must("DELETE", "/v1/queues/gone", NULL, 204);
}

static void test_shutdown_ends_waiting(void **state)
{
    (void)state;
    struct waiter w;
    must("PUT", "/v1/queues/late", "", 201);
    must("POST", "/v1/queues/late/put", "{\"values\":[1,2,3]}", 200);
    must("PUT", "/v1/queues/early", "", 201);
    begin(&w, "POST", "/v1/queues/early/get?wait=300", "");
    must_wait_for("/v1/queues/early", "waiting", "1");
    assert_int_equal(service_stop(&service, 20000), 0);
    pthread_join(w.thread, NULL);
    assert_true(w.status == 503 || w.status == 0);
    service_start(&service);
    http_close(&web);
    http_open(&web, &service);
    must_wait_for("/v1/queues/late", "size", "3"); /* what was acknowledged */
    must("DELETE", "/v1/queues/late", NULL, 204);
    must("DELETE", "/v1/queues/early", NULL, 204);
}

/* ---- lines ---- */

static void put_lines(const char *path, const char *lines, struct reply *r)
{
    http_ask(&web, &(struct ask){.method = "POST", .path = path, .body = lines, .headers = {lines_type}}, r);
}

static void test_lines(void **state)
{
    (void)state;
    struct reply r;
    must("PUT", "/v1/queues/lines", "", 201);
    put_lines("/v1/queues/lines/put", "1\n\n {\"a\" : 1e400} \r\n\"x\"", &r);
    assert_string_equal(r.body, "{\"accepted\":3,\"size\":3}\n");
    expect_status(&r, 200);
    http_post(&web, &r, "/v1/queues/lines/get?n=9", "");
    assert_string_equal(r.body, "{\"values\":[1,{\"a\" : 1e400},\"x\"]}\n");
    reply_free(&r);
    put_lines("/v1/queues/lines/put", "1\n2\n{\n4\n", &r);
    expect_problem(&r, 400, "invalid-line");
    assert_int_equal(json_number(r.json, "line"), 3);
    assert_int_equal(json_number(r.json, "accepted"), 2);
    reply_free(&r);
    put_lines("/v1/queues/lines/put", "", &r);
    expect_status(&r, 200);
    put_lines("/v1/queues/none/put", "1\n", &r);
    expect_problem(&r, 404, "object-missing");
    reply_free(&r);
    refuse_with("POST", "/v1/queues/lines/put?wait=x", "1\n", lines_type, 400, "invalid-parameter");
    must_wait_for("/v1/queues/lines", "size", "2");
    must("DELETE", "/v1/queues/lines", NULL, 204);
}

struct counting {
    unsigned given, n;
    int fail_at; /* line that is broken; -1: none */
};

static size_t give_numbers(void *context, char *to, size_t size)
{
    struct counting *c = context;
    size_t length = 0;
    while (c->given < c->n && length + 24 < size) {
        bool bad = c->fail_at >= 0 && c->given == (unsigned)c->fail_at;
        length += (size_t)sprintf(to + length, bad ? "nothing%u\n" : "%u\n", c->given);
        c->given++;
    }
    return length;
}

static void upload(const char *path, struct counting *c, struct reply *r)
{
    http_ask(
        &web,
        &(struct ask){.method = "POST", .path = path, .headers = {lines_type}, .upload = give_numbers, .context = c},
        r);
}

/* Many more than fit one call, in order. */
static void test_many_lines(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    struct counting c = {.n = MANY, .fail_at = -1};
    struct reply r;
    unsigned next = 0;
    must("PUT", "/v1/queues/many", "", 201);
    upload("/v1/queues/many/put", &c, &r);
    assert_int_equal(json_number(r.json, "accepted"), MANY);
    expect_status(&r, 200);
    while (next < MANY) {
        http_post(&web, &r, "/v1/queues/many/get?n=10000", "");
        const json_t *values = json_at(r.json, "values");
        assert_true(json_array_size(values) > 0);
        for (size_t i = 0; i < json_array_size(values); i++, next++)
            assert_int_equal(json_integer_value(json_array_get(values, i)), next);
        reply_free(&r);
    }
    must_wait_for("/v1/queues/many", "size", "0");
    c = (struct counting){.n = 50000, .fail_at = 30000};
    upload("/v1/queues/many/put", &c, &r);
    expect_problem(&r, 400, "invalid-line");
    assert_int_equal(json_number(r.json, "accepted"), 30000);
    reply_free(&r);
    must_wait_for("/v1/queues/many", "size", "30000");
    must("DELETE", "/v1/queues/many", NULL, 204);
}

static void test_full_of_lines(void **state)
{
    (void)state;
    struct counting c = {.n = 100000, .fail_at = -1};
    struct reply r;
    must("PUT", "/v1/queues/full", "{\"maxsize\":10}", 201);
    upload("/v1/queues/full/put", &c, &r);
    if (r.code == CURLE_OK) { /* or it was cut while it sent what nobody wanted */
        expect_problem(&r, 409, "queue-full");
        long long accepted = json_number(r.json, "accepted");
        assert_true(accepted > 0 && accepted <= 10);
    }
    reply_free(&r);
    must("DELETE", "/v1/queues/full", NULL, 204);
}

static void *upload_in_thread(void *context)
{
    struct waiter *w = context;
    struct counting c = {.n = 500, .fail_at = -1};
    struct http own;
    struct reply r;
    http_open(&own, &service);
    http_ask(&own,
             &(struct ask){
                 .method = "POST", .path = w->path, .headers = {lines_type}, .upload = give_numbers, .context = &c},
             &r);
    w->status = r.status;
    snprintf(w->answer, sizeof w->answer, "%s", r.body ? r.body : "");
    reply_free(&r);
    http_close(&own);
    return NULL;
}

/* A queue that is full slows the producer down. */
static void test_lines_wait_for_room(void **state)
{
    (void)state;
    struct waiter w = {.method = "POST", .path = "/v1/queues/narrow/put?wait=60"};
    struct reply r;
    must("PUT", "/v1/queues/narrow", "{\"maxsize\":7}", 201);
    assert_int_equal(pthread_create(&w.thread, NULL, upload_in_thread, &w), 0);
    for (unsigned next = 0; next < 500; next++) {
        http_post(&web, &r, "/v1/queues/narrow/get?wait=20", "");
        assert_int_equal(json_number(r.json, "value"), next);
        reply_free(&r);
    }
    end(&w, 200, "\"accepted\":500");
    must("DELETE", "/v1/queues/narrow", NULL, 204);
}

static void test_leaver_of_lines(void **state)
{
    (void)state;
    static const char head[] =
        "POST /v1/queues/half/put?wait=300 HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/x-ndjson\r\nContent-Length: 1000000\r\n\r\n1\n2\n3\n4\n5\n6\n";
    must("PUT", "/v1/queues/half", "{\"maxsize\":4}", 201);
    int fd = raw_connect(&service);
    assert_true(raw_send(fd, head, sizeof head - 1));
    must_wait_for("/v1/queues/half", "waiting", "1");
    must_wait_for("/v1/queues/half", "size", "4");
    close(fd);
    must_wait_for("/v1/queues/half", "waiting", "0");
    must("POST", "/v1/queues/half/get?n=4", "", 200);
    must_wait_for("/v1/queues/half", "size", "0");
    must("DELETE", "/v1/queues/half", NULL, 204);
}

/* A line is put when it comes, not when the body ends. */
static void test_trickle(void **state)
{
    (void)state;
    static const char head[] = "POST /v1/queues/slow/put HTTP/1.1\r\nHost: localhost\r\n"
                               "Content-Type: application/x-ndjson\r\nContent-Length: 4\r\n\r\n1\n";
    char answer[1024];
    must("PUT", "/v1/queues/slow", "", 201);
    int fd = raw_connect(&service);
    assert_true(raw_send(fd, head, sizeof head - 1));
    must_wait_for("/v1/queues/slow", "size", "1");
    assert_true(raw_send(fd, "2\n", 2));
    must_wait_for("/v1/queues/slow", "size", "2");
    raw_read(fd, answer, sizeof answer, 200);
    assert_non_null(strstr(answer, "{\"accepted\":2,\"size\":2}"));
    close(fd);
    must("DELETE", "/v1/queues/slow", NULL, 204);
}

static int setup(void **state)
{
    (void)state;
    return fixture_begin((const char *const[]){"--grace", "1s", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_getters_in_order),
        cmocka_unit_test(test_put_waits_for_room),
        cmocka_unit_test(test_join_waits),
        cmocka_unit_test(test_deleted_while_waited_for),
        cmocka_unit_test(test_lock_and_pipe_wait),
        cmocka_unit_test(test_prefer),
        cmocka_unit_test(test_leaver_takes_nothing),
        cmocka_unit_test(test_leaver_is_forgotten),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_many_lines),
        cmocka_unit_test(test_full_of_lines),
        cmocka_unit_test(test_lines_wait_for_room),
        cmocka_unit_test(test_leaver_of_lines),
        cmocka_unit_test(test_trickle),
        cmocka_unit_test(test_shutdown_ends_waiting),
    };
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
