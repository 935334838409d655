/* A request becomes the call of an operation: its arguments are one JSON object, put together from the path, the
 * query, the headers and the body. What the operation does not take, or not so, the objects themselves refuse. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "http/objects.h"
#include "wire/scan.h"

enum { KEY_MAX = 255 };

void object_member(struct buf *b, const char *name)
{
    buf_printf(b, "%s\"%s\":", b->length > 1 ? "," : "", name);
}

static void add_text(struct buf *b, const char *name, const char *text)
{
    object_member(b, name);
    buf_append_json_string(b, text, strlen(text));
}

bool object_listed(const char *list, const char *word, size_t length)
{
    for (const char *at = list; *at; at += strcspn(at, " "), at += *at == ' ')
        if (strcspn(at, " ") == length && memcmp(at, word, length) == 0)
            return true;
    return false;
}

/* ---- the query ---- */

bool object_integer(struct request *r, const char *name, long long least, long long most, long long *value)
{
    const char *text = query_get(&r->query, name);
    enum scan_kind kind;
    if (!text)
        return true;
    const char *end = text + strlen(text);
    if (scan_value(text, end, &kind, NULL) == end && kind == SCAN_NUMBER && scan_integer(text, end, value) == 0 &&
        *value >= least && *value <= most)
        return true;
    if (most == INT64_MAX)
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "%s must be an integer", name);
    return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "%s must be an integer from %lld to %lld", name, least,
                       most);
}

static bool add_integer(struct request *r, struct buf *b, const char *name, long long least, long long most)
{
    long long value = 0;
    if (!query_get(&r->query, name))
        return true;
    if (!object_integer(r, name, least, most, &value))
        return false;
    object_member(b, name);
    buf_printf(b, "%lld", value);
    return true;
}

static bool add_lease(struct request *r, struct buf *b)
{
    const char *text = query_get(&r->query, "lease");
    long long ms;
    if (!text)
        return true;
    if (parse_seconds(text, strlen(text), INT64_C(1000) * 86400 * 365, &ms) || ms == 0)
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "lease must be a number of seconds above 0");
    object_member(b, "lease");
    buf_printf(b, "%lld.%03lld", ms / 1000, ms % 1000);
    return true;
}

