/* plugin_call: see plugin_call.h. */
#include "runtimes/plugin_call.h"

#include <string.h>

#include "base/clock.h"
#include "wire/scan.h"

enum { ITEM_KEPT = 64 * 1024 }; /* of the copy of an item, until the next */

static int say_value(struct poold_call *it, const char *json, size_t length)
{
    it->answered = true;
    it->call->error[0] = '\0';
    return call_value(it->call, json, length);
}

static int say_text(struct poold_call *it, const char *text, size_t length)
{
    struct buf quoted = BUF_EMPTY;
    buf_append_json_string(&quoted, text, length);
    int result = say_value(it, quoted.data, quoted.length);
    buf_free(&quoted);
    return result;
}

static int say_error(struct poold_call *it, const char *message)
{
    it->answered = true;
    return call_error(it->call, "%s", message);
}

static int say_expected(struct poold_call *it, const char *what)
{
    it->answered = true;
    return call_expected(it->call, what);
}

static void say_progress(struct poold_call *it, const char *json, size_t length)
{
    if (it->call->progress && scan_is_value(json, json + length, NULL))
        it->call->progress(it->call, json, length);
}

static int64_t time_left(const struct poold_call *it)
{
    if (it->call->deadline_ns == 0)
        return -1;
    int64_t left = it->call->deadline_ns - clock_mono_ns();
    return left > 0 ? left : 0;
}

static const char *job_id(const struct poold_call *it)
{
    return it->call->job_id ? it->call->job_id : "";
}

static const char *traceparent(const struct poold_call *it)
{
    const char *given = it->call->traceparent;
    return given && *given ? given : NULL;
}

static uint32_t item_index(const struct poold_call *it)
{
    return it->call->index;
}

static uint32_t attempt(const struct poold_call *it)
{
    return it->call->attempt;
}

static int is_star(const struct poold_call *it)
{
    return it->call->star;
}

/* ---- reading JSON: whatever pointers a plugin brings, what lies there is not believed ---- */

static const char *read_text(struct poold_call *it, const char *json, size_t length, size_t *text_length)
{
    if (length == 0 || json[0] != '"')
        return NULL;
    json_t *text = json_loadb(json, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (it->texts == NULL)
        it->texts = json_array();
    if (text == NULL || json_array_append_new(it->texts, text) == -1)
        return NULL;
    if (text_length)
        *text_length = json_string_length(text);
    return json_string_value(text);
}

static const char *read_element(struct poold_call *it, const char *json, size_t length, const char *previous,
                                size_t *size)
{
    (void)it;
    const char *end = json + length, *at = previous ? previous + *size : json;
    if (length == 0 || json[0] != '[' || at < json || at >= end)
        return NULL;
    at = scan_space(at, end);
    if (at == end || *at != (previous ? ',' : '['))
        return NULL;
    at = scan_space(at + 1, end);
    const char *after = scan_value(at, end, NULL, NULL);
    if (after == NULL)
        return NULL;
    *size = (size_t)(after - at);
    return at;
}

static const char *read_member(struct poold_call *it, const char *json, size_t length, const char *key, size_t *size)
{
    (void)it;
    struct scan_walk walk;
    if (length == 0 || json[0] != '{')
        return NULL;
    /* Without flattening nothing is written. */
    for (scan_enter(&walk, (char *)json, (char *)json + length, false); scan_next(&walk);) {
        if ((size_t)(walk.key_end - walk.key) != strlen(key) || memcmp(walk.key, key, strlen(key)) != 0)
            continue;
        *size = (size_t)(walk.value_end - walk.value);
        return walk.value;
    }
    return NULL;
}

/* ---- shared objects ---- */

static int call_object(struct poold_call *it, const char *request, const char **answer, size_t *length)
{
    return plugin_objects_call(&it->objects, it->call, request, answer, length);
}

static void *map_object(struct poold_call *it, const char *object, size_t *length, char *typecode)
{
    return plugin_objects_map(&it->objects, it->call, object, length, typecode);
}

const struct poold_host plugin_host = {
    .size = sizeof(struct poold_host),
    .version = POOLD_VERSION,
    .value = say_value,
    .value_text = say_text,
    .error = say_error,
    .expected = say_expected,
    .progress = say_progress,
    .time_left = time_left,
    .job = job_id,
    .index = item_index,
    .attempt = attempt,
    .is_star = is_star,
    .text = read_text,
    .element = read_element,
    .member = read_member,
    .call = call_object,
    .map = map_object,
    .traceparent = traceparent,
};

/* Its word against what it said before: -1 needs an error, 0 a value. */
static int settle(struct poold_call *it, int result)
{
    struct call *call = it->call;
    if (call->error[0])
        return -1;
    if (result == 0 && it->answered)
        return 0;
    call_error(call, "%s returned %d without %s", call->name, result, result == 0 ? "a value" : "an error");
    call->error_type = "protocol";
    return -1;
}

int plugin_call_run(struct poold_call *it, struct call *call, poold_function_call *function)
{
    it->call = call;
    it->answered = false;
    call->error[0] = '\0';
    buf_clear(&it->item, ITEM_KEPT);
    buf_append(&it->item, call->item, call->length);
    int result = settle(it, function(&plugin_host, it, buf_cstr(&it->item), call->length));
    json_decref(it->texts);
    it->texts = NULL;
    plugin_objects_rest(&it->objects);
    return result;
}

void plugin_call_free(struct poold_call *it)
{
    json_decref(it->texts);
    plugin_objects_free(&it->objects);
    buf_free(&it->item);
}
