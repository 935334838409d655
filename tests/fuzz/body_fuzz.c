/* Bodies of items: what is accepted as a submission, as an array of items or as NDJSON becomes chunks that hold one
 * value a line, as many as they say; what is refused is refused with a problem that lies in the body. NDJSON means the
 * same in whatever pieces it comes. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/buf.h"
#include "base/check.h"
#include "fuzz.h"
#include "http/ndjson.h"
#include "http/submission.h"
#include "wire/limits.h"
#include "wire/scan.h"

enum { ITEM_MAX = 64 /* small, so that it is met */ };

static char *copy_of(const uint8_t *bytes, size_t length)
{
    char *copy = malloc(length ? length : 1); /* ends where its allocation ends */
    CHECK(copy, "memory");
    if (length)
        memcpy(copy, bytes, length);
    return copy;
}

/* --- what comes out --------------------------------------------------------------------------------------------- */

static void check_chunk(const struct engine_chunk *chunk)
{
    const char *at = chunk->items->data, *end = at + chunk->items->length;
    uint32_t count = 0;

    CHECK(chunk->count > 0 && chunk->count <= CHUNK_ITEMS_MAX, "a chunk of %u items", chunk->count);
    CHECK(chunk->items->length <= CHUNK_BYTES_MAX, "a chunk of %zu bytes", chunk->items->length);
    for (const char *stop; at != end; at = stop + 1, count++) {
        stop = memchr(at, '\n', (size_t)(end - at));
        CHECK(stop, "each item ends its line");
        CHECK(stop - at <= ITEM_MAX, "the limit is kept");
        CHECK(scan_value(at, stop, NULL, NULL) == stop, "a line is one value");
    }
    CHECK(count == chunk->count, "%u items in a chunk of %u", count, chunk->count);
}

static void check_chunks(const struct chunker *chunker)
{
    int64_t total = chunker->count;
    for (const struct engine_chunk *chunk = chunker->first; chunk; chunk = chunk->next) {
        check_chunk(chunk);
        total += chunk->count;
    }
    CHECK(total == chunker->total, "all items are in chunks");
}

static void check_problem(const struct problem *problem, size_t length)
{
    struct buf document = BUF_EMPTY;
    CHECK(problem->type != PROBLEM_NONE, "a refusal says why");
    CHECK(problem->offset >= -1 && problem->offset <= (int64_t)length, "it lies in the body");
    problem_write(problem, &document);
    json_t *tree = json_loadb(document.data, document.length, JSON_REJECT_DUPLICATES, NULL);
    CHECK(json_is_object(tree), "a JSON object: %s", buf_cstr(&document));
    json_decref(tree);
    buf_free(&document);
}

/* --- the three kinds of body ------------------------------------------------------------------------------------ */

/* Where jansson can read it, too (see oracle.h), it finds as many items. */
static void check_against_jansson(const struct submission *submission, const uint8_t *bytes, size_t length)
{
    json_t *tree = json_loadb((const char *)bytes, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (!tree)
        return;
    json_t *items = json_object_get(tree, submission->kind == JOB_STARMAP ? "starmap" : "map");
    size_t count = submission->kind == JOB_APPLY ? 1 : json_array_size(items);
    CHECK(submission->items.total == (int64_t)count, "%lld items of %zu", (long long)submission->items.total, count);
    const char *function = json_string_value(json_object_get(tree, "function"));
    CHECK(function && !strcmp(function, submission->function), "the function is %s", submission->function);
    json_decref(tree);
}

static void try_submission(const uint8_t *bytes, size_t length)
{
    struct submission submission;
    struct problem problem = PROBLEM_INIT;
    char *body = copy_of(bytes, length);

    bool accepted = submission_parse(&submission, body, length, ITEM_MAX, &problem);
    CHECK(!accepted || scan_is_value(body, body + length, NULL), "only JSON is accepted");
    free(body);
    check_chunks(&submission.items);
    if (accepted)
        check_against_jansson(&submission, bytes, length);
    else
        check_problem(&problem, length);
    submission_free(&submission);
}

static void try_items(const uint8_t *bytes, size_t length, bool star)
{
    struct chunker items;
    struct problem problem = PROBLEM_INIT;
    char *body = copy_of(bytes, length);

    bool accepted = submission_parse_items(&items, body, length, star, ITEM_MAX, &problem);
    CHECK(!accepted || scan_is_value(body, body + length, NULL), "only JSON is accepted");
    free(body);
    check_chunks(&items);
    if (!accepted)
        check_problem(&problem, length);
    chunker_free(&items);
}

/* Feeds the body in pieces of `size` bytes, each at the end of its allocation. */
static bool read_lines(struct chunker *to, const uint8_t *bytes, size_t length, size_t size, struct problem *problem)
{
    struct ndjson ndjson;
    bool fine = true;

    chunker_init(to);
    ndjson_init(&ndjson, to, false, ITEM_MAX);
    for (size_t at = 0; fine && at < length; at += size) {
        size_t count = length - at < size ? length - at : size;
        char *piece = copy_of(bytes + at, count);
        fine = ndjson_feed(&ndjson, piece, count, problem);
        free(piece);
    }
    fine = fine && ndjson_finish(&ndjson, problem);
    ndjson_free(&ndjson);
    chunker_cut(to);
    return fine;
}

static void try_ndjson(const uint8_t *bytes, size_t length)
{
    struct problem problems[2] = {PROBLEM_INIT, PROBLEM_INIT};
    struct chunker whole, pieces;
    size_t size = length ? 1 + bytes[length - 1] % 16 : 1;

    bool accepted = read_lines(&whole, bytes, length, length ? length : 1, &problems[0]);
    CHECK(read_lines(&pieces, bytes, length, size, &problems[1]) == accepted, "the same in pieces of %zu", size);
    check_chunks(&whole);
    check_chunks(&pieces);
    CHECK(whole.total == pieces.total && whole.bytes == pieces.bytes, "the same items in pieces of %zu", size);
    CHECK(problems[0].type == problems[1].type && problems[0].offset == problems[1].offset &&
              problems[0].line == problems[1].line,
          "the same problem in pieces of %zu", size);
    if (!accepted)
        check_problem(&problems[0], length);
    chunker_free(&whole);
    chunker_free(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    try_submission(bytes, length);
    try_items(bytes, length, false);
    try_items(bytes, length, true);
    if (length <= ITEM_MAX + 4096) /* beyond, white space counts or not, as the pieces fall (ndjson.c, keep_partial) */
        try_ndjson(bytes, length);
    return 0;
}
