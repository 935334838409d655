#include "support/http.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct transfer {
    const struct ask *ask;
    struct reply *reply;
    size_t headers_length;
};

static void append(char **to, size_t *length, const char *bytes, size_t n)
{
    /* Doubles: bodies of megabytes come in pieces of 16 KiB. */
    size_t room = 1024;
    while (room <= *length)
        room *= 2;
    if (*to == NULL || *length + n + 1 > room) {
        while (room < *length + n + 1)
            room *= 2;
        *to = realloc(*to, room);
        if (*to == NULL)
            abort();
    }
    memcpy(*to + *length, bytes, n);
    *length += n;
    (*to)[*length] = '\0';
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    size_t n = size * count;
    if (t->ask->on_data != NULL)
        return t->ask->on_data(t->ask->context, bytes, n) ? n : 0;
    append(&t->reply->body, &t->reply->length, bytes, n);
    return n;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    append(&t->reply->headers, &t->headers_length, bytes, size * count);
    return size * count;
}

static size_t on_upload(char *to, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    size_t n = t->ask->upload(t->ask->context, to, size * count);
    return n == (size_t)-1 ? CURL_READFUNC_ABORT : n;
}

void http_open(struct http *h, struct service *service)
{
    h->service = service;
    h->curl = curl_easy_init();
}

void http_close(struct http *h)
{
    curl_easy_cleanup(h->curl);
    h->curl = NULL;
}

static void set_body(CURL *curl, const struct ask *ask, struct transfer *t)
{
    if (ask->upload != NULL) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(curl, CURLOPT_READDATA, t);
        curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 262144L);
    } else if (ask->body != NULL) {
        size_t length = ask->body_length != 0 ? ask->body_length : strlen(ask->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, ask->body);
    }
    if (ask->method != NULL && strcmp(ask->method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else if (ask->method != NULL)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, ask->method);
    else if (ask->body == NULL && ask->upload == NULL)
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
}

static struct curl_slist *headers_of(const struct ask *ask)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    bool typed = false;
    for (int i = 0; i < 8 && ask->headers[i] != NULL; i++) {
        list = curl_slist_append(list, ask->headers[i]);
        typed = typed || strncasecmp(ask->headers[i], "content-type:", 13) == 0;
    }
    if (!typed && ask->body != NULL)
        list = curl_slist_append(list, "Content-Type: application/json");
    if (ask->upload != NULL)
        list = curl_slist_append(list, "Transfer-Encoding: chunked");
    return list;
}

long http_ask(struct http *h, const struct ask *ask, struct reply *reply)
{
    memset(reply, 0, sizeof *reply);
    struct transfer t = {.ask = ask, .reply = reply};
    char url[2048];
    const char *ca = h->service->ca;
    snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", ca != NULL ? "https" : "http", h->service->port, ask->path);
    curl_easy_reset(h->curl);
    if (ca != NULL)
        curl_easy_setopt(h->curl, CURLOPT_CAINFO, ca);
    curl_easy_setopt(h->curl, CURLOPT_URL, url);
    curl_easy_setopt(h->curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h->curl, CURLOPT_FRESH_CONNECT, ask->fresh ? 1L : 0L);
    curl_easy_setopt(h->curl, CURLOPT_TIMEOUT_MS, ask->timeout_ms != 0 ? (long)ask->timeout_ms : 60000L);
    curl_easy_setopt(h->curl, CURLOPT_BUFFERSIZE, 262144L);
    curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, &t);
    curl_easy_setopt(h->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h->curl, CURLOPT_HEADERDATA, &t);
    set_body(h->curl, ask, &t);
    struct curl_slist *headers = headers_of(ask);
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
    reply->code = curl_easy_perform(h->curl);
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &reply->status);
    curl_slist_free_all(headers);
    if (reply->body == NULL)
        reply->body = calloc(1, 1);
    reply->json = json_loads(reply->body, JSON_DECODE_ANY, NULL);
    return reply->status;
}

void reply_free(struct reply *r)
{
    free(r->headers);
    free(r->body);
    json_decref(r->json);
    memset(r, 0, sizeof *r);
}

bool reply_header(const struct reply *r, const char *name, char *to, size_t size)
{
    size_t n = strlen(name);
    for (const char *at = r->headers; at != NULL && *at != '\0';) {
        const char *end = strstr(at, "\r\n");
        if (end == NULL)
            return false;
        if (strncasecmp(at, name, n) == 0 && at[n] == ':') {
            at += n + 1;
            at += strspn(at, " \t");
            snprintf(to, size, "%.*s", (int)(end - at), at);
            return true;
        }
        at = end + 2;
    }
    return false;
}

long http_get(struct http *h, struct reply *r, const char *path, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, path);
    vsnprintf(text, sizeof text, path, arguments);
    va_end(arguments);
    return http_ask(h, &(struct ask){.path = text}, r);
}

long http_get_as(struct http *h, struct reply *r, const char *accept, const char *path, ...)
{
    char text[1024], header[128];
    va_list arguments;
    va_start(arguments, path);
    vsnprintf(text, sizeof text, path, arguments);
    va_end(arguments);
    snprintf(header, sizeof header, "Accept: %s", accept);
    return http_ask(h, &(struct ask){.path = text, .headers = {header}}, r);
}

long http_delete(struct http *h, struct reply *r, const char *path, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, path);
    vsnprintf(text, sizeof text, path, arguments);
    va_end(arguments);
    return http_ask(h, &(struct ask){.method = "DELETE", .path = text}, r);
}

long http_post(struct http *h, struct reply *r, const char *path, const char *body)
{
    return http_ask(h, &(struct ask){.method = "POST", .path = path, .body = body}, r);
}
