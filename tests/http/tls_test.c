/* HTTPS: all ways of asking and answering, certificates that are renewed, and clients that do it wrong. */
#include "fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/certificate.h"

enum { ITEMS = 100000 };

static char folder[64], cert[96], key[96], old[96];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/poold-tls-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(old, sizeof old, "%s/old.pem", folder);
    certificate_make(cert, key);
    const char *const args[] = {"--tls-cert", cert, "--tls-key", key, "--max-body", "8M", NULL};
    return fixture_begin(args);
}

static int teardown(void **state)
{
    /* One that shakes hands, one that has said nothing: the service ends anyway. */
    int half = raw_connect(&service), silent = raw_connect(&service);
    raw_send(half, "\x16\x03\x01\x02", 4);
    int result = fixture_teardown(state);
    close(half);
    close(silent);
    unlink(cert);
    unlink(key);
    unlink(old);
    rmdir(folder);
    return result;
}

/* ---- asking and answering ---- */

static void test_apply_and_head(void **state)
{
    (void)state;
    struct reply r;
    for (int i = 0; i < 20; i++) {
        http_post(&web, &r, "/v1/jobs?wait=30", "{\"function\":\"square\",\"apply\":12}");
        assert_int_equal(json_number(r.json, "value"), 144);
        expect_status(&r, 200);
    }
    http_ask(&web, &(struct ask){.method = "HEAD", .path = "/v1/jobs"}, &r);
    assert_int_equal(r.length, 0);
    expect_status(&r, 200);
    http_get(&web, &r, "/");
    expect_status(&r, 200);
    refuse("GET", "/nowhere", NULL, 404, "not-found");
}

/* A browser's page of this service says https in Origin. */
static void test_origin(void **state)
{
    (void)state;
    char ours[96];
    struct reply r;
    snprintf(ours, sizeof ours, "Origin: https://127.0.0.1:%u", service.port);
    http_ask(&web, &(struct ask){.path = "/v1/jobs", .headers = {ours, "Sec-Fetch-Site: same-origin"}}, &r);
    expect_status(&r, 200);
    refuse_with("GET", "/v1/jobs", NULL, "Origin: https://elsewhere.example", 403, "cross-site");
}

static char *numbers(const char *before, int count, const char *between, const char *after)
{
    char *text = malloc((size_t)count * 9 + 200), *at = text + sprintf(text, "%s", before);
    for (int i = 0; i < count; i++)
        at += sprintf(at, "%d%s", i, i + 1 < count ? between : after);
    return text;
}

struct squares {
    unsigned char *seen;
    uint32_t next;
    bool ordered;
};

static bool is_square(void *context, uint32_t index, const char *value, size_t length, bool failed)
{
    struct squares *s = context;
    (void)length;
    if (failed || index >= ITEMS || s->seen[index]++ || (s->ordered && index != s->next++))
        return false;
    return strtoll(value, NULL, 10) == (long long)index * index;
}

static void follow(const char *path, const char *body, const char *accept, bool ordered)
{
    struct squares squares = {.seen = calloc(ITEMS, 1), .ordered = ordered};
    struct stream stream = {.on_result = is_square, .context = &squares};
    struct reply r;
    http_ask(&web,
             &(struct ask){.path = path, .body = body, .headers = {accept}, .on_data = stream_data, .context = &stream},
             &r);
    assert_int_equal(r.code, CURLE_OK);
    expect_status(&r, 200);
    assert_int_equal(stream.wrong, 0);
    assert_int_equal(stream.lines, ITEMS);
    assert_true(stream.ended);
    stream_free(&stream);
    free(squares.seen);
}

static void test_streams(void **state)
{
    (void)state;
    char path[128], *body = numbers("{\"function\":\"square\",\"map\":[", ITEMS, ",", "]}");
    follow("/v1/jobs?order=completion", body, "Accept: application/x-ndjson", false); /* while it runs */
    struct job_id id = job_submit(&web, body);
    free(body);
    snprintf(path, sizeof path, "/v1/jobs/%s/results?order=input", id.text);
    follow(path, NULL, "Accept: application/x-ndjson", true);
    follow(path, NULL, "Accept: application/x-ndjson", true); /* once more, of a job that has ended */
}

