#include "http/feed.h"

#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "http/job_json.h"

enum { STORE_BYTES = 256 * 1024, HELD_BYTES = 1024 * 1024 };

void feed_init(struct feed *f, struct request *r, bool input_order, uint32_t from)
{
    *f = (struct feed){.r = r, .input_order = input_order, .from = from};
}

static void drop(struct feed *f)
{
    for (; f->at < f->count; f->at++)
        blob_unref(&f->batches[f->at].lines);
    f->at = f->count = 0;
    f->entered = false;
}

void feed_free(struct feed *f)
{
    drop(f);
}

bool feed_ask(struct feed *f, int64_t deadline_ns)
{
    if (f->from_store || f->ended)
        return false;
    struct engine_request *e = request_question(f->r, ASK_RESULTS);
    e->deadline_ns = deadline_ns;
    e->results.input_order = f->input_order;
    e->results.from = f->from;
    ask_send(&f->r->ask, f->r);
    return true;
}

static enum feed_state read_store(struct feed *f)
{
    f->at = f->count = 0;
    enum store_status status = store_read_results(f->r->http->reader, f->r->seq, f->input_order, f->from, STORE_BYTES,
                                                  f->batches, ENGINE_BATCHES_MAX, &f->count);
    if (status != STORE_OK)
        f->count = 0;
    return f->count ? FEED_LINES : FEED_CUT;
}

/* The engine does not know the job: the store has all there is, and its end. */
static enum feed_state read_ended(struct feed *f)
{
    f->from_store = true;
    if (read_store(f) == FEED_LINES)
        return FEED_LINES;
    if (store_read_job(f->r->http->reader, f->r->seq, f->r->created_ms, clock_wall_ms(), &f->view) != STORE_OK ||
        !job_state_ended(f->view.state))
        return FEED_CUT;
    f->ended = true;
    return FEED_ENDED;
}

/* Keeps no more than a slow reader may hold; what is left is asked for again. */
static void keep_some(struct feed *f, struct engine_request *e)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < e->results.count; i++) {
        struct store_batch *b = &e->results.batches[i];
        if (bytes >= HELD_BYTES) {
            blob_unref(&b->lines);
            continue;
        }
        f->batches[f->count++] = *b;
        bytes += b->lines ? b->lines->length : 0;
    }
}

static enum feed_state take_batches(struct feed *f, struct engine_request *e)
{
    f->at = f->count = 0;
    keep_some(f, e);
    f->ended = e->results.ended && f->count == e->results.count;
    e->results.count = 0; /* the references are ours now */
    if (f->ended)
        f->view = e->view;
    return f->count ? FEED_LINES : f->ended ? FEED_ENDED : FEED_NOTHING;
}

enum feed_state feed_take(struct feed *f)
{
    struct engine_request *e = &f->r->ask.engine;
    char id[JOB_ID_LENGTH + 1];
    if (f->ended)
        return FEED_ENDED;
    if (f->from_store)
        return read_ended(f);
    switch (e->status) {
    case ENGINE_OK:
    case ENGINE_TIMEOUT:
        if (!e->results.in_store)
            return take_batches(f, e);
        if (read_store(f) == FEED_LINES)
            return FEED_LINES;
        job_id_format(id, f->r->created_ms, f->r->seq);
        log_event(LOG_ERROR, "http.results_missing", "job=%s from=%u", id, f->from);
        return FEED_CUT;
    case ENGINE_NOT_LIVE:
        return read_ended(f);
    case ENGINE_SHUTDOWN:
        return FEED_DRAINED;
    default:
        return FEED_CUT;
    }
}

bool feed_any(const struct feed *f)
{
    return f->at < f->count;
}

/* ---- the lines of the batch at hand ---- */

static uint32_t base_of(const struct feed *f, const struct store_batch *b)
{
    return f->input_order ? b->first : b->position;
}

static void leave(struct feed *f)
{
    struct store_batch *b = &f->batches[f->at];
    f->from = base_of(f, b) + b->count;
    blob_unref(&b->lines);
    f->at++;
    f->entered = false;
}

/* The first batch may begin before `from`. */
static struct store_batch *enter(struct feed *f)
{
    struct store_batch *b = &f->batches[f->at];
    if (f->entered)
        return b;
    uint32_t base = base_of(f, b);
    f->line = f->from > base ? f->from - base : 0;
    f->offset = 0;
    f->entered = true;
    for (uint32_t i = 0; b->lines && i < f->line; i++) {
        const char *at = b->lines->data + f->offset;
        const char *newline = memchr(at, '\n', b->lines->length - f->offset);
        f->offset = newline ? (size_t)(newline - b->lines->data) + 1 : b->lines->length;
    }
    return b;
}

size_t feed_copy(struct feed *f, char *out, size_t size)
{
    size_t copied = 0;
    while (feed_any(f) && copied < size) {
        struct store_batch *b = enter(f);
        if (!b->lines)
            break;
        size_t left = b->lines->length - f->offset, n = left < size - copied ? left : size - copied;
        memcpy(out + copied, b->lines->data + f->offset, n);
        copied += n;
        f->offset += n;
        if (n == left)
            leave(f);
    }
    return copied;
}

uint32_t feed_next(struct feed *f)
{
    return base_of(f, enter(f)) + f->line + 1;
}

bool feed_line(struct feed *f, struct buf *out)
{
    if (!feed_any(f))
        return false;
    struct store_batch *b = enter(f);
    if (b->lines) {
        const char *at = b->lines->data + f->offset;
        const char *newline = memchr(at, '\n', b->lines->length - f->offset);
        size_t length = newline ? (size_t)(newline - at) + 1 : b->lines->length - f->offset;
        buf_append(out, at, length);
        f->offset += length;
    } else {
        result_write_cancelled(out, b->first + f->line);
    }
    if (++f->line >= b->count)
        leave(f);
    return true;
}
