/* GET /v1/jobs/{id}/log: what the items printed, as a page, or as NDJSON that may follow the job.
 *
 *     READING ── lines ──> SENDING ──> READING ── none, and nothing will follow ──> the end
 *        └── none, and the job goes on ──> ASKING (suspended until its end, or for a moment) ──> READING
 *
 * The store tells nobody of new lines, so whoever follows looks again after FOLLOW_NS. */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "http/answer.h"
#include "http/handlers.h"
#include "http/output.h"
#include "wire/limits.h"

enum {
    PAGE_DEFAULT = 1000,
    PAGE_MAX = 10000,
    PAGE_BYTES = 4 * 1024 * 1024,
    PIECE_LINES = 500,      /* of a stream, read at once */
    SCAN_LINES_MAX = 20000, /* looked at for one page, whatever the filter leaves of them */
    TURNS_MAX = 20          /* of a stream that found nothing: then an empty line, and others have their turn */
};
#define FOLLOW_NS (250 * NS_PER_MS)
#define HEARTBEAT_NS (10 * NS_PER_S)

struct log {
    struct request *r; /* a stream's reference */
    bool page, follow, ended;
    bool cut;        /* the service ends before the job: the body breaks off, and the client knows */
    bool limited;    /* `limit` lines, then the end */
    unsigned limit;  /* still to come */
    int64_t item;    /* only this one's; -1 = all */
    uint32_t stream; /* only this one; 0 = both */
    int64_t after;   /* the last line that was looked at */
    unsigned seen;   /* lines of one reading, those left out included */
    unsigned count;  /* lines written */
    struct buf out;
    size_t sent;
    int64_t beat_ns; /* when something was sent */
};

/* ---- what is asked for ---- */

static bool parse_yes(struct request *r, const char *name, bool *yes)
{
    const char *text = query_get(&r->query, name);
    *yes = text && (!*text || strcmp(text, "1") == 0 || strcmp(text, "true") == 0);
    return !text || *yes || strcmp(text, "false") == 0 ||
           problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "%s must be true or false", name);
}

static bool parse_filter(struct request *r, struct log *l)
{
    const char *item = query_get(&r->query, "item"), *stream = query_get(&r->query, "stream");
    unsigned long long index = 0;
    if (item && parse_unsigned(item, JOB_ITEMS_MAX, &index))
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "item must be the index of an item");
    if (stream && strcmp(stream, "stdout") != 0 && strcmp(stream, "stderr") != 0)
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "stream must be stdout or stderr");
    l->item = item ? (int64_t)index : -1;
    l->stream = !stream ? 0 : strcmp(stream, "stdout") == 0 ? 1 : 2;
    return true;
}

static bool parse_place(struct request *r, struct log *l)
{
    const char *limit = query_get(&r->query, "limit"), *after = query_get(&r->query, "after");
    unsigned long long most = PAGE_DEFAULT, begin = 0;
    if (limit && (parse_unsigned(limit, PAGE_MAX, &most) || !most))
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "limit must be from 1 to %d", PAGE_MAX);
    if (after && parse_unsigned(after, INT64_MAX, &begin))
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "after must be the id of a line");
    l->limited = limit || l->page;
    l->limit = (unsigned)most;
    l->after = (int64_t)begin;
    return true;
}

static bool parse(struct request *r, struct log *l)
{
    const char *format = query_get(&r->query, "format");
    if (format && strcmp(format, "json") != 0 && strcmp(format, "ndjson") != 0)
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "format must be ndjson or json");
    l->page =
        format ? strcmp(format, "json") == 0 : accept_choose(r->heads.value[HEAD_ACCEPT], FORMAT_NDJSON) == FORMAT_JSON;
    if (!parse_yes(r, "follow", &l->follow) || !parse_filter(r, l) || !parse_place(r, l))
        return false;
    if (l->follow && l->page)
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "only NDJSON can follow; pages go on with after");
    return !l->follow || request_count_waiting(r);
}

/* ---- reading ---- */

static void take_line(void *context, const struct store_output *o)
{
    struct log *l = context;
    if (l->out.length > PAGE_BYTES || (l->limited && !l->limit))
        return; /* what is left begins the next one */
    l->seen++;
    l->after = o->id;
    if (l->stream && o->stream != l->stream)
        return;
    if (l->page && l->count)
        buf_append_text(&l->out, ",\n");
    output_write_line(&l->out, o);
    if (!l->page)
        buf_append_char(&l->out, '\n');
    l->count++;
    l->limit -= l->limited;
}

