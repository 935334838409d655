/* objects: the HTTP side of shared objects (server/objects, by the engine's ASK_OBJECT).
 *
 *     objects_routes.c  one table: method, path, operation, and where its arguments come from
 *     objects_args.c    path, query, headers and body become the arguments of a call
 *     objects_ask.c     one call on its way, and what to do when its client leaves meanwhile
 *     objects.c         the handler of most routes, and how answers and errors look
 *     objects_view.c    GET of a dict, list or value: what it is, with a page of what is in it
 *     objects_put.c     NDJSON into a queue, as it arrives
 *
 * All on the HTTP thread, but for what is said. */
#ifndef POOLD_HTTP_OBJECTS_H
#define POOLD_HTTP_OBJECTS_H

#include <pthread.h>

#include "http/chunker.h"
#include "http/ndjson.h"
#include "http/request.h"
#include "http/routes.h"
#include "objects/objects.h"

/* ---- objects_routes.c ---- */

enum object_body {
    OBJECT_BODY_NONE,
    OBJECT_BODY_ARGUMENTS, /* an object: the operation's arguments; may be empty */
    OBJECT_BODY_NAMED,     /* an object of one member: the operation's name, and its arguments */
    OBJECT_BODY_VALUE,     /* the argument `member` */
};

enum object_answer {
    OBJECT_ANSWER_PLAIN, /* as it is; nothing: 204 */
    OBJECT_ANSWER_NONE,  /* 204 in any case */
    OBJECT_ANSWER_GOT,   /* of get: without ?n= the one value, too */
    OBJECT_ANSWER_BYTES, /* JSON or raw bytes, as the client likes */
};

struct object_route {
    struct route route;    /* first */
    enum object_kind kind; /* 0: the path says */
    const char *op;        /* OBJECT_BODY_NAMED: those that there are, space separated */
    enum object_body body;
    const char *member;
    enum object_answer answer;
    unsigned limit_max; /* of ?limit= */
    bool waits;         /* ?wait= and Prefer */
    bool versioned;     /* If-Match */
    bool may_be_new;    /* If-None-Match: * */
    bool keyed;         /* Idempotency-Key */
};

extern const struct object_route object_routes[];
extern const unsigned object_route_count;
const struct object_route *object_route_of(const struct request *);

/* ---- objects_ask.c ---- */

struct object_question {
    struct ask ask; /* first */
    struct object_call call;
    struct buf args;
    pthread_mutex_t mutex; /* fd: the engine looks at it before it serves a call that waits */
    int fd;                /* of the client; -1: it is gone */
    struct ask give_up;
};

void object_question_init(struct object_question *);
/* Forgets the last answer: it may be filled and asked again. */
void object_question_clear(struct object_question *);
void object_question_free(struct object_question *);
/* Asks; the call's kind, name, op, deadline and raw bytes and `args` are filled. */
void object_question_send(struct object_question *, struct request *);
/* The client is gone: a waiting call takes nothing any more. */
void object_question_left(struct object_question *);

/* ---- objects_args.c ---- */

/* Fills kind, name, op and arguments. False with the problem. */
bool object_arguments(struct request *, const struct object_route *, struct object_question *);
/* Appends `"name":` as the next member of an object that has begun. */
void object_member(struct buf *, const char *name);
/* A query parameter as an integer within the range; absent: unchanged. False with the problem. */
bool object_integer(struct request *, const char *name, long long least, long long most, long long *value);
/* ?wait= or Prefer, counted among the streams: how long (-1: not said), and until when (0: not at all). False with the
 * problem. */
bool object_wait(struct request *, int64_t *wait_ms, int64_t *deadline_ns);
/* Whether the word is one of the list. */
bool object_listed(const char *list, const char *word, size_t length);

/* ---- objects.c ---- */

struct object_state {
    struct object_question question;
    int64_t wait_ms;
    /* objects_view.c */
    struct buf about;          /* what inspect said */
    long long length, version; /* … of it */
    long long start, limit;
    const char *fields;
    unsigned tries;
};

/* Handlers. */
request_step object_request, object_view;
/* r->state, made. */
struct object_state *object_state_new(struct request *);
/* Asks, and goes on with `next`, which must begin with object_back(). */
void object_ask(struct request *, request_step *next);
/* Whether the answer is there. False: it waits for it, or the problem was answered. */
bool object_back(struct request *, request_step *again);
/* Sets r->problem to what the answer means; false when all is well. */
bool object_problem(struct request *, const struct object_question *);
void object_etag(struct request *, uint64_t version);
/* Answers 200 with the document (taken over), or 304 when the client has this version. */
void object_answer_version(struct request *, struct buf *document, const char *type, uint64_t version);

/* ---- objects_put.c ---- */

/* Lines on their way into a queue, in calls of many. What is put stays, whatever comes after. */
struct object_put {
    LIST_ENTRY(object_put) link;
    struct request *r;
    enum { PUT_OPENING, PUT_RUNNING, PUT_SETTLED } state;
    struct chunker chunker;
    struct ndjson split;
    struct engine_chunk *chunks; /* cut, not all put */
    size_t bytes;                /* of them */
    size_t at;                   /* bytes of the first one that are put */
    struct object_question question;
    uint32_t most;      /* values in one call */
    uint32_t sent;      /* values in the call that is out */
    size_t sent_bytes;  /* of the first chunk */
    long long accepted; /* values put */
    long long size;     /* of the queue after the last of them */
    int64_t wait_ms;
    bool ended;  /* all lines are there */
    bool failed; /* a call failed: no more */
    bool gone;   /* nobody waits for an answer */
};

/* NDJSON to …/put: when the head is complete, and when the body is. */
request_step object_put_begin, object_put_end;
size_t object_put_feed(struct object_put *, const char *data, size_t length);
/* A call is out: how long that takes is not the client's fault. */
bool object_put_busy(const struct object_put *);
void object_put_gone(struct object_put *);
void object_puts_tick(struct http *);
void object_put_free(struct object_put **);

#endif
