#include "http/answer.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "http/access.h"
#include "http/options.h"
#include "http/routes.h"

enum { ERRORS_TOLD_A_SECOND = 10 };

void request_header(struct request *r, const char *name, const char *value)
{
    CHECK(r->header_count < HEADERS_MAX, "too many headers");
    CHECK(value, "header %s without a value", name);
    char *copy = strdup(value);
    CHECK(copy, "out of memory");
    r->headers[r->header_count].name = name;
    r->headers[r->header_count++].value = copy;
}

void request_answer_response(struct request *r, unsigned status, struct MHD_Response *response)
{
    CHECK(response, "out of memory for a response");
    bool cached = false; /* it says itself how */
    for (unsigned i = 0; i < r->header_count; i++) {
        MHD_add_response_header(response, r->headers[i].name, r->headers[i].value);
        cached = cached || strcmp(r->headers[i].name, "Cache-Control") == 0;
    }
    if (!cached)
        MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (r->close)
        MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result queued = MHD_queue_response(r->mhd, status, response);
    MHD_destroy_response(response);
    CHECK(queued == MHD_YES, "an answer %u was refused by libmicrohttpd", status);
    r->answered = true;
    tally_add(&r->http->answers, r->method, r->head, status);
}

void request_answer(struct request *r, unsigned status, const char *type, struct buf *document)
{
    size_t length;
    char *bytes = buf_steal(document, &length);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, bytes, bytes ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (length)
        request_header(r, "Content-Type", type);
    request_answer_response(r, status, response);
}

void request_answer_json(struct request *r, unsigned status, struct buf *document)
{
    request_answer(r, status, TYPE_JSON_TEXT, document);
}

void request_answer_empty(struct request *r, unsigned status)
{
    struct buf nothing = BUF_EMPTY;
    request_answer(r, status, NULL, &nothing);
}

void request_problem_headers(struct request *r)
{
    access_headers(r);
    if (problem_status(r->problem.type) == 503 || problem_status(r->problem.type) == 429)
        request_header(r, "Retry-After", "1"); /* of a rate, too: one of its requests is allowed within a second */
}

/* What the client can do nothing about, the operator may. */
void request_note_problem(struct request *r)
{
    unsigned status = problem_status(r->problem.type);
    char id[JOB_ID_LENGTH + 1];
    int unlogged;
    if (status < 500 || !log_limit_allows(&r->http->errors_told, ERRORS_TOLD_A_SECOND, clock_mono_ns(), &unlogged))
        return;
    bool known = r->seq && r->created_ms;
    if (known)
        job_id_format(id, r->created_ms, r->seq);
    log_event(LOG_WARNING, "http.error",
              "status=%u type=%s method=%s route=%s client=%s job=%s detail=\"%s\" unlogged=%d", status,
              problem_name(r->problem.type), method_name(r->method), r->route ? r->route->pattern : NULL,
              *r->client ? r->client : NULL, known ? id : NULL, r->problem.detail, unlogged);
}

void request_answer_problem(struct request *r)
{
    struct buf document = BUF_EMPTY;
    unsigned status = problem_status(r->problem.type);
    CHECK(r->problem.type != PROBLEM_NONE, "an error without a problem");
    problem_write(&r->problem, &document);
    request_note_problem(r);
    request_problem_headers(r);
    request_answer(r, status, TYPE_PROBLEM_TEXT, &document);
}

void request_fail(struct request *r, enum problem_type type, const char *detail, ...)
{
    char text[sizeof r->problem.detail];
    va_list arguments;
    va_start(arguments, detail);
    vsnprintf(text, sizeof text, detail, arguments);
    va_end(arguments);
    problem_set(&r->problem, type, "%s", text);
    request_answer_problem(r);
}

