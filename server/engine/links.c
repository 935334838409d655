/* links: the engine's ends of its workers' channels. */
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"
#include "engine/thread.h"

static void on_link(uv_poll_t *poll, int status, int events);

void link_poll_update(struct link *link)
{
    int events = UV_READABLE | (channel_wants_write(&link->channel) ? UV_WRITABLE : 0);
    if (events != link->events)
        CHECK(uv_poll_start(&link->poll, events, on_link) == 0, "cannot poll worker %u", link->slot);
    link->events = events;
}

void link_quiet(struct link *link)
{
    if (link->events)
        uv_poll_stop(&link->poll);
    link->events = 0;
}

static void link_frame(struct link *link, const struct frame *frame)
{
    struct core *core = &link->engine->core;
    struct message_hello hello;
    struct message_result result;
    struct message_output output;
    struct message_offer offer;
    struct message_progress progress;
    struct message_call call;
    bool sane = frame->slot == link->slot && frame->generation == link->generation;
    if (sane && frame->type == MESSAGE_hello && message_hello_decode(&hello, frame->body, frame->body_length) == 0 &&
        hello.protocol == WIRE_PROTOCOL)
        core_worker_hello(core, frame->slot, frame->generation, &hello, frame->tail, frame->tail_length);
    else if (sane && frame->type == MESSAGE_result &&
             message_result_decode(&result, frame->body, frame->body_length) == 0)
        core_worker_result(core, frame->slot, frame->generation, &result, frame->tail, frame->tail_length);
    else if (sane && frame->type == MESSAGE_output &&
             message_output_decode(&output, frame->body, frame->body_length) == 0)
        core_worker_output(core, frame->slot, frame->generation, &output, frame->tail, frame->tail_length);
    else if (sane && frame->type == MESSAGE_progress &&
             message_progress_decode(&progress, frame->body, frame->body_length) == 0)
        core_worker_progress(core, frame->slot, frame->generation, &progress, frame->tail, frame->tail_length);
    else if (sane && frame->type == MESSAGE_call && message_call_decode(&call, frame->body, frame->body_length) == 0)
        core_worker_call(core, frame->slot, frame->generation, &call, frame->tail, frame->tail_length,
                         link->channel.eof || link->channel.broken);
    else if (sane && frame->type == MESSAGE_offer && message_offer_decode(&offer, frame->body, frame->body_length) == 0)
        core_worker_offer(core, frame->slot, frame->generation, &offer, frame->tail, frame->tail_length);
    else
        core_worker_garbled(core, link->slot, link->generation);
}

/* Reads what is there; false once there is no more to come. */
static bool link_read(struct link *link)
{
    struct frame frame;
    enum channel_status status = channel_receive(&link->channel);
    for (; channel_next(&link->channel, &frame); link->frames++)
        link_frame(link, &frame);
    /* Not `broken`: a RUN that its death cut off is no nonsense, and what it said before can still be read. */
    if (link->channel.confused && link->channel.fd >= 0)
        core_worker_garbled(&link->engine->core, link->slot, link->generation);
    return status == CHANNEL_OK && !link->channel.confused;
}

static void on_link(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;
    (void)status;
    if (events & UV_WRITABLE)
        channel_flush(&link->channel);
    if ((events & UV_READABLE) && link->channel.fd >= 0 && !link_read(link))
        link_quiet(link); /* its death will be told by the supervisor */
    else if (link->channel.fd >= 0)
        link_poll_update(link);
}

void link_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    channel_close(&link->channel);
    workbench_unmap(&link->bench);
    free(link);
}

void link_new(struct engine *engine, const struct frame *frame, const struct message_worker_new *new)
{
    struct error error;
    int fd = channel_take_fd(&engine->control), bench_fd = channel_take_fd(&engine->control);
    CHECK(fd >= 0 && bench_fd >= 0 && frame->slot < WORKERS_MAX, "worker_new without its descriptors");
    CHECK(!engine->links[frame->slot], "slot %u is taken", frame->slot);
    struct link *link = calloc(1, sizeof *link);
    CHECK(link, "out of memory");
    link->engine = engine;
    link->slot = frame->slot;
    link->generation = frame->generation;
    link->bench = workbench_map(bench_fd, &error);
    CHECK(link->bench, "workbench: %s", error.text);
    fd_close(&bench_fd);
    channel_init(&link->channel, fd);
    CHECK(uv_poll_init(&engine->loop, &link->poll, fd) == 0, "cannot poll");
    link->poll.data = link;
    engine->links[frame->slot] = link;
    core_worker_new(&engine->core, frame->slot, new, frame->generation, link->bench,
                    scoreboard_slot(&engine->board, frame->slot));
    link_poll_update(link);
}

/* Drains a dead worker's channel before its items are judged: the result may already be in it. */
void link_gone(struct engine *engine, const struct frame *frame, const struct message_worker_gone *gone)
{
    struct link *link = frame->slot < WORKERS_MAX ? engine->links[frame->slot] : NULL;
    if (!link || link->generation != frame->generation)
        return;
    while (link->channel.fd >= 0 && !link->channel.eof && !link->channel.confused) {
        size_t before = link->channel.in.length - link->channel.in_start;
        uint64_t frames = link->frames;
        bool more = link_read(link);
        bool idle = link->frames == frames && link->channel.in.length - link->channel.in_start == before;
        if (!more || idle) /* without an EOF: something that it left behind holds its end */
            break;
    }
    core_worker_gone(&engine->core, frame->slot, frame->generation, gone);
    engine->links[frame->slot] = NULL;
    link_quiet(link);
    uv_close((uv_handle_t *)&link->poll, link_closed);
}
