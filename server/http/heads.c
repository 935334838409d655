#include "http/heads.h"

#include <ctype.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/query.h"
#include "http/server.h"

static const struct {
    const char *name;
    bool single; /* twice is an error */
} names[HEADS] = {
    [HEAD_HOST] = {"Host", true},
    [HEAD_CONTENT_LENGTH] = {"Content-Length", true},
    [HEAD_TRANSFER_ENCODING] = {"Transfer-Encoding", true},
    [HEAD_CONTENT_TYPE] = {"Content-Type", true},
    [HEAD_CONTENT_ENCODING] = {"Content-Encoding", true},
    [HEAD_AUTHORIZATION] = {"Authorization", true},
    [HEAD_ORIGIN] = {"Origin", true},
    [HEAD_SEC_FETCH_SITE] = {"Sec-Fetch-Site", true},
    [HEAD_SEC_FETCH_MODE] = {"Sec-Fetch-Mode", true},
    [HEAD_EXPECT] = {"Expect", true},
    [HEAD_IDEMPOTENCY_KEY] = {"Idempotency-Key", true},
    [HEAD_LAST_EVENT_ID] = {"Last-Event-ID", true},
    [HEAD_ACCEPT] = {"Accept", false},
    [HEAD_PREFER] = {"Prefer", false},
    [HEAD_IF_MATCH] = {"If-Match", true},
    [HEAD_IF_NONE_MATCH] = {"If-None-Match", true},
    [HEAD_TRACEPARENT] = {"traceparent", false}, /* twice is none: no reason to refuse anything */
};

/* "Content-Length : 5" is another header to libmicrohttpd, but not to every proxy before it. */
static bool is_token(const char *key)
{
    size_t length = strspn(key, "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    return length > 0 && !key[length];
}

static enum MHD_Result collect(void *context, enum MHD_ValueKind kind, const char *key, size_t key_size,
                               const char *value, size_t value_size)
{
    struct heads *h = context;
    (void)kind;
    h->total++;
    if (strlen(key) != key_size || (value && strlen(value) != value_size) || !is_token(key))
        h->broken = true;
    for (int i = 0; i < HEADS; i++) {
        if (strcasecmp(names[i].name, key) == 0) {
            if (h->seen[i]++ == 0)
                h->value[i] = value ? value : "";
            break;
        }
    }
    return MHD_YES;
}

void heads_read(struct heads *h, struct MHD_Connection *mhd)
{
    *h = (struct heads){0};
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, collect, h);
}

size_t heads_value_length(const char *value)
{
    size_t length = strlen(value);
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        length--;
    return length;
}

static bool invalid(struct problem *p, const char *detail)
{
    return problem_set(p, PROBLEM_INVALID_HEAD, "%s", detail);
}

static bool check_length(struct heads *h, const char *version, struct problem *p)
{
    const char *length = h->value[HEAD_CONTENT_LENGTH], *coding = h->value[HEAD_TRANSFER_ENCODING];
    unsigned long long bytes = 0;
    if (coding && length)
        return invalid(p, "Content-Length and Transfer-Encoding exclude each other");
    if (coding && (strcasecmp(coding, "chunked") != 0 || strcmp(version, "HTTP/1.1") != 0))
        return invalid(p, "the only Transfer-Encoding is chunked, in HTTP/1.1");
    if (length && parse_unsigned(length, INT64_MAX, &bytes))
        return invalid(p, "Content-Length is not a number");
    h->body_length = coding ? -1 : (int64_t)bytes;
    return true;
}

bool heads_check_framing(struct heads *h, const char *version, struct problem *p)
{
    if (h->broken)
        return invalid(p, "the name or value of a header has bytes that are not allowed");
    for (int i = 0; i < HEADS; i++)
        if (names[i].single && h->seen[i] > 1)
            return problem_set(p, PROBLEM_INVALID_HEAD, "%s comes %u times", names[i].name, h->seen[i]);
    if (!h->value[HEAD_HOST] && strcmp(version, "HTTP/1.0") != 0)
        return invalid(p, "Host is missing");
    return check_length(h, version, p);
}

/* ---- Host and Origin ---- */

/* [at, end) without its port. */
static const char *host_end(const char *at, const char *end)
{
    const char *bracket = *at == '[' ? memchr(at, ']', (size_t)(end - at)) : NULL;
    if (bracket)
        return bracket + 1;
    const char *colon = memchr(at, ':', (size_t)(end - at));
    return colon ? colon : end;
}

static bool same(const char *at, const char *end, const char *name, size_t length)
{
    return (size_t)(end - at) == length && strncasecmp(at, name, length) == 0;
}

/* An address cannot be rebound: only names can lie about where they lead. */
static bool is_address(const char *at, const char *end)
{
    if (*at == '[')
        return end - at > 2 && end[-1] == ']' && strspn(at + 1, "0123456789abcdefABCDEF:.") == (size_t)(end - at - 2);
    int dots = 0;
    for (const char *c = at; c != end; c++) {
        dots += *c == '.';
        if (*c != '.' && !isdigit((unsigned char)*c))
            return false;
    }
    return dots == 3;
}

static bool listed(const char *list, const char *at, const char *end)
{
    while (*list) {
        list += strspn(list, ", ");
        size_t length = strcspn(list, ", ");
        if (length && same(at, end, list, length))
            return true;
        list += length;
    }
    return false;
}

static bool host_allowed(const struct http *http, const char *host)
{
    const char *all = host + strlen(host), *end = host_end(host, all);
    if (end == host || (*end && (*end != ':' || strspn(end + 1, "0123456789") != strlen(end + 1))))
        return false;
    return same(host, end, "localhost", 9) || is_address(host, end) ||
           same(host, end, http->listen_host, strlen(http->listen_host)) ||
           listed(http->config->allow_hosts, host, end);
}

