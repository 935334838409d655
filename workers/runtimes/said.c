/* said: what a runtime that takes batches has to say: notices and calls on descriptor 3, answers in the file that is
 * its descriptor 4. See exchange.h. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtimes/exchange.h"

#define FREED_STEP ((off_t)4 * 1024 * 1024)

/* ---- reading ---- */

bool exchange_read_answers(struct runtime *runtime)
{
    off_t before = runtime->answers_read;
    for (ssize_t got = READ_PIECE; got == READ_PIECE && runtime->answers_read - before < READ_TURN;) {
        got = pread(runtime->answers, buf_reserve(&runtime->answered.bytes, READ_PIECE), READ_PIECE,
                    runtime->answers_read);
        if (got <= 0)
            break;
        runtime->answered.bytes.length += (size_t)got;
        runtime->answers_read += got;
    }
    /* What has been read needs no memory any more, however long the batch goes on. */
    if (runtime->answers_read - runtime->answers_freed > FREED_STEP) {
        fallocate(runtime->answers, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, runtime->answers_read);
        runtime->answers_freed = runtime->answers_read;
    }
    return runtime->answers_read > before;
}

bool exchange_read_said(struct exchange *exchange)
{
    struct runtime *runtime = exchange->runtime;
    size_t before = runtime->said.bytes.length;
    exchange->said_more = false;
    if (runtime->talk == -1)
        return false;
    if (source_read(&runtime->said, runtime->talk) == -1) {
        fd_close(&runtime->talk);
        exchange->silent_ns = clock_mono_ns();
    }
    exchange->said_more = runtime->said.bytes.length - before >= READ_TURN;
    return runtime->said.bytes.length > before;
}

/* ---- notices and calls ---- */

enum turn exchange_nobody_said(struct exchange *exchange)
{
    if (exchange->end - exchange->current > 1)
        return exchange_try_again(exchange);
    return exchange_nonsense(exchange, "it wrote on descriptor 3, which is poold's");
}

static enum turn take_said_line(struct exchange *exchange, char *line, size_t length)
{
    struct source *said = &exchange->runtime->said;
    struct reply reply;
    const char *reason;
    if (!reply_parse(line, length, &reply, &reason) || reply.kind != REPLY_CALL)
        return exchange_nobody_said(exchange);
    if (reply.id > exchange_id(exchange)) {
        exchange->ahead = true;
        said->start = said->looked = (size_t)(line - said->bytes.data); /* for later */
    } else if (reply.id == exchange_id(exchange)) {
        calling_ask(exchange, &reply);
    } else {
        return exchange_stray(exchange, &reply);
    }
    return GOES_ON;
}

enum turn exchange_take_said(struct exchange *exchange)
{
    struct source *said = &exchange->runtime->said;
    enum turn turn = GOES_ON;
    size_t length;
    char *line;
    exchange->ahead = exchange->noticed = false;
    exchange->half_said = exchange->said_more;
    if (said->start == said->bytes.length)
        return GOES_ON;
    while (turn == GOES_ON && !exchange->ahead && (line = source_line(said, &length)))
        if (length > 0)
            turn = take_said_line(exchange, line, length);
        else
            exchange->noticed = true;
    source_tidy(said);
    if (turn != GOES_ON || exchange->ahead || said->bytes.length == 0)
        return turn;
    exchange->half_said = exchange->runtime->talk != -1; /* else the rest will never come */
    bool sane = said->bytes.data[0] == '{' && said->bytes.length <= CALL_LINE_MAX;
    return sane ? GOES_ON : exchange_nobody_said(exchange);
}

enum turn exchange_hear_calls(struct exchange *exchange, bool *only)
{
    exchange_read_said(exchange);
    enum turn turn = exchange_take_said(exchange);
    *only = !exchange->noticed && !exchange->ahead && !exchange->half_said && exchange->runtime->talk != -1;
    if (!*only)
        exchange->lively_ns = clock_mono_ns();
    return turn;
}
