/* shared_read: the text of a task's call: {"object":"queues/results","op":"put","args":{…},"wait":5,"quiet":true}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/shared.h"
#include "wire/scan.h"

static bool is(const struct scan_walk *member, const char *key)
{
    size_t length = (size_t)(member->key_end - member->key);
    return strlen(key) == length && memcmp(key, member->key, length) == 0;
}

/* A short string without escapes, but for "\/", which some encoders write. */
static bool read_word(const struct scan_walk *member, char *word, size_t size)
{
    size_t length = 0;
    if (member->kind != SCAN_STRING)
        return false;
    for (const char *at = member->value + 1; at < member->value_end - 1; at++) {
        if (*at == '\\' && *++at != '/')
            return false;
        if (length + 1 >= size)
            return false;
        word[length++] = *at;
    }
    word[length] = '\0';
    return true;
}

/* "queues/results", or "queues" alone to list them. */
static const char *read_object(const struct scan_walk *member, struct object_call *call)
{
    char path[OBJECT_PATH_MAX + 16];
    if (member->value_end - member->value - 2 >= (ptrdiff_t)sizeof path)
        return "object must be KIND/NAME, and a name has at most 128 characters";
    if (!read_word(member, path, sizeof path))
        return "object must be KIND/NAME, like queues/results";
    size_t kind = strcspn(path, "/");
    const char *name = path[kind] ? path + kind + 1 : "";
    if (object_kind_parse(path, kind, &call->kind) != 0)
        return "object must begin with queues, pipes, locks, dicts, lists, values or arrays and a slash";
    if (strlen(name) > OBJECT_PATH_MAX)
        return "the object's name is too long";
    snprintf(call->name, sizeof call->name, "%s", name);
    return NULL;
}

static const char *read_wait(const struct scan_walk *member, struct object_call *call, int64_t now)
{
    char number[64];
    size_t length = (size_t)(member->value_end - member->value);
    if (member->kind == SCAN_NULL) {
        call->deadline_ns = INT64_MAX;
        return NULL;
    }
    if (member->kind != SCAN_NUMBER || length >= sizeof number)
        return "wait must be a number of seconds, or null for ever";
    memcpy(number, member->value, length);
    number[length] = '\0';
    double seconds = strtod(number, NULL);
    if (seconds < 0)
        return "wait must not be negative";
    if (seconds > 1e9)
        call->deadline_ns = INT64_MAX;
    else if (seconds > 0)
        call->deadline_ns = now + (int64_t)(seconds * (double)NS_PER_S);
    return NULL;
}

static const char *read_member(struct object_call *call, const struct scan_walk *member, int64_t now, bool *quiet)
{
    if (is(member, "object"))
        return read_object(member, call);
    if (is(member, "op"))
        return read_word(member, call->op, sizeof call->op) ? NULL : "op must be the name of an operation";
    if (is(member, "wait"))
        return read_wait(member, call, now);
    if (is(member, "args")) {
        if (member->kind != SCAN_OBJECT)
            return "args must be an object";
        call->args = member->value;
        call->args_length = (size_t)(member->value_end - member->value);
        return NULL;
    }
    if (is(member, "quiet")) {
        *quiet = member->kind == SCAN_TRUE;
        return member->kind == SCAN_TRUE || member->kind == SCAN_FALSE ? NULL : "quiet must be true or false";
    }
    return "a call has object, op, args, wait and quiet";
}

const char *shared_read(struct object_call *call, const char *text, size_t length, int64_t now, bool *quiet)
{
    struct scan_walk walk;
    const char *end = text + length, *problem = NULL, *at = scan_space(text, end);
    call->args = "";
    if (at == end || *at != '{')
        return "a call must be a JSON object";
    for (scan_enter(&walk, (char *)at, (char *)end, false); !problem && scan_next(&walk);)
        problem = read_member(call, &walk, now, quiet);
    if (problem)
        return problem;
    if (walk.error.reason || scan_space(walk.at, end) != end)
        return "a call must be a JSON object";
    if (!call->kind || !call->op[0])
        return "a call needs object and op";
    if (strcmp(call->op, "read") == 0 || strcmp(call->op, "write") == 0)
        return "a task has the memory itself: see open";
    return NULL;
}
