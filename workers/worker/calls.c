/* calls: see calls.h. */
#include "worker/calls.h"

#include <poll.h>

/* The one that a function in this process waits for. */
struct awaited {
    uint64_t run;
    uint32_t index, call;
    struct buf answer;
};

void calls_send(struct worker *worker, const struct message_run *run, uint32_t index, uint32_t call,
                const char *request, size_t length)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_call message = {.run = run->run, .index = index, .attempt = run->attempt, .call = call};
    worker_send(worker, MESSAGE_call, body, message_call_encode(&message, body), request, length);
}

static void take_answer(void *context, const struct message_answer *message, const char *json, size_t length)
{
    struct awaited *awaited = context;
    if (message->run == awaited->run && message->index == awaited->index && message->call == awaited->call)
        buf_append(&awaited->answer, json, length);
}

/* SIGTERM ends the process right here: a function in it is never stopped gently. */
static void wait_for_server(struct worker *worker)
{
    struct pollfd wait = {.fd = worker->channel.fd, .events = POLLIN};
    if (worker->channel.eof)
        worker_leave(0);
    poll(&wait, 1, -1);
}

const char *calls_ask(struct worker *worker, const struct message_run *run, uint32_t index, const char *request,
                      size_t length, size_t *answer_length)
{
    enum { KEPT = 64 * 1024 };
    static struct awaited awaited;
    awaited.run = run->run;
    awaited.index = index;
    awaited.call++;
    buf_clear(&awaited.answer, KEPT);
    calls_send(worker, run, index, awaited.call, request, length);
    while (awaited.answer.length == 0) {
        wait_for_server(worker);
        worker_overhear(worker, take_answer, &awaited);
    }
    *answer_length = awaited.answer.length;
    return buf_cstr(&awaited.answer);
}
