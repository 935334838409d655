/* The plugins of plugin_test: HOW says which one. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "poold.h"

#define GOOD 0
#define VERSION 1   /* of another version */
#define SYMBOL 2    /* no poold_plugin */
#define CRASHES 3   /* in its initialiser */
#define REFUSES 4   /* in its initialiser */
#define HANGS 5     /* in its initialiser */
#define DEVOURS 6   /* in its initialiser */
#define LATER 7     /* made with a later header of this version: larger structs */
#define SMALL 8     /* a struct that is too small */
#define TWICE 9     /* two functions of one name */
#define NOTHING 10  /* no function at all */
#define OLD 11      /* made with an earlier header of this version: what it knows of poold_host is smaller */

#if HOW != SYMBOL

static void devour(size_t most)
{
    const size_t piece = (size_t)1 << 20;
    for (size_t taken = 0; taken < most; taken += piece) {
        volatile char *more = malloc(piece);
        for (size_t i = 0; more && i < piece; i += 4096)
            more[i] = 1;
        usleep(200);
    }
}

static int echo(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    if (item[length] != '\0')
        return host->error(call, "no NUL behind the item");
    return host->value(call, item, length);
}

static int shout(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    char loud[64];
    size_t size;
    const char *text = host->text(call, item, length, &size);
    if (text == NULL || size >= sizeof loud)
        return host->expected(call, "a short string");
    for (size_t i = 0; i < size; i++)
        loud[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 32 : text[i]);
    return host->value_text(call, loud, size);
}

/* {"n":[1,"a",…]} → how many elements; what they are is printed. */
static int walk(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    size_t size = 0, array_size, count = 0;
    const char *at = NULL, *array = host->member(call, item, length, "n", &array_size);
    while (array && (at = host->element(call, array, array_size, at, &size)) != NULL)
        count += host->text(call, at, size, NULL) ? 100 : size;
    return poold_integer(host, call, (int64_t)count);
}

static int number(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    int64_t n;
    return poold_read_integer(item, length, &n) == 0 ? poold_integer(host, call, n) : host->expected(call, "an integer");
}

static int garbage(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    (void)item, (void)length;
    return host->value(call, "{]", 2);
}

static int huge(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    static char text[1 << 20];
    (void)item, (void)length;
    memset(text, '1', sizeof text);
    return host->value(call, text, sizeof text);
}

static int fails(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    host->value(call, item, length); /* the last answer counts */
    return host->error(call, "no such picture");
}

static int silent(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    (void)host, (void)call, (void)length;
    return item[0] == '0' ? 0 : -1;
}

static int facts(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    char text[400], where[200] = "?";
    const char *mode = getenv("MODE");
    (void)item, (void)length;
    host->progress(call, "0.5", 3);
    host->progress(call, "no JSON", 7);
    int size = snprintf(text, sizeof text, "[\"%s\",%u,%u,%d,%s,\"%s\",\"%s\"]", host->job(call), host->index(call),
                        host->attempt(call), host->is_star(call), host->time_left(call) == -1 ? "null" : "true",
                        mode ? mode : "", getcwd(where, sizeof where) ? where : "?");
    return host->value(call, text, (size_t)size);
}

/* The trace of the job; null without one. */
static int trace(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    (void)item, (void)length;
#if HOW == OLD
    return host->error(call, "made before there were traces");
#else
    const char *given = POOLD_HAS(host, traceparent) ? host->traceparent(call) : "an older poold";
    return given ? host->value_text(call, given, strlen(given)) : host->value(call, "null", 4);
#endif
}

static int devours(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    int64_t mib = 0;
    poold_read_integer(item, length, &mib);
    devour((size_t)mib << 20);
    return poold_integer(host, call, mib);
}

static int spins(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    (void)item, (void)length;
    for (volatile int64_t i = 0; i < INT64_MAX; i++)
        ;
    return host->error(call, "that took long");
}

/* How many more descriptors there are for it. */
static int opens(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    int fds[512], count = 0;
    (void)item, (void)length;
    while (count < 512 && (fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) != -1)
        count++;
    for (int i = 0; i < count; i++)
        close(fds[i]);
    return poold_integer(host, call, count);
}

#if HOW == LATER
struct later_function {
    struct poold_function first;
    const char *more;
};
struct later_plugin {
    struct poold_plugin first;
    const char *more;
};
#define ONE(name, call, summary, example) {{sizeof(struct later_function), name, summary, example, call, 0}, "more"}
#define STAR(name, call) {{sizeof(struct later_function), name, NULL, NULL, call, POOLD_STAR}, "more"}
static const struct later_function functions[] = {
#else
#define ONE POOLD_FUNCTION
#define STAR(name, call) POOLD_STAR_FUNCTION(name, call, NULL, NULL)
static const struct poold_function functions[] = {
#endif
    ONE("echo", echo, "says \"it\" again", "[1, 2]"),
    ONE("shout", shout, NULL, "no JSON"),
    ONE("walk", walk, NULL, NULL),
    ONE("number", number, NULL, NULL),
    ONE("garbage", garbage, NULL, NULL),
    ONE("huge", huge, NULL, NULL),
    ONE("fails", fails, NULL, NULL),
    ONE("silent", silent, NULL, NULL),
    STAR("facts", facts),
    ONE("trace", trace, NULL, NULL),
    ONE("devours", devours, NULL, NULL),
    ONE("spins", spins, NULL, NULL),
    ONE("opens", opens, NULL, NULL),
#if HOW == TWICE
    ONE("echo", echo, NULL, NULL),
#endif
};
#define COUNT (sizeof functions / sizeof functions[0])

static void mark(const char *what)
{
    const char *path = getenv("MARK");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd == -1)
        return;
    (void)!write(fd, what, strlen(what));
    close(fd);
}

static int initialise(const struct poold_host *host, struct poold_call *call, const char *initargs, size_t length)
{
    size_t size;
    const char *first = host->element(call, initargs, length, NULL, &size);
    mark("+");
    switch (HOW) {
    case CRASHES:
        abort();
    case REFUSES:
        return host->error(call, first ? host->text(call, first, size, NULL) : "no model");
    case HANGS:
        for (;;)
            pause();
    case DEVOURS:
        devour((size_t)1 << 32);
        return 0;
    default:
        return 0;
    }
}

static void finalise(void)
{
    mark("-");
}

POOLD_EXPORT const struct poold_plugin *poold_plugin(void)
{
#if HOW == LATER
    static const struct later_plugin plugin = {
        {sizeof(struct later_plugin), POOLD_VERSION, COUNT, &functions[0].first, initialise, finalise}, "more"};
    return &plugin.first;
#else
    static struct poold_plugin plugin = POOLD_PLUGIN(functions, initialise, finalise);
    if (HOW == VERSION)
        plugin.version = 3;
    if (HOW == SMALL)
        plugin.size = 16;
    if (HOW == NOTHING)
        plugin.count = 0;
    return &plugin;
#endif
}

#endif
