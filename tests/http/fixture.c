#include "fixture.h"

#include <signal.h>

struct service service;
struct http web;

int fixture_begin(const char *const *more)
{
    const char *args[SERVICE_ARGS_MAX] = {"--processes", "4", "--test-functions", "--kill-grace", "300ms"};
    for (int i = 0; more != NULL && more[i] != NULL; i++)
        args[5 + i] = more[i];
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_ALL);
    service_begin(&service, args);
    http_open(&web, &service);
    if (!wait_workers(&web, NULL, 4, 20000))
        service_give_up(&service, "4 workers did not come up");
    return 0;
}

int fixture_setup(void **state)
{
    (void)state;
    return fixture_begin(NULL);
}

int fixture_teardown(void **state)
{
    (void)state;
    http_close(&web);
    service_end(&service);
    return 0;
}

static void show(const struct reply *r)
{
    print_error("answer: curl %d, status %ld\n%s%.2000s\n", (int)r->code, r->status, r->headers ? r->headers : "",
                r->body);
}

void expect_status(struct reply *r, long status)
{
    if (r->status != status)
        show(r);
    long was = r->status;
    reply_free(r);
    assert_int_equal(was, status);
}

void expect_problem(struct reply *r, long status, const char *type)
{
    char media[128] = "";
    const char *is = json_text(r->json, "type");
    size_t length = strlen(is), n = strlen(type);
    reply_header(r, "content-type", media, sizeof media);
    bool right = r->status == status && strncmp(media, "application/problem+json", 24) == 0 && length >= n &&
                 strcmp(is + length - n, type) == 0 && json_number(r->json, "status") == status &&
                 json_text(r->json, "title")[0] != '\0';
    if (right)
        return;
    show(r);
    fail_msg("expected %ld with a problem document of type …%s", status, type);
}

void refuse_with(const char *method, const char *path, const char *body, const char *header, long status,
                 const char *type)
{
    struct reply r;
    http_ask(&web, &(struct ask){.method = method, .path = path, .body = body, .headers = {header}}, &r);
    if (r.status != status)
        print_error("%s %s %s\n", method, path, body != NULL ? body : "");
    expect_problem(&r, status, type);
    reply_free(&r);
}

void refuse(const char *method, const char *path, const char *body, long status, const char *type)
{
    refuse_with(method, path, body, NULL, status, type);
}

struct job_id run_job(const char *body, const char *state)
{
    struct reply r;
    struct job_id id = job_submit(&web, body);
    job_wait(&web, id, 60000, &r);
    if (strcmp(json_text(r.json, "state"), state) != 0)
        show(&r);
    assert_string_equal(json_text(r.json, "state"), state);
    reply_free(&r);
    return id;
}

char *results_of(struct job_id id, const char *query)
{
    struct reply r;
    http_get(&web, &r, "/v1/jobs/%s/results%s", id.text, query);
    if (r.status != 200 || r.code != CURLE_OK)
        show(&r);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.code, CURLE_OK);
    char *text = strdup(r.body);
    reply_free(&r);
    return text;
}

char *line_of(const char *text, unsigned n)
{
    while (n > 0 && (text = strchr(text, '\n')) != NULL) {
        text++;
        n--;
    }
    if (text == NULL || *text == '\0')
        return NULL;
    return strndup(text, strcspn(text, "\n"));
}

unsigned count_lines(const char *text)
{
    unsigned n = 0;
    for (; *text != '\0'; text += strcspn(text, "\n"), text += *text == '\n')
        n += *text != '\n';
    return n;
}

long long job_number(struct job_id id, const char *path)
{
    struct reply r;
    http_get(&web, &r, "/v1/jobs/%s", id.text);
    long long n = json_number(r.json, path);
    reply_free(&r);
    return n;
}

void expect_text(struct job_id id, const char *path, const char *value)
{
    struct reply r;
    http_get(&web, &r, "/v1/jobs/%s", id.text);
    if (strcmp(json_text(r.json, path), value) != 0)
        show(&r);
    assert_string_equal(json_text(r.json, path), value);
    reply_free(&r);
}
