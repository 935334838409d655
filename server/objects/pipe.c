/* pipe: two ends, a and b, and a line of messages towards each that may receive. Duplex by default; one-way means that
 * b sends and a receives, as Pipe(False) returns them. Who closes an end can do nothing more there; the other end may
 * read what is left and then comes to the end of file. Once both are closed, `create` makes it new.
 *
 * Entries in the store: `a NUMBER`, `b NUMBER` (a message towards that end), `x` (the ends that are closed: "a", "b",
 * "ab"). */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objects/kind.h"

enum {
    UNREAD_MAX = 64 * 1024 * 1024, /* bytes towards one end; one message always fits */
    END_A = 0,
    END_B = 1,
};

/* Who waits: those who receive at an end (and poll there), and those who send towards it. */
enum { RECEIVERS, SENDERS = 2 };

struct message {
    TAILQ_ENTRY(message) link;
    uint64_t number;
    size_t length;
    char data[];
};

struct line {
    TAILQ_HEAD(message_list, message) messages;
    uint64_t count, last;
    size_t bytes;
};

struct pipe {
    struct object object;
    bool duplex;
    bool closed[2];
    struct line towards[2];
};

static struct pipe *pipe_of(struct object *object)
{
    return (struct pipe *)object;
}

static char letter(int end)
{
    return end == END_A ? 'a' : 'b';
}

static bool may_receive(const struct pipe *pipe, int end)
{
    return pipe->duplex || end == END_A;
}

static enum object_status configure(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct pipe *pipe = pipe_of(object);
    const struct argument *duplex = argument(arguments, "duplex");
    (void)call;
    TAILQ_INIT(&pipe->towards[END_A].messages);
    TAILQ_INIT(&pipe->towards[END_B].messages);
    pipe->duplex = !duplex->given || duplex->truth;
    buf_printf(&object->config, "{\"duplex\":%s}", pipe->duplex ? "true" : "false");
    return OBJECT_OK;
}

/* ---- messages ---- */

static void enter(struct pipe *pipe, int towards, uint64_t number, const char *data, size_t length)
{
    struct line *line = &pipe->towards[towards];
    struct message *message = malloc(sizeof *message + length);
    CHECK(message, "out of memory");
    message->number = line->last = number;
    message->length = length;
    memcpy(message->data, data, length);
    TAILQ_INSERT_TAIL(&line->messages, message, link);
    line->count++;
    line->bytes += length;
    object_account(&pipe->object, (ptrdiff_t)OBJECT_COST(struct message, length));
}

static void drop(struct pipe *pipe, int towards, struct message *message)
{
    struct line *line = &pipe->towards[towards];
    struct entry_key key = entry_key(letter(towards), message->number);
    object_entry_drop(&pipe->object, key.bytes, sizeof key.bytes);
    TAILQ_REMOVE(&line->messages, message, link);
    line->count--;
    line->bytes -= message->length;
    object_account(&pipe->object, -(ptrdiff_t)OBJECT_COST(struct message, message->length));
    free(message);
}

static void drop_all(struct pipe *pipe, int towards)
{
    struct message *message;
    while ((message = TAILQ_FIRST(&pipe->towards[towards].messages)))
        drop(pipe, towards, message);
}

/* ---- ends ---- */

static enum object_status read_end(const struct arguments *arguments, struct object_call *call, int *end)
{
    const struct argument *given = argument(arguments, "end");
    *end = END_A;
    if (given->length != 1 || (given->text[0] != 'a' && given->text[0] != 'b'))
        return call_problem(call, OBJECT_INVALID, "argument \"end\" must be \"a\" or \"b\"");
    *end = given->text[0] == 'a' ? END_A : END_B;
    return OBJECT_OK;
}

static enum object_status own_end(struct pipe *pipe, struct object_call *call, const struct arguments *arguments,
                                  int *end)
{
    enum object_status status = read_end(arguments, call, end);
    if (status == OBJECT_OK && pipe->closed[*end])
        return call_problem(call, OBJECT_CLOSED, "end %c of pipe %s is closed", letter(*end), pipe->object.name);
    return status;
}

static void wake_all(struct pipe *pipe)
{
    for (unsigned end = END_A; end <= END_B; end++) {
        object_wake(&pipe->object, RECEIVERS + end);
        object_wake(&pipe->object, SENDERS + end);
    }
}

static void note_closed(struct pipe *pipe)
{
    char ends[2];
    size_t count = 0;
    for (int end = END_A; end <= END_B; end++)
        if (pipe->closed[end])
            ends[count++] = letter(end);
    if (count)
        object_entry_put(&pipe->object, "x", 1, ends, count);
    else
        object_entry_drop(&pipe->object, "x", 1);
}

static enum object_status close_end(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct pipe *pipe = pipe_of(object);
    int end = END_A;
    enum object_status status = read_end(arguments, call, &end);
    if (status != OBJECT_OK || pipe->closed[end])
        return status;
    pipe->closed[end] = true;
    drop_all(pipe, end);
    note_closed(pipe);
    wake_all(pipe);
    return OBJECT_OK;
}

static void recreated(struct object *object)
{
    struct pipe *pipe = pipe_of(object);
    if (!pipe->closed[END_A] || !pipe->closed[END_B])
        return;
    pipe->closed[END_A] = pipe->closed[END_B] = false;
    note_closed(pipe);
}

/* ---- sending and receiving ---- */

