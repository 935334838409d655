/* Query strings: what is accepted is text without controls, comes back the same when encoded again, and may be given
 * to any option; what is refused is refused with a problem that is a JSON document. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/job.h"
#include "fuzz.h"
#include "http/options.h"
#include "http/problem.h"
#include "http/query.h"

/* jansson refuses to make a string of what is not UTF-8. */
static void check_text(const char *text)
{
    json_t *string = json_string(text);
    CHECK(string, "decoded text is UTF-8");
    json_decref(string);
    for (; *text; text++)
        CHECK((unsigned char)*text >= 0x20 && *text != 0x7f, "decoded text has no controls");
}

static void check_document(struct buf *document)
{
    json_t *tree = json_loadb(document->data, document->length, JSON_REJECT_DUPLICATES, NULL);
    CHECK(json_is_object(tree), "a JSON object: %s", buf_cstr(document));
    json_decref(tree);
    buf_free(document);
}

static void check_problem(const struct problem *problem)
{
    struct buf document = BUF_EMPTY;
    CHECK(problem->type != PROBLEM_NONE, "a refusal says why");
    CHECK(problem_status(problem->type) >= 400 && problem_status(problem->type) < 600, "it has a status");
    problem_write(problem, &document);
    check_document(&document);
}

static void check_encoding(const char *text)
{
    struct buf encoded = BUF_EMPTY;
    for (const char *byte = text; *byte; byte++)
        buf_printf(&encoded, "%%%02x", (unsigned char)*byte);
    char *again = malloc(encoded.length + 1);
    CHECK(again, "memory");
    const char *at = buf_cstr(&encoded);
    CHECK(percent_decode(at, at + encoded.length, true, again), "encoded text is accepted");
    CHECK(!strcmp(again, text), "and means the same");
    free(again);
    buf_free(&encoded);
}

static void check_numbers(const char *text)
{
    unsigned long long whole;
    long long ms;
    if (!parse_unsigned(text, 1000, &whole))
        CHECK(whole <= 1000, "the limit is kept: %llu", whole);
    if (!parse_seconds(text, strlen(text), 60000, &ms))
        CHECK(ms >= 0 && ms <= 60000, "the limit is kept: %lld ms", ms);
}

static void check_option(const char *name, const char *text, struct job_options *options)
{
    struct problem problem = PROBLEM_INIT;
    enum option_result result = option_from_text(options, name, text, &problem);
    CHECK((result == OPTION_UNKNOWN) == !option_known(name), "an option is known or not");
    if (result == OPTION_BAD)
        check_problem(&problem);
}

static void check_pairs(const struct query *query)
{
    struct job_options options = job_options_default();
    struct buf document = BUF_EMPTY;

    CHECK(query->count <= QUERY_PAIRS_MAX, "the limit is kept");
    for (unsigned i = 0; i < query->count; i++) {
        const char *name = query->pairs[i].name, *value = query->pairs[i].value;
        CHECK(query_get(query, name) == value, "names are unique");
        check_text(name);
        check_text(value);
        check_encoding(value);
        check_numbers(value);
        check_option(name, value, &options);
    }
    options_write(&options, &document);
    check_document(&document);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct problem problem = PROBLEM_INIT;
    struct query query;
    char *copy = malloc(length ? length : 1); /* ends where its allocation ends */

    CHECK(copy, "memory");
    if (length)
        memcpy(copy, bytes, length);
    bool accepted = query_parse(&query, copy, length, &problem);
    free(copy); /* the query owns its text */
    if (accepted)
        check_pairs(&query);
    else
        check_problem(&problem);
    query_free(&query);
    return 0;
}
