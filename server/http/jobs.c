/* Jobs: list, one, cancel, delete. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/id.h"
#include "http/access.h"
#include "http/created.h"
#include "http/handlers.h"
#include "http/job_json.h"
#include "http/options.h"

enum {
    LIST_DEFAULT = 100,
    LIST_MAX = 1000,
    SCAN_MAX = 5000 /* so many jobs are looked at for a page of those that the client may see */
};

/* ---- GET /v1/jobs: what the store has, with what the engine knows better laid over it ---- */

struct listing {
    unsigned count, limit; /* of the page */
    bool by_state;
    enum job_state state;
    bool more;
    int64_t last_seq, last_created_ms; /* the last job that was looked at */
    int64_t seqs[LIST_MAX];
    struct job_view page[LIST_MAX], live[LIST_MAX];
    unsigned read;
    struct job_view views[3 * (LIST_MAX + 1)]; /* up to three queries' worth, before they are merged */
};

static int newest_first(const void *a, const void *b)
{
    int64_t x = ((const struct job_view *)a)->seq, y = ((const struct job_view *)b)->seq;
    return (x < y) - (x > y);
}

/* What is live moves between open, ready and running without a commit: all three are read for any of them, and the
 * engine's word decides. */
static enum store_status read_list(struct request *r, struct listing *l, struct store_jobs_query *q)
{
    bool live = q->by_state && !job_state_ended(q->state);
    enum job_state first = live ? JOB_OPEN : q->state, last = live ? JOB_RUNNING : q->state;
    l->read = 0;
    for (enum job_state state = first; state <= last; state++) {
        unsigned count = 0;
        q->state = state;
        enum store_status status = store_read_jobs(r->http->reader, q, l->views + l->read, &count);
        if (status != STORE_OK)
            return status;
        l->read += count;
    }
    if (live)
        qsort(l->views, l->read, sizeof *l->views, newest_first);
    if (l->read > q->limit)
        l->read = q->limit;
    return STORE_OK;
}

/* Of what was read, what the client may see. */
static void take_list(const struct request *r, struct listing *l)
{
    for (unsigned i = 0; i < l->read; i++) {
        const struct job_view *view = &l->views[i];
        if (l->count == l->limit) {
            l->more = true;
            return;
        }
        l->last_seq = view->seq;
        l->last_created_ms = view->created_ms;
        if (access_sees(r, view->function))
            l->page[l->count++] = *view;
    }
}

/* One page. Who may see everything has it after one turn; for others it reads on, but not for ever: then the page has
 * fewer, or none, and `next`. */
static enum store_status read_page(struct request *r, struct listing *l, struct store_jobs_query *q)
{
    for (unsigned seen = 0; !l->more; q->before = l->last_seq) {
        enum store_status status = read_list(r, l, q);
        if (status != STORE_OK)
            return status;
        take_list(r, l);
        seen += l->read;
        if (l->read < q->limit)
            break;
        l->more = l->more || seen >= SCAN_MAX;
    }
    return STORE_OK;
}

static void write_list(struct request *r)
{
    struct listing *l = r->state;
    struct buf document = BUF_EMPTY;
    bool any = false;
    if (r->ask.engine.status == ENGINE_SHUTDOWN) {
        request_fail_engine(r, ENGINE_SHUTDOWN);
        return;
    }
    buf_append_text(&document, "{\"jobs\":[");
    for (unsigned i = 0; i < l->count; i++) {
        const struct job_view *view = l->live[i].seq ? &l->live[i] : &l->page[i];
        if (l->by_state && view->state != l->state)
            continue; /* it has moved on since its last commit */
        buf_append_text(&document, any ? ",\n" : "\n");
        job_write(&document, view, NULL);
        any = true;
    }
    buf_append_text(&document, "\n],\"next\":");
    char id[JOB_ID_LENGTH + 1];
    if (l->more) {
        job_id_format(id, l->last_created_ms, l->last_seq);
        buf_printf(&document, "\"%s\"}\n", id);
    } else {
        buf_append_text(&document, "null}\n");
    }
    request_answer_json(r, 200, &document);
}

