/* ends: how items of a runtime begin and end. See exchange.h. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/signal_name.h"
#include "runtimes/exchange.h"
#include "runtimes/fault.h"

enum { MESSAGE_MAX = 8 * 1024, CLASS_MAX = 256, TRACEBACK_MAX = 16 * 1024, TEXT_MAX = 256 };

static const struct manifest_limits *limits_of(const struct exchange *exchange)
{
    return &exchange->runtime->base.manifest->limits;
}

/* ---- what it takes ---- */

static int64_t cpu_ns(const struct exchange *exchange)
{
    struct timespec used;
    if (clock_gettime(exchange->cpu_clock, &used) == -1)
        return 0;
    return used.tv_sec * NS_PER_S + used.tv_nsec;
}

/* We look at the clock ourselves; the limit of the system, which counts whole seconds, is for the processes that the
 * function makes: they inherit it. The hard limit stays, else it could not be raised for the next item. */
static void begin_cpu(struct exchange *exchange)
{
    struct rlimit limit;
    if (limits_of(exchange)->cpu_s == 0 || exchange->runtime->child.pid == 0 ||
        clock_getcpuclockid(exchange->runtime->child.pid, &exchange->cpu_clock) != 0)
        return;
    exchange->cpu_began_ns = cpu_ns(exchange);
    if (prlimit(exchange->runtime->child.pid, RLIMIT_CPU, NULL, &limit) == -1)
        return;
    limit.rlim_cur = (rlim_t)(exchange->cpu_began_ns / NS_PER_S + 1 + limits_of(exchange)->cpu_s);
    if (limit.rlim_cur <= limit.rlim_max)
        prlimit(exchange->runtime->child.pid, RLIMIT_CPU, &limit, NULL);
}

enum excess item_sample(struct exchange *exchange)
{
    const struct manifest_limits *limits = limits_of(exchange);
    if (limits->memory > 0) {
        int64_t resident = child_resident(&exchange->runtime->child);
        if (resident > exchange->peak)
            exchange->peak = resident;
        if (resident > limits->memory)
            return TOO_MUCH_MEMORY;
    }
    if (limits->cpu_s > 0 && cpu_ns(exchange) - exchange->cpu_began_ns > limits->cpu_s * NS_PER_S)
        return TOO_MUCH_CPU;
    return WITHIN_LIMITS;
}

/* ---- begin and end ---- */

void item_begin(struct exchange *exchange)
{
    if (exchange->current == exchange->end || exchange->runtime->child.pid == 0)
        return; /* without a process it begins when there is a new one */
    exchange->began_ns = clock_mono_ns();
    exchange->peak = 0;
    for (unsigned i = 0; i < 2; i++)
        log_cap_begin(&exchange->logs[i], exchange->host, exchange->current, i + 1);
    exchange->host->began(exchange->host->context, exchange->current);
    begin_cpu(exchange);
}

static void end_item(struct exchange *exchange, const struct outcome *outcome)
{
    log_cap_end(&exchange->logs[0]);
    log_cap_end(&exchange->logs[1]);
    exchange->host->ended(exchange->host->context, exchange->current, outcome);
    exchange->current++;
    exchange->runtime->ran++;
    if (exchange->runtime->careful > 0)
        exchange->runtime->careful--;
    item_begin(exchange);
}

void item_hear(struct exchange *exchange)
{
    enum { CAREFUL_ITEMS = 4096 };
    struct source text = {0};
    for (int stream = 0; stream < 2; stream++) {
        int *fd = &exchange->runtime->printed[stream];
        if (*fd == -1)
            continue;
        if (source_read(&text, *fd) == -1)
            fd_close(fd);
        if (text.bytes.length == 0)
            continue;
        /* From here on one by one, so that what is printed is known to be of the item that runs. */
        exchange->runtime->careful = CAREFUL_ITEMS;
        if (exchange->current < exchange->end)
            log_cap_pass(&exchange->logs[stream], text.bytes.data, text.bytes.length);
        buf_clear(&text.bytes, READ_TURN);
    }
    buf_free(&text.bytes);
}

void item_value(struct exchange *exchange, const char *value, size_t length)
{
    if (length > exchange->value_max) {
        item_too_large(exchange, length);
        return;
    }
    end_item(exchange, &(struct outcome){.value = value, .length = length, .pid = exchange->pid});
}

/* ---- errors ---- */

static void begin_error(const struct exchange *exchange, struct buf *object, enum failure type, const char *message,
                        const struct child_end *end)
{
    struct fault fault = {.type = type,
                          .message = message,
                          .signal = end ? end->signal : 0,
                          .exit_code = end && end->signal == 0 ? end->exit_code : -1,
                          .attempts = exchange->assignment->attempt};
    fault_begin(object, &fault);
}

static void end_error(struct exchange *exchange, struct buf *object, const struct child_end *end)
{
    fault_end(object);
    end_item(exchange, &(struct outcome){.error = object->data,
                                         .length = object->length,
                                         .pid = exchange->pid,
                                         .exit_code = end ? end->exit_code : 0});
    buf_free(object);
}

