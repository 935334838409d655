/* poold-server: HTTP in front, the engine behind, the store below. The supervisor starts it, and ends it by drain or
 * by closing the control channel; signals are the supervisor's. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "backup.h"
#include "base/config.h"
#include "base/log.h"
#include "engine/engine.h"
#include "http/http.h"
#include "manifest/manifest.h"
#include "store/store.h"
#include "wire/fds.h"

enum { HELLO_WAIT_MS = 10000 };

struct service {
    struct config config;
    struct manifest_set *functions;
    struct store *store;
    struct engine *engine;
    struct http *http;
};

static void ignore_signals(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
}

static int parse(struct config *config, int argc, char **argv)
{
    char message[256] = "";
    if (config_parse(config, argc, argv, message, sizeof message) == CONFIG_OK)
        return 0;
    fprintf(stderr, "poold-server is started by poold: %s\n", message);
    return -1;
}

/* The operator's mistake: said as he reads it, and poold gives up at once (supervisor/process.c). */
static int load_functions(struct service *s)
{
    struct error error;
    s->functions = engine_functions(&s->config, &error);
    if (!s->functions)
        fprintf(stderr, "poold: %s\n", error.text);
    return s->functions ? 0 : -1;
}

/* The same of what HTTP reads. */
static int check_access(const struct service *s)
{
    struct error error;
    if (http_check(&s->config, &error) == 0)
        return 0;
    fprintf(stderr, "poold: %s\n", error.text);
    return -1;
}

/* --check: poold has found the options to be right before it became this program. */
static int check(struct service *s)
{
    if (load_functions(s) || check_access(s))
        return EX_CONFIG;
    for (unsigned i = 0; i < s->functions->count; i++) {
        const struct manifest *m = s->functions->list[i];
        printf("%s %s %s\n", m->name, manifest_kind_name(m->kind), m->source);
    }
    manifest_set_free(&s->functions);
    return fflush(stdout) ? EX_IOERR : 0;
}

static int start(struct service *s, struct error *e)
{
    s->store = store_open_sqlite(s->config.data, s->config.read_only, e);
    if (!s->store || store_start(s->store, e))
        return -1;
    s->engine = engine_start(&s->config, s->functions, s->store, FD_CHANNEL, FD_SCOREBOARD, e);
    if (!s->engine)
        return -1;
    if (!engine_wait_functions(s->engine, HELLO_WAIT_MS))
        log_event(LOG_WARNING, "server.no_worker", "after_ms=%d", HELLO_WAIT_MS); /* it answers 503 until one comes */
    s->http = http_start(&s->config, s->engine, s->store, FD_LISTEN, e);
    if (!s->http)
        return -1;
    engine_announce(s->engine, http_port(s->http));
    return 0;
}

static void on_drain(void *http)
{
    http_drain(http);
}

static void on_reload(void *http)
{
    http_reload(http);
}

static int serve(struct service *s)
{
    const struct engine_told told = {.drain = on_drain, .reload = on_reload, .context = s->http};
    return engine_wait_end(s->engine, &told);
}

static void stop(struct service *s)
{
    if (s->http)
        http_quiet(s->http);
    if (s->engine)
        engine_stop(&s->engine);
    http_stop(&s->http);
    if (s->store)
        store_stop(s->store);
    store_close(&s->store);
}

/* The workers' group may enter the data directory for the memory that functions map (supervisor/datadir.h): all else
 * in it is nobody's but ours. */
static void close_files(const struct config *config)
{
    if (config->worker_user[0] != '\0')
        umask(S_IRWXO);
}

int main(int argc, char **argv)
{
    static struct service service;
    struct error error = {""};
    ignore_signals();
    if (parse(&service.config, argc, argv))
        return EX_USAGE;
    if (service.config.check)
        return check(&service);
    if (service.config.backup[0] != '\0')
        return backup_run(&service.config);
    log_setup("server", service.config.log_level, service.config.log_format);
    close_files(&service.config);
    if (load_functions(&service) || check_access(&service))
        return EX_CONFIG;
    int status = EX_IOERR;
    if (start(&service, &error))
        log_event(LOG_ERROR, "server.start", "error=\"%s\"", error.text);
    else
        status = serve(&service);
    stop(&service);
    manifest_set_free(&service.functions);
    return status;
}
