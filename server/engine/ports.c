/* ports: what the core does to the world: frames to workers, wishes to the supervisor, work for the store. */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/thread.h"

static int64_t port_now(void *context)
{
    (void)context;
    return clock_mono_ns();
}

static int64_t port_wall(void *context)
{
    (void)context;
    return clock_wall_ms();
}

/* Says something to a worker, if it is still there. */
static void tell_worker(struct engine *engine, unsigned type, unsigned slot, unsigned generation,
                        const unsigned char *body, size_t size, const char *tail, size_t length)
{
    struct link *link = engine->links[slot];
    if (!link || link->generation != generation || link->channel.fd < 0)
        return;
    if (channel_send(&link->channel, type, slot, generation, body, size, tail, length) == CHANNEL_OK)
        link_poll_update(link);
}

static void port_run(void *context, unsigned slot, unsigned generation, const struct message_run *run,
                     const char *items, size_t length)
{
    unsigned char body[MESSAGE_BODY_MAX];
    tell_worker(context, MESSAGE_run, slot, generation, body, message_run_encode(run, body), items, length);
}

static void port_define(void *context, unsigned slot, unsigned generation, uint32_t definition, const char *text)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_define define = {.definition = definition};
    tell_worker(context, MESSAGE_define, slot, generation, body, message_define_encode(&define, body), text,
                strlen(text));
}

static void port_probe(void *context, unsigned slot, unsigned generation, uint32_t definition)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_probe probe = {.definition = definition};
    tell_worker(context, MESSAGE_probe, slot, generation, body, message_probe_encode(&probe, body), NULL, 0);
}

static void port_answer(void *context, unsigned slot, unsigned generation, const struct message_answer *answer,
                        const char *text, size_t length)
{
    unsigned char body[MESSAGE_BODY_MAX];
    tell_worker(context, MESSAGE_answer, slot, generation, body, message_answer_encode(answer, body), text, length);
}

static bool port_worker_left(void *context, unsigned slot, unsigned generation)
{
    const struct link *link = ((struct engine *)context)->links[slot];
    if (!link || link->generation != generation || link->channel.fd < 0 || link->channel.eof)
        return true;
    struct pollfd peer = {.fd = link->channel.fd, .events = POLLRDHUP};
    return poll(&peer, 1, 0) > 0 && (peer.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static void port_stop_worker(void *context, unsigned slot, unsigned generation, enum stop_cause cause,
                             unsigned grace_ms)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_worker_stop stop = {.cause = cause, .grace_ms = grace_ms};
    log_event(LOG_DEBUG, "worker.stop", "slot=%u gen=%u cause=%s", slot, generation, stop_cause_name(cause));
    control_tell(context, MESSAGE_worker_stop, slot, generation, body, message_worker_stop_encode(&stop, body));
}

static void port_release(void *context, unsigned slot, unsigned generation)
{
    struct engine *engine = context;
    struct link *link = engine->links[slot];
    if (!link || link->generation != generation)
        return;
    link_quiet(link);
    /* EOF: it exits. Not closed before the poll handle is: another worker's channel could get this descriptor's number,
     * and libuv, when it closes the handle, would stop listening to that one. */
    shutdown(link->channel.fd, SHUT_WR);
}

static void port_worker_ready(void *context, unsigned slot, unsigned generation, unsigned pid)
{
    struct engine *engine = context;
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_worker_ready ready = {.pid = pid};
    control_tell(engine, MESSAGE_worker_ready, slot, generation, body, message_worker_ready_encode(&ready, body));
    engine_note(engine, &engine->functions_known);
}

static void port_spawn_extra(void *context, uint64_t request)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_worker_spawn spawn = {.request = request};
    control_tell(context, MESSAGE_worker_spawn, 0, 0, body, message_worker_spawn_encode(&spawn, body));
}

static void port_resize(void *context, unsigned processes)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_pool_resize resize = {.processes = processes};
    control_tell(context, MESSAGE_pool_resize, 0, 0, body, message_pool_resize_encode(&resize, body));
}

/* The core is the first member, the engine its owner; a write's `owner` is the core's own. */

static void written(struct store_write *write)
{
    mailbox_put(&the_engine->written, &write->mail);
}

static void loaded(struct store_load *load)
{
    mailbox_put(&the_engine->loaded, &load->mail);
}

static void reaped(struct store_reap *reap)
{
    mailbox_put(&the_engine->reaped, &reap->mail);
}

static void port_write(void *context, struct store_write *write)
{
    struct engine *engine = context;
    write->done = written;
    store_put_write(engine->store, write);
}

static void port_load(void *context, struct store_load *load)
{
    struct engine *engine = context;
    load->done = loaded;
    store_put_load(engine->store, load);
}

static void port_reap(void *context, struct store_reap *reap)
{
    struct engine *engine = context;
    reap->done = reaped;
    store_put_reap(engine->store, reap);
}

static void port_storage_failed(void *context)
{
    engine_end(context, EX_IOERR);
}

void engine_ports(struct engine *engine, struct core_ports *ports)
{
    *ports = (struct core_ports){
        .context = engine,
        .now_ns = port_now,
        .wall_ms = port_wall,
        .run = port_run,
        .define = port_define,
        .probe = port_probe,
        .answer = port_answer,
        .worker_left = port_worker_left,
        .stop_worker = port_stop_worker,
        .release_worker = port_release,
        .worker_ready = port_worker_ready,
        .spawn_extra = port_spawn_extra,
        .resize = port_resize,
        .write = port_write,
        .load = port_load,
        .reap = port_reap,
        .storage_failed = port_storage_failed,
    };
}
