/* receive: waits for what the server says. See worker.h.
 *
 * The frame that is acted on lies in the channel's buffer. Answers to the calls of its items come while it is; so that
 * it stays where it is, the channel then gets another buffer, once for each such frame. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "worker/definitions.h"
#include "worker/stop.h"
#include "worker/worker.h"

#define EXIT_CONFUSED 3
enum { SPARE_KEPT = 512 * 1024, IDLE_MS = 2000 };

struct kept {
    TAILQ_ENTRY(kept) next;
    struct frame frame;
    char tail[]; /* and the body behind it */
};

_Noreturn void worker_confused(const char *what)
{
    log_event(LOG_ERROR, "worker.confused", "reason=\"%s\"", what);
    worker_leave(EXIT_CONFUSED);
}

/* Or for SIGTERM, when that is taken gently. */
static void wait_readable(struct worker *worker)
{
    struct pollfd waits[] = {{.fd = worker->channel.fd, .events = POLLIN}, {.fd = stop_fd(), .events = POLLIN}};
    int ready = poll(waits, 2, IDLE_MS);
    if (ready == 0) {
        definitions_idle(worker);
        ready = poll(waits, 2, -1);
    }
    if (ready > 0 && waits[1].revents) {
        definitions_close(worker);
        stop_now();
    }
}

static void read_channel(struct worker *worker)
{
    if (channel_receive(&worker->channel) == CHANNEL_BROKEN)
        worker_confused("the channel failed");
}

static bool next_frame(struct worker *worker, struct frame *frame)
{
    if (channel_next(&worker->channel, frame))
        return true;
    if (worker->channel.broken)
        worker_confused("no frame");
    return false;
}

/* ---- in the middle of something ---- */

static void set_aside(struct worker *worker)
{
    struct channel *channel = &worker->channel;
    if (worker->is_aside)
        return;
    worker->is_aside = true;
    struct buf other = worker->spare;
    if (channel->in.length > channel->in_start)
        buf_append(&other, channel->in.data + channel->in_start, channel->in.length - channel->in_start);
    worker->spare = channel->in;
    channel->in = other;
    channel->in_start = 0;
}

static void keep(struct worker *worker, const struct frame *frame)
{
    struct kept *kept = malloc(sizeof *kept + frame->tail_length + frame->body_length);
    CHECK(kept, "out of memory");
    char *body = kept->tail + frame->tail_length;
    kept->frame = *frame;
    kept->frame.tail = memcpy(kept->tail, frame->tail, frame->tail_length);
    kept->frame.body = memcpy(body, frame->body, frame->body_length);
    TAILQ_INSERT_TAIL(&worker->kept, kept, next);
}

void worker_overhear(struct worker *worker,
                     void (*answer)(void *context, const struct message_answer *, const char *json, size_t length),
                     void *context)
{
    struct frame frame;
    struct message_answer message;
    set_aside(worker);
    read_channel(worker);
    while (next_frame(worker, &frame)) {
        if (frame.type != MESSAGE_answer)
            keep(worker, &frame);
        else if (message_answer_decode(&message, frame.body, frame.body_length) == -1)
            worker_confused("a malformed answer message");
        else
            answer(context, &message, frame.tail, frame.tail_length);
    }
}

/* ---- between frames ---- */

static void forget_last(struct worker *worker)
{
    if (worker->is_aside)
        buf_clear(&worker->spare, SPARE_KEPT);
    worker->is_aside = false;
    free(worker->taken);
    worker->taken = NULL;
}

static bool take_kept(struct worker *worker, struct frame *frame)
{
    worker->taken = TAILQ_FIRST(&worker->kept);
    if (worker->taken == NULL)
        return false;
    TAILQ_REMOVE(&worker->kept, worker->taken, next);
    *frame = worker->taken->frame;
    return true;
}

void worker_receive(struct worker *worker, struct frame *frame)
{
    forget_last(worker);
    if (take_kept(worker, frame))
        return;
    while (!next_frame(worker, frame)) {
        if (worker->channel.eof)
            worker_leave(0);
        wait_readable(worker);
        read_channel(worker);
    }
}
