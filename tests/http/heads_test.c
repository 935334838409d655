/* Malformed and hostile heads, by raw sockets: libmicrohttpd would let most of them pass (DESIGN §11). */
#include "fixture.h"

#include <unistd.h>

static int setup(void **state)
{
    static const char *const args[] = {"--head-timeout", "1500ms", "--body-timeout", "1500ms", NULL};
    (void)state;
    return fixture_begin(args);
}

static void expect_raw(const char *text, int status)
{
    int got = raw_status(&service, text);
    if (got != status)
        fail_msg("expected %d, got %d:\n%s", status, got, text);
}

#define HOST "Host: 127.0.0.1\r\n"
#define BODY "{\"function\":\"square\",\"apply\":1}"
#define LENGTH "Content-Length: 31\r\n"
#define JSON "Content-Type: application/json\r\n"

static void test_control(void **state)
{
    (void)state;
    assert_int_equal(strlen(BODY), 31);
    expect_raw("GET /healthz HTTP/1.1\r\n" HOST "\r\n", 200);
    expect_raw("POST /v1/jobs HTTP/1.1\r\n" HOST JSON LENGTH "\r\n" BODY, 202);
    expect_raw("POST /v1/jobs HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked\r\n\r\n1f\r\n" BODY "\r\n0\r\n\r\n",
               202);
}

