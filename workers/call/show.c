/* show: answers as text for shells. See call.h. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/call.h"
#include "wire/scan.h"

const char *answer_find(const char *at, size_t *length, const char *key)
{
    struct scan_walk walk;
    if (*length == 0 || *at != (key ? '{' : '['))
        return NULL;
    for (scan_enter(&walk, (char *)at, (char *)at + *length, false); scan_next(&walk);)
        if (key == NULL ||
            ((size_t)(walk.key_end - walk.key) == strlen(key) && memcmp(walk.key, key, strlen(key)) == 0)) {
            *length = (size_t)(walk.value_end - walk.value);
            return walk.value;
        }
    return NULL;
}

static void print_text(const char *json, size_t length)
{
    json_t *text = json_loadb(json, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (text)
        fwrite(json_string_value(text), 1, json_string_length(text), stdout);
    json_decref(text);
}

static void print(const struct wish *wish, const char *json, size_t length)
{
    if (wish->raw && length > 0 && *json == '"')
        print_text(json, length);
    else
        fwrite(json, 1, length, stdout);
    fputc('\n', stdout);
    if (fflush(stdout) == EOF)
        fail(EX_IOERR, "stdout cannot be written");
}

void show(const struct wish *wish, const char *answer, size_t length)
{
    const char *inner;
    if (!wish->json && length == 4 && memcmp(answer, "null", 4) == 0)
        return; /* done, and no more to say */
    size_t inner_length = length;
    if (!wish->json && (inner = answer_find(answer, &inner_length, "value"))) {
        print(wish, inner, inner_length);
        return;
    }
    inner_length = length;
    if (!wish->json && wish->one && (inner = answer_find(answer, &inner_length, "values")) &&
        (inner = answer_find(inner, &inner_length, NULL))) {
        print(wish, inner, inner_length);
        return;
    }
    print(wish, answer, length);
}

static int status_of(const char *type)
{
    static const struct {
        const char *type;
        int status;
    } known[] = {
        {"empty", EX_TEMPFAIL},   {"full", EX_TEMPFAIL},  {"busy", EX_TEMPFAIL},   {"missing", EX_NOINPUT},
        {"no-entry", EX_NOINPUT}, {"closed", EX_NOINPUT}, {"deleted", EX_NOINPUT},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].type, type) == 0)
            return known[i].status;
    return EXIT_FAILURE;
}

int show_error(const char *error, size_t length)
{
    json_t *object = json_loadb(error, length, 0, NULL);
    const char *type = json_string_value(json_object_get(object, "type"));
    const char *message = json_string_value(json_object_get(object, "message"));
    fprintf(stderr, "poold-call: %s: %s\n", type ? type : "error", message ? message : "the call failed");
    int status = type ? status_of(type) : EXIT_FAILURE;
    json_decref(object);
    return status;
}
