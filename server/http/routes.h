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

struct route {
    enum method method;
    const char *pattern;    /* {id}, {index}, {name}, {kind}, {end}, {key}, {position} stand for one segment */
    request_step *handler;  /* called when the body is complete */
    const char *parameters; /* query parameters, space separated; the handler checks the rest of `options` */
    bool options;           /* the options of a job are parameters, too */
    enum route_body body;
    request_step *upload; /* NDJSON: called when the head is complete; sets r->upload or the problem */
};

/* 0: none that is known here. HEAD is a GET. */
enum method method_of(const char *name);
/* Of a request whose method is set: sets route and the path's parameters, and parses the query. False with the problem;
 * for a wrong method the Allow header is set. */
bool route_find(struct request *, const char *method);

#endif
