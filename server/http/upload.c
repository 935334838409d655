#include "http/upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"

/* How long items may lie here before they are handed over though the chunk is not full: a slow generator's items shall
 * start, a fast one's shall come in full chunks. */
#define TRICKLE_NS (20 * NS_PER_MS)
/* A body that is all here sooner than so many bytes becomes one request to the engine, one commit. */
#define FIRST_BYTES ((size_t)128 * 1024)
/* With a key, so many bytes of the body (or all) are in the fingerprint. */
#define FINGERPRINT_BYTES ((size_t)64 * 1024)
#define PIECE_BYTES ((size_t)64 * 1024)

struct upload *upload_new(struct request *r, bool own)
{
    struct upload *u = calloc(1, sizeof *u);
    CHECK(u, "out of memory");
    u->own = own;
    u->options = job_options_default();
    chunker_init(&u->chunker);
    fingerprint_init(&u->fingerprint);
    u->r = request_ref(r);
    r->upload = u;
    LIST_INSERT_HEAD(&r->http->uploads, u, link);
    r->http->upload_count++;
    return u;
}

void upload_free(struct upload **upload)
{
    struct upload *u = *upload;
    if (!u)
        return;
    chunker_free(&u->chunker);
    ndjson_free(&u->split);
    free(u);
    *upload = NULL;
}

/* No question is out and none will come: the request need not be kept for it any more. */
static void settle(struct upload *u)
{
    if (u->state == UPLOAD_SETTLED)
        return;
    u->state = UPLOAD_SETTLED;
    struct request *r = u->r;
    LIST_REMOVE(u, link);
    r->http->upload_count--;
    if (r->problem.type != PROBLEM_NONE && !u->gone) {
        if (!u->own)
            r->problem.accepted = u->accepted;
        request_refuse(r);
    }
    atomic_fetch_add(&r->events, 1); /* not from the engine, but it is something to go on with */
    request_wake(r);
    request_unref(&r); /* may free u */
}

void upload_start(struct upload *u, bool star)
{
    ndjson_init(&u->split, &u->chunker, star, u->r->http->config->max_item);
    u->state = UPLOAD_RUNNING;
}

/* ---- to the engine ---- */

static unsigned out(const struct upload *u)
{
    return u->head - u->tail;
}

static struct engine_request *question(struct upload *u, enum engine_request_type type)
{
    struct engine_request *e = &u->asks[u->head % UPLOAD_ASKS].engine;
    memset(e, 0, sizeof *e);
    e->type = type;
    e->seq = u->r->seq;
    e->created_ms = u->r->created_ms;
    return e;
}

static void post(struct upload *u, size_t bytes, int64_t items)
{
    unsigned at = u->head++ % UPLOAD_ASKS;
    u->sizes[at].bytes = bytes;
    u->sizes[at].items = items;
    u->unacknowledged += bytes;
    u->waiting_since_ns = 0;
    ask_send(&u->asks[at], u->r);
}

static int64_t count_items(const struct engine_chunk *chunk)
{
    int64_t items = 0;
    for (; chunk; chunk = chunk->next)
        items += chunk->count;
    return items;
}

static void submit(struct upload *u)
{
    struct engine_request *e = question(u, ASK_SUBMIT);
    const char *key = u->r->heads.value[HEAD_IDEMPOTENCY_KEY];
    size_t bytes = u->chunker.bytes;
    memcpy(e->submit.function, u->function, sizeof e->submit.function);
    e->submit.kind = u->kind;
    e->submit.options = u->options;
    e->submit.asked = u->asked;
    e->submit.origin = u->origin;
    e->submit.client_jobs = u->r->limits.jobs;
    e->submit.retry_of = u->retry_of;
    e->submit.retry_of_created_ms = u->retry_of_created_ms;
    e->submit.chunks = chunker_take(&u->chunker);
    e->submit.uploading = !u->ended;
    if (key)
        strcpy(e->submit.key, key); /* its length was checked */
    e->submit.fingerprint = fingerprint_value(&u->fingerprint);
    u->submitted = true;
    u->last_sent = u->ended;
    post(u, bytes, count_items(e->submit.chunks));
}

static void append(struct upload *u)
{
    struct engine_request *e = question(u, ASK_APPEND);
    size_t bytes = u->chunker.bytes;
    e->append.chunks = chunker_take(&u->chunker);
    e->append.uploading = u->own;
    e->append.last = u->own && u->ended;
    u->last_sent = u->ended;
    post(u, bytes, count_items(e->append.chunks));
}

static void send_abort(struct upload *u)
{
    struct engine_request *e = question(u, ASK_APPEND);
    e->append.abort = e->append.uploading = true;
    snprintf(e->append.reason, sizeof e->append.reason, "%.150s",
             u->r->problem.type ? u->r->problem.detail : "the client left during the upload");
    u->aborted = true;
    post(u, 0, 0);
}

static bool trickles(const struct upload *u)
{
    return u->waiting_since_ns && clock_mono_ns() - u->waiting_since_ns > TRICKLE_NS;
}

static void send_first(struct upload *u)
{
    bool fingerprinted = !u->keyed || u->fingerprinted >= FINGERPRINT_BYTES;
    if (!u->ended && !(fingerprinted && (u->chunker.bytes >= FIRST_BYTES || trickles(u))))
        return;
    chunker_cut(&u->chunker);
    submit(u);
}

static void send_more(struct upload *u)
{
    if (!u->known || out(u) == UPLOAD_ASKS || u->last_sent)
        return;
    if (u->ended || (trickles(u) && !out(u)))
        chunker_cut(&u->chunker);
    /* Items for an open job that has none: still ask once, so that a job that is not open is told. */
    if (u->chunker.first || u->ended)
        append(u);
}

