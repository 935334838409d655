#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "killmatrix.h"
#include "support/procs.h"

/* ---- judging a job: ended, each index once, in both orders ---- */

struct judged {
    unsigned char seen[MATRIX_ITEMS_MAX];
    uint32_t n, errors;
    size_t value_length; /* of every value; 0 = any */
    bool square;
};

static bool on_judged(void *context, uint32_t index, const char *value, size_t length, bool failed)
{
    struct judged *j = context;
    if (index >= j->n || j->seen[index]++ != 0)
        return false;
    j->errors += failed;
    if (failed)
        return memmem(value, length, "\"type\":\"crash\"", 14) != NULL ||
               memmem(value, length, "\"type\":\"interrupted\"", 20) != NULL;
    if (j->value_length != 0 && length != j->value_length)
        return false;
    return !j->square || strtoull(value, NULL, 10) == (uint64_t)index * index;
}

static uint32_t judge_order(struct matrix *m, uint32_t n, size_t value_length, bool square, const char *order)
{
    struct judged *j = calloc(1, sizeof *j);
    struct stream s = {.on_result = on_judged, .context = j};
    char path[128];
    struct reply r;
    *j = (struct judged){.n = n, .value_length = value_length, .square = square};
    snprintf(path, sizeof path, "/v1/jobs/%s/results?order=%s", m->job.text, order);
    http_ask(&m->http, &(struct ask){.path = path, .on_data = stream_data, .context = &s}, &r);
    if (r.status != 200 || !s.ended || s.lines != n || s.wrong != 0)
        service_give_up(&m->service, "%s order: curl %d, %ld, %zu of %u lines, %zu wrong: %s", order, (int)r.code,
                        r.status, s.lines, n, s.wrong, s.first_wrong);
    uint32_t errors = j->errors;
    reply_free(&r);
    stream_free(&s);
    free(j);
    return errors;
}

/* Returns how many items failed; more than the workers that ran cannot be right. */
static uint32_t judge_job(struct matrix *m, uint32_t n, size_t value_length, bool square)
{
    struct reply r;
    job_wait(&m->http, m->job, 60000, &r);
    if (json_number(r.json, "counts.total") != n)
        service_give_up(&m->service, "%u items were accepted: %s", n, r.body);
    reply_free(&r);
    uint32_t errors = judge_order(m, n, value_length, square, "input");
    if (judge_order(m, n, value_length, square, "completion") != errors || errors > MATRIX_WORKERS)
        service_give_up(&m->service, "%u items failed", errors);
    return errors;
}

static void stop_process(struct matrix *m, enum role role)
{
    m->stopped = procs_role(m->service.mark, role, 0);
    if (m->stopped == 0 || kill(m->stopped, SIGSTOP) == -1)
        service_give_up(&m->service, "no process to stop");
}

/* ---- before HELLO ---- */

/* A child of the supervisor that was not there before, stopped in the first microseconds of its life. */
static pid_t catch_newborn(struct matrix *m, int timeout_ms)
{
    struct process before[PROCS_MAX];
    int count = procs_find(m->service.mark, before, PROCS_MAX, false);
    kill(procs_role(m->service.mark, ROLE_WORKER, 0), SIGKILL);
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)m->service.pid, (int)m->service.pid);
    for (long long end = now_ms() + timeout_ms; now_ms() < end;) {
        FILE *f = fopen(path, "re");
        size_t length = f != NULL ? fread(text, 1, sizeof text - 1, f) : 0;
        if (f != NULL)
            fclose(f);
        text[length] = '\0';
        for (char *at = strtok(text, " "); at != NULL; at = strtok(NULL, " ")) {
            pid_t pid = (pid_t)atoi(at);
            bool old = false;
            for (int i = 0; i < count; i++)
                old = old || before[i].pid == pid;
            if (!old && kill(pid, SIGSTOP) == 0)
                return pid;
        }
    }
    return 0;
}

static bool is_starting(struct matrix *m, pid_t pid)
{
    return worker_pid(&m->http, "starting", NULL, NULL) == pid;
}

