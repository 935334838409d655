/* POST /v1/jobs/{id}/retry: a new job of only the failed items.
 *
 * The results of the first job are read in bounded steps, one a turn of the loop, so that nobody else waits for them;
 * the items go out as an upload does, so that memory stays bounded, too. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/created.h"
#include "http/finish.h"
#include "http/handlers.h"
#include "http/options.h"
#include "http/upload.h"
#include "wire/scan.h"

enum { STEP_BYTES = 128 * 1024, STEP_BATCHES = 16 };

struct retry {
    uint32_t from;           /* next index of the first job */
    uint32_t first, count;   /* the chunk at hand */
    int64_t total;           /* items of the first job */
    int64_t seq, created_ms; /* the first job; r->seq becomes the new one */
    struct blob *items;
    const char *at; /* in items: item `at_index` */
    uint32_t at_index;
    bool ended;
};

static request_step step;

/* Whether the line tells of a failure; what was cancelled never ran. */
static bool is_failure(const char *line, size_t length)
{
    struct scan_walk w, error;
    for (scan_enter(&w, (char *)line, (char *)line + length, false); scan_next(&w);) {
        if (w.key_end - w.key != 5 || memcmp(w.key, "error", 5) != 0)
            continue;
        for (scan_enter(&error, w.value, w.value_end, false); scan_next(&error);)
            if (error.key_end - error.key == 4 && memcmp(error.key, "type", 4) == 0)
                return error.value_end - error.value != 11 || memcmp(error.value, "\"cancelled\"", 11) != 0;
        return true;
    }
    return false;
}

/* Loads the chunk that holds `index`, and finds its line. */
static bool find_item(struct request *r, struct retry *t, uint32_t index)
{
    struct blob *origins = NULL;
    if (!t->items || index - t->first >= t->count || index < t->at_index) {
        blob_unref(&t->items);
        if (store_read_chunk(r->http->reader, t->seq, index, &t->first, &t->count, &t->items, &origins) != STORE_OK)
            return problem_set(&r->problem, PROBLEM_STORAGE_FAILED, "item %u could not be read", index);
        blob_unref(&origins);
        t->at = t->items->data;
        t->at_index = t->first;
    }
    for (; t->at_index < index; t->at_index++)
        t->at = (const char *)memchr(t->at, '\n', (size_t)(t->items->data + t->items->length - t->at)) + 1;
    return true;
}

static bool add_item(struct request *r, struct retry *t, uint32_t index)
{
    if (!find_item(r, t, index))
        return false;
    struct chunker *c = &r->upload->chunker;
    size_t length = strcspn(t->at, "\n");
    memcpy(chunker_place(c, length), t->at, length);
    chunker_origin(c, index);
    chunker_commit(c, length);
    return true;
}

static bool take_batch(struct request *r, struct retry *t, const struct store_batch *b)
{
    const char *at = b->lines ? b->lines->data : NULL;
    for (uint32_t i = 0; b->failed && at && i < b->count; i++) {
        size_t length = strcspn(at, "\n");
        if (b->first + i >= t->from && is_failure(at, length) && !add_item(r, t, b->first + i))
            return false;
        at += length + 1;
    }
    t->from = b->first + b->count;
    return true;
}

static void read_some(struct request *r, struct retry *t)
{
    struct store_batch batches[STEP_BATCHES];
    unsigned count = 0;
    enum store_status status =
        store_read_results(r->http->reader, t->seq, true, t->from, STEP_BYTES, batches, STEP_BATCHES, &count);
    if (status != STORE_OK)
        problem_set(&r->problem, PROBLEM_STORAGE_FAILED, "the results could not be read");
    for (unsigned i = 0; i < count; i++) {
        if (r->problem.type == PROBLEM_NONE)
            take_batch(r, t, &batches[i]);
        blob_unref(&batches[i].lines);
    }
    t->ended = count == 0;
    if (t->ended && t->from < t->total) /* an ended job has a result for each: it is being removed */
        problem_set(&r->problem, PROBLEM_GONE, "the job expired while it was read");
}

static void finish(struct request *r)
{
    if (r->problem.type == PROBLEM_NONE && !r->upload->chunker.total)
        problem_set(&r->problem, PROBLEM_NOTHING_TO_RETRY, "all its items succeeded or were cancelled");
    if (r->problem.type == PROBLEM_NONE)
        r->upload->ended = true;
    upload_pump(r->upload);
    upload_finish_created(r);
}

/* One turn's worth, then lets others go on. */
static void step(struct request *r)
{
    struct retry *t = r->state;
    upload_pump(r->upload);
    if (r->problem.type != PROBLEM_NONE || t->ended || r->upload->replayed) {
        finish(r);
        return;
    }
    if (upload_room(r->upload)) {
        read_some(r, t);
        upload_pump(r->upload);
        atomic_fetch_add(&r->events, 1); /* wakes it at once, after everybody else's turn */
    }
    request_wait(r, step);
}

static void drop(void *state)
{
    struct retry *t = state;
    blob_unref(&t->items);
}

static void begin(struct request *r, const struct job_view *view)
{
    struct retry *t = calloc(1, sizeof *t);
    CHECK(t, "out of memory");
    t->total = view->counts.total;
    t->seq = view->seq;
    t->created_ms = view->created_ms;
    r->state = t;
    r->drop_state = drop;
    struct upload *u = upload_new(r, true);
    memcpy(u->function, view->function, sizeof u->function);
    u->kind = view->kind;
    u->options = view->options;
    /* What the first job ran with is what is asked for, also where its function had set it; lowered ceilings hold. */
    u->asked = OPTIONS_ALL & ~(view->options.retention_s < 0 ? (unsigned)OPTION_RETENTION : 0);
    created_origin(r, &u->origin);
    if (!*u->origin.traceparent) /* a retry belongs to whatever the first job did */
        memcpy(u->origin.traceparent, view->origin.traceparent, sizeof u->origin.traceparent);
    u->options.open = false;
    u->options.delay_ms = 0;
    u->retry_of = view->seq;
    u->retry_of_created_ms = view->created_ms;
    u->chunker.with_origins = true;
    created_fingerprint(&u->fingerprint, r);
    upload_start(u, false);
    step(r);
}

static void known(struct request *r)
{
    struct job_view view;
    bool live;
    if (!request_take_job(r, &view, &live))
        return;
    if (!job_state_ended(view.state))
        request_fail_engine(r, ENGINE_NOT_ENDED);
    else if (!view.counts.failed)
        request_fail(r, PROBLEM_NOTHING_TO_RETRY, "all its items succeeded or were cancelled");
    else
        begin(r, &view);
}

void post_retry(struct request *r)
{
    if (!created_wanted(r)) {
        request_answer_problem(r);
        return;
    }
    request_question(r, ASK_JOB);
    request_ask(r, known);
}
