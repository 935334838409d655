#include "http/options.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "http/query.h"
#include "wire/limits.h"

enum option_type { TYPE_COUNT, TYPE_MS, TYPE_SECONDS, TYPE_BOOL, TYPE_ISOLATION, TYPE_NAME };

#define DAYS(n) (INT64_C(86400) * (n))
#define FIELD(member) offsetof(struct job_options, member)

static const struct option {
    const char *name;
    enum option_type type;
    size_t field;
    int64_t least, most; /* counts as they are; times in seconds */
    unsigned asked;
} options[] = {
    {"chunksize", TYPE_COUNT, FIELD(chunksize), 0, JOB_ITEMS_MAX, OPTION_CHUNKSIZE},
    {"processes", TYPE_COUNT, FIELD(processes), 0, WORKERS_MAX, OPTION_PROCESSES},
    {"timeout", TYPE_MS, FIELD(timeout_ms), 0, DAYS(365), OPTION_TIMEOUT},
    {"max_attempts", TYPE_COUNT, FIELD(max_attempts), 1, 1000, OPTION_MAX_ATTEMPTS},
    {"backoff", TYPE_MS, FIELD(backoff_ms), 0, DAYS(1), OPTION_BACKOFF},
    {"priority", TYPE_COUNT, FIELD(priority), 0, 9, OPTION_PRIORITY},
    {"isolation", TYPE_ISOLATION, FIELD(isolation), 0, 0, OPTION_ISOLATION},
    {"fail_fast", TYPE_BOOL, FIELD(fail_fast), 0, 0, OPTION_FAIL_FAST},
    {"delay", TYPE_MS, FIELD(delay_ms), 0, DAYS(365), 0},
    {"retention", TYPE_SECONDS, FIELD(retention_s), 0, DAYS(3650), OPTION_RETENTION},
    {"open", TYPE_BOOL, FIELD(open), 0, 0, 0},
    {"name", TYPE_NAME, FIELD(name), 0, 0, 0},
};

enum { OPTION_COUNT = sizeof options / sizeof *options };

static const struct option *find(const char *name, size_t length)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0)
            return &options[i];
    return NULL;
}

bool option_known(const char *name)
{
    return find(name, strlen(name)) != NULL;
}

unsigned option_asked(const char *name, size_t length)
{
    const struct option *o = find(name, length);
    return o ? o->asked : 0;
}

/* ---- values, from either side as text ---- */

static bool set_count(const struct option *o, void *field, const char *text, size_t length, struct problem *p)
{
    long long value;
    if (scan_integer(text, text + length, &value) || value < o->least || value > o->most)
        return problem_set(p, PROBLEM_INVALID_VALUE, "%s must be an integer from %" PRId64 " to %" PRId64, o->name,
                           o->least, o->most);
    *(uint32_t *)field = (uint32_t)value;
    return true;
}

static bool set_time(const struct option *o, void *field, const char *text, size_t length, struct problem *p)
{
    long long ms;
    if (parse_seconds(text, length, o->most * 1000, &ms))
        return problem_set(p, PROBLEM_INVALID_VALUE, "%s must be a number of seconds from 0 to %" PRId64, o->name,
                           o->most);
    *(int64_t *)field = o->type == TYPE_SECONDS ? (ms + 999) / 1000 : ms;
    return true;
}

static bool set_bool(const struct option *o, void *field, const char *text, size_t length, struct problem *p)
{
    bool yes = length == 4 && memcmp(text, "true", 4) == 0, no = length == 5 && memcmp(text, "false", 5) == 0;
    if (!yes && !no)
        return problem_set(p, PROBLEM_INVALID_VALUE, "%s must be true or false", o->name);
    *(bool *)field = yes;
    return true;
}

static bool set_isolation(const struct option *o, void *field, const char *text, struct problem *p)
{
    if (strcmp(text, "pool") == 0)
        *(enum isolation *)field = ISOLATION_POOL;
    else if (strcmp(text, "process") == 0)
        *(enum isolation *)field = ISOLATION_PROCESS;
    else
        return problem_set(p, PROBLEM_INVALID_VALUE, "%s must be \"pool\" or \"process\"", o->name);
    return true;
}