static void bring_before_hello(struct matrix *m)
{
    m->job = job_submit(&m->http, "{\"function\":\"sleep\",\"map\":[0.3,0.31,0.32,0.33,0.3,0.3]}");
    for (int attempt = 0; attempt < 20; attempt++) {
        pid_t pid = catch_newborn(m, 3000);
        if (pid != 0 && (is_starting(m, pid) || attempt == 19)) {
            m->victim = m->stopped = pid;
            return;
        }
        if (pid != 0)
            kill(pid, SIGCONT);
        sleep_ms(50);
    }
    service_give_up(&m->service, "no worker could be caught before its hello");
}

static void judge_before_hello(struct matrix *m)
{
    struct reply r;
    job_wait(&m->http, m->job, 60000, &r); /* the catching itself has killed workers: errors are not counted here */
    if (json_number(r.json, "counts.succeeded") + json_number(r.json, "counts.failed") != 6)
        service_give_up(&m->service, "6 items were accepted: %s", r.body);
    reply_free(&r);
}

/* ---- idle ---- */

static void bring_idle(struct matrix *m)
{
    struct reply r;
    m->job = job_submit(&m->http, "{\"function\":\"square\",\"map\":[0,1,2,3,4]}");
    job_wait(&m->http, m->job, 30000, &r);
    reply_free(&r);
    m->victim = procs_role(m->service.mark, ROLE_WORKER, 1);
}

static void judge_idle(struct matrix *m)
{
    if (judge_job(m, 5, 0, true) != 0)
        service_give_up(&m->service, "a finished job has changed");
}

/* ---- mid-item ---- */

/* A worker that has an item of the job may not have begun it, and then the item would not pay for its death. */
static pid_t wait_running(struct matrix *m, long long *item)
{
    for (long long end = now_ms() + 20000; now_ms() < end; sleep_ms(5)) {
        int pid = worker_pid(&m->http, "running", m->job.text, item);
        pid = pid != 0 ? pid : worker_pid(&m->http, "waiting", m->job.text, item); /* it sleeps */
        if (pid > 0 && item_runs(&m->http, m->job, *item))
            return pid;
    }
    service_give_up(&m->service, "no worker runs the job");
}

/* Stopped while it runs an item, so that the item cannot end before the kill, however busy the machine is. */
static void hold_running(struct matrix *m)
{
    long long item;
    for (m->stopped = 0; m->stopped == 0;) {
        m->victim = wait_running(m, &item);
        kill(m->victim, SIGSTOP);
        if (item_runs(&m->http, m->job, item))
            m->stopped = m->victim;
        else
            kill(m->victim, SIGCONT);
    }
}

static void bring_mid_item(struct matrix *m)
{
    m->job = job_submit(&m->http, "{\"function\":\"sleep\",\"map\":[0.8,0.8,0.8,0.8,0.1,0.1,0.1,0.1]}");
    hold_running(m);
}

static void judge_mid_item(struct matrix *m)
{
    uint32_t errors = judge_job(m, 8, 3, false);
    /* Exact blame: the item that ran pays, and it alone; a death of the service itself costs no attempt. */
    if (m->target == TARGET_WORKER ? errors != 1 : errors != 0)
        service_give_up(&m->service, "%u items failed", errors);
}

/* ---- result half written: the server does not read, and the value is larger than any socket buffer ---- */

enum { HUGE_BYTES = 3000000, HUGE_ITEMS = 12 };

static void bring_half_written(struct matrix *m)
{
    char body[512], *at = body + sprintf(body, "{\"function\":\"huge\",\"chunksize\":1,\"map\":[");
    for (int i = 0; i < HUGE_ITEMS; i++)
        at += sprintf(at, "%d%s", HUGE_BYTES, i + 1 < HUGE_ITEMS ? "," : "]}");
    m->job = job_submit(&m->http, body);
    stop_process(m, ROLE_SERVER);
    sleep_ms(200); /* so that the workers get stuck in their writing; too early only makes it a mid-item */
    m->victim = procs_role(m->service.mark, ROLE_WORKER, 0);
}