/* ---- from the engine ---- */

static void submitted(struct upload *u, struct engine_request *e)
{
    struct request *r = u->r;
    u->replayed = e->submit.replayed;
    u->replay_live = e->status != ENGINE_NOT_LIVE;
    if (e->status != ENGINE_OK && e->status != ENGINE_TIMEOUT && !(e->status == ENGINE_NOT_LIVE && u->replayed)) {
        request_submit_problem(r, e);
        return;
    }
    blob_unref(&e->submit.line);
    r->seq = e->seq;
    r->created_ms = e->view.created_ms;
    u->known = true;
    u->view = e->view;
}

static void collect(struct upload *u)
{
    while (out(u)) {
        unsigned at = u->tail % UPLOAD_ASKS;
        struct engine_request *e = &u->asks[at].engine;
        if (!ask_take(&u->asks[at]))
            return;
        u->tail++;
        engine_chunk_free(e->type == ASK_SUBMIT ? &e->submit.chunks : &e->append.chunks); /* what was not taken */
        u->unacknowledged -= u->sizes[at].bytes;
        if (e->type == ASK_SUBMIT)
            submitted(u, e);
        else if (e->status == ENGINE_OK || e->status == ENGINE_TIMEOUT)
            u->view = e->view;
        else if (!(u->aborted && e->append.abort))
            request_engine_problem(u->r, e->status == ENGINE_NOT_LIVE ? ENGINE_NOT_OPEN : e->status);
        if (u->r->problem.type == PROBLEM_NONE && !u->replayed)
            u->accepted += u->sizes[at].items;
    }
}

/* ---- the machine ---- */

static void drop_items(struct upload *u)
{
    struct engine_chunk *chunks = chunker_take(&u->chunker);
    engine_chunk_free(&chunks);
}

/* The ring is not in use while it is opening: its first place serves. */
void upload_open(struct upload *u)
{
    question(u, ASK_JOB);
    ask_send(&u->asks[0], u->r);
}

static void opened(struct upload *u)
{
    struct request *r = u->r;
    if (!ask_take(&u->asks[0]))
        return;
    enum engine_status status = u->asks[0].engine.status;
    u->view = u->asks[0].engine.view;
    u->known = true;
    if (status == ENGINE_OK || status == ENGINE_TIMEOUT)
        upload_start(u, u->view.kind == JOB_STARMAP);
    else if (status == ENGINE_NOT_LIVE && request_read_job(r, &u->view))
        request_engine_problem(r, ENGINE_NOT_OPEN);
    else
        request_engine_problem(r, status);
}

static void run(struct upload *u)
{
    if (u->replayed) {
        drop_items(u);
        if (u->ended && !out(u))
            settle(u);
        return;
    }
    if (!u->submitted && u->own)
        send_first(u);
    else
        send_more(u);
    if (u->last_sent && !out(u))
        settle(u);
}

static void wind_up(struct upload *u)
{
    bool opening = !out(u) && u->asks[0].out && !ask_take(&u->asks[0]);
    if (out(u) || opening)
        return;
    if (u->own && u->known && !u->replayed && !u->aborted && !u->last_sent)
        send_abort(u);
    else
        settle(u);
}

void upload_pump(struct upload *u)
{
    if (u->state == UPLOAD_SETTLED)
        return;
    collect(u);
    if (u->state == UPLOAD_OPENING)
        opened(u);
    if (u->state != UPLOAD_FAILING && (u->r->problem.type != PROBLEM_NONE || u->gone)) {
        u->state = UPLOAD_FAILING;
        drop_items(u);
    }
    if (u->state == UPLOAD_RUNNING)
        run(u);
    else if (u->state == UPLOAD_FAILING)
        wind_up(u);
}

bool upload_room(const struct upload *u)
{
    return u->state == UPLOAD_RUNNING && u->unacknowledged + u->chunker.bytes < UPLOAD_AHEAD;
}

static size_t take_piece(struct upload *u, const char *data, size_t length)
{
    size_t piece = length < PIECE_BYTES ? length : PIECE_BYTES;
    int64_t lines = u->split.line;
    if (u->keyed && u->fingerprinted < FINGERPRINT_BYTES) {
        size_t rest = FINGERPRINT_BYTES - u->fingerprinted, n = piece < rest ? piece : rest;
        fingerprint_add(&u->fingerprint, data, n);
        u->fingerprinted += n;
    }
    if (!u->replayed)
        ndjson_feed(&u->split, data, piece, &u->r->problem);
    if (u->split.line != lines || u->replayed)
        connection_phase(u->r->connection, PHASE_BODY); /* progress */
    if (!u->waiting_since_ns && (u->chunker.first || u->chunker.count))
        u->waiting_since_ns = clock_mono_ns();
    return piece;
}

size_t upload_feed(struct upload *u, const char *data, size_t length)
{
    size_t used = 0;
    upload_pump(u);
    while (used < length && upload_room(u)) {
        used += take_piece(u, data + used, length - used);
        upload_pump(u);
    }
    /* Once it fails the rest is thrown away. */
    return u->state == UPLOAD_FAILING || u->state == UPLOAD_SETTLED ? length : used;
}

void upload_end(struct upload *u)
{
    u->ended = true;
    upload_pump(u);
}

void upload_gone(struct upload *u)
{
    u->gone = true;
    upload_pump(u);
}

void uploads_tick(struct http *http)
{
    struct upload *u = LIST_FIRST(&http->uploads);
    while (u) {
        struct upload *next = LIST_NEXT(u, link);
        upload_pump(u);
        u = next;
    }
}
