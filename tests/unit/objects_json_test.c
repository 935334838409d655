/* What dicts, lists, values and arrays think of JSON: the order and equality of texts against a table that Python wrote
 * (json.loads, then <, == and >), numbers, and typecodes against their ranges. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects/json_order.h"
#include "objects/number.h"
#include "objects/typecode.h"

/* ---- order ---- */

/* A text and how it compares to each text of the table: < = >, e (equal, but without an order), ! (neither). */
static const struct {
    const char *text, *order;
} python[] = {
    {"null", "e!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"true", "!=>>>>====<><>>><<<<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"false", "!<====<<<<<><><<<<<<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"0", "!<====<<<<<><><<<<<<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"-0", "!<====<<<<<><><<<<<<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"-0.0", "!<====<<<<<><><<<<<<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"1", "!=>>>>====<><>>><<<<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"1.0", "!=>>>>====<><>>><<<<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"1e0", "!=>>>>====<><>>><<<<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"10e-1", "!=>>>>====<><>>><<<<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"2", "!>>>>>>>>>=><>>><<<<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"-1", "!<<<<<<<<<<=<><<<<<<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"1e400", "!>>>>>>>>>>>=>>>>>>>>>>>>>!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"-1e400", "!<<<<<<<<<<<<=<<<<<<<<<<<<!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"0.1", "!<>>>><<<<<><>==<<<<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"0.10000000000000001", "!<>>>><<<<<><>==<<<<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"9007199254740993", "!>>>>>>>>>>><>>>=>><<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"9007199254740992.0", "!>>>>>>>>>>><>>><==<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"9007199254740992", "!>>>>>>>>>>><>>><==<<<<<><!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"123456789012345678901234567890123456789012345678901234567890",
     "!>>>>>>>>>>><>>>>>>=<>>>>>!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"123456789012345678901234567890123456789012345678901234567891",
     "!>>>>>>>>>>><>>>>>>>=>>>>>!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"1.2345678901234568e59", "!>>>>>>>>>>><>>>>>><<=>>>>!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"170141183460469231731687303715884105727", "!>>>>>>>>>>><>>>>>><<<=<>>!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"170141183460469231731687303715884105728", "!>>>>>>>>>>><>>>>>><<<>=>>!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"-170141183460469231731687303715884105728", "!<<<<<<<<<<<<><<<<<<<<<<=<!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"1e38", "!>>>>>>>>>>><>>>>>><<<<<>=!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!=<<<<<<<<<<<<<<!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"a\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!>=<=<<<<<<>>>>>!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"b\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!>>=>><<<<<>>>>>!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"\\u0061\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!>=<=<<<<<<>>>>>!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"ab\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!>><>=<<<<<>>>>>!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"é\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!>>>>>==<<<>>>>>!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"\\u00e9\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!>>>>>==<<<>>>>>!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"😀\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!>>>>>>>==>>>>>>!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"\\ud83d\\ude00\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!>>>>>>>==>>>>>>!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"\\uffff\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!>>>>>>><<=>>>>>!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"\\n\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!><<<<<<<<<=<<<<!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"1\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!><<<<<<<<<>=>>>!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"\\\"\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!><<<<<<<<<><=<<!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"/\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!><<<<<<<<<><>==!!!!!!!!!!!!!!!!!!!!!!!"},
    {"\"\\/\"", "!!!!!!!!!!!!!!!!!!!!!!!!!!><<<<<<<<<><>==!!!!!!!!!!!!!!!!!!!!!!!"},
    {"[]", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!=<<<<<<<<<<<<<!!!!!!!!!"},
    {"[1]", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!>==<<=!!!!!!!!!!!!!!!!!"},
    {"[1.0]", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!>==<<=!!!!!!!!!!!!!!!!!"},
    {"[1,2]", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!>>>=<>!!!!!!!!!!!!!!!!!"},
    {"[2]", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!>>>>=>!!!!!!!!!!!!!!!!!"},
    {"[true]", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!>==<<=!!!!!!!!!!!!!!!!!"},
    {"[\"a\"]", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!>!!!!!=!!!!!!!!!!!!!!!!"},
    {"[null]", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!>!!!!!!=<<!!!!!!!!!!!!!"},
    {"[null,1]", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!>!!!!!!>=<!!!!!!!!!!!!!"},
    {"[null,2]", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!>!!!!!!>>=!!!!!!!!!!!!!"},
    {"[[1],2]", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!>!!!!!!!!!=!!!!!!!!!!!!"},
    {"[[1],\"a\"]", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!>!!!!!!!!!!=!!!!!!!!!!!"},
    {"[{}]", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!>!!!!!!!!!!!=<!!!!!!!!!"},
    {"[{},1]", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!>!!!!!!!!!!!>=!!!!!!!!!"},
    {"{}", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!e!!!!!!!!"},
    {"{\"a\":1}", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!ee!!ee!!"},
    {"{\"a\":1.0}", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!ee!!ee!!"},
    {"{\"a\":1,\"b\":2}", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!ee!!!!"},
    {"{\"b\":2,\"a\":1}", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!ee!!!!"},
    {"{\"a\":2,\"a\":1}", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!ee!!ee!!"},
    {"{\"\\u0061\":1}", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!ee!!ee!!"},
    {"{\"a\":[1,{\"x\":null}]}", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!ee"},
    {"{\"a\":[1.0,{\"x\":null}]}", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!ee"},
};

enum { TEXTS = sizeof python / sizeof *python };

/* In memory of exactly its size, so that the address sanitizer sees one byte too far; with or without white space. */
static char *copy(const char *text, bool spaced, size_t *length)
{
    struct buf copied = BUF_EMPTY;
    buf_printf(&copied, spaced ? " \n%s\t " : "%s", text);
    char *exact = malloc(copied.length);
    memcpy(exact, copied.data, copied.length);
    *length = copied.length;
    buf_free(&copied);
    return exact;
}

static char order_of(const char *left, const char *right, bool spaced)
{
    size_t a_length, b_length;
    char *a = copy(left, spaced, &a_length), *b = copy(right, spaced, &b_length);
    struct json_order order = {0};
    bool equal = json_is_equal(a, a_length, b, b_length);
    int compared = json_compare(a, a_length, b, b_length, &order);
    free(a);
    free(b);
    if (order.failed) {
        assert_int_equal(compared, 0);
        assert_true(strlen(order.reason) > 20);
        return equal ? 'e' : '!';
    }
    assert_true(equal == (compared == 0));
    return compared < 0 ? '<' : compared > 0 ? '>' : '=';
}

static void test_order(void **state)
{
    (void)state;
    for (int i = 0; i < TEXTS; i++) {
        for (int j = 0; j < TEXTS; j++) {
            char wanted = python[i].order[j], found = order_of(python[i].text, python[j].text, (i + j) % 2);
            if (found != wanted)
                fail_msg("%s and %s: %c, but in Python %c", python[i].text, python[j].text, found, wanted);
        }
    }
}

static void test_order_says_why(void **state)
{
    (void)state;
    struct json_order order = {0};
    json_compare("1", 1, "\"1\"", 3, &order);
    assert_string_equal(order.reason, "'<' is not defined between number and string");
    json_compare("{}", 2, "null", 4, &order); /* the first reason stays */
    assert_string_equal(order.reason, "'<' is not defined between number and string");
    assert_true(order.failed);
}

static void test_repeated_names(void **state)
{
    (void)state; /* as in Python the last one counts */
    assert_int_equal(order_of("{\"a\":1,\"b\":0,\"a\":2}", "{\"b\":0,\"a\":2}", false), 'e');
    assert_int_equal(order_of("{\"a\":1,\"\\u0061\":2}", "{\"a\":1}", false), '!');
}

static void test_deep(void **state)
{
    (void)state;
    char a[2 * 64 + 2], b[sizeof a];
    memset(a, '[', 64);
    memset(a + 65, ']', 64);
    a[64] = '1';
    a[sizeof a - 1] = '\0';
    memcpy(b, a, sizeof a);
    b[64] = '2';
    assert_int_equal(order_of(a, b, false), '<');
    assert_int_equal(order_of(b, b, true), '=');
}

/* ---- numbers ---- */

static const char *real_text(double real)
{
    static struct buf text;
    buf_clear(&text, SIZE_MAX);
    number_format_real(real, &text);
    return buf_cstr(&text);
}

static void test_reals(void **state)
{
    (void)state;
    static const struct {
        double real;
        const char *repr;
    } reals[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e22, "1e+22"},
        {1e16, "1e+16"},
        {1e15, "1e+15"},
        {123456789.125, "123456789.125"},
        {5e-324, "5e-324"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {1.0 / 3, "0.3333333333333333"},
        {-2.5, "-2.5"},
        {1e-7, "1e-07"},
        {0.0001, "0.0001"},
        {4.35, "4.35"},
        {0x1p63, "9.223372036854776e+18"},
    };
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        assert_string_equal(real_text(reals[i].real), reals[i].repr);
}

static uint64_t seed;

static uint64_t random64(void) /* splitmix64 */
{
    uint64_t z = (seed += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void test_random_reals(void **state)
{
    (void)state;
    seed = 1;
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = random64();
        double real, back;
        memcpy(&real, &bits, sizeof real);
        if (!isfinite(real))
            continue;
        const char *text = real_text(real);
        back = strtod(text, NULL);
        assert_memory_equal(&back, &real, sizeof real);
        assert_false(number_is_integer(text, text + strlen(text)));
    }
}

static const char *sum_text(const char *a, const char *b)
{
    static struct buf text;
    struct number x, y, sum;
    assert_int_equal(number_parse(a, a + strlen(a), &x), 0);
    assert_int_equal(number_parse(b, b + strlen(b), &y), 0);
    if (number_add(&x, &y, &sum) != 0)
        return "overflow";
    buf_clear(&text, SIZE_MAX);
    number_format(&sum, &text);
    return buf_cstr(&text);
}

static void test_sums(void **state)
{
    (void)state;
    static const char *const sums[][3] = {
        {"1", "2", "3"},
        {"-1", "1", "0"},
        {"-0", "0", "0"},
        {"999999999999999999", "1", "1000000000000000000"},
        {"9223372036854775807", "1", "9223372036854775808"},
        {"-9223372036854775808", "-1", "-9223372036854775809"},
        {"170141183460469231731687303715884105726", "1", "170141183460469231731687303715884105727"},
        {"-170141183460469231731687303715884105727", "-1", "-170141183460469231731687303715884105728"},
        {"-170141183460469231731687303715884105728", "170141183460469231731687303715884105727", "-1"},
        {"170141183460469231731687303715884105727", "1", "1.7014118346046923e+38"},
        {"170141183460469231731687303715884105728", "0", "1.7014118346046923e+38"},
        {"-170141183460469231731687303715884105728", "-1", "-1.7014118346046923e+38"},
        {"1", "1.0", "2.0"},
        {"0.1", "0.2", "0.30000000000000004"},
        {"1e308", "1e308", "overflow"},
        {"1e400", "-1e400", "overflow"},
        {"-1e400", "1", "overflow"},
    };
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        assert_string_equal(sum_text(sums[i][0], sums[i][1]), sums[i][2]);
}

static void test_no_numbers(void **state)
{
    (void)state;
    struct number number;
    static const char *const others[] = {"null", "true", "\"1\"", "[]", "{}", "-", ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(number_parse(others[i], others[i] + strlen(others[i]), &number), -1);
    char long_text[400];
    memset(long_text, '7', sizeof long_text);
    assert_int_equal(number_parse(long_text, long_text + sizeof long_text, &number), 0);
    assert_true(!number.whole && isinf(number.real));
    assert_int_equal(number_compare(long_text, long_text + sizeof long_text, long_text, long_text + 399), 1);
    const char *infinite = "1e400";
    assert_int_equal(number_compare(long_text, long_text + sizeof long_text, infinite, infinite + 5), -1);
}

/* ---- typecodes ---- */

static const struct typecode *type_of(char code)
{
    const struct typecode *type = typecode_of(&code, 1);
    assert_non_null(type);
    return type;
}

/* What a text becomes when it goes into memory and comes out again, or the problem. */
static const char *way(char code, const char *text)
{
    static struct buf out;
    struct error error = {""};
    uint64_t bits, cell = ~UINT64_C(0);
    const struct typecode *type = type_of(code);
    buf_clear(&out, SIZE_MAX);
    char *exact = strndup(text, strlen(text));
    enum object_status status = typecode_parse(type, exact, exact + strlen(exact), &bits, &error);
    free(exact);
    if (status != OBJECT_OK) {
        buf_printf(&out, "%s: %s", object_status_name(status), error.text);
        return buf_cstr(&out);
    }
    typecode_store(type, &cell, bits);
    assert_true(type->size == 8 || cell >> (type->size * 8) == UINT64_MAX >> (type->size * 8)); /* no byte beyond */
    assert_true(typecode_load(type, &cell) == bits);
    typecode_format(type, bits, &out);
    return buf_cstr(&out);
}

static void test_sizes(void **state)
{
    (void)state;
    static const char sizes[] = "b1B1h2H2i4I4l8L8q8Q8f4d8";
    for (const char *at = sizes; *at; at += 2)
        assert_int_equal(type_of(at[0])->size, at[1] - '0');
    assert_null(typecode_of("x", 1));
    assert_null(typecode_of("bb", 2));
    assert_null(typecode_of("", 0));
    assert_int_equal(strlen(TYPECODES), 12);
}

static void test_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *codes, *least, *most, *below, *above;
    } ranges[] = {
        {"b", "-128", "127", "-129", "128"},
        {"B", "0", "255", "-1", "256"},
        {"h", "-32768", "32767", "-32769", "32768"},
        {"H", "0", "65535", "-1", "65536"},
        {"i", "-2147483648", "2147483647", "-2147483649", "2147483648"},
        {"I", "0", "4294967295", "-1", "4294967296"},
        {"lq", "-9223372036854775808", "9223372036854775807", "-9223372036854775809", "9223372036854775808"},
        {"LQ", "0", "18446744073709551615", "-1", "18446744073709551616"},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        for (const char *code = ranges[i].codes; *code; code++) {
            assert_string_equal(way(*code, ranges[i].least), ranges[i].least);
            assert_string_equal(way(*code, ranges[i].most), ranges[i].most);
            assert_memory_equal(way(*code, ranges[i].below), "overflow", 8);
            assert_memory_equal(way(*code, ranges[i].above), "overflow", 8);
            assert_memory_equal(way(*code, "1e400"), "invalid", 7);
        }
    }
    assert_string_equal(way('b', "300"), "overflow: value 300 does not fit typecode b (-128…127)");
    assert_string_equal(way('Q', "-1"), "overflow: value -1 does not fit typecode Q (0…18446744073709551615)");
    assert_memory_equal(way('q', "99999999999999999999999999999999999999999999999"),
                        "overflow: value 9999999999999999999999999999999999999999… does not", 60);
}

static void test_wrong_types(void **state)
{
    (void)state;
    assert_string_equal(way('i', "1.0"), "invalid: 1.0 is not an integer (typecode i)");
    assert_string_equal(way('i', "null"), "invalid: null is not an integer (typecode i)");
    assert_string_equal(way('i', "\"é\""), "invalid: the value must be an integer (typecode i)");
    assert_string_equal(way('d', "[1]"), "invalid: the value must be a number (typecode d)");
    assert_string_equal(way('d', "\"nan\""), "invalid: the value must be a number (typecode d)");
    assert_string_equal(way('i', "true"), "1"); /* as in Python */
    assert_string_equal(way('d', "false"), "0.0");
}

static void test_floats(void **state)
{
    (void)state;
    assert_string_equal(way('d', "0.1"), "0.1");
    assert_string_equal(way('d', "-7"), "-7.0");
    assert_string_equal(way('f', "0.1"), "0.10000000149011612");
    assert_string_equal(way('f', "3.4028234663852886e38"), "3.4028234663852886e+38");
    assert_string_equal(way('f', "3.5e38"), "overflow: value 3.5e38 does not fit typecode f (up to ±3.40282347e+38)");
    assert_memory_equal(way('d', "1e400"), "overflow", 8);
    assert_string_equal(way('d', "\"NaN\""), "\"NaN\"");
    assert_string_equal(way('f', "\"Infinity\""), "\"Infinity\"");
    assert_string_equal(way('f', "\"-Infinity\""), "\"-Infinity\"");
}

/* The sum in memory, or the problem. */
static const char *added(char code, const char *value, const char *by)
{
    static struct buf out;
    struct error error = {""};
    uint64_t bits, cell = 0, sum;
    const struct typecode *type = type_of(code);
    assert_int_equal(typecode_parse(type, value, value + strlen(value), &bits, &error), OBJECT_OK);
    typecode_store(type, &cell, bits);
    enum object_status status = typecode_add(type, &cell, by, by + strlen(by), &sum, &error);
    buf_clear(&out, SIZE_MAX);
    if (status != OBJECT_OK) {
        assert_true(typecode_load(type, &cell) == bits); /* nothing has happened */
        buf_printf(&out, "%s: %s", object_status_name(status), error.text);
        return buf_cstr(&out);
    }
    assert_true(typecode_load(type, &cell) == sum);
    typecode_format(type, sum, &out);
    return buf_cstr(&out);
}

static void test_adding(void **state)
{
    (void)state;
    assert_string_equal(added('b', "-128", "255"), "127");
    assert_string_equal(added('b', "127", "1"), "overflow: the sum 127 + 1 does not fit typecode b (-128…127)");
    assert_string_equal(added('B', "0", "-1"), "overflow: the sum 0 + -1 does not fit typecode B (0…255)");
    assert_string_equal(added('Q', "18446744073709551615", "-18446744073709551615"), "0");
    assert_string_equal(added('q', "-9223372036854775808", "18446744073709551615"), "9223372036854775807");
    assert_memory_equal(added('q', "9223372036854775807", "1"), "overflow", 8);
    assert_string_equal(added('i', "1", "0.5"), "invalid: 0.5 is not an integer (typecode i)");
    assert_string_equal(added('d', "1", "0.5"), "1.5");
    assert_string_equal(added('d', "9007199254740992", "1"), "9007199254740992.0"); /* as doubles are */
    assert_string_equal(added('f', "16777216", "1"), "16777216.0");
    assert_memory_equal(added('f', "3.4e38", "3.4e38"), "overflow", 8);
    assert_memory_equal(added('d', "1.7e308", "1.7e308"), "overflow", 8);
    assert_memory_equal(added('d', "0", "1e400"), "overflow", 8);
    assert_string_equal(added('d', "\"NaN\"", "1"), "\"NaN\"");
    assert_string_equal(added('f', "\"-Infinity\"", "1"), "\"-Infinity\"");
}

static bool swapped(char code, const char *value, const char *expected, const char *desired)
{
    struct error error;
    const struct typecode *type = type_of(code);
    uint64_t bits, wanted, next, cell = 0;
    assert_int_equal(typecode_parse(type, value, value + strlen(value), &bits, &error), OBJECT_OK);
    assert_int_equal(typecode_parse(type, expected, expected + strlen(expected), &wanted, &error), OBJECT_OK);
    assert_int_equal(typecode_parse(type, desired, desired + strlen(desired), &next, &error), OBJECT_OK);
    typecode_store(type, &cell, bits);
    bool done = typecode_compare_set(type, &cell, &wanted, next);
    assert_true(typecode_load(type, &cell) == (done ? next : bits));
    assert_true(done || wanted == bits);
    return done;
}

static void test_comparing(void **state)
{
    (void)state;
    for (const char *code = TYPECODES; *code; code++) {
        assert_true(swapped(*code, "7", "7", "9"));
        assert_false(swapped(*code, "7", "8", "9"));
    }
    assert_true(swapped('d', "0.0", "-0.0", "1"));
    assert_true(swapped('f', "\"NaN\"", "\"NaN\"", "1"));
    assert_true(swapped('f', "0.1", "0.1", "1"));
    assert_false(swapped('d', "0.1", "0.10000000149011612", "1"));
}

/* Two threads as two tasks would: nothing is lost, in any width. */
struct shared {
    const struct typecode *type;
    uint64_t *cell;
    const char *by;
    int times;
};

static void *add_often(void *context)
{
    struct shared *shared = context;
    struct error error;
    uint64_t sum;
    for (int i = 0; i < shared->times; i++)
        if (typecode_add(shared->type, shared->cell, shared->by, shared->by + 1, &sum, &error) != OBJECT_OK)
            return context;
    return NULL;
}

static void test_nothing_lost(void **state)
{
    (void)state;
    for (const char *code = TYPECODES; *code; code++) {
        uint64_t cell = 0;
        pthread_t threads[2];
        struct shared shared = {.type = type_of(*code), .cell = &cell, .by = "1"};
        shared.times = shared.type->size == 1 ? 63 : 16000;
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, add_often, &shared), 0);
        for (int i = 0; i < 2; i++) {
            void *failed;
            pthread_join(threads[i], &failed);
            assert_null(failed);
        }
        struct buf text = BUF_EMPTY;
        typecode_format(shared.type, typecode_load(shared.type, &cell), &text);
        assert_int_equal(atoi(buf_cstr(&text)), 2 * shared.times);
        buf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),  cmocka_unit_test(test_order_says_why), cmocka_unit_test(test_repeated_names),
        cmocka_unit_test(test_deep),   cmocka_unit_test(test_reals),          cmocka_unit_test(test_random_reals),
        cmocka_unit_test(test_sums),   cmocka_unit_test(test_no_numbers),     cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_ranges), cmocka_unit_test(test_wrong_types),    cmocka_unit_test(test_floats),
        cmocka_unit_test(test_adding), cmocka_unit_test(test_comparing),      cmocka_unit_test(test_nothing_lost),
    };
    return cmocka_run_group_tests_name("objects_json", tests, NULL, NULL);
}
