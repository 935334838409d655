/* Open jobs, uploads of NDJSON, and Idempotency-Key. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static struct job_id open_job(const char *function)
{
    char body[128];
    snprintf(body, sizeof body, "{\"function\":\"%s\",\"map\":[],\"open\":true}", function);
    struct job_id id = job_submit(&web, body);
    expect_text(id, "state", "open");
    return id;
}

static long add(struct job_id id, const char *body, const char *media)
{
    struct reply r;
    char path[96], type[96];
    snprintf(path, sizeof path, "/v1/jobs/%s/items", id.text);
    snprintf(type, sizeof type, "Content-Type: %s", media);
    long status = http_ask(&web, &(struct ask){.method = "POST", .path = path, .body = body, .headers = {type}}, &r);
    reply_free(&r);
    return status;
}

static void close_job(struct job_id id)
{
    struct reply r;
    char path[96];
    snprintf(path, sizeof path, "/v1/jobs/%s/close", id.text);
    http_post(&web, &r, path, "");
    if (r.status / 100 != 2)
        fail_msg("close: %ld %s", r.status, r.body);
    reply_free(&r);
}

static void test_open_job(void **state)
{
    (void)state;
    struct job_id id = open_job("square");
    assert_int_equal(add(id, "[1,2]", "application/json") / 100, 2);
    assert_int_equal(add(id, "3\n4\n\n5", "application/x-ndjson") / 100, 2);
    assert_int_equal(job_number(id, "counts.total"), 5);
    assert_true(wait_for(&web, "/v1/jobs?limit=1", "jobs.0.counts.succeeded", "5", 20000));
    expect_text(id, "state", "open"); /* all done, but more may come */
    assert_int_equal(add(id, "[6]", "application/json") / 100, 2);
    close_job(id);
    struct reply r;
    job_wait(&web, id, 20000, &r);
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    assert_int_equal(json_number(r.json, "counts.total"), 6);
    reply_free(&r);
    char *got = results_of(id, "");
    assert_non_null(strstr(got, "{\"index\":5,\"value\":36}"));
    free(got);
    assert_int_equal(add(id, "[7]", "application/json"), 409);
}

/* Bad items are refused as a whole when they come as an array; as lines, what came before the bad one stays. */
static void test_bad_items(void **state)
{
    (void)state;
    struct job_id id = open_job("echo");
    assert_int_equal(add(id, "[1,2,x]", "application/json"), 400);
    assert_int_equal(job_number(id, "counts.total"), 0);
    assert_int_equal(add(id, "1\n2\nx\n", "application/x-ndjson"), 400);
    assert_true(job_number(id, "counts.total") <= 2);
    expect_text(id, "state", "open");
    close_job(id);
}

static void test_empty_open_job(void **state)
{
    (void)state;
    struct job_id id = open_job("square");
    close_job(id);
    struct reply r;
    job_wait(&web, id, 20000, &r);
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    reply_free(&r);
}

static void test_cancel_open_job(void **state)
{
    (void)state;
    struct job_id id = open_job("square");
    struct reply r;
    char path[96];
    snprintf(path, sizeof path, "/v1/jobs/%s/cancel", id.text);
    http_post(&web, &r, path, "");
    assert_int_equal(r.status / 100, 2);
    reply_free(&r);
    job_wait(&web, id, 20000, &r);
    assert_string_equal(json_text(r.json, "state"), "cancelled");
    reply_free(&r);
    assert_int_equal(add(id, "[1]", "application/json"), 409);
}

/* Results come while the items do. */
struct upload {
    unsigned given;
    unsigned n;
    atomic_bool may_go_on, wait;
};

static size_t give(void *context, char *to, size_t size)
{
    struct upload *u = context;
    size_t length = 0;
    while (u->wait && u->given >= u->n / 2 && !u->may_go_on)
        sleep_ms(2);
    while (u->given < u->n && length + 16 < size && length < 2000)
        length += (size_t)sprintf(to + length, "%u\n", u->given++);
    return length;
}

struct uploader {
    struct job_id id;
    struct upload upload;
    long status;
};

