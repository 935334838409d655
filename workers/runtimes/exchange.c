/* exchange: gives a batch of items to a runtime and takes what it answers, whatever that is. See runtime.h.
 *
 * A turn of the loop reads everything that has come before it acts on any of it: what an item printed is in the pipes
 * before its answer is, so its log is complete when it ends. Of a batch the answers come by descriptor 4 (a file) and
 * only the notices to look there by descriptor 3. */
#include "runtimes/exchange.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"

enum {
    SAMPLE_MS = 15,     /* how often limits are looked at */
    RESTLESS_MS = 20,   /* after a notice come up to 2 ms without one: look again, once */
    SILENCE_MS = 200,   /* from the end of descriptor 3 to that of the process */
    CAREFUL_ITEMS = 64, /* one by one, when it is not clear whose nonsense it was */
    PROGRESS_MAX = 16 * 1024,
};
#define SKIPPED_MAX ((size_t)256 << 20) /* of one value */

/* ---- when the process has to go ---- */

static void kill_runtime(struct exchange *exchange, unsigned grace_ms, struct child_end *end)
{
    runtime_kill(exchange->runtime, grace_ms, end);
    item_hear(exchange); /* its last words */
}

enum turn exchange_nonsense(struct exchange *exchange, const char *what)
{
    struct child_end end;
    kill_runtime(exchange, 0, &end);
    item_protocol(exchange, what);
    return BROKEN;
}

enum turn exchange_try_again(struct exchange *exchange)
{
    struct child_end end;
    kill_runtime(exchange, 0, &end);
    exchange->runtime->careful = CAREFUL_ITEMS;
    return BROKEN;
}

static enum turn stop(struct exchange *exchange)
{
    struct child_end end;
    kill_runtime(exchange, runtime_stop_grace_ms(exchange->host), &end);
    log_cap_end(&exchange->logs[0]);
    log_cap_end(&exchange->logs[1]);
    return STOPPED;
}

/* ---- answers ---- */

enum turn exchange_stray(struct exchange *exchange, const struct reply *reply)
{
    if (reply->id < exchange->runtime->first_id || reply->id > exchange_id(exchange))
        return exchange_nonsense(exchange, "an answer with the id of no item that runs");
    /* A thread of an item that has ended was late. Answers are more serious, but not this item's fault. */
    if (reply->kind == REPLY_CALL) {
        calling_late(exchange, reply);
        return GOES_ON;
    }
    return reply->kind == REPLY_LOG || reply->kind == REPLY_PROGRESS ? GOES_ON : exchange_try_again(exchange);
}

static enum turn take_reply(struct exchange *exchange, char *line, size_t length)
{
    struct reply reply;
    const char *reason = "";
    char text[256];
    if (!reply_parse(line, length, &reply, &reason)) {
        snprintf(text, sizeof text, "it sent what is no answer: %s", reason);
        return exchange_nonsense(exchange, text);
    }
    if (reply.kind == REPLY_CALL && exchange->runtime->batch)
        return exchange_nonsense(exchange, "it made a call on descriptor 4");
    if (reply.id != exchange_id(exchange))
        return exchange_stray(exchange, &reply);
    if (reply.kind == REPLY_CALL)
        calling_ask(exchange, &reply);
    else if (reply.kind == REPLY_VALUE)
        item_value(exchange, reply.text.at, reply.text.length);
    else if (reply.kind == REPLY_ERROR)
        item_error(exchange, &reply);
    else if (reply.kind == REPLY_LOG)
        log_cap_pass(&exchange->logs[reply.stream - 1], reply.text.at, reply.text.length);
    else if (reply.text.length > PROGRESS_MAX)
        return exchange_nonsense(exchange, "it sent progress of more than 16 KiB");
    else
        exchange->host->progress(exchange->host->context, exchange->current, reply.text.at, reply.text.length);
    return GOES_ON;
}

/* A line that does not end. */
static enum turn check_rest(struct exchange *exchange, struct source *source)
{
    size_t line = source->bytes.length - source->start;
    if (!source->skipping) {
        if (line <= exchange->value_max + LINE_OVERHEAD ||
            (line <= CALL_LINE_MAX && reply_begins_call(source->bytes.data + source->start, line)))
            return GOES_ON;
        if (!reply_begins_value(source->bytes.data + source->start, line, exchange_id(exchange)))
            return exchange_nonsense(exchange, "it sent a line that is too long");
        source->skipping = true;
        source->skipped = 0;
    }
    source->skipped += line;
    source->start = source->looked = source->bytes.length;
    return source->skipped > SKIPPED_MAX ? exchange_nonsense(exchange, "it sent a value without end") : GOES_ON;
}

