/* The handler of the routes that are one call, and how answers and errors of objects look. */
#include "http/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/answer.h"
#include "wire/scan.h"

/* ---- asking ---- */

static void drop(void *state)
{
    struct object_state *s = state;
    object_question_free(&s->question);
    buf_free(&s->about);
}

static void left(struct request *r)
{
    object_question_left(&((struct object_state *)r->state)->question);
}

struct object_state *object_state_new(struct request *r)
{
    struct object_state *s = calloc(1, sizeof *s);
    CHECK(s, "out of memory");
    object_question_init(&s->question);
    r->state = s;
    r->drop_state = drop;
    r->left = left;
    return s;
}

void object_ask(struct request *r, request_step *next)
{
    struct object_state *s = r->state;
    object_question_send(&s->question, r);
    request_wait(r, next);
}

bool object_back(struct request *r, request_step *again)
{
    struct object_state *s = r->state;
    if (!ask_take(&s->question.ask)) {
        request_wait(r, again);
        return false;
    }
    if (!object_problem(r, &s->question))
        return true;
    request_answer_problem(r);
    return false;
}

/* ---- errors ---- */

static const enum problem_type problems[OBJECT_STATUSES] = {
    [OBJECT_OK] = PROBLEM_NONE,
    [OBJECT_CREATED] = PROBLEM_NONE,
    [OBJECT_MISSING] = PROBLEM_OBJECT_MISSING,
    [OBJECT_NO_ENTRY] = PROBLEM_NO_ENTRY,
    [OBJECT_EXISTS] = PROBLEM_OBJECT_EXISTS,
    [OBJECT_EMPTY] = PROBLEM_QUEUE_EMPTY,
    [OBJECT_QUEUE_FULL] = PROBLEM_QUEUE_FULL,
    [OBJECT_BUSY] = PROBLEM_BUSY,
    [OBJECT_NOT_HOLDER] = PROBLEM_NOT_HOLDER,
    [OBJECT_CLOSED] = PROBLEM_END_OF_FILE,
    [OBJECT_CHANGED] = PROBLEM_CHANGED,
    [OBJECT_INVALID] = PROBLEM_OBJECT_INVALID,
    [OBJECT_OVERFLOW] = PROBLEM_OVERFLOW,
    [OBJECT_LIMIT] = PROBLEM_OBJECT_LIMIT,
    [OBJECT_NO_ROOM] = PROBLEM_NO_ROOM,
    [OBJECT_DELETED] = PROBLEM_OBJECT_DELETED,
    [OBJECT_GIVEN_UP] = PROBLEM_DRAINING,
};

bool object_problem(struct request *r, const struct object_question *q)
{
    enum engine_status status = q->ask.engine.status;
    if (status == ENGINE_STORE_FAILED && r->http->config->read_only)
        return !problem_set(&r->problem, PROBLEM_READ_ONLY, "nothing is changed until an operator has acted");
    if (status == ENGINE_STORE_FAILED)
        return !problem_set(&r->problem, PROBLEM_STORAGE_FAILED, "whether it was done is unknown");
    if (status != ENGINE_OK) {
        request_engine_problem(r, status);
        return true;
    }
    if (problems[q->call.status] == PROBLEM_NONE)
        return false;
    return !problem_set(&r->problem, problems[q->call.status], "%s", q->call.problem);
}

/* ---- answers ---- */

void object_etag(struct request *r, uint64_t version)
{
    char text[32];
    if (!version)
        return;
    snprintf(text, sizeof text, "\"%llu\"", (unsigned long long)version);
    request_header(r, "ETag", text);
}

/* If-None-Match of a GET: a list of tags, weak ones too. */
static bool client_has(const struct request *r, uint64_t version)
{
    char tag[32];
    const char *list = r->heads.value[HEAD_IF_NONE_MATCH];
    if (!list || r->method != METHOD_GET || !version)
        return false;
    snprintf(tag, sizeof tag, "\"%llu\"", (unsigned long long)version);
    return strcmp(list, "*") == 0 || strstr(list, tag);
}

void object_answer_version(struct request *r, struct buf *document, const char *type, uint64_t version)
{
    object_etag(r, version);
    if (client_has(r, version)) {
        buf_free(document);
        request_answer_empty(r, 304);
        return;
    }
    request_answer(r, 200, type, document);
}

static void answer_created(struct request *r, const struct object_call *call, struct buf *document)
{
    char path[OBJECT_PATH_MAX + 32];
    snprintf(path, sizeof path, "/v1/%s/%s", object_kind_plural(call->kind), call->name);
    request_header(r, "Location", path);
    object_etag(r, call->version);
    request_answer_json(r, 201, document);
}

/* {"values":[X],…} → {"value":X,"values":[X],…}: who asked for one element has it at hand. */
static void write_value(struct buf *answer)
{
    struct scan_walk members, values;
    struct buf whole = BUF_EMPTY;
    scan_enter(&members, answer->data, answer->data + answer->length, false);
    CHECK(scan_next(&members) && members.kind == SCAN_ARRAY, "an answer of get is %.40s", buf_cstr(answer));
    scan_enter(&values, members.value, members.value_end, false);
    if (!scan_next(&values))
        return;
    buf_append_text(&whole, "{\"value\":");
    buf_append(&whole, values.value, (size_t)(values.value_end - values.value));
    buf_append_char(&whole, ',');
    buf_append(&whole, answer->data + 1, answer->length - 1);
    buf_free(answer);
    *answer = whole;
}

static void answered(struct request *r)
{
    const struct object_route *route = object_route_of(r);
    struct object_state *s = r->state;
    struct object_call *call = &s->question.call;
    if (!object_back(r, answered))
        return;
    bool bytes = strcmp(call->op, "read") == 0;
    if (s->wait_ms >= 0 && r->heads.value[HEAD_PREFER])
        request_header(r, "Preference-Applied", "wait");
    if (route->answer == OBJECT_ANSWER_GOT && !query_get(&r->query, "n"))
        write_value(&call->answer);
    if (!bytes && call->answer.length)
        buf_append_char(&call->answer, '\n');
    if (call->status == OBJECT_CREATED) {
        answer_created(r, call, &call->answer);
    } else if (route->answer == OBJECT_ANSWER_NONE || (!bytes && !call->answer.length)) {
        object_etag(r, call->version);
        request_answer_empty(r, 204);
    } else {
        object_answer_version(r, &call->answer, bytes ? TYPE_BYTES_TEXT : TYPE_JSON_TEXT, call->version);
    }
}

void object_request(struct request *r)
{
    const struct object_route *route = object_route_of(r);
    struct object_state *s = object_state_new(r);
    struct object_question *q = &s->question;
    s->wait_ms = -1;
    if (!object_arguments(r, route, q) || (route->waits && !object_wait(r, &s->wait_ms, &q->call.deadline_ns))) {
        request_answer_problem(r);
        return;
    }
    object_ask(r, answered);
}