static void judge_half_written(struct matrix *m)
{
    judge_job(m, HUGE_ITEMS, HUGE_BYTES + 2, false);
}

/* ---- result written, but not yet read ---- */

static void bring_written(struct matrix *m)
{
    m->job = job_submit(&m->http, "{\"function\":\"sleep\",\"map\":[0.4]}");
    hold_running(m);
    stop_process(m, ROLE_SERVER);
    kill(m->victim, SIGCONT);
    sleep_ms(900); /* it ends at most 400 ms from now; nobody but the server could tell */
}

static void judge_written(struct matrix *m)
{
    /* Drain before judging death: the result was in the channel when the worker died. */
    if (judge_job(m, 1, 3, false) != 0)
        service_give_up(&m->service, "a result that was written is lost");
}

/* ---- during cancel: the workers ignore SIGTERM, so it takes its time ---- */

static void bring_cancel(struct matrix *m)
{
    char path[96];
    struct reply r;
    long long item;
    m->job = job_submit(&m->http, "{\"function\":\"hang\",\"map\":[1,2,3,4,5,6]}");
    m->victim = wait_running(m, &item);
    snprintf(path, sizeof path, "/v1/jobs/%s/cancel", m->job.text);
    if (http_post(&m->http, &r, path, "") / 100 != 2)
        service_give_up(&m->service, "cancel: %ld %s", r.status, r.body);
    reply_free(&r);
}

static void judge_cancel(struct matrix *m)
{
    struct reply r;
    job_wait(&m->http, m->job, 60000, &r);
    if (strcmp(json_text(r.json, "state"), "cancelled") != 0 || json_number(r.json, "counts.total") != 6)
        service_give_up(&m->service, "a cancel that was acknowledged is forgotten: %s", r.body);
    reply_free(&r);
}

/* ---- during upload ---- */

enum { UPLOAD_ITEMS = 20000 };

/* Half of it, then it waits for the kill. */
static size_t give_items(void *context, char *to, size_t size)
{
    struct matrix *m = context;
    size_t length = 0;
    while (m->progress >= UPLOAD_ITEMS / 2 && !m->go_on)
        sleep_ms(5);
    while (m->progress < UPLOAD_ITEMS && length + 16 < size && length < 4096)
        length += (size_t)sprintf(to + length, "%u\n", m->progress++);
    return length;
}

static void *upload_run(void *context)
{
    struct matrix *m = context;
    struct http h;
    char path[96];
    http_open(&h, &m->service);
    snprintf(path, sizeof path, "/v1/jobs/%s/items", m->job.text);
    http_ask(&h,
             &(struct ask){.method = "POST",
                           .path = path,
                           .upload = give_items,
                           .context = m,
                           .headers = {"Content-Type: application/x-ndjson"}},
             &m->reply);
    http_close(&h);
    return NULL;
}

static void bring_upload(struct matrix *m)
{
    m->job = job_submit(&m->http, "{\"function\":\"square\",\"map\":[],\"open\":true}");
    m->threaded = true;
    pthread_create(&m->thread, NULL, upload_run, m);
    while (m->progress < UPLOAD_ITEMS / 2)
        sleep_ms(5);
    sleep_ms(100);
    m->victim = procs_role(m->service.mark, ROLE_WORKER, 0);
}

static void judge_upload(struct matrix *m)
{
    char path[96];
    struct reply r;
    bool whole = m->reply.code == CURLE_OK && m->reply.status / 100 == 2;
    if (m->target == TARGET_WORKER && !whole)
        service_give_up(&m->service, "a worker's death broke the upload: %ld %s", m->reply.status, m->reply.body);
    if (http_get(&m->http, &r, "/v1/jobs/%s", m->job.text) != 200)
        service_give_up(&m->service, "an accepted job is lost: %ld %s", r.status, r.body);
    uint32_t total = (uint32_t)json_number(r.json, "counts.total");
    if (total > UPLOAD_ITEMS || (whole && total != UPLOAD_ITEMS))
        service_give_up(&m->service, "sent %u items: %s", UPLOAD_ITEMS, r.body);
    reply_free(&r);
    snprintf(path, sizeof path, "/v1/jobs/%s/close", m->job.text);
    if (http_post(&m->http, &r, path, "") / 100 != 2)
        service_give_up(&m->service, "close: %ld %s", r.status, r.body);
    reply_free(&r);
    judge_job(m, total, 0, true);
}