static bool add_query(struct request *r, const struct object_route *route, struct buf *b)
{
    static const char *const texts[] = {"prefix", "after"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (query_get(&r->query, texts[i]))
            add_text(b, texts[i], query_get(&r->query, texts[i]));
    return add_integer(r, b, "n", 1, 10000) && add_integer(r, b, "limit", 1, route->limit_max) &&
           add_integer(r, b, "start", INT64_MIN, INT64_MAX) && add_integer(r, b, "stop", INT64_MIN, INT64_MAX) &&
           add_lease(r, b);
}

/* ---- the path ---- */

static void add_path(const struct request *r, const struct object_route *route, struct buf *b)
{
    const char *pattern = route->route.pattern;
    if (strstr(pattern, "{end}"))
        add_text(b, "end", r->object.end);
    if (strstr(pattern, "{key}"))
        add_text(b, "key", r->object.key);
    if (strstr(pattern, "{position}")) {
        object_member(b, "index");
        buf_printf(b, "%lld", (long long)r->object.position);
    }
}

/* ---- headers ---- */

/* One strong tag, as the answers have them. */
static bool parse_tag(const char *tag, long long *version)
{
    size_t length = strlen(tag);
    return length > 2 && length < 24 && tag[0] == '"' && tag[length - 1] == '"' && tag[1] != '0' &&
           strspn(tag + 1, "0123456789") == length - 2 && sscanf(tag + 1, "%lld", version) == 1;
}

static bool add_version(struct request *r, const struct object_route *route, struct buf *b)
{
    const char *match = r->heads.value[HEAD_IF_MATCH], *none = r->heads.value[HEAD_IF_NONE_MATCH];
    long long version = 0;
    if (r->method == METHOD_GET && !match)
        return true; /* If-None-Match is seen to when the answer is there */
    if (match && (!route->versioned || none || !parse_tag(match, &version)))
        return problem_set(&r->problem, PROBLEM_INVALID_HEADER, "%s",
                           route->versioned ? "If-Match must be one ETag, and alone" : "If-Match is not possible here");
    if (none && (!route->may_be_new || strcmp(none, "*") != 0))
        return problem_set(&r->problem, PROBLEM_INVALID_HEADER, "%s",
                           route->may_be_new ? "If-None-Match must be *" : "If-None-Match is not possible here");
    if (!match && !none)
        return true;
    object_member(b, "version");
    buf_printf(b, "%lld", version);
    return true;
}

/* It would be a promise that a repeated request does nothing twice: only get keeps it. */
static bool add_key(struct request *r, const struct object_route *route, struct buf *b)
{
    const char *key = r->heads.value[HEAD_IDEMPOTENCY_KEY];
    if (!key || r->method != METHOD_POST)
        return true;
    if (!route->keyed)
        return problem_set(&r->problem, PROBLEM_INVALID_HEADER, "Idempotency-Key is for getting from queues only");
    bool fine = *key && strlen(key) <= KEY_MAX;
    for (const char *c = key; fine && *c; c++)
        fine = *c > 0x20 && *c < 0x7f;
    if (!fine)
        return problem_set(&r->problem, PROBLEM_INVALID_HEADER,
                           "Idempotency-Key must be 1 to %d visible ASCII characters", KEY_MAX);
    add_text(b, "key", key);
    return true;
}

/* ---- the body ---- */

static bool bad_json(struct request *r, const struct scan_error *error)
{
    problem_set(&r->problem, PROBLEM_INVALID_JSON, "%s", error->reason);
    problem_at(&r->problem, error->at - r->body.data, NULL);
    return false;
}

static bool no_body(struct request *r)
{
    problem_set(&r->problem, PROBLEM_INVALID_JSON, "the body is empty");
    problem_at(&r->problem, 0, NULL);
    return false;
}

/* Returns the opening brace, NULL with the problem. */
static const char *enter(struct request *r, struct scan_walk *w)
{
    char *end = r->body.data + r->body.length, *at = (char *)(uintptr_t)scan_space(r->body.data, end);
    if (at == end)
        no_body(r);
    else if (*at != '{')
        bad_json(r, &(struct scan_error){.at = at, .reason = "expected an object"});
    else
        scan_enter(w, at, end, false);
    return r->problem.type == PROBLEM_NONE ? at : NULL;
}

/* Behind the object: the rest of the body must be white space. */
static bool leave(struct request *r, const struct scan_walk *w)
{
    const char *end = r->body.data + r->body.length, *behind;
    if (w->error.reason)
        return bad_json(r, &w->error);
    behind = scan_space(w->at, end);
    return behind == end || bad_json(r, &(struct scan_error){.at = behind, .reason = "expected nothing more"});
}

/* The members of the object in [at, end). */
static void add_members(struct buf *b, const char *at, const char *end)
{
    const char *inside = scan_space(at + 1, end);
    if (inside == end - 1)
        return;
    if (b->length > 1)
        buf_append_char(b, ',');
    buf_append(b, inside, (size_t)(end - 1 - inside));
}

static bool add_arguments(struct request *r, struct buf *b)
{
    struct scan_walk w;
    if (!r->body.length)
        return true;
    const char *begin = enter(r, &w);
    if (!begin)
        return false;
    while (scan_next(&w))
        ;
    if (!leave(r, &w))
        return false;
    add_members(b, begin, w.at);
    return true;
}

static bool unknown_operation(struct request *r, const struct scan_walk *w, const char *list)
{
    size_t length = (size_t)(w->key_end - w->key);
    problem_set(&r->problem, PROBLEM_UNKNOWN_FIELD, "the operations here are: %s", list);
    problem_at(&r->problem, w->key - 1 - r->body.data, "/%.*s", (int)(length < 100 ? length : 100), w->key);
    return false;
}

/* {"append":{"value":1}} */
static bool add_named(struct request *r, const struct object_route *route, struct object_call *call, struct buf *b)
{
    struct scan_walk w;
    if (!r->body.length)
        return no_body(r);
    if (!enter(r, &w))
        return false;
    while (scan_next(&w)) {
        size_t length = (size_t)(w.key_end - w.key);
        if (!object_listed(route->op, w.key, length))
            return unknown_operation(r, &w, route->op);
        if (*call->op || w.kind != SCAN_OBJECT) {
            problem_set(&r->problem, PROBLEM_INVALID_VALUE, "%s",
                        *call->op ? "one operation at a time" : "the operation's arguments must be an object");
            problem_at(&r->problem, w.value - r->body.data, "/%.*s", (int)length, w.key);
            return false;
        }
        memcpy(call->op, w.key, length);
        /* Without a key it would be the dict itself, which has a method of its own. */
        if (strcmp(call->op, "delete") == 0 && scan_space(w.value + 1, w.value_end) == w.value_end - 1)
            return problem_set(&r->problem, PROBLEM_OBJECT_INVALID, "delete needs the argument \"key\"");
        add_members(b, w.value, w.value_end);
    }
    if (!leave(r, &w))
        return false;
    return *call->op ||
           problem_set(&r->problem, PROBLEM_MISSING_FIELD, "the body names no operation; there are: %s", route->op);
}

static bool add_value(struct request *r, const struct object_route *route, struct object_call *call, struct buf *b)
{
    struct scan_error error = {0};
    if (r->body_type == BODY_TYPE_BYTES) {
        strcpy(call->op, "write");
        call->raw = r->body.data ? r->body.data : "";
        call->raw_length = r->body.length;
        return true;
    }
    if (!r->body.length)
        return no_body(r);
    if (!scan_is_value(r->body.data, r->body.data + r->body.length, &error))
        return bad_json(r, &error);
    object_member(b, route->member);
    buf_append(b, r->body.data, r->body.length);
    return true;
}

static bool add_body(struct request *r, const struct object_route *route, struct object_call *call, struct buf *b)
{
    switch (route->body) {
    case OBJECT_BODY_NONE:
        return true;
    case OBJECT_BODY_ARGUMENTS:
        return add_arguments(r, b);
    case OBJECT_BODY_NAMED:
        return add_named(r, route, call, b);
    case OBJECT_BODY_VALUE:
        return add_value(r, route, call, b);
    }
    return false;
}

/* ---- the call ---- */

/* GET of an array's data: JSON or bytes, by ?format= or Accept. */
static bool choose_bytes(struct request *r, struct object_call *call)
{
    const char *text = query_get(&r->query, "format");
    enum format format = text ? (strcmp(text, "bytes") == 0  ? FORMAT_BYTES
                                 : strcmp(text, "json") == 0 ? FORMAT_JSON
                                                             : FORMAT_NONE)
                              : accept_bytes(r->heads.value[HEAD_ACCEPT]);
    if (format == FORMAT_NONE && text)
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "format must be json or bytes");
    if (format == FORMAT_NONE)
        return problem_set(&r->problem, PROBLEM_NOT_ACCEPTABLE,
                           "there are application/json and application/octet-stream");
    if (format == FORMAT_BYTES)
        strcpy(call->op, "read");
    return true;
}

