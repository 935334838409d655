/* engine: the thread that runs the core on a libuv loop: mailboxes in, channels to workers and supervisor, a tick.
 *
 * After every poll (uv_check) the turn ends: everything that came in together is dispatched together and committed
 * together. The control channel and the workers' channels are read only here. */
#include "engine/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>
#include <uv.h>

#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/core.h"
#include "wire/channel.h"

struct engine;

/* The engine's end of a worker. */
struct link {
    struct engine *engine;
    unsigned slot, generation;
    struct channel channel;
    uv_poll_t poll;
    int events;
    uint64_t frames; /* that came */
    struct workbench *bench;
};

struct engine {
    struct core core;
    const struct config *config;
    struct store *store;
    struct store_reader *reader;
    struct scoreboard board;
    pthread_t thread;

    uv_loop_t loop;
    int wake_fd; /* an eventfd; see wake() */
    uv_poll_t wake_poll;
    uv_check_t check;
    uv_timer_t timer;
    bool timer_fast;
    struct mailbox requests, written, loaded, reaped;

    struct channel control;
    uv_poll_t control_poll;
    int control_events;
    struct link *links[WORKERS_MAX];
    int64_t drain_deadline_ns;

    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    bool functions_known, ended, stop, drain_began;
    int status;
    unsigned announce_port;
};

/* ---- telling the threads outside ---- */

static void end_service(struct engine *engine, int status)
{
    pthread_mutex_lock(&engine->mutex);
    if (!engine->ended) {
        engine->ended = true;
        engine->status = status;
    }
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->mutex);
}

static void note(struct engine *engine, bool *flag)
{
    pthread_mutex_lock(&engine->mutex);
    *flag = true;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->mutex);
}

/* ---- control channel ---- */

static void on_control(uv_poll_t *poll, int status, int events);

static void control_poll_update(struct engine *engine)
{
    int events = UV_READABLE | (channel_wants_write(&engine->control) ? UV_WRITABLE : 0);
    if (events != engine->control_events)
        CHECK(uv_poll_start(&engine->control_poll, events, on_control) == 0, "cannot poll the control channel");
    engine->control_events = events;
}

static void tell(struct engine *engine, unsigned type, unsigned slot, unsigned generation, const unsigned char *body,
                 size_t length)
{
    if (channel_send(&engine->control, type, slot, generation, body, length, NULL, 0) == CHANNEL_OK)
        control_poll_update(engine);
}

/* ---- ports: what the core does to the world ---- */

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

static void on_link(uv_poll_t *poll, int status, int events);

static void link_poll_update(struct link *link)
{
    int events = UV_READABLE | (channel_wants_write(&link->channel) ? UV_WRITABLE : 0);
    if (events != link->events)
        CHECK(uv_poll_start(&link->poll, events, on_link) == 0, "cannot poll worker %u", link->slot);
    link->events = events;
}

static void link_quiet(struct link *link)
{
    if (link->events)
        uv_poll_stop(&link->poll);
    link->events = 0;
}

static void port_run(void *context, unsigned slot, unsigned generation, const struct message_run *run,
                     const char *items, size_t length)
{
    struct engine *engine = context;
    struct link *link = engine->links[slot];
    unsigned char body[MESSAGE_BODY_MAX];
    size_t size = message_run_encode(run, body);
    if (!link || link->generation != generation || link->channel.fd < 0)
        return;
    if (channel_send(&link->channel, MESSAGE_run, slot, generation, body, size, items, length) == CHANNEL_OK)
        link_poll_update(link);
}

static void port_stop_worker(void *context, unsigned slot, unsigned generation, enum stop_cause cause,
                             unsigned grace_ms)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_worker_stop stop = {.cause = cause, .grace_ms = grace_ms};
    log_event(LOG_INFO, "worker.stop", "slot=%u gen=%u cause=%s", slot, generation, stop_cause_name(cause));
    tell(context, MESSAGE_worker_stop, slot, generation, body, message_worker_stop_encode(&stop, body));
}

