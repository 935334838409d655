/* calls: what running items ask of shared objects, on its way between them and the server. See runtimes/PROTOCOL.md. */
#ifndef POOLD_WORKER_CALLS_H
#define POOLD_WORKER_CALLS_H

#include "worker/worker.h"

/* Sends the call of an item; `request` is valid JSON of at most CALL_BYTES_MAX, or of no length: nobody waits for the
 * answer any more. */
void calls_send(struct worker *, const struct message_run *, uint32_t index, uint32_t call, const char *request,
                size_t length);
/* For a function in this process: sends it and waits. The answer, {"ok":…} or {"error":…}, is valid until the next. */
const char *calls_ask(struct worker *, const struct message_run *, uint32_t index, const char *request, size_t length,
                      size_t *answer_length);

#endif
