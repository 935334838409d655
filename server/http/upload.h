/* upload: items on their way to a job in more than one piece: an NDJSON body as it arrives, items for an open job, the
 * failed items of a job that is retried.
 *
 *     OPENING ─ (what kind of job?) ─> RUNNING ─ all acknowledged ─> SETTLED
 *                                        └─ bad line, refusal, vanished client ─> FAILING ─ aborted, all
 *                                           acknowledged ─> SETTLED
 *
 * At most UPLOAD_AHEAD bytes are with the engine unacknowledged; beyond that nothing is taken, the connection is
 * suspended, and TCP slows the client. The first chunks make the job, all others are appended. A new job whose upload
 * breaks is cancelled; what an open job was given stays. It outlives its connection until it is settled. HTTP thread.
 */
#ifndef POOLD_HTTP_UPLOAD_H
#define POOLD_HTTP_UPLOAD_H

#include <sys/queue.h>

#include "http/chunker.h"
#include "http/fingerprint.h"
#include "http/ndjson.h"
#include "http/request.h"

enum { UPLOAD_AHEAD = 1024 * 1024, UPLOAD_ASKS = 8 };
enum upload_state { UPLOAD_OPENING, UPLOAD_RUNNING, UPLOAD_FAILING, UPLOAD_SETTLED };

struct upload {
    LIST_ENTRY(upload) link;
    struct request *r;
    enum upload_state state;
    bool own;              /* makes a new job; else: items for job r->seq */
    bool submitted, known; /* the job was asked for; it is there */
    bool ended;            /* all items are in the chunker */
    bool last_sent, aborted;
    bool keyed; /* an Idempotency-Key: the fingerprint needs the beginning of the body */
    bool gone;  /* nobody waits for an answer */
    struct chunker chunker;
    struct ndjson split;
    struct ask asks[UPLOAD_ASKS]; /* a ring: answered in order */
    struct {
        size_t bytes;
        int64_t items;
    } sizes[UPLOAD_ASKS];
    unsigned head, tail;
    size_t unacknowledged;
    int64_t accepted;         /* items committed */
    int64_t waiting_since_ns; /* the oldest item not handed over; 0 = none */
    struct fingerprint fingerprint;
    size_t fingerprinted;
    /* of the job */
    char function[65];
    enum job_kind kind;
    struct job_options options;
    unsigned asked; /* OPTION_…: those that were given */
    struct job_origin origin;
    int64_t retry_of, retry_of_created_ms;
    struct job_view view;
    bool replayed;    /* the key named an earlier job, which is r->seq now */
    bool replay_live; /* … and view is its view */
};

struct upload *upload_new(struct request *, bool own);
/* Asks what kind of job r->seq is. */
void upload_open(struct upload *);
/* Of an own job whose function, kind, options are filled: it may begin. */
void upload_start(struct upload *, bool star);
/* Takes some of the body: 0 when nothing can be taken now. */
size_t upload_feed(struct upload *, const char *data, size_t length);
/* There is room for more items. */
bool upload_room(const struct upload *);
/* Hands over what is due, takes what is acknowledged. */
void upload_pump(struct upload *);
/* No more items. */
void upload_end(struct upload *);
/* The client is gone. */
void upload_gone(struct upload *);
void uploads_tick(struct http *);
void upload_free(struct upload **);

#endif
