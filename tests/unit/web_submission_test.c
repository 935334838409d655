/* Tests of the JSON body of a submission: what comes out, what is refused and where, and how fast. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/submission.h"

#define MAX_ITEM 1000

/* All lines of all chunks. */
static char *lines_of(const struct engine_chunk *chunk, unsigned *chunks)
{
    struct buf all = BUF_EMPTY;
    *chunks = 0;
    for (; chunk; chunk = chunk->next, ++*chunks) {
        unsigned newlines = 0;
        for (size_t i = 0; i < chunk->items->length; i++)
            newlines += chunk->items->data[i] == '\n';
        assert_int_equal(newlines, chunk->count);
        assert_true(chunk->count <= CHUNK_ITEMS_MAX);
        assert_true(chunk->items->length <= CHUNK_BYTES_MAX || chunk->count == 1);
        buf_append(&all, chunk->items->data, chunk->items->length);
    }
    buf_cstr(&all);
    return buf_steal(&all, NULL);
}

static bool parse(struct submission *s, const char *text, struct problem *p)
{
    /* The exact size, so that a sanitizer sees a byte read too far. */
    size_t length = strlen(text);
    char *body = malloc(length ? length : 1);
    memcpy(body, text, length);
    *p = PROBLEM_INIT;
    bool fine = submission_parse(s, body, length, MAX_ITEM, p);
    free(body);
    assert_int_equal(fine, p->type == PROBLEM_NONE);
    return fine;
}

static void check_good(const char *body, enum job_kind kind, const char *lines)
{
    struct submission s;
    struct problem p;
    unsigned chunks;
    if (!parse(&s, body, &p))
        fail_msg("%s: %s", body, p.detail);
    char *got = lines_of(s.items.first, &chunks);
    assert_string_equal(got, lines);
    assert_int_equal(s.kind, kind);
    assert_string_equal(s.function, "f");
    free(got);
    submission_free(&s);
}

static void check_bad(const char *body, enum problem_type type, const char *pointer, int64_t offset)
{
    struct submission s;
    struct problem p;
    if (parse(&s, body, &p))
        fail_msg("was accepted: %s", body);
    assert_string_equal(problem_name(p.type), problem_name(type));
    assert_string_equal(p.pointer, pointer ? pointer : "");
    assert_int_equal(p.pointed, pointer != NULL);
    assert_int_equal(p.offset, offset);
    submission_free(&s);
}

static void test_kinds(void **state)
{
    (void)state;
    check_good("{\"function\":\"f\",\"map\":[1,2,3]}", JOB_MAP, "1\n2\n3\n");
    check_good("{\"map\":[1],\"function\":\"f\"}", JOB_MAP, "1\n");
    check_good("{\"function\":\"f\",\"map\":[]}", JOB_MAP, "");
    check_good("{\"function\":\"f\",\"apply\":30}", JOB_APPLY, "30\n");
    check_good("{\"function\":\"f\",\"apply\":null}", JOB_APPLY, "null\n");
    check_good("{\"function\":\"f\",\"apply\":[1,2]}", JOB_APPLY, "[1,2]\n");
    check_good("{\"function\":\"f\",\"starmap\":[[1,2],{\"a\":1}]}", JOB_STARMAP, "[1,2]\n{\"a\":1}\n");
    check_good(" \n{ \"function\" : \"f\" , \"map\" : [ 1 , 2 ] } \r\n", JOB_MAP, "1\n2\n");
    check_good("{\"function\":\"\\u0066\",\"map\":[1]}", JOB_MAP, "1\n");
}

static void test_verbatim(void **state)
{
    (void)state;
    check_good("{\"function\":\"f\",\"map\":[0.1,1e400,12345678901234567890,\"\\u00e9\",-0,{\"b\":1,\"a\":2}]}",
               JOB_MAP, "0.1\n1e400\n12345678901234567890\n\"\\u00e9\"\n-0\n{\"b\":1,\"a\":2}\n");
    check_good("{\"function\":\"f\",\"map\":[[1,\n2],{\"a\":\r\n\"x\\n\"}]}", JOB_MAP, "[1, 2]\n{\"a\":  \"x\\n\"}\n");
    check_good("{\"function\":\"f\",\"apply\":{\n\"a\":1}}", JOB_APPLY, "{ \"a\":1}\n");
}