static bool same_origin(const char *origin, const char *host)
{
    const char *slashes = strstr(origin, "://");
    return slashes && host && strcasecmp(slashes + 3, host) == 0;
}

bool heads_check_site(const struct heads *h, const struct http *http, bool safe_method, struct problem *p)
{
    const char *host = h->value[HEAD_HOST], *origin = h->value[HEAD_ORIGIN], *site = h->value[HEAD_SEC_FETCH_SITE];
    const char *mode = h->value[HEAD_SEC_FETCH_MODE];
    if (host && !host_allowed(http, host))
        return problem_set(p, PROBLEM_WRONG_HOST, "Host names a service that this is not; --allow-hosts adds names");
    if (origin && !same_origin(origin, host))
        return problem_set(p, PROBLEM_CROSS_SITE, "Origin is another site");
    /* A link from another site may be followed; a page of another site may not read or act. */
    bool followed = safe_method && mode && strcmp(mode, "navigate") == 0;
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0 && !followed)
        return problem_set(p, PROBLEM_CROSS_SITE, "Sec-Fetch-Site says %.40s", site);
    return true;
}

/* ---- the rest ---- */

bool heads_check_expect(const struct heads *h, struct problem *p)
{
    const char *expect = h->value[HEAD_EXPECT];
    return !expect || strcasecmp(expect, "100-continue") == 0 ||
           problem_set(p, PROBLEM_EXPECTATION, "the only expectation is 100-continue");
}

static bool media_type(const char *value, const char *type)
{
    size_t length = strcspn(value, "; \t");
    return strlen(type) == length && strncasecmp(value, type, length) == 0;
}

enum body_type heads_body_type(const struct heads *h)
{
    static const char *const json[] = {"application/json", "application/x-www-form-urlencoded"};
    static const char *const lines[] = {"application/x-ndjson", "application/ndjson", "application/jsonl"};
    const char *type = h->value[HEAD_CONTENT_TYPE], *coding = h->value[HEAD_CONTENT_ENCODING];
    if (coding && strcasecmp(coding, "identity") != 0)
        return BODY_TYPE_OTHER;
    if (!type || !*type)
        return BODY_TYPE_NONE;
    for (size_t i = 0; i < sizeof json / sizeof *json; i++)
        if (media_type(type, json[i]))
            return BODY_TYPE_JSON;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (media_type(type, lines[i]))
            return BODY_TYPE_NDJSON;
    return media_type(type, "application/octet-stream") ? BODY_TYPE_BYTES : BODY_TYPE_OTHER;
}

int64_t heads_prefer_wait(const struct heads *h)
{
    const char *at = h->value[HEAD_PREFER];
    long long ms;
    for (; at && *at; at += strcspn(at, ","), at += *at == ',') {
        at += strspn(at, " \t");
        if (strncasecmp(at, "wait=", 5) == 0 &&
            parse_seconds(at + 5, strcspn(at + 5, ",; \t"), INT64_C(1000) * 86400 * 365, &ms) == 0)
            return ms;
    }
    return -1;
}

/* ---- Accept ---- */

static enum format format_of(const char *type, size_t length, enum format fallback, unsigned offered)
{
    static const struct {
        const char *type;
        enum format format;
    } known[] = {
        {"application/json", FORMAT_JSON},
        {"application/x-ndjson", FORMAT_NDJSON},
        {"application/ndjson", FORMAT_NDJSON},
        {"application/jsonl", FORMAT_NDJSON},
        {"text/event-stream", FORMAT_SSE},
        {"application/octet-stream", FORMAT_BYTES},
        {"text/html", FORMAT_HTML},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (offered & 1U << known[i].format && strlen(known[i].type) == length &&
            strncasecmp(type, known[i].type, length) == 0)
            return known[i].format;
    const char *family = fallback == FORMAT_HTML ? "text/*" : "application/*";
    bool any = (length == 3 && strncmp(type, "*/*", 3) == 0) ||
               (length == strlen(family) && strncasecmp(type, family, length) == 0);
    return any ? fallback : FORMAT_NONE;
}

static double quality(const char *at, const char *end)
{
    while ((at = memchr(at, ';', (size_t)(end - at)))) {
        at++;
        at += strspn(at, " \t");
        if (strncasecmp(at, "q=", 2) == 0)
            return strtod(at + 2, NULL);
        if (at >= end)
            break;
    }
    return 1;
}

/* `offered`: a bit for each format. */
static enum format choose(const char *accept, enum format fallback, unsigned offered)
{
    enum format best = FORMAT_NONE;
    double best_quality = 0;
    if (!accept || !*accept)
        return fallback;
    for (const char *at = accept; *at;) {
        at += strspn(at, ", \t");
        const char *end = at + strcspn(at, ",");
        enum format format = format_of(at, strcspn(at, ",; \t"), fallback, offered);
        double q = quality(at, end);
        if (format != FORMAT_NONE && q > best_quality) {
            best = format;
            best_quality = q;
        }
        at = end;
    }
    return best;
}

enum format accept_choose(const char *accept, enum format fallback)
{
    return choose(accept, fallback, 1U << FORMAT_JSON | 1U << FORMAT_NDJSON | 1U << FORMAT_SSE);
}

enum format accept_bytes(const char *accept)
{
    return choose(accept, FORMAT_JSON, 1U << FORMAT_JSON | 1U << FORMAT_BYTES);
}

bool accept_html(const char *accept)
{
    return choose(accept, FORMAT_NONE, 1U << FORMAT_HTML) == FORMAT_HTML;
}

bool accept_page(const char *accept)
{
    return choose(accept, FORMAT_HTML, 1U << FORMAT_HTML) == FORMAT_HTML;
}
