#include "http/access.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "access/tokens.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/handlers.h"
#include "http/routes.h"

/* ---- the tokens ---- */

static struct tokens *load(const struct config *config, struct error *e)
{
    bool exposed = false;
    struct tokens *tokens = tokens_load(config->token_file, &exposed, e);
    if (tokens && exposed)
        log_event(LOG_WARNING, "access.exposed", "path=\"%s\" note=\"every user may read it: chmod o= FILE\"",
                  config->token_file);
    return tokens;
}

int access_check_file(const struct config *config, struct error *e)
{
    bool exposed;
    if (!*config->token_file)
        return 0;
    struct tokens *tokens = tokens_load(config->token_file, &exposed, e);
    bool fine = tokens != NULL;
    tokens_unref(&tokens);
    return fine ? 0 : -1;
}

int access_start(struct http *http, struct error *e)
{
    if (!*http->config->token_file)
        return 0;
    http->tokens = load(http->config, e);
    return http->tokens ? 0 : -1;
}

void access_reload(struct http *http)
{
    struct error e = {""};
    if (!*http->config->token_file)
        return;
    struct tokens *tokens = load(http->config, &e);
    if (!tokens) {
        log_event(LOG_ERROR, "access.reload", "error=\"%s\" note=\"the tokens stay as they were\"", e.text);
        return;
    }
    log_event(LOG_INFO, "access.reload", "tokens=%u", tokens_count(tokens));
    tokens = atomic_exchange(&http->new_tokens, tokens);
    tokens_unref(&tokens); /* nobody had looked at it yet */
}

void access_free(struct http *http)
{
    struct tokens *tokens = atomic_exchange(&http->new_tokens, NULL);
    tokens_unref(&tokens);
    tokens_unref(&http->tokens);
}

/* What was read since the last request counts from this one on. */
static void renew(struct http *http)
{
    struct tokens *tokens = atomic_load(&http->new_tokens) ? atomic_exchange(&http->new_tokens, NULL) : NULL;
    if (!tokens)
        return;
    tokens_unref(&http->tokens);
    http->tokens = tokens;
}

/* ---- whose request it is ---- */

static const char *token_sent(const struct request *r)
{
    const char *given = r->heads.value[HEAD_AUTHORIZATION];
    if (!given || strncasecmp(given, "Bearer ", 7) != 0)
        return NULL;
    return given + 7 + strspn(given + 7, " ");
}

static void write_address(const struct in6_addr *address, char client[CLIENT_MAX + 1])
{
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        inet_ntop(AF_INET, address->s6_addr + 12, client, CLIENT_MAX + 1);
        return;
    }
    inet_ntop(AF_INET6, address, client, CLIENT_MAX - 2);
    strcat(client, "/64");
}

static void identify(struct request *r)
{
    const char *sent = token_sent(r);
    renew(r->http);
    write_address(&r->connection->address, r->client);
    if (!r->http->tokens || !sent)
        return;
    r->token = tokens_find(r->http->tokens, sent, heads_value_length(sent));
    if (!r->token)
        return;
    r->tokens = tokens_ref(r->http->tokens);
    strcpy(r->client, r->token->name);
}

static void find_limits(struct request *r)
{
    const struct config *config = r->http->config;
    r->limits =
        (struct limits){.rate = config->client_rate, .jobs = config->client_jobs, .streams = config->client_streams};
    if (r->token)
        r->limits = token_limits(r->token, r->limits);
}

/* ---- whether he may ---- */

/* "read", "read and submit" */
static void write_scopes(unsigned scopes, char *text, size_t size)
{
    *text = '\0';
    for (enum scope scope = SCOPE_READ; scope <= SCOPE_ADMIN; scope <<= 1)
        if (scopes & scope)
            snprintf(text + strlen(text), size - strlen(text), "%s%s", *text ? " and " : "", scope_name(scope));
}

static bool forbidden(struct request *r, const char *method)
{
    char may[64];
    write_scopes(r->token->scopes, may, sizeof may);
    return problem_set(&r->problem, PROBLEM_FORBIDDEN, "this token may %s; %s %s needs %s", may, method,
                       r->route->pattern, scope_name(r->route->scope));
}

