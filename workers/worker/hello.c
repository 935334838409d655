/* hello: what this worker can do. See worker.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "functions/function.h"
#include "worker/worker.h"

static void append_text(struct buf *list, const char *key, const char *text)
{
    buf_printf(list, "\"%s\":", key);
    buf_append_json_string(list, text, strlen(text));
    buf_append_char(list, ',');
}

static void append_manifest(struct buf *list, const struct function *function)
{
    buf_append_text(list, list->length > 1 ? ",{" : "{");
    append_text(list, "name", function->name);
    append_text(list, "kind", "builtin");
    append_text(list, "summary", function->summary);
    buf_printf(list, "\"example\":%s,\"test\":%s}", function->example, function->test_only ? "true" : "false");
}

/* child_setup has set no_new_privs, or there would be no worker. */
static uint32_t guards_of(const struct sandbox *sandbox)
{
    return GUARD_NO_NEW_PRIVS | (sandbox->seccomp ? GUARD_SECCOMP : 0u) | (sandbox->landlock ? GUARD_LANDLOCK : 0u) |
           (sandbox->signals ? GUARD_SIGNALS : 0u);
}

void worker_say_hello(struct worker *worker)
{
    struct buf list = BUF_EMPTY;
    struct message_hello hello = {.protocol = WIRE_PROTOCOL,
                                  .pid = (uint32_t)getpid(),
                                  .guards = guards_of(&worker->sandbox),
                                  .landlock = worker->sandbox.abi,
                                  .uid = (uint32_t)getuid()};
    unsigned char body[MESSAGE_BODY_MAX];
    snprintf(hello.missing, sizeof hello.missing, "%s", worker->sandbox.missing);
    buf_append_char(&list, '[');
    for (size_t i = 0; i < functions_count; i++)
        if (worker->test_functions || !functions[i].test_only)
            append_manifest(&list, &functions[i]);
    buf_append_char(&list, ']');
    worker_send(worker, MESSAGE_hello, body, message_hello_encode(&hello, body), list.data, list.length);
    buf_free(&list);
}