static void port_release(void *context, unsigned slot, unsigned generation)
{
    struct engine *engine = context;
    struct link *link = engine->links[slot];
    if (!link || link->generation != generation)
        return;
    link_quiet(link);
    channel_close(&link->channel); /* EOF: it exits */
}

static void port_worker_ready(void *context, unsigned slot, unsigned generation, unsigned pid)
{
    struct engine *engine = context;
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_worker_ready ready = {.pid = pid};
    tell(engine, MESSAGE_worker_ready, slot, generation, body, message_worker_ready_encode(&ready, body));
    note(engine, &engine->functions_known);
}

static void port_spawn_extra(void *context, uint64_t request)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_worker_spawn spawn = {.request = request};
    tell(context, MESSAGE_worker_spawn, 0, 0, body, message_worker_spawn_encode(&spawn, body));
}

static void port_resize(void *context, unsigned processes)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_pool_resize resize = {.processes = processes};
    tell(context, MESSAGE_pool_resize, 0, 0, body, message_pool_resize_encode(&resize, body));
}

/* The core is the first member, the engine its owner; a write's `owner` is the core's own. */
static struct engine *the_engine; /* one a process: store callbacks carry no engine */

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
    end_service(context, EX_IOERR);
}

/* ---- workers ---- */

static void link_frame(struct link *link, const struct frame *frame)
{
    struct core *core = &link->engine->core;
    struct message_hello hello;
    struct message_result result;
    struct message_output output;
    bool sane = frame->slot == link->slot && frame->generation == link->generation;
    if (sane && frame->type == MESSAGE_hello && message_hello_decode(&hello, frame->body, frame->body_length) == 0 &&
        hello.protocol == WIRE_PROTOCOL)
        core_worker_hello(core, frame->slot, frame->generation, frame->tail, frame->tail_length);
    else if (sane && frame->type == MESSAGE_result &&
             message_result_decode(&result, frame->body, frame->body_length) == 0)
        core_worker_result(core, frame->slot, frame->generation, &result, frame->tail, frame->tail_length);
    else if (sane && frame->type == MESSAGE_output &&
             message_output_decode(&output, frame->body, frame->body_length) == 0)
        core_worker_output(core, frame->slot, frame->generation, &output, frame->tail, frame->tail_length);
    else
        core_worker_nonsense(core, link->slot, link->generation);
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
        core_worker_nonsense(&link->engine->core, link->slot, link->generation);
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

static void link_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    channel_close(&link->channel);
    workbench_unmap(&link->bench);
    free(link);
}

static void link_new(struct engine *engine, const struct frame *frame, const struct message_worker_new *new)
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
static void link_gone(struct engine *engine, const struct frame *frame, const struct message_worker_gone *gone)
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

/* ---- supervisor ---- */

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
        log_event(LOG_INFO, "server.drain", "grace_ms=%u", drain.grace_ms);
        engine->drain_deadline_ns = clock_mono_ns() + drain.grace_ms * NS_PER_MS;
        core_drain(&engine->core);
        note(engine, &engine->drain_began);
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
        log_event(LOG_ERROR, "supervisor.gone", "%s", "");
        uv_poll_stop(&engine->control_poll);
        end_service(engine, EX_UNAVAILABLE);
        return;
    }
    control_poll_update(engine);
}

/* ---- loop ---- */

/* Not uv_async: while the sender is preempted between its write and its last step, libuv's receiver spins a thousand
 * pauses (some 50 us here) and yields, once per wake-up under load (strace showed a sched_yield for every job). */