/* The next `most` lines or fewer; false when there were none. */
static bool read_some(struct request *r, struct log *l, unsigned most)
{
    l->seen = 0;
    store_read_output(r->http->reader, r->seq, l->item, l->after, most, take_line, l);
    return l->seen > 0;
}

static void answer_page(struct request *r, struct log *l)
{
    unsigned scanned = 0;
    buf_append_text(&l->out, "{\"lines\":[\n");
    while (l->limit && scanned < SCAN_LINES_MAX && l->out.length <= PAGE_BYTES && read_some(r, l, l->limit))
        scanned += l->seen;
    if (scanned)
        buf_printf(&l->out, "\n],\"next\":%lld}\n", (long long)l->after);
    else
        buf_append_text(&l->out, "],\"next\":null}\n");
    request_answer_json(r, 200, &l->out);
}

/* ---- the stream ---- */

/* Whether the job goes on. False when the engine has to answer first. */
static bool ask_again(struct log *l)
{
    struct request *r = l->r;
    int64_t now = clock_mono_ns();
    if (!r->ask.out) {
        request_question(r, ASK_JOB)->deadline_ns = now + FOLLOW_NS;
        ask_send(&r->ask, r);
    }
    r->seen = atomic_load(&r->events);
    if (!ask_take(&r->ask))
        return false;
    const struct engine_request *e = &r->ask.engine;
    bool live = e->status == ENGINE_OK || e->status == ENGINE_TIMEOUT;
    l->cut = !live && e->status != ENGINE_NOT_LIVE;
    l->ended = !live || job_state_ended(e->view.state);
    if (now - l->beat_ns > HEARTBEAT_NS) {
        buf_append_char(&l->out, '\n');
        l->beat_ns = now;
    }
    return true;
}

static size_t drain(struct log *l, char *to, size_t size)
{
    size_t left = l->out.length - l->sent, n = left < size ? left : size;
    if (n)
        memcpy(to, l->out.data + l->sent, n);
    l->sent += n;
    if (l->sent == l->out.length) {
        buf_clear(&l->out, PAGE_BYTES);
        l->sent = 0;
    }
    if (n)
        l->beat_ns = clock_mono_ns();
    return n;
}

static ssize_t on_read(void *context, uint64_t position, char *to, size_t size)
{
    struct log *l = context;
    struct request *r = l->r;
    (void)position;
    for (unsigned turns = 0; !r->dead; turns++) {
        if (turns == TURNS_MAX)
            buf_append_char(&l->out, '\n');
        size_t n = drain(l, to, size);
        if (n)
            return (ssize_t)n;
        if (l->limited && !l->limit)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (!r->ask.out && read_some(r, l, PIECE_LINES))
            continue;
        if (!r->ask.out && (!l->follow || l->ended))
            return l->cut ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
        if (!ask_again(l)) {
            request_suspend(r);
            return 0;
        }
    }
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static void on_free(void *context)
{
    struct log *l = context;
    request_unref(&l->r);
}

static void answer_stream(struct request *r, struct log *l)
{
    l->r = request_ref(r); /* dropped by on_free: the response may live longer than the request */
    l->beat_ns = clock_mono_ns();
    request_header(r, "Content-Type", TYPE_NDJSON_TEXT);
    request_header(r, "X-Accel-Buffering", "no");
    request_answer_response(r, 200, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32768, on_read, l, on_free));
}

static void show(struct request *r)
{
    struct log *l = r->state;
    struct job_view view;
    bool live;
    if (!request_take_job(r, &view, &live))
        return;
    l->ended = job_state_ended(view.state);
    if (l->page)
        answer_page(r, l);
    else
        answer_stream(r, l);
}

static void drop(void *state)
{
    buf_free(&((struct log *)state)->out);
}

void get_log(struct request *r)
{
    r->state = calloc(1, sizeof(struct log));
    CHECK(r->state, "out of memory");
    r->drop_state = drop;
    if (!parse(r, r->state)) {
        request_answer_problem(r);
        return;
    }
    request_question(r, ASK_JOB);
    request_ask(r, show);
}
