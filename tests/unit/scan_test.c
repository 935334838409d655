/* The scanner against jansson on some 100,000 texts made by rule and by accident, and by hand where it stands alone:
 * where errors are, what flattening leaves alone, how walking goes, and that nothing is read at or behind the end
 * (every text lies at the very end of an allocation, so that the address sanitizer sees one byte too far). */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/oracle.h"
#include "wire/scan.h"

/* --- texts ------------------------------------------------------------------------------------------------------ */

/* A text in memory of exactly its size. */
struct text {
    char *at, *end;
};

static struct text text_of(const char *bytes, size_t length)
{
    struct text text = {.at = malloc(length ? length : 1)};
    assert_non_null(text.at);
    memcpy(text.at, bytes, length);
    text.end = text.at + length;
    return text;
}

static struct text text_new(const char *string)
{
    return text_of(string, strlen(string));
}

static void text_free(struct text *text)
{
    free(text->at);
    *text = (struct text){0};
}

static uint64_t seed;

static unsigned below(unsigned limit) /* splitmix64 */
{
    uint64_t z = (seed += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (unsigned)((z ^ (z >> 31)) >> 32) % limit;
}

#define PICK(list) list[below(sizeof list / sizeof *list)]

/* A growing text with a generous fixed limit: what no longer fits is left out. */
struct draft {
    char bytes[4096];
    size_t length;
};

static void put(struct draft *draft, const char *string)
{
    size_t length = strlen(string);
    if (draft->length + length > sizeof draft->bytes)
        return;
    memcpy(draft->bytes + draft->length, string, length);
    draft->length += length;
}

static void put_space(struct draft *draft)
{
    static const char *const spaces[] = {"", "", "", "", " ", "\n", "\t", "\r\n", "  \n "};
    put(draft, PICK(spaces));
}

static void put_string(struct draft *draft)
{
    static const char *const pieces[] = {
        "a",
        "key",
        "long enough for several steps of sixteen bytes ",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u0041",
        "\\u0000",
        "\\ud83d\\ude00",
        "\\uD834\\uDD1E",
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xf0\x9f\x98\x80",
        "\xf4\x8f\xbf\xbf",
        "\x7f",
        " ",
        "[",
        "}",
    };
    put(draft, "\"");
    for (unsigned count = below(5); count--;)
        put(draft, PICK(pieces));
    put(draft, "\"");
}

static void put_value(struct draft *, unsigned depth);

static void put_members(struct draft *draft, bool object, unsigned depth)
{
    put(draft, object ? "{" : "[");
    put_space(draft);
    for (unsigned count = below(5), i = 0; i < count; i++) {
        if (i)
            put(draft, ","), put_space(draft);
        if (object)
            put_string(draft), put_space(draft), put(draft, ":"), put_space(draft);
        put_value(draft, depth + 1);
        put_space(draft);
    }
    put(draft, object ? "}" : "]");
}

static void put_value(struct draft *draft, unsigned depth)
{
    static const char *const scalars[] = {
        "null",   "true",       "false", "0",      "-0",   "7",    "-12",
        "1e-400", "1234567890", "0.1",   "1.5e10", "2E-3", "1e+2", "9223372036854775807"};
    static const char *const huge[] = {"1e400", "9223372036854775808"};
    unsigned choice = below(depth < 5 ? 8 : 4);
    if (choice < 3)
        put(draft, below(100) ? PICK(scalars) : PICK(huge));
    else if (choice == 3)
        put_string(draft);
    else
        put_members(draft, choice & 1, depth);
}

static void mutate(struct draft *draft)
{
    static const char bytes[] =
        "\"\\{}[]:,0123456789.eE+-tfnu \n\t\r/\x00\x1f\x7f\x80\xbf\xc0\xc2\xe0\xed\xf0\xf4\xf5\xff";
    unsigned at = draft->length ? below((unsigned)draft->length) : 0;
    switch (below(5)) {
    case 0: /* replace */
        draft->bytes[at] = bytes[below(sizeof bytes - 1)];
        break;
    case 1: /* flip */
        draft->bytes[at] = (char)(draft->bytes[at] ^ (1 << below(8)));
        break;
    case 2: /* remove */
        if (draft->length)
            memmove(draft->bytes + at, draft->bytes + at + 1, --draft->length - at);
        break;
    case 3: /* insert */
        if (draft->length < sizeof draft->bytes) {
            memmove(draft->bytes + at + 1, draft->bytes + at, draft->length++ - at);
            draft->bytes[at] = bytes[below(sizeof bytes - 1)];
        }
        break;
    default: /* cut */
        draft->length = at;
    }
}

/* --- against jansson -------------------------------------------------------------------------------------------- */

static enum oracle ask(const char *bytes, size_t length)
{
    struct text text = text_of(bytes, length);
    enum oracle answer = oracle(text.at, length);
    text_free(&text);
    if (answer == ORACLE_DISAGREE)
        fail_msg("scanner and jansson disagree on: %.*s", (int)length, bytes);
    return answer;
}

static void test_generated(void **state)
{
    (void)state;
    unsigned seen[4] = {0};
    seed = 1;
    for (int round = 0; round < 30000; round++) {
        struct draft draft = {.length = 0};
        put_space(&draft);
        put_value(&draft, 0);
        put_space(&draft);
        seen[ask(draft.bytes, draft.length)]++;
    }
    assert_true(seen[ORACLE_BOTH_ACCEPT] > 15000); /* the rest has a key with \u0000 or a huge number */
    print_message("generated: %u accepted, %u rejected, %u differ as listed\n", seen[0], seen[1], seen[2]);
}

static void test_mutated(void **state)
{
    (void)state;
    unsigned seen[4] = {0};
    seed = 2;
    for (int round = 0; round < 20000; round++) {
        struct draft draft = {.length = 0};
        put_value(&draft, 1);
        for (int step = 0; step < 4; step++) {
            mutate(&draft);
            seen[ask(draft.bytes, draft.length)]++;
        }
    }
    assert_true(seen[ORACLE_BOTH_REJECT] > 20000 && seen[ORACLE_BOTH_ACCEPT] > 5000);
    print_message("mutated: %u accepted, %u rejected, %u differ as listed\n", seen[0], seen[1], seen[2]);
}

/* Every sequence of two bytes, and every three that begin like a character of three or more, inside a string. */
static void test_utf8_exhaustively(void **state)
{
    (void)state;
    static const unsigned char edges[] = {0x00, 0x22, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    for (unsigned lead = 0; lead < 256; lead++)
        for (unsigned second = 0; second < 256; second++) {
            char text[] = {'"', (char)lead, (char)second, '"', 0, '"'};
            ask(text, 4);
            for (unsigned i = 0; lead >= 0xe0 && i < sizeof edges; i++) {
                text[3] = (char)edges[i], text[4] = '"';
                ask(text, 5);
                text[4] = (char)0xbf;
                ask(text, 6);
            }
        }
}

static void test_escapes_exhaustively(void **state)
{
    (void)state;
    static const unsigned seconds[] = {0x41, 0xdbff, 0xdc00, 0xdfff, 0xe000};
    char text[32];
    for (unsigned code = 0; code < 0x10000; code += code >= 0xd7f0 && code < 0xe010 ? 1 : 37) {
        int length = snprintf(text, sizeof text, "\"\\u%04x\"", code);
        ask(text, (size_t)length);
        for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
            length = snprintf(text, sizeof text, "\"\\u%04X\\u%04x\"", code, seconds[i]);
            ask(text, (size_t)length);
        }
    }
    for (int c = 0; c < 256; c++)
        ask((char[]){'"', '\\', (char)c, '"'}, 4);
}

/* The complete list of what scanner and jansson see differently. */
static void test_allowed_disagreements(void **state)
{
    (void)state;
    static const char *const wider[] = {
        "1e400",           "-1e400", "9223372036854775808", "-9223372036854775809", "[123456789012345678901234567890]",
        "{\"\\u0000\": 1}"};
    for (size_t i = 0; i < sizeof wider / sizeof *wider; i++) {
        assert_int_equal(ask(wider[i], strlen(wider[i])), ORACLE_ALLOWED);
        assert_true(scan_is_value(wider[i], wider[i] + strlen(wider[i]), NULL));
    }
    assert_int_equal(ask("[1\0]", 4), ORACLE_ALLOWED); /* jansson swallows the NUL */
    assert_int_equal(ask("[\0]", 3), ORACLE_BOTH_REJECT);
    char deep[2 * (SCAN_DEPTH_MAX + 1)];
    memset(deep, '[', SCAN_DEPTH_MAX + 1);
    memset(deep + SCAN_DEPTH_MAX + 1, ']', SCAN_DEPTH_MAX + 1);
    assert_int_equal(ask(deep + 1, sizeof deep - 2), ORACLE_BOTH_ACCEPT);
    assert_int_equal(ask(deep, sizeof deep), ORACLE_ALLOWED);
}

static void test_a_million_brackets(void **state)
{
    (void)state;
    size_t length = 1000000;
    char *deep = malloc(length);
    struct scan_error error;
    assert_non_null(deep);
    memset(deep, '[', length);
    assert_null(scan_value(deep, deep + length, NULL, &error));
    assert_ptr_equal(error.at, deep + SCAN_DEPTH_MAX);
    assert_string_equal(error.reason, "too deep");
    free(deep);
}

/* --- errors ----------------------------------------------------------------------------------------------------- */

static void test_error_positions(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
        int at;
    } cases[] = {
        {"", "unexpected end", 0},
        {"  ", "unexpected end", 2},
        {"[1, 2", "unexpected end", 5},
        {"[1 2]", "expected ',' or ']'", 3},
        {"{\"a\": 1 \"b\"}", "expected ',' or '}'", 8},
        {"{\"a\": 1]", "expected ',' or '}'", 7},
        {"{\"a\" 1}", "expected ':'", 5},
        {"{a: 1}", "expected a key", 1},
        {"{\"a\": 1,}", "expected a key", 8},
        {"[1,]", "expected a value", 3},
        {"[,1]", "expected a value", 1},
        {"nul!", "expected a value", 3},
        {"nul", "unexpected end", 3},
        {"NaN", "expected a value", 0},
        {"+1", "expected a value", 0},
        {"-", "unexpected end", 1},
        {"-a", "expected a digit", 1},
        {"1.", "unexpected end", 2},
        {"[1.]", "expected a digit", 3},
        {"1e+x", "expected a digit", 3},
        {"01", "expected nothing more", 1},
        {"1 2", "expected nothing more", 2},
        {"\"ab", "unexpected end", 3},
        {"\"a\nb\"", "control character in a string", 2},
        {"\"\\q\"", "invalid escape", 2},
        {"\"\\", "unexpected end", 2},
        {"\"\\u12g4\"", "invalid escape", 5},
        {"\"\\u12", "unexpected end", 5},
        {"\"ab\\ud800\"", "lone surrogate", 3},
        {"\"\\ud800\\n\"", "lone surrogate", 1},
        {"\"\\ud800\\ud800\"", "lone surrogate", 1},
        {"\"\\udc00\"", "lone surrogate", 1},
        {"\"\\ud800\\", "unexpected end", 8},
        {"\"a\xc0\x80\"", "invalid UTF-8", 2},
        {"\"a\xe2\x82\"", "invalid UTF-8", 2},
        {"\"a\xe2\x82", "unexpected end", 4},
        {"\"\xed\xa0\x80\"", "invalid UTF-8", 1},
        {"\"\xf4\x90\x80\x80\"", "invalid UTF-8", 1},
        {"\xef\xbb\xbf[]", "expected a value", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text text = text_new(cases[i].text);
        struct scan_error error = {0};
        assert_false(scan_is_value(text.at, text.end, &error));
        assert_string_equal(error.reason, cases[i].reason);
        assert_int_equal(error.at - text.at, cases[i].at);
        assert_false(scan_is_value(text.at, text.end, NULL));
        text_free(&text);
    }
}

static void test_kind_and_end(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum scan_kind kind;
        int length;
    } cases[] = {
        {"null,", SCAN_NULL, 4}, {"false", SCAN_FALSE, 5},       {"true]", SCAN_TRUE, 4},  {"-1.5e3 ", SCAN_NUMBER, 6},
        {"01", SCAN_NUMBER, 1},  {"\"a\"\"b\"", SCAN_STRING, 3}, {"[[]]]", SCAN_ARRAY, 4}, {"{ } ", SCAN_OBJECT, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text text = text_new(cases[i].text);
        enum scan_kind kind;
        assert_int_equal(scan_value(text.at, text.end, &kind, NULL) - text.at, cases[i].length);
        assert_int_equal(kind, cases[i].kind);
        text_free(&text);
    }
    struct text text = text_new(" 1");
    assert_null(scan_value(text.at, text.end, NULL, NULL)); /* leading space is the caller's */
    assert_ptr_equal(scan_space(text.at, text.end), text.at + 1);
    assert_ptr_equal(scan_space(text.end, text.end), text.end);
    text_free(&text);
}

static const char *const SAMPLES[] = {
    "{\"a\": [1, -2.5e+10, true, false, null], \"key \\u00e9\\ud83d\\ude00\": {\"x\": \"\xf0\x9f\x98\x80 \xc3\xa9\"}}",
    "[ \"a string longer than two steps of sixteen bytes, so that all paths are taken \\\" \", {}, [], [[ ]] ]",
    "{\"\":\"\\b\\f\\n\\r\\t\\/\\\\\"}",
};

/* Each proper beginning of a text is cut short at its end, and nothing behind it is looked at. */
static void test_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof SAMPLES / sizeof *SAMPLES; i++)
        for (size_t length = 0; length < strlen(SAMPLES[i]); length++) {
            struct text text = text_of(SAMPLES[i], length);
            struct scan_error error = {0};
            assert_false(scan_is_value(text.at, text.end, &error));
            assert_string_equal(error.reason, "unexpected end");
            assert_ptr_equal(error.at, text.end);
            struct scan_walk walk;
            for (scan_enter(&walk, text.at, text.end, true); scan_next(&walk);)
                continue;
            assert_string_equal(walk.error.reason, "unexpected end");
            assert_ptr_equal(walk.error.at, text.end);
            text_free(&text);
        }
}

