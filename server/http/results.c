/* GET /v1/jobs/{id}/results: as a stream that follows the job, or as a page of what is there now. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "http/feed.h"
#include "http/handlers.h"
#include "http/stream.h"
#include "wire/limits.h"

enum { PAGE_DEFAULT = 1000, PAGE_MAX = 10000, PAGE_BYTES = 8 * 1024 * 1024 };

struct results {
    enum format format;
    bool input_order;
    uint32_t from, limit;
    int64_t deadline_ns; /* a page waits for its first line until then; 0 = not at all */
    /* the page */
    struct feed feed;
    struct buf document;
    uint32_t lines;
    struct job_view view;
    bool have_view;
};

/* ---- what is asked ---- */

static bool parse_format(struct request *r, struct results *q)
{
    const char *text = query_get(&r->query, "format");
    static const char *const names[] = {[FORMAT_JSON] = "json", [FORMAT_NDJSON] = "ndjson", [FORMAT_SSE] = "sse"};
    q->format = text ? FORMAT_NONE : accept_choose(r->heads.value[HEAD_ACCEPT], FORMAT_NDJSON);
    for (int i = FORMAT_JSON; text && i <= FORMAT_SSE; i++)
        if (strcmp(names[i], text) == 0)
            q->format = (enum format)i;
    if (q->format != FORMAT_NONE)
        return true;
    if (text)
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "format must be ndjson, sse or json");
    return problem_set(&r->problem, PROBLEM_NOT_ACCEPTABLE,
                       "there are application/x-ndjson, text/event-stream and application/json");
}

static bool parse_order(struct request *r, struct results *q)
{
    const char *text = query_get(&r->query, "order");
    q->input_order = !text || strcmp(text, "input") == 0;
    return q->input_order || strcmp(text, "completion") == 0 ||
           problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "order must be input or completion");
}

static bool parse_place(struct request *r, struct results *q)
{
    const char *from = query_get(&r->query, "from"), *limit = query_get(&r->query, "limit");
    const char *last = r->heads.value[HEAD_LAST_EVENT_ID];
    unsigned long long number = 0, most = PAGE_DEFAULT;
    if (from && parse_unsigned(from, JOB_ITEMS_MAX, &number))
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "from must be a number from 0 to %d", JOB_ITEMS_MAX);
    /* The browser repeats the address with its from=; where it was is later. */
    if (q->format == FORMAT_SSE && last && *last && parse_unsigned(last, JOB_ITEMS_MAX, &number))
        return problem_set(&r->problem, PROBLEM_INVALID_HEADER, "Last-Event-ID must be an id of this stream");
    if (limit && (parse_unsigned(limit, PAGE_MAX, &most) || !most))
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "limit must be from 1 to %d", PAGE_MAX);
    if (q->format != FORMAT_JSON && limit)
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "limit is for pages (format=json)");
    q->from = (uint32_t)number;
    q->limit = (uint32_t)most;
    return true;
}

static bool parse(struct request *r, struct results *q)
{
    int64_t wait_ms;
    if (!parse_format(r, q) || !parse_order(r, q) || !parse_place(r, q) || !request_wait_ms(r, &wait_ms))
        return false;
    if (q->format == FORMAT_JSON && wait_ms > 0)
        q->deadline_ns = clock_mono_ns() + wait_ms * NS_PER_MS;
    return (q->format == FORMAT_JSON && !q->deadline_ns) || request_count_waiting(r);
}

/* ---- the page ---- */

static void answer_page(struct request *r, struct results *q)
{
    struct feed *f = &q->feed;
    bool end = f->ended && !feed_any(f);
    uint32_t next = q->from + q->lines;
    const char *state = job_state_name(f->ended ? f->view.state : q->view.state);
    buf_append_text(&q->document, "\n],\"next\":");
    if (end)
        buf_append_text(&q->document, "null");
    else
        buf_printf(&q->document, "%u", next);
    buf_printf(&q->document, ",\"end\":%s,\"state\":\"%s\"}\n", end ? "true" : "false", state);
    request_answer_json(r, 200, &q->document);
}

static void take_lines(struct results *q)
{
    while (feed_any(&q->feed) && q->lines < q->limit && q->document.length < PAGE_BYTES) {
        buf_append_text(&q->document, q->lines ? ",\n" : "\n");
        feed_line(&q->feed, &q->document);
        q->document.length--; /* the newline */
        q->lines++;
    }
}

static bool page_full(const struct results *q)
{
    return q->lines == q->limit || q->document.length >= PAGE_BYTES;
}

static void page_taken(struct request *r);

static void page_more(struct request *r)
{
    struct results *q = r->state;
    if (feed_ask(&q->feed, q->lines ? 0 : q->deadline_ns))
        r->next = page_taken;
    else
        page_taken(r);
}

static void page_taken(struct request *r)
{
    struct results *q = r->state;
    enum feed_state state = feed_take(&q->feed);
    take_lines(q);
    if (state == FEED_CUT) {
        request_fail_engine(r, ENGINE_SHUTDOWN);
    } else if (state == FEED_DRAINED) {
        answer_page(r, q); /* what there is, as if its time were over */
    } else if (state == FEED_LINES && !page_full(q) && !q->feed.ended) {
        page_more(r); /* from the store that is a call, at most PAGE_BYTES deep */
    } else if (state == FEED_LINES && q->feed.from_store && !q->feed.ended && page_full(q) && !feed_any(&q->feed)) {
        page_more(r); /* whether that was the last one */
    } else {
        answer_page(r, q);
    }
}

static void drop(void *state)
{
    struct results *q = state;
    feed_free(&q->feed);
    buf_free(&q->document);
}

static void start_page(struct request *r, struct results *q)
{
    feed_init(&q->feed, r, q->input_order, q->from);
    q->document = BUF_EMPTY;
    r->drop_state = drop;
    buf_append_text(&q->document, "{\"results\":[");
    page_more(r);
}

/* ---- either ---- */

static void known(struct request *r)
{
    struct results *q = r->state;
    bool live;
    if (!request_take_job(r, &q->view, &live))
        return;
    if (q->format == FORMAT_JSON)
        start_page(r, q);
    else
        stream_answer(r, q->format == FORMAT_SSE, q->input_order, q->from);
}

void get_results(struct request *r)
{
    struct results *q = calloc(1, sizeof *q);
    CHECK(q, "out of memory");
    r->state = q;
    if (!parse(r, q)) {
        request_answer_problem(r);
        return;
    }
    request_question(r, ASK_JOB);
    request_ask(r, known);
}