static enum object_status send_message(struct object *object, struct object_call *call,
                                       const struct arguments *arguments)
{
    struct pipe *pipe = pipe_of(object);
    const struct argument *value = argument(arguments, "value");
    size_t length = (size_t)(value->end - value->at);
    int end = END_A;
    enum object_status status = own_end(pipe, call, arguments, &end);
    if (status != OBJECT_OK)
        return status;
    int other = 1 - end;
    const struct line *line = &pipe->towards[other];
    if (!may_receive(pipe, other))
        return call_problem(call, OBJECT_INVALID, "pipe %s is one-way: end b sends, end a receives", object->name);
    if (pipe->closed[other])
        return call_problem(call, OBJECT_CLOSED, "end %c of pipe %s is closed: nobody will receive", letter(other),
                            object->name);
    call->group = SENDERS + (unsigned)other;
    if (object_ahead(object, call->group, call) || (line->bytes && line->bytes + length > UNREAD_MAX) ||
        line->count >= OBJECT_ELEMENTS_MAX)
        return call_problem(call, OBJECT_QUEUE_FULL, "pipe %s has %zu bytes that are not read", object->name,
                            line->bytes);
    status = object_room(object, call, OBJECT_COST(struct message, length));
    if (status != OBJECT_OK)
        return status;
    struct entry_key key = entry_key(letter(other), line->last + 1);
    object_entry_put(object, key.bytes, sizeof key.bytes, value->at, length);
    enter(pipe, other, line->last + 1, value->at, length);
    object_wake(object, RECEIVERS + (unsigned)other);
    return OBJECT_OK;
}

static enum object_status may_read(struct pipe *pipe, struct object_call *call, const struct arguments *arguments,
                                   int *end)
{
    enum object_status status = own_end(pipe, call, arguments, end);
    if (status == OBJECT_OK && !may_receive(pipe, *end))
        return call_problem(call, OBJECT_INVALID, "pipe %s is one-way: end b sends, end a receives", pipe->object.name);
    call->group = RECEIVERS + (unsigned)*end;
    return status;
}

static enum object_status receive(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct pipe *pipe = pipe_of(object);
    int end = END_A;
    enum object_status status = may_read(pipe, call, arguments, &end);
    if (status != OBJECT_OK)
        return status;
    struct message *message = TAILQ_FIRST(&pipe->towards[end].messages);
    if (!message && pipe->closed[1 - end])
        return call_problem(call, OBJECT_CLOSED, "end of file: end %c of pipe %s is closed and all is read",
                            letter(1 - end), object->name);
    if (!message || object_ahead(object, call->group, call))
        return OBJECT_EMPTY;
    answer_value(call, "value", message->data, message->length);
    drop(pipe, end, message);
    object_wake(object, SENDERS + (unsigned)end);
    return OBJECT_OK;
}

/* As in Python, the end of file can be received, too. */
static enum object_status poll(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct pipe *pipe = pipe_of(object);
    int end = END_A;
    enum object_status status = may_read(pipe, call, arguments, &end);
    if (status != OBJECT_OK)
        return status;
    bool ready = !TAILQ_EMPTY(&pipe->towards[end].messages) || pipe->closed[1 - end];
    if (!ready && call->may_wait)
        return OBJECT_EMPTY;
    buf_printf(&call->answer, "{\"ready\":%s}", ready ? "true" : "false");
    return OBJECT_OK;
}

/* ---- the object ---- */

static int restore_closed(struct pipe *pipe, const char *value, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (value[i] != 'a' && value[i] != 'b')
            return -1;
        pipe->closed[value[i] == 'a' ? END_A : END_B] = true;
    }
    return 0;
}

static int restore_entry(struct object *object, const char *key, size_t key_length, const char *value, size_t length,
                         struct error *error)
{
    struct pipe *pipe = pipe_of(object);
    if (key_length == 1 && key[0] == 'x' && restore_closed(pipe, value, length) == 0)
        return 0;
    if (key_length != ENTRY_KEY_SIZE || (key[0] != 'a' && key[0] != 'b'))
        return entry_nonsense(object, key, key_length, error);
    enter(pipe, key[0] == 'a' ? END_A : END_B, entry_key_number(key), value, length);
    return 0;
}

static void inspect(const struct object *object, struct buf *out)
{
    const struct pipe *pipe = (const struct pipe *)object;
    for (int end = END_A; end <= END_B; end++)
        buf_printf(out, ",\"%c\":{\"unread\":%llu,\"unread_bytes\":%zu,\"closed\":%s}", letter(end),
                   (unsigned long long)pipe->towards[end].count, pipe->towards[end].bytes,
                   pipe->closed[end] ? "true" : "false");
}

static void release(struct object *object)
{
    struct message *message;
    for (int end = END_A; end <= END_B; end++) {
        while ((message = TAILQ_FIRST(&pipe_of(object)->towards[end].messages))) {
            TAILQ_REMOVE(&pipe_of(object)->towards[end].messages, message, link);
            free(message);
        }
    }
}

static const struct object_op operations[] = {
    {.name = "send",
     .run = send_message,
     .takes = {{"end", ARGUMENT_TEXT, true}, {"value", ARGUMENT_VALUE, true}},
     .waits_on = OBJECT_QUEUE_FULL},
    {.name = "recv", .run = receive, .takes = {{"end", ARGUMENT_TEXT, true}}, .waits_on = OBJECT_EMPTY},
    {.name = "poll", .run = poll, .takes = {{"end", ARGUMENT_TEXT, true}}, .waits_on = OBJECT_EMPTY},
    {.name = "close", .run = close_end, .takes = {{"end", ARGUMENT_TEXT, true}}},
    {0},
};

const struct object_kind_ops pipe_ops = {
    .kind = OBJECT_PIPE,
    .name = "pipe",
    .plural = "pipes",
    .size = sizeof(struct pipe),
    .implicit = true,
    .options = {{"duplex", ARGUMENT_BOOL, false}},
    .configure = configure,
    .recreated = recreated,
    .restore_entry = restore_entry,
    .inspect = inspect,
    .release = release,
    .operations = operations,
};
