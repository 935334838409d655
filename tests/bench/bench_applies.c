/* bench_applies: `square` (or what does the same in a runtime) as applies that are waited for, one after another (W2)
 * or by many clients at once (W3).
 *
 * A client is a kept connection. All of them run in one thread on libcurl's multi interface, and each handle is set up
 * once: what is measured is poold, not the harness (set up anew for each request, with a thread a client, libcurl took
 * 52 us of processor a job, half as much as poold). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_work.h"

struct client {
    CURL *curl;
    const char *function;
    uint32_t left, x;
    char body[128], answer[4096];
    size_t answered;
    double start;
};

struct run {
    double *seconds; /* of each apply */
    size_t done;
    uint32_t wrong;
};

static size_t on_answer(char *bytes, size_t size, size_t count, void *context)
{
    struct client *c = context;
    size_t length = size * count, room = sizeof c->answer - 1 - c->answered;
    memcpy(c->answer + c->answered, bytes, length < room ? length : room);
    c->answered += length < room ? length : room;
    return length;
}

static void client_open(struct client *c, const struct service *service, uint32_t n, uint32_t seed,
                        const char *function)
{
    char url[128];
    *c = (struct client){.curl = curl_easy_init(), .function = function, .left = n, .x = seed};
    snprintf(url, sizeof url, "%s://127.0.0.1:%u/v1/jobs?wait=30", service->ca ? "https" : "http", service->port);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    if (service->ca)
        curl_easy_setopt(c->curl, CURLOPT_CAINFO, service->ca);
    curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(c->curl, CURLOPT_PRIVATE, c);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
}

static void client_next(struct client *c)
{
    c->x++;
    c->left--;
    c->answered = 0;
    int length = snprintf(c->body, sizeof c->body, "{\"function\":\"%s\",\"apply\":%" PRIu32 "}", c->function, c->x);
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long)length);
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, c->body);
    c->start = bench_now();
}

static void client_judge(struct client *c, struct run *run, CURLcode code)
{
    char wanted[32];
    long status = 0;
    run->seconds[run->done++] = bench_now() - c->start;
    int length = snprintf(wanted, sizeof wanted, "\"value\":%" PRIu64, (uint64_t)c->x * c->x);
    c->answer[c->answered] = '\0';
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    const char *at = strstr(c->answer, wanted);
    if (code == CURLE_OK && status == 200 && at != NULL && (at[length] < '0' || at[length] > '9'))
        return;
    run->wrong++;
    fprintf(stderr, "WRONG: apply of %" PRIu32 ": curl %d, %ld %.300s\n", c->x, (int)code, status, c->answer);
}

/* Judges what has ended and starts the next of each client; true when there was any. */
static bool turn(CURLM *multi, struct run *run, unsigned *active)
{
    CURLMsg *message;
    int waiting;
    bool any = false;
    while ((message = curl_multi_info_read(multi, &waiting)) != NULL) {
        struct client *c;
        CURLcode code = message->data.result;
        any = true;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        client_judge(c, run, code);
        curl_multi_remove_handle(multi, c->curl);
        if (c->left > 0) {
            client_next(c);
            curl_multi_add_handle(multi, c->curl);
        } else {
            (*active)--;
        }
    }
    return any;
}

static void run_many(struct client *clients, unsigned count, struct run *run)
{
    CURLM *multi = curl_multi_init();
    unsigned active = count;
    int running;
    for (unsigned i = 0; i < count; i++) {
        client_next(&clients[i]);
        curl_multi_add_handle(multi, clients[i].curl);
    }
    while (active > 0) {
        curl_multi_perform(multi, &running);
        if (!turn(multi, run, &active)) /* else what was started is to be sent first */
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    curl_multi_cleanup(multi);
}

static void run_one(struct client *c, struct run *run)
{
    while (c->left > 0) {
        client_next(c);
        client_judge(c, run, curl_easy_perform(c->curl));
    }
}

int bench_clients(struct service *service, uint32_t n, unsigned count, const char *function)
{
    struct client *clients = calloc(count, sizeof *clients);
    struct run run = {.seconds = calloc((size_t)count * n, sizeof(double))};
    for (unsigned i = 0; i < count; i++)
        client_open(&clients[i], service, n, i * 1000, function);
    double start = bench_now();
    if (count == 1)
        run_one(clients, &run);
    else
        run_many(clients, count, &run);
    bench_print_latencies(run.seconds, run.done, bench_now() - start, (uint32_t)run.done);
    for (unsigned i = 0; i < count; i++)
        curl_easy_cleanup(clients[i].curl);
    free(run.seconds);
    free(clients);
    return run.wrong == 0 && run.done == (size_t)count * n ? 0 : 1;
}
