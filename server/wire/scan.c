/* How the scanner works
 *
 * Each function below takes the place where its construct begins and returns the place behind it, or NULL after
 * fail(). Nesting is kept in one 64-bit word, a bit per open bracket, so that no text however hostile costs stack.
 * Time goes into two places only: white space (almost always none: one comparison) and strings (16 bytes a step). */
#include "wire/scan.h"

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* What all functions share about the text being read. */
struct text {
    const char *end;
    struct scan_error *error;
    bool flatten; /* only where the caller gave writable memory: see space() */
};

/* The open brackets: bit 0 of objects is the innermost one, set when it is a brace. */
struct nest {
    uint64_t objects;
    unsigned depth;
};

_Static_assert(SCAN_DEPTH_MAX <= 64, "struct nest has one bit per level");

static const char *fail(const struct text *text, const char *at, const char *reason)
{
    *text->error = (struct scan_error){.at = at, .reason = at == text->end ? "unexpected end" : reason};
    return NULL;
}

static inline bool is(const struct text *text, const char *at, char wanted)
{
    return at != text->end && *at == wanted;
}

/* --- white space ------------------------------------------------------------------------------------------------ */

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *space(const struct text *text, const char *at)
{
    for (; at != text->end && is_space(*at); at++)
        if (text->flatten && (*at == '\n' || *at == '\r'))
            *(char *)at = ' '; /* the const was added by us: scan_value_flatten and scan_enter took a char * */
    return at;
}

/* --- numbers and literals --------------------------------------------------------------------------------------- */

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline const char *digits(const struct text *text, const char *at)
{
    const char *begin = at, *end = text->end;
    while (at != end && is_digit(*at))
        at++;
    return at != begin ? at : fail(text, at, "expected a digit");
}

static const char *exponent(const struct text *text, const char *at)
{
    if (is(text, at, '+') || is(text, at, '-'))
        at++;
    return digits(text, at);
}

static inline const char *number(const struct text *text, const char *at)
{
    if (*at == '-')
        at++;
    at = is(text, at, '0') ? at + 1 : digits(text, at);
    if (at && is(text, at, '.'))
        at = digits(text, at + 1);
    if (at && (is(text, at, 'e') || is(text, at, 'E')))
        at = exponent(text, at + 1);
    return at;
}

static const char *literal(const struct text *text, const char *at, const char *word)
{
    for (; *word; word++, at++)
        if (!is(text, at, *word))
            return fail(text, at, "expected a value");
    return at;
}

/* --- strings ---------------------------------------------------------------------------------------------------- */

/* True for the bytes of a string that need no thought: ASCII but for controls, the quote and the backslash. */
static inline bool is_plain(char c)
{
    return (signed char)c >= 0x20 && c != '"' && c != '\\';
}

static inline const char *plain_run(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), first = _mm_set1_epi8(0x20);
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i marks = _mm_cmplt_epi8(bytes, first); /* signed: bytes from 0x80 up are less, too */
        marks = _mm_or_si128(marks, _mm_cmpeq_epi8(bytes, quote));
        marks = _mm_or_si128(marks, _mm_cmpeq_epi8(bytes, backslash));
        unsigned found = (unsigned)_mm_movemask_epi8(marks);
        if (found)
            return at + __builtin_ctz(found);
    }
#endif
    while (at != end && is_plain(*at))
        at++;
    return at;
}

/* The four digits of \uXXXX. */
static const char *hex4(const struct text *text, const char *at, unsigned *value)
{
    *value = 0;
    for (const char *stop = at; stop != text->end && stop - at < 4; stop++) {
        char c = (char)(*stop | 0x20); /* lower case; leaves digits as they are */
        if (!is_digit(*stop) && (c < 'a' || c > 'f'))
            return fail(text, stop, "invalid escape");
        *value = *value * 16 + (unsigned)(is_digit(*stop) ? *stop - '0' : c - 'a' + 10);
    }
    return text->end - at >= 4 ? at + 4 : fail(text, text->end, NULL);
}

