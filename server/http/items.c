/* GET /v1/jobs/{id}/items/{index}: all that is known of one item. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/handlers.h"
#include "http/job_json.h"
#include "http/output.h"

struct item {
    struct job_view job;
    struct buf document;
    bool any;
};

static void write_attempt(void *context, const struct store_attempt *a)
{
    struct item *i = context;
    struct buf *b = &i->document;
    buf_printf(b, "%s{\"attempt\":%u,\"type\":\"%s\",\"signal\":", i->any ? "," : "", a->number,
               a->failure ? failure_name(a->failure) : "error");
    i->any = true;
    if (a->signal)
        buf_printf(b, "\"SIG%s\"", sigabbrev_np((int)a->signal) ? sigabbrev_np((int)a->signal) : "?");
    else
        buf_append_text(b, "null");
    if (a->exit_code >= 0)
        buf_printf(b, ",\"exit_code\":%d,\"started\":", a->exit_code);
    else
        buf_append_text(b, ",\"exit_code\":null,\"started\":");
    time_write(b, a->started_ms);
    buf_append_text(b, ",\"ended\":");
    time_write(b, a->ended_ms);
    buf_append_text(b, ",\"message\":");
    buf_append_json_string(b, a->message, strlen(a->message));
    buf_append_char(b, '}');
}

static const char *line_of(const struct blob *lines, uint32_t skip, size_t *length)
{
    const char *at = lines->data, *end = at + lines->length;
    for (; skip && at < end; skip--)
        at += strcspn(at, "\n") + 1;
    *length = at < end ? strcspn(at, "\n") : 0;
    return at;
}

/* State and outcome as committed. False when it has no result yet. */
static bool write_result(struct request *r, struct item *i)
{
    struct store_batch batch = {0};
    unsigned count = 0;
    struct buf line = BUF_EMPTY, *b = &i->document;
    if (store_read_results(r->http->reader, i->job.seq, true, r->index, 1, &batch, 1, &count) != STORE_OK || !count)
        return false;
    size_t length;
    if (batch.lines) {
        const char *at = line_of(batch.lines, r->index - batch.first, &length);
        buf_append(&line, at, length);
    } else {
        result_write_cancelled(&line, r->index);
    }
    struct buf outcome = BUF_EMPTY;
    result_write_outcome(&outcome, line.data, line.length);
    bool value = outcome.length > 7 && memcmp(outcome.data, "\"value\"", 7) == 0;
    static const char cancel[] = "\"error\":{\"type\":\"cancelled\"";
    bool cancelled = outcome.length > sizeof cancel && memcmp(outcome.data, cancel, sizeof cancel - 1) == 0;
    buf_printf(b, "\"state\":\"%s\",", value ? "succeeded" : cancelled ? "cancelled" : "failed");
    buf_append(b, outcome.data, outcome.length);
    buf_free(&outcome);
    buf_free(&line);
    blob_unref(&batch.lines);
    return true;
}

static void write_live(struct item *i, const struct engine_request *e)
{
    static const char *const names[] = {
        [ITEM_READY] = "ready", [ITEM_RUNNING] = "running", [ITEM_WAITING] = "waiting", [ITEM_DONE] = "running"};
    struct buf *b = &i->document;
    buf_printf(b, "\"state\":\"%s\",\"attempt\":%u", names[e->item.state], e->item.attempt);
    if (e->item.state == ITEM_RUNNING || *e->item.waits_for) {
        buf_printf(b, ",\"worker\":%u,\"started\":", e->item.slot);
        time_write(b, e->item.started_ms);
        if (e->item.progress) {
            buf_append_text(b, ",\"progress\":");
            buf_append(b, e->item.progress->data, e->item.progress->length);
        }
    }
    if (*e->item.waits_for) {
        buf_append_text(b, ",\"waiting_for\":");
        buf_append_json_string(b, e->item.waits_for, strlen(e->item.waits_for));
    } else if (e->item.state == ITEM_WAITING) {
        buf_append_text(b, ",\"due\":");
        time_write(b, e->item.due_ms);
    }
}

static void write_item_text(struct request *r, struct item *i)
{
    uint32_t first, count, origin;
    struct blob *items = NULL, *origins = NULL;
    size_t length;
    if (store_read_chunk(r->http->reader, i->job.seq, r->index, &first, &count, &items, &origins) != STORE_OK)
        return;
    const char *at = line_of(items, r->index - first, &length);
    buf_append_text(&i->document, ",\"item\":");
    buf_append(&i->document, at, length);
    if (origins && origins->length >= (r->index - first + 1) * sizeof origin) {
        memcpy(&origin, origins->data + (r->index - first) * sizeof origin, sizeof origin);
        buf_printf(&i->document, ",\"origin\":%u", origin); /* its index in retry_of */
    }
    blob_unref(&items);
    blob_unref(&origins);
}

static void show(struct request *r)
{
    struct item *i = r->state;
    const struct engine_request *e = &r->ask.engine;
    struct buf *b = &i->document;
    bool live = e->status == ENGINE_OK;
    if (!live && e->status != ENGINE_NOT_LIVE) {
        request_fail_engine(r, e->status);
        return;
    }
    buf_printf(b, "{\"index\":%u,", r->index);
    if ((live && e->item.state != ITEM_DONE) || !write_result(r, i))
        live ? write_live(i, e) : buf_append_text(b, "\"state\":\"cancelled\"");
    buf_append_text(b, ",\"attempts\":[");
    store_read_attempts(r->http->reader, i->job.seq, r->index, write_attempt, i);
    buf_append_char(b, ']');
    write_item_text(r, i);
    buf_append_text(b, ",\"output\":[");
    output_write_item(r->http->reader, i->job.seq, r->index, b);
    buf_append_text(b, "]}\n");
    request_answer_json(r, 200, b);
}

static void known(struct request *r)
{
    struct item *i = r->state;
    bool live;
    if (!request_take_job(r, &i->job, &live))
        return;
    if ((int64_t)r->index >= i->job.counts.total) {
        request_fail(r, PROBLEM_NOT_FOUND, "the job has %lld items", (long long)i->job.counts.total);
        return;
    }
    request_question(r, ASK_ITEM)->item.index = r->index;
    request_ask(r, show);
}

static void drop(void *state)
{
    buf_free(&((struct item *)state)->document);
}

void get_item(struct request *r)
{
    r->state = calloc(1, sizeof(struct item));
    CHECK(r->state, "out of memory");
    r->drop_state = drop;
    request_question(r, ASK_JOB);
    request_ask(r, known);
}
