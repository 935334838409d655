/* created: what all ways of making a job share: what the client wants of it, and the answer. HTTP thread. */
#ifndef POOLD_HTTP_CREATED_H
#define POOLD_HTTP_CREATED_H

#include "http/fingerprint.h"
#include "http/request.h"

/* Fills r->wanted from wait, order, format, Prefer and Accept; checks Idempotency-Key; counts what will wait. False
 * with the problem. */
bool created_wanted(struct request *);
/* What makes two requests with one Idempotency-Key the same, besides their bodies: where they go and what job they ask
 * for, but not how its answer is wanted (wait, order, format). */
void created_fingerprint(struct fingerprint *, const struct request *);
/* Whose the job is, and of which trace: from the request's token and its traceparent. */
void created_origin(const struct request *, struct job_origin *);
/* The engine's deadline for r->wanted. */
int64_t created_deadline(const struct request *);
/* The job is there: answers with it, with its results, or waits for its end. `line` is the result of an apply or NULL
 * (a reference that is taken over). */
void created_answer(struct request *, const struct job_view *, struct blob *line, bool replayed);
/* Answers 200 with a job; an ended apply has its outcome in it. */
void created_answer_job(struct request *, unsigned status, const struct job_view *, struct blob *line);

#endif
