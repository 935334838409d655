/* Functions of manifests, as HTTP shows them: the list, defaults and ceilings, log and progress while an item runs,
 * processes of their own, a reload. What functions may do to a worker is tests/process/functions_matrix_test.py's. */
#include "fixture.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256];

static void write_file(const char *name, const char *text)
{
    char path[320], made[340];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(made, sizeof made, "%s.new", path);
    FILE *f = fopen(made, "we");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(rename(made, path), 0);
}

/* An item of `talk` goes on once this file is there. */
static void let_go(const char *name)
{
    write_file(name, "");
}

static void write_functions(void)
{
    write_file("words.json", "{\"command\":[\"wc\",\"-w\"],\"input\":\"text\",\"summary\":\"counts words\","
                             "\"example\":\"to be or not\",\"defaults\":{\"timeout\":30,\"max_attempts\":2},"
                             "\"ceilings\":{\"timeout\":60,\"max_attempts\":3}}");
    write_file("talk.sh",
               "echo begun\necho careful >&2\nwhile [ ! -e \"$1\" ]; do sleep 0.01; done\necho '\"over\"'\n");
    write_file(
        "talk.json",
        "{\"name\":\"small.talk\",\"command\":[\"sh\",\"talk.sh\",\"{}\"],\"input\":\"text\",\"output\":\"text\"}");
    write_file("fail.json", "{\"command\":[\"false\"],\"defaults\":{\"timeout\":50}}");
    write_file("num.py", "import os, time, poold\n"
                         "def square(x):\n    'n times n'\n    return x * x\n"
                         "def num(x):\n    return x\n"
                         "def step(name):\n"
                         "    print('a step', flush=True)\n"
                         "    poold.progress({'done': 0.50})\n"
                         "    while not os.path.exists(name): time.sleep(0.01)\n"
                         "    return 1\n");
    write_file("num.json", "{\"runtime\":\"python\",\"module\":\"num\",\"limits\":{\"memory\":\"256M\"}}");
    write_file("broken.json", "{\"name\":\"broken\",\"runtime\":\"python\",\"module\":\"there_is_no_such_module\"}");
}

static bool has_function(const char *name)
{
    struct reply r;
    bool there = http_get(&web, &r, "/v1/functions/%s", name) == 200;
    reply_free(&r);
    return there;
}

/* What a runtime offers is known once it has started somewhere. */
static bool wait_function(const char *name)
{
    for (long long end = now_ms() + 30000; now_ms() < end; sleep_ms(10))
        if (has_function(name))
            return true;
    return false;
}

static int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/poold-functions-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(folder) == NULL)
        return -1;
    write_functions();
    const char *args[] = {"--functions", folder, NULL};
    fixture_begin(args);
    return wait_function("num.square") ? 0 : -1;
}