static void test_syntax(void **state)
{
    (void)state;
    check_bad("", PROBLEM_INVALID_JSON, NULL, 0);
    check_bad("  ", PROBLEM_INVALID_JSON, NULL, 2);
    check_bad("[]", PROBLEM_INVALID_JSON, NULL, 0);
    check_bad("{", PROBLEM_INVALID_JSON, NULL, 1);
    check_bad("{\"function\"", PROBLEM_INVALID_JSON, NULL, 11);
    check_bad("{\"function\":\"f\",}", PROBLEM_INVALID_JSON, NULL, 16);
    check_bad("{\"function\":\"f\",\"map\":[1,2,}", PROBLEM_INVALID_JSON, NULL, 27);
    check_bad("{\"function\":\"f\",\"map\":[1 2]}", PROBLEM_INVALID_JSON, NULL, 25);
    check_bad("{\"function\":\"f\",\"map\":[1]} x", PROBLEM_INVALID_JSON, NULL, 27);
    check_bad("{\"function\":\"f\",\"map\":[1]", PROBLEM_INVALID_JSON, NULL, 25);
    check_bad("{\"function\":\"f\" \"map\":[1]}", PROBLEM_INVALID_JSON, NULL, 16);
    check_bad("{\"function\":\"f\",\"map\":[\"\xff\"]}", PROBLEM_INVALID_JSON, NULL, 24);
}

static void test_fields(void **state)
{
    (void)state;
    check_bad("{\"map\":[1]}", PROBLEM_MISSING_FIELD, "/function", -1);
    check_bad("{\"function\":\"f\"}", PROBLEM_MISSING_FIELD, "", -1);
    check_bad("{\"function\":\"f\",\"mapp\":[1]}", PROBLEM_UNKNOWN_FIELD, "/mapp", 16);
    check_bad("{\"function\":\"f\",\"map\":[1],\"apply\":1}", PROBLEM_INVALID_VALUE, "/apply", 34);
    check_bad("{\"function\":\"f\",\"map\":[1],\"map\":[1]}", PROBLEM_INVALID_VALUE, "/map", 26);
    check_bad("{\"function\":\"f\",\"function\":\"f\",\"map\":[1]}", PROBLEM_INVALID_VALUE, "/function", 16);
    check_bad("{\"function\":5,\"map\":[1]}", PROBLEM_INVALID_VALUE, "/function", 12);
    check_bad("{\"function\":\"a b\",\"map\":[1]}", PROBLEM_INVALID_VALUE, "/function", 12);
    check_bad("{\"function\":\"\\u0000\",\"map\":[1]}", PROBLEM_INVALID_VALUE, "/function", 12);
    check_bad("{\"function\":\"f\",\"map\":{\"a\":1}}", PROBLEM_INVALID_VALUE, "/map", 22);
    check_bad("{\"function\":\"f\",\"map\":5}", PROBLEM_INVALID_VALUE, "/map", 22);
    check_bad("{\"function\":\"f\",\"starmap\":[[1],2]}", PROBLEM_INVALID_VALUE, "/starmap/1", 31);
    check_bad("{\"function\":\"f\",\"map\":[1],\"timeout\":\"x\"}", PROBLEM_INVALID_VALUE, "/timeout", 36);
    check_bad("{\"function\":\"f\",\"map\":[1],\"priority\":10}", PROBLEM_INVALID_VALUE, "/priority", 37);
    check_bad("{\"function\":\"f\",\"apply\":1,\"open\":true}", PROBLEM_INVALID_VALUE, "/open", -1);
}

