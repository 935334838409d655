/* answer: what request.h declares for answering, and the few headers that all answers share. HTTP thread. */
#ifndef POOLD_HTTP_ANSWER_H
#define POOLD_HTTP_ANSWER_H

#include "http/request.h"

#define TYPE_JSON_TEXT "application/json"
#define TYPE_NDJSON_TEXT "application/x-ndjson"
#define TYPE_SSE_TEXT "text/event-stream"
#define TYPE_BYTES_TEXT "application/octet-stream"
#define TYPE_PROBLEM_TEXT "application/problem+json"

#endif
