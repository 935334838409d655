/* log_test: what is logged is one line that can be read back, whatever is in it: by a strict reader of logfmt (here),
 * and as JSON (jansson). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_limit.h"

static char text[1 << 20]; /* what came to stderr */

static int real_stderr = -1, file = -1;

/* From here on stderr is a file… */
static void catch_lines(enum log_level most, enum log_format format)
{
    log_setup("worker-4", most, format);
    file = memfd_create("log", MFD_CLOEXEC);
    real_stderr = dup(STDERR_FILENO);
    assert_int_not_equal(dup2(file, STDERR_FILENO), -1);
}

/* …whose lines are in `text` afterwards. */
static size_t caught(void)
{
    dup2(real_stderr, STDERR_FILENO);
    fd_close(&real_stderr);
    ssize_t length = pread(file, text, sizeof text - 1, 0);
    assert_true(length >= 0);
    text[length] = '\0';
    fd_close(&file);
    return (size_t)length;
}

/* The fields behind the head, of the only line. */
static const char *only_fields(enum log_format format)
{
    const char *mark = format == LOG_JSON ? "\"event\":\"e\"" : "event=e";
    size_t length = caught();
    assert_true(length > 0 && text[length - 1] == '\n' && strchr(text, '\n') == text + length - 1);
    text[length - 1] = '\0';
    const char *at = strstr(text, mark);
    assert_non_null(at);
    return at + strlen(mark);
}

#define LOGS(format, expected, ...)                                                                                    \
    do {                                                                                                               \
        catch_lines(LOG_INFO, format);                                                                                 \
        log_event(LOG_INFO, "e", __VA_ARGS__);                                                                         \
        assert_string_equal(only_fields(format), expected);                                                            \
    } while (0)

/* ---- reading back ---- */

