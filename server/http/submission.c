/* The members of the body are walked here by hand, not with scan_walk: that would validate "map" as a whole before
 * its elements can be taken, and so read every item twice. */
#include "http/submission.h"

#include <string.h>

#include "http/options.h"
#include "wire/scan.h"

enum { FIELDS_MAX = 32 }; /* more than there are names */

struct reader {
    struct submission *to;
    char *body, *end;
    int64_t max_item;
    struct problem *problem;
    struct {
        const char *name;
        size_t length;
    } seen[FIELDS_MAX];
    unsigned count;
    bool have_function, have_kind;
};

static int64_t offset(const struct reader *r, const char *at)
{
    return at - r->body;
}

static char *syntax(struct reader *r, const char *at, const char *reason)
{
    problem_set(r->problem, PROBLEM_INVALID_JSON, "%s", reason);
    problem_at(r->problem, offset(r, at), NULL);
    return NULL;
}

static char *scan_failed(struct reader *r, const struct scan_error *error)
{
    return syntax(r, error->at, error->reason);
}

static char *space(struct reader *r, char *at)
{
    return (char *)scan_space(at, r->end);
}

/* ---- items ---- */

bool submission_star_item(char first_byte)
{
    return first_byte == '[' || first_byte == '{';
}

static bool take_item(struct reader *r, const char *at, const char *end, const char *field, int64_t index)
{
    size_t length = (size_t)(end - at);
    const char *slash = index >= 0 ? "/" : "";
    if ((int64_t)length > r->max_item) {
        problem_set(r->problem, PROBLEM_ITEM_TOO_LARGE, "an item has %zu bytes; %lld are allowed", length,
                    (long long)r->max_item);
    } else if (r->to->kind == JOB_STARMAP && !submission_star_item(*at)) {
        problem_set(r->problem, PROBLEM_INVALID_VALUE,
                    "an item of a starmap must be an array of arguments or an object of named ones");
    } else {
        memcpy(chunker_place(&r->to->items, length), at, length);
        chunker_commit(&r->to->items, length);
        return true;
    }
    if (index >= 0)
        problem_at(r->problem, offset(r, at), "%s%s%lld", field, slash, (long long)index);
    else
        problem_at(r->problem, offset(r, at), "%s", field);
    return false;
}

/* An array of items; returns the byte behind it. */
static char *take_items(struct reader *r, char *at, const char *field)
{
    if (at == r->end || *at != '[') {
        if (!scan_value(at, r->end, NULL, &(struct scan_error){0}))
            return syntax(r, at, at == r->end ? "unexpected end" : "expected an array of items");
        problem_set(r->problem, PROBLEM_INVALID_VALUE, "%s must be an array of items", *field ? field + 1 : "the body");
        problem_at(r->problem, offset(r, at), "%s", field);
        return NULL;
    }
    struct scan_walk walk;
    int64_t index = 0;
    for (scan_enter(&walk, at, r->end, true); scan_next(&walk); index++)
        if (!take_item(r, walk.value, walk.value_end, field, index))
            return NULL;
    if (walk.error.reason)
        return scan_failed(r, &walk.error);
    chunker_cut(&r->to->items);
    return walk.at;
}

/* ---- members ---- */

/* At the member `key`, whose name is escaped as RFC 6901 has it. */
static char *value_failed(struct reader *r, const char *key, size_t length, const char *at)
{
    char name[sizeof r->problem->pointer];
    size_t used = 0;
    for (size_t i = 0; i < length && used < sizeof name - 3; i++) {
        if (key[i] == '~' || key[i] == '/')
            name[used++] = '~';
        name[used++] = (char)(key[i] == '~' ? '0' : key[i] == '/' ? '1' : key[i]);
    }
    problem_at(r->problem, offset(r, at), "/%.*s", (int)used, name);
    return NULL;
}

static char *take_kind(struct reader *r, enum job_kind kind, const char *field, char *at)
{
    struct scan_error error = {0};
    if (r->have_kind) {
        problem_set(r->problem, PROBLEM_INVALID_VALUE, "only one of map, starmap and apply can be there");
        problem_at(r->problem, offset(r, at), "%s", field);
        return NULL;
    }
    r->have_kind = true;
    r->to->kind = kind;
    if (kind != JOB_APPLY)
        return take_items(r, at, field);
    char *end = scan_value_flatten(at, r->end, NULL, &error);
    if (!end)
        return scan_failed(r, &error);
    if (!take_item(r, at, end, field, -1))
        return NULL;
    chunker_cut(&r->to->items);
    return end;
}

static char *take_function(struct reader *r, char *at)
{
    enum scan_kind kind;
    struct scan_error error = {0};
    char *end = (char *)scan_value(at, r->end, &kind, &error);
    if (!end)
        return scan_failed(r, &error);
    r->have_function = true;
    if (kind == SCAN_STRING && json_text(at, end, r->to->function, sizeof r->to->function) == 0 &&
        function_name_valid(r->to->function))
        return end;
    problem_set(r->problem, PROBLEM_INVALID_VALUE,
                "function must be a name: letters, digits, '_', '.' and '-', at most %d", FUNCTION_NAME_MAX);
    return value_failed(r, "function", 8, at);
}

