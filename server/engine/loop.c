/* loop: mailboxes in, turns, the tick.
 *
 * After every poll (uv_check) the turn ends: everything that came in together is dispatched together and committed
 * together. */
#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "engine/thread.h"

/* Beyond the time that a worker has to die: its last frames and their commit. */
#define HAND_BACK_NS (2 * NS_PER_S)

void engine_end(struct engine *engine, int status)
{
    pthread_mutex_lock(&engine->mutex);
    if (!engine->ended) {
        engine->ended = true;
        engine->status = status;
    }
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->mutex);
}

void engine_note(struct engine *engine, bool *flag)
{
    pthread_mutex_lock(&engine->mutex);
    *flag = true;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->mutex);
}

/* Not uv_async: while the sender is preempted between its write and its last step, libuv's receiver spins a thousand
 * pauses (some 50 us here) and yields, once per wake-up under load (strace showed a sched_yield for every job). */
void engine_wake(void *context)
{
    struct engine *engine = context;
    ssize_t written = write(engine->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    CHECK(written > 0 || errno == EAGAIN, "eventfd: %s", strerror(errno));
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
        control_tell(engine, MESSAGE_server_ready, 0, 0, body, message_server_ready_encode(&ready, body));
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

static void on_due(uv_timer_t *timer);

/* Waits and leases of shared objects end to the millisecond. */
static void set_due_timer(struct engine *engine)
{
    int64_t due = core_due_ns(&engine->core);
    if (due == engine->due_ns)
        return;
    engine->due_ns = due;
    int64_t ms = (due - clock_mono_ns() + NS_PER_MS - 1) / NS_PER_MS;
    if (due == INT64_MAX)
        uv_timer_stop(&engine->due_timer);
    else
        uv_timer_start(&engine->due_timer, on_due, ms > 0 ? (uint64_t)ms : 0, 0);
}

static void on_due(uv_timer_t *timer)
{
    struct engine *engine = timer->data;
    engine->due_ns = 0; /* it must be set again, also to the same moment: this one may have come a little early */
    core_turn_end(&engine->core);
    set_due_timer(engine);
    set_timer(engine);
}

static void on_check(uv_check_t *check)
{
    struct engine *engine = check->data;
    core_turn_end(&engine->core);
    set_due_timer(engine);
    set_timer(engine);
    if (!engine->settled && core_functions_settled(&engine->core)) {
        engine->settled = true;
        engine_note(engine, &engine->functions_settled);
    }
}

/* What a large job needed goes back to the system a second after the last work (PSS of the server after a map of 3 M:
 * 24 MB, then 17.5). */
static void give_memory_back(struct engine *engine)
{
    if (!engine->timer_fast && !engine->trimmed)
        malloc_trim(0);
    engine->trimmed = !engine->timer_fast;
}

/* To the end of the grace what runs may finish. What is stopped then is waited for, too: the results that it still gave
 * are committed, and it is written down what was interrupted. */
static void drain_tick(struct engine *engine)
{
    int64_t now = clock_mono_ns();
    if (!engine->drain_deadline_ns)
        return;
    if (core_drained(&engine->core) || (engine->handing_back && now > engine->drain_deadline_ns)) {
        journal_drain(&engine->core, false, (double)(now - engine->drain_began_ns) / NS_PER_S);
        engine->drain_deadline_ns = 0;
        engine_end(engine, EX_OK);
    } else if (now > engine->drain_deadline_ns) {
        core_hand_back(&engine->core);
        engine->handing_back = true;
        engine->drain_deadline_ns = now + engine->config->kill_grace_ms * NS_PER_MS + HAND_BACK_NS;
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct engine *engine = timer->data;
    core_tick(&engine->core);
    drain_tick(engine);
    give_memory_back(engine);
    set_timer(engine);
}

void *engine_loop_run(void *context)
{
    struct engine *engine = context;
    pthread_setname_np(pthread_self(), "engine");
    core_turn_end(&engine->core);
    uv_run(&engine->loop, UV_RUN_DEFAULT);
    return NULL;
}

void engine_loop_init(struct engine *engine, int control_fd)
{
    CHECK(uv_loop_init(&engine->loop) == 0, "no event loop");
    engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(engine->wake_fd >= 0 && uv_poll_init(&engine->loop, &engine->wake_poll, engine->wake_fd) == 0, "no eventfd");
    uv_check_init(&engine->loop, &engine->check);
    uv_timer_init(&engine->loop, &engine->timer);
    uv_timer_init(&engine->loop, &engine->due_timer);
    engine->due_ns = INT64_MAX;
    channel_init(&engine->control, control_fd);
    CHECK(uv_poll_init(&engine->loop, &engine->control_poll, control_fd) == 0, "cannot poll");
    engine->wake_poll.data = engine->check.data = engine->timer.data = engine->control_poll.data = engine;
    engine->due_timer.data = engine;
    mailbox_init(&engine->requests, engine_wake, engine);
    mailbox_init(&engine->written, engine_wake, engine);
    mailbox_init(&engine->loaded, engine_wake, engine);
    mailbox_init(&engine->reaped, engine_wake, engine);
    uv_poll_start(&engine->wake_poll, UV_READABLE, on_mail);
    uv_check_start(&engine->check, on_check);
    uv_timer_start(&engine->timer, on_tick, 1000, 1000);
    control_poll_update(engine);
}
