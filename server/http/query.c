#include "http/query.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wire/scan.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One decoded byte, or -1. Moves *at. */
static int decode_byte(const char **at, const char *end, bool plus)
{
    char c = *(*at)++;
    if (c == '+' && plus)
        return ' ';
    if (c != '%')
        return (unsigned char)c;
    if (end - *at < 2)
        return -1;
    int high = hex_digit((*at)[0]), low = hex_digit((*at)[1]);
    *at += 2;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool percent_decode(const char *at, const char *end, bool plus, char *out)
{
    char *begin = out;
    while (at != end) {
        int byte = decode_byte(&at, end, plus);
        if (byte < 0x20 || byte == 0x7f)
            return false;
        *out++ = (char)byte;
    }
    *out = '\0';
    return scan_is_utf8(begin, out);
}

bool percent_decode_any(const char *at, const char *end, char *out)
{
    char *begin = out;
    while (at != end) {
        int byte = decode_byte(&at, end, false);
        if (byte <= 0)
            return false;
        *out++ = (char)byte;
    }
    *out = '\0';
    return scan_is_utf8(begin, out);
}

static bool add_pair(struct query *q, const char *at, const char *end, char **out, struct problem *p)
{
    const char *equals = memchr(at, '=', (size_t)(end - at));
    const char *name_end = equals ? equals : end;
    char *name = *out, *value = name + (name_end - at) + 1;
    *out = value + (end - name_end) + 1;
    value[0] = '\0';
    if (q->count == QUERY_PAIRS_MAX)
        return problem_set(p, PROBLEM_INVALID_PARAMETER, "more than %d query parameters", QUERY_PAIRS_MAX);
    if (!percent_decode(at, name_end, true, name))
        return problem_set(p, PROBLEM_INVALID_PARAMETER, "the name of a query parameter is not valid text");
    if (!*name)
        return problem_set(p, PROBLEM_INVALID_PARAMETER, "a query parameter has no name");
    if (equals && !percent_decode(equals + 1, end, true, value))
        return problem_set(p, PROBLEM_INVALID_PARAMETER, "the value of query parameter %.100s is not valid text", name);
    if (query_get(q, name))
        return problem_set(p, PROBLEM_INVALID_PARAMETER, "query parameter %.100s comes twice", name);
    q->pairs[q->count].name = name;
    q->pairs[q->count++].value = value;
    return true;
}

bool query_parse(struct query *q, const char *text, size_t length, struct problem *p)
{
    *q = (struct query){0};
    if (length > QUERY_TEXT_MAX)
        return problem_set(p, PROBLEM_URI_TOO_LONG, "the query is longer than %d bytes", QUERY_TEXT_MAX);
    if (length == 0)
        return true;
    /* Each pair needs two NULs, of which '=' and '&' make up for one each. */
    q->text = malloc(length + 2 * QUERY_PAIRS_MAX + 4);
    CHECK(q->text, "out of memory");
    char *out = q->text;
    const char *end = text + length;
    for (const char *at = text; at < end;) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (!stop)
            stop = end;
        if (stop != at && !add_pair(q, at, stop, &out, p))
            return false;
        at = stop + 1;
    }
    return true;
}

const char *query_get(const struct query *q, const char *name)
{
    for (unsigned i = 0; i < q->count; i++)
        if (strcmp(q->pairs[i].name, name) == 0)
            return q->pairs[i].value;
    return NULL;
}

void query_free(struct query *q)
{
    free(q->text);
    *q = (struct query){0};
}

int parse_unsigned(const char *text, unsigned long long most, unsigned long long *value)
{
    unsigned long long sum = 0;
    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, (unsigned)(*text - '0'), &sum))
            return -1;
    }
    if (sum > most)
        return -1;
    *value = sum;
    return 0;
}

int parse_seconds(const char *text, size_t length, long long most_ms, long long *ms)
{
    char copy[40];
    if (length == 0 || length >= sizeof copy)
        return -1;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (strspn(copy, "0123456789.eE+-") < length)
        return -1;
    char *end;
    double seconds = strtod(copy, &end);
    /* written so that NaN fails */
    if (*end || !(seconds >= 0 && seconds * 1000 <= (double)most_ms))
        return -1;
    *ms = (long long)(seconds * 1000 + 0.5);
    if (*ms == 0 && seconds > 0)
        *ms = 1; /* a tiny timeout is not "none" */
    return 0;
}