/* --- flattening ------------------------------------------------------------------------------------------------- */

static void test_flatten(void **state)
{
    (void)state;
    struct text text = text_new("{\r\n\t\"a\\n\" :\n[1,\n2\r]\n,\"b\":{\n}}\n");
    enum scan_kind kind;
    char *behind = scan_value_flatten(text.at, text.end, &kind, NULL);
    assert_ptr_equal(behind, text.end - 1);
    assert_int_equal(kind, SCAN_OBJECT);
    assert_memory_equal(text.at, "{  \t\"a\\n\" : [1, 2 ] ,\"b\":{ }}\n", (size_t)(text.end - text.at));
    text_free(&text);
}

/* Only line breaks change, only to spaces, and none is left; jansson reads the same value. */
static void test_flatten_generated(void **state)
{
    (void)state;
    seed = 3;
    for (int round = 0; round < 5000; round++) {
        struct draft draft = {.length = 0};
        put_value(&draft, 0);
        struct text text = text_of(draft.bytes, draft.length);
        json_t *before = json_loadb(draft.bytes, draft.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        char *behind = scan_value_flatten(text.at, text.end, NULL, NULL);
        for (size_t i = 0; i < draft.length; i++)
            if (text.at[i] != draft.bytes[i])
                assert_true(text.at[i] == ' ' && (draft.bytes[i] == '\n' || draft.bytes[i] == '\r'));
        if (behind) { /* a draft that outgrew its limit is no value */
            assert_ptr_equal(behind, text.end);
            assert_null(memchr(text.at, '\n', draft.length));
            assert_null(memchr(text.at, '\r', draft.length));
        }
        json_t *after = json_loadb(text.at, draft.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_true(before ? json_equal(before, after) : !after);
        json_decref(before);
        json_decref(after);
        text_free(&text);
    }
}

/* --- walking ---------------------------------------------------------------------------------------------------- */

/* Writes what a walk gives as key=value(kind); and its end as . or !reason@position. */
static void tell(const char *string, bool flatten, char *to, size_t size)
{
    struct text text = text_new(string);
    struct scan_walk walk;
    size_t at = 0;
    for (scan_enter(&walk, text.at, text.end, flatten); scan_next(&walk);) {
        if (walk.object)
            at += (size_t)snprintf(to + at, size - at, "%.*s=", (int)(walk.key_end - walk.key), walk.key);
        at += (size_t)snprintf(to + at, size - at, "%.*s(%d);", (int)(walk.value_end - walk.value), walk.value,
                               walk.kind);
    }
    if (walk.error.reason)
        snprintf(to + at, size - at, "!%s@%td", walk.error.reason, walk.error.at - text.at);
    else
        snprintf(to + at, size - at, ".%td", walk.at - text.at);
    assert_false(scan_next(&walk)); /* and stays so */
    text_free(&text);
}

static void test_walk(void **state)
{
    (void)state;
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"[]", ".2"},
        {"[ ] 1", ".3"},
        {"{}", ".2"},
        {"[1]", "1(3);.3"},
        {"[ 1 , \"a\" ,[2,\n3],{} ]x", "1(3);\"a\"(4);[2, 3](5);{}(6);.22"},
        {"{\"a\":1, \"\\\"\" : null}", "a=1(3);\\\"=null(0);.20"},
        {"1", "!expected an array or an object@0"},
        {"", "!unexpected end@0"},
        {"[", "!unexpected end@1"},
        {"[1", "1(3);!unexpected end@2"},
        {"[1 2]", "1(3);!expected ',' or ']'@3"},
        {"[1,]", "1(3);!expected a value@3"},
        {"[,]", "!expected a value@1"},
        {"[1}", "1(3);!expected ',' or ']'@2"},
        {"{\"a\":1,}", "a=1(3);!expected a key@7"},
        {"{\"a\"}", "!expected ':'@4"},
        {"{1:2}", "!expected a key@1"},
        {"{\"a\":}", "!expected a value@5"},
        {"[1,[2,}]", "1(3);!expected a value@6"},
        {"[01]", "0(3);!expected ',' or ']'@2"},
    };
    char told[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tell(cases[i].text, true, told, sizeof told);
        assert_string_equal(told, cases[i].told);
    }
    tell("[[1,\n2]]", false, told, sizeof told);
    assert_string_equal(told, "[1,\n2](5);.8");
}

