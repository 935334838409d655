/* log: one line an event on stderr: logfmt (`event=worker.gone slot=4 …`) or a JSON object (--log-format json).
 *
 * Never pass payloads (items, values, what functions say of their errors) or tokens. One write(2) a line, so lines of
 * several processes do not mix. Any thread. What each event means, and its fields: docs/operations.md (a test
 * compares). */
#ifndef POOLD_BASE_LOG_H
#define POOLD_BASE_LOG_H

#include <limits.h>
#include <stdbool.h>

/* "" is how an event without fields is written, see below; -Wall would refuse it. */
#pragma GCC diagnostic ignored "-Wformat-zero-length"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };
enum { LOG_NONE = INT_MIN }; /* an integer that is none */

/* The name of this process ("poold", "server", "worker-4"), copied, the least important level that is printed (default
 * LOG_INFO), and how lines look. Call before threads start. */
void log_setup(const char *process, enum log_level most, enum log_format);
/* Lines go to a descriptor of their own from now on, a copy of stderr with the number `least` or more: what stderr
 * comes to be later (the log of an item) is not for them. */
void log_apart(int least);
/* Whether such an event would be printed: for those that cost something to describe. */
bool log_wants(enum log_level);

/* Writes time, level, process, event and the fields. `fields` is a printf format of key=value pairs with one space
 * between them ("slot=%u path=\"%s/%s\""), or "" for none. Of conversions there are %s %.*s %c %d %u %x %f with l, ll,
 * z and a precision. Texts may hold anything: they are escaped here, and quoted where that is needed, or always when
 * the format has quotes. A value that is one conversion of a number is a number in JSON; a bare text "true" or "false"
 * (see log_bool) is a boolean; a field with a text that is NULL, or a %d that is
 * LOG_NONE, is left out. */
void log_event(enum log_level level, const char *event, const char *fields, ...) __attribute__((format(printf, 3, 4)));

static inline const char *log_bool(bool value)
{
    return value ? "true" : "false";
}

#endif
