#include "http/request.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "http/access.h"
#include "http/objects.h"
#include "http/routes.h"
#include "http/stream.h"
#include "http/upload.h"

enum {
    URI_MAX = 8192,
    HEAD_MAX = 32768,
    HEADER_COUNT_MAX = 100,
    BODIES_MAX = 4 /* of the largest size, kept at the same time */
};

/* ---- life ---- */

struct request *request_new(struct http *http, struct MHD_Connection *mhd, struct connection *connection,
                            const char *uri)
{
    struct request *r = calloc(1, sizeof *r);
    CHECK(r, "out of memory");
    r->references = 1;
    r->http = http;
    r->mhd = mhd;
    r->connection = connection;
    r->uri = strdup(uri);
    CHECK(r->uri, "out of memory");
    r->problem = PROBLEM_INIT;
    r->wanted.wait_ms = -1;
    connection->request = r;
    connection_phase(connection, PHASE_HEAD);
    return r;
}

struct request *request_ref(struct request *r)
{
    atomic_fetch_add(&r->references, 1);
    return r;
}

/* What an answer holds that nobody took. */
static void ask_discard(struct ask *a)
{
    struct engine_request *e = &a->engine;
    if (e->type == ASK_SUBMIT) {
        blob_unref(&e->submit.line);
        engine_chunk_free(&e->submit.chunks); /* a replay takes none */
    }
    if (e->type == ASK_APPEND)
        engine_chunk_free(&e->append.chunks);
    if (e->type == ASK_ITEM)
        blob_unref(&e->item.progress);
    if (e->type == ASK_POOL)
        engine_pool_free(&e->pool.pool);
    if (e->type == ASK_RESULTS)
        for (unsigned i = 0; i < e->results.count; i++)
            blob_unref(&e->results.batches[i].lines);
}

static void request_free(struct request *r)
{
    ask_discard(&r->ask);
    upload_free(&r->upload);
    object_put_free(&r->put);
    stream_free(&r->stream);
    for (unsigned i = 0; i < r->header_count; i++)
        free(r->headers[i].value);
    query_free(&r->query);
    free(r->object.key);
    tokens_unref(&r->tokens);
    buf_free(&r->body);
    if (r->drop_state)
        r->drop_state(r->state);
    free(r->state);
    free(r->uri);
    free(r);
}

/* Any thread: the last reference may be the engine's. */
void request_unref(struct request **r)
{
    struct request *last = *r;
    *r = NULL;
    if (last && atomic_fetch_sub(&last->references, 1) == 1)
        request_free(last);
}

void request_completed(struct request *r)
{
    request_drop_body(r);
    r->http->waiting -= r->held != NULL;
    r->http->streams -= r->stream != NULL;
    limiter_drop(r->http->limiter, &r->held);
    r->connection->request = NULL;
    connection_phase(r->connection, PHASE_IDLE);
    r->connection = NULL;
    r->mhd = NULL;
    if (r->upload)
        upload_gone(r->upload);
    if (r->left)
        r->left(r);
    request_unref(&r);
}

/* ---- asking ---- */

void request_wake(struct request *r)
{
    /* Whoever turns it off resumes, so it is resumed once; while it is on, libmicrohttpd keeps the connection. */
    struct http *http = r->http;
    if (atomic_exchange(&r->suspended, false)) {
        MHD_resume_connection(r->mhd);
        http_wake(http);
    }
}

void request_suspend(struct request *r)
{
    MHD_suspend_connection(r->mhd);
    atomic_store(&r->suspended, true);
    /* An answer that came before the line above found nothing to resume. */
    if (atomic_load(&r->events) != r->seen || r->dead)
        request_wake(r);
}

/* The engine's thread. */
static void ask_done(struct engine_request *e)
{
    struct ask *a = (struct ask *)e;
    struct request *r = a->request;
    atomic_store(&a->back, true);
    /* From here on the ask may be used again. */
    atomic_fetch_add(&r->events, 1);
    request_wake(r);
    request_unref(&r);
}

void ask_send(struct ask *a, struct request *r)
{
    CHECK(!a->out, "a question is asked twice");
    a->request = request_ref(r);
    a->out = true;
    atomic_store(&a->back, false);
    a->engine.done = ask_done;
    if (!r->http->asks_refused) {
        engine_ask(r->http->engine, &a->engine);
        return;
    }
    if (a->engine.type == ASK_SUBMIT)
        engine_chunk_free(&a->engine.submit.chunks);
    if (a->engine.type == ASK_APPEND)
        engine_chunk_free(&a->engine.append.chunks);
    a->engine.status = ENGINE_SHUTDOWN;
    ask_done(&a->engine);
}

bool ask_take(struct ask *a)
{
    if (!a->out || !atomic_load(&a->back))
        return false;
    a->out = false;
    return true;
}

struct engine_request *request_question(struct request *r, enum engine_request_type type)
{
    CHECK(!r->ask.out, "the last question is still out");
    ask_discard(&r->ask);
    memset(&r->ask.engine, 0, sizeof r->ask.engine);
    r->ask.engine.type = type;
    r->ask.engine.seq = r->seq;
    r->ask.engine.created_ms = r->created_ms;
    return &r->ask.engine;
}

void request_ask(struct request *r, request_step *next)
{
    ask_send(&r->ask, r);
    r->next = next;
}

void request_wait(struct request *r, request_step *next)
{
    r->next = next;
    r->waits = true;
}

/* Runs steps until there is an answer, or something to wait for. */
static void run_steps(struct request *r)
{
    while (!r->answered) {
        r->seen = atomic_load(&r->events);
        if (r->ask.out && !ask_take(&r->ask)) {
            request_suspend(r);
            return;
        }
        request_step *step = r->next;
        CHECK(step, "a request neither answers nor waits: %s", r->route ? r->route->pattern : "?");
        r->next = NULL;
        r->waits = false;
        step(r);
        if (!r->answered && r->waits) {
            request_suspend(r);
            return;
        }
    }
}

