/* plain: echo, sleep, greet. */
#include <string.h>
#include <time.h>

#include "functions/builtin.h"
#include "functions/number.h"

int builtin_echo(struct call *call)
{
    return call_value(call, call->item, call->length);
}

#define SLEEP_MAX 1e9 /* seconds; 31 years: any wish beyond is a mistake, and time_t stays safe */

/* Until a point in time, so that signals that do not kill cannot shorten or prolong it. */
static void sleep_for(double seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    time_t whole = (time_t)seconds;
    until.tv_sec += whole;
    until.tv_nsec += (long)((seconds - (double)whole) * 1e9);
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
        continue;
}

int builtin_sleep(struct call *call)
{
    struct number x;
    if (call_number(call, &x) == -1)
        return -1;
    double seconds = number_to_real(&x);
    if (seconds < 0 || seconds > SLEEP_MAX)
        return call_error(call, "%s: expected seconds from 0 to %.0f", call->name, SLEEP_MAX);
    sleep_for(seconds);
    return builtin_echo(call);
}

static const char hello[] = "\"Hello, ", mark[] = "!\"";

/* The name's escapes stay as they are: between quotes they mean the same. */
int builtin_greet(struct call *call)
{
    if (call->item[0] != '"')
        return call_expected(call, "a string");
    size_t name = call->length - 2;
    char *to = call_room(call, sizeof hello - 1 + name + sizeof mark - 1);
    if (to == NULL)
        return -1;
    memcpy(to, hello, sizeof hello - 1);
    memcpy(to + sizeof hello - 1, call->item + 1, name);
    memcpy(to + sizeof hello - 1 + name, mark, sizeof mark - 1);
    return 0;
}