/* Walking accepts the same arrays and objects as scanning, and ends at the same byte. */
static void test_walk_generated(void **state)
{
    (void)state;
    seed = 4;
    for (int round = 0; round < 20000; round++) {
        struct draft draft = {.length = 0};
        put_members(&draft, below(2), 0);
        if (below(2))
            mutate(&draft);
        struct text text = text_of(draft.bytes, draft.length);
        enum scan_kind kind;
        const char *behind = scan_value(text.at, text.end, &kind, NULL);
        struct scan_walk walk;
        for (scan_enter(&walk, text.at, text.end, false); scan_next(&walk);)
            assert_true(scan_is_value(walk.value, walk.value_end, NULL));
        if (behind && kind >= SCAN_ARRAY)
            assert_ptr_equal(walk.at, behind);
        assert_int_equal(!walk.error.reason, behind && kind >= SCAN_ARRAY);
        text_free(&text);
    }
}

/* --- UTF-8 ------------------------------------------------------------------------------------------------------ */

static void test_is_utf8(void **state)
{
    (void)state;
    seed = 5;
    for (int round = 0; round < 20000; round++) {
        struct draft draft = {.length = 0};
        put_string(&draft);
        mutate(&draft);
        struct text text = text_of(draft.bytes, draft.length);
        json_t *string = json_stringn(draft.bytes, draft.length);
        assert_int_equal(scan_is_utf8(text.at, text.end), string != NULL);
        json_decref(string);
        text_free(&text);
    }
    static const char empty[1];
    assert_true(scan_is_utf8(empty, empty));
}

