/* What tells of the service itself: alive, ready, its contract, and where to begin. */
#include <string.h>

#include "http/handlers.h"

/* openapi.yaml, by .incbin (openapi.S). */
extern const char openapi_text[], openapi_text_end[];

static void answer_text(struct request *r, unsigned status, const char *type, const char *text, size_t length)
{
    struct buf document = BUF_EMPTY;
    buf_append(&document, text, length);
    request_answer(r, status, type, &document);
}

void get_healthz(struct request *r)
{
    answer_text(r, 200, "application/json", "{\"status\":\"ok\"}\n", 16);
}

static const char *why_not_ready(const struct http *http, const struct engine_pool *p)
{
    if (http->draining || p->draining)
        return "the service is shutting down";
    if (p->storage_failed)
        return "storage failed";
    if (p->storage_full)
        return "there is no space left";
    if (!p->functions_known)
        return "no worker has started yet";
    return p->ready + p->running ? NULL : "no worker is there";
}

static void show_ready(struct request *r)
{
    const struct engine_request *e = &r->ask.engine;
    struct buf document = BUF_EMPTY;
    const char *reason = e->status == ENGINE_OK ? why_not_ready(r->http, e->pool.pool) : "the service is shutting down";
    if (!reason) {
        answer_text(r, 200, "application/json", "{\"status\":\"ready\"}\n", 19);
        return;
    }
    buf_append_text(&document, "{\"status\":\"not ready\",\"reason\":");
    buf_append_json_string(&document, reason, strlen(reason));
    buf_append_text(&document, "}\n");
    request_answer_json(r, 503, &document);
}

void get_readyz(struct request *r)
{
    request_question(r, ASK_POOL);
    request_ask(r, show_ready);
}

void get_openapi(struct request *r)
{
    answer_text(r, 200, "application/yaml", openapi_text, (size_t)(openapi_text_end - openapi_text));
}

static const char root[] = "poold: multiprocessing's Pool as a service\n"
                           "\n"
                           "  POST /v1/jobs                     {\"function\":\"square\",\"map\":[1,2,3]}\n"
                           "  GET  /v1/jobs                     newest first\n"
                           "  GET  /v1/jobs/ID                  one job; ?wait=10 for its end\n"
                           "  GET  /v1/jobs/ID/results          as they come; ?order=completion\n"
                           "  GET  /v1/jobs/ID/items/INDEX      one item\n"
                           "  GET  /v1/jobs/ID/log              what the items printed\n"
                           "  POST /v1/jobs/ID/items|close      more items for a job made with \"open\": true\n"
                           "  POST /v1/jobs/ID/cancel|retry     \n"
                           "  DELETE /v1/jobs/ID\n"
                           "  GET  /v1/functions /v1/workers /v1/pool\n"
                           "  PUT|GET|DELETE /v1/queues/NAME    also pipes locks dicts lists values arrays\n"
                           "  POST /v1/queues/NAME/put|get      {\"value\":7}; get?wait=10\n"
                           "  GET  /healthz /readyz /metrics\n"
                           "  GET  /docs /openapi.yaml          all of this: for people, for programs\n";

void get_root(struct request *r)
{
    request_header(r, "Vary", "Accept");
    if (dashboard_wanted(r))
        get_dashboard_page(r);
    else
        answer_text(r, 200, "text/plain; charset=utf-8", root, sizeof root - 1);
}

void any_options(struct request *r)
{
    request_answer_empty(r, 204); /* Allow is set already */
}
