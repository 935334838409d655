/* outbox: see outbox.h. */
#include "worker/outbox.h"

void outbox_begin(struct outbox *outbox, struct worker *worker, const struct message_run *run)
{
    *outbox = (struct outbox){.worker = worker, .run = run, .began_ns = clock_mono_ns()};
    outbox->sent_ns = outbox->now_ns = clock_coarse_ns();
    if (atomic_load_explicit(&worker->bench->run, memory_order_acquire) != run->run)
        worker_confused("the workbench is set for another run");
}

char *outbox_room(struct outbox *outbox, size_t bytes)
{
    char *room = workbench_room(outbox->worker->bench, bytes);
    if (room || outbox->unsent == 0)
        return room;
    outbox_flush(outbox, false);
    return workbench_room(outbox->worker->bench, bytes);
}

void outbox_flush(struct outbox *outbox, bool done)
{
    struct worker *worker = outbox->worker;
    struct outbox_view lines;
    unsigned char body[MESSAGE_BODY_MAX];
    workbench_outbox(worker->bench, outbox->run->run, &lines);
    struct message_result result = {
        .run = outbox->run->run,
        .first = outbox->run->first + lines.first,
        .count = lines.count,
        .failed = lines.count == 0 ? 0 : atomic_load_explicit(&worker->bench->outbox_failed, memory_order_relaxed),
        .done = done,
        .busy_ns = (uint64_t)(clock_mono_ns() - outbox->began_ns),
    };
    worker_send(worker, MESSAGE_result, body, message_result_encode(&result, body), lines.lines, lines.bytes);
    workbench_sent(worker->bench); /* not before: until now a kill must find the lines there */
    outbox->unsent = 0;
    outbox->sent_ns = outbox->now_ns = clock_coarse_ns();
}

bool outbox_claim(struct outbox *outbox, uint32_t *offset)
{
    if (!workbench_claim(outbox->worker->bench, offset))
        return false;
    if (*offset >= outbox->run->count)
        worker_confused("the workbench has more items than the run");
    return true;
}
