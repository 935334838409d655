/* GET of a dict, list or value: what it is, with a page of what is in it. That is two calls, inspect and the page; if
 * it has changed in between, which its version tells, both are made again. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/answer.h"
#include "http/objects.h"
#include "wire/scan.h"

enum { PAGE = 1000, TRIES_MAX = 100 };

static request_step look;

/* ---- the page ---- */

/* A member of what inspect said. */
static bool find(struct buf *document, const char *name, struct scan_walk *w)
{
    for (scan_enter(w, document->data, document->data + document->length, false); scan_next(w);)
        if ((size_t)(w->key_end - w->key) == strlen(name) && memcmp(w->key, name, strlen(name)) == 0)
            return true;
    return false;
}

static long long number(struct buf *document, const char *name)
{
    struct scan_walk w;
    long long value = 0;
    if (find(document, name, &w))
        scan_integer(w.value, w.value_end, &value);
    return value;
}

/* [["k",v],…] → {"k":v,…} */
static void write_items(struct buf *b, const struct scan_walk *items)
{
    struct scan_walk pairs, pair;
    const char *comma = "";
    buf_append_char(b, '{');
    for (scan_enter(&pairs, items->value, items->value_end, false); scan_next(&pairs); comma = ",") {
        buf_append_text(b, comma);
        scan_enter(&pair, pairs.value, pairs.value_end, false);
        for (const char *after = ":"; scan_next(&pair); after = "") {
            buf_append(b, pair.value, (size_t)(pair.value_end - pair.value));
            buf_append_text(b, after);
        }
    }
    buf_append_char(b, '}');
}

static void write_dict(struct buf *b, struct object_state *s)
{
    struct scan_walk w;
    struct buf *answer = &s->question.call.answer;
    CHECK(find(answer, s->fields, &w), "a page without %s", s->fields);
    object_member(b, s->fields);
    if (strcmp(s->fields, "items") == 0)
        write_items(b, &w);
    else
        buf_append(b, w.value, (size_t)(w.value_end - w.value));
    buf_append_text(b, ",\"next\":");
    if (find(answer, "next", &w))
        buf_append(b, w.value, (size_t)(w.value_end - w.value));
    else
        buf_append_text(b, "null");
}

static void write_list(struct buf *b, struct object_state *s)
{
    struct scan_walk w;
    CHECK(find(&s->question.call.answer, "values", &w), "a slice without values");
    buf_printf(b, ",\"start\":%lld,\"values\":", s->start);
    buf_append(b, w.value, (size_t)(w.value_end - w.value));
    if (s->start + s->limit < s->length)
        buf_printf(b, ",\"next\":%lld", s->start + s->limit);
    else
        buf_append_text(b, ",\"next\":null");
}

static void write_value(struct buf *b, struct object_state *s)
{
    struct scan_walk w;
    CHECK(find(&s->question.call.answer, "value", &w), "no value");
    object_member(b, "value");
    buf_append(b, w.value, (size_t)(w.value_end - w.value));
}

static void answer(struct request *r, void (*write)(struct buf *, struct object_state *))
{
    struct object_state *s = r->state;
    uint64_t version = (uint64_t)s->version;
    s->about.length--; /* its closing brace */
    if (write)
        write(&s->about, s);
    buf_append_text(&s->about, "}\n");
    object_answer_version(r, &s->about, TYPE_JSON_TEXT, version);
}

static void show_page(struct request *r)
{
    struct object_state *s = r->state;
    if (!object_back(r, show_page))
        return;
    const struct object_call *call = &s->question.call;
    if (call->version != (uint64_t)s->version && s->tries++ < TRIES_MAX)
        look(r);
    else
        answer(r, call->kind == OBJECT_DICT ? write_dict : call->kind == OBJECT_LIST ? write_list : write_value);
}

/* ---- its calls ---- */

static void begin(struct request *r, const char *op)
{
    struct object_state *s = r->state;
    struct object_question *q = &s->question;
    object_question_clear(q);
    q->call.kind = object_route_of(r)->kind;
    strcpy(q->call.name, r->name);
    strcpy(q->call.op, op);
}

static void ask_page(struct request *r)
{
    struct object_state *s = r->state;
    struct object_question *q = &s->question;
    const char *after = query_get(&r->query, "after");
    long long start = 0;
    begin(r, s->fields);
    if (q->call.kind == OBJECT_DICT) {
        buf_printf(&q->args, "{\"limit\":%lld", s->limit);
        if (after) {
            object_member(&q->args, "after");
            buf_append_json_string(&q->args, after, strlen(after));
        }
        buf_append_char(&q->args, '}');
    } else if (q->call.kind == OBJECT_LIST) {
        object_integer(r, "start", INT64_MIN, INT64_MAX, &start); /* it was checked */
        s->start = start >= 0 ? start : start + s->length < 0 ? 0 : start + s->length;
        if (s->start > s->length)
            s->start = s->length;
        buf_printf(&q->args, "{\"start\":%lld,\"stop\":%lld}", s->start, s->start + s->limit);
    }
    object_ask(r, show_page);
}

static void looked(struct request *r)
{
    struct object_state *s = r->state;
    if (!object_back(r, looked))
        return;
    buf_free(&s->about);
    s->about = s->question.call.answer;
    s->question.call.answer = BUF_EMPTY;
    s->length = number(&s->about, "length");
    s->version = number(&s->about, "version");
    if (s->fields)
        ask_page(r);
    else
        answer(r, NULL);
}

static void look(struct request *r)
{
    begin(r, "inspect");
    object_ask(r, looked);
}

/* ---- what is wanted ---- */

static bool choose_fields(struct request *r, struct object_state *s)
{
    const char *text = query_get(&r->query, "fields");
    s->fields = object_route_of(r)->op;
    if (text && !object_listed("none keys values items", text, strlen(text)))
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "fields must be items, keys, values or none");
    if (text)
        s->fields = strcmp(text, "none") == 0 ? NULL : text;
    return true;
}

void object_view(struct request *r)
{
    const struct object_route *route = object_route_of(r);
    struct object_state *s = object_state_new(r);
    long long start = 0;
    s->limit = PAGE;
    if (strlen(r->name) > OBJECT_PATH_MAX)
        problem_set(&r->problem, PROBLEM_OBJECT_INVALID, "a name has at most %d characters", OBJECT_NAME_MAX);
    if (r->problem.type == PROBLEM_NONE && choose_fields(r, s) &&
        object_integer(r, "limit", 1, route->limit_max, &s->limit) &&
        object_integer(r, "start", INT64_MIN, INT64_MAX, &start))
        look(r);
    else
        request_answer_problem(r);
}