/* The value of a string's inside, as JSON has it. */
static json_t *unquote(const char *from, const char *end)
{
    char *quoted = NULL;
    assert_true(asprintf(&quoted, "%.*s", (int)(end - from), from) > 0);
    json_error_t error;
    json_t *value = json_loads(quoted, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (!value)
        fail_msg("%s: %s", error.text, quoted);
    free(quoted);
    return value;
}

static const char *skip_quoted(const char *at)
{
    for (at++; *at != '"'; at++) {
        assert_int_not_equal(*at, '\0');
        if (*at == '\\')
            at++;
    }
    return at + 1;
}

/* Strictly: key=value, one space between; a bare value has no space, quote, equals sign, backslash or control. */
static json_t *read_logfmt(const char *at)
{
    json_t *fields = json_object();
    while (*at) {
        size_t key = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
        char name[64];
        assert_true(key > 0 && key < sizeof name && at[key] == '=');
        snprintf(name, sizeof name, "%.*s", (int)key, at);
        assert_null(json_object_get(fields, name));
        at += key + 1;
        const char *begin = at;
        if (*at == '"') {
            at = skip_quoted(at);
            json_object_set_new(fields, name, unquote(begin, at));
        } else {
            for (; *at && *at != ' '; at++)
                assert_true((unsigned char)*at > ' ' && (unsigned char)*at < 0x7f && !strchr("\"=\\", *at));
            json_object_set_new(fields, name, json_stringn(begin, (size_t)(at - begin)));
        }
        if (*at)
            assert_int_equal(*at++, ' ');
    }
    return fields;
}

static json_t *read_line(enum log_format format)
{
    json_error_t error;
    char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_int_equal(end[1], '\0');
    assert_true(end + 1 - text <= 4096);
    *end = '\0';
    json_t *fields = format == LOG_JSON ? json_loads(text, JSON_REJECT_DUPLICATES, &error) : read_logfmt(text);
    if (!fields)
        fail_msg("%s: %s", error.text, text);
    return fields;
}

static const char *field(const json_t *fields, const char *name)
{
    return json_string_value(json_object_get(fields, name));
}

/* ---- tests ---- */

static void test_head(void **state)
{
    (void)state;
    for (enum log_format format = LOG_TEXT; format <= LOG_JSON; format++) {
        catch_lines(LOG_WARNING, format);
        errno = EPIPE;
        log_event(LOG_INFO, "not.printed", "");
        log_event(LOG_WARNING, "worker.gone", "");
        assert_int_equal(errno, EPIPE);
        caught();
        assert_memory_equal(text, format == LOG_JSON ? "{\"time\":\"2" : "time=2", format == LOG_JSON ? 10 : 6);
        json_t *fields = read_line(format);
        assert_int_equal(json_object_size(fields), 4);
        assert_int_equal(strlen(field(fields, "time")), strlen("2026-11-21T17:30:17.123Z"));
        assert_string_equal(field(fields, "level"), "warning");
        assert_string_equal(field(fields, "process"), "worker-4");
        assert_string_equal(field(fields, "event"), "worker.gone");
        json_decref(fields);
    }
    assert_true(log_wants(LOG_WARNING));
    assert_false(log_wants(LOG_INFO));
}

static void test_values(void **state)
{
    (void)state;
    LOGS(LOG_TEXT, " slot=4 free=-5 big=18446744073709551615 size=7 left=-1 share=0.250 hex=ff cause=crash",
         "slot=%u free=%lld big=%llu size=%zu left=%zd share=%.3f hex=%x cause=%s", 4u, -5LL, ULLONG_MAX, (size_t)7,
         (ssize_t)-1, 0.25, 255u, "crash");
    LOGS(LOG_JSON,
         ",\"slot\":4,\"free\":-5,\"big\":18446744073709551615,\"long\":-9,\"share\":0.250,\"hex\":\"ff\",\"cause\":"
         "\"crash\"}",
         "slot=%u free=%lld big=%llu long=%ld share=%.3f hex=%x cause=%s", 4u, -5LL, ULLONG_MAX, -9L, 0.25, 255u,
         "crash");
    LOGS(LOG_JSON, ",\"a\":true,\"b\":false,\"c\":\"true\",\"d\":\"5\",\"e\":\"5\",\"f\":\"5 of 6\",\"g\":null}",
         "a=%s b=%s c=\"%s\" d=%s e=\"%d\" f=\"%d of %d\" g=%f", log_bool(true), log_bool(false), "true", "5", 5, 5, 6,
         (double)NAN);
    LOGS(LOG_TEXT, " a=true c=\"true\" f=\"5 of 6\"", "a=%s c=\"%s\" f=\"%d of %d\"", log_bool(true), "true", 5, 6);
    LOGS(LOG_TEXT, " part=\"ab\" c=x% l=a/b:7", "part=\"%.*s\" c=%c%% l=%s:%d", 2, "abcd", 'x', "a/b", 7);
}

static void test_what_is_none_is_left_out(void **state)
{
    (void)state;
    const char *volatile nothing = NULL; /* gcc would warn of a NULL that it sees */
    LOGS(LOG_TEXT, " a=1 d=4", "a=%d b=%s c=\"%s/%s\" d=%d e=%d", 1, nothing, "x", nothing, 4, LOG_NONE);
    LOGS(LOG_JSON, "}", "b=%s e=%d", nothing, LOG_NONE);
}

/* Quotes where they are needed, though the format has none; and what is in them. */
static void test_texts_are_escaped(void **state)
{
    (void)state;
    LOGS(LOG_TEXT,
         " a=\"\" b=\"x y\" c=\"k=v\" d=\"say \\\"hi\\\"\" e=\"C:\\\\new\" f=\"one\\ntwo\\t\\r\\u0001\\u007f\"",
         "a=%s b=%s c=%s d=%s e=%s f=%s", "", "x y", "k=v", "say \"hi\"", "C:\\new", "one\ntwo\t\r\x01\x7f");
    LOGS(LOG_TEXT, " path=\"a \\\" slot=9 \\\\\" next=1", "path=\"%s\" next=%d", "a \" slot=9 \\", 1);
    LOGS(LOG_JSON, ",\"path\":\"a \\\" \\\\ \\n\",\"next\":1}", "path=\"%s\" next=%d", "a \" \\ \n", 1);
    LOGS(LOG_TEXT, " a=\"Größe\" b=\"\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbdx\"", "a=%s b=%s", "Größe", "\xe4|\xed\xa0x");
    LOGS(LOG_JSON, ",\"b\":\"\xef\xbf\xbd\"}", "b=%s", "\xf0\x9f\x98");
}

/* A text that is far too long costs itself, not the line. */
static void test_long_lines(void **state)
{
    (void)state;
    static const char *const units[] = {"x", "ä", "\U0001F600", "\n", "\"", "\x01", "\xff", "a\\"};
    static char big[20000];
    for (size_t unit = 0; unit < sizeof units / sizeof *units; unit++) {
        for (size_t length = 600; length < 5000; length += 97) {
            size_t step = strlen(units[unit]), at = 0;
            for (; at + step <= length; at += step)
                memcpy(big + at, units[unit], step);
            big[at] = '\0';
            for (enum log_format format = LOG_TEXT; format <= LOG_JSON; format++) {
                catch_lines(LOG_INFO, format);
                log_event(LOG_INFO, "e", "first=\"%s\" a=%d second=%s third=\"%s%s\" b=%d", big, 1, big, big, big, 2);
                caught();
                json_t *fields = read_line(format);
                bool cut = json_object_get(fields, "cut") != NULL;
                assert_true(cut || strcmp(field(fields, "second"), big) == 0 || unit == 6);
                assert_true(cut || json_object_get(fields, "b"));
                if (cut && unit < 2 && field(fields, "second"))
                    assert_null(strstr(field(fields, "second"), "\xef\xbf\xbd")); /* cut between characters */
                json_decref(fields);
            }
        }
    }
}

static void test_random_texts_come_back(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252u;
    for (int n = 0; n < 20000; n++) {
        char a[40], b[40];
        for (int i = 0; i < 39; i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            a[i] = (char)(random % 127 + 1);
            b[i] = (char)(random >> 32 & 0xff);
        }
        a[random >> 40 & 31] = a[39] = b[random >> 45 & 31] = b[39] = '\0';
        enum log_format format = (enum log_format)(n & 1);
        catch_lines(LOG_INFO, format);
        log_event(LOG_INFO, "e", "a=%s b=\"%s\" c=%s d=%d", a, b, b, n);
        caught();
        json_t *fields = read_line(format);
        assert_int_equal(json_object_size(fields), 8);
        assert_string_equal(field(fields, "a"), a);
        assert_string_equal(field(fields, "b"), field(fields, "c"));
        json_decref(fields);
    }
}

static void test_apart_from_what_stderr_comes_to_be(void **state)
{
    (void)state;
    catch_lines(LOG_INFO, LOG_TEXT);
    log_apart(100);
    int other = memfd_create("other", MFD_CLOEXEC);
    dup2(other, STDERR_FILENO);
    log_event(LOG_INFO, "e", "");
    fd_close(&other);
    assert_string_equal(only_fields(LOG_TEXT), "");
    close(100);
}

static void test_limit(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    int unsaid = 0;
    int64_t now = 5 * NS_PER_S;
    for (int i = 0; i < 3; i++)
        assert_true(log_limit_allows(&limit, 3, now + i, &unsaid) && unsaid == LOG_NONE);
    for (int i = 0; i < 7; i++)
        assert_false(log_limit_allows(&limit, 3, now + 4, &unsaid));
    assert_true(log_limit_allows(&limit, 3, now + NS_PER_S, &unsaid) && unsaid == 7);
    assert_true(log_limit_allows(&limit, 3, now + NS_PER_S, &unsaid) && unsaid == LOG_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_what_is_none_is_left_out),
        cmocka_unit_test(test_texts_are_escaped),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_random_texts_come_back),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_apart_from_what_stderr_comes_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
