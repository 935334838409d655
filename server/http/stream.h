/* stream: the results of a job as one long answer, NDJSON or server-sent events.
 *
 *     SENDING ── lines taken ──> ASKING ── suspended, at most a heartbeat long ──> SENDING
 *        ├── the job has ended and all is sent ──> the end line ──> DONE
 *        └── the service ends ──> {"end":false,"reason":"draining","next":N} ──> DONE
 *
 * Whoever goes away cancels nothing. A body without either last line was cut, and the client knows to come again with
 * from=N or Last-Event-ID. HTTP thread. */
#ifndef POOLD_HTTP_STREAM_H
#define POOLD_HTTP_STREAM_H

#include "http/request.h"

struct stream;

/* Answers 200 with the results of job r->seq; the request must be counted (request_count_waiting). */
void stream_answer(struct request *, bool sse, bool input_order, uint32_t from);
void stream_free(struct stream **);

#endif