bool object_arguments(struct request *r, const struct object_route *route, struct object_question *q)
{
    struct object_call *call = &q->call;
    if (strlen(r->name) > OBJECT_PATH_MAX)
        return problem_set(&r->problem, PROBLEM_OBJECT_INVALID, "a name has at most %d characters", OBJECT_NAME_MAX);
    call->kind = route->kind ? route->kind : r->object.kind;
    strcpy(call->name, r->name);
    if (route->body != OBJECT_BODY_NAMED)
        strcpy(call->op, route->op);
    buf_append_char(&q->args, '{');
    add_path(r, route, &q->args);
    bool fine = add_query(r, route, &q->args) && add_version(r, route, &q->args) && add_key(r, route, &q->args) &&
                add_body(r, route, call, &q->args) && (route->answer != OBJECT_ANSWER_BYTES || choose_bytes(r, call));
    buf_append_char(&q->args, '}');
    if (fine && !call->raw)
        request_drop_body(r); /* its bytes are in the arguments now */
    return fine;
}

bool object_wait(struct request *r, int64_t *wait_ms, int64_t *deadline_ns)
{
    if (!request_wait_ms(r, wait_ms) || (*wait_ms > 0 && !request_count_waiting(r)))
        return false;
    *deadline_ns = *wait_ms > 0 ? clock_mono_ns() + *wait_ms * NS_PER_MS : 0;
    return true;
}
