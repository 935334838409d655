/* worker_calls_plugin: functions that use shared objects through poold.h, for worker_calls_test. */
#include <stdio.h>
#include <string.h>

#include "poold.h"

/* The item is the request: gives back what is answered, or its error. */
static int ask(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    const char *answer;
    size_t size;
    (void)length;
    return host->call(call, item, &answer, &size) == 0 ? host->value(call, answer, size) : -1;
}

/* The same, but an error is a value, too. */
static int try_to(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    const char *answer;
    size_t size;
    (void)length;
    host->call(call, item, &answer, &size);
    return host->value(call, answer, size);
}

static int twice(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    size_t count;
    char name[64], typecode, text[64];
    const char *object = host->text(call, item, length, NULL);
    snprintf(name, sizeof name, "arrays/%s", object ? object : "");
    double *numbers = host->map(call, name, &count, &typecode);
    if (numbers == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        numbers[i] *= 2;
    snprintf(text, sizeof text, "\"%zu of %c\"", count, typecode);
    return host->value(call, text, strlen(text));
}

static int early(const struct poold_host *host, struct poold_call *call, const char *initargs, size_t length)
{
    (void)initargs;
    (void)length;
    return host->call(call, "{}", NULL, NULL) == -1 ? 0 : -1;
}

static const struct poold_function functions[] = {
    POOLD_FUNCTION("ask", ask, NULL, NULL),
    POOLD_FUNCTION("try", try_to, NULL, NULL),
    POOLD_FUNCTION("twice", twice, NULL, NULL),
};
static const struct poold_plugin plugin = POOLD_PLUGIN(functions, early, NULL);

POOLD_EXPORT const struct poold_plugin *poold_plugin(void)
{
    return &plugin;
}