static int teardown(void **state)
{
    char command[300];
    fixture_teardown(state);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* ---- what can be called ---- */

static void test_list(void **state)
{
    (void)state;
    struct reply r;
    unsigned builtin = 0, exec = 0, runtime = 0;
    size_t i;
    json_t *entry;
    http_get(&web, &r, "/v1/functions");
    json_array_foreach(json_object_get(r.json, "functions"), i, entry)
    {
        const char *kind = json_text(entry, "kind");
        builtin += strcmp(kind, "builtin") == 0;
        exec += strcmp(kind, "exec") == 0;
        runtime += strcmp(kind, "runtime") == 0;
        assert_string_equal(json_text(entry, "call.function"), json_text(entry, "name"));
    }
    assert_true(builtin >= 7);
    assert_int_equal(exec, 3);
    assert_true(runtime >= 3);
    assert_true(json_is_null(json_object_get(r.json, "problem")));
    expect_status(&r, 200);
}

static void test_one(void **state)
{
    (void)state;
    struct reply r;
    http_get(&web, &r, "/v1/functions/words");
    assert_string_equal(json_text(r.json, "kind"), "exec");
    assert_string_equal(json_text(r.json, "summary"), "counts words");
    assert_int_equal(json_number(r.json, "defaults.timeout"), 30);
    assert_int_equal(json_number(r.json, "ceilings.max_attempts"), 3);
    assert_string_equal(json_text(r.json, "call.apply"), "to be or not");
    expect_status(&r, 200);
}

/* The example call can be sent as it is. */
static void test_call(void **state)
{
    (void)state;
    struct reply r, made;
    http_get(&web, &r, "/v1/functions/words");
    char *body = json_dumps(json_at(r.json, "call"), 0);
    http_post(&web, &made, "/v1/jobs?wait=30", body);
    assert_int_equal(json_number(made.json, "value"), 4);
    free(body);
    reply_free(&r);
    expect_status(&made, 200);
}

static void test_names_with_dots(void **state)
{
    (void)state;
    struct reply r;
    http_get(&web, &r, "/v1/functions/num.square");
    assert_string_equal(json_text(r.json, "name"), "num.square");
    assert_string_equal(json_text(r.json, "language"), "python");
    assert_string_equal(json_text(r.json, "summary"), "n times n");
    assert_int_equal(json_number(r.json, "limits.memory"), 256 * 1024 * 1024);
    expect_status(&r, 200);
    assert_true(has_function("num")); /* called like its manifest */
    assert_false(has_function("num.num"));
    assert_false(has_function("square.num"));
    http_get(&web, &r, "/v1/functions/num.cube");
    expect_problem(&r, 404, "not-found");
    reply_free(&r);
    refuse("POST", "/v1/jobs", "{\"function\":\"num.cube\",\"map\":[]}", 422, "unknown-function");
    free(results_of(run_job("{\"function\":\"num.square\",\"map\":[1,2,3]}", "succeeded"), ""));
}

/* ---- defaults and ceilings ---- */

static void test_defaults(void **state)
{
    (void)state;
    struct job_id id = run_job("{\"function\":\"words\",\"map\":[\"a b\"]}", "succeeded");
    assert_int_equal(job_number(id, "options.timeout"), 30);
    assert_int_equal(job_number(id, "options.max_attempts"), 2);
    id = run_job("{\"function\":\"words\",\"map\":[\"a b\"],\"timeout\":45,\"max_attempts\":1}", "succeeded");
    assert_int_equal(job_number(id, "options.timeout"), 45);
    assert_int_equal(job_number(id, "options.max_attempts"), 1);
}

static void test_ceilings(void **state)
{
    (void)state;
    struct reply r;
    http_post(&web, &r, "/v1/jobs", "{\"function\":\"words\",\"map\":[\"a\"],\"timeout\":61}");
    expect_problem(&r, 422, "over-ceiling");
    assert_string_equal(json_text(r.json, "pointer"), "/timeout");
    assert_non_null(strstr(json_text(r.json, "detail"), "60"));
    reply_free(&r);
    refuse("POST", "/v1/jobs", "{\"function\":\"words\",\"map\":[\"a\"],\"timeout\":0}", 422, "over-ceiling");
    refuse("POST", "/v1/jobs", "{\"function\":\"words\",\"map\":[\"a\"],\"max_attempts\":4}", 422, "over-ceiling");
    refuse_with("POST", "/v1/jobs?function=words&timeout=100", "\"a\"\n", "Content-Type: application/x-ndjson", 422,
                "over-ceiling");
    struct job_id id = run_job("{\"function\":\"words\",\"map\":[\"a\"],\"timeout\":60}", "succeeded");
    assert_int_equal(job_number(id, "options.timeout"), 60);
}

/* ---- while it runs ---- */

static struct job_id begin_item(const char *function, const char *file)
{
    char body[400];
    snprintf(body, sizeof body, "{\"function\":\"%s\",\"map\":[\"%s/%s\"]}", function, folder, file);
    return job_submit(&web, body);
}

static bool wait_text(const char *text, const char *path, ...) __attribute__((format(printf, 2, 3)));
static bool wait_text(const char *text, const char *format, ...)
{
    char path[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    for (long long end = now_ms() + 20000; now_ms() < end; sleep_ms(10)) {
        struct reply r;
        http_get(&web, &r, "%s", path);
        bool found = strstr(r.body, text) != NULL;
        reply_free(&r);
        if (found)
            return true;
    }
    return false;
}

static void test_log_while_running(void **state)
{
    (void)state;
    struct job_id id = begin_item("small.talk", "go-1");
    struct reply r;
    assert_true(wait_text("careful", "/v1/jobs/%s/log", id.text));
    assert_true(wait_text("careful", "/v1/jobs/%s/items/0", id.text));
    expect_text(id, "state", "running");
    http_get(&web, &r, "/v1/jobs/%s/log?stream=stderr&item=0&format=json", id.text);
    assert_int_equal(json_array_size(json_object_get(r.json, "lines")), 1);
    assert_string_equal(json_text(r.json, "lines.0.stream"), "stderr");
    assert_string_equal(json_text(r.json, "lines.0.text"), "careful\n");
    assert_int_equal(json_number(r.json, "lines.0.index"), 0);
    assert_int_equal(json_number(r.json, "lines.0.attempt"), 1);
    expect_status(&r, 200);
    http_get(&web, &r, "/v1/jobs/%s/log?item=1", id.text);
    assert_string_equal(r.body, "");
    expect_status(&r, 200);
    let_go("go-1");
    job_wait(&web, id, 20000, &r);
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    reply_free(&r);
    assert_true(wait_text("careful", "/v1/jobs/%s/log", id.text));
}

struct follower {
    bool gone;
    char text[1024];
};

/* The item goes on once the follower has seen what it printed. */
static bool follow(void *context, const char *bytes, size_t length)
{
    struct follower *f = context;
    snprintf(f->text + strlen(f->text), sizeof f->text - strlen(f->text), "%.*s", (int)length, bytes);
    if (!f->gone && strstr(f->text, "careful") != NULL)
        let_go("go-2");
    f->gone = f->gone || strstr(f->text, "careful") != NULL;
    return true;
}

static void test_log_followed(void **state)
{
    (void)state;
    struct job_id id = begin_item("small.talk", "go-2");
    struct follower f = {0};
    struct reply r;
    char path[96];
    snprintf(path, sizeof path, "/v1/jobs/%s/log?follow=true", id.text);
    http_ask(&web, &(struct ask){.path = path, .on_data = follow, .context = &f, .timeout_ms = 20000}, &r);
    assert_int_equal(r.code, CURLE_OK); /* it came to its end, the job's */
    assert_true(f.gone);
    reply_free(&r);
    expect_text(id, "state", "succeeded");
    snprintf(path, sizeof path, "/v1/jobs/%s/log?follow=true&format=json", id.text);
    refuse("GET", path, NULL, 400, "invalid-parameter");
}

static void test_progress(void **state)
{
    (void)state;
    struct job_id id = begin_item("num.step", "go-3");
    struct reply r;
    assert_true(wait_text("\"progress\":{\"done\":0.5}", "/v1/jobs/%s/items/0", id.text));
    http_get(&web, &r, "/v1/jobs/%s/items/0", id.text);
    assert_string_equal(json_text(r.json, "state"), "running");
    expect_status(&r, 200);
    assert_true(wait_text("a step", "/v1/jobs/%s/log", id.text));
    let_go("go-3");
    job_wait(&web, id, 20000, &r);
    reply_free(&r);
    http_get(&web, &r, "/v1/jobs/%s/items/0", id.text);
    assert_null(json_object_get(r.json, "progress"));
    assert_int_equal(json_number(r.json, "value"), 1);
    expect_status(&r, 200);
}

/* ---- a process for each item ---- */

static void test_isolation(void **state)
{
    (void)state;
    static const char *const functions[] = {"num.square", "words", "square"};
    static const char *const items[] = {"[2,3]", "[\"a b\",\"c\"]", "[4,5]"};
    for (int i = 0; i < 3; i++) {
        char body[200];
        snprintf(body, sizeof body, "{\"function\":\"%s\",\"map\":%s,\"isolation\":\"process\"}", functions[i],
                 items[i]);
        struct reply r;
        struct job_id id = run_job(body, "succeeded");
        http_get_as(&web, &r, "application/json", "/v1/jobs/%s/results", id.text);
        long long first = json_number(r.json, "results.0.pid"), second = json_number(r.json, "results.1.pid");
        if (first <= 0 || second <= 0 || first == second || json_number(r.json, "results.0.exit_code") != 0)
            fail_msg("%s: %s", functions[i], r.body);
        expect_status(&r, 200);
    }
    struct reply r;
    http_post(&web, &r, "/v1/jobs?wait=30", "{\"function\":\"words\",\"apply\":\"a b\",\"isolation\":\"process\"}");
    assert_int_equal(json_number(r.json, "value"), 2);
    assert_true(json_number(r.json, "pid") > 0);
    assert_int_equal(json_number(r.json, "exit_code"), 0);
    expect_status(&r, 200);
    struct job_id id = run_job("{\"function\":\"fail\",\"map\":[1],\"isolation\":\"process\"}", "failed");
    http_get_as(&web, &r, "application/json", "/v1/jobs/%s/results", id.text);
    assert_int_equal(json_number(r.json, "results.0.error.exit_code"), 1);
    assert_true(json_number(r.json, "results.0.error.pid") > 0);
    expect_status(&r, 200);
}

/* ---- a runtime that does not start ---- */

static void test_broken(void **state)
{
    (void)state;
    struct reply r;
    assert_true(wait_text("there_is_no_such_module", "/v1/functions"));
    http_get(&web, &r, "/v1/functions/broken");
    assert_string_equal(json_text(r.json, "state"), "broken");
    assert_non_null(strstr(json_text(r.json, "problem"), "there_is_no_such_module"));
    expect_status(&r, 200);
    struct job_id id = run_job("{\"function\":\"broken.any\",\"map\":[1,2]}", "failed");
    http_get_as(&web, &r, "application/json", "/v1/jobs/%s/results", id.text);
    assert_string_equal(json_text(r.json, "results.1.error.type"), "error");
    assert_non_null(strstr(json_text(r.json, "results.1.error.message"), "there_is_no_such_module"));
    expect_status(&r, 200);
}

/* ---- reload ---- */

static void reload(void)
{
    kill(service.pid, SIGHUP);
}

/* What is gone when its turn comes waits, says so, and runs once it is there again. */
static void test_waiting_for(void **state)
{
    (void)state;
    static const char extra[] = "{\"command\":[\"cat\"]}";
    char path[300];
    struct reply r;
    write_file("extra.json", extra);
    reload();
    assert_true(wait_function("extra"));
    struct job_id id = job_submit(&web, "{\"function\":\"extra\",\"map\":[1],\"delay\":2}");
    snprintf(path, sizeof path, "%s/extra.json", folder);
    assert_int_equal(unlink(path), 0);
    reload();
    assert_true(wait_text("\"waiting_for\":\"function extra is not defined", "/v1/jobs/%s", id.text));
    assert_false(has_function("extra"));
    write_file("extra.json", extra);
    reload();
    job_wait(&web, id, 20000, &r);
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    assert_null(json_object_get(r.json, "waiting_for"));
    reply_free(&r);
}

/* A retry asks for what its first job ran with: ceilings that were lowered meanwhile hold. */
static void test_retry_under_a_lower_ceiling(void **state)
{
    (void)state;
    struct job_id id = run_job("{\"function\":\"fail\",\"map\":[1]}", "failed");
    char path[96];
    snprintf(path, sizeof path, "/v1/jobs/%s/retry", id.text);
    write_file("fail.json", "{\"command\":[\"false\"],\"ceilings\":{\"timeout\":20}}");
    reload();
    assert_true(wait_text("\"ceilings\":{\"timeout\":20}", "/v1/functions/fail"));
    refuse("POST", path, "", 422, "over-ceiling");
}

static void test_bad_reload(void **state)
{
    (void)state;
    write_file("bad.json", "{\"command\":[\"wc\"],\n\"tiemout\":3}");
    reload();
    assert_true(wait_text("bad.json:2", "/v1/functions"));
    struct reply r;
    http_get(&web, &r, "/v1/functions");
    assert_non_null(strstr(json_text(r.json, "problem"), "tiemout"));
    expect_status(&r, 200);
    assert_true(has_function("words"));
    assert_false(has_function("bad"));
    write_file("bad.json", "{\"command\":[\"wc\"]}");
    reload();
    assert_true(wait_function("bad"));
    http_get(&web, &r, "/v1/functions");
    assert_true(json_is_null(json_object_get(r.json, "problem")));
    expect_status(&r, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_call),
        cmocka_unit_test(test_names_with_dots),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_log_while_running),
        cmocka_unit_test(test_log_followed),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_isolation),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_waiting_for),
        cmocka_unit_test(test_retry_under_a_lower_ceiling),
        cmocka_unit_test(test_bad_reload),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
