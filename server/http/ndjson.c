#include "http/ndjson.h"

#include <string.h>

#include "http/submission.h"
#include "wire/scan.h"

void ndjson_init(struct ndjson *n, struct chunker *to, bool star, int64_t max_item)
{
    *n = (struct ndjson){.to = to, .partial = BUF_EMPTY, .max_item = max_item, .star = star};
}

static bool bad(struct ndjson *n, struct problem *p, enum problem_type type, int64_t offset, const char *reason)
{
    problem_set(p, type, "line %lld: %s", (long long)n->line + 1, reason);
    problem_at(p, offset, NULL);
    p->line = n->line + 1;
    return false;
}

static bool too_large(struct ndjson *n, struct problem *p, size_t length)
{
    problem_set(p, PROBLEM_ITEM_TOO_LARGE, "line %lld: an item has %s%zu bytes; %lld are allowed",
                (long long)n->line + 1, length > (size_t)n->max_item ? "at least " : "", length,
                (long long)n->max_item);
    problem_at(p, n->offset, NULL);
    p->line = n->line + 1;
    return false;
}

/* One item without white space around it, which begins at body offset `offset`. It is checked where it will stay. */
static bool take_item(struct ndjson *n, const char *at, size_t length, int64_t offset, struct problem *p)
{
    if ((int64_t)length > n->max_item)
        return too_large(n, p, length);
    struct scan_error error = {0};
    char *place = chunker_place(n->to, length);
    memcpy(place, at, length);
    char *end = scan_value_flatten(place, place + length, NULL, &error);
    if (!end)
        return bad(n, p, PROBLEM_INVALID_LINE, offset + (error.at - place), error.reason);
    if (end != place + length)
        return bad(n, p, PROBLEM_INVALID_LINE, offset + (end - place), "expected nothing more on this line");
    if (n->star && !submission_star_item(*place))
        return bad(n, p, PROBLEM_INVALID_LINE, offset, "an item of a starmap must be an array or an object");
    chunker_commit(n->to, length);
    return true;
}

/* A complete line without its newline; n->offset is where it begins. */
static bool take_line(struct ndjson *n, const char *at, const char *end, struct problem *p)
{
    const char *begin = at;
    while (at != end && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    while (end != at && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    if (at != end && !take_item(n, at, (size_t)(end - at), n->offset + (at - begin), p))
        return false;
    n->line++;
    return true;
}

static bool keep_partial(struct ndjson *n, const char *at, const char *end, struct problem *p)
{
    buf_append(&n->partial, at, (size_t)(end - at));
    /* White space around the item is not counted when the line is complete; here it is, generously. */
    return (int64_t)n->partial.length <= n->max_item + 4096 || too_large(n, p, n->partial.length);
}

static bool end_partial(struct ndjson *n, struct problem *p)
{
    size_t length = n->partial.length;
    bool fine = take_line(n, n->partial.data, n->partial.data + length, p);
    n->offset += (int64_t)length;
    buf_clear(&n->partial, CHUNK_BYTES_MAX);
    return fine;
}

bool ndjson_feed(struct ndjson *n, const char *data, size_t length, struct problem *p)
{
    const char *at = data, *end = data + length;
    while (at != end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        bool fine;
        if (!newline || n->partial.length) {
            fine = keep_partial(n, at, stop, p) && (!newline || end_partial(n, p));
        } else {
            fine = take_line(n, at, stop, p);
            n->offset += stop - at;
        }
        if (!fine)
            return false;
        n->offset += newline != NULL;
        at = newline ? newline + 1 : end;
    }
    return true;
}

bool ndjson_finish(struct ndjson *n, struct problem *p)
{
    return n->partial.length == 0 || end_partial(n, p);
}

void ndjson_free(struct ndjson *n)
{
    buf_free(&n->partial);
}
