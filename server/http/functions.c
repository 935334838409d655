/* GET /v1/functions and /v1/functions/{name}: what can be called, as the engine has it, each with an example call. */
#include <string.h>

#include "http/access.h"
#include "http/handlers.h"
#include "http/options.h"
#include "wire/scan.h"

/* The raw text of a member of a function's entry. */
struct member {
    const char *at;
    size_t length;
};

static struct member find(const struct scan_walk *entry, const char *name)
{
    struct scan_walk w;
    for (scan_enter(&w, entry->value, entry->value_end, false); scan_next(&w);)
        if ((size_t)(w.key_end - w.key) == strlen(name) && memcmp(w.key, name, strlen(name)) == 0)
            return (struct member){w.value, (size_t)(w.value_end - w.value)};
    return (struct member){"null", 4};
}

/* The entry with the body of a request that calls it with its example. */
static void write_function(struct buf *b, const struct scan_walk *entry)
{
    struct member name = find(entry, "name"), example = find(entry, "example");
    buf_append(b, entry->value, (size_t)(entry->value_end - entry->value) - 1); /* without its brace */
    buf_append_text(b, ",\"call\":{\"function\":");
    buf_append(b, name.at, name.length);
    buf_append_text(b, ",\"apply\":");
    buf_append(b, example.at, example.length);
    buf_append_text(b, "}}");
}

/* The list, or NULL after answering the problem. */
static struct blob *functions_of(struct request *r)
{
    enum engine_status status = r->ask.engine.status;
    struct blob *functions = status == ENGINE_OK ? r->ask.engine.pool.pool->functions : NULL;
    if (!functions)
        request_fail_engine(r, status == ENGINE_OK ? ENGINE_STARTING : status);
    return functions;
}

/* Whether the client may know of the entry's function. */
static bool is_seen(const struct request *r, const struct scan_walk *entry)
{
    struct member name = find(entry, "name");
    char text[SEGMENT_MAX];
    return !access_restricted(r) ||
           (json_text(name.at, name.at + name.length, text, sizeof text) == 0 && access_sees(r, text));
}

static void show_functions(struct request *r)
{
    struct blob *functions = functions_of(r);
    struct buf document = BUF_EMPTY;
    struct scan_walk w;
    if (!functions)
        return;
    const char *problem = r->ask.engine.pool.pool->functions_problem;
    buf_append_text(&document, "{\"functions\":[");
    for (scan_enter(&w, functions->data, functions->data + functions->length, false); scan_next(&w);) {
        if (!is_seen(r, &w))
            continue;
        buf_append_text(&document, document.data[document.length - 1] == '[' ? "\n" : ",\n");
        write_function(&document, &w);
    }
    buf_append_text(&document, "\n],\"problem\":");
    if (*problem && !access_restricted(r)) /* it may tell of any function */
        buf_append_json_string(&document, problem, strlen(problem));
    else
        buf_append_text(&document, "null");
    buf_append_text(&document, "}\n");
    request_answer_json(r, 200, &document);
}

static bool is_asked_for(const struct request *r, const struct scan_walk *entry)
{
    struct member name = find(entry, "name");
    char text[SEGMENT_MAX];
    return json_text(name.at, name.at + name.length, text, sizeof text) == 0 && strcmp(text, r->name) == 0;
}

static void show_function(struct request *r)
{
    struct blob *functions = functions_of(r);
    struct buf document = BUF_EMPTY;
    struct scan_walk w;
    if (!functions)
        return;
    for (scan_enter(&w, functions->data, functions->data + functions->length, false); scan_next(&w);) {
        if (is_asked_for(r, &w)) {
            write_function(&document, &w);
            buf_append_char(&document, '\n');
            request_answer_json(r, 200, &document);
            return;
        }
    }
    request_fail(r, PROBLEM_NOT_FOUND, "there is no function of that name; GET /v1/functions lists them");
}

void get_functions(struct request *r)
{
    request_question(r, ASK_POOL);
    request_ask(r, show_functions);
}

void get_function(struct request *r)
{
    if (!access_function(r, r->name)) {
        request_answer_problem(r);
        return;
    }
    request_question(r, ASK_POOL);
    request_ask(r, show_function);
}
