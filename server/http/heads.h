/* heads: reads the headers of a request once, and refuses what must not get further.
 *
 * libmicrohttpd 0.9.75 lets duplicate Content-Length, Content-Length beside Transfer-Encoding, unknown codings and
 * duplicate Host through (DESIGN §11), so all of it is checked here, before anything else happens. */
#ifndef POOLD_HTTP_HEADS_H
#define POOLD_HTTP_HEADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/problem.h"

struct MHD_Connection;
struct http;

enum head {
    HEAD_HOST,
    HEAD_CONTENT_LENGTH,
    HEAD_TRANSFER_ENCODING,
    HEAD_CONTENT_TYPE,
    HEAD_CONTENT_ENCODING,
    HEAD_AUTHORIZATION,
    HEAD_ORIGIN,
    HEAD_SEC_FETCH_SITE,
    HEAD_SEC_FETCH_MODE,
    HEAD_EXPECT,
    HEAD_IDEMPOTENCY_KEY,
    HEAD_LAST_EVENT_ID,
    HEAD_ACCEPT,
    HEAD_PREFER,
    HEAD_IF_MATCH,
    HEAD_IF_NONE_MATCH,
    HEAD_TRACEPARENT,
    HEADS
};

struct heads {
    const char *value[HEADS]; /* NULL when absent; live as long as the request */
    unsigned seen[HEADS];
    unsigned total;
    bool broken;         /* a name that is no token, a NUL */
    int64_t body_length; /* declared; -1 = chunked; 0 = none */
};

enum body_type { BODY_TYPE_NONE, BODY_TYPE_JSON, BODY_TYPE_NDJSON, BODY_TYPE_BYTES, BODY_TYPE_OTHER };

void heads_read(struct heads *, struct MHD_Connection *);
/* The length of a header's value without the white space behind it, which is no part of it (RFC 9110), but which
 * libmicrohttpd leaves there. */
size_t heads_value_length(const char *value);
/* What makes the message itself untrustworthy: answer and close. */
bool heads_check_framing(struct heads *, const char *version, struct problem *);
/* Whom it comes from and where it believes to be: Host, Origin, Sec-Fetch-Site. */
bool heads_check_site(const struct heads *, const struct http *, bool safe_method, struct problem *);
bool heads_check_expect(const struct heads *, struct problem *);
enum body_type heads_body_type(const struct heads *);
/* Seconds of "Prefer: wait=S" as ms; -1 = none. */
int64_t heads_prefer_wait(const struct heads *);

/* The best of what is offered by the Accept header. */
enum format { FORMAT_NONE, FORMAT_JSON, FORMAT_NDJSON, FORMAT_SSE, FORMAT_BYTES, FORMAT_HTML };
enum format accept_choose(const char *accept, enum format fallback);
/* JSON (by default) or application/octet-stream. */
enum format accept_bytes(const char *accept);
/* It names text/html, as browsers do. */
bool accept_html(const char *accept);
/* It does not exclude text/html. */
bool accept_page(const char *accept);

#endif
