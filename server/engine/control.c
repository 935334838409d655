/* control: the channel to the supervisor, which starts, stops and reaps the workers for us. */
#include <sysexits.h>

#include "base/check.h"
#include "base/log.h"
#include "engine/thread.h"

static void on_control(uv_poll_t *poll, int status, int events);

void control_poll_update(struct engine *engine)
{
    int events = UV_READABLE | (channel_wants_write(&engine->control) ? UV_WRITABLE : 0);
    if (events != engine->control_events)
        CHECK(uv_poll_start(&engine->control_poll, events, on_control) == 0, "cannot poll the control channel");
    engine->control_events = events;
}

void control_tell(struct engine *engine, unsigned type, unsigned slot, unsigned generation, const unsigned char *body,
                  size_t length)
{
    if (channel_send(&engine->control, type, slot, generation, body, length, NULL, 0) == CHANNEL_OK)
        control_poll_update(engine);
}

static void control_frame(struct engine *engine, const struct frame *frame)
{
    struct message_worker_new new;
    struct message_worker_gone gone;
    struct message_pool_state state;
    struct message_drain drain;
    if (frame->type == MESSAGE_worker_new && message_worker_new_decode(&new, frame->body, frame->body_length) == 0) {
        link_new(engine, frame, &new);
    } else if (frame->type == MESSAGE_worker_gone &&
               message_worker_gone_decode(&gone, frame->body, frame->body_length) == 0) {
        link_gone(engine, frame, &gone);
    } else if (frame->type == MESSAGE_pool_state &&
               message_pool_state_decode(&state, frame->body, frame->body_length) == 0) {
        core_pool_state(&engine->core, &state);
    } else if (frame->type == MESSAGE_drain && message_drain_decode(&drain, frame->body, frame->body_length) == 0) {
        engine->drain_began_ns = clock_mono_ns();
        engine->drain_deadline_ns = engine->drain_began_ns + drain.grace_ms * NS_PER_MS;
        core_drain(&engine->core);
        journal_drain(&engine->core, true, (double)drain.grace_ms / 1000);
        engine_note(engine, &engine->drain_began);
    } else if (frame->type == MESSAGE_reload) {
        functions_reload(engine);
        engine_note(engine, &engine->reload_asked);
    } else {
        CHECK(false, "the supervisor said message %u", frame->type);
    }
}

static void on_control(uv_poll_t *poll, int status, int events)
{
    struct engine *engine = poll->data;
    struct frame frame;
    (void)status;
    if (events & UV_WRITABLE)
        channel_flush(&engine->control);
    enum channel_status received = events & UV_READABLE ? channel_receive(&engine->control) : CHANNEL_OK;
    while (channel_next(&engine->control, &frame))
        control_frame(engine, &frame);
    if (received != CHANNEL_OK) { /* EOF is the lifeline: no process outlives the supervisor */
        log_event(LOG_ERROR, "supervisor.gone", "");
        uv_poll_stop(&engine->control_poll);
        engine_end(engine, EX_UNAVAILABLE);
        return;
    }
    control_poll_update(engine);
}
