/* reader: the text of one manifest, its values, and messages that name file, line and key.
 *
 * Lines come from where a value stands in the text, so nothing of the text is changed or freed while it is read. Every
 * read_… returns 0, or -1 with an error that says what was expected. One thread. */
#ifndef POOLD_MANIFEST_READER_H
#define POOLD_MANIFEST_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/scan.h"

struct reader {
    const char *source; /* file name, for messages */
    char *text, *end;   /* the reader's own copy, checked to be JSON */
    struct error *error;
};

/* A value and what it is called: "timeout" in "defaults" is "defaults.timeout". */
struct member {
    const char *group; /* or NULL */
    const char *key;
    const char *key_end;
    const char *value, *value_end;
    enum scan_kind kind;
};

/* Copies and validates the text. */
int reader_open(struct reader *, const char *json, size_t length, const char *source, struct error *);
void reader_close(struct reader *);
/* 1 for the first line. */
unsigned reader_line(const struct reader *, const char *at);

/* `SOURCE:LINE: MESSAGE`, -1. */
int reader_fail(const struct reader *, const char *at, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* `SOURCE:LINE: "KEY": expected WHAT, got VALUE`, -1. */
int reader_expected(const struct reader *, const struct member *, const char *what);
/* `SOURCE:LINE: "KEY": MESSAGE`, -1. */
int reader_wrong(const struct reader *, const struct member *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct member reader_member(const char *group, const struct scan_walk *);
bool member_is(const struct member *, const char *key);

/* Decoded; malloc'ed. Not empty, without NUL, at most `most` bytes. */
int read_text(const struct reader *, const struct member *, const char *what, size_t most, char **text);
/* A non-empty array of texts, NULL-terminated: free with texts_free. `empty`: it may have none. */
int read_texts(const struct reader *, const struct member *, const char *what, bool empty, char ***texts);
void texts_free(char ***texts);
/* The value as it stands, on one line; malloc'ed. */
int read_json(const struct member *, char **text);
int read_count(const struct reader *, const struct member *, int64_t least, int64_t most, int64_t *count);
/* Bytes, as a number or as "256K", "256M", "2G". */
int read_size(const struct reader *, const struct member *, int64_t least, int64_t most, int64_t *bytes);
/* Seconds, with a fraction if wanted. */
int read_seconds(const struct reader *, const struct member *, int64_t least_ms, int64_t most_ms, int64_t *ms);
int read_bool(const struct reader *, const struct member *, bool *value);
/* One of the words (NULL-terminated); `what` lists them for people. */
int read_word(const struct reader *, const struct member *, const char *const words[], const char *what, int *which);

#endif
