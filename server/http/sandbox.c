/* sandbox: see sandbox.h. */
#include "http/sandbox.h"

#include <string.h>
#include <unistd.h>

#include "wire/messages.h"

static const char *mode_name(enum sandbox_mode mode)
{
    return mode == SANDBOX_OFF ? "off" : mode == SANDBOX_AUTO ? "auto" : "strict";
}

static void put_guard(struct buf *b, const char *name, const struct engine_sandbox *sandbox, unsigned guard)
{
    buf_printf(b, ",\"%s\":%s", name, sandbox->guards & guard ? "true" : "false");
}

static void put_landlock(struct buf *b, const struct engine_sandbox *sandbox)
{
    if (sandbox->guards & GUARD_LANDLOCK)
        buf_printf(b, ",\"landlock\":%u", sandbox->landlock);
    else
        buf_append_text(b, ",\"landlock\":null");
}

/* As the operator wrote it, once workers run as somebody else than we do. */
static void put_user(struct buf *b, const struct engine_sandbox *sandbox, const struct config *config)
{
    buf_append_text(b, ",\"user\":");
    if (sandbox->known && sandbox->uid != geteuid() && config->worker_user[0] != '\0')
        buf_append_json_string(b, config->worker_user, strlen(config->worker_user));
    else
        buf_append_text(b, "null");
}

static void put_missing(struct buf *b, const struct engine_sandbox *sandbox)
{
    const char *at = sandbox->known ? sandbox->missing : "no worker has started yet";
    buf_append_text(b, ",\"missing\":[");
    for (const char *comma = ""; *at != '\0'; comma = ",") {
        size_t length = strcspn(at, "\n");
        buf_append_text(b, comma);
        buf_append_json_string(b, at, length);
        at += length + (at[length] == '\n');
    }
    buf_append_char(b, ']');
}

void sandbox_write(struct buf *b, const struct engine_sandbox *sandbox, const struct config *config)
{
    buf_printf(b, "{\"mode\":\"%s\"", mode_name(config->sandbox));
    put_guard(b, "no_new_privs", sandbox, GUARD_NO_NEW_PRIVS);
    put_guard(b, "seccomp", sandbox, GUARD_SECCOMP);
    put_landlock(b, sandbox);
    put_guard(b, "signals", sandbox, GUARD_SIGNALS);
    put_user(b, sandbox, config);
    put_missing(b, sandbox);
    buf_append_char(b, '}');
}
