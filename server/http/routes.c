#include "http/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "access/tokens.h"
#include "base/check.h"
#include "base/id.h"
#include "http/handlers.h"
#include "http/objects.h"
#include "http/options.h"
#include "wire/limits.h"
#include "wire/scan.h"

static const struct route routes[] = {
    {.method = METHOD_GET,
     .scope = SCOPE_READ,
     .pattern = "/v1/jobs",
     .handler = get_jobs,
     .parameters = "state function limit after"},
    {.method = METHOD_POST,
     .scope = SCOPE_SUBMIT,
     .pattern = "/v1/jobs",
     .handler = post_jobs,
     .parameters = "function kind wait order format",
     .options = true,
     .body = ROUTE_BODY_ITEMS,
     .upload = post_jobs_upload},
    {.method = METHOD_GET, .scope = SCOPE_READ, .pattern = "/v1/jobs/{id}", .handler = get_job, .parameters = "wait"},
    {.method = METHOD_DELETE, .scope = SCOPE_SUBMIT, .pattern = "/v1/jobs/{id}", .handler = delete_job},
    {.method = METHOD_POST,
     .scope = SCOPE_SUBMIT,
     .pattern = "/v1/jobs/{id}/items",
     .handler = post_items,
     .body = ROUTE_BODY_ITEMS,
     .upload = post_items_upload},
    {.method = METHOD_GET, .scope = SCOPE_READ, .pattern = "/v1/jobs/{id}/items/{index}", .handler = get_item},
    {.method = METHOD_POST, .scope = SCOPE_SUBMIT, .pattern = "/v1/jobs/{id}/close", .handler = post_close},
    {.method = METHOD_POST, .scope = SCOPE_SUBMIT, .pattern = "/v1/jobs/{id}/cancel", .handler = post_cancel},
    {.method = METHOD_POST,
     .scope = SCOPE_SUBMIT,
     .pattern = "/v1/jobs/{id}/retry",
     .handler = post_retry,
     .parameters = "wait order format"},
    {.method = METHOD_GET,
     .scope = SCOPE_READ,
     .pattern = "/v1/jobs/{id}/results",
     .handler = get_results,
     .parameters = "order from format limit wait"},
    {.method = METHOD_GET,
     .scope = SCOPE_READ,
     .pattern = "/v1/jobs/{id}/log",
     .handler = get_log,
     .parameters = "item stream follow limit after format"},
    {.method = METHOD_GET, .scope = SCOPE_READ, .pattern = "/v1/functions", .handler = get_functions},
    {.method = METHOD_GET, .scope = SCOPE_READ, .pattern = "/v1/functions/{name}", .handler = get_function},
    {.method = METHOD_GET, .scope = SCOPE_READ, .pattern = "/v1/workers", .handler = get_workers},
    {.method = METHOD_GET, .scope = SCOPE_READ, .pattern = "/v1/pool", .handler = get_pool},
    {.method = METHOD_PATCH,
     .scope = SCOPE_ADMIN,
     .pattern = "/v1/pool",
     .handler = patch_pool,
     .body = ROUTE_BODY_JSON},
    {.method = METHOD_GET, .scope = ROUTE_ANY_TOKEN, .pattern = "/v1/access", .handler = get_access},
    {.method = METHOD_GET, .scope = ROUTE_FREE, .pattern = "/healthz", .handler = get_healthz},
    {.method = METHOD_GET, .scope = ROUTE_FREE, .pattern = "/readyz", .handler = get_readyz},
    {.method = METHOD_GET, .scope = SCOPE_READ, .pattern = "/metrics", .handler = get_metrics},
    {.method = METHOD_GET, .scope = ROUTE_PUBLIC, .pattern = "/openapi.yaml", .handler = get_openapi},
    {.method = METHOD_GET, .scope = ROUTE_PUBLIC, .pattern = "/", .handler = get_root},
    {.method = METHOD_GET, .scope = ROUTE_PUBLIC, .pattern = "/docs", .handler = get_docs},
    /* A page is some forty of them at once. */
    {.method = METHOD_GET, .scope = ROUTE_FREE, .pattern = "/dashboard/{name}", .handler = get_dashboard},
};
enum { ROUTES = sizeof routes / sizeof *routes };
static const struct route options_route = {
    .method = METHOD_OPTIONS, .scope = ROUTE_ANY_TOKEN, .pattern = "(any)", .handler = any_options};

/* ---- paths ---- */

static bool capture_id(struct request *r, const char *text)
{
    if (job_id_parse(text, &r->created_ms, &r->seq) == 0 && r->created_ms != 0)
        return true; /* 0 would match a job of any time */
    r->seq = 0;      /* a route was found; the job never was */
    return true;
}

static bool capture_index(struct request *r, const char *text)
{
    unsigned long long value;
    if (parse_unsigned(text, JOB_ITEMS_MAX, &value))
        return false;
    r->index = (uint32_t)value;
    return true;
}

static bool capture_kind(struct request *r, const char *text)
{
    return object_kind_parse(text, strlen(text), &r->object.kind) == 0 &&
           strcmp(object_kind_plural(r->object.kind), text) == 0;
}

static bool capture_end(struct request *r, const char *text)
{
    r->object.end[0] = *text;
    return strcmp(text, "a") == 0 || strcmp(text, "b") == 0;
}

static bool capture_position(struct request *r, const char *text)
{
    long long value;
    const char *end = text + strlen(text);
    enum scan_kind kind;
    if (scan_value(text, end, &kind, NULL) != end || kind != SCAN_NUMBER || scan_integer(text, end, &value))
        return false;
    r->object.position = value;
    return true;
}