static void test_events(void **state)
{
    (void)state;
    struct reply r;
    http_ask(&web,
             &(struct ask){.path = "/v1/jobs",
                           .body = "{\"function\":\"sleep\",\"map\":[0.3,0.1,0.2]}",
                           .headers = {"Accept: text/event-stream"}},
             &r);
    assert_non_null(strstr(r.body, "id: 3\ndata: {\"index\":"));
    assert_non_null(strstr(r.body, "event: end\ndata: {\"end\":true"));
    expect_status(&r, 200);
}

/* ---- bodies ---- */

struct upload {
    char *text;
    size_t length, at;
};

static size_t next_piece(void *context, char *to, size_t size)
{
    struct upload *u = context;
    size_t left = u->length - u->at, n = left < size ? left : size;
    memcpy(to, u->text + u->at, n);
    u->at += n;
    return n;
}

static void test_large_uploads(void **state)
{
    (void)state;
    enum { LINES = 1000000 };
    struct reply r;
    struct upload u = {.text = numbers("", LINES, "\n", "\n")};
    u.length = strlen(u.text);
    http_ask(&web,
             &(struct ask){.path = "/v1/jobs?function=square&wait=60",
                           .headers = {"Content-Type: application/x-ndjson"},
                           .upload = next_piece,
                           .context = &u},
             &r);
    free(u.text);
    assert_int_equal(json_number(r.json, "counts.succeeded"), LINES);
    expect_status(&r, 200);
    char *body = numbers("{\"function\":\"square\",\"map\":[", LINES, ",", "]}");
    assert_true(strlen(body) > 6 << 20);
    struct job_id id = job_submit(&web, body);
    job_wait(&web, id, 60000, &r);
    assert_int_equal(json_number(r.json, "counts.succeeded"), LINES);
    reply_free(&r);
    free(body);
}

static size_t endless(void *context, char *to, size_t size)
{
    size_t *sent = context;
    if (*sent > 400u << 20)
        return 0;
    memset(to, *sent == 0 ? '{' : ' ', size);
    *sent += size;
    return size;
}

/* What is refused in the middle of a body is answered past libmicrohttpd (body.c). */
static void test_early_refusals(void **state)
{
    (void)state;
    struct reply r;
    size_t sent = 0;
    http_ask(&web,
             &(struct ask){.path = "/v1/jobs",
                           .headers = {"Content-Type: application/json"},
                           .upload = endless,
                           .context = &sent,
                           .fresh = true},
             &r);
    assert_true(sent < 100u << 20);
    expect_problem(&r, 413, "body-too-large");
    reply_free(&r);
    sent = 0;
    http_ask(&web,
             &(struct ask){.path = "/v1/jobs?function=square",
                           .headers = {"Content-Type: application/x-ndjson"},
                           .upload = endless,
                           .context = &sent,
                           .fresh = true},
             &r);
    assert_true(sent < 100u << 20);
    assert_int_equal(r.status / 100, 4);
    assert_non_null(strstr(r.body, "urn:poold:problem:"));
    reply_free(&r);
    run_job("{\"function\":\"square\",\"map\":[1]}", "succeeded");
}

