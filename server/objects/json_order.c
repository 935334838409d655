/* Both sides are walked in step, element by element; only objects whose members stand in another order are sorted
 * first. scan_walk looks at each level's bytes once more, which SCAN_DEPTH_MAX bounds. */
#include "objects/json_order.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objects/number.h"
#include "wire/scan.h"

/* A value without white space around it. */
struct text {
    const char *at, *end;
    enum scan_kind kind;
};

static bool is_equal(const struct text *a, const struct text *b);
static int compare(const struct text *a, const struct text *b, struct json_order *order);

static enum scan_kind kind_of(char first)
{
    switch (first) {
    case 'n':
        return SCAN_NULL;
    case 'f':
        return SCAN_FALSE;
    case 't':
        return SCAN_TRUE;
    case '"':
        return SCAN_STRING;
    case '[':
        return SCAN_ARRAY;
    case '{':
        return SCAN_OBJECT;
    default:
        return SCAN_NUMBER;
    }
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct text text_of(const char *at, size_t length)
{
    const char *end = at + length;
    at = scan_space(at, end);
    CHECK(at != end, "what is compared has been scanned");
    while (is_space(end[-1]))
        end--;
    return (struct text){at, end, kind_of(*at)};
}

/* --- strings ---------------------------------------------------------------------------------------------------- */

static unsigned hex4(const char *at)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)at[i];
        value = value * 16 + (c <= '9' ? c - (unsigned)'0' : (c | 0x20u) - 'a' + 10u);
    }
    return value;
}

