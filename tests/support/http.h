/* http: requests to a poold under test, over libcurl. One `struct http` per thread; it keeps its connection. */
#ifndef POOLD_TESTS_HTTP_H
#define POOLD_TESTS_HTTP_H

#include <curl/curl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "support/service.h"

struct http {
    struct service *service;
    CURL *curl;
};

struct ask {
    const char *method; /* "GET" when NULL, "POST" when there is a body */
    const char *path;   /* with query */
    const char *body;
    size_t body_length;     /* 0 = strlen */
    const char *headers[8]; /* "Name: value" */
    int timeout_ms;         /* 60000 when 0 */
    /* libcurl silently repeats even a POST when a kept connection dies before the answer: not what may happen twice. */
    bool fresh;
    /* Called with every piece of the body instead of collecting it; false ends the request. */
    bool (*on_data)(void *context, const char *bytes, size_t length);
    /* Gives the next piece of a chunked upload: at most `size` bytes; 0 = the end, (size_t)-1 = break off. */
    size_t (*upload)(void *context, char *to, size_t size);
    void *context;
};

struct reply {
    CURLcode code; /* CURLE_OK when a whole answer came */
    long status;   /* 0 = none came */
    char *headers; /* as they came */
    char *body;    /* NUL-terminated */
    size_t length;
    json_t *json; /* of the body when it is JSON, else NULL */
};

void http_open(struct http *, struct service *);
void http_close(struct http *);
/* Fills *reply, which must be freed. Returns the status. */
long http_ask(struct http *, const struct ask *, struct reply *);
void reply_free(struct reply *);
/* The value of a header of the last answer, into `to`; false when absent. */
bool reply_header(const struct reply *, const char *name, char *to, size_t size);

/* Short forms with format; the reply must be freed. */
long http_get(struct http *, struct reply *, const char *path, ...) __attribute__((format(printf, 3, 4)));
long http_delete(struct http *, struct reply *, const char *path, ...) __attribute__((format(printf, 3, 4)));
long http_post(struct http *, struct reply *, const char *path, const char *body);
/* GET with an Accept. */
long http_get_as(struct http *, struct reply *, const char *accept, const char *path, ...)
    __attribute__((format(printf, 4, 5)));

#endif