/* `at` is behind \u. A high surrogate must be followed by the escape of a low one, which belongs to it. */
static const char *unicode_escape(const struct text *text, const char *at)
{
    unsigned high, low;
    const char *begin = at - 2;
    if (!(at = hex4(text, at, &high)) || high < 0xD800 || high > 0xDFFF)
        return at;
    if (high > 0xDBFF)
        return fail(text, begin, "lone surrogate");
    for (const char *mark = "\\u"; *mark; mark++, at++)
        if (!is(text, at, *mark))
            return fail(text, at == text->end ? at : begin, "lone surrogate");
    if (!(at = hex4(text, at, &low)))
        return NULL;
    return low >= 0xDC00 && low <= 0xDFFF ? at : fail(text, begin, "lone surrogate");
}

/* `at` is behind the backslash. */
static const char *escape(const struct text *text, const char *at)
{
    if (is(text, at, 'u'))
        return unicode_escape(text, at + 1);
    if (at == text->end || !*at || !strchr("\"\\/bfnrt", *at))
        return fail(text, at, "invalid escape");
    return at + 1;
}

/* One character beyond ASCII. What Unicode forbids shows in the second byte, whose range the first one sets
 * (Unicode standard, table 3-7): overlong forms, surrogates, and all above U+10FFFF. */
static inline const char *utf8(const struct text *text, const char *begin)
{
    unsigned char lead = (unsigned char)*begin;
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    int length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;

    if (lead < 0xC2 || lead > 0xF4)
        return fail(text, begin, "invalid UTF-8");
    for (int i = 1; i < length; i++, low = 0x80, high = 0xBF) {
        if (begin + i == text->end)
            return fail(text, text->end, NULL);
        if ((unsigned char)begin[i] < low || (unsigned char)begin[i] > high)
            return fail(text, begin, "invalid UTF-8");
    }
    return begin + length;
}

static const char *utf8_run(const struct text *text, const char *at)
{
    while (at && at != text->end && (unsigned char)*at >= 0x80)
        at = utf8(text, at);
    return at;
}

/* `at` is at the opening quote; returns the byte behind the closing one. */
static inline const char *string(const struct text *text, const char *at)
{
    at++;
    while (at) {
        at = plain_run(at, text->end);
        if (is(text, at, '"'))
            return at + 1;
        if (is(text, at, '\\'))
            at = escape(text, at + 1);
        else if (at != text->end && (unsigned char)*at >= 0x80)
            at = utf8_run(text, at);
        else
            return fail(text, at, "control character in a string");
    }
    return NULL;
}

/* --- arrays and objects ----------------------------------------------------------------------------------------- */

static inline bool opens(const struct text *text, const char *at)
{
    return is(text, at, '[') || is(text, at, '{');
}

static inline bool in_object(const struct nest *nest)
{
    return nest->objects & 1;
}

static inline bool closes(const struct text *text, const char *at, bool object)
{
    return is(text, at, object ? '}' : ']');
}

static inline const char *scalar(const struct text *text, const char *at)
{
    if (at == text->end)
        return fail(text, at, NULL);
    switch (*at) {
    case '"':
        return string(text, at);
    case 't':
        return literal(text, at, "true");
    case 'f':
        return literal(text, at, "false");
    case 'n':
        return literal(text, at, "null");
    default:
        return is_digit(*at) || *at == '-' ? number(text, at) : fail(text, at, "expected a value");
    }
}

/* Reads `"key" :` and returns where the value begins. *key_end becomes the closing quote. */
static inline const char *label(const struct text *text, const char *at, const char **key_end)
{
    if (!is(text, at, '"'))
        return fail(text, at, "expected a key");
    if (!(at = string(text, at)))
        return NULL;
    *key_end = at - 1;
    at = space(text, at);
    return is(text, at, ':') ? space(text, at + 1) : fail(text, at, "expected ':'");
}

static inline const char *comma(const struct text *text, const char *at, bool object)
{
    if (!is(text, at, ','))
        return fail(text, at, object ? "expected ',' or '}'" : "expected ',' or ']'");
    return space(text, at + 1);
}

/* Passes an opening bracket and the space behind it. */
static inline const char *descend(const struct text *text, const char *at, struct nest *nest)
{
    if (nest->depth == SCAN_DEPTH_MAX)
        return fail(text, at, "too deep");
    nest->objects = nest->objects << 1 | (*at == '{');
    nest->depth++;
    return space(text, at + 1);
}

/* Behind a value: passes all brackets that close here. */
static inline const char *ascend(const struct text *text, const char *at, struct nest *nest)
{
    while (nest->depth) {
        at = space(text, at);
        if (!closes(text, at, in_object(nest)))
            break;
        at++;
        nest->objects >>= 1;
        nest->depth--;
    }
    return at;
}