/* Two readings of one request is how a request is smuggled. */
static void test_framing(void **state)
{
    (void)state;
    expect_raw("POST /v1/jobs HTTP/1.1\r\n" HOST JSON LENGTH LENGTH "\r\n" BODY, 400);
    expect_raw("POST /v1/jobs HTTP/1.1\r\n" HOST JSON LENGTH "Content-Length: 5\r\n\r\n" BODY, 400);
    expect_raw("POST /v1/jobs HTTP/1.1\r\n" HOST JSON LENGTH "Transfer-Encoding: chunked\r\n\r\n1f\r\n" BODY
               "\r\n0\r\n\r\n",
               400);
    expect_raw("POST /v1/jobs HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: gzip\r\n\r\n", 400);
    expect_raw("POST /v1/jobs HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400);
    expect_raw("POST /v1/jobs HTTP/1.1\r\n" HOST JSON "Content-Length: x\r\n\r\n", 400);
    expect_raw("POST /v1/jobs HTTP/1.1\r\n" HOST JSON "Content-Length: -1\r\n\r\n", 400);
}

/* After such a head nothing that follows on the connection is read as a request. */
static void test_no_smuggling(void **state)
{
    (void)state;
    static const char text[] = "POST /v1/jobs HTTP/1.1\r\n" HOST JSON "Content-Length: 0\r\nContent-Length: 100\r\n\r\n"
                               "GET /v1/workers HTTP/1.1\r\n" HOST "\r\n";
    char answer[65536];
    int fd = raw_connect(&service);
    raw_send(fd, text, sizeof text - 1);
    raw_read(fd, answer, sizeof answer, 15000);
    close(fd);
    assert_non_null(strstr(answer, "400"));
    const char *first = strstr(answer, "HTTP/1.1 ");
    assert_non_null(first);
    assert_null(strstr(first + 1, "HTTP/1.1 "));
}

static void test_host(void **state)
{
    (void)state;
    char text[256];
    expect_raw("GET /healthz HTTP/1.1\r\n\r\n", 400);
    expect_raw("GET /v1/workers HTTP/1.1\r\n" HOST HOST "\r\n", 400);
    expect_raw("GET /v1/workers HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421);
    expect_raw("GET /v1/workers HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", 421);
    expect_raw("GET /v1/workers HTTP/1.1\r\nHost: localhost\r\n\r\n", 200);
    snprintf(text, sizeof text, "GET /v1/workers HTTP/1.1\r\nHost: localhost:%u\r\n\r\n", service.port);
    expect_raw(text, 200);
    snprintf(text, sizeof text, "GET /v1/workers HTTP/1.1\r\nHost: LOCALHOST:%u\r\n\r\n", service.port);
    expect_raw(text, 200);
}

static void test_cross_site(void **state)
{
    (void)state;
    char text[512];
    expect_raw("POST /v1/jobs HTTP/1.1\r\n" HOST JSON LENGTH "Origin: http://evil.example\r\n\r\n" BODY, 403);
    expect_raw("POST /v1/jobs HTTP/1.1\r\n" HOST JSON LENGTH "Origin: null\r\n\r\n" BODY, 403);
    expect_raw("POST /v1/jobs HTTP/1.1\r\n" HOST JSON LENGTH "Sec-Fetch-Site: cross-site\r\n\r\n" BODY, 403);
    snprintf(text, sizeof text,
             "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n" JSON LENGTH
             "Origin: http://127.0.0.1:%u\r\nSec-Fetch-Site: same-origin\r\n\r\n" BODY,
             service.port, service.port);
    expect_raw(text, 202);
    struct reply r;
    char value[128];
    http_ask(&web, &(struct ask){.method = "OPTIONS", .path = "/v1/jobs", .headers = {"Origin: http://evil.example"}},
             &r);
    assert_true(r.status / 100 == 4);
    assert_false(reply_header(&r, "access-control-allow-origin", value, sizeof value));
    reply_free(&r);
}

static void test_nonsense(void **state)
{
    (void)state;
    static const char *const texts[] = {"\r\n\r\n", "GET\r\n\r\n",
                                        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
                                        "GET /healthz HTTP/9.9\r\n" HOST "\r\n", "GET  /healthz\r\n\r\n"};
    for (int i = 0; i < 5; i++) {
        int status = raw_status(&service, texts[i]);
        if (status != 0 && status / 100 != 4 && status / 100 != 5)
            fail_msg("%s: %d", texts[i], status);
    }
    expect_raw("GET /healthz HTTP/1.1\r\n" HOST "\r\n", 200);
}

static void test_long_heads(void **state)
{
    (void)state;
    char *text = malloc(300000);
    int n = sprintf(text, "GET /v1/jobs?function=");
    memset(text + n, 'x', 100000);
    strcpy(text + n + 100000, " HTTP/1.1\r\n" HOST "\r\n");
    int status = raw_status(&service, text);
    assert_true(status == 414 || status == 431 || status == 400 || status == 0);
    n = sprintf(text, "GET /healthz HTTP/1.1\r\n" HOST "X-Long: ");
    memset(text + n, 'x', 200000);
    strcpy(text + n + 200000, "\r\n\r\n");
    status = raw_status(&service, text);
    assert_true(status == 431 || status == 400 || status == 0);
    free(text);
}

/* One byte a time never ends; the head has an absolute deadline. */
static void test_byte_per_time_head(void **state)
{
    (void)state;
    static const char text[] = "GET /healthz HTTP/1.1\r\n" HOST "X-Slow: ";
    int fd = raw_connect(&service);
    bool closed = false;
    long long start = now_ms();
    for (size_t i = 0; !closed && now_ms() - start < 20000; i++) {
        char byte = i < sizeof text - 1 ? text[i] : 'x';
        closed = !raw_send(fd, &byte, 1) || raw_closed(fd, 100);
    }
    close(fd);
    assert_true(closed);
    expect_raw("GET /healthz HTTP/1.1\r\n" HOST "\r\n", 200);
}

/* A body that stops coming. */
static void test_silent_body(void **state)
{
    (void)state;
    static const char text[] = "POST /v1/jobs HTTP/1.1\r\n" HOST JSON LENGTH "\r\n{\"func";
    int fd = raw_connect(&service);
    raw_send(fd, text, sizeof text - 1);
    assert_true(raw_closed(fd, 20000));
    close(fd);
}

static void test_keep_alive_and_pipelining(void **state)
{
    (void)state;
    static const char text[] =
        "GET /healthz HTTP/1.1\r\n" HOST "\r\nGET /healthz HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
    char answer[16384];
    int fd = raw_connect(&service);
    raw_send(fd, text, sizeof text - 1);
    raw_read(fd, answer, sizeof answer, 15000);
    close(fd);
    const char *first = strstr(answer, "HTTP/1.1 200");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "HTTP/1.1 200"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control),      cmocka_unit_test(test_framing),
        cmocka_unit_test(test_no_smuggling), cmocka_unit_test(test_host),
        cmocka_unit_test(test_cross_site),   cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_long_heads),   cmocka_unit_test(test_byte_per_time_head),
        cmocka_unit_test(test_silent_body),  cmocka_unit_test(test_keep_alive_and_pipelining),
    };
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