static bool parse_list(struct request *r, struct store_jobs_query *q)
{
    const char *state = query_get(&r->query, "state"), *limit = query_get(&r->query, "limit");
    const char *after = query_get(&r->query, "after");
    unsigned long long number = LIST_DEFAULT;
    int64_t created;
    *q = (struct store_jobs_query){.now_ms = clock_wall_ms(), .function = query_get(&r->query, "function")};
    q->by_state = state != NULL;
    if (state && job_state_parse(state, &q->state))
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER,
                           "state must be open, ready, running, succeeded, failed or cancelled");
    if (limit && (parse_unsigned(limit, LIST_MAX, &number) || !number))
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "limit must be from 1 to %d", LIST_MAX);
    if (after && job_id_parse(after, &created, &q->before))
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "after must be the id of a job");
    q->limit = (unsigned)number + 1; /* one more, to know whether there are more */
    return !q->function || access_function(r, q->function);
}

void get_jobs(struct request *r)
{
    struct store_jobs_query q;
    struct listing *l;
    if (!parse_list(r, &q)) {
        request_answer_problem(r);
        return;
    }
    r->state = l = malloc(sizeof *l); /* touched as far as it is used */
    CHECK(l, "out of memory");
    l->count = 0;
    l->more = false;
    l->limit = q.limit - 1;
    l->by_state = q.by_state;
    l->state = q.state;
    enum store_status status = read_page(r, l, &q);
    if (status != STORE_OK) {
        request_fail_store(r, status);
        return;
    }
    struct engine_request *e = request_question(r, ASK_VIEWS);
    for (unsigned i = 0; i < l->count; i++)
        l->seqs[i] = l->page[i].seq;
    e->views.seqs = l->seqs;
    e->views.views = l->live;
    e->views.count = l->count;
    request_ask(r, write_list);
}

/* ---- GET /v1/jobs/{id} ---- */

static void show_job(struct request *r)
{
    struct job_view view;
    bool live;
    if (request_take_job(r, &view, &live))
        created_answer_job(r, 200, &view, NULL);
}

void get_job(struct request *r)
{
    int64_t wait_ms;
    if (!request_wait_ms(r, &wait_ms) || (wait_ms > 0 && !request_count_waiting(r))) {
        request_answer_problem(r);
        return;
    }
    struct engine_request *e = request_question(r, ASK_JOB);
    if (wait_ms > 0)
        e->deadline_ns = clock_mono_ns() + wait_ms * NS_PER_MS;
    request_ask(r, show_job);
}

/* ---- cancel ---- */

static void cancelled(struct request *r)
{
    struct engine_request *e = &r->ask.engine;
    struct job_view view;
    if (e->status == ENGINE_OK || e->status == ENGINE_TIMEOUT)
        created_answer_job(r, 200, &e->view, NULL);
    else if (e->status == ENGINE_NOT_LIVE && request_read_job(r, &view))
        request_fail_engine(r, ENGINE_ENDED);
    else
        request_fail_engine(r, e->status);
}

void post_cancel(struct request *r)
{
    request_question(r, ASK_CANCEL);
    request_ask(r, cancelled);
}

/* ---- delete ---- */

static void deleted(struct request *r)
{
    if (r->ask.engine.status == ENGINE_OK)
        request_answer_empty(r, 204);
    else
        request_fail_engine(r, r->ask.engine.status);
}

/* The engine deletes what it is told; whether it is there at all the store knows. */
static void delete_known(struct request *r)
{
    struct job_view view;
    bool live;
    if (!request_take_job(r, &view, &live))
        return;
    if (!job_state_ended(view.state)) {
        request_fail_engine(r, ENGINE_NOT_ENDED);
        return;
    }
    request_question(r, ASK_DELETE);
    request_ask(r, deleted);
}

void delete_job(struct request *r)
{
    request_question(r, ASK_JOB);
    request_ask(r, delete_known);
}