static const char *value(const struct text *text, const char *at)
{
    struct nest nest = {0};

    while (at) { /* at is where a value must begin, behind the label if it has one */
        bool empty = true;
        if (!opens(text, at))
            at = scalar(text, at);
        else if ((at = descend(text, at, &nest)))
            empty = closes(text, at, in_object(&nest));
        if (at && empty) {
            at = ascend(text, at, &nest);
            if (!nest.depth)
                return at;
            at = comma(text, at, in_object(&nest));
        }
        if (at && in_object(&nest))
            at = label(text, at, &(const char *){NULL});
    }
    return NULL;
}

/* The kind of a valid value tells from its first byte. */
static inline enum scan_kind kind_of(char first)
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

/* --- the interface ---------------------------------------------------------------------------------------------- */

static const char *scan(const char *at, const char *end, bool flatten, enum scan_kind *kind, struct scan_error *error)
{
    struct scan_error ignored;
    const struct text text = {.end = end, .error = error ? error : &ignored, .flatten = flatten};
    const char *behind = value(&text, at);
    if (behind && kind)
        *kind = kind_of(*at);
    return behind;
}

const char *scan_space(const char *at, const char *end)
{
    return space(&(struct text){.end = end}, at);
}

const char *scan_value(const char *at, const char *end, enum scan_kind *kind, struct scan_error *error)
{
    return scan(at, end, false, kind, error);
}

char *scan_value_flatten(char *at, char *end, enum scan_kind *kind, struct scan_error *error)
{
    return (char *)scan(at, end, true, kind, error);
}

bool scan_is_value(const char *at, const char *end, struct scan_error *error)
{
    struct scan_error ignored;
    const struct text text = {.end = end, .error = error ? error : &ignored};
    if (!(at = value(&text, space(&text, at))))
        return false;
    at = space(&text, at);
    return at == end || fail(&text, at, "expected nothing more");
}

void scan_enter(struct scan_walk *walk, char *at, char *end, bool flatten)
{
    *walk = (struct scan_walk){.at = at, .end = end, .first = true, .flatten = flatten};
    const struct text text = {.end = end, .error = &walk->error};
    if (!opens(&text, at))
        fail(&text, at, "expected an array or an object");
    else
        walk->object = *walk->at++ == '{';
}

/* One member or element, key and value. */
static inline bool walk_member(struct scan_walk *walk, const struct text *text, const char *at)
{
    const char *begin = at;
    if (walk->object && (at = label(text, at, &walk->key_end)))
        walk->key = begin + 1;
    const char *behind = at ? value(text, at) : NULL;
    if (!behind)
        return false;
    walk->value = (char *)at;
    walk->value_end = walk->at = (char *)behind;
    walk->kind = kind_of(*at);
    return true;
}

bool scan_next(struct scan_walk *walk)
{
    if (walk->done || walk->error.reason)
        return false;
    const struct text text = {.end = walk->end, .error = &walk->error, .flatten = walk->flatten};
    const char *at = space(&text, walk->at);
    if (closes(&text, at, walk->object)) {
        walk->at = (char *)at + 1;
        walk->done = true;
        return false;
    }
    if (!walk->first)
        at = comma(&text, at, walk->object);
    walk->first = false;
    return at && walk_member(walk, &text, at);
}

bool scan_is_utf8(const char *at, const char *end)
{
    struct scan_error ignored;
    const struct text text = {.end = end, .error = &ignored};
    while (at && (at = plain_run(at, end)) != end)
        at = (unsigned char)*at >= 0x80 ? utf8_run(&text, at) : at + 1;
    return at;
}

int scan_integer(const char *at, const char *end, long long *value)
{
    bool negative = at != end && *at == '-';
    at += negative;
    if (at == end || (*at == '0' && end - at > 1))
        return -1;
    long long sum = 0; /* kept negative: that side reaches one further */
    for (; at != end; at++)
        if (!is_digit(*at) || __builtin_mul_overflow(sum, 10, &sum) || __builtin_sub_overflow(sum, *at - '0', &sum))
            return -1;
    if (!negative && __builtin_sub_overflow(0, sum, &sum))
        return -1;
    *value = sum;
    return 0;
}
