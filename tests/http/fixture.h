/* fixture: one poold for all tests of a program, and the assertions that every HTTP test uses. They print the answer.
 */
#ifndef POOLD_TESTS_HTTP_FIXTURE_H
#define POOLD_TESTS_HTTP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/http.h"
#include "support/json.h"
#include "support/procs.h"
#include "support/raw.h"
#include "support/stream.h"

extern struct service service;
extern struct http web;

/* Starts poold with 4 workers and test functions; `args` (NULL-terminated) are added. Waits for the workers. */
int fixture_begin(const char *const *args);
int fixture_setup(void **state); /* … without more arguments */
int fixture_teardown(void **state);

/* The answer's status must be that; frees the reply. */
void expect_status(struct reply *, long status);
/* Status, application/problem+json, the end of `type`, `status` in the document; keeps the reply. */
void expect_problem(struct reply *, long status, const char *type);
/* Shorthands: one request that must be answered with that problem. */
void refuse(const char *method, const char *path, const char *body, long status, const char *type);
void refuse_with(const char *method, const char *path, const char *body, const char *header, long status,
                 const char *type);

/* Submits and waits for the end; the state must be `state`. */
struct job_id run_job(const char *body, const char *state);
/* GET …/results with that query as NDJSON; the body, malloc'd. */
char *results_of(struct job_id, const char *query);
/* The n-th line of a text, without its newline, malloc'd; NULL when there are fewer. */
char *line_of(const char *text, unsigned n);
unsigned count_lines(const char *text); /* heartbeats excluded */
/* GET /v1/jobs/{id}: an integer of it. */
long long job_number(struct job_id, const char *path);
void expect_text(struct job_id, const char *path, const char *value);

#endif
