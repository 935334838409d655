#include "http/problem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define URN "urn:poold:problem:"

static const struct {
    const char *name;
    unsigned status;
    const char *title;
} problems[PROBLEMS] = {
    [PROBLEM_NONE] = {"none", 200, "No problem"},
    [PROBLEM_INVALID_JSON] = {"invalid-json", 400, "The body is not valid JSON"},
    [PROBLEM_INVALID_LINE] = {"invalid-line", 400, "A line of the body is not a valid item"},
    [PROBLEM_UNKNOWN_FIELD] = {"unknown-field", 400, "The body has a field that is not known"},
    [PROBLEM_MISSING_FIELD] = {"missing-field", 400, "The body lacks a field"},
    [PROBLEM_INVALID_VALUE] = {"invalid-value", 400, "A field has a value that is not allowed"},
    [PROBLEM_UNKNOWN_PARAMETER] = {"unknown-parameter", 400, "A query parameter is not known"},
    [PROBLEM_INVALID_PARAMETER] = {"invalid-parameter", 400, "A query parameter or name is not valid"},
    [PROBLEM_INVALID_HEAD] = {"invalid-head", 400, "The head of the request is ambiguous or broken"},
    [PROBLEM_INVALID_HEADER] = {"invalid-header", 400, "A header has a value that is not allowed"},
    [PROBLEM_UNAUTHORIZED] = {"unauthorized", 401, "A valid token is needed"},
    [PROBLEM_FORBIDDEN] = {"forbidden", 403, "The token may not do this"},
    [PROBLEM_FUNCTION_FORBIDDEN] = {"function-forbidden", 403, "The token may not use this function"},
    [PROBLEM_CROSS_SITE] = {"cross-site", 403, "Requests from other sites are refused"},
    [PROBLEM_NOT_FOUND] = {"not-found", 404, "There is no such thing"},
    [PROBLEM_METHOD] = {"method-not-allowed", 405, "The method is not allowed here"},
    [PROBLEM_NOT_ACCEPTABLE] = {"not-acceptable", 406, "None of the accepted formats is available"},
    [PROBLEM_TOO_SLOW] = {"request-timeout", 408, "The request came too slowly"},
    [PROBLEM_KEY_IN_FLIGHT] = {"key-in-flight", 409, "The first request with this Idempotency-Key is in flight"},
    [PROBLEM_NOT_OPEN] = {"job-not-open", 409, "The job takes no more items"},
    [PROBLEM_ENDED] = {"job-ended", 409, "The job has ended"},
    [PROBLEM_NOT_ENDED] = {"job-not-ended", 409, "The job has not ended"},
    [PROBLEM_NOTHING_TO_RETRY] = {"nothing-to-retry", 409, "No item of the job failed"},
    [PROBLEM_GONE] = {"gone", 410, "It was there, and is deleted or expired"},
    [PROBLEM_BODY_TOO_LARGE] = {"body-too-large", 413, "The body is too large"},
    [PROBLEM_ITEM_TOO_LARGE] = {"item-too-large", 413, "An item is too large"},
    [PROBLEM_TOO_MANY_ITEMS] = {"too-many-items", 413, "The job has too many items"},
    [PROBLEM_URI_TOO_LONG] = {"uri-too-long", 414, "The address is too long"},
    [PROBLEM_MEDIA_TYPE] = {"unsupported-media-type", 415, "The content type is not supported here"},
    [PROBLEM_EXPECTATION] = {"expectation-failed", 417, "The expectation is not supported"},
    [PROBLEM_WRONG_HOST] = {"wrong-host", 421, "The Host is not one of this service"},
    [PROBLEM_UNKNOWN_FUNCTION] = {"unknown-function", 422, "There is no function of that name"},
    [PROBLEM_OVER_CEILING] = {"over-ceiling", 422, "An option is beyond what the function allows"},
    [PROBLEM_KEY_REUSED] = {"key-reused", 422, "The Idempotency-Key was used with another request"},
    [PROBLEM_TOO_MANY_REQUESTS] = {"too-many-requests", 429, "The client is over one of its limits"},
    [PROBLEM_HEAD_TOO_LARGE] = {"head-too-large", 431, "The headers are too large"},
    [PROBLEM_INTERNAL] = {"internal", 500, "Something went wrong inside"},
    [PROBLEM_OVERLOADED] = {"overloaded", 503, "Too many connections or waiting requests"},
    [PROBLEM_DRAINING] = {"draining", 503, "The service is shutting down"},
    [PROBLEM_STARTING] = {"starting", 503, "The service is starting"},
    [PROBLEM_READ_ONLY] = {"read-only", 503, "The service only reads since a storage error"},
    [PROBLEM_STORAGE_FAILED] = {"storage-failed", 503, "Storage failed; the outcome is unknown"},
    [PROBLEM_STORAGE_FULL] = {"storage-full", 507, "There is no space left"},
    [PROBLEM_OBJECT_MISSING] = {"object-missing", 404, "There is no such object"},
    [PROBLEM_NO_ENTRY] = {"no-entry", 404, "There is no such key, index, element or lease"},
    [PROBLEM_OBJECT_EXISTS] = {"object-exists", 409, "It exists with another configuration"},
    [PROBLEM_QUEUE_EMPTY] = {"queue-empty", 409, "There is nothing to get"},
    [PROBLEM_QUEUE_FULL] = {"queue-full", 409, "There is no room to put"},
    [PROBLEM_BUSY] = {"busy", 409, "It is held, or not all is done"},
    [PROBLEM_NOT_HOLDER] = {"not-holder", 409, "It is not held by who says so"},
    [PROBLEM_END_OF_FILE] = {"end-of-file", 410, "An end of the pipe is closed"},
    [PROBLEM_OBJECT_DELETED] = {"object-deleted", 410, "It was deleted meanwhile"},
    [PROBLEM_CHANGED] = {"changed", 412, "It has another version or value"},
    [PROBLEM_OBJECT_LIMIT] = {"object-limit", 413, "A size or count is over its limit"},
    [PROBLEM_OBJECT_INVALID] = {"object-invalid", 422, "The operation does not take this"},
    [PROBLEM_OVERFLOW] = {"overflow", 422, "The number is out of range"},
    [PROBLEM_NO_ROOM] = {"no-room", 507, "The memory for objects is used up"},
};

