/* request: words of a command line as the JSON of a call. See call.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/call.h"
#include "wire/scan.h"

/* What positional arguments mean: server/objects/README.md. */
static const struct {
    const char *kind, *op, *names;
} positions[] = {
    {"queues", "put", "value"},
    {"queues", "get", "n"},
    {"queues", "ack", "leases"},
    {"queues", "nack", "leases"},
    {"queues", "task_done", "count"},
    {"queues", "create", "maxsize"},
    {"pipes", "send", "end value"},
    {"pipes", "recv", "end"},
    {"pipes", "poll", "end"},
    {"pipes", "close", "end"},
    {"locks", "create", "type value"},
    {"locks", "renew", "token ttl"},
    {"dicts", "get", "key default"},
    {"dicts", "set", "key value"},
    {"dicts", "delete", "key"},
    {"dicts", "contains", "key"},
    {"dicts", "pop", "key default"},
    {"dicts", "setdefault", "key value"},
    {"dicts", "update", "entries"},
    {"dicts", "add", "key by"},
    {"lists", "get", "index"},
    {"lists", "set", "index value"},
    {"lists", "slice", "start stop"},
    {"lists", "set_slice", "start stop values"},
    {"lists", "append", "value"},
    {"lists", "extend", "values"},
    {"lists", "insert", "index value"},
    {"lists", "pop", "index"},
    {"lists", "remove", "value"},
    {"lists", "index", "value"},
    {"lists", "count", "value"},
    {"lists", "contains", "value"},
    {"lists", "delete_at", "index"},
    {"lists", "add", "index by"},
    {"values", "create", "typecode value"},
    {"values", "set", "value"},
    {"values", "add", "by"},
    {"values", "compare_set", "expected value"},
    {"arrays", "create", "typecode length"},
    {"arrays", "get", "index"},
    {"arrays", "set", "index value"},
    {"arrays", "slice", "start stop"},
    {"arrays", "set_slice", "start values"},
    {"arrays", "add", "index by"},
    {"arrays", "compare_set", "index expected value"},
};

/* Names of arguments that are text whatever they look like. */
static const char always_text[] = " key end type typecode prefix after ";

/* ---- words ---- */

static bool is_json(const char *text, size_t length)
{
    return scan_is_value(text, text + length, NULL);
}

static void read_stdin(struct buf *text)
{
    size_t got;
    do {
        got = fread(buf_reserve(text, BUFSIZ), 1, BUFSIZ, stdin);
        text->length += got;
    } while (got > 0);
    if (text->length > 0 && text->data[text->length - 1] == '\n')
        text->length--;
}

void request_append_word(struct buf *json, const char *word, bool text)
{
    struct buf input = BUF_EMPTY;
    size_t length = strlen(word);
    if (strcmp(word, "-") == 0) {
        read_stdin(&input);
        word = input.data ? input.data : "";
        length = input.length;
    }
    size_t at = json->length;
    if (!text && is_json(word, length))
        buf_append(json, word, length);
    else
        buf_append_json_string(json, word, length);
    for (; at < json->length; at++) /* a call is one line; within strings there are none */
        if (json->data[at] == '\n' || json->data[at] == '\r')
            json->data[at] = ' ';
    buf_free(&input);
}

static bool is_in(const char *list, const char *name, size_t length)
{
    for (const char *at = list; (at = strstr(at, name)); at++)
        if ((at == list || at[-1] == ' ') && at[length] == ' ')
            return true;
    return false;
}

static void append_argument(struct buf *args, const char *name, size_t length, const char *word, bool text)
{
    char known[32];
    if (length >= sizeof known)
        usage_error("there is no argument called %.*s", (int)length, name);
    snprintf(known, sizeof known, "%.*s", (int)length, name);
    if (args->length > 0)
        buf_append_char(args, ',');
    buf_append_json_string(args, name, length);
    buf_append_char(args, ':');
    request_append_word(args, word, text || is_in(always_text, known, length));
}

/* ---- arguments ---- */

