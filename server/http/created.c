#include "http/created.h"

#include <string.h>

#include "base/clock.h"
#include "http/answer.h"
#include "http/job_json.h"
#include "http/stream.h"
#include "http/traceparent.h"

enum { KEY_MAX = 255 };

static bool choose_format(struct request *r)
{
    const char *text = query_get(&r->query, "format");
    if (!text) {
        /* By default the job itself, whatever else the client would take. */
        r->wanted.format = accept_choose(r->heads.value[HEAD_ACCEPT], FORMAT_JSON);
        return r->wanted.format != FORMAT_NONE ||
               problem_set(&r->problem, PROBLEM_NOT_ACCEPTABLE,
                           "there are application/json, application/x-ndjson and text/event-stream");
    }
    if (strcmp(text, "json") == 0)
        r->wanted.format = FORMAT_JSON;
    else if (strcmp(text, "ndjson") == 0)
        r->wanted.format = FORMAT_NDJSON;
    else if (strcmp(text, "sse") == 0)
        r->wanted.format = FORMAT_SSE;
    else
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "format must be json, ndjson or sse");
    return true;
}

static bool choose_order(struct request *r)
{
    const char *text = query_get(&r->query, "order");
    r->wanted.completion = text && strcmp(text, "completion") == 0;
    return !text || r->wanted.completion || strcmp(text, "input") == 0 ||
           problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "order must be input or completion");
}

static bool check_key(struct request *r)
{
    const char *key = r->heads.value[HEAD_IDEMPOTENCY_KEY];
    bool fine = !key || (*key && strlen(key) <= KEY_MAX);
    for (const char *c = key; fine && c && *c; c++)
        fine = *c > 0x20 && *c < 0x7f;
    return fine || problem_set(&r->problem, PROBLEM_INVALID_HEADER,
                               "Idempotency-Key must be 1 to %d visible ASCII characters", KEY_MAX);
}

bool created_wanted(struct request *r)
{
    if (r->http->config->read_only)
        return problem_set(&r->problem, PROBLEM_READ_ONLY, "no jobs are taken until an operator has acted");
    if (!choose_format(r) || !choose_order(r) || !check_key(r) || !request_wait_ms(r, &r->wanted.wait_ms))
        return false;
    bool waits = r->wanted.wait_ms > 0 || r->wanted.format != FORMAT_JSON;
    return !waits || request_count_waiting(r);
}

static bool is_about_answer(const char *name)
{
    return strcmp(name, "wait") == 0 || strcmp(name, "order") == 0 || strcmp(name, "format") == 0;
}

void created_fingerprint(struct fingerprint *f, const struct request *r)
{
    fingerprint_add(f, r->uri, strcspn(r->uri, "?"));
    fingerprint_add(f, r->body_type == BODY_TYPE_NDJSON ? "?n" : "?j", 3);
    for (unsigned i = 0; i < r->query.count; i++) {
        if (is_about_answer(r->query.pairs[i].name))
            continue;
        fingerprint_add(f, r->query.pairs[i].name, strlen(r->query.pairs[i].name) + 1);
        fingerprint_add(f, r->query.pairs[i].value, strlen(r->query.pairs[i].value) + 1);
    }
}

void created_origin(const struct request *r, struct job_origin *origin)
{
    *origin = (struct job_origin){.client = ""};
    if (r->token || r->limits.jobs) /* addresses are not kept without need */
        strcpy(origin->client, r->client);
    if (r->heads.seen[HEAD_TRACEPARENT] == 1)
        traceparent_read(r->heads.value[HEAD_TRACEPARENT], origin->traceparent);
}

int64_t created_deadline(const struct request *r)
{
    return r->wanted.wait_ms > 0 ? clock_mono_ns() + r->wanted.wait_ms * NS_PER_MS : 0;
}

/* The outcome of an apply that the engine no longer has at hand. */
static struct blob *read_line(struct request *r, const struct job_view *view)
{
    struct store_batch batch = {0};
    unsigned count = 0;
    if (store_read_results(r->http->reader, view->seq, true, 0, 1, &batch, 1, &count) != STORE_OK || !count)
        return NULL;
    if (batch.lines)
        return batch.lines;
    struct buf line = BUF_EMPTY;
    result_write_cancelled(&line, 0);
    struct blob *made = blob_new(line.data, line.length);
    buf_free(&line);
    return made;
}

void created_answer_job(struct request *r, unsigned status, const struct job_view *view, struct blob *line)
{
    struct buf document = BUF_EMPTY;
    if (!line && view->kind == JOB_APPLY && job_state_ended(view->state))
        line = read_line(r, view);
    job_write(&document, view, line);
    buf_append_char(&document, '\n');
    blob_unref(&line);
    request_answer_json(r, status, &document);
}

static void answer_made(struct request *r, const struct job_view *view, struct blob *line)
{
    bool finished = r->wanted.wait_ms >= 0 && job_state_ended(view->state);
    if (r->wanted.wait_ms >= 0 && r->heads.value[HEAD_PREFER])
        request_header(r, "Preference-Applied", "wait");
    created_answer_job(r, finished ? 200 : 202, view, line);
}

static void waited(struct request *r)
{
    struct job_view view;
    bool live;
    if (request_take_job(r, &view, &live))
        answer_made(r, &view, NULL);
}

void created_answer(struct request *r, const struct job_view *view, struct blob *line, bool replayed)
{
    r->seq = view->seq;
    r->created_ms = view->created_ms;
    request_location(r, view);
    if (replayed)
        request_header(r, "Idempotency-Replayed", "true");
    if (r->wanted.format != FORMAT_JSON) {
        blob_unref(&line);
        stream_answer(r, r->wanted.format == FORMAT_SSE, !r->wanted.completion, 0);
    } else if (r->wanted.wait_ms > 0 && !job_state_ended(view->state)) {
        /* What was waited for already was counted from the same beginning. */
        request_question(r, ASK_JOB)->deadline_ns = created_deadline(r);
        request_ask(r, waited);
    } else {
        answer_made(r, view, line);
    }
}