static char *take_option(struct reader *r, const char *key, size_t length, char *at)
{
    enum scan_kind kind;
    struct scan_error error = {0};
    char *end = (char *)scan_value(at, r->end, &kind, &error);
    if (!end)
        return scan_failed(r, &error);
    switch (option_from_json(&r->to->options, key, length, at, end, kind, r->problem)) {
    case OPTION_SET:
        r->to->asked |= option_asked(key, length);
        return end;
    case OPTION_BAD:
        return value_failed(r, key, length, at);
    case OPTION_UNKNOWN:
        break;
    }
    problem_set(r->problem, PROBLEM_UNKNOWN_FIELD, "there is no field \"%.*s\"", (int)(length > 100 ? 100 : length),
                key);
    return value_failed(r, key, length > 150 ? 150 : length, key - 1);
}

static bool is(const char *key, size_t length, const char *name)
{
    return strlen(name) == length && memcmp(key, name, length) == 0;
}

static bool first_time(struct reader *r, const char *key, size_t length)
{
    for (unsigned i = 0; i < r->count; i++) {
        if (r->seen[i].length == length && memcmp(r->seen[i].name, key, length) == 0) {
            problem_set(r->problem, PROBLEM_INVALID_VALUE, "the field comes twice");
            value_failed(r, key, length, key - 1);
            return false;
        }
    }
    /* Only known names get here a second time, and there are fewer than FIELDS_MAX. */
    if (r->count < FIELDS_MAX) {
        r->seen[r->count].name = key;
        r->seen[r->count++].length = length;
    }
    return true;
}

static char *take_member(struct reader *r, const char *key, size_t length, char *at)
{
    if (!first_time(r, key, length))
        return NULL;
    if (is(key, length, "map"))
        return take_kind(r, JOB_MAP, "/map", at);
    if (is(key, length, "apply"))
        return take_kind(r, JOB_APPLY, "/apply", at);
    if (is(key, length, "starmap"))
        return take_kind(r, JOB_STARMAP, "/starmap", at);
    if (is(key, length, "function"))
        return take_function(r, at);
    return take_option(r, key, length, at);
}

/* `"key" : value`, returns the byte behind it. */
static char *member(struct reader *r, char *at)
{
    enum scan_kind kind;
    struct scan_error error = {0};
    char *key = at + 1, *key_end;
    if (at == r->end || *at != '"')
        return syntax(r, at, at == r->end ? "unexpected end" : "expected a field name");
    if (!(at = (char *)scan_value(at, r->end, &kind, &error)))
        return scan_failed(r, &error);
    key_end = at - 1;
    at = space(r, at);
    if (at == r->end || *at != ':')
        return syntax(r, at, at == r->end ? "unexpected end" : "expected ':'");
    return take_member(r, key, (size_t)(key_end - key), space(r, at + 1));
}

static char *members(struct reader *r, char *at)
{
    at = space(r, at + 1);
    if (at != r->end && *at == '}')
        return at + 1;
    for (;;) {
        if (!(at = member(r, at)))
            return NULL;
        at = space(r, at);
        if (at != r->end && *at == '}')
            return at + 1;
        if (at == r->end || *at != ',')
            return syntax(r, at, at == r->end ? "unexpected end" : "expected ',' or '}'");
        at = space(r, at + 1);
    }
}

static bool missing(struct reader *r, const char *field, const char *detail)
{
    problem_set(r->problem, PROBLEM_MISSING_FIELD, "%s", detail);
    problem_at(r->problem, -1, "%s", field);
    return false;
}

static bool complete(struct reader *r)
{
    if (!r->have_function)
        return missing(r, "/function", "\"function\" says what to call; it is missing");
    if (!r->have_kind)
        return missing(r, "", "one of \"map\", \"starmap\" and \"apply\" must be there");
    if (r->to->kind == JOB_APPLY && r->to->options.open) {
        problem_set(r->problem, PROBLEM_INVALID_VALUE, "an apply has one item and cannot be open");
        problem_at(r->problem, -1, "/open");
        return false;
    }
    return true;
}

static bool nothing_more(struct reader *r, char *at)
{
    at = space(r, at);
    return at == r->end || syntax(r, at, "expected nothing more");
}

/* An empty body may be NULL, to which nothing must be added. */
bool submission_parse(struct submission *to, char *body, size_t length, int64_t max_item, struct problem *p)
{
    *to = (struct submission){.options = job_options_default()};
    chunker_init(&to->items);
    struct reader r = {
        .to = to, .body = body, .end = length ? body + length : body, .max_item = max_item, .problem = p};
    char *at = space(&r, body);
    if (at == r.end)
        return syntax(&r, at, "the body is empty; expected a JSON object");
    if (*at != '{')
        return syntax(&r, at, "expected a JSON object");
    at = members(&r, at);
    return at && nothing_more(&r, at) && complete(&r);
}

bool submission_parse_items(struct chunker *items, char *body, size_t length, bool star, int64_t max_item,
                            struct problem *p)
{
    struct submission to = {.kind = star ? JOB_STARMAP : JOB_MAP};
    chunker_init(&to.items);
    struct reader r = {
        .to = &to, .body = body, .end = length ? body + length : body, .max_item = max_item, .problem = p};
    char *at = take_items(&r, space(&r, body), "");
    bool fine = at && nothing_more(&r, at);
    *items = to.items;
    if (!items->first)
        items->last = &items->first; /* it pointed into `to` */
    return fine;
}

void submission_free(struct submission *s)
{
    chunker_free(&s->items);
}