/* Any text, of any length: too long a key is the dict's to refuse. */
static bool capture_key(struct request *r, const char *at, const char *end)
{
    free(r->object.key);
    r->object.key = malloc((size_t)(end - at) + 1);
    CHECK(r->object.key, "out of memory");
    return percent_decode_any(at, end, r->object.key);
}

/* One segment of the path against one of the pattern. */
static bool match_segment(struct request *r, const char *at, const char *end, const char *pattern, size_t length)
{
    char text[SEGMENT_MAX];
    if (*pattern != '{')
        return (size_t)(end - at) == length && memcmp(at, pattern, length) == 0;
    if (strncmp(pattern, "{key}", length) == 0)
        return end != at && capture_key(r, at, end);
    if (end == at || end - at >= SEGMENT_MAX || !percent_decode(at, end, false, text))
        return false;
    if (strncmp(pattern, "{id}", length) == 0)
        return capture_id(r, text);
    if (strncmp(pattern, "{index}", length) == 0)
        return capture_index(r, text);
    if (strncmp(pattern, "{kind}", length) == 0)
        return capture_kind(r, text);
    if (strncmp(pattern, "{end}", length) == 0)
        return capture_end(r, text);
    if (strncmp(pattern, "{position}", length) == 0)
        return capture_position(r, text);
    strcpy(r->name, text);
    return true;
}

static bool match(struct request *r, const char *at, const char *end, const char *pattern)
{
    while (*pattern == '/' && at != end && *at == '/') {
        const char *stop = memchr(at + 1, '/', (size_t)(end - at - 1));
        size_t length = strcspn(pattern + 1, "/");
        if (!stop)
            stop = end;
        if (!match_segment(r, at + 1, stop, pattern + 1, length))
            return false;
        at = stop;
        pattern += 1 + length;
    }
    return at == end && !*pattern;
}

/* ---- methods ---- */

static const struct {
    const char *name;
    enum method method;
} methods[] = {{"GET", METHOD_GET},     {"HEAD", METHOD_GET}, {"POST", METHOD_POST},      {"DELETE", METHOD_DELETE},
               {"PATCH", METHOD_PATCH}, {"PUT", METHOD_PUT},  {"OPTIONS", METHOD_OPTIONS}};
enum { METHODS = sizeof methods / sizeof *methods };

enum method method_of(const char *name)
{
    for (int i = 0; i < METHODS; i++)
        if (strcmp(methods[i].name, name) == 0)
            return methods[i].method;
    return 0;
}

const char *method_name(enum method method)
{
    for (int i = 0; i < METHODS; i++)
        if (methods[i].method == method)
            return methods[i].name;
    return NULL;
}

static void allow(struct request *r, unsigned allowed)
{
    char text[64] = "";
    for (int i = 0; i < METHODS; i++)
        if (allowed & methods[i].method)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", *text ? ", " : "", methods[i].name);
    request_header(r, "Allow", text);
}

/* ---- the query ---- */

static bool listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list ? list : ""; *at; at += strcspn(at, " "), at += *at == ' ')
        if (strcspn(at, " ") == length && memcmp(at, name, length) == 0)
            return true;
    return false;
}

static bool parse_query(struct request *r)
{
    const char *mark = strchr(r->uri, '?');
    if (!mark)
        return true;
    if (!query_parse(&r->query, mark + 1, strlen(mark + 1), &r->problem))
        return false;
    for (unsigned i = 0; i < r->query.count; i++) {
        const char *name = r->query.pairs[i].name;
        if (!listed(r->route->parameters, name) && !(r->route->options && option_known(name)))
            return problem_set(&r->problem, PROBLEM_UNKNOWN_PARAMETER, "there is no query parameter \"%.100s\" here",
                               name);
    }
    return true;
}

/* The absolute form, as proxies send it: Host says the same, and is checked. */
static const char *path_of(const char *uri)
{
    size_t scheme = strncasecmp(uri, "http://", 7) == 0 ? 7 : strncasecmp(uri, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0)
        return uri;
    const char *path = uri + scheme + strcspn(uri + scheme, "/?");
    return *path == '/' ? path : "/";
}

void route_find(struct request *r)
{
    const char *path = path_of(r->uri), *end = path + strcspn(path, "?");
    if (end - path > 1 && end[-1] == '/')
        end--; /* a trailing slash is accepted */
    for (unsigned i = 0; i < ROUTES + object_route_count; i++) {
        const struct route *route = i < ROUTES ? &routes[i] : &object_routes[i - ROUTES].route;
        if (!match(r, path, end, route->pattern))
            continue;
        r->allowed |= route->method;
        if (route->method == r->method)
            r->route = route;
    }
    if (r->allowed && r->method == METHOD_OPTIONS)
        r->route = &options_route;
}

bool route_check(struct request *r, const char *method)
{
    if (!r->allowed)
        return problem_set(&r->problem, PROBLEM_NOT_FOUND, "there is nothing at this path; see /openapi.yaml");
    if (!r->route || r->method == METHOD_OPTIONS)
        allow(r, r->allowed | METHOD_OPTIONS);
    if (!r->route)
        return problem_set(&r->problem, PROBLEM_METHOD, "%.20s is not possible here", method);
    if (strstr(r->route->pattern, "{id}") && r->seq == 0)
        return problem_set(&r->problem, PROBLEM_NOT_FOUND, "there was never such a job");
    return parse_query(r);
}
