/* routes: one table that mirrors openapi.yaml. HTTP thread. */
#ifndef POOLD_HTTP_ROUTES_H
#define POOLD_HTTP_ROUTES_H

#include "http/request.h"

enum route_body {
    ROUTE_BODY_NONE,
    ROUTE_BODY_JSON,
    ROUTE_BODY_ITEMS /* JSON or NDJSON */,
    ROUTE_BODY_BYTES /* JSON or bytes */
};

/* What a route asks for beside the scopes of access/tokens.h. */
enum {
    ROUTE_ANY_TOKEN = 0x100, /* whatever its scopes */
    ROUTE_PUBLIC = 0x200,    /* no token either */
    ROUTE_FREE = 0x400       /* the same, as often as one likes */
};

struct route {
    enum method method;
    unsigned scope;         /* the SCOPE_… that a token must have for it, or one of the above */
    const char *pattern;    /* {id}, {index}, {name}, {kind}, {end}, {key}, {position} stand for one segment */
    request_step *handler;  /* called when the body is complete */
    const char *parameters; /* query parameters, space separated; the handler checks the rest of `options` */
    bool options;           /* the options of a job are parameters, too */
    enum route_body body;
    request_step *upload; /* NDJSON: called when the head is complete; sets r->upload or the problem */
};

/* 0: none that is known here. HEAD is a GET. */
enum method method_of(const char *name);
/* Of a request whose method is set: sets route (NULL: there is none) and the path's parameters. */
void route_find(struct request *);
/* Then: whether there is one, and parses the query. False with the problem; for a wrong method the Allow header is set.
 */
bool route_check(struct request *, const char *method);
/* "GET" …; NULL for one that poold does not know. */
const char *method_name(enum method);

#endif
