/* environment: see environment.h. */
#include "runtimes/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

static char *join(const char *name, size_t name_length, const char *value)
{
    size_t value_length = strlen(value);
    char *text = malloc(name_length + 1 + value_length + 1);
    CHECK(text, "out of memory");
    memcpy(text, name, name_length);
    text[name_length] = '=';
    memcpy(text + name_length + 1, value, value_length + 1);
    return text;
}

/* Its place in the list; the end when it is not there. */
static unsigned place_of(const struct environment *environment, const char *name, size_t length)
{
    unsigned i = 0;
    while (i < environment->count &&
           (strncmp(environment->list[i], name, length) != 0 || environment->list[i][length] != '='))
        i++;
    return i;
}

static void make_room(struct environment *environment)
{
    if (environment->count + 1 < environment->capacity)
        return;
    environment->capacity = environment->capacity ? environment->capacity * 2 : 16;
    environment->list = realloc(environment->list, environment->capacity * sizeof *environment->list);
    CHECK(environment->list, "out of memory");
}

static void set(struct environment *environment, const char *name, size_t length, const char *value)
{
    unsigned place = place_of(environment, name, length);
    if (place < environment->count) {
        if (strcmp(environment->list[place] + length + 1, value) == 0)
            return;
        free(environment->list[place]);
    } else {
        make_room(environment);
        environment->list[++environment->count] = NULL;
    }
    environment->list[place] = join(name, length, value);
}

static void declare(struct environment *environment, const char *entry)
{
    const char *equals = strchr(entry, '=');
    const char *value = equals ? equals + 1 : getenv(entry);
    if (value)
        set(environment, entry, equals ? (size_t)(equals - entry) : strlen(entry), value);
}

void environment_begin(struct environment *environment, const struct manifest *manifest)
{
    const char *path = getenv("PATH");
    *environment = (struct environment){.list = NULL};
    environment_set(environment, "PATH", path && *path ? path : DEFAULT_PATH);
    for (char **entry = manifest->environment; entry && *entry; entry++)
        declare(environment, *entry);
}

void environment_set(struct environment *environment, const char *name, const char *value)
{
    set(environment, name, strlen(name), value);
}

void environment_unset(struct environment *environment, const char *name)
{
    unsigned place = place_of(environment, name, strlen(name));
    if (place == environment->count)
        return;
    free(environment->list[place]);
    environment->list[place] = environment->list[--environment->count];
    environment->list[environment->count] = NULL;
}

const char *environment_get(const struct environment *environment, const char *name)
{
    size_t length = strlen(name);
    unsigned place = place_of(environment, name, length);
    return place < environment->count ? environment->list[place] + length + 1 : NULL;
}

void environment_free(struct environment *environment)
{
    for (unsigned i = 0; i < environment->count; i++)
        free(environment->list[i]);
    free(environment->list);
    *environment = (struct environment){.list = NULL};
}