static void test_options(void **state)
{
    (void)state;
    struct submission s;
    struct problem p;
    assert_true(
        parse(&s,
              "{\"function\":\"f\",\"map\":[1],\"chunksize\":7,\"processes\":3,\"timeout\":1.5,\"max_attempts\":4,"
              "\"backoff\":0.25,\"priority\":9,\"isolation\":\"process\",\"fail_fast\":true,\"delay\":2,"
              "\"retention\":60,\"open\":true,\"name\":\"a \\u00e9\"}",
              &p));
    assert_int_equal(s.options.chunksize, 7);
    assert_int_equal(s.options.processes, 3);
    assert_int_equal(s.options.timeout_ms, 1500);
    assert_int_equal(s.options.max_attempts, 4);
    assert_int_equal(s.options.backoff_ms, 250);
    assert_int_equal(s.options.priority, 9);
    assert_int_equal(s.options.isolation, ISOLATION_PROCESS);
    assert_true(s.options.fail_fast && s.options.open);
    assert_int_equal(s.options.delay_ms, 2000);
    assert_int_equal(s.options.retention_s, 60);
    assert_string_equal(s.options.name, "a \xc3\xa9");
    assert_int_equal(s.asked, OPTION_CHUNKSIZE | OPTION_PROCESSES | OPTION_TIMEOUT | OPTION_MAX_ATTEMPTS |
                                  OPTION_BACKOFF | OPTION_PRIORITY | OPTION_ISOLATION | OPTION_FAIL_FAST |
                                  OPTION_RETENTION);
    submission_free(&s);
}

static void test_large_items(void **state)
{
    (void)state;
    char body[2 * MAX_ITEM + 100];
    for (int extra = 0; extra < 2; extra++) {
        int length = snprintf(body, sizeof body, "{\"function\":\"f\",\"map\":[1,\"%0*d\"]}", MAX_ITEM - 2 + extra, 0);
        assert_true(length > 0);
        struct submission s;
        struct problem p;
        assert_int_equal(parse(&s, body, &p), !extra);
        if (extra) {
            assert_int_equal(p.type, PROBLEM_ITEM_TOO_LARGE);
            assert_string_equal(p.pointer, "/map/1");
        }
        submission_free(&s);
    }
}

static void test_arrays(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool star;
        enum problem_type type;
    } cases[] = {{"[1,2]", false, PROBLEM_NONE},         {" [] ", false, PROBLEM_NONE},
                 {"[1,2", false, PROBLEM_INVALID_JSON},  {"{}", false, PROBLEM_INVALID_VALUE},
                 {"[[1]]", true, PROBLEM_NONE},          {"[1]", true, PROBLEM_INVALID_VALUE},
                 {"[1] 2", false, PROBLEM_INVALID_JSON}, {"", false, PROBLEM_INVALID_JSON}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct chunker c;
        struct problem p = PROBLEM_INIT;
        char *body = strdup(cases[i].body);
        bool fine = submission_parse_items(&c, body, strlen(body), cases[i].star, MAX_ITEM, &p);
        assert_int_equal(p.type, cases[i].type);
        assert_int_equal(fine, p.type == PROBLEM_NONE);
        chunker_free(&c);
        free(body);
    }
}

/* Every cut of a good body is refused, at its end. */
static void test_truncations(void **state)
{
    (void)state;
    const char *whole = "{\"function\":\"f\",\"map\":[1,[2,{\"a\":\"b\\u00e9\"}],true],\"timeout\":1.5,\"name\":\"n\"}";
    for (size_t length = 0; length < strlen(whole); length++) {
        struct submission s;
        struct problem p;
        char *cut = strndup(whole, length);
        assert_false(parse(&s, cut, &p));
        assert_int_equal(p.type, PROBLEM_INVALID_JSON);
        submission_free(&s);
        free(cut);
    }
}

static void test_many(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct buf body = BUF_EMPTY;
    struct submission s;
    struct problem p = PROBLEM_INIT;
    int64_t items = 0;
    buf_append_text(&body, "{\"function\":\"f\",\"map\":[");
    for (int i = 0; i < COUNT; i++)
        buf_printf(&body, "%s%d", i ? "," : "", i);
    buf_append_text(&body, "]}");
    int64_t begin = clock_mono_ns();
    assert_true(submission_parse(&s, body.data, body.length, MAX_ITEM, &p));
    print_message("100,000 integers: %.2f ms\n", (double)(clock_mono_ns() - begin) / 1e6);
    for (struct engine_chunk *c = s.items.first; c; c = c->next)
        items += c->count;
    assert_int_equal(items, COUNT);
    assert_int_equal(s.items.first->count, CHUNK_ITEMS_MAX);
    submission_free(&s);
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),  cmocka_unit_test(test_verbatim),    cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_fields), cmocka_unit_test(test_options),     cmocka_unit_test(test_large_items),
        cmocka_unit_test(test_arrays), cmocka_unit_test(test_truncations), cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