static const char *names_of(const struct wish *wish)
{
    size_t kind = strcspn(wish->object, "/");
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++)
        if (strlen(positions[i].kind) == kind && strncmp(positions[i].kind, wish->object, kind) == 0 &&
            strcmp(positions[i].op, wish->op) == 0)
            return positions[i].names;
    return "";
}

/* All of them by name, as one object: its inside. */
static bool take_object(struct buf *args, const char *word)
{
    const char *end = word + strlen(word), *first = scan_space(word, end);
    if (first == end || *first != '{' || !scan_is_value(word, end, NULL))
        return false;
    while (end[-1] != '}')
        end--;
    if (scan_space(first + 1, end) == end - 1)
        return true;
    buf_append(args, first + 1, (size_t)(end - 1 - (first + 1)));
    for (size_t i = 0; i < args->length; i++)
        if (args->data[i] == '\n' || args->data[i] == '\r')
            args->data[i] = ' ';
    return true;
}

static void append_wait(struct buf *request, const char *word)
{
    char *end;
    if (strcmp(word, "forever") == 0) {
        buf_append_text(request, ",\"wait\":null");
        return;
    }
    double seconds = strtod(word, &end);
    if (end == word || *end || !is_json(word, strlen(word)) || !(seconds >= 0))
        usage_error("--wait takes a number of seconds, or `forever`");
    buf_printf(request, ",\"wait\":%s", word);
}

/* Our own options; false when it is none. */
static bool take_flag(struct wish *wish, const char *word, bool *text)
{
    if (strcmp(word, "--raw") == 0)
        wish->raw = true;
    else if (strcmp(word, "--json") == 0)
        wish->json = true;
    else if (strcmp(word, "--text") == 0)
        *text = true;
    else
        return false;
    return true;
}

static void take_words(struct wish *wish, struct buf *args, struct buf *request)
{
    const char *names = names_of(wish);
    bool text = false, whole = false;
    for (int i = 0; i < wish->count; i++) {
        const char *word = wish->words[i];
        if (strncmp(word, "--", 2) == 0 && word[2]) {
            if (take_flag(wish, word, &text))
                continue;
            if (++i == wish->count)
                usage_error("%s takes a value", word);
            if (strcmp(word, "--wait") == 0)
                append_wait(request, wish->words[i]);
            else
                append_argument(args, word + 2, strlen(word + 2), wish->words[i], text);
        } else if (args->length == 0 && !whole && !text && take_object(args, word)) {
            whole = true;
        } else {
            size_t length = strcspn(names, " ");
            if (length == 0 || whole)
                usage_error("what is %s to %s?", word, wish->op);
            append_argument(args, names, length, word, text);
            names += length + strspn(names + length, " ");
        }
    }
}

static bool has_key(const struct buf *args, const char *key)
{
    struct buf object = BUF_EMPTY;
    struct scan_walk walk;
    bool found = false;
    buf_append_char(&object, '{');
    buf_append(&object, args->data ? args->data : "", args->length);
    buf_append_char(&object, '}');
    for (scan_enter(&walk, object.data, object.data + object.length, false); scan_next(&walk);)
        found |= (size_t)(walk.key_end - walk.key) == strlen(key) && memcmp(walk.key, key, strlen(key)) == 0;
    buf_free(&object);
    return found;
}

void request_make(struct wish *wish, struct buf *request)
{
    struct buf args = BUF_EMPTY, rest = BUF_EMPTY;
    take_words(wish, &args, &rest);
    buf_append_text(request, "{\"object\":");
    buf_append_json_string(request, wish->object, strlen(wish->object));
    buf_append_text(request, ",\"op\":");
    buf_append_json_string(request, wish->op, strlen(wish->op));
    buf_append_text(request, ",\"args\":{");
    buf_append(request, args.data ? args.data : "", args.length);
    buf_append_char(request, '}');
    buf_append(request, rest.data ? rest.data : "", rest.length);
    buf_append_char(request, '}');
    wish->one = strncmp(wish->object, "queues/", 7) == 0 && strcmp(wish->op, "get") == 0 && !has_key(&args, "n") &&
                !has_key(&args, "lease");
    buf_free(&args);
    buf_free(&rest);
}
