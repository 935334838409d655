/* options: what a submission may ask for, in one table for JSON fields and query parameters. Pure. Any thread. */
#ifndef POOLD_HTTP_OPTIONS_H
#define POOLD_HTTP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/job.h"
#include "http/problem.h"
#include "wire/scan.h"

#define OPTIONS_ALL 0x1ffu /* every OPTION_… of job.h */

enum option_result { OPTION_SET, OPTION_UNKNOWN, OPTION_BAD };

/* Sets the option `name` from a JSON value. BAD: the problem's detail says what was expected (the caller knows where).
 */
enum option_result option_from_json(struct job_options *, const char *name, size_t name_length, const char *value,
                                    const char *value_end, enum scan_kind, struct problem *);
/* The same from the text of a query parameter. */
enum option_result option_from_text(struct job_options *, const char *name, const char *text, struct problem *);
/* Whether there is an option of that name. */
bool option_known(const char *name);
/* The OPTION_… bit (job.h) of the option of that name; 0 for those that manifests do not speak of. */
unsigned option_asked(const char *name, size_t length);
/* Appends them all as a JSON object. */
void options_write(const struct job_options *, struct buf *);

/* The text of a JSON string (with its quotes) with escapes undone. 0, or -1 when it does not fit or has a NUL. */
int json_text(const char *value, const char *value_end, char *out, size_t size);
/* Whether it may name a function: [A-Za-z_][A-Za-z0-9_.-]*, at most 64. */
bool function_name_valid(const char *name);

#endif