static const struct {
    enum problem_type type;
    const char *detail;
} engine_problems[] = {
    [ENGINE_OK] = {PROBLEM_INTERNAL, "unexpected answer"},
    [ENGINE_NOT_LIVE] = {PROBLEM_INTERNAL, "unexpected answer"},
    [ENGINE_TIMEOUT] = {PROBLEM_INTERNAL, "unexpected answer"},
    [ENGINE_SHUTDOWN] = {PROBLEM_DRAINING, "the service ends; ask again"},
    [ENGINE_DRAINING] = {PROBLEM_DRAINING, "the service ends; ask again"},
    [ENGINE_STARTING] = {PROBLEM_STARTING, "no worker has started yet; ask again"},
    [ENGINE_NO_FUNCTION] = {PROBLEM_UNKNOWN_FUNCTION, "GET /v1/functions lists what can be called"},
    [ENGINE_BUSY_KEY] = {PROBLEM_KEY_IN_FLIGHT, "repeat it when the first one is answered"},
    [ENGINE_OTHER_BODY] = {PROBLEM_KEY_REUSED, "the key belongs to a request that differs from this one"},
    [ENGINE_NOT_OPEN] = {PROBLEM_NOT_OPEN, "only a job made with \"open\": true takes items until it is closed"},
    [ENGINE_ENDED] = {PROBLEM_ENDED, "it has ended already"},
    [ENGINE_NOT_ENDED] = {PROBLEM_NOT_ENDED, "cancel it, or wait for its end"},
    [ENGINE_TOO_MANY] = {PROBLEM_TOO_MANY_ITEMS, "the limit of items or jobs is reached"},
    [ENGINE_CLIENT_JOBS] = {PROBLEM_TOO_MANY_REQUESTS,
                            "this client has as many unfinished jobs as it may; GET /v1/access says how many"},
    [ENGINE_OVER_CEILING] = {PROBLEM_OVER_CEILING, "an option is over its ceiling"},
    [ENGINE_STORE_FULL] = {PROBLEM_STORAGE_FULL, "nothing was stored; free some space"},
    [ENGINE_STORE_FAILED] = {PROBLEM_STORAGE_FAILED, "repeat it with the same Idempotency-Key"},
};

void request_engine_problem(struct request *r, enum engine_status status)
{
    problem_set(&r->problem, engine_problems[status].type, "%s", engine_problems[status].detail);
}

/* The text begins with the option's name. */
static void point_at_option(struct problem *p)
{
    size_t length = strcspn(p->detail, " :");
    if (option_asked(p->detail, length))
        problem_at(p, -1, "/%.*s", (int)length, p->detail);
}

void request_submit_problem(struct request *r, const struct engine_request *e)
{
    if (e->status != ENGINE_OVER_CEILING || !*e->submit.problem) {
        request_engine_problem(r, e->status);
        return;
    }
    problem_set(&r->problem, PROBLEM_OVER_CEILING, "%s", e->submit.problem);
    if (!r->upload)
        point_at_option(&r->problem); /* of an upload, or a retry, there is no body to point into */
}

void request_fail_engine(struct request *r, enum engine_status status)
{
    request_engine_problem(r, status);
    request_answer_problem(r);
}

static void store_problem(struct request *r, enum store_status status)
{
    if (status == STORE_NOT_FOUND)
        problem_set(&r->problem, PROBLEM_NOT_FOUND, "there was never such a job");
    else if (status == STORE_GONE)
        problem_set(&r->problem, PROBLEM_GONE, "the job is deleted or has expired");
    else
        problem_set(&r->problem, PROBLEM_STORAGE_FAILED, "it could not be read");
}

void request_fail_store(struct request *r, enum store_status status)
{
    store_problem(r, status);
    request_answer_problem(r);
}

bool request_read_job(struct request *r, struct job_view *view)
{
    enum store_status status = store_read_job(r->http->reader, r->seq, r->created_ms, clock_wall_ms(), view);
    if (status != STORE_OK)
        store_problem(r, status);
    return status == STORE_OK;
}

bool request_take_job(struct request *r, struct job_view *view, bool *live)
{
    struct engine_request *e = &r->ask.engine;
    *live = e->status == ENGINE_OK || e->status == ENGINE_TIMEOUT;
    if (*live) {
        *view = e->view;
    } else if (e->status != ENGINE_NOT_LIVE) {
        request_fail_engine(r, e->status);
        return false;
    } else if (!request_read_job(r, view)) {
        request_answer_problem(r);
        return false;
    }
    r->created_ms = view->created_ms;
    return true;
}

void request_location(struct request *r, const struct job_view *view)
{
    char text[sizeof "/v1/jobs/" + JOB_ID_LENGTH] = "/v1/jobs/";
    job_id_format(text + strlen(text), view->created_ms, view->seq);
    request_header(r, "Location", text);
}
