/* NDJSON into a queue: put as it comes, many values in a call, one call at a time. So the engine is not held by a large
 * body, the order of lines stays, and a queue that is full slows its client down (with ?wait=).
 *
 *     OPENING ─ (is it there, and how many fit?) ─> RUNNING ─ all lines put, or one is bad, or a call failed, or the
 *                                                             client left; no call is out ─> SETTLED */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "http/objects.h"
#include "wire/scan.h"

/* A call has the lines of one chunk (1024, 256 KiB). Of a queue with a maxsize a quarter of that at most, because a
 * call waits until all of its values fit. */
enum { AHEAD_BYTES = 1024 * 1024, PIECE_BYTES = 64 * 1024, MAXSIZE_PART = 4 };

/* ---- life ---- */

static void left(struct request *r)
{
    if (r->put)
        object_put_gone(r->put);
}

static struct object_put *put_new(struct request *r, int64_t wait_ms)
{
    struct object_put *p = calloc(1, sizeof *p);
    CHECK(p, "out of memory");
    p->r = request_ref(r);
    p->wait_ms = wait_ms;
    chunker_init(&p->chunker);
    int64_t most = r->http->config->max_item;
    ndjson_init(&p->split, &p->chunker, false, most < OBJECT_VALUE_MAX ? most : OBJECT_VALUE_MAX);
    object_question_init(&p->question);
    r->put = p;
    r->left = left;
    LIST_INSERT_HEAD(&r->http->puts, p, link);
    r->http->upload_count++;
    return p;
}

void object_put_free(struct object_put **put)
{
    struct object_put *p = *put;
    if (!p)
        return;
    engine_chunk_free(&p->chunks);
    chunker_free(&p->chunker);
    ndjson_free(&p->split);
    object_question_free(&p->question);
    free(p);
    *put = NULL;
}

static void settle(struct object_put *p)
{
    struct request *r = p->r;
    p->state = PUT_SETTLED;
    LIST_REMOVE(p, link);
    r->http->upload_count--;
    if (r->problem.type != PROBLEM_NONE && !p->gone) {
        r->problem.accepted = p->accepted;
        request_refuse(r);
    }
    atomic_fetch_add(&r->events, 1); /* not from the engine, but it is something to go on with */
    request_wake(r);
    request_unref(&r); /* may free p */
}

/* ---- to the engine ---- */

static void begin(struct object_put *p, const char *op)
{
    object_question_clear(&p->question);
    p->question.call.kind = OBJECT_QUEUE;
    strcpy(p->question.call.name, p->r->name);
    strcpy(p->question.call.op, op);
}

static void open_queue(struct object_put *p)
{
    begin(p, "size");
    object_question_send(&p->question, p->r);
}

/* Lines of the first chunk as an array: a line break becomes a comma. */
static void write_values(struct object_put *p)
{
    struct buf *args = &p->question.args;
    const char *lines = p->chunks->items->data + p->at, *end = p->chunks->items->data + p->chunks->items->length;
    p->sent = 0;
    p->sent_bytes = 0;
    buf_append_text(args, "{\"values\":[");
    for (const char *at = lines; at != end && p->sent < p->most; p->sent++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (p->sent)
            buf_append_char(args, ',');
        buf_append(args, at, (size_t)(newline - at));
        at = newline + 1;
        p->sent_bytes = (size_t)(at - lines);
    }
    buf_append_text(args, "]}");
}

static void send_some(struct object_put *p)
{
    begin(p, "put");
    write_values(p);
    p->question.call.deadline_ns = p->wait_ms > 0 ? clock_mono_ns() + p->wait_ms * NS_PER_MS : 0;
    object_question_send(&p->question, p->r);
}

/* ---- from the engine ---- */

static long long number(struct buf *answer, const char *name)
{
    struct scan_walk w;
    long long value = 0;
    for (scan_enter(&w, answer->data, answer->data + answer->length, false); scan_next(&w);)
        if ((size_t)(w.key_end - w.key) == strlen(name) && memcmp(w.key, name, strlen(name)) == 0)
            scan_integer(w.value, w.value_end, &value);
    return value;
}

static void opened(struct object_put *p)
{
    long long maxsize = number(&p->question.call.answer, "maxsize");
    long long part = (maxsize + MAXSIZE_PART - 1) / MAXSIZE_PART;
    p->most = maxsize == 0 || part > CHUNK_ITEMS_MAX ? CHUNK_ITEMS_MAX : (uint32_t)part;
    p->size = number(&p->question.call.answer, "size");
    p->state = PUT_RUNNING;
}

