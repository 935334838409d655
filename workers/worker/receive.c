/* receive: waits for what the server says. See worker.h. */
#include <errno.h>
#include <poll.h>

#include "base/log.h"
#include "worker/definitions.h"
#include "worker/stop.h"
#include "worker/worker.h"

#define EXIT_CONFUSED 3

_Noreturn void worker_confused(const char *what)
{
    log_event(LOG_ERROR, "worker.confused", "reason=\"%s\"", what);
    worker_leave(EXIT_CONFUSED);
}

/* Or for SIGTERM, when that is taken gently. */
static void wait_readable(struct worker *worker)
{
    struct pollfd waits[] = {{.fd = worker->channel.fd, .events = POLLIN}, {.fd = stop_fd(), .events = POLLIN}};
    if (poll(waits, 2, -1) > 0 && waits[1].revents) {
        definitions_close(worker);
        stop_now();
    }
}

void worker_receive(struct worker *worker, struct frame *frame)
{
    while (!channel_next(&worker->channel, frame)) {
        if (worker->channel.broken)
            worker_confused("no frame");
        if (worker->channel.eof)
            worker_leave(0);
        wait_readable(worker);
        if (channel_receive(&worker->channel) == CHANNEL_BROKEN)
            worker_confused("the channel failed");
    }
}
