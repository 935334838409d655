/* Tests of query strings, numbers in them, Accept, and fingerprints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/fingerprint.h"
#include "http/heads.h"
#include "http/query.h"

static bool parse(struct query *q, const char *text)
{
    struct problem p = PROBLEM_INIT;
    bool fine = query_parse(q, text, strlen(text), &p);
    assert_int_equal(fine, p.type == PROBLEM_NONE);
    return fine;
}

static void test_pairs(void **state)
{
    (void)state;
    struct query q;
    assert_true(parse(&q, "a=1&b=x+y&c=%C3%A9%20&&d&e=&f=%3D%26"));
    assert_int_equal(q.count, 6);
    assert_string_equal(query_get(&q, "a"), "1");
    assert_string_equal(query_get(&q, "b"), "x y");
    assert_string_equal(query_get(&q, "c"), "\xc3\xa9 ");
    assert_string_equal(query_get(&q, "d"), "");
    assert_string_equal(query_get(&q, "e"), "");
    assert_string_equal(query_get(&q, "f"), "=&");
    assert_null(query_get(&q, "g"));
    query_free(&q);
    assert_true(parse(&q, ""));
    query_free(&q);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"=1", "=", "a=1&=", "a=%",   "a=%1",    "a=%zz",       "a=%00",    "a=%0a", "a=%ff",
                                      "%c3=1", "a=1&a=2", "a=%ed%a0%80", "a=%c0%80", "a=\x7f"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct query q;
        assert_false(parse(&q, bad[i]));
        query_free(&q);
    }
    char many[1024] = "";
    for (int i = 0; i < QUERY_PAIRS_MAX + 1; i++) {
        char pair[16] = {(char)('a' + i % 26), (char)('a' + i / 26), '=', '1', '&'};
        strcat(many, pair);
    }
    struct query q;
    assert_false(parse(&q, many));
    query_free(&q);
}

/* Characters that are cut by no buffer of the check: longer than any of its pieces. */
static void test_long_utf8(void **state)
{
    (void)state;
    char text[2048], out[2048];
    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, 'a', lead);
        size_t length = lead;
        for (; length + 2 < 1500; length += 2)
            memcpy(text + length, "\xc3\xa9", 2);
        assert_true(percent_decode(text, text + length, false, out));
        assert_memory_equal(text, out, length);
        assert_false(percent_decode(text, text + length - 1, false, out));
    }
}

static void test_numbers(void **state)
{
    (void)state;
    unsigned long long n;
    long long ms;
    assert_int_equal(parse_unsigned("10", 10, &n), 0);
    assert_int_equal(n, 10);
    assert_int_equal(parse_unsigned("11", 10, &n), -1);
    assert_int_equal(parse_unsigned("", 10, &n), -1);
    assert_int_equal(parse_unsigned("-1", 10, &n), -1);
    assert_int_equal(parse_unsigned("99999999999999999999999", UINT64_MAX, &n), -1);
    assert_int_equal(parse_seconds("1.5", 3, 10000, &ms), 0);
    assert_int_equal(ms, 1500);
    assert_int_equal(parse_seconds("0", 1, 10000, &ms), 0);
    assert_int_equal(ms, 0);
    assert_int_equal(parse_seconds("1e-9", 4, 10000, &ms), 0);
    assert_int_equal(ms, 1);
    static const char *const bad[] = {"-1", "nan", "inf", "1x", "", "11", "1e99", "0x1", "."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse_seconds(bad[i], strlen(bad[i]), 10000, &ms), -1);
}

static void test_accept(void **state)
{
    (void)state;
    assert_int_equal(accept_choose(NULL, FORMAT_JSON), FORMAT_JSON);
    assert_int_equal(accept_choose("*/*", FORMAT_NDJSON), FORMAT_NDJSON);
    assert_int_equal(accept_choose("application/json", FORMAT_NDJSON), FORMAT_JSON);
    assert_int_equal(accept_choose("text/event-stream", FORMAT_JSON), FORMAT_SSE);
    assert_int_equal(accept_choose("text/html, application/x-ndjson;q=0.5, */*;q=0.1", FORMAT_JSON), FORMAT_NDJSON);
    assert_int_equal(accept_choose("application/json;q=0.2, text/event-stream;q=0.9", FORMAT_JSON), FORMAT_SSE);
    assert_int_equal(accept_choose("application/json;q=0", FORMAT_JSON), FORMAT_NONE);
    assert_int_equal(accept_choose("text/html", FORMAT_JSON), FORMAT_NONE);
    assert_int_equal(accept_choose(",, ;q=", FORMAT_JSON), FORMAT_NONE);
}

static uint64_t fingerprint_of(const char *bytes, size_t length, size_t piece)
{
    struct fingerprint f;
    fingerprint_init(&f);
    for (size_t at = 0; at < length; at += piece)
        fingerprint_add(&f, bytes + at, length - at < piece ? length - at : piece);
    return fingerprint_value(&f);
}

static void test_fingerprint(void **state)
{
    (void)state;
    char bytes[100];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    uint64_t whole = fingerprint_of(bytes, sizeof bytes, sizeof bytes);
    for (size_t piece = 1; piece < sizeof bytes; piece++)
        assert_int_equal(fingerprint_of(bytes, sizeof bytes, piece), whole);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 1;
        assert_int_not_equal(fingerprint_of(bytes, sizeof bytes, 8), whole);
        bytes[i] ^= 1;
    }
    assert_int_not_equal(fingerprint_of("a\0", 2, 1), fingerprint_of("a", 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),   cmocka_unit_test(test_refused), cmocka_unit_test(test_long_utf8),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_accept),  cmocka_unit_test(test_fingerprint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
