#include "http/stream.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "http/answer.h"
#include "http/feed.h"
#include "http/job_json.h"

/* Proxies cut what is silent for 30 s or more. */
#define HEARTBEAT_NS (10 * NS_PER_S)
enum { PENDING_BYTES = 64 * 1024 };

struct stream {
    struct request *r;
    struct feed feed;
    bool sse, done, cut;
    struct buf pending; /* written, but not sent */
    size_t sent;        /* of pending */
};

static size_t drain(struct stream *s, char *out, size_t size)
{
    size_t left = s->pending.length - s->sent, n = left < size ? left : size;
    if (n)
        memcpy(out, s->pending.data + s->sent, n);
    s->sent += n;
    if (s->sent == s->pending.length) {
        buf_clear(&s->pending, 2 * PENDING_BYTES);
        s->sent = 0;
    }
    return n;
}

/* One line as an event; its id is where to go on after it. */
static bool write_event(struct stream *s)
{
    if (!feed_any(&s->feed))
        return false;
    buf_printf(&s->pending, "id: %u\ndata: ", feed_next(&s->feed));
    feed_line(&s->feed, &s->pending);
    buf_append_char(&s->pending, '\n');
    return true;
}

static void write_lines(struct stream *s)
{
    while (s->pending.length < PENDING_BYTES && (s->sse ? write_event(s) : feed_line(&s->feed, &s->pending)))
        if (!s->sse && feed_any(&s->feed) && s->feed.batches[s->feed.at].lines)
            break; /* from here on lines can be copied in bulk */
}

static void write_end(struct stream *s)
{
    if (s->sse)
        buf_append_text(&s->pending, "event: end\ndata: ");
    job_write_end(&s->pending, &s->feed.view);
    if (s->sse)
        buf_append_char(&s->pending, '\n');
    s->done = true;
}

/* Not a result, not the end, and no cut: come again with from= (or Last-Event-ID, which browsers do by themselves). */
static void write_drained(struct stream *s)
{
    if (s->sse)
        buf_append_text(&s->pending, "retry: 1000\nevent: draining\ndata: ");
    buf_printf(&s->pending, "{\"end\":false,\"reason\":\"draining\",\"next\":%u}\n", s->feed.from);
    if (s->sse)
        buf_append_char(&s->pending, '\n');
    s->done = true;
}

static void take(struct stream *s)
{
    switch (feed_take(&s->feed)) {
    case FEED_LINES:
        break;
    case FEED_NOTHING:
        buf_append_text(&s->pending, s->sse ? ":\n\n" : "\n");
        break;
    case FEED_ENDED:
        write_end(s);
        break;
    case FEED_DRAINED:
        write_drained(s);
        break;
    case FEED_CUT:
        s->cut = true;
        break;
    }
}

/* Moves what there is into the buffer; 0 when there is nothing now. */
static size_t fill(struct stream *s, char *out, size_t size)
{
    size_t n = 0;
    while (n < size) {
        size_t before = n;
        n += drain(s, out + n, size - n);
        if (n < size && !s->sse)
            n += feed_copy(&s->feed, out + n, size - n);
        if (n < size && feed_any(&s->feed))
            write_lines(s);
        else if (n == before)
            break;
    }
    return n;
}

/* Makes more to send, without waiting. False when the engine has to answer first. */
static bool advance(struct stream *s)
{
    struct request *r = s->r;
    if (!r->ask.out && feed_ask(&s->feed, clock_mono_ns() + HEARTBEAT_NS))
        return false;
    r->seen = atomic_load(&r->events);
    if (r->ask.out && !ask_take(&r->ask))
        return false;
    take(s);
    return true;
}

static ssize_t on_read(void *context, uint64_t position, char *out, size_t size)
{
    struct stream *s = context;
    struct request *r = s->r;
    (void)position;
    r->seen = atomic_load(&r->events);
    while (!r->dead) {
        size_t n = fill(s, out, size);
        /* Ask for the next ones while these are being sent. */
        bool moved =
            !s->done && !s->cut && !feed_any(&s->feed) && s->pending.length == s->sent && n < size && advance(s);
        if (n)
            return (ssize_t)n;
        if (moved || feed_any(&s->feed) || s->pending.length > s->sent)
            continue;
        if (s->done)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (s->cut)
            break;
        request_suspend(r);
        return 0;
    }
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static void on_free(void *context)
{
    struct stream *s = context;
    request_unref(&s->r);
}

void stream_answer(struct request *r, bool sse, bool input_order, uint32_t from)
{
    struct stream *s = calloc(1, sizeof *s);
    CHECK(s, "out of memory");
    r->stream = s;
    r->http->streams++;
    s->r = request_ref(r); /* dropped by on_free: the response may live longer than the request */
    s->sse = sse;
    feed_init(&s->feed, r, input_order, from);
    request_header(r, "Content-Type", sse ? TYPE_SSE_TEXT : TYPE_NDJSON_TEXT);
    request_header(r, "X-Accel-Buffering", "no");
    request_answer_response(r, 200,
                            MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PENDING_BYTES, on_read, s, on_free));
}

void stream_free(struct stream **stream)
{
    struct stream *s = *stream;
    if (!s)
        return;
    feed_free(&s->feed);
    buf_free(&s->pending);
    free(s);
    *stream = NULL;
}
