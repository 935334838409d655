#include "support/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const json_t *json_at(const json_t *node, const char *path)
{
    char key[128];
    while (node != NULL && *path != '\0') {
        size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        node = json_is_array(node) ? json_array_get(node, (size_t)atol(key)) : json_object_get(node, key);
        path += n + (path[n] == '.');
    }
    return node;
}

const char *json_text(const json_t *node, const char *path)
{
    const char *text = json_string_value(json_at(node, path));
    return text != NULL ? text : "";
}

long long json_number(const json_t *node, const char *path)
{
    const json_t *n = json_at(node, path);
    return json_is_integer(n) ? json_integer_value(n) : -1;
}

struct job_id job_submit(struct http *h, const char *body)
{
    struct reply r;
    struct job_id id = {""};
    long status = http_post(h, &r, "/v1/jobs", body);
    snprintf(id.text, sizeof id.text, "%s", json_text(r.json, "id"));
    if (status / 100 != 2 || id.text[0] == '\0')
        service_give_up(h->service, "POST %.200s: %ld %.500s", body, status, r.body);
    reply_free(&r);
    return id;
}

static bool ended(const json_t *job)
{
    const char *state = json_text(job, "state");
    return strcmp(state, "succeeded") == 0 || strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0;
}

void job_wait(struct http *h, struct job_id id, int timeout_ms, struct reply *r)
{
    long long end = now_ms() + timeout_ms;
    for (;;) {
        long status = http_get(h, r, "/v1/jobs/%s?wait=5", id.text);
        if (status == 200 && ended(r->json))
            return;
        if (now_ms() > end || status == 404 || status == 410)
            service_give_up(h->service, "job %s did not end: %ld %.600s", id.text, status, r->body);
        reply_free(r);
        if (status != 200)
            sleep_ms(50);
    }
}

void job_state(struct http *h, struct job_id id, char to[32])
{
    struct reply r;
    http_get(h, &r, "/v1/jobs/%s", id.text);
    snprintf(to, 32, "%s", json_text(r.json, "state"));
    reply_free(&r);
}

bool wait_for(struct http *h, const char *url, const char *path, const char *value, int timeout_ms)
{
    for (long long end = now_ms() + timeout_ms; now_ms() < end; sleep_ms(10)) {
        struct reply r;
        http_get(h, &r, "%s", url);
        const json_t *node = json_at(r.json, path);
        char text[64] = "";
        if (json_is_integer(node))
            snprintf(text, sizeof text, "%lld", (long long)json_integer_value(node));
        else if (json_is_string(node))
            snprintf(text, sizeof text, "%s", json_string_value(node));
        reply_free(&r);
        if (strcmp(text, value) == 0)
            return true;
    }
    return false;
}

static const json_t *workers_of(const struct reply *r)
{
    return json_is_array(r->json) ? r->json : json_at(r->json, "workers");
}

static int count_workers(struct http *h, const char *wanted)
{
    struct reply r;
    http_get(h, &r, "/v1/workers");
    size_t i;
    json_t *worker;
    int count = 0;
    json_array_foreach(workers_of(&r), i, worker)
    {
        const char *state = json_text(worker, "state");
        bool up = strcmp(state, "ready") == 0 || strcmp(state, "running") == 0 || strcmp(state, "waiting") == 0;
        count += wanted != NULL ? strcmp(state, wanted) == 0 : up;
    }
    reply_free(&r);
    return count;
}

bool wait_workers(struct http *h, const char *state, int count, int timeout_ms)
{
    int n = -1;
    for (long long end = now_ms() + timeout_ms; now_ms() < end; sleep_ms(10))
        if ((n = count_workers(h, state)) == count)
            return true;
    fprintf(stderr, "%d workers %s, expected %d\n", n, state != NULL ? state : "up", count);
    return false;
}

int worker_pid(struct http *h, const char *wanted, const char *job, long long *item)
{
    struct reply r;
    http_get(h, &r, "/v1/workers");
    size_t i;
    json_t *worker;
    int pid = 0;
    json_array_foreach(workers_of(&r), i, worker)
    {
        const char *at = json_text(worker, "job");
        if (at[0] == '\0')
            at = json_text(worker, "job.id");
        if (strcmp(json_text(worker, "state"), wanted) != 0 || (job != NULL && strcmp(at, job) != 0))
            continue;
        pid = (int)json_number(worker, "pid");
        if (item != NULL)
            *item = json_number(worker, "item");
    }
    reply_free(&r);
    return pid;
}

bool item_runs(struct http *h, struct job_id id, long long item)
{
    struct reply r;
    http_get(h, &r, "/v1/jobs/%s/items/%lld", id.text, item);
    bool runs = strcmp(json_text(r.json, "state"), "running") == 0;
    reply_free(&r);
    return runs;
}