static void *upload_run(void *context)
{
    struct uploader *u = context;
    struct http h;
    struct reply r;
    char path[96];
    http_open(&h, &service);
    snprintf(path, sizeof path, "/v1/jobs/%s/items", u->id.text);
    u->status = http_ask(&h,
                         &(struct ask){.method = "POST",
                                       .path = path,
                                       .upload = give,
                                       .context = &u->upload,
                                       .headers = {"Content-Type: application/x-ndjson"}},
                         &r);
    reply_free(&r);
    http_close(&h);
    return NULL;
}

static void test_results_during_upload(void **state)
{
    (void)state;
    struct uploader u = {.id = open_job("square"), .upload = {.n = 20000, .wait = true}};
    pthread_t thread;
    pthread_create(&thread, NULL, upload_run, &u);
    /* The upload stands still at its half; what has been sent must nevertheless become results. */
    bool some = false;
    for (long long end = now_ms() + 20000; !some && now_ms() < end; sleep_ms(10))
        some = job_number(u.id, "counts.succeeded") > 1000;
    u.upload.may_go_on = true;
    pthread_join(thread, NULL);
    assert_true(some);
    assert_int_equal(u.status / 100, 2);
    close_job(u.id);
    struct reply r;
    job_wait(&web, u.id, 20000, &r);
    assert_int_equal(json_number(r.json, "counts.succeeded"), 20000);
    reply_free(&r);
}

/* The job's own POST as a long NDJSON upload. */
static void test_ndjson_submission(void **state)
{
    (void)state;
    struct upload u = {.n = 100000};
    struct reply r;
    http_ask(&web,
             &(struct ask){.method = "POST",
                           .path = "/v1/jobs?function=square&name=long",
                           .upload = give,
                           .context = &u,
                           .headers = {"Content-Type: application/x-ndjson"}},
             &r);
    struct job_id id;
    snprintf(id.text, sizeof id.text, "%s", json_text(r.json, "id"));
    assert_string_equal(json_text(r.json, "name"), "long");
    expect_status(&r, 202);
    job_wait(&web, id, 30000, &r);
    assert_int_equal(json_number(r.json, "counts.succeeded"), 100000);
    reply_free(&r);
}

static size_t give_and_break(void *context, char *to, size_t size)
{
    struct upload *u = context;
    return u->given > 5000 ? (size_t)-1 : give(u, to, size);
}

/* A client that vanishes during its submission was never told of a job: none stays running. */
static void test_broken_submission(void **state)
{
    (void)state;
    struct upload u = {.n = 100000};
    struct reply r;
    http_ask(&web,
             &(struct ask){.method = "POST",
                           .path = "/v1/jobs?function=cube",
                           .upload = give_and_break,
                           .context = &u,
                           .headers = {"Content-Type: application/x-ndjson"}},
             &r);
    assert_int_equal(r.status, 0);
    reply_free(&r);
    bool over = false;
    for (long long end = now_ms() + 20000; !over && now_ms() < end; sleep_ms(20)) {
        http_get(&web, &r, "/v1/jobs?function=cube");
        const char *now = json_text(r.json, "jobs.0.state");
        over = r.status == 200 && (now[0] == '\0' || strcmp(now, "cancelled") == 0);
        reply_free(&r);
    }
    assert_true(over);
}

static int connections(struct http *h)
{
    struct reply r;
    int count = -1;
    http_get(h, &r, "/metrics");
    const char *at = strstr(r.body, "\npoold_http_connections ");
    if (at != NULL)
        sscanf(at, "\npoold_http_connections %d", &count);
    reply_free(&r);
    return count;
}

/* No job of that name is there (its end was seen before its first items were handed on), or it is cancelled. */
static bool no_job_lives(const char *name)
{
    struct reply r;
    http_get(&web, &r, "/v1/jobs?function=echo&limit=1");
    bool over = r.status == 200 && (strcmp(json_text(r.json, "jobs.0.name"), name) != 0 ||
                                    strcmp(json_text(r.json, "jobs.0.state"), "cancelled") == 0);
    reply_free(&r);
    return over;
}

/* The same when its end comes in one packet with its last data. */
static void test_submission_cut_at_once(void **state)
{
    (void)state;
    static const char text[] = "POST /v1/jobs?function=echo&name=cut HTTP/1.1\r\nHost: localhost\r\n"
                               "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "4\r\n1\n2\n\r\n";
    struct http later;
    int fd = raw_connect(&service);
    assert_true(raw_send(fd, text, sizeof text - 1));
    close(fd);
    http_open(&later, &service);
    connections(&later); /* its own is taken after the cut one, so that one is counted from now on, or was */
    bool over = false;
    for (long long end = now_ms() + 20000; !over && now_ms() < end; sleep_ms(50))
        over = connections(&later) == 2 && no_job_lives("cut"); /* web's and its own */
    http_close(&later);
    assert_true(over);
}