/* ---- during stream ---- */

static bool on_streamed(void *context, uint32_t index, const char *value, size_t length, bool failed)
{
    struct matrix *m = context;
    (void)failed;
    uint64_t hash = index + 1;
    for (size_t i = 0; i < length; i++)
        hash = hash * 31 + (unsigned char)value[i];
    bool same = m->read[m->progress] == 0 || m->read[m->progress] == hash;
    m->read[m->progress++] = hash;
    return same;
}

static void read_from(struct matrix *m, struct http *h, uint32_t from)
{
    char path[128];
    m->stream = (struct stream){.on_result = on_streamed, .context = m};
    m->progress = from;
    snprintf(path, sizeof path, "/v1/jobs/%s/results?order=completion&from=%u", m->job.text, from);
    http_ask(h, &(struct ask){.path = path, .on_data = stream_data, .context = &m->stream}, &m->reply);
}

static void *stream_run(void *context)
{
    struct matrix *m = context;
    struct http h;
    http_open(&h, &m->service);
    read_from(m, &h, 0);
    http_close(&h);
    return NULL;
}

enum { STREAM_ITEMS = 60 };

static void bring_stream(struct matrix *m)
{
    long long item;
    char body[1024], *at = body + sprintf(body, "{\"function\":\"sleep\",\"max_attempts\":3,\"backoff\":0,\"map\":[");
    for (int i = 0; i < STREAM_ITEMS; i++)
        at += sprintf(at, "0.05%s", i + 1 < STREAM_ITEMS ? "," : "]}");
    m->job = job_submit(&m->http, body);
    m->threaded = true;
    pthread_create(&m->thread, NULL, stream_run, m);
    for (long long end = now_ms() + 20000; m->progress < 10; sleep_ms(5))
        if (now_ms() > end)
            service_give_up(&m->service, "no results are streamed");
    m->victim = wait_running(m, &item);
}

static void judge_stream(struct matrix *m)
{
    if (m->target == TARGET_WORKER && !m->stream.ended)
        service_give_up(&m->service, "a worker's death broke the stream");
    for (int attempt = 0; !m->stream.ended; attempt++) {
        if (attempt == 50)
            service_give_up(&m->service, "the stream could not be resumed at %u: %ld", m->progress, m->reply.status);
        stream_free(&m->stream);
        reply_free(&m->reply);
        read_from(m, &m->http, m->progress);
        sleep_ms(m->stream.ended ? 0 : 100);
    }
    if (m->progress != STREAM_ITEMS || m->stream.wrong != 0)
        service_give_up(&m->service, "%u of %d results, %zu wrong", m->progress, STREAM_ITEMS, m->stream.wrong);
    uint32_t read_before = m->progress;
    stream_free(&m->stream);
    reply_free(&m->reply);
    read_from(m, &m->http, 0); /* on_streamed compares */
    if (m->progress != read_before || m->stream.wrong != 0)
        service_give_up(&m->service, "results have changed: %s", m->stream.first_wrong);
    judge_job(m, STREAM_ITEMS, 4, false);
}

const struct moment moments[MOMENTS] = {
    {"before hello", bring_before_hello, judge_before_hello},
    {"idle", bring_idle, judge_idle},
    {"mid-item", bring_mid_item, judge_mid_item},
    {"result half written", bring_half_written, judge_half_written},
    {"result written", bring_written, judge_written},
    {"during cancel", bring_cancel, judge_cancel},
    {"during upload", bring_upload, judge_upload},
    {"during stream", bring_stream, judge_stream},
};