/* ---- the head ---- */

static bool check_sizes(struct request *r)
{
    size_t head = MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    if (strlen(r->uri) > URI_MAX)
        return problem_set(&r->problem, PROBLEM_URI_TOO_LONG, "the address is longer than %d bytes", URI_MAX);
    if (head > HEAD_MAX || r->heads.total > HEADER_COUNT_MAX)
        return problem_set(&r->problem, PROBLEM_HEAD_TOO_LARGE, "at most %d bytes and %d headers are read", HEAD_MAX,
                           HEADER_COUNT_MAX);
    return true;
}

static bool check_body_type(struct request *r)
{
    static const char *const types[] = {[ROUTE_BODY_JSON] = "application/json",
                                        [ROUTE_BODY_ITEMS] = "application/json or application/x-ndjson",
                                        [ROUTE_BODY_BYTES] = "application/json or application/octet-stream"};
    const struct route *route = r->route;
    if (r->heads.body_length == 0) {
        if (route->body == ROUTE_BODY_NONE || r->body_type == BODY_TYPE_OTHER)
            r->body_type = BODY_TYPE_NONE;
        return true;
    }
    if (route->body == ROUTE_BODY_NONE)
        return problem_set(&r->problem, PROBLEM_INVALID_VALUE, "no body is taken here");
    if (r->body_type == BODY_TYPE_NONE)
        r->body_type = BODY_TYPE_JSON;
    if (r->body_type == BODY_TYPE_OTHER || (r->body_type == BODY_TYPE_NDJSON && route->body != ROUTE_BODY_ITEMS) ||
        (r->body_type == BODY_TYPE_BYTES && route->body != ROUTE_BODY_BYTES))
        return problem_set(&r->problem, PROBLEM_MEDIA_TYPE, "the body must be %s", types[route->body]);
    return r->body_type == BODY_TYPE_NDJSON || r->heads.body_length <= r->http->config->max_body ||
           request_body_too_large(r);
}

static bool is_healthz(const struct request *r)
{
    size_t length = strcspn(r->uri, "?");
    return (length == 8 && strncmp(r->uri, "/healthz", 8) == 0) ||
           (length == 9 && strncmp(r->uri, "/healthz/", 9) == 0);
}

static bool check_head(struct request *r, const char *method)
{
    if (r->connection->reserve) {
        r->close = true;
        if (!is_healthz(r))
            return problem_set(&r->problem, PROBLEM_OVERLOADED, "too many connections");
    }
    bool safe = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (!check_sizes(r) || !heads_check_site(&r->heads, r->http, safe, &r->problem))
        return false;
    route_find(r);
    return access_admit(r, method) && route_check(r, method) && access_job(r) &&
           heads_check_expect(&r->heads, &r->problem) && check_body_type(r);
}

static bool answer_now(struct request *r)
{
    r->close = true;
    request_answer_problem(r);
    return true;
}

bool request_begin(struct request *r, const char *method, const char *version)
{
    r->begun = true;
    r->body_begun_ns = clock_mono_ns();
    heads_read(&r->heads, r->mhd);
    r->body_type = heads_body_type(&r->heads);
    connection_phase(r->connection, r->heads.seen[HEAD_CONTENT_LENGTH] || r->heads.seen[HEAD_TRANSFER_ENCODING]
                                        ? PHASE_BODY
                                        : PHASE_BUSY);
    r->method = method_of(method);
    r->head = strcmp(method, "HEAD") == 0;
    if (!heads_check_framing(&r->heads, version, &r->problem))
        return answer_now(r);
    if (!check_head(r, method)) {
        r->refused = true;
        /* A client that waits for "100 Continue" is told now, and sends nothing. */
        return r->heads.value[HEAD_EXPECT] ? answer_now(r) : true;
    }
    r->next = r->route->handler;
    if (r->body_type == BODY_TYPE_NDJSON && r->route->upload)
        r->route->upload(r);
    if (r->refused && r->heads.value[HEAD_EXPECT])
        return answer_now(r);
    return true;
}

/* ---- the rest ---- */

bool request_continue(struct request *r)
{
    if (r->early || r->dead)
        return false;
    if (r->answered)
        return true;
    if (r->connection->phase == PHASE_BODY)
        connection_phase(r->connection, PHASE_BUSY);
    if (r->refused)
        request_answer_problem(r);
    else
        run_steps(r);
    return true;
}

/* ---- waiting ---- */

bool request_count_waiting(struct request *r)
{
    if (r->held)
        return true;
    if (r->http->waiting >= r->http->config->max_streams)
        return problem_set(&r->problem, PROBLEM_OVERLOADED, "%u requests already wait or stream", r->http->waiting);
    r->held = limiter_hold(r->http->limiter, r->client, r->limits.streams);
    if (!r->held)
        return problem_set(&r->problem, PROBLEM_TOO_MANY_REQUESTS, "this client may wait or stream %u times at once",
                           r->limits.streams);
    r->http->waiting++;
    return true;
}

bool request_wait_ms(struct request *r, int64_t *ms)
{
    const char *text = query_get(&r->query, "wait");
    long long value;
    *ms = heads_prefer_wait(&r->heads);
    if (text) {
        if (parse_seconds(text, strlen(text), INT64_C(1000) * 86400 * 365, &value))
            return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "wait must be a number of seconds, 0 or more");
        *ms = value;
    }
    if (*ms > WAIT_MAX_MS)
        *ms = WAIT_MAX_MS;
    return true;
}