/* ---- Idempotency-Key ---- */

static void post_key(const char *key, const char *body, struct reply *r)
{
    char header[128];
    snprintf(header, sizeof header, "Idempotency-Key: %s", key);
    http_ask(&web, &(struct ask){.method = "POST", .path = "/v1/jobs", .body = body, .headers = {header}}, r);
}

static void test_replay(void **state)
{
    (void)state;
    struct reply first, again;
    post_key("key-1", "{\"function\":\"square\",\"map\":[1,2,3]}", &first);
    post_key("key-1", "{\"function\":\"square\",\"map\":[1,2,3]}", &again);
    assert_string_equal(json_text(first.json, "id"), json_text(again.json, "id"));
    reply_free(&again);
    post_key("key-1", "{\"function\":\"square\",\"map\":[1,2,4]}", &again);
    expect_problem(&again, 422, "key-reused");
    reply_free(&again);
    assert_int_equal(service_stop(&service, 30000), 0);
    service_start(&service);
    assert_true(wait_workers(&web, NULL, 4, 20000));
    post_key("key-1", "{\"function\":\"square\",\"map\":[1,2,3]}", &again);
    assert_string_equal(json_text(first.json, "id"), json_text(again.json, "id"));
    reply_free(&first);
    reply_free(&again);
}

static void test_bad_key(void **state)
{
    (void)state;
    struct reply r;
    char key[400];
    memset(key, 'k', sizeof key);
    strcpy(key, "Idempotency-Key: ");
    memset(key + 17, 'k', 300);
    key[317] = '\0';
    http_ask(
        &web,
        &(struct ask){
            .method = "POST", .path = "/v1/jobs", .body = "{\"function\":\"square\",\"map\":[]}", .headers = {key}},
        &r);
    expect_problem(&r, 400, "invalid-header");
    reply_free(&r);
}

/* While the first upload with a key is under way, a second is told so. */
struct keyed {
    struct upload upload;
    long status;
};

static void *keyed_run(void *context)
{
    struct keyed *k = context;
    struct http h;
    struct reply r;
    http_open(&h, &service);
    k->status = http_ask(&h,
                         &(struct ask){.method = "POST",
                                       .path = "/v1/jobs?function=square",
                                       .upload = give,
                                       .context = &k->upload,
                                       .headers = {"Content-Type: application/x-ndjson", "Idempotency-Key: busy"}},
                         &r);
    reply_free(&r);
    http_close(&h);
    return NULL;
}

static void test_key_in_flight(void **state)
{
    (void)state;
    struct keyed k = {.upload = {.n = 20000, .wait = true}};
    pthread_t thread;
    pthread_create(&thread, NULL, keyed_run, &k);
    struct reply r;
    bool conflict = false;
    for (long long end = now_ms() + 10000; !conflict && now_ms() < end; sleep_ms(20)) {
        http_ask(&web,
                 &(struct ask){.method = "POST",
                               .path = "/v1/jobs?function=square",
                               .body = "0\n1\n",
                               .headers = {"Content-Type: application/x-ndjson", "Idempotency-Key: busy"}},
                 &r);
        conflict = r.status == 409;
        if (conflict)
            expect_problem(&r, 409, "key-in-flight");
        bool first = r.status == 202; /* the other one will be told */
        reply_free(&r);
        if (first)
            break;
    }
    k.upload.may_go_on = true;
    pthread_join(thread, NULL);
    assert_true(conflict || k.status == 409 || k.status == 422);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_job),
        cmocka_unit_test(test_bad_items),
        cmocka_unit_test(test_empty_open_job),
        cmocka_unit_test(test_cancel_open_job),
        cmocka_unit_test(test_results_during_upload),
        cmocka_unit_test(test_ndjson_submission),
        cmocka_unit_test(test_broken_submission),
        cmocka_unit_test(test_submission_cut_at_once),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_bad_key),
        cmocka_unit_test(test_key_in_flight),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