static size_t ignore(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

/* curl sends the body only when it is told to go on. */
static void test_expect_continue(void **state)
{
    (void)state;
    long status = 0;
    char url[128], *body = numbers("{\"function\":\"square\",\"map\":[", ITEMS, ",", "]}");
    snprintf(url, sizeof url, "https://127.0.0.1:%u/v1/jobs", service.port);
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Expect: 100-continue");
    headers = curl_slist_append(headers, "Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, cert);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_EXPECT_100_TIMEOUT_MS, 60000L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 30000L);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    assert_int_equal(status, 202);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    free(body);
}

/* ---- many ---- */

enum { CLIENTS = 50 };

static bool complain(const char *what, const struct reply *r)
{
    fprintf(stderr, "%s: curl %d, status %ld: %.300s\n", what, (int)r->code, r->status, r->body);
    return false;
}

static void *ask_often(void *context)
{
    bool *right = context;
    struct http h;
    struct reply r;
    http_open(&h, &service);
    *right = true;
    for (int i = 0; i < 5; i++) {
        http_ask(&h,
                 &(struct ask){
                     .path = "/v1/jobs?wait=60", .body = "{\"function\":\"square\",\"apply\":7}", .fresh = i % 2 == 0},
                 &r);
        if (json_number(r.json, "value") != 49)
            *right = complain("apply", &r);
        reply_free(&r);
    }
    struct stream stream = {0};
    http_ask(&h,
             &(struct ask){.path = "/v1/jobs?order=completion",
                           .body = "{\"function\":\"sleep\",\"map\":[0.1,0,0.1,0]}",
                           .headers = {"Accept: application/x-ndjson"},
                           .on_data = stream_data,
                           .context = &stream},
             &r);
    if (stream.lines != 4 || !stream.ended)
        *right = complain("stream", &r);
    reply_free(&r);
    stream_free(&stream);
    http_close(&h);
    return NULL;
}

static void test_many_clients(void **state)
{
    (void)state;
    static pthread_t threads[CLIENTS];
    static bool right[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        pthread_create(&threads[i], NULL, ask_often, &right[i]);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < CLIENTS; i++)
        assert_true(right[i]);
}

/* ---- who does it wrong ---- */

static void test_plain_http(void **state)
{
    (void)state;
    static const char text[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char answer[1024];
    int fd = raw_connect(&service);
    raw_send(fd, text, sizeof text - 1);
    raw_read(fd, answer, sizeof answer, 10000);
    close(fd);
    assert_int_equal(strncmp(answer, "HTTP/1.1 400 Bad Request\r\n", 26), 0);
    assert_non_null(strstr(answer, "this is HTTPS: ask with https://"));
}

static CURLcode ask_with_version(const struct service *at, long version)
{
    char url[128];
    snprintf(url, sizeof url, "https://127.0.0.1:%u/healthz", at->port);
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, cert);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, version);
    curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0"); /* or OpenSSL itself would refuse 1.1 */
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 20000L);
    CURLcode result = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    return result;
}

static void test_versions(void **state)
{
    (void)state;
    assert_int_equal(ask_with_version(&service, CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2), CURLE_OK);
    assert_int_equal(ask_with_version(&service, CURL_SSLVERSION_TLSv1_3 | CURL_SSLVERSION_MAX_TLSv1_3), CURLE_OK);
    assert_int_equal(ask_with_version(&service, CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1),
                     CURLE_SSL_CONNECT_ERROR);
}

static double cpu_seconds(pid_t pid)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_int_equal(
        sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* Half a hello, and nothing more: it costs no time but its own, and it is cut. */
static void test_slow_handshakes(void **state)
{
    (void)state;
    const char *const args[] = {"--processes", "1", "--tls-cert", cert, "--tls-key", key, "--head-timeout", "2s", NULL};
    int fds[10];
    struct service hasty;
    struct http h;
    struct reply r;
    service_begin(&hasty, args);
    long long start = now_ms();
    for (int i = 0; i < 10; i++) {
        fds[i] = raw_connect(&hasty);
        raw_send(fds[i], "\x16\x03\x01\x02\x00\x01", (size_t)i % 7);
    }
    assert_int_equal(ask_with_version(&hasty, CURL_SSLVERSION_DEFAULT), CURLE_OK); /* others do not wait */
    pid_t server = procs_role(hasty.mark, ROLE_SERVER, 0);
    double before = cpu_seconds(server);
    sleep_ms(1200); /* of nothing */
    double spent = cpu_seconds(server) - before;
    for (int i = 0; i < 10; i++) {
        assert_true(raw_closed(fds[i], 20000));
        close(fds[i]);
    }
    assert_true(now_ms() - start >= 1900);
    if (spent > 0.06)
        fail_msg("half a hello cost %.2f s of 1.2", spent);
    http_open(&h, &hasty);
    http_get(&h, &r, "/metrics");
    const char *failed = strstr(r.body, "\npoold_tls_handshakes_failed_total ");
    assert_true(failed && atoi(strchr(failed, ' ')) >= 10);
    expect_status(&r, 200);
    http_close(&h);
    service_end(&hasty);
}

/* ---- a renewed certificate ---- */

static bool trusts(const char *ca)
{
    struct service seen = service;
    struct http h;
    struct reply r;
    seen.ca = ca;
    http_open(&h, &seen); /* libcurl keeps what it has read of a file */
    http_get(&h, &r, "/healthz");
    bool right = r.status == 200;
    assert_true(right || r.code == CURLE_PEER_FAILED_VERIFICATION);
    reply_free(&r);
    http_close(&h);
    return right;
}

static void reload(const char *event)
{
    unsigned before = service_log_count(&service, event);
    kill(service.pid, SIGHUP);
    for (long long end = now_ms() + 20000; service_log_count(&service, event) == before; sleep_ms(10))
        assert_true(now_ms() < end);
}

static bool write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    return file && fputs(text, file) >= 0 && fclose(file) == 0;
}