/* False when the current item's answer must not be looked for yet. */
static bool may_answer(struct exchange *exchange, enum turn *turn)
{
    if (*turn == GOES_ON && exchange->runtime->batch && exchange->current < exchange->end)
        *turn = exchange_take_said(exchange);
    return *turn == GOES_ON && exchange->current < exchange->end && (exchange->ahead || !exchange->half_said);
}

static enum turn take_lines(struct exchange *exchange, struct source *source)
{
    enum turn turn = GOES_ON;
    size_t length;
    char *line;
    while (may_answer(exchange, &turn) && (line = source_line(source, &length))) {
        if (source->skipping) {
            source->skipping = false;
            item_too_large(exchange, source->skipped + length);
        } else if (length > exchange->value_max + LINE_OVERHEAD &&
                   reply_begins_value(line, length, exchange_id(exchange))) {
            item_too_large(exchange, length);
        } else if (length > 0) {
            turn = take_reply(exchange, line, length);
        }
    }
    if (turn == GOES_ON && exchange->current < exchange->end)
        turn = check_rest(exchange, source);
    source_tidy(source);
    return turn != GOES_ON ? turn : exchange->current == exchange->end ? ALL_ENDED : GOES_ON;
}

/* ---- reading ---- */

/* Answers, as far as what was said allows. */
static enum turn take_batch(struct exchange *exchange)
{
    for (;;) {
        enum turn turn = take_lines(exchange, &exchange->runtime->answered);
        if (turn != GOES_ON || !exchange->ahead)
            return turn;
        /* The answer that came before the call has been written meanwhile, or never will be. */
        if (!exchange_read_answers(exchange->runtime))
            return exchange_nobody_said(exchange);
        exchange_read_said(exchange);
    }
}

/* Everything that has come, and then what it means. */
static enum turn read_all(struct exchange *exchange)
{
    struct runtime *runtime = exchange->runtime;
    exchange->came = runtime->batch && exchange_read_answers(runtime);
    exchange->came |=
        exchange_read_said(exchange); /* after the answers: nonsense by an item that has answered is here by now */
    item_hear(exchange);
    if (exchange->came)
        exchange->lively_ns = clock_mono_ns();
    if (!runtime->batch)
        return take_lines(exchange, &runtime->said);
    return take_batch(exchange);
}

/* ---- waiting ---- */

static int64_t soonest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool is_sampled(const struct exchange *exchange)
{
    const struct manifest_limits *limits = &exchange->runtime->base.manifest->limits;
    return limits->memory > 0 || limits->cpu_s > 0;
}