static void drop_chunk(struct object_put *p)
{
    struct engine_chunk *first = p->chunks;
    p->chunks = first->next;
    first->next = NULL;
    p->bytes -= first->items->length;
    p->at = 0;
    engine_chunk_free(&first);
}

static void collect(struct object_put *p)
{
    if (!ask_take(&p->question.ask))
        return;
    if (p->r->connection)
        connection_phase(p->r->connection, p->r->connection->phase); /* its time begins anew */
    if (object_problem(p->r, &p->question)) {
        p->failed = true;
    } else if (p->state == PUT_OPENING) {
        opened(p);
    } else {
        p->accepted += p->sent;
        p->size = number(&p->question.call.answer, "size");
        p->at += p->sent_bytes;
        if (p->at == p->chunks->items->length)
            drop_chunk(p);
    }
}

/* ---- the machine ---- */

static bool next_chunk(struct object_put *p)
{
    if (p->chunks)
        return true;
    chunker_cut(&p->chunker);
    p->bytes = p->chunker.bytes;
    p->chunks = chunker_take(&p->chunker);
    return p->chunks != NULL;
}

static void pump(struct object_put *p)
{
    if (p->state == PUT_SETTLED)
        return;
    collect(p);
    if (p->question.ask.out)
        return;
    bool over = p->failed || p->gone;
    if (!over && p->state == PUT_RUNNING && next_chunk(p))
        send_some(p);
    else if (over || p->ended || p->r->problem.type != PROBLEM_NONE)
        settle(p);
}

static bool room(const struct object_put *p)
{
    return p->state == PUT_RUNNING && p->bytes + p->chunker.bytes + p->chunker.lines.length < AHEAD_BYTES;
}

static bool is_over(const struct object_put *p)
{
    return p->state == PUT_SETTLED || p->failed || p->r->problem.type != PROBLEM_NONE;
}

size_t object_put_feed(struct object_put *p, const char *data, size_t length)
{
    size_t used = 0;
    pump(p);
    while (used < length && room(p) && !is_over(p)) {
        size_t piece = length - used < PIECE_BYTES ? length - used : PIECE_BYTES;
        int64_t lines = p->split.line;
        ndjson_feed(&p->split, data + used, piece, &p->r->problem);
        if (p->split.line != lines)
            connection_phase(p->r->connection, PHASE_BODY); /* progress */
        used += piece;
        pump(p);
    }
    return is_over(p) ? length : used; /* once it fails the rest is thrown away */
}

bool object_put_busy(const struct object_put *p)
{
    return p->question.ask.out;
}

void object_put_gone(struct object_put *p)
{
    p->gone = true;
    object_question_left(&p->question);
    pump(p);
}

void object_puts_tick(struct http *http)
{
    struct object_put *p = LIST_FIRST(&http->puts);
    while (p) {
        struct object_put *next = LIST_NEXT(p, link);
        pump(p);
        p = next;
    }
}

/* ---- the handlers ---- */

void object_put_begin(struct request *r)
{
    int64_t wait_ms, deadline_ns;
    if (r->heads.value[HEAD_IDEMPOTENCY_KEY])
        problem_set(&r->problem, PROBLEM_INVALID_HEADER, "Idempotency-Key is for getting from queues only");
    if (strlen(r->name) > OBJECT_PATH_MAX)
        problem_set(&r->problem, PROBLEM_OBJECT_INVALID, "a name has at most %d characters", OBJECT_NAME_MAX);
    if (r->problem.type != PROBLEM_NONE || !object_wait(r, &wait_ms, &deadline_ns)) {
        request_refuse(r);
        return;
    }
    open_queue(put_new(r, wait_ms));
}

static void finish(struct request *r)
{
    struct object_put *p = r->put;
    struct buf document = BUF_EMPTY;
    pump(p);
    if (!p->ended && p->state != PUT_OPENING) {
        if (!is_over(p))
            ndjson_finish(&p->split, &r->problem);
        p->ended = true;
        pump(p);
    }
    if (p->state != PUT_SETTLED) {
        request_wait(r, finish);
        return;
    }
    if (r->problem.type != PROBLEM_NONE) {
        request_answer_problem(r);
        return;
    }
    if (p->wait_ms >= 0 && r->heads.value[HEAD_PREFER])
        request_header(r, "Preference-Applied", "wait");
    buf_printf(&document, "{\"accepted\":%lld,\"size\":%lld}\n", p->accepted, p->size);
    request_answer_json(r, 200, &document);
}

void object_put_end(struct request *r)
{
    if (r->put)
        finish(r);
    else
        object_request(r);
}
