#include "manifest/reader.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { MESSAGE_MAX = 400, SHOWN_MAX = 40 };

static void *allocate(size_t size)
{
    void *memory = malloc(size);
    CHECK(memory != NULL, "out of memory");
    return memory;
}

int reader_open(struct reader *r, const char *json, size_t length, const char *source, struct error *e)
{
    *r = (struct reader){.source = source, .text = allocate(length + 1), .error = e};
    memcpy(r->text, json, length);
    r->text[length] = '\0';
    r->end = r->text + length;
    struct scan_error wrong;
    if (scan_is_value(r->text, r->end, &wrong))
        return 0;
    return reader_fail(r, wrong.at, "not JSON: %s", wrong.reason);
}

void reader_close(struct reader *r)
{
    free(r->text);
    r->text = NULL;
}

unsigned reader_line(const struct reader *r, const char *at)
{
    unsigned line = 1;
    for (const char *c = r->text; c < at; c++)
        line += *c == '\n';
    return line;
}

/* ---- messages ---- */

int reader_fail(const struct reader *r, const char *at, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return error_set(r->error, "%s:%u: %s", r->source, reader_line(r, at), message);
}

int reader_wrong(const struct reader *r, const struct member *m, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    int key = (int)(m->key_end - m->key) < 100 ? (int)(m->key_end - m->key) : 100;
    return reader_fail(r, m->value, "\"%s%s%.*s\": %s", m->group ? m->group : "", m->group ? "." : "", key, m->key,
                       message);
}

/* The value as it stands, cut to what fits a line and never within a character. */
static void show(const struct member *m, char shown[SHOWN_MAX + 4])
{
    size_t length = (size_t)(m->value_end - m->value), fits = length < SHOWN_MAX ? length : SHOWN_MAX;
    while (fits < length && fits > 0 && ((unsigned char)m->value[fits] & 0xc0) == 0x80)
        fits--;
    for (size_t i = 0; i < fits; i++)
        shown[i] = (unsigned char)m->value[i] < ' ' ? ' ' : m->value[i];
    strcpy(shown + fits, fits < length ? "…" : "");
}

int reader_expected(const struct reader *r, const struct member *m, const char *what)
{
    char shown[SHOWN_MAX + 4];
    show(m, shown);
    return reader_wrong(r, m, "expected %s, got %s", what, shown);
}

/* ---- members ---- */

struct member reader_member(const char *group, const struct scan_walk *w)
{
    return (struct member){group, w->key, w->key_end, w->value, w->value_end, w->kind};
}

bool member_is(const struct member *m, const char *key)
{
    size_t length = (size_t)(m->key_end - m->key);
    return strlen(key) == length && memcmp(m->key, key, length) == 0;
}

/* ---- texts ---- */

/* The decoded string, or NULL when it is none or holds a NUL, which no path, name or argument can. */
static char *decode(const char *value, const char *value_end)
{
    json_t *json = json_loadb(value, (size_t)(value_end - value), JSON_DECODE_ANY, NULL);
    char *text = json_is_string(json) ? strdup(json_string_value(json)) : NULL;
    json_decref(json);
    return text;
}

int read_text(const struct reader *r, const struct member *m, const char *what, size_t most, char **text)
{
    char *decoded = m->kind == SCAN_STRING ? decode(m->value, m->value_end) : NULL;
    if (decoded == NULL || *decoded == '\0') {
        free(decoded);
        return reader_expected(r, m, what);
    }
    if (strlen(decoded) > most) {
        free(decoded);
        return reader_wrong(r, m, "longer than %zu bytes", most);
    }
    free(*text);
    *text = decoded;
    return 0;
}

void texts_free(char ***texts)
{
    for (char **text = *texts; text != NULL && *text != NULL; text++)
        free(*text);
    free(*texts);
    *texts = NULL;
}

static void add_text(char ***texts, size_t count, char *text)
{
    *texts = realloc(*texts, (count + 2) * sizeof **texts);
    CHECK(*texts != NULL, "out of memory");
    (*texts)[count] = text;
    (*texts)[count + 1] = NULL;
}