static int wait_ms(const struct exchange *exchange)
{
    int64_t now = clock_mono_ns(), until = INT64_MAX;
    if (exchange->assignment->timeout_ns > 0)
        until = exchange->began_ns + exchange->assignment->timeout_ns;
    if (is_sampled(exchange))
        until = soonest(until, now + SAMPLE_MS * NS_PER_MS);
    if (exchange->silent_ns)
        until = soonest(until, exchange->silent_ns + SILENCE_MS * NS_PER_MS);
    if (exchange->runtime->batch && now - exchange->lively_ns < RESTLESS_MS * NS_PER_MS)
        until = soonest(until, exchange->lively_ns + RESTLESS_MS * NS_PER_MS);
    if (until == INT64_MAX)
        return -1;
    int64_t left = (until - now + NS_PER_MS - 1) / NS_PER_MS;
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* The process has ended: the last that it said, then the item that it ran is over. */
static enum turn has_ended(struct exchange *exchange)
{
    struct runtime *runtime = exchange->runtime;
    struct source *source = runtime->batch ? &runtime->answered : &runtime->said;
    enum turn turn;
    do
        turn = read_all(exchange);
    while (turn == GOES_ON && exchange->came);
    if (turn != GOES_ON)
        return turn;
    struct child_end end;
    bool within_line = source->skipping || source->bytes.length > source->start;
    kill_runtime(exchange, 0, &end);
    item_died(exchange, &end, within_line);
    return BROKEN;
}

static enum turn check_limits(struct exchange *exchange)
{
    const struct assignment *assignment = exchange->assignment;
    int64_t now = clock_mono_ns();
    struct child_end end;
    if (assignment->timeout_ns > 0 && now - exchange->began_ns >= assignment->timeout_ns) {
        kill_runtime(exchange, exchange->host->grace_ms, &end);
        item_timeout(exchange);
        return BROKEN;
    }
    if (exchange->silent_ns && now - exchange->silent_ns >= SILENCE_MS * NS_PER_MS)
        return exchange_nonsense(exchange, "it closed descriptor 3 and went on");
    switch (is_sampled(exchange) ? item_sample(exchange) : WITHIN_LIMITS) {
    case TOO_MUCH_MEMORY:
        kill_runtime(exchange, 0, &end);
        item_memory(exchange, &end);
        return BROKEN;
    case TOO_MUCH_CPU:
        kill_runtime(exchange, exchange->host->grace_ms, &end);
        item_cpu(exchange);
        return BROKEN;
    default:
        return GOES_ON;
    }
}

static enum turn take_turn(struct exchange *exchange)
{
    struct runtime *runtime = exchange->runtime;
    bool sending = exchange->sent < exchange->request.length;
    struct pollfd fds[] = {
        {.fd = runtime->talk, .events = (short)(sending ? POLLIN | POLLOUT : POLLIN)},
        {.fd = runtime->child.pidfd, .events = POLLIN},
        {.fd = runtime->printed[0], .events = POLLIN},
        {.fd = runtime->printed[1], .events = POLLIN},
        {.fd = exchange->host->stop_fd, .events = POLLIN},
        {.fd = exchange->host->channel_fd,
         .events = (short)(exchange->host->incoming ? POLLIN | POLLRDHUP : POLLRDHUP)},
    };
    int ready = poll(fds, sizeof fds / sizeof *fds, wait_ms(exchange));
    if (sending)
        request_send(exchange);
    if (fds[5].revents & POLLIN)
        calling_hear(exchange);
    if (ready == 1 && fds[5].revents == POLLIN)
        return check_limits(exchange); /* an answer to a call: nothing that could have ended an item */
    if (ready == 1 && fds[0].revents == POLLIN && runtime->batch) {
        bool only_calls;
        enum turn turn = exchange_hear_calls(exchange, &only_calls);
        if (turn != GOES_ON || only_calls)
            return turn != GOES_ON ? turn : check_limits(exchange);
    }
    if (fds[1].revents) /* before reading: what it said at its very end is there now */
        return has_ended(exchange);
    enum turn turn = read_all(exchange);
    if (turn != GOES_ON)
        return turn;
    if (fds[4].revents || (fds[5].revents & ~POLLIN))
        return stop(exchange);
    return check_limits(exchange);
}

/* ---- a batch ---- */

/* All answers are there; what else may lie there is nobody's. */
static void empty_answers(struct runtime *runtime)
{
    source_clear(&runtime->answered);
    if (runtime->answers_read > 0)
        CHECK(ftruncate(runtime->answers, 0) == 0, "ftruncate: %s", strerror(errno));
    runtime->answers_read = runtime->answers_freed = 0;
}

/* It has not read all that it was told, and can be told nothing else. */
static enum turn end_in_a_line(struct exchange *exchange)
{
    struct child_end end;
    runtime_kill(exchange->runtime, 0, &end);
    return BROKEN;
}

static size_t value_max(const struct runtime *runtime, const struct assignment *assignment)
{
    int64_t own = runtime->base.manifest->limits.output;
    return own > 0 && (size_t)own < assignment->value_max ? (size_t)own : assignment->value_max;
}

enum exchanged exchange_run(struct runtime *runtime, const struct assignment *assignment, const struct task *tasks,
                            uint32_t *place, uint32_t end)
{
    struct exchange exchange = {.runtime = runtime,
                                .host = runtime->base.host,
                                .assignment = assignment,
                                .tasks = tasks,
                                .first = *place,
                                .current = *place,
                                .end = end,
                                .first_id = runtime->next_id,
                                .lively_ns = clock_mono_ns(),
                                .value_max = value_max(runtime, assignment),
                                .pid = runtime->child.pid};
    enum turn turn;
    runtime->next_id += end - *place;
    request_write(&exchange);
    item_begin(&exchange);
    request_send(&exchange);
    do
        turn = take_turn(&exchange);
    while (turn == GOES_ON);
    if (turn == ALL_ENDED && exchange.sent < exchange.request.length)
        turn = end_in_a_line(&exchange);
    buf_free(&exchange.request);
    if (turn == ALL_ENDED && runtime->batch)
        empty_answers(runtime);
    *place = exchange.current;
    return turn == ALL_ENDED ? EXCHANGED : turn == STOPPED ? EXCHANGE_STOPPED : EXCHANGE_BROKEN;
}
