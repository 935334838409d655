/* The body of a request: kept as a whole, given to an upload, or thrown away once the request is refused. */
#include <microhttpd.h>

#include "base/check.h"
#include "base/clock.h"
#include "http/objects.h"
#include "http/request.h"
#include "http/upload.h"

enum { BODIES_MAX = 4 /* of the largest size, kept at the same time */ };
/* A refused body of up to so many bytes is read to its end, so that the connection lives on. */
static const int64_t discard_max = 1024 * 1024;

void request_drop_body(struct request *r)
{
    r->http->body_bytes -= (int64_t)r->body.length;
    buf_free(&r->body);
}

/* libmicrohttpd takes no answer between the first piece of a body and its end. So a client that has more to send
 * than is worth reading is answered past it: the answer, FIN, and what still comes is thrown away for a while, since
 * closing at once would reset the connection before the client has read. */
static void answer_early(struct request *r)
{
    struct buf document = BUF_EMPTY, all = BUF_EMPTY;
    unsigned status = problem_status(r->problem.type);
    problem_write(&r->problem, &document);
    request_note_problem(r);
    request_problem_headers(r);
    buf_printf(&all,
               "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
               "Content-Length: %zu\r\nCache-Control: no-store\r\n",
               status, MHD_get_reason_phrase_for(status), document.length);
    for (unsigned i = 0; i < r->header_count; i++)
        buf_printf(&all, "%s: %s\r\n", r->headers[i].name, r->headers[i].value);
    buf_append_text(&all, "\r\n");
    buf_append(&all, document.data, document.length);
    /* Nothing was sent before, so it fits; if not, the client sees a cut. */
    tls_answer_last(r->connection, all.data, all.length);
    r->early = true;
    tally_add(&r->http->answers, r->method, r->head, status);
    connection_phase(r->connection, PHASE_LINGER);
    buf_free(&document);
    buf_free(&all);
}

static void refuse(struct request *r, bool now)
{
    CHECK(r->problem.type != PROBLEM_NONE, "refused without a problem");
    r->refused = true;
    request_drop_body(r);
    if (!r->connection || r->early || r->connection->phase != PHASE_BODY)
        return;
    if (now || r->heads.body_length < 0 || r->heads.body_length - r->received > discard_max)
        answer_early(r);
}

void request_refuse(struct request *r)
{
    refuse(r, false);
}

void request_refuse_now(struct request *r)
{
    refuse(r, true);
}

bool request_body_too_large(struct request *r)
{
    bool lines = r->route->body == ROUTE_BODY_ITEMS;
    return problem_set(&r->problem, PROBLEM_BODY_TOO_LARGE, "a %sbody may have %lld bytes%s", lines ? "JSON " : "",
                       (long long)r->http->config->max_body, lines ? "; NDJSON has no limit" : "");
}

static void keep_body(struct request *r, const char *data, size_t length)
{
    if ((int64_t)(r->body.length + length) > r->http->config->max_body) {
        request_body_too_large(r);
        request_refuse(r);
        return;
    }
    if (r->http->body_bytes + (int64_t)length > r->http->config->max_body * BODIES_MAX) {
        problem_set(&r->problem, PROBLEM_OVERLOADED, "too many large bodies at the same time");
        request_refuse(r);
        return;
    }
    if (!r->body.length && r->heads.body_length > 0)
        buf_reserve(&r->body, (size_t)(r->heads.body_length > discard_max ? discard_max : r->heads.body_length));
    buf_append(&r->body, data, length);
    r->http->body_bytes += (int64_t)length;
}

bool request_body(struct request *r, const char *data, size_t *length)
{
    size_t used = *length;
    r->seen = atomic_load(&r->events);
    if (r->dead)
        return false;
    if (r->refused) {
        if (!r->early)
            request_refuse(r); /* now that a body does come, it may be far too long */
    } else if (r->upload) {
        used = upload_feed(r->upload, data, *length);
    } else if (r->put) {
        used = object_put_feed(r->put, data, *length);
    } else {
        keep_body(r, data, *length);
        r->connection->since_ns = clock_mono_ns();
    }
    r->received += (int64_t)used;
    *length -= used;
    if (used == 0)
        request_suspend(r);
    return true;
}
