/* request: one HTTP request from its first line to the end of its answer.
 *
 * It is made when the request line is there, owned by its connection, and counted: each question to the engine holds a
 * reference, so it may outlive the connection. All but request_wake() and the engine's `done` happens on the HTTP
 * thread.
 *
 * A handler is a step: it answers, or asks the engine and names the next step. Between steps the connection is
 * suspended; steps run only inside libmicrohttpd's callback, where answering and suspending are allowed.
 *
 *     first line ─ head checked ─ body (kept, split by an upload, or thrown away once refused) ─ step … step ─ answer
 */
#ifndef POOLD_HTTP_REQUEST_H
#define POOLD_HTTP_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "access/limiter.h"
#include "access/tokens.h"
#include "base/buf.h"
#include "engine/engine.h"
#include "http/heads.h"
#include "http/problem.h"
#include "http/query.h"
#include "http/server.h"

struct MHD_Connection;
struct MHD_Response;
struct route;
struct stream;
struct object_put;
struct request;

typedef void request_step(struct request *);

/* A question to the engine on behalf of a request. */
struct ask {
    struct engine_request engine; /* first: `done` gets it */
    struct request *request;
    bool out;          /* asked, and its answer not yet taken */
    _Atomic bool back; /* the engine is done with it */
};

enum method {
    METHOD_GET = 1,
    METHOD_POST = 2,
    METHOD_DELETE = 4,
    METHOD_PATCH = 8,
    METHOD_PUT = 16,
    METHOD_OPTIONS = 32
};

enum { HEADERS_MAX = 8, SEGMENT_MAX = 256, CLIENT_MAX = TOKEN_NAME_MAX, WAIT_MAX_MS = 300000 };

/* What the client wants to have of a job it submits. */
struct wanted {
    enum format format; /* JSON: the job; NDJSON, SSE: its results */
    bool completion;    /* order */
    int64_t wait_ms;    /* -1 = not at all */
};

struct request {
    _Atomic unsigned references;
    _Atomic bool suspended;
    _Atomic unsigned events; /* answers that came back */
    struct http *http;
    struct connection *connection; /* NULL when it is gone */
    struct MHD_Connection *mhd;    /* the same */

    char *uri; /* as it came */
    enum method method;
    bool head; /* HEAD: a GET without the body */
    const struct route *route;
    unsigned allowed;        /* methods that the path has */
    char name[SEGMENT_MAX];  /* {name} of the path */
    int64_t seq, created_ms; /* {id} of the path, then the job at hand */
    uint32_t index;          /* {index} of the path */
    struct {
        enum object_kind kind; /* {kind} of the path */
        char end[2];           /* {end} */
        char *key;             /* {key} */
        int64_t position;      /* {position} */
    } object;
    struct query query;
    struct heads heads;
    enum body_type body_type;

    char client[CLIENT_MAX + 1]; /* who asks: the name of his token; without tokens, his address */
    const struct token *token;   /* NULL: he has none, and none is needed */
    struct tokens *tokens;       /* keeps it */
    struct limits limits;        /* of the client */

    bool begun, answered, dead;
    bool refused;              /* `problem` is the answer; the rest of the body is thrown away */
    bool early;                /* … and was already sent, past libmicrohttpd */
    bool close;                /* close the connection after the answer */
    struct limiter_hold *held; /* one of its client's; counted in http->waiting, too */
    struct problem problem;
    struct buf body;
    int64_t received; /* bytes of the body so far */
    int64_t body_begun_ns;

    request_step *next;
    bool waits;    /* the step wants to be called again after an event, not at once */
    unsigned seen; /* events, when the step was called */
    struct ask ask;
    struct wanted wanted;
    struct upload *upload;
    struct object_put *put;
    struct stream *stream;
    void *state; /* of the handler; free()d with the request, after drop_state (any thread) */
    void (*drop_state)(void *);
    request_step *left; /* the connection is done with it: to take back what it asked for; may be NULL */
    struct {
        const char *name;
        char *value;
    } headers[HEADERS_MAX];
    unsigned header_count;
};

struct request *request_new(struct http *, struct MHD_Connection *, struct connection *, const char *uri);
struct request *request_ref(struct request *);
void request_unref(struct request **);
/* The connection is done with it. */
void request_completed(struct request *);

/* Sets the problem: a body that is kept is too large. False. */
bool request_body_too_large(struct request *);
/* The kept body is no longer needed. HTTP thread. */
void request_drop_body(struct request *);

/* The three kinds of calls that libmicrohttpd makes; false closes the connection. */
bool request_begin(struct request *, const char *method, const char *version);
bool request_body(struct request *, const char *data, size_t *length);
bool request_continue(struct request *);

/* Any thread. Resumes the connection if it is suspended. */
void request_wake(struct request *);
/* Suspends the connection, unless something has come back since `seen`. HTTP thread, inside a callback. */
void request_suspend(struct request *);

/* ---- for handlers ---- */

/* Clears the request's question to be filled; then ask it. */
struct engine_request *request_question(struct request *, enum engine_request_type);
/* Asks r->ask and goes on with `next` when it is back. */
void request_ask(struct request *, request_step *next);
/* Goes on with `next` after the next event. */
void request_wait(struct request *, request_step *next);
/* The same for questions that are not r->ask. */
void ask_send(struct ask *, struct request *);
bool ask_take(struct ask *); /* true once, when it is back */

/* A header of the answer; the value is copied. */
void request_header(struct request *, const char *name, const char *value);
/* Answers with the document in `buf`, which is taken over. */
void request_answer(struct request *, unsigned status, const char *type, struct buf *);
void request_answer_json(struct request *, unsigned status, struct buf *);
void request_answer_empty(struct request *, unsigned status);
/* Queues a made response and drops it. */
void request_answer_response(struct request *, unsigned status, struct MHD_Response *);
/* Logs r->problem, which is being answered, if it is ours (5xx). */
void request_note_problem(struct request *);
/* Answers r->problem. */
void request_answer_problem(struct request *);
/* The headers that go with r->problem. */
void request_problem_headers(struct request *);
/* Sets r->problem, and answers it. */
void request_fail(struct request *, enum problem_type, const char *detail, ...) __attribute__((format(printf, 3, 4)));
/* The same for what the engine or the store said. */
void request_fail_engine(struct request *, enum engine_status);
void request_fail_store(struct request *, enum store_status);
/* Sets r->problem to what the engine's status means; answers nothing. */
void request_engine_problem(struct request *, enum engine_status);
/* The same for a submission, of which the engine may have said more. */
void request_submit_problem(struct request *, const struct engine_request *);
/* Reads job r->seq from the store. False with the problem. */
bool request_read_job(struct request *, struct job_view *);
/* After an ASK_JOB or the like came back: the job, from its answer or the store. False when it was answered with the
 * problem. *live says that the engine knows it. */
bool request_take_job(struct request *, struct job_view *, bool *live);
/* "/v1/jobs/ID" of a job as Location. */
void request_location(struct request *, const struct job_view *);

/* From anywhere: r->problem is set; throw the body away and answer it, before the body's end if that is far. */
void request_refuse(struct request *);
/* … before the body's end in any case: nobody knows when that comes. */
void request_refuse_now(struct request *);

/* Counts it among the streams and waits. False: too many, and the problem is set. */
bool request_count_waiting(struct request *);
/* ?wait= or Prefer: wait=; -1 = none. False with the problem. */
bool request_wait_ms(struct request *, int64_t *ms);

#endif