/* --- integers --------------------------------------------------------------------------------------------------- */

static void test_integer(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",    "-",  "1.0", "1e3", "9223372036854775808",       "-9223372036854775809", "01",
        "-01", "+1", " 1",  "1 ",  "99999999999999999999999999"};
    static const struct {
        const char *text;
        long long value;
    } integers[] = {{"0", 0},
                    {"-0", 0},
                    {"7", 7},
                    {"-12", -12},
                    {"9223372036854775807", LLONG_MAX},
                    {"-9223372036854775808", LLONG_MIN}};
    long long value = 0;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct text text = text_new(others[i]);
        assert_int_equal(scan_integer(text.at, text.end, &value), -1);
        text_free(&text);
    }
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        struct text text = text_new(integers[i].text);
        assert_int_equal(scan_integer(text.at, text.end, &value), 0);
        assert_true(value == integers[i].value);
        text_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generated),
        cmocka_unit_test(test_mutated),
        cmocka_unit_test(test_utf8_exhaustively),
        cmocka_unit_test(test_escapes_exhaustively),
        cmocka_unit_test(test_allowed_disagreements),
        cmocka_unit_test(test_a_million_brackets),
        cmocka_unit_test(test_error_positions),
        cmocka_unit_test(test_kind_and_end),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flatten),
        cmocka_unit_test(test_flatten_generated),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_walk_generated),
        cmocka_unit_test(test_is_utf8),
        cmocka_unit_test(test_integer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
