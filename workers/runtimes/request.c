/* request: a batch of items on its way to a runtime. See exchange.h. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "runtimes/exchange.h"

static void append_head(struct exchange *exchange)
{
    const struct assignment *assignment = exchange->assignment;
    struct buf *request = &exchange->request;
    buf_printf(request, "{\"id\":%" PRIu64 ",\"function\":", exchange->first_id);
    buf_append_json_string(request, assignment->function, strlen(assignment->function));
    buf_append_text(request, exchange->runtime->batch ? ",\"items\":[" : ",\"item\":");
}

static void append_tail(struct exchange *exchange)
{
    const struct assignment *assignment = exchange->assignment;
    struct buf *request = &exchange->request;
    buf_printf(request, "%s,\"star\":%s,\"attempt\":%u,\"deadline\":", exchange->runtime->batch ? "]" : "",
               assignment->star ? "true" : "false", assignment->attempt);
    if (assignment->timeout_ns > 0)
        buf_printf(request, "%.3f", (double)clock_wall_ms() / 1e3 + (double)assignment->timeout_ns / 1e9);
    else
        buf_append_text(request, "null");
    buf_append_text(request, ",\"job\":");
    buf_append_json_string(request, assignment->job_id, strlen(assignment->job_id));
    buf_printf(request, ",\"index\":%u", exchange->tasks[exchange->first].index);
    if (*assignment->traceparent) /* digits and dashes: nothing to escape */
        buf_printf(request, ",\"traceparent\":\"%s\"", assignment->traceparent);
    buf_append_text(request, "}\n");
}

void request_write(struct exchange *exchange)
{
    append_head(exchange);
    for (uint32_t place = exchange->first; place < exchange->end; place++) {
        const struct task *task = &exchange->tasks[place];
        if (place > exchange->first)
            buf_append_char(&exchange->request, ',');
        buf_append(&exchange->request, task->item, task->length);
    }
    append_tail(exchange);
}

void request_send(struct exchange *exchange)
{
    while (exchange->sent < exchange->request.length && exchange->runtime->talk != -1) {
        ssize_t sent = send(exchange->runtime->talk, exchange->request.data + exchange->sent,
                            exchange->request.length - exchange->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            exchange->sent += (size_t)sent;
        else if (errno == EAGAIN)
            return;
        else if (errno != EINTR)
            exchange->sent = exchange->request.length;
    }
}
