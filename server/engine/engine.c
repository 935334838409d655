/* engine: the life of the engine thread, and the few calls that others make. The core (core.h) does the thinking;
 * loop.c, ports.c, links.c and control.c connect it to the world. */
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/thread.h"

enum { SETTLE_MS = 5000 };

void engine_ask(struct engine *engine, struct engine_request *request)
{
    mailbox_put(&engine->requests, &request->mail);
}

struct store *engine_store(struct engine *engine)
{
    return engine->store;
}

struct engine *the_engine;

static void init_core(struct engine *engine)
{
    struct core_ports ports;
    engine_ports(engine, &ports);
    core_init(&engine->core, engine->config, &ports, engine->store, engine->reader);
}

struct engine *engine_start(const struct config *config, const struct manifest_set *functions, struct store *store,
                            int control_fd, int scoreboard_fd, struct error *error)
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
    engine_loop_init(engine, control_fd);
    init_core(engine);
    core_functions(&engine->core, functions);
    if (core_recover(&engine->core, &engine->board, error) != 0)
        return NULL;
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_server_up up = {.protocol = WIRE_PROTOCOL};
    control_tell(engine, MESSAGE_server_up, 0, 0, body, message_server_up_encode(&up, body));
    CHECK(pthread_create(&engine->thread, NULL, engine_loop_run, engine) == 0, "no thread");
    return engine;
}

static bool wait_flag(struct engine *engine, const bool *flag, unsigned timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    pthread_mutex_lock(&engine->mutex);
    while (!*flag && !engine->ended && pthread_cond_timedwait(&engine->changed, &engine->mutex, &until) == 0)
        ;
    bool set = *flag;
    pthread_mutex_unlock(&engine->mutex);
    return set;
}

bool engine_wait_functions(struct engine *engine, unsigned timeout_ms)
{
    if (!wait_flag(engine, &engine->functions_known, timeout_ms))
        return false;
    if (!wait_flag(engine, &engine->functions_settled, SETTLE_MS))
        log_event(LOG_WARNING, "functions.late", "after_ms=%d", SETTLE_MS); /* they come when they come */
    return true;
}

void engine_announce(struct engine *engine, unsigned port)
{
    pthread_mutex_lock(&engine->mutex);
    engine->announce_port = port;
    pthread_mutex_unlock(&engine->mutex);
    engine_wake(engine);
}

/* Takes the flag; what it means is called without the mutex. */
static bool tell_once(struct engine *engine, bool *flag, void (*call)(void *), void *context)
{
    if (!*flag)
        return false;
    *flag = false;
    pthread_mutex_unlock(&engine->mutex);
    call(context);
    pthread_mutex_lock(&engine->mutex);
    return true;
}

int engine_wait_end(struct engine *engine, const struct engine_told *told)
{
    pthread_mutex_lock(&engine->mutex);
    while (!engine->ended) {
        if (!tell_once(engine, &engine->drain_began, told->drain, told->context) &&
            !tell_once(engine, &engine->reload_asked, told->reload, told->context))
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
    engine_note(engine, &engine->stop);
    engine_wake(engine);
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
