/* The dashboard's files over HTTP: who gets the page and who the text, types, policy, caching, no token. */
#include "fixture.h"

#include <unistd.h>

static void expect_header(const struct reply *r, const char *name, const char *value)
{
    char text[512] = "";
    if (!reply_header(r, name, text, sizeof text) || strcmp(text, value) != 0)
        fail_msg("%s is \"%s\" and not \"%s\" in\n%s", name, text, value, r->headers);
}

static void expect_policy(const struct reply *r)
{
    char text[512] = "";
    assert_true(reply_header(r, "Content-Security-Policy", text, sizeof text));
    assert_non_null(strstr(text, "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"));
    assert_null(strstr(text, "unsafe"));
    expect_header(r, "X-Content-Type-Options", "nosniff");
    expect_header(r, "Cache-Control", "no-cache");
}

static void test_page_or_text(void **state)
{
    (void)state;
    struct reply r;
    assert_int_equal(http_get_as(&web, &r, "text/html,application/xhtml+xml,*/*;q=0.8", "/"), 200);
    expect_header(&r, "Content-Type", "text/html; charset=utf-8");
    expect_header(&r, "Vary", "Accept");
    expect_policy(&r);
    assert_non_null(strstr(r.body, "/dashboard/app.js"));
    assert_null(strstr(r.body, "style="));
    assert_null(strstr(r.body, "://")); /* nothing from elsewhere */
    reply_free(&r);
    assert_int_equal(http_get_as(&web, &r, "*/*", "/"), 200); /* curl */
    expect_header(&r, "Content-Type", "text/plain; charset=utf-8");
    expect_header(&r, "Vary", "Accept");
    reply_free(&r);
    assert_int_equal(http_get_as(&web, &r, "text/html;q=0, */*", "/"), 200);
    expect_header(&r, "Content-Type", "text/plain; charset=utf-8");
    reply_free(&r);
}

static void test_files(void **state)
{
    (void)state;
    static const struct {
        const char *name, *type;
    } files[] = {{"app.js", "text/javascript; charset=utf-8"},
                 {"chart.min.js", "text/javascript; charset=utf-8"},
                 {"app.css", "text/css; charset=utf-8"},
                 {"icon.svg", "image/svg+xml"},
                 {"index.html", "text/html; charset=utf-8"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct reply r;
        assert_int_equal(http_get(&web, &r, "/dashboard/%s", files[i].name), 200);
        expect_header(&r, "Content-Type", files[i].type);
        expect_policy(&r);
        assert_true(r.length > 100);
        reply_free(&r);
    }
    refuse("GET", "/dashboard/none.js", NULL, 404, "not-found");
    refuse("GET", "/dashboard/..%2Fapp.js", NULL, 404, "not-found");
    refuse("GET", "/dashboard", NULL, 404, "not-found");
    refuse("POST", "/dashboard/app.js", NULL, 405, "method-not-allowed");
}

static void test_cached(void **state)
{
    (void)state;
    struct reply r;
    char tag[64], other[64], header[128], length[32];
    assert_int_equal(http_get(&web, &r, "/dashboard/app.js"), 200);
    assert_true(reply_header(&r, "ETag", tag, sizeof tag));
    snprintf(length, sizeof length, "%zu", r.length);
    reply_free(&r);
    snprintf(header, sizeof header, "If-None-Match: %s", tag);
    http_ask(&web, &(struct ask){.path = "/dashboard/app.js", .headers = {header}}, &r);
    assert_int_equal(r.status, 304);
    assert_int_equal(r.length, 0);
    expect_header(&r, "ETag", tag);
    reply_free(&r);
    http_ask(&web, &(struct ask){.path = "/dashboard/app.js", .headers = {"If-None-Match: \"0\""}}, &r);
    assert_int_equal(r.status, 200);
    reply_free(&r);
    http_ask(&web, &(struct ask){.method = "HEAD", .path = "/dashboard/app.js"}, &r);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.length, 0);
    expect_header(&r, "Content-Length", length);
    expect_header(&r, "ETag", tag);
    reply_free(&r);
    assert_int_equal(http_get(&web, &r, "/dashboard/app.css"), 200);
    assert_true(reply_header(&r, "ETag", other, sizeof other));
    assert_string_not_equal(tag, other);
    reply_free(&r);
}

/* openapi.yaml for people: what is in it, openapi_examples_test.py looks at. */
static void test_docs(void **state)
{
    (void)state;
    static const char *const accepted[] = {"text/html,application/xhtml+xml,*/*;q=0.8", "*/*", "text/*", "text/html"};
    struct reply r;
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        assert_int_equal(http_get_as(&web, &r, accepted[i], i % 2 ? "/docs" : "/docs/"), 200);
        expect_header(&r, "Content-Type", "text/html; charset=utf-8");
        expect_header(&r, "Vary", "Accept");
        expect_policy(&r);
        assert_non_null(strstr(r.body, "id=\"submitJob\""));
        reply_free(&r);
    }
    assert_int_equal(http_get_as(&web, &r, "application/json", "/docs"), 406);
    reply_free(&r);
    http_ask(&web, &(struct ask){.method = "HEAD", .path = "/docs"}, &r);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.length, 0);
    reply_free(&r);
    refuse("POST", "/docs", NULL, 405, "method-not-allowed");
    refuse("GET", "/docs/x", NULL, 404, "not-found");
}

/* The page asks for the token itself, so it must come without one; what it shows must not. */
static void test_without_token(void **state)
{
    (void)state;
    char path[] = "/tmp/poold-token-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "0123456789abcdef0123456789abcdef\n", 33), 33);
    close(fd);
    struct service open_one = service;
    struct http open_web = web;
    service_begin(&service, (const char *const[]){"--token-file", path, "--processes", "1", NULL});
    http_open(&web, &service);
    struct reply r;
    assert_int_equal(http_get_as(&web, &r, "text/html", "/"), 200);
    reply_free(&r);
    assert_int_equal(http_get(&web, &r, "/dashboard/app.js"), 200);
    reply_free(&r);
    assert_int_equal(http_get(&web, &r, "/docs"), 200);
    reply_free(&r);
    assert_int_equal(http_get(&web, &r, "/docs/"), 200);
    reply_free(&r);
    refuse("GET", "/docs/x", NULL, 401, "unauthorized");
    refuse("GET", "/v1/pool", NULL, 401, "unauthorized");
    refuse("GET", "/metrics", NULL, 401, "unauthorized");
    refuse("GET", "/dashboard/../v1/pool", NULL, 401, "unauthorized");
    refuse("GET", "//v1/pool", NULL, 401, "unauthorized");
    http_close(&web);
    service_end(&service);
    service = open_one;
    web = open_web;
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_or_text), cmocka_unit_test(test_files),         cmocka_unit_test(test_docs),
        cmocka_unit_test(test_cached),       cmocka_unit_test(test_without_token),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