static void wake(void *context)
{
    struct engine *engine = context;
    ssize_t written = write(engine->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    CHECK(written > 0 || errno == EAGAIN, "eventfd: %s", strerror(errno));
}

#define EACH_MAIL(box, type, variable, call)                                                                           \
    for (struct mail *mail = mailbox_take(box), *next_mail; mail; mail = next_mail) {                                  \
        type *variable = (type *)mail;                                                                                 \
        next_mail = mail->next;                                                                                        \
        call;                                                                                                          \
    }

static void announce(struct engine *engine)
{
    unsigned char body[MESSAGE_BODY_MAX];
    pthread_mutex_lock(&engine->mutex);
    struct message_server_ready ready = {.port = engine->announce_port};
    engine->announce_port = 0;
    bool stop = engine->stop;
    pthread_mutex_unlock(&engine->mutex);
    if (ready.port)
        tell(engine, MESSAGE_server_ready, 0, 0, body, message_server_ready_encode(&ready, body));
    if (stop)
        uv_stop(&engine->loop);
}

static void on_mail(uv_poll_t *poll, int status, int events)
{
    struct engine *engine = poll->data;
    struct core *core = &engine->core;
    uint64_t count;
    (void)status;
    (void)events;
    (void)!read(engine->wake_fd, &count, sizeof count); /* before the boxes are emptied */
    EACH_MAIL(&engine->written, struct store_write, write, core_written(core, write))
    EACH_MAIL(&engine->loaded, struct store_load, load, core_loaded(core, load))
    EACH_MAIL(&engine->reaped, struct store_reap, reap, core_reaped(core, reap))
    EACH_MAIL(&engine->requests, struct engine_request, request, core_request(core, request))
    announce(engine);
}

static void on_tick(uv_timer_t *timer);

static void set_timer(struct engine *engine)
{
    bool fast = core_busy(&engine->core);
    if (fast == engine->timer_fast)
        return;
    engine->timer_fast = fast;
    uint64_t ms = fast ? TICK_NS / NS_PER_MS : 1000;
    uv_timer_start(&engine->timer, on_tick, ms, ms);
}

static void on_check(uv_check_t *check)
{
    struct engine *engine = check->data;
    core_turn_end(&engine->core);
    set_timer(engine);
}

static void on_tick(uv_timer_t *timer)
{
    struct engine *engine = timer->data;
    core_tick(&engine->core);
    if (engine->drain_deadline_ns && (core_drained(&engine->core) || clock_mono_ns() > engine->drain_deadline_ns))
        end_service(engine, EX_OK);
    set_timer(engine);
}

static void *run(void *context)
{
    struct engine *engine = context;
    pthread_setname_np(pthread_self(), "engine");
    core_turn_end(&engine->core);
    uv_run(&engine->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- public ---- */

void engine_ask(struct engine *engine, struct engine_request *request)
{
    mailbox_put(&engine->requests, &request->mail);
}

struct store *engine_store(struct engine *engine)
{
    return engine->store;
}

static void init_loop(struct engine *engine, int control_fd)
{
    CHECK(uv_loop_init(&engine->loop) == 0, "no event loop");
    engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(engine->wake_fd >= 0 && uv_poll_init(&engine->loop, &engine->wake_poll, engine->wake_fd) == 0, "no eventfd");
    uv_check_init(&engine->loop, &engine->check);
    uv_timer_init(&engine->loop, &engine->timer);
    channel_init(&engine->control, control_fd);
    CHECK(uv_poll_init(&engine->loop, &engine->control_poll, control_fd) == 0, "cannot poll");
    engine->wake_poll.data = engine->check.data = engine->timer.data = engine->control_poll.data = engine;
    mailbox_init(&engine->requests, wake, engine);
    mailbox_init(&engine->written, wake, engine);
    mailbox_init(&engine->loaded, wake, engine);
    mailbox_init(&engine->reaped, wake, engine);
    uv_poll_start(&engine->wake_poll, UV_READABLE, on_mail);
    uv_check_start(&engine->check, on_check);
    uv_timer_start(&engine->timer, on_tick, 1000, 1000);
    control_poll_update(engine);
}

static void init_core(struct engine *engine)
{
    struct core_ports ports = {
        .context = engine,
        .now_ns = port_now,
        .wall_ms = port_wall,
        .run = port_run,
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
    core_init(&engine->core, engine->config, &ports, engine->store, engine->reader);
}

struct engine *engine_start(const struct config *config, struct store *store, int control_fd, int scoreboard_fd,
                            struct error *error)
{
    struct engine *engine = calloc(1, sizeof *engine);
    CHECK(engine && !the_engine, "one engine a process");
    the_engine = engine;
    engine->config = config;
    engine->store = store;
    engine->reader = store_reader_open(store, error);
    pthread_mutex_init(&engine->mutex, NULL);
    pthread_cond_init(&engine->changed, NULL);
    if (!engine->reader || scoreboard_map(&engine->board, scoreboard_fd, error) != 0)
        return NULL; /* the process ends */
    fd_set_nonblocking(control_fd, true);
    init_loop(engine, control_fd);
    init_core(engine);
    if (core_recover(&engine->core, &engine->board, error) != 0)
        return NULL;
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_server_up up = {.protocol = WIRE_PROTOCOL};
    tell(engine, MESSAGE_server_up, 0, 0, body, message_server_up_encode(&up, body));
    CHECK(pthread_create(&engine->thread, NULL, run, engine) == 0, "no thread");
    return engine;
}

bool engine_wait_functions(struct engine *engine, unsigned timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    pthread_mutex_lock(&engine->mutex);
    while (!engine->functions_known && !engine->ended &&
           pthread_cond_timedwait(&engine->changed, &engine->mutex, &until) == 0)
        ;
    bool known = engine->functions_known;
    pthread_mutex_unlock(&engine->mutex);
    return known;
}

void engine_announce(struct engine *engine, unsigned port)
{
    pthread_mutex_lock(&engine->mutex);
    engine->announce_port = port;
    pthread_mutex_unlock(&engine->mutex);
    wake(engine);
}

int engine_wait_end(struct engine *engine, void (*on_drain)(void *), void *context)
{
    bool told = false;
    pthread_mutex_lock(&engine->mutex);
    while (!engine->ended) {
        if (engine->drain_began && !told) {
            told = true;
            pthread_mutex_unlock(&engine->mutex);
            on_drain(context);
            pthread_mutex_lock(&engine->mutex);
            continue;
        }
        pthread_cond_wait(&engine->changed, &engine->mutex);
    }
    int status = engine->status;
    pthread_mutex_unlock(&engine->mutex);
    return status;
}

static void close_handle(uv_handle_t *handle, void *context)
{
    struct engine *engine = context;
    if (uv_is_closing(handle))
        return;
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        if (engine->links[i] && handle == (uv_handle_t *)&engine->links[i]->poll) {
            uv_close(handle, link_closed);
            return;
        }
    }
    uv_close(handle, NULL);
}

static void refuse_mail(struct engine *engine)
{
    EACH_MAIL(&engine->requests, struct engine_request, request, {
        if (request->type == ASK_SUBMIT)
            engine_chunk_free(&request->submit.chunks);
        if (request->type == ASK_APPEND)
            engine_chunk_free(&request->append.chunks);
        reply(request, ENGINE_SHUTDOWN);
    })
}

void engine_stop(struct engine **slot)
{
    struct engine *engine = *slot;
    if (!engine)
        return;
    note(engine, &engine->stop);
    wake(engine);
    pthread_join(engine->thread, NULL);
    engine->core.closing = true; /* an append that comes back must not be followed by the next: nobody would write it */
    store_stop(
        engine->store); /* what it still had comes back into the mailboxes, which wake the loop: close it after */
    uv_walk(&engine->loop, close_handle, engine);
    uv_run(&engine->loop, UV_RUN_DEFAULT);
    uv_loop_close(&engine->loop);
    EACH_MAIL(&engine->written, struct store_write, write, core_written(&engine->core, write))
    EACH_MAIL(&engine->loaded, struct store_load, load, core_loaded(&engine->core, load))
    mailbox_take(&engine->reaped);
    refuse_mail(engine);
    core_shutdown(&engine->core);
    channel_close(&engine->control);
    fd_close(&engine->wake_fd);
    store_reader_close(&engine->reader);
    scoreboard_unmap(&engine->board);
    free(engine);
    *slot = the_engine = NULL;
}
