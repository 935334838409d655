/* log_line: one line of the log in the making, as logfmt (key=value, as in Go and Heroku) or as a JSON object.
 *
 * It is whole however long or odd its fields are: texts are escaped as in JSON in both formats, what is no UTF-8
 * becomes U+FFFD, a text that is too long is cut between characters, fields that have no more room are left out, and
 * either is told by a last field, cut=true. Allocates nothing. */
#ifndef POOLD_BASE_LOG_LINE_H
#define POOLD_BASE_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

/* PIPE_BUF: a longer write to a pipe may be torn by another process's line. */
enum { LOG_LINE_MAX = 4096, LOG_VALUE_MAX = 1500 };

struct log_line {
    enum log_format format;
    bool cut;
    size_t length;
    char text[LOG_LINE_MAX];
};

/* A field's value before it is escaped. */
struct log_value {
    /* WORD: true, false, null. QUOTED: a text that logfmt shall quote though it need not. */
    enum { LOG_VALUE_TEXT, LOG_VALUE_QUOTED, LOG_VALUE_NUMBER, LOG_VALUE_WORD } kind;
    bool cut; /* it was longer */
    size_t length;
    char text[LOG_VALUE_MAX];
};

void log_value_add(struct log_value *, const char *text, size_t length);

void log_line_begin(struct log_line *, enum log_format);
void log_line_field(struct log_line *, const char *key, size_t key_length, const struct log_value *);
/* A field whose value is a text. */
void log_line_text(struct log_line *, const char *key, const char *text);
/* Closes it, with its newline: text and length are ready to be written. */
void log_line_end(struct log_line *);

#endif