static atomic_uint came; /* results of the stream below */

static bool count_result(void *context, uint32_t index, const char *value, size_t length, bool failed)
{
    (void)context, (void)index, (void)value, (void)length;
    atomic_fetch_add(&came, 1);
    return !failed;
}

static void *follow_sleeps(void *context)
{
    struct stream *stream = context;
    struct http h;
    struct reply r;
    http_open(&h, &service);
    http_ask(
        &h,
        &(struct ask){.path = "/v1/jobs?order=completion",
                      .body = "{\"function\":\"sleep\",\"name\":\"stream\",\"processes\":1,\"map\":[0.1,0.7,0.7,0.7]}",
                      .headers = {"Accept: application/x-ndjson"},
                      .on_data = stream_data,
                      .context = stream},
        &r);
    reply_free(&r);
    http_close(&h);
    return NULL;
}

/* For whoever wants to be told in time. */
static void test_expiry(void **state)
{
    (void)state;
    struct reply r;
    http_get(&web, &r, "/metrics");
    const char *at = strstr(r.body, "\npoold_tls_certificate_expires_seconds ");
    assert_non_null(at);
    double left = strtod(strrchr(strtok((char *)(uintptr_t)at + 1, "\n"), ' '), NULL) - (double)time(NULL);
    assert_true(left > 3600 && left < 3600.0 * 24 * 3660);
    reply_free(&r);
}

static void test_renewal(void **state)
{
    (void)state;
    char command[256];
    pthread_t thread;
    struct stream stream = {.on_result = count_result};
    pthread_create(&thread, NULL, follow_sleeps, &stream);
    for (long long end = now_ms() + 20000; atomic_load(&came) == 0; sleep_ms(5))
        assert_true(now_ms() < end);
    snprintf(command, sizeof command, "cp '%s' '%s'", cert, old);
    assert_int_equal(system(command), 0);
    certificate_make(cert, key);
    assert_true(trusts(old) && !trusts(cert)); /* nobody has asked for it yet */
    reload("event=tls.certificate");
    assert_true(trusts(cert) && !trusts(old));
    pthread_join(thread, NULL);
    assert_int_equal(stream.lines, 4);
    assert_int_equal(stream.wrong, 0);
    assert_true(stream.ended);
    stream_free(&stream);
    assert_true(write_file(key, "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n"));
    reload("event=tls.reload_failed");
    assert_true(trusts(cert));
    certificate_make(cert, key);
    assert_int_equal(chmod(key, 0644), 0);
    reload("event=tls.key_exposed");
    assert_true(trusts(cert));
    http_close(&web);
    http_open(&web, &service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apply_and_head),  cmocka_unit_test(test_origin),
        cmocka_unit_test(test_streams),         cmocka_unit_test(test_events),
        cmocka_unit_test(test_large_uploads),   cmocka_unit_test(test_early_refusals),
        cmocka_unit_test(test_expect_continue), cmocka_unit_test(test_many_clients),
        cmocka_unit_test(test_plain_http),      cmocka_unit_test(test_versions),
        cmocka_unit_test(test_slow_handshakes), cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_renewal),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
