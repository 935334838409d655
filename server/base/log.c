/* log: walks the format of an event's fields, as printf would, but knows where each value begins and ends, so that what
 * texts hold cannot break the line. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "base/log_line.h"

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_WARNING] = "warning", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

static char process_name[32] = "poold";
static enum log_level most_printed = LOG_INFO;
static enum log_format line_format = LOG_TEXT;
static int log_fd = STDERR_FILENO;

void log_setup(const char *process, enum log_level most, enum log_format format)
{
    snprintf(process_name, sizeof process_name, "%s", process);
    most_printed = most;
    line_format = format;
}

void log_apart(int least)
{
    int copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, least);
    if (copy != -1)
        log_fd = copy;
}

bool log_wants(enum log_level level)
{
    return level <= most_printed;
}

/* ---- conversions ---- */

/* A va_list may be an array, of which a parameter is only a pointer: in here it can be handed on. */
struct arguments {
    va_list list;
};

struct conversion {
    int precision; /* -1: none */
    enum { INT, LONG, LONG_LONG, SIZE } size;
    char letter;
};

/* Reads it from behind its %; returns what follows. */
static const char *conversion_read(struct conversion *c, const char *at, struct arguments *arguments)
{
    c->precision = -1;
    c->size = INT;
    if (*at == '.' && at[1] == '*') {
        c->precision = va_arg(arguments->list, int);
        at += 2;
    } else if (*at == '.') {
        char *end;
        c->precision = (int)strtol(at + 1, &end, 10);
        at = end;
    }
    for (; *at == 'l'; at++)
        c->size = c->size == LONG ? LONG_LONG : LONG;
    if (*at == 'z') {
        c->size = SIZE;
        at++;
    }
    c->letter = *at;
    return at + (*at != '\0');
}

static long long take_signed(const struct conversion *c, struct arguments *arguments)
{
    if (c->size == LONG)
        return va_arg(arguments->list, long);
    if (c->size == LONG_LONG)
        return va_arg(arguments->list, long long);
    return c->size == SIZE ? va_arg(arguments->list, ssize_t) : va_arg(arguments->list, int);
}

static unsigned long long take_unsigned(const struct conversion *c, struct arguments *arguments)
{
    if (c->size == LONG)
        return va_arg(arguments->list, unsigned long);
    if (c->size == LONG_LONG)
        return va_arg(arguments->list, unsigned long long);
    return c->size == SIZE ? va_arg(arguments->list, size_t) : va_arg(arguments->list, unsigned);
}

static void add_text(struct log_value *value, const struct conversion *c, const char *text)
{
    log_value_add(value, text, c->precision >= 0 ? strnlen(text, (size_t)c->precision) : strlen(text));
}

/* Adds what an argument says. False: it is NULL or LOG_NONE, so there is nothing to say. */
static bool convert(struct log_value *value, const struct conversion *c, struct arguments *arguments)
{
    char digits[400] = ""; /* of the largest double there are 309 */
    const char *text = digits;
    long long integer;
    double real;
    switch (c->letter) {
    case 's':
        text = va_arg(arguments->list, const char *);
        if (text)
            add_text(value, c, text);
        return text != NULL;
    case 'd':
        integer = take_signed(c, arguments);
        if (integer == LOG_NONE)
            return false;
        snprintf(digits, sizeof digits, "%lld", integer);
        break;
    case 'u':
        snprintf(digits, sizeof digits, "%llu", take_unsigned(c, arguments));
        break;
    case 'x':
        snprintf(digits, sizeof digits, "%llx", take_unsigned(c, arguments));
        break;
    case 'c':
        snprintf(digits, sizeof digits, "%c", va_arg(arguments->list, int));
        break;
    case 'f':
        real = va_arg(arguments->list, double);
        if (isfinite(real))
            snprintf(digits, sizeof digits, "%.*f", c->precision >= 0 ? c->precision : 6, real);
        break;
    default: /* %% */
        snprintf(digits, sizeof digits, "%c", c->letter);
    }
    log_value_add(value, text, strlen(text));
    return true;
}

/* ---- fields ---- */

static bool is_word(const struct log_value *value, const char *word)
{
    return value->length == strlen(word) && memcmp(value->text, word, value->length) == 0;
}

/* What a bare value is, of `pieces` conversions and other characters, `letter` being its last conversion. */
static void classify(struct log_value *value, unsigned pieces, char letter)
{
    bool number = pieces == 1 && letter && strchr("duf", letter);
    if (number)
        value->kind = LOG_VALUE_NUMBER;
    else if (is_word(value, "true") || is_word(value, "false"))
        value->kind = LOG_VALUE_WORD;
    if (number && value->length == 0) { /* a real that is none */
        value->kind = LOG_VALUE_WORD;
        log_value_add(value, "null", 4);
    }
}

/* Reads a value and its arguments; returns what follows. *missing: it is to be left out. */
static const char *value_read(struct log_value *value, const char *at, struct arguments *arguments, bool *missing)
{
    struct conversion c = {.letter = '\0'};
    bool quoted = *at == '"';
    char end = quoted ? '"' : ' ';
    unsigned pieces = 0;
    value->kind = quoted ? LOG_VALUE_QUOTED : LOG_VALUE_TEXT;
    value->cut = *missing = false;
    value->length = 0;
    for (at += quoted; *at && *at != end; pieces++) {
        if (*at != '%') {
            log_value_add(value, at++, 1);
            continue;
        }
        at = conversion_read(&c, at + 1, arguments);
        *missing = !convert(value, &c, arguments) || *missing;
    }
    if (!quoted)
        classify(value, pieces, c.letter);
    return at + (quoted && *at);
}

static void add_fields(struct log_line *line, const char *at, struct arguments *arguments)
{
    struct log_value value;
    bool missing;
    while (*(at += strspn(at, " "))) {
        size_t length = strcspn(at, "=");
        const char *key = at;
        at += length;
        at = value_read(&value, at + (*at == '='), arguments, &missing);
        if (!missing)
            log_line_field(line, key, length, &value);
    }
}

/* ---- lines ---- */

static void add_head(struct log_line *line, enum log_level level, const char *event)
{
    struct timespec now;
    struct tm utc;
    char time[40];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t length = strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(time + length, sizeof time - length, ".%03ldZ", now.tv_nsec / 1000000);
    log_line_text(line, "time", time);
    log_line_text(line, "level", level_names[level]);
    log_line_text(line, "process", process_name);
    log_line_text(line, "event", event);
}

void log_event(enum log_level level, const char *event, const char *fields, ...)
{
    if (!log_wants(level))
        return;
    int kept = errno;
    struct log_line line;
    struct arguments arguments;
    log_line_begin(&line, line_format);
    add_head(&line, level, event);
    va_start(arguments.list, fields);
    add_fields(&line, fields, &arguments);
    va_end(arguments.list);
    log_line_end(&line);
    /* A log that cannot be written has nowhere to be complained about. */
    ssize_t written = write(log_fd, line.text, line.length);
    (void)written;
    errno = kept;
}
