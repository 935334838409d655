#include "supervisor/control.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/cpu.h"
#include "base/log.h"
#include "supervisor/supervisor.h"
#include "wire/messages.h"

/* ---- what the server says: decode, act; false = nonsense ---- */

static bool on_server_up(struct supervisor *s, const struct frame *f)
{
    struct message_server_up m;
    if (message_server_up_decode(&m, f->body, f->body_length) == -1)
        return false;
    if (m.protocol != WIRE_PROTOCOL) {
        log_event(LOG_ERROR, "server.protocol", "theirs=%u ours=%d", m.protocol, WIRE_PROTOCOL);
        return false;
    }
    server_is_up(s);
    return true;
}

static bool on_server_ready(struct supervisor *s, const struct frame *f)
{
    struct message_server_ready m;
    if (message_server_ready_decode(&m, f->body, f->body_length) == -1)
        return false;
    server_is_ready(s);
    return true;
}

static bool on_worker_ready(struct supervisor *s, const struct frame *f)
{
    struct message_worker_ready m;
    if (message_worker_ready_decode(&m, f->body, f->body_length) == -1)
        return false;
    pool_worker_ready(s, f->slot, f->generation);
    return true;
}

static bool on_worker_stop(struct supervisor *s, const struct frame *f)
{
    struct message_worker_stop m;
    if (message_worker_stop_decode(&m, f->body, f->body_length) == -1 || m.cause >= STOP_CAUSES)
        return false;
    pool_worker_stop(s, f->slot, f->generation, (enum stop_cause)m.cause, m.grace_ms);
    return true;
}

static bool on_worker_spawn(struct supervisor *s, const struct frame *f)
{
    struct message_worker_spawn m;
    return message_worker_spawn_decode(&m, f->body, f->body_length) == 0 && pool_request(s, m.request);
}

static bool on_pool_resize(struct supervisor *s, const struct frame *f)
{
    struct message_pool_resize m;
    if (message_pool_resize_decode(&m, f->body, f->body_length) == -1)
        return false;
    pool_resize(s, m.processes);
    return true;
}

#define IN(state) (1u << (state))
#define WHEN_UP (IN(SERVER_UP) | IN(SERVER_READY) | IN(SERVER_DRAINING))

static const struct handler {
    bool (*handle)(struct supervisor *, const struct frame *);
    unsigned when; /* in these states of the server */
} handlers[] = {
    [MESSAGE_server_up] = {on_server_up, IN(SERVER_STARTING)},
    [MESSAGE_server_ready] = {on_server_ready, IN(SERVER_UP) | IN(SERVER_DRAINING)},
    [MESSAGE_worker_ready] = {on_worker_ready, WHEN_UP},
    [MESSAGE_worker_stop] = {on_worker_stop, WHEN_UP},
    [MESSAGE_worker_spawn] = {on_worker_spawn, WHEN_UP},
    [MESSAGE_pool_resize] = {on_pool_resize, WHEN_UP},
};
#define HANDLERS (sizeof handlers / sizeof handlers[0])

static bool dispatch(struct supervisor *s, const struct frame *f)
{
    const struct handler *h = f->type < HANDLERS ? &handlers[f->type] : NULL;
    bool known = h != NULL && h->handle != NULL;
    if (known && s->server.state == SERVER_KILLED)
        return true; /* said before it saw our signal; nothing of it counts any more */
    if (known && (h->when & IN(s->server.state)) != 0 && h->handle(s, f))
        return true;
    log_event(LOG_ERROR, "server.nonsense", "message=%s slot=%u gen=%u state=%s",
              message_name(f->type) != NULL ? message_name(f->type) : "unknown", f->slot, f->generation,
              server_state_name(s->server.state));
    return false;
}

/* ---- the channel ---- */

static void receive_some(struct supervisor *s)
{
    struct control *c = &s->control;
    enum channel_status status = channel_receive(&c->channel);
    struct frame frame;
    while (c->health == CONTROL_GOOD && channel_next(&c->channel, &frame))
        if (!dispatch(s, &frame))
            c->health = CONTROL_NONSENSE;
    if (c->health == CONTROL_GOOD && (status != CHANNEL_OK || c->channel.broken))
        c->health = CONTROL_ENDED;
}

