/* Tests of the NDJSON splitter: the same items and the same errors however the body is cut into pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/ndjson.h"

#define MAX_ITEM 1000

struct outcome {
    char *lines;
    int64_t items;
    struct problem problem;
};

/* Fed in pieces of `piece` bytes, each in memory of its own. */
static struct outcome split(const char *body, size_t length, size_t piece, bool star)
{
    struct outcome o = {.problem = PROBLEM_INIT};
    struct chunker c;
    struct ndjson n;
    struct buf all = BUF_EMPTY;
    bool fine = true;
    chunker_init(&c);
    ndjson_init(&n, &c, star, MAX_ITEM);
    for (size_t at = 0; fine && at < length; at += piece) {
        size_t size = length - at < piece ? length - at : piece;
        char *copy = malloc(size);
        memcpy(copy, body + at, size);
        fine = ndjson_feed(&n, copy, size, &o.problem);
        free(copy);
    }
    if (fine)
        fine = ndjson_finish(&n, &o.problem);
    assert_int_equal(fine, o.problem.type == PROBLEM_NONE);
    chunker_cut(&c);
    for (struct engine_chunk *chunk = c.first; chunk; chunk = chunk->next)
        buf_append(&all, chunk->items->data, chunk->items->length);
    buf_cstr(&all);
    o.lines = buf_steal(&all, NULL);
    o.items = c.total;
    chunker_free(&c);
    ndjson_free(&n);
    return o;
}

static void check(const char *body, const char *lines, enum problem_type type, int64_t line, int64_t offset)
{
    size_t length = strlen(body);
    for (size_t piece = 1; piece <= length + 1; piece++) {
        struct outcome o = split(body, length, piece, false);
        assert_string_equal(o.lines, lines);
        assert_string_equal(problem_name(o.problem.type), problem_name(type));
        assert_int_equal(o.problem.line, line);
        assert_int_equal(o.problem.offset, offset);
        free(o.lines);
    }
}

static void test_items(void **state)
{
    (void)state;
    check("1\n2\n3\n", "1\n2\n3\n", PROBLEM_NONE, -1, -1);
    check("1\n2\n3", "1\n2\n3\n", PROBLEM_NONE, -1, -1);
    check("1\r\n2\r\n", "1\n2\n", PROBLEM_NONE, -1, -1);
    check("\n\n 1 \n\t\n\r\n2\n\n", "1\n2\n", PROBLEM_NONE, -1, -1);
    check("[1, 2]\n{\"a\":\t1}\n\"x\\n\"\n", "[1, 2]\n{\"a\":\t1}\n\"x\\n\"\n", PROBLEM_NONE, -1, -1);
    check("[1,\r2]\n", "[1, 2]\n", PROBLEM_NONE, -1, -1);
    check("\"\xc3\xa9\"\n", "\"\xc3\xa9\"\n", PROBLEM_NONE, -1, -1);
    check("", "", PROBLEM_NONE, -1, -1);
    check("\n", "", PROBLEM_NONE, -1, -1);
}

static void test_errors(void **state)
{
    (void)state;
    check("1\n2\n3x\n4\n", "1\n2\n", PROBLEM_INVALID_LINE, 3, 5);
    check("x", "", PROBLEM_INVALID_LINE, 1, 0);
    check("1\n[1,\n2]\n", "1\n", PROBLEM_INVALID_LINE, 2, 5);
    check("1\n\n  tru\n", "1\n", PROBLEM_INVALID_LINE, 3, 8);
    check("1 2\n", "", PROBLEM_INVALID_LINE, 1, 1);
    check("\"\xff\"\n", "", PROBLEM_INVALID_LINE, 1, 1);
}

static void test_star(void **state)
{
    (void)state;
    struct outcome o = split("[1]\n{\"a\":1}\n3\n", 14, 4, true);
    assert_int_equal(o.items, 2);
    assert_int_equal(o.problem.line, 3);
    assert_int_equal(o.problem.offset, 12);
    free(o.lines);
}

/* A line without end is refused long before it has filled the memory. */
static void test_too_large(void **state)
{
    (void)state;
    char *endless = malloc(100000);
    memset(endless, '1', 100000);
    for (size_t piece = 100; piece <= 100000; piece *= 10) {
        struct outcome o = split(endless, 100000, piece, false);
        assert_int_equal(o.problem.type, PROBLEM_ITEM_TOO_LARGE);
        assert_int_equal(o.problem.line, 1);
        assert_int_equal(o.problem.offset, 0);
        free(o.lines);
    }
    struct outcome o = split(endless, MAX_ITEM, 7, false);
    assert_int_equal(o.items, 1);
    free(o.lines);
    free(endless);
}

static void test_many(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct buf body = BUF_EMPTY;
    for (int i = 0; i < COUNT; i++)
        buf_printf(&body, "%d\n", i);
    int64_t begin = clock_mono_ns();
    struct outcome o = split(body.data, body.length, 65536, false);
    print_message("100,000 lines: %.2f ms\n", (double)(clock_mono_ns() - begin) / 1e6);
    assert_int_equal(o.items, COUNT);
    assert_int_equal(strlen(o.lines), body.length);
    assert_memory_equal(o.lines, body.data, body.length);
    free(o.lines);
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),     cmocka_unit_test(test_errors), cmocka_unit_test(test_star),
        cmocka_unit_test(test_too_large), cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