static unsigned escaped(const char **at)
{
    char c = *(*at)++;
    if (c != 'u') {
        const char *names = "bfnrt", *found = strchr(names, c);
        return found ? (unsigned char)"\b\f\n\r\t"[found - names] : (unsigned char)c;
    }
    unsigned code = hex4(*at);
    *at += 4;
    if (code < 0xD800 || code > 0xDBFF)
        return code;
    unsigned low = hex4(*at + 2); /* the scanner lets no high surrogate stand alone */
    *at += 6;
    return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

static unsigned code_point(const char **at)
{
    unsigned char first = (unsigned char)*(*at)++;
    if (first == '\\')
        return escaped(at);
    if (first < 0x80)
        return first;
    unsigned more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    unsigned code = first & (0x3Fu >> more);
    while (more-- > 0)
        code = code << 6 | ((unsigned char)*(*at)++ & 0x3Fu);
    return code;
}

/* What is between the quotes. Bytes of UTF-8 have the order of their code points; escapes must be read. */
static int compare_strings(const char *a, const char *a_end, const char *b, const char *b_end)
{
    size_t a_length = (size_t)(a_end - a), b_length = (size_t)(b_end - b);
    size_t shorter = a_length < b_length ? a_length : b_length;
    if (!memchr(a, '\\', a_length) && !memchr(b, '\\', b_length)) {
        int order = memcmp(a, b, shorter);
        return order != 0 ? order : a_length < b_length ? -1 : a_length > b_length;
    }
    while (a != a_end && b != b_end) {
        unsigned x = code_point(&a), y = code_point(&b);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return a != a_end ? 1 : b != b_end ? -1 : 0;
}

/* --- objects ---------------------------------------------------------------------------------------------------- */

struct member {
    const char *key, *key_end;
    struct text value;
    size_t place;
};

struct members {
    struct member *items;
    size_t count, capacity;
};

/* scan_walk writes only when it is asked to flatten. */
static void enter(struct scan_walk *walk, const struct text *text)
{
    scan_enter(walk, (char *)(uintptr_t)text->at, (char *)(uintptr_t)text->end, false);
}

static struct text walked(const struct scan_walk *walk)
{
    return (struct text){walk->value, walk->value_end, walk->kind};
}

static int by_key(const void *left, const void *right)
{
    const struct member *a = left, *b = right;
    int order = compare_strings(a->key, a->key_end, b->key, b->key_end);
    return order != 0 ? order : a->place < b->place ? -1 : a->place > b->place;
}

static void add_member(struct members *members, const struct scan_walk *walk)
{
    if (members->count == members->capacity) {
        members->capacity = members->capacity ? members->capacity * 2 : 16;
        members->items = realloc(members->items, members->capacity * sizeof *members->items);
        CHECK(members->items != NULL, "out of memory for %zu members", members->capacity);
    }
    members->items[members->count] = (struct member){walk->key, walk->key_end, walked(walk), members->count};
    members->count++;
}

/* By key; of those that come twice the last. */
static void read_members(const struct text *object, struct members *members)
{
    struct scan_walk walk;
    for (enter(&walk, object); scan_next(&walk);)
        add_member(members, &walk);
    if (members->count == 0)
        return;
    qsort(members->items, members->count, sizeof *members->items, by_key);
    size_t kept = 0;
    for (size_t i = 1; i < members->count; i++) {
        struct member *last = &members->items[kept], *next = &members->items[i];
        bool same = compare_strings(last->key, last->key_end, next->key, next->key_end) == 0;
        members->items[same ? kept : ++kept] = *next;
    }
    members->count = kept + 1;
}

static bool are_equal_objects(const struct text *a, const struct text *b)
{
    struct members left = {0}, right = {0};
    read_members(a, &left);
    read_members(b, &right);
    bool equal = left.count == right.count;
    for (size_t i = 0; equal && i < left.count; i++) {
        struct member *x = &left.items[i], *y = &right.items[i];
        equal = compare_strings(x->key, x->key_end, y->key, y->key_end) == 0 && is_equal(&x->value, &y->value);
    }
    free(left.items);
    free(right.items);
    return equal;
}

/* --- arrays ----------------------------------------------------------------------------------------------------- */

static bool are_equal_arrays(const struct text *a, const struct text *b)
{
    struct scan_walk left, right;
    enter(&left, a);
    enter(&right, b);
    for (;;) {
        bool more = scan_next(&left);
        if (scan_next(&right) != more)
            return false;
        if (!more)
            return true;
        struct text x = walked(&left), y = walked(&right);
        if (!is_equal(&x, &y))
            return false;
    }
}

/* As Python: the first two that differ decide, and only they must have an order. */
static int compare_arrays(const struct text *a, const struct text *b, struct json_order *order)
{
    struct scan_walk left, right;
    enter(&left, a);
    enter(&right, b);
    for (;;) {
        bool more = scan_next(&left);
        if (scan_next(&right) != more)
            return more ? 1 : -1;
        if (!more)
            return 0;
        struct text x = walked(&left), y = walked(&right);
        if (!is_equal(&x, &y))
            return compare(&x, &y, order);
    }
}

/* --- all of them ------------------------------------------------------------------------------------------------ */

/* true and false are numbers here, as in Python. */
static bool is_number(struct text *text)
{
    static const char digits[] = "01";
    if (text->kind == SCAN_TRUE || text->kind == SCAN_FALSE) {
        text->at = digits + (text->kind == SCAN_TRUE);
        text->end = text->at + 1;
    }
    return text->kind == SCAN_NUMBER || text->kind == SCAN_TRUE || text->kind == SCAN_FALSE;
}

static bool is_equal(const struct text *a, const struct text *b)
{
    struct text x = *a, y = *b;
    if (is_number(&x))
        return is_number(&y) && number_compare(x.at, x.end, y.at, y.end) == 0;
    if (x.kind != y.kind)
        return false;
    switch (x.kind) {
    case SCAN_STRING:
        return compare_strings(x.at + 1, x.end - 1, y.at + 1, y.end - 1) == 0;
    case SCAN_ARRAY:
        return are_equal_arrays(&x, &y);
    case SCAN_OBJECT:
        return are_equal_objects(&x, &y);
    default:
        return true;
    }
}

static const char *kind_name(enum scan_kind kind)
{
    static const char *const names[] = {
        [SCAN_NULL] = "null",     [SCAN_FALSE] = "boolean", [SCAN_TRUE] = "boolean", [SCAN_NUMBER] = "number",
        [SCAN_STRING] = "string", [SCAN_ARRAY] = "array",   [SCAN_OBJECT] = "object"};
    return names[kind];
}

static int compare(const struct text *a, const struct text *b, struct json_order *order)
{
    struct text x = *a, y = *b;
    if (is_number(&x) && is_number(&y))
        return number_compare(x.at, x.end, y.at, y.end);
    if (x.kind == SCAN_STRING && y.kind == SCAN_STRING)
        return compare_strings(x.at + 1, x.end - 1, y.at + 1, y.end - 1);
    if (x.kind == SCAN_ARRAY && y.kind == SCAN_ARRAY)
        return compare_arrays(&x, &y, order);
    if (!order->failed)
        snprintf(order->reason, sizeof order->reason, "'<' is not defined between %s and %s", kind_name(a->kind),
                 kind_name(b->kind));
    order->failed = true;
    return 0;
}

bool json_is_equal(const char *a, size_t a_length, const char *b, size_t b_length)
{
    if (a_length == b_length && memcmp(a, b, a_length) == 0)
        return true; /* JSON has no NaN: what is the same text is the same value */
    struct text x = text_of(a, a_length), y = text_of(b, b_length);
    return is_equal(&x, &y);
}

int json_compare(const char *a, size_t a_length, const char *b, size_t b_length, struct json_order *order)
{
    struct text x = text_of(a, a_length), y = text_of(b, b_length);
    return compare(&x, &y, order);
}
