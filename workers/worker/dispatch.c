/* dispatch: what the server may ask for. See worker.h. */
#include "functions/function.h"
#include "worker/definitions.h"
#include "worker/stop.h"
#include "worker/worker.h"

static struct definition *known(struct worker *worker, uint32_t number)
{
    struct definition *definition = definitions_find(worker, number);
    if (definition == NULL)
        worker_confused("a definition that nobody told of");
    return definition;
}

static void define(struct worker *worker, const struct frame *frame)
{
    struct message_define message;
    if (message_define_decode(&message, frame->body, frame->body_length) == -1)
        worker_confused("a malformed define message");
    if (message.definition == 0 || definitions_find(worker, message.definition))
        worker_confused("a definition's number for the second time");
    definitions_add(worker, message.definition, frame->tail, frame->tail_length);
}

static void probe(struct worker *worker, const struct frame *frame)
{
    struct message_probe message;
    if (message_probe_decode(&message, frame->body, frame->body_length) == -1)
        worker_confused("a malformed probe message");
    definition_probe(worker, known(worker, message.definition));
}

static bool is_hosted(const struct definition *definition)
{
    return definition && definition->manifest && definition->manifest->kind != MANIFEST_PLUGIN;
}

/* A function in this process ends with it, and with nothing less. */
static void run_here(struct worker *worker, const struct message_run *run, struct definition *definition,
                     const struct frame *frame)
{
    bool gently = stop_gently(false);
    slice_run(worker, run, definition, frame->tail, frame->tail_length);
    stop_gently(gently);
}

static void run(struct worker *worker, const struct frame *frame)
{
    struct message_run message;
    if (message_run_decode(&message, frame->body, frame->body_length) == -1)
        worker_confused("a malformed run message");
    struct definition *definition = message.definition ? known(worker, message.definition) : NULL;
    if (is_hosted(definition))
        hosted_run(worker, &message, definition, frame->tail, frame->tail_length);
    else
        run_here(worker, &message, definition, frame);
    if (message.flags & RUN_ONCE)
        worker_leave(0);
}

void worker_dispatch(struct worker *worker, const struct frame *frame)
{
    if (frame->slot != worker->slot || frame->generation != worker->generation)
        worker_confused("a frame for another worker");
    switch (frame->type) {
    case MESSAGE_run:
        run(worker, frame);
        break;
    case MESSAGE_define:
        define(worker, frame);
        break;
    case MESSAGE_probe:
        probe(worker, frame);
        break;
    case MESSAGE_answer: /* to a call of an item that has ended */
        break;
    default:
        worker_confused("a frame of a type that is not for workers");
    }
}
