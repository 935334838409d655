/* calling: what the items of a runtime ask of shared objects, and the answers. See exchange.h, PROTOCOL.md. */
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "runtimes/exchange.h"

enum { OUT_KEPT = 64 * 1024 };

/* Values are kept as they came; between their tokens there may be line breaks. */
static void flatten(char *at, size_t length)
{
    for (char *end = at + length; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        *at = ' ';
}

static void answer(struct exchange *exchange, uint32_t call, const char *json, size_t length)
{
    struct buf *out = &exchange->request;
    if (exchange->sent == out->length) {
        buf_clear(out, OUT_KEPT);
        exchange->sent = 0;
    }
    buf_printf(out, "{\"call\":%" PRIu32 ",\"answer\":", call);
    buf_append(out, json, length);
    flatten(out->data + out->length - length, length);
    buf_append_text(out, "}\n");
    request_send(exchange);
}

/* Nobody waits for it: that it failed is for people to see. */
static void log_quiet(struct exchange *exchange, const char *json, size_t length)
{
    static const char before[] = "a quiet call failed: ";
    if (length < 8 || memcmp(json, "{\"error\"", 8) != 0)
        return;
    log_cap_pass(&exchange->logs[1], before, sizeof before - 1);
    log_cap_pass(&exchange->logs[1], json, length);
    log_cap_pass(&exchange->logs[1], "\n", 1);
}

static void settle(struct exchange *exchange, uint32_t call, const char *json, size_t length)
{
    if (call == 0)
        log_quiet(exchange, json, length);
    else
        answer(exchange, call, json, length);
}

void calling_ask(struct exchange *exchange, const struct reply *reply)
{
    static const char too_large[] = "{\"error\":{\"type\":\"limit\",\"message\":\"the request is too large\"}}";
    static const char nobody[] = "{\"error\":{\"type\":\"invalid\",\"message\":\"there are no objects here\"}}";
    const struct host *host = exchange->host;
    exchange->runtime->calls = true;
    if (host->call == NULL)
        settle(exchange, reply->call, nobody, sizeof nobody - 1);
    else if (reply->text.length > CALL_BYTES_MAX)
        settle(exchange, reply->call, too_large, sizeof too_large - 1);
    else
        host->call(host->context, exchange->current, reply->call, reply->text.at, reply->text.length);
}

#define ENDED "{\"error\":{\"type\":\"ended\",\"message\":\"the item of this call has ended\"}}"

void calling_late(struct exchange *exchange, const struct reply *reply)
{
    if (reply->call != 0)
        answer(exchange, reply->call, ENDED, sizeof ENDED - 1);
}

bool calling_between(struct runtime *runtime, const struct reply *reply)
{
    struct buf line = BUF_EMPTY;
    if (reply->call == 0)
        return true;
    buf_printf(&line, "{\"call\":%" PRIu32 ",\"answer\":" ENDED "}\n", reply->call);
    ssize_t sent = send(runtime->talk, line.data, line.length, MSG_NOSIGNAL | MSG_DONTWAIT);
    bool whole = sent == (ssize_t)line.length;
    buf_free(&line);
    return whole;
}

static void deliver(void *runner, uint32_t place, uint32_t call, const char *json, size_t length)
{
    struct exchange *exchange = runner;
    if (place == exchange->current && exchange->current < exchange->end)
        settle(exchange, call, json, length);
}

void calling_hear(struct exchange *exchange)
{
    if (exchange->host->incoming)
        exchange->host->incoming(exchange->host->context, deliver, exchange);
}
