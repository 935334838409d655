/* receive: waits for slices. See worker.h. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/log.h"
#include "worker/worker.h"

#define EXIT_CONFUSED 3

_Noreturn void worker_confused(const char *what)
{
    log_event(LOG_ERROR, "worker.confused", "reason=\"%s\"", what);
    exit(EXIT_CONFUSED);
}

static void wait_readable(struct worker *worker)
{
    struct pollfd wait = {.fd = worker->channel.fd, .events = POLLIN};
    poll(&wait, 1, -1);
}

/* The next frame, however long it takes. */
static void next_frame(struct worker *worker, struct frame *frame)
{
    while (!channel_next(&worker->channel, frame)) {
        if (worker->channel.broken)
            worker_confused("no frame");
        if (worker->channel.eof)
            exit(0);
        wait_readable(worker);
        if (channel_receive(&worker->channel) == CHANNEL_BROKEN)
            worker_confused("the channel failed");
    }
}

void worker_receive(struct worker *worker, struct message_run *run, const char **tail, size_t *tail_length)
{
    struct frame frame;
    next_frame(worker, &frame);
    if (frame.type != MESSAGE_run)
        worker_confused("not a run message");
    if (frame.slot != worker->slot || frame.generation != worker->generation)
        worker_confused("a run for another worker");
    if (message_run_decode(run, frame.body, frame.body_length) == -1)
        worker_confused("a malformed run message");
    *tail = frame.tail;
    *tail_length = frame.tail_length;
}