static void fail_item(struct exchange *exchange, enum failure type, const char *message, const struct child_end *end)
{
    struct buf object = BUF_EMPTY;
    begin_error(exchange, &object, type, message, end);
    end_error(exchange, &object, end);
}

static void append_memory(const struct exchange *exchange, struct buf *object)
{
    if (limits_of(exchange)->memory == 0)
        return;
    fault_number(object, "limit", limits_of(exchange)->memory);
    if (exchange->peak > 0)
        fault_number(object, "peak", exchange->peak);
}

static void append_piece(struct buf *object, const char *key, const struct piece *piece, size_t most)
{
    if (piece->at)
        fault_text(object, key, piece->at,
                   piece->length <= most ? piece->length : log_whole_characters(piece->at, most));
}

void item_error(struct exchange *exchange, const struct reply *reply)
{
    struct buf object = BUF_EMPTY;
    if (reply->memory)
        item_sample(exchange); /* for the peak */
    if (reply->text.length > MESSAGE_MAX)
        reply->text.at[log_whole_characters(reply->text.at, MESSAGE_MAX)] = '\0';
    begin_error(exchange, &object, reply->memory ? FAILURE_MEMORY : FAILURE_ERROR, reply->text.at, NULL);
    append_piece(&object, "class", &reply->class_name, CLASS_MAX);
    append_piece(&object, "traceback", &reply->traceback, TRACEBACK_MAX);
    if (reply->memory)
        append_memory(exchange, &object);
    end_error(exchange, &object, NULL);
}

void item_too_large(struct exchange *exchange, size_t length)
{
    char text[TEXT_MAX];
    snprintf(text, sizeof text, "a value of %zu bytes; at most %zu are kept", length, exchange->value_max);
    fail_item(exchange, FAILURE_TOO_LARGE, text, NULL);
}

void item_protocol(struct exchange *exchange, const char *what)
{
    fail_item(exchange, FAILURE_PROTOCOL, what, NULL);
}

void item_timeout(struct exchange *exchange)
{
    char text[TEXT_MAX];
    snprintf(text, sizeof text, "no answer within %g s", (double)exchange->assignment->timeout_ns / NS_PER_S);
    fail_item(exchange, FAILURE_TIMEOUT, text, NULL);
}

void item_cpu(struct exchange *exchange)
{
    char text[TEXT_MAX];
    snprintf(text, sizeof text, "used more than its %" PRId64 " s of processor time", limits_of(exchange)->cpu_s);
    fail_item(exchange, FAILURE_TIMEOUT, text, NULL);
}

void item_memory(struct exchange *exchange, const struct child_end *end)
{
    char text[TEXT_MAX];
    struct buf object = BUF_EMPTY;
    int64_t most = end->usage.ru_maxrss * 1024;
    if (most > exchange->peak)
        exchange->peak = most;
    snprintf(text, sizeof text, "took %" PRId64 " bytes of memory; its limit is %" PRId64, exchange->peak,
             limits_of(exchange)->memory);
    begin_error(exchange, &object, FAILURE_MEMORY, text, end);
    append_memory(exchange, &object);
    end_error(exchange, &object, end);
}

void item_died(struct exchange *exchange, const struct child_end *end, bool within_line)
{
    char text[TEXT_MAX], name[16];
    int64_t memory = limits_of(exchange)->memory;
    if (end->signal == SIGKILL && memory > 0 && (exchange->peak > memory || end->usage.ru_maxrss * 1024 > memory)) {
        item_memory(exchange, end);
        return;
    }
    if (end->signal == SIGXCPU && limits_of(exchange)->cpu_s > 0) {
        item_cpu(exchange);
        return;
    }
    if (end->signal)
        snprintf(text, sizeof text, "killed by %s", signal_name(end->signal, name));
    else
        snprintf(text, sizeof text, "exited with status %d %s", end->exit_code,
                 within_line ? "in the middle of a line" : "without an answer");
    fail_item(exchange, end->signal == 0 && within_line ? FAILURE_PROTOCOL : FAILURE_CRASH, text, end);
}

void items_not_started(struct runtime *runtime, const struct assignment *assignment, uint32_t place, uint32_t end)
{
    const struct host *host = runtime->base.host;
    struct buf message = BUF_EMPTY, object = BUF_EMPTY;
    buf_printf(&message, "%s could not be started: ", runtime->base.manifest->name);
    buf_append(&message, runtime->reason.data ? runtime->reason.data : "", runtime->reason.length);
    struct fault fault = {
        .type = FAILURE_ERROR, .message = buf_cstr(&message), .exit_code = -1, .attempts = assignment->attempt};
    fault_begin(&object, &fault);
    buf_append(&object, runtime->reason_more.data ? runtime->reason_more.data : "", runtime->reason_more.length);
    fault_end(&object);
    for (; place < end; place++) {
        host->began(host->context, place);
        host->ended(host->context, place,
                    &(struct outcome){.error = object.data, .length = object.length, .exit_code = -1});
    }
    buf_free(&message);
    buf_free(&object);
}