int read_texts(const struct reader *r, const struct member *m, const char *what, bool empty, char ***texts)
{
    struct scan_walk w;
    size_t count = 0;
    texts_free(texts);
    *texts = calloc(1, sizeof **texts);
    CHECK(*texts != NULL, "out of memory");
    if (m->kind != SCAN_ARRAY)
        return reader_expected(r, m, what);
    for (scan_enter(&w, (char *)(uintptr_t)m->value, r->end, false); scan_next(&w); count++) {
        char *text = w.kind == SCAN_STRING ? decode(w.value, w.value_end) : NULL;
        struct member element = *m; /* the line of the element, the name of the list */
        element.value = w.value;
        element.value_end = w.value_end;
        if (text == NULL)
            return reader_expected(r, &element, what);
        add_text(texts, count, text);
    }
    return count == 0 && !empty ? reader_expected(r, m, what) : 0;
}

int read_json(const struct member *m, char **text)
{
    size_t length = (size_t)(m->value_end - m->value);
    char *copy = allocate(length + 1);
    memcpy(copy, m->value, length);
    copy[length] = '\0';
    scan_value_flatten(copy, copy + length, NULL, NULL);
    free(*text);
    *text = copy;
    return 0;
}

/* ---- numbers ---- */

int read_count(const struct reader *r, const struct member *m, int64_t least, int64_t most, int64_t *count)
{
    char what[80];
    long long value;
    if (m->kind == SCAN_NUMBER && scan_integer(m->value, m->value_end, &value) == 0 && value >= least &&
        value <= most) {
        *count = value;
        return 0;
    }
    snprintf(what, sizeof what, "an integer from %lld to %lld", (long long)least, (long long)most);
    return reader_expected(r, m, what);
}

/* "256M" between its quotes. */
static bool suffixed(const char *at, const char *end, long long *value)
{
    static const char units[] = "KMG";
    const char *unit = end > at ? memchr(units, end[-1], sizeof units - 1) : NULL;
    if (unit == NULL || *at < '0' || *at > '9' || scan_integer(at, end - 1, value) != 0)
        return false;
    return !__builtin_mul_overflow(*value, 1LL << (10 * (unit - units + 1)), value);
}

int read_size(const struct reader *r, const struct member *m, int64_t least, int64_t most, int64_t *bytes)
{
    long long value = 0;
    bool good = m->kind == SCAN_NUMBER   ? scan_integer(m->value, m->value_end, &value) == 0
                : m->kind == SCAN_STRING ? suffixed(m->value + 1, m->value_end - 1, &value)
                                         : false;
    if (!good)
        return reader_expected(r, m, "bytes as an integer or a text such as \"256M\" (K, M, G)");
    if (value < least || value > most) {
        char what[80];
        snprintf(what, sizeof what, "%lld to %lld bytes", (long long)least, (long long)most);
        return reader_expected(r, m, what);
    }
    *bytes = value;
    return 0;
}

int read_seconds(const struct reader *r, const struct member *m, int64_t least_ms, int64_t most_ms, int64_t *ms)
{
    if (m->kind != SCAN_NUMBER)
        return reader_expected(r, m, "seconds");
    double wanted = strtod(m->value, NULL) * 1000; /* a number token, so it stops at its end */
    bool tiny = wanted > 0 && wanted < 1;          /* a tiny timeout is not "none" */
    if (wanted >= (double)least_ms && wanted <= (double)most_ms) {
        *ms = tiny ? 1 : (int64_t)(wanted + 0.5);
        return 0;
    }
    char what[80];
    snprintf(what, sizeof what, "%g to %lld seconds", (double)least_ms / 1000, (long long)most_ms / 1000);
    return reader_expected(r, m, what);
}

int read_bool(const struct reader *r, const struct member *m, bool *value)
{
    if (m->kind != SCAN_TRUE && m->kind != SCAN_FALSE)
        return reader_expected(r, m, "true or false");
    *value = m->kind == SCAN_TRUE;
    return 0;
}

int read_word(const struct reader *r, const struct member *m, const char *const words[], const char *what, int *which)
{
    char *word = m->kind == SCAN_STRING ? decode(m->value, m->value_end) : NULL;
    int found = -1;
    for (int i = 0; word != NULL && words[i] != NULL; i++)
        if (strcmp(words[i], word) == 0)
            found = i;
    free(word);
    if (found == -1)
        return reader_expected(r, m, what);
    *which = found;
    return 0;
}