bool problem_set(struct problem *p, enum problem_type type, const char *detail, ...)
{
    if (p->type != PROBLEM_NONE)
        return false;
    p->type = type;
    va_list arguments;
    va_start(arguments, detail);
    vsnprintf(p->detail, sizeof p->detail, detail, arguments);
    va_end(arguments);
    return false;
}

void problem_at(struct problem *p, int64_t offset, const char *pointer, ...)
{
    p->offset = offset;
    if (!pointer)
        return;
    va_list arguments;
    va_start(arguments, pointer);
    vsnprintf(p->pointer, sizeof p->pointer, pointer, arguments);
    va_end(arguments);
    p->pointed = true;
}

const char *problem_name(enum problem_type type)
{
    return problems[type].name;
}

unsigned problem_status(enum problem_type type)
{
    return problems[type].status;
}

const char *problem_title(enum problem_type type)
{
    return problems[type].title;
}

static void number(struct buf *b, const char *name, int64_t value)
{
    if (value >= 0)
        buf_printf(b, ",\"%s\":%" PRId64, name, value);
}

void problem_write(const struct problem *p, struct buf *b)
{
    buf_printf(b, "{\"type\":\"" URN "%s\",\"title\":\"%s\",\"status\":%u,\"detail\":", problem_name(p->type),
               problem_title(p->type), problem_status(p->type));
    buf_append_json_string(b, p->detail, strlen(p->detail));
    if (p->pointed) {
        buf_append_text(b, ",\"pointer\":");
        buf_append_json_string(b, p->pointer, strlen(p->pointer));
    }
    number(b, "offset", p->offset);
    number(b, "line", p->line);
    number(b, "accepted", p->accepted);
    buf_append_text(b, "}\n");
}
