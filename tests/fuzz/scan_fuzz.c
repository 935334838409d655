/* The scanner against jansson, and its three ways of reading the same text against each other. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "oracle.h"

/* A copy at the very end of its allocation. */
static char *copy_of(const uint8_t *bytes, size_t length)
{
    char *copy = malloc(length ? length : 1);
    CHECK(copy, "memory");
    if (length)
        memcpy(copy, bytes, length);
    return copy;
}

static void check_error(const struct scan_error *error, const char *begin, const char *end)
{
    CHECK(error->reason, "an error has a reason");
    CHECK(error->at >= begin && error->at <= end, "the error %s lies in the text", error->reason);
}

/* Elements and members are values, in order, within the text; the end is where scan_value finds it. */
static void check_split(char *at, char *end, bool flatten, const char *behind, enum scan_kind kind)
{
    struct scan_walk walk;
    const char *last = at;
    bool container = behind && (kind == SCAN_ARRAY || kind == SCAN_OBJECT);
    long long integer;

    for (scan_enter(&walk, at, end, flatten); scan_next(&walk); last = walk.value_end) {
        CHECK(walk.value > last && walk.value < walk.value_end && walk.value_end <= end, "values come in order");
        CHECK(!walk.object || (walk.key > last && walk.key <= walk.key_end && walk.key_end < walk.value), "key first");
        CHECK(scan_is_value(walk.value, walk.value_end, NULL), "what the walk gives is a value");
        CHECK(!flatten || !memchr(walk.value, '\n', (size_t)(walk.value_end - walk.value)), "it fits a line");
        CHECK(scan_integer(walk.value, walk.value_end, &integer) || walk.kind == SCAN_NUMBER, "integers are numbers");
    }
    CHECK(!container || !walk.error.reason, "%s in what is valid", walk.error.reason);
    CHECK(!container || walk.at == behind, "both end at the same byte");
    if (walk.error.reason)
        check_error(&walk.error, at, end);
}

/* Flattening turns line breaks into spaces, and that is all it does. */
static void check_flat(const char *flat, const char *text, size_t length, size_t valid)
{
    for (size_t i = 0; i < length; i++)
        CHECK(flat[i] == text[i] || (flat[i] == ' ' && (text[i] == '\n' || text[i] == '\r')), "byte %zu changed", i);
    CHECK(!memchr(flat, '\n', valid) && !memchr(flat, '\r', valid), "a line break is left");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *text = copy_of(bytes, length), *flat = copy_of(bytes, length);
    struct scan_error error = {0};
    enum scan_kind kind = SCAN_NULL;

    CHECK(oracle(text, length) != ORACLE_DISAGREE, "scanner and jansson agree");
    const char *behind = scan_value(text, text + length, &kind, &error);
    if (!behind)
        check_error(&error, text, text + length);
    check_split(text, text + length, false, behind, kind);

    const char *flat_behind = scan_value_flatten(flat, flat + length, NULL, NULL);
    CHECK(behind ? flat_behind - flat == behind - text : !flat_behind, "flattening reads the same value");
    check_flat(flat, text, length, behind ? (size_t)(behind - text) : 0);
    if (length)
        memcpy(flat, bytes, length);
    check_split(flat, flat + length, true, behind ? flat + (behind - text) : NULL, kind);
    free(flat);
    free(text);
    return 0;
}
