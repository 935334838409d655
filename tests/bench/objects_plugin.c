/* Doubling 1,000,000 doubles in place: those of a shared array, and (the peer) of plain memory. The median of some
 * rounds, in nanoseconds, behind one that is not counted: it brings the pages. */
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "poold.h"

enum { ROUNDS = 15 };

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static __attribute__((noinline)) void twice(double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] *= 2;
}

static int64_t measure(double *numbers, size_t count)
{
    int64_t took[ROUNDS];
    twice(numbers, count);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t began = now_ns();
        twice(numbers, count);
        took[i] = now_ns() - began;
    }
    qsort(took, ROUNDS, sizeof *took, compare);
    return took[ROUNDS / 2];
}

static int shared(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    size_t count;
    char typecode;
    const char *object = host->text(call, item, length, NULL);
    double *numbers = object ? host->map(call, object, &count, &typecode) : NULL;
    if (!numbers || typecode != 'd')
        return host->expected(call, "an array of doubles");
    for (size_t i = 0; i < count; i++)
        numbers[i] = 1;
    int64_t ns = measure(numbers, count);
    return numbers[0] == 65536 && numbers[count - 1] == 65536 ? poold_integer(host, call, ns)
                                                              : host->error(call, "it was not doubled");
}

static int plain(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    int64_t count;
    if (poold_read_integer(item, length, &count) || count < 1)
        return host->expected(call, "a length");
    double *numbers = malloc((size_t)count * sizeof *numbers);
    if (!numbers)
        return host->error(call, "no memory");
    for (int64_t i = 0; i < count; i++)
        numbers[i] = 1;
    int64_t ns = measure(numbers, (size_t)count);
    free(numbers);
    return poold_integer(host, call, ns);
}

static const struct poold_function functions[] = {
    POOLD_FUNCTION("shared", shared, "doubles a shared array", "\"arrays/a\""),
    POOLD_FUNCTION("plain", plain, "doubles as many in plain memory", "1000000"),
};
static const struct poold_plugin plugin = POOLD_PLUGIN(functions, NULL, NULL);

POOLD_EXPORT const struct poold_plugin *poold_plugin(void)
{
    return &plugin;
}