static bool set_name(const struct option *o, void *field, const char *text, struct problem *p)
{
    size_t length = strlen(text);
    bool fine = length <= JOB_NAME_MAX;
    for (size_t i = 0; i < length; i++)
        fine = fine && (unsigned char)text[i] >= 0x20 && text[i] != 0x7f;
    if (!fine)
        return problem_set(p, PROBLEM_INVALID_VALUE, "%s must be at most %d bytes without control characters", o->name,
                           JOB_NAME_MAX);
    memcpy(field, text, length + 1);
    return true;
}

static bool set(const struct option *o, struct job_options *to, const char *text, size_t length, struct problem *p)
{
    void *field = (char *)to + o->field;
    switch (o->type) {
    case TYPE_COUNT:
        return set_count(o, field, text, length, p);
    case TYPE_MS:
    case TYPE_SECONDS:
        return set_time(o, field, text, length, p);
    case TYPE_BOOL:
        return set_bool(o, field, text, length, p);
    case TYPE_ISOLATION:
        return set_isolation(o, field, text, p);
    case TYPE_NAME:
        return set_name(o, field, text, p);
    }
    return false;
}

static bool is_text(const struct option *o)
{
    return o->type == TYPE_ISOLATION || o->type == TYPE_NAME;
}

/* Whether a JSON value of that kind can be meant for it: "5" is not 5. */
static bool right_kind(const struct option *o, enum scan_kind kind)
{
    if (o->type == TYPE_BOOL)
        return kind == SCAN_TRUE || kind == SCAN_FALSE;
    return kind == (is_text(o) ? SCAN_STRING : SCAN_NUMBER);
}

enum option_result option_from_json(struct job_options *to, const char *name, size_t name_length, const char *value,
                                    const char *value_end, enum scan_kind kind, struct problem *p)
{
    const struct option *o = find(name, name_length);
    char text[512];
    if (!o)
        return OPTION_UNKNOWN;
    if (!right_kind(o, kind))
        return set(o, to, "?\n", 2, p), OPTION_BAD; /* no option takes that: says what was expected */
    if (!is_text(o))
        return set(o, to, value, (size_t)(value_end - value), p) ? OPTION_SET : OPTION_BAD;
    if (json_text(value, value_end, text, sizeof text))
        return set(o, to, "?\n", 2, p), OPTION_BAD;
    return set(o, to, text, strlen(text), p) ? OPTION_SET : OPTION_BAD;
}

enum option_result option_from_text(struct job_options *to, const char *name, const char *text, struct problem *p)
{
    const struct option *o = find(name, strlen(name));
    if (!o)
        return OPTION_UNKNOWN;
    if (o->type == TYPE_BOOL && (!*text || strcmp(text, "1") == 0))
        text = "true"; /* ?open and ?open=1, as people write it */
    return set(o, to, text, strlen(text), p) ? OPTION_SET : OPTION_BAD;
}

/* ---- out ---- */

static void write_ms(struct buf *b, int64_t ms)
{
    if (ms % 1000)
        buf_printf(b, "%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);
    else
        buf_printf(b, "%" PRId64, ms / 1000);
}

void options_write(const struct job_options *o, struct buf *b)
{
    buf_printf(b, "{\"chunksize\":%u,\"processes\":%u,\"timeout\":", o->chunksize, o->processes);
    write_ms(b, o->timeout_ms);
    buf_printf(b, ",\"max_attempts\":%u,\"backoff\":", o->max_attempts);
    write_ms(b, o->backoff_ms);
    buf_printf(b, ",\"priority\":%u,\"isolation\":\"%s\",\"fail_fast\":%s,\"delay\":", o->priority,
               o->isolation == ISOLATION_PROCESS ? "process" : "pool", o->fail_fast ? "true" : "false");
    write_ms(b, o->delay_ms);
    buf_append_text(b, ",\"retention\":");
    if (o->retention_s < 0)
        buf_append_text(b, "null");
    else
        buf_printf(b, "%" PRId64, o->retention_s);
    buf_printf(b, ",\"open\":%s}", o->open ? "true" : "false");
}

int json_text(const char *value, const char *value_end, char *out, size_t size)
{
    json_t *text = json_loadb(value, (size_t)(value_end - value), JSON_DECODE_ANY, NULL);
    const char *decoded = text ? json_string_value(text) : NULL;
    int result = -1;
    if (decoded && strlen(decoded) < size) {
        strcpy(out, decoded);
        result = 0;
    }
    json_decref(text);
    return result;
}

bool function_name_valid(const char *name)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789.-";
    size_t length = strlen(name);
    return length > 0 && length <= FUNCTION_NAME_MAX && strchr(first, *name) && strspn(name, rest) == length;
}
