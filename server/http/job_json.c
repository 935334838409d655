#include "http/job_json.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/id.h"
#include "http/options.h"
#include "wire/scan.h"

void time_write(struct buf *b, int64_t wall_ms)
{
    struct tm tm;
    time_t seconds = (time_t)(wall_ms / 1000);
    if (wall_ms <= 0 || !gmtime_r(&seconds, &tm)) {
        buf_append_text(b, "null");
        return;
    }
    buf_printf(b, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
               tm.tm_min, tm.tm_sec, (int)(wall_ms % 1000));
}

static void member_time(struct buf *b, const char *name, int64_t wall_ms)
{
    buf_printf(b, ",\"%s\":", name);
    time_write(b, wall_ms);
}

static void member_text(struct buf *b, const char *name, const char *text)
{
    buf_printf(b, ",\"%s\":", name);
    if (*text)
        buf_append_json_string(b, text, strlen(text));
    else
        buf_append_text(b, "null");
}

static void member_id(struct buf *b, const char *name, int64_t created_ms, int64_t seq)
{
    char id[JOB_ID_LENGTH + 1] = "";
    if (seq)
        job_id_format(id, created_ms, seq);
    member_text(b, name, id);
}

void job_write_counts(struct buf *b, const struct job_counts *c)
{
    buf_printf(b,
               "{\"total\":%" PRId64 ",\"ready\":%" PRId64 ",\"running\":%" PRId64 ",\"waiting\":%" PRId64
               ",\"succeeded\":%" PRId64 ",\"failed\":%" PRId64 ",\"cancelled\":%" PRId64 "}",
               c->total, c->ready, c->running, c->waiting, c->succeeded, c->failed, c->cancelled);
}

/* Items a second since the start, and how long the rest will take at that rate. */
static void write_rate(struct buf *b, const struct job_view *v)
{
    int64_t end = v->ended_ms ? v->ended_ms : clock_wall_ms();
    int64_t done = v->counts.succeeded + v->counts.failed, left = v->counts.total - done - v->counts.cancelled;
    double seconds = (double)(end - v->started_ms) / 1000;
    double rate = v->started_ms && seconds > 0 ? (double)done / seconds : 0;
    if (rate > 0)
        buf_printf(b, ",\"rate\":%.3f", rate);
    else
        buf_append_text(b, ",\"rate\":null");
    if (rate > 0 && !job_state_ended(v->state))
        buf_printf(b, ",\"eta\":%.3f", (double)left / rate);
    else
        buf_append_text(b, ",\"eta\":null");
}

static void write_links(struct buf *b, const char *id)
{
    static const char *const links[] = {"results", "log", "cancel", "retry"};
    buf_printf(b, ",\"links\":{\"self\":\"/v1/jobs/%s\"", id);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        buf_printf(b, ",\"%s\":\"/v1/jobs/%s/%s\"", links[i], id, links[i]);
    buf_append_char(b, '}');
}

static void write_result(struct buf *b, const struct blob *result)
{
    size_t before = b->length;
    buf_append_char(b, ',');
    if (!result_write_outcome(b, result->data, result->length))
        b->length = before;
}

void job_write(struct buf *b, const struct job_view *v, const struct blob *result)
{
    char id[JOB_ID_LENGTH + 1];
    job_id_format(id, v->created_ms, v->seq);
    buf_printf(b, "{\"id\":\"%s\",\"function\":", id);
    buf_append_json_string(b, v->function, strlen(v->function));
    buf_printf(b, ",\"kind\":\"%s\"", job_kind_name(v->kind));
    member_text(b, "name", v->options.name);
    member_text(b, "client", v->origin.client);
    member_text(b, "traceparent", v->origin.traceparent);
    buf_printf(b, ",\"state\":\"%s\"", job_state_name(v->state));
    member_text(b, "reason", v->reason);
    if (*v->waiting_for)
        member_text(b, "waiting_for", v->waiting_for);
    if (result)
        write_result(b, result);
    member_time(b, "created", v->created_ms);
    member_time(b, "started", v->started_ms);
    member_time(b, "ended", v->ended_ms);
    member_time(b, "expires", v->expires_ms);
    buf_append_text(b, ",\"counts\":");
    job_write_counts(b, &v->counts);
    write_rate(b, v);
    buf_append_text(b, ",\"options\":");
    options_write(&v->options, b);
    member_id(b, "retry_of", v->retry_of_created_ms, v->retry_of);
    member_id(b, "retried_by", v->retried_by_created_ms, v->retried_by);
    write_links(b, id);
    buf_append_char(b, '}');
}

void job_write_end(struct buf *b, const struct job_view *v)
{
    buf_printf(b, "{\"end\":true,\"state\":\"%s\"", job_state_name(v->state));
    if (*v->reason)
        member_text(b, "reason", v->reason);
    buf_append_text(b, ",\"counts\":");
    job_write_counts(b, &v->counts);
    buf_append_text(b, "}\n");
}

/* All behind the index: the value or error, and whose process it was. */
bool result_write_outcome(struct buf *b, const char *line, size_t length)
{
    struct scan_walk w;
    bool any = false;
    /* The walk writes only where flatten says so. */
    for (scan_enter(&w, (char *)line, (char *)line + length, false); scan_next(&w);) {
        if (w.key_end - w.key == 5 && memcmp(w.key, "index", 5) == 0)
            continue;
        if (any)
            buf_append_char(b, ',');
        buf_append(b, w.key - 1, (size_t)(w.value_end - w.key + 1));
        any = true;
    }
    return any;
}

void result_write_cancelled(struct buf *b, uint32_t index)
{
    buf_printf(b,
               "{\"index\":%u,\"error\":{\"type\":\"cancelled\",\"message\":\"the job was cancelled\","
               "\"signal\":null,\"exit_code\":null,\"attempts\":0}}\n",
               index);
}