void control_receive(struct supervisor *s, bool last)
{
    /* The bound is for a server end that somebody else holds open: then EOF never comes. */
    int rounds = last ? 64 : 1;
    while (rounds-- > 0 && s->control.health == CONTROL_GOOD)
        receive_some(s);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct supervisor *s = poll->data;
    (void)status; /* an error shows when we read */
    if (events & UV_WRITABLE && channel_flush(&s->control.channel) != CHANNEL_OK && s->control.health == CONTROL_GOOD)
        s->control.health = CONTROL_ENDED;
    control_receive(s, false);
    supervisor_step(s);
}

void control_open(struct supervisor *s, int fd)
{
    struct control *c = &s->control;
    CHECK(c->health == CONTROL_CLOSED, "two servers");
    *c = (struct control){.health = CONTROL_GOOD, .poll = calloc(1, sizeof *c->poll)};
    CHECK(c->poll != NULL, "out of memory");
    channel_init(&c->channel, fd);
    int result = uv_poll_init(&s->loop, c->poll, fd);
    CHECK(result == 0, "uv_poll_init: %s", uv_strerror(result));
    c->poll->data = s;
    control_watch(s);
}

static void free_poll(uv_handle_t *handle)
{
    free(handle);
}

void control_close(struct supervisor *s)
{
    struct control *c = &s->control;
    if (c->health == CONTROL_CLOSED)
        return;
    uv_close((uv_handle_t *)c->poll, free_poll);
    c->poll = NULL;
    channel_close(&c->channel);
    c->health = CONTROL_CLOSED;
}

void control_check(struct supervisor *s)
{
    if (s->control.health == CONTROL_ENDED)
        server_left(s);
    else if (s->control.health == CONTROL_NONSENSE)
        server_kill(s, "nonsense");
}

void control_watch(struct supervisor *s)
{
    struct control *c = &s->control;
    if (c->health != CONTROL_GOOD)
        return;
    int wanted = UV_READABLE | (channel_wants_write(&c->channel) ? UV_WRITABLE : 0);
    if (wanted == c->polled)
        return;
    uv_poll_start(c->poll, wanted, on_poll);
    c->polled = wanted;
}

/* ---- what we say ---- */

static void note_sent(struct supervisor *s, enum channel_status status)
{
    if (status != CHANNEL_OK)
        s->control.health = CONTROL_ENDED;
}

static void put(struct supervisor *s, unsigned type, uint32_t slot, uint32_t generation, const unsigned char *body,
                size_t length)
{
    if (s->control.health == CONTROL_GOOD)
        note_sent(s, channel_send(&s->control.channel, type, slot, generation, body, length, NULL, 0));
}

void control_send_worker_new(struct supervisor *s, const struct slot *slot, int channel_fd, int workbench_fd)
{
    CHECK(s->control.health == CONTROL_GOOD, "a worker without a server");
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_worker_new m = {.pid = (uint32_t)slot->pid, .extra = slot->extra, .request = slot->request};
    size_t length = message_worker_new_encode(&m, body);
    const int fds[] = {channel_fd, workbench_fd};
    note_sent(s, channel_send_fds(&s->control.channel, MESSAGE_worker_new, slots_index(&s->pool.slots, slot),
                                  slot->generation, body, length, fds, 2));
}

void control_send_worker_gone(struct supervisor *s, unsigned index, const struct slot *was, const struct corpse *corpse)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_worker_gone m = {
        .pid = (uint32_t)corpse->pid,
        .signal = (uint32_t)corpse->signal,
        .exit_code = (uint32_t)corpse->exit_code,
        .cause = was->cause,
        .max_rss_kib = corpse->max_rss_kib,
    };
    put(s, MESSAGE_worker_gone, index, was->generation, body, message_worker_gone_encode(&m, body));
}

void control_send_pool_state(struct supervisor *s)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_pool_state m = {
        .processes = s->pool.slots.wanted, .cpu_count = cpu_count(), .restarts = s->server.restarts};
    put(s, MESSAGE_pool_state, 0, 0, body, message_pool_state_encode(&m, body));
}

void control_send_drain(struct supervisor *s, uint32_t grace_ms)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_drain m = {.grace_ms = grace_ms};
    put(s, MESSAGE_drain, 0, 0, body, message_drain_encode(&m, body));
}

void control_send_reload(struct supervisor *s, uint32_t times)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_reload m = {.times = times};
    put(s, MESSAGE_reload, 0, 0, body, message_reload_encode(&m, body));
}
