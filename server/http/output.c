/* GET /v1/jobs/{id}/log: NDJSON, or a page. */
#include "http/output.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/answer.h"
#include "http/handlers.h"

enum { LOG_DEFAULT = 1000, LOG_MAX = 10000, LOG_BYTES = 4 * 1024 * 1024, ITEM_LINES = 1000 };

struct writer {
    struct buf *to;
    const char *between;
    unsigned count;
    int64_t last;
};

static void write_line(void *context, const struct store_output *o)
{
    struct writer *w = context;
    if (w->to->length > LOG_BYTES)
        return; /* the page is full: the next one begins here */
    if (w->count++)
        buf_append_text(w->to, w->between);
    buf_printf(w->to, "{\"id\":%lld,\"index\":%u,\"attempt\":%u,\"stream\":\"%s\",\"text\":", (long long)o->id,
               o->index, o->attempt, o->stream == 2 ? "stderr" : "stdout");
    buf_append_json_string(w->to, o->bytes, o->length);
    buf_append_char(w->to, '}');
    w->last = o->id;
}

void output_write_item(struct store_reader *reader, int64_t seq, uint32_t index, struct buf *b)
{
    struct writer w = {.to = b, .between = ","};
    store_read_output(reader, seq, index, 0, ITEM_LINES, write_line, &w);
}

struct log {
    bool page;
    unsigned limit;
    int64_t after;
};

static bool parse(struct request *r, struct log *l)
{
    const char *limit = query_get(&r->query, "limit"), *after = query_get(&r->query, "after");
    const char *format = query_get(&r->query, "format");
    unsigned long long most = LOG_DEFAULT, begin = 0;
    if (limit && (parse_unsigned(limit, LOG_MAX, &most) || !most))
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "limit must be from 1 to %d", LOG_MAX);
    if (after && parse_unsigned(after, INT64_MAX, &begin))
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "after must be the id of a line");
    if (format && strcmp(format, "json") != 0 && strcmp(format, "ndjson") != 0)
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "format must be ndjson or json");
    l->page =
        format ? strcmp(format, "json") == 0 : accept_choose(r->heads.value[HEAD_ACCEPT], FORMAT_NDJSON) == FORMAT_JSON;
    l->limit = (unsigned)most;
    l->after = (int64_t)begin;
    return true;
}

static void show(struct request *r)
{
    struct log *l = r->state;
    struct job_view view;
    bool live;
    struct buf document = BUF_EMPTY;
    if (!request_take_job(r, &view, &live))
        return;
    struct writer w = {.to = &document, .between = l->page ? ",\n" : "\n"};
    if (l->page)
        buf_append_text(&document, "{\"lines\":[\n");
    store_read_output(r->http->reader, r->seq, -1, l->after, l->limit, write_line, &w);
    if (l->page && w.count)
        buf_printf(&document, "\n],\"next\":%lld}\n", (long long)w.last);
    else if (l->page)
        buf_append_text(&document, "],\"next\":null}\n");
    else if (w.count)
        buf_append_char(&document, '\n');
    request_answer(r, 200, l->page ? TYPE_JSON_TEXT : TYPE_NDJSON_TEXT, &document);
}

void get_log(struct request *r)
{
    r->state = calloc(1, sizeof(struct log));
    CHECK(r->state, "out of memory");
    if (!parse(r, r->state)) {
        request_answer_problem(r);
        return;
    }
    request_question(r, ASK_JOB);
    request_ask(r, show);
}
