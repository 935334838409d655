/* log: one line an event on stderr, logfmt ("event=worker.gone slot=4 gen=17 …").
 *
 * Never pass payloads (items, values) or tokens. One write(2) a line, so lines of several
 * processes do not mix. Any thread. */
#ifndef POOLD_BASE_LOG_H
#define POOLD_BASE_LOG_H

/* "" is how an event without fields is written, see below; -Wall would refuse it. */
#pragma GCC diagnostic ignored "-Wformat-zero-length"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* The least important level that is printed (default LOG_INFO) and the name of this process
 * ("poold", "server", "worker-4"), copied. Call before threads start. */
void log_setup(const char *process, enum log_level most);

/* Writes `time=… level=… process=… event=EVENT FIELDS`; `fields` is a printf format that yields
 * key=value pairs ("slot=%u gen=%u"), or "" for none. Quote texts yourself with \"%s\". */
void log_event(enum log_level level, const char *event, const char *fields, ...) __attribute__((format(printf, 3, 4)));

#endif
