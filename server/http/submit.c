/* POST /v1/jobs: as one JSON document, or as NDJSON that is taken while it comes. */
#include <string.h>

#include "http/access.h"
#include "http/created.h"
#include "http/fingerprint.h"
#include "http/finish.h"
#include "http/handlers.h"
#include "http/options.h"
#include "http/submission.h"
#include "http/upload.h"

/* ---- JSON ---- */

static void fill(struct request *r, struct engine_request *e, struct submission *s)
{
    memcpy(e->submit.function, s->function, sizeof e->submit.function);
    e->submit.kind = s->kind;
    e->submit.options = s->options;
    e->submit.asked = s->asked;
    created_origin(r, &e->submit.origin);
    e->submit.client_jobs = r->limits.jobs;
    e->submit.chunks = chunker_take(&s->items);
    if (r->heads.value[HEAD_IDEMPOTENCY_KEY])
        strcpy(e->submit.key, r->heads.value[HEAD_IDEMPOTENCY_KEY]); /* its length was checked */
    e->submit.wait = r->wanted.format == FORMAT_JSON && r->wanted.wait_ms > 0;
    if (e->submit.wait)
        e->deadline_ns = created_deadline(r);
}

static void submitted(struct request *r)
{
    struct engine_request *e = &r->ask.engine;
    struct job_view view;
    bool live;
    if (e->status == ENGINE_NOT_LIVE && e->submit.replayed) {
        r->seq = e->seq;
        r->created_ms = 0;
    } else if (e->status == ENGINE_TOO_MANY) {
        request_fail(r, PROBLEM_OVERLOADED, "too many jobs are unfinished");
        return;
    } else if (e->status == ENGINE_NOT_LIVE || e->status == ENGINE_OVER_CEILING) {
        request_submit_problem(r, e);
        request_answer_problem(r);
        return;
    }
    if (!request_take_job(r, &view, &live))
        return;
    if (r->wanted.wait_ms > 0 && (e->status == ENGINE_TIMEOUT || e->submit.wait))
        if (!e->submit.replayed && !job_state_ended(view.state))
            r->wanted.wait_ms = 0; /* it was waited for: 202 now */
    struct blob *line = e->submit.line;
    e->submit.line = NULL;
    created_answer(r, &view, line, e->submit.replayed);
}

static bool no_option_in_query(struct request *r)
{
    for (unsigned i = 0; i < r->query.count; i++) {
        const char *name = r->query.pairs[i].name;
        if (option_known(name) || strcmp(name, "function") == 0 || strcmp(name, "kind") == 0)
            return problem_set(&r->problem, PROBLEM_UNKNOWN_PARAMETER,
                               "with a JSON body, %s belongs into the body; with NDJSON, into the query", name);
    }
    return true;
}

void post_jobs(struct request *r)
{
    struct submission s;
    struct fingerprint f;
    if (r->upload) {
        upload_finish_created(r);
        return;
    }
    if (!no_option_in_query(r) || !created_wanted(r)) {
        request_answer_problem(r);
        return;
    }
    fingerprint_init(&f);
    if (r->heads.value[HEAD_IDEMPOTENCY_KEY]) {
        created_fingerprint(&f, r);
        fingerprint_add(&f, r->body.data, r->body.length);
    }
    if (submission_parse(&s, r->body.data, r->body.length, r->http->config->max_item, &r->problem) &&
        access_function(r, s.function)) {
        struct engine_request *e = request_question(r, ASK_SUBMIT);
        fill(r, e, &s);
        e->submit.fingerprint = fingerprint_value(&f);
        request_ask(r, submitted);
    } else {
        request_answer_problem(r);
    }
    submission_free(&s);
    request_drop_body(r);
}

/* ---- NDJSON ---- */

static bool parse_kind(struct request *r, enum job_kind *kind)
{
    const char *text = query_get(&r->query, "kind");
    *kind = text && strcmp(text, "starmap") == 0 ? JOB_STARMAP : JOB_MAP;
    return !text || *kind == JOB_STARMAP || strcmp(text, "map") == 0 ||
           problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "kind must be map or starmap");
}

static bool parse_options(struct request *r, struct job_options *options, unsigned *asked)
{
    for (unsigned i = 0; i < r->query.count; i++) {
        const char *name = r->query.pairs[i].name;
        if (option_from_text(options, name, r->query.pairs[i].value, &r->problem) == OPTION_BAD) {
            r->problem.type = PROBLEM_INVALID_PARAMETER;
            return false;
        }
        *asked |= option_asked(name, strlen(name));
    }
    return true;
}

static bool parse_function(struct request *r, char name[65])
{
    const char *text = query_get(&r->query, "function");
    if (!text)
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER, "with NDJSON, ?function= says what to call");
    if (!function_name_valid(text))
        return problem_set(&r->problem, PROBLEM_INVALID_PARAMETER,
                           "function must be a name: letters, digits, '_', '.' and '-'");
    strcpy(name, text);
    return true;
}

void post_jobs_upload(struct request *r)
{
    struct job_options options = job_options_default();
    unsigned asked = 0;
    enum job_kind kind;
    char function[65] = "";
    if (!parse_function(r, function) || !access_function(r, function) || !parse_kind(r, &kind) ||
        !parse_options(r, &options, &asked) || !created_wanted(r)) {
        request_refuse(r);
        return;
    }
    struct upload *u = upload_new(r, true);
    memcpy(u->function, function, sizeof u->function);
    u->kind = kind;
    u->options = options;
    u->asked = asked;
    created_origin(r, &u->origin);
    u->keyed = r->heads.value[HEAD_IDEMPOTENCY_KEY] != NULL;
    created_fingerprint(&u->fingerprint, r);
    upload_start(u, kind == JOB_STARMAP);
}
