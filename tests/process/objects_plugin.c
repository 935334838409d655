/* The deeds of objects_house/actor.py in C, through host->call and host->map; and `twice`, which doubles an array where
 * it lies. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "poold.h"

struct deed {
    const struct poold_host *host;
    struct poold_call *call;
    const char *name, *who;
    int64_t n;
    char *seen; /* "[1,2" */
    size_t length, room;
};

/* ---- asking ---- */

static bool ask(struct deed *d, const char **answer, size_t *length, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static bool ask(struct deed *d, const char **answer, size_t *length, const char *format, ...)
{
    char request[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(request, sizeof request, format, arguments);
    va_end(arguments);
    return d->host->call(d->call, request, answer, length) == 0;
}

static bool tell(struct deed *d, const char *kind, const char *op)
{
    return ask(d, NULL, NULL, "{\"object\":\"%s/%s\",\"op\":\"%s\",\"args\":{},\"wait\":null}", kind, d->name, op);
}

static void see(struct deed *d, const char *json, size_t length)
{
    if (d->length + length + 3 > d->room) {
        d->room = 2 * (d->length + length + 3);
        d->seen = realloc(d->seen, d->room);
        if (!d->seen)
            abort();
    }
    d->seen[d->length] = d->length ? ',' : '[';
    memcpy(d->seen + d->length + 1, json, length);
    d->length += 1 + length;
}

static bool see_member(struct deed *d, const char *answer, size_t length)
{
    size_t size;
    const char *value = d->host->member(d->call, answer, length, "value", &size);
    if (!value)
        return false;
    see(d, value, size);
    return true;
}

static int64_t integer(struct deed *d, const char *answer, size_t length, const char *member)
{
    int64_t number = -1;
    size_t size;
    const char *value = d->host->member(d->call, answer, length, member, &size);
    if (!value || poold_read_integer(value, size, &number))
        abort();
    return number;
}

/* ---- the deeds: false when a call failed ---- */

static bool put(struct deed *d)
{
    for (int64_t i = 0; i < d->n; i++)
        if (!ask(d, NULL, NULL,
                 "{\"object\":\"queues/%s\",\"op\":\"put\",\"args\":{\"value\":[\"%s\",%" PRId64 "]},\"wait\":null}",
                 d->name, d->who, i))
            return false;
    return true;
}

static bool get(struct deed *d)
{
    const char *answer, *values, *value;
    size_t length, values_length, size = 0;
    for (;;) {
        if (!ask(d, &answer, &length, "{\"object\":\"queues/%s\",\"op\":\"get\",\"args\":{},\"wait\":null}", d->name))
            return false;
        values = d->host->member(d->call, answer, length, "values", &values_length);
        value = values ? d->host->element(d->call, values, values_length, NULL, &size) : NULL;
        if (!value)
            return false;
        if (size == 4 && memcmp(value, "null", 4) == 0)
            return true;
        see(d, value, size);
    }
}

static bool count_once(struct deed *d)
{
    char pair[64];
    const char *answer;
    size_t length;
    if (!ask(d, &answer, &length, "{\"object\":\"locks/%s\",\"op\":\"acquire\",\"args\":{},\"wait\":null}", d->name))
        return false;
    int64_t token = integer(d, answer, length, "token");
    if (!ask(d, &answer, &length, "{\"object\":\"dicts/%s\",\"op\":\"get\",\"args\":{\"key\":\"n\"}}", d->name))
        return false;
    int64_t value = integer(d, answer, length, "value");
    snprintf(pair, sizeof pair, "[%" PRId64 ",%" PRId64 "]", token, value);
    see(d, pair, strlen(pair));
    return ask(d, NULL, NULL, "{\"object\":\"dicts/%s\",\"op\":\"set\",\"args\":{\"key\":\"n\",\"value\":%" PRId64 "}}",
               d->name, value + 1) &&
           ask(d, NULL, NULL, "{\"object\":\"locks/%s\",\"op\":\"release\",\"args\":{}}", d->name);
}

static bool count(struct deed *d)
{
    for (int64_t i = 0; i < d->n; i++)
        if (!count_once(d))
            return false;
    return true;
}

static bool add_by(struct deed *d, const char **answer, size_t *length, int by)
{
    return ask(d, answer, length, "{\"object\":\"dicts/%s\",\"op\":\"add\",\"args\":{\"key\":\"n\",\"by\":%d}}",
               d->name, by);
}

static bool add(struct deed *d)
{
    const char *answer;
    size_t length;
    for (int64_t i = 0; i < d->n; i++)
        if (!add_by(d, &answer, &length, 1) || !see_member(d, answer, length))
            return false;
    return true;
}

static bool shift(struct deed *d)
{
    const char *answer;
    size_t length;
    for (int64_t i = 0; i < d->n; i++)
        if (!ask(d, NULL, NULL, "{\"object\":\"lists/%s\",\"op\":\"append\",\"args\":{\"value\":[\"%s\",%" PRId64 "]}}",
                 d->name, d->who, i) ||
            !ask(d, &answer, &length, "{\"object\":\"lists/%s\",\"op\":\"pop\",\"args\":{\"index\":0}}", d->name) ||
            !see_member(d, answer, length))
            return false;
    return true;
}

/* What is in the memory is compared and set by poold, as anybody else's. */
static bool sum(struct deed *d)
{
    char object[200], digits[32];
    snprintf(object, sizeof object, "values/%s", d->name);
    volatile int64_t *memory = d->host->map(d->call, object, NULL, NULL);
    for (int64_t i = 0; memory && i < d->n;) {
        int64_t now = *memory;
        if (!ask(d, NULL, NULL,
                 "{\"object\":\"%s\",\"op\":\"compare_set\",\"args\":{\"expected\":%" PRId64 ",\"value\":%" PRId64 "}}",
                 object, now, now + 1))
            continue;
        snprintf(digits, sizeof digits, "%" PRId64, now + 1);
        see(d, digits, strlen(digits));
        i++;
    }
    return memory != NULL;
}

static bool send_all(struct deed *d)
{
    for (int64_t i = 0; i < d->n; i++)
        if (!ask(d, NULL, NULL,
                 "{\"object\":\"pipes/%s\",\"op\":\"send\",\"args\":{\"end\":\"a\",\"value\":[\"%s\",%" PRId64
                 "]},\"wait\":null}",
                 d->name, d->who, i))
            return false;
    return true;
}

static bool recv_all(struct deed *d)
{
    const char *answer;
    size_t length;
    while (ask(d, &answer, &length, "{\"object\":\"pipes/%s\",\"op\":\"recv\",\"args\":{\"end\":\"b\"},\"wait\":null}",
               d->name))
        if (!see_member(d, answer, length))
            return false;
    return true;
}

static bool permits(struct deed *d)
{
    const char *answer;
    size_t length;
    for (int64_t i = 0; i < d->n; i++)
        if (!tell(d, "locks", "acquire") || !add_by(d, &answer, &length, 1) || !see_member(d, answer, length) ||
            !add_by(d, NULL, NULL, -1) || !tell(d, "locks", "release"))
            return false;
    return true;
}

/* objects_kill_test.py: somebody comes to kill. */
static bool hold(struct deed *d)
{
    char path[512], whole[512];
    const char *notes = getenv("DEEDS_NOTES");
    if (!notes || !tell(d, "locks", "acquire"))
        return false;
    snprintf(whole, sizeof whole, "%s/%s", notes, d->who);
    snprintf(path, sizeof path, "%s/%s.new", notes, d->who);
    FILE *note = fopen(path, "we");
    if (!note)
        return false;
    fprintf(note, "%d %d", (int)getpid(), (int)getpid());
    fclose(note);
    return rename(path, whole) == 0 && sleep(600) == 0;
}

static const struct {
    const char *name;
    bool (*run)(struct deed *);
} deeds[] = {
    {"put", put}, {"get", get},       {"count", count},   {"add", add},         {"shift", shift},
    {"sum", sum}, {"send", send_all}, {"recv", recv_all}, {"permits", permits}, {"hold", hold},
};

/* ---- the functions ---- */

static int act(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    size_t size;
    struct deed d = {.host = host, .call = call};
    const char *what = NULL, *at = host->member(call, item, length, "do", &size);
    what = at ? host->text(call, at, size, NULL) : NULL;
    at = host->member(call, item, length, "name", &size);
    d.name = at ? host->text(call, at, size, NULL) : NULL;
    at = host->member(call, item, length, "who", &size);
    d.who = at ? host->text(call, at, size, NULL) : NULL;
    at = host->member(call, item, length, "n", &size);
    if (!what || !d.name || !d.who || !at || poold_read_integer(at, size, &d.n))
        return host->expected(call, "do, name, who and n");
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
        if (strcmp(deeds[i].name, what) == 0 && !deeds[i].run(&d)) {
            free(d.seen);
            return -1;
        }
    if (!d.seen)
        return host->value(call, "[]", 2);
    d.seen[d.length++] = ']';
    int status = host->value(call, d.seen, d.length);
    free(d.seen);
    return status;
}

static int twice(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    size_t count = 0;
    char typecode = 0;
    const char *object = host->text(call, item, length, NULL);
    double *numbers = object ? host->map(call, object, &count, &typecode) : NULL;
    if (!numbers || typecode != 'd')
        return host->expected(call, "an array of doubles");
    for (size_t i = 0; i < count; i++)
        numbers[i] *= 2;
    return poold_integer(host, call, (int64_t)count);
}

static const struct poold_function functions[] = {
    POOLD_FUNCTION("act", act, "does as the item says", NULL),
    POOLD_FUNCTION("twice", twice, "doubles an array", "\"arrays/a\""),
};
static const struct poold_plugin plugin = POOLD_PLUGIN(functions, NULL, NULL);

POOLD_EXPORT const struct poold_plugin *poold_plugin(void)
{
    return &plugin;
}