/* Also who has no token, or a wrong one: by his address. */
static bool in_time(struct request *r)
{
    int64_t wait_ns = limiter_take(r->http->limiter, r->client, r->limits.rate, clock_mono_ns());
    return !wait_ns || problem_set(&r->problem, PROBLEM_TOO_MANY_REQUESTS,
                                   "this client may make %u requests a second; the next in %lld ms", r->limits.rate,
                                   (long long)(wait_ns / NS_PER_MS + 1));
}

bool access_admit(struct request *r, const char *method)
{
    unsigned scope = r->route ? r->route->scope : ROUTE_ANY_TOKEN;
    identify(r);
    find_limits(r);
    if (scope != ROUTE_FREE && !in_time(r))
        return false;
    if (!r->http->tokens || scope == ROUTE_PUBLIC || scope == ROUTE_FREE)
        return true;
    if (!r->token)
        return problem_set(&r->problem, PROBLEM_UNAUTHORIZED,
                           token_sent(r) ? "there is no such token" : "Authorization: Bearer TOKEN is needed");
    return scope == ROUTE_ANY_TOKEN || r->token->scopes & scope || forbidden(r, method);
}

bool access_restricted(const struct request *r)
{
    return r->token && r->token->functions;
}

bool access_sees(const struct request *r, const char *function)
{
    return !access_restricted(r) || token_allows(r->token, function);
}

bool access_function(struct request *r, const char *function)
{
    return access_sees(r, function) ||
           problem_set(&r->problem, PROBLEM_FUNCTION_FORBIDDEN,
                       "this token may only use %.200s; GET /v1/access says so", r->token->functions);
}

/* A job's function never changes, and its id is told only once it is stored. */
bool access_job(struct request *r)
{
    struct job_view view;
    if (!access_restricted(r) || !strstr(r->route->pattern, "{id}"))
        return true;
    return request_read_job(r, &view) && access_function(r, view.function);
}

void access_headers(struct request *r)
{
    char text[96];
    if (r->problem.type == PROBLEM_UNAUTHORIZED) {
        request_header(r, "WWW-Authenticate",
                       token_sent(r) ? "Bearer realm=\"poold\", error=\"invalid_token\"" : "Bearer realm=\"poold\"");
    } else if (r->problem.type == PROBLEM_FORBIDDEN) {
        snprintf(text, sizeof text, "Bearer realm=\"poold\", error=\"insufficient_scope\", scope=\"%s\"",
                 scope_name(r->route->scope));
        request_header(r, "WWW-Authenticate", text);
    }
}

/* ---- GET /v1/access ---- */

static void write_functions(struct buf *b, const char *functions)
{
    buf_append_char(b, '[');
    for (const char *at = functions; *at; at += strcspn(at, ","), at += *at == ',') {
        buf_append_text(b, at == functions ? "" : ",");
        buf_append_json_string(b, at, strcspn(at, ","));
    }
    buf_append_char(b, ']');
}

/* As the last member so far. */
static void write_limit(struct buf *b, const char *name, unsigned limit)
{
    buf_printf(b, "%s\"%s\":", b->data[b->length - 1] == '{' ? "" : ",", name);
    if (limit)
        buf_printf(b, "%u", limit);
    else
        buf_append_text(b, "null");
}

static void write_access(struct buf *b, const struct request *r)
{
    unsigned scopes = r->token ? r->token->scopes : SCOPES_ALL;
    buf_append_text(b, "{\"name\":");
    if (r->token)
        buf_append_json_string(b, r->token->name, strlen(r->token->name));
    else
        buf_append_text(b, "null");
    buf_append_text(b, ",\"scopes\":[");
    for (enum scope scope = SCOPE_READ; scope <= SCOPE_ADMIN; scope <<= 1)
        if (scopes & scope)
            buf_printf(b, "%s\"%s\"", b->data[b->length - 1] == '[' ? "" : ",", scope_name(scope));
    buf_append_text(b, "],\"functions\":");
    if (access_restricted(r))
        write_functions(b, r->token->functions);
    else
        buf_append_text(b, "null");
    buf_append_text(b, ",\"limits\":{");
    write_limit(b, "rate", r->limits.rate);
    write_limit(b, "jobs", r->limits.jobs);
    write_limit(b, "streams", r->limits.streams);
    buf_append_text(b, "}}\n");
}

void get_access(struct request *r)
{
    struct buf document = BUF_EMPTY;
    write_access(&document, r);
    request_answer_json(r, 200, &document);
}
