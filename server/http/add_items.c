/* More items for an open job, and no more; and how requests with an upload end. */
#include "base/clock.h"
#include "http/answer.h"
#include "http/created.h"
#include "http/finish.h"
#include "http/handlers.h"
#include "http/job_json.h"
#include "http/submission.h"
#include "http/upload.h"

/* ---- the end of an upload ---- */

/* The body is complete and its last line taken. True when all is acknowledged. */
static bool settled(struct request *r, request_step *again)
{
    struct upload *u = r->upload;
    if (u->state == UPLOAD_OPENING)
        upload_pump(u);
    if (u->state == UPLOAD_RUNNING && !u->ended) {
        if (r->body_type == BODY_TYPE_NDJSON && !u->replayed)
            ndjson_finish(&u->split, &r->problem);
        upload_end(u);
    } else {
        upload_pump(u);
    }
    if (u->state == UPLOAD_SETTLED)
        return true;
    request_wait(r, again);
    return false;
}

void upload_finish_created(struct request *r)
{
    struct upload *u = r->upload;
    struct job_view view;
    if (!settled(r, upload_finish_created))
        return;
    if (r->problem.type != PROBLEM_NONE) {
        request_answer_problem(r);
    } else if (u->replayed && !u->replay_live) {
        r->created_ms = 0;
        if (request_read_job(r, &view))
            created_answer(r, &view, NULL, true);
        else
            request_answer_problem(r);
    } else {
        created_answer(r, &u->view, NULL, u->replayed);
    }
}

void upload_finish_items(struct request *r)
{
    struct buf document = BUF_EMPTY;
    if (!settled(r, upload_finish_items))
        return;
    if (r->problem.type != PROBLEM_NONE) {
        request_answer_problem(r);
        return;
    }
    buf_printf(&document, "{\"accepted\":%lld,\"total\":%lld}\n", (long long)r->upload->accepted,
               (long long)r->upload->view.counts.total);
    request_answer_json(r, 200, &document);
}

/* ---- POST …/items ---- */

void post_items_upload(struct request *r)
{
    upload_open(upload_new(r, false));
}

/* The job's kind is known: the whole array. */
static void take_array(struct request *r)
{
    struct upload *u = r->upload;
    upload_pump(u);
    if (u->state == UPLOAD_OPENING) {
        request_wait(r, take_array);
        return;
    }
    if (u->state == UPLOAD_RUNNING) {
        chunker_free(&u->chunker);
        submission_parse_items(&u->chunker, r->body.data, r->body.length, u->view.kind == JOB_STARMAP,
                               r->http->config->max_item, &r->problem);
    }
    request_drop_body(r);
    upload_finish_items(r);
}

void post_items(struct request *r)
{
    if (r->upload) {
        upload_finish_items(r);
        return;
    }
    post_items_upload(r);
    request_wait(r, take_array);
}

/* ---- POST …/close ---- */

static void closed(struct request *r)
{
    struct engine_request *e = &r->ask.engine;
    struct job_view view;
    if (e->status == ENGINE_OK || e->status == ENGINE_TIMEOUT)
        created_answer_job(r, 200, &e->view, NULL);
    else if (e->status == ENGINE_NOT_LIVE && request_read_job(r, &view))
        request_fail_engine(r, ENGINE_NOT_OPEN);
    else
        request_fail_engine(r, e->status);
}

void post_close(struct request *r)
{
    request_question(r, ASK_APPEND)->append.last = true;
    request_ask(r, closed);
}
