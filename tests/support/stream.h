/* stream: reads result lines as they come and judges them: each index once, in bounds, and what it said.
 *
 * A line is looked at with a few comparisons instead of a JSON tree: the benchmark's client must not be slower than
 * what it measures. */
#ifndef POOLD_TESTS_STREAM_H
#define POOLD_TESTS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream {
    /* Called for each result line: value or error is the raw text of it. False = wrong, counted. May be NULL. */
    bool (*on_result)(void *context, uint32_t index, const char *value, size_t length, bool failed);
    void *context;
    char *rest; /* of a line that is not complete */
    size_t rest_length, rest_room;
    size_t lines, failed, wrong;
    bool ended;    /* the line {"end":true,…} has come */
    char end[512]; /* that line */
    char first_wrong[256];
};

/* For struct ask's on_data. */
bool stream_data(void *stream, const char *bytes, size_t length);
void stream_free(struct stream *);

#endif
