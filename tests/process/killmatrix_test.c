/* kill -9 in {before HELLO … during stream} × {worker, server, supervisor, all}: no accepted job lost, one result per
 * item, the pool's size restored, no process left, the database sound. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "killmatrix.h"
#include "support/procs.h"

static const char *const target_names[TARGETS] = {"worker", "server", "supervisor", "all"};

struct scenario {
    const struct moment *moment;
    enum target target;
    char name[64];
};

static void kill_target(struct matrix *m)
{
    struct process found[PROCS_MAX];
    const char *mark = m->service.mark;
    int count = 0;
    switch (m->target) {
    case TARGET_WORKER:
        assert_true(m->victim > 0 && kill(m->victim, SIGKILL) == 0);
        break;
    case TARGET_SERVER:
        assert_int_equal(kill(procs_role(mark, ROLE_SERVER, 0), SIGKILL), 0);
        break;
    case TARGET_SUPERVISOR:
        assert_int_equal(kill(m->service.pid, SIGKILL), 0);
        break;
    default:
        count = procs_find(mark, found, PROCS_MAX, false);
        for (int i = 0; i < count; i++)
            kill(found[i].pid, SIGSTOP);
        for (int i = 0; i < count; i++)
            kill(found[i].pid, SIGKILL);
    }
    if (m->stopped != 0)
        kill(m->stopped, SIGCONT);
}

static void restart(struct matrix *m)
{
    if (m->target >= TARGET_SUPERVISOR) {
        for (int i = 0; service_alive(&m->service) && i < 5000; i++)
            sleep_ms(1);
        service_start(&m->service);
    }
    m->go_on = true;
    if (m->threaded)
        pthread_join(m->thread, NULL);
}

/* Whatever died: the pool is whole again and works, and what was finished before has not changed. */
static void assert_recovered(struct matrix *m, struct job_id settled, const char *results)
{
    struct reply r;
    assert_true(wait_workers(&m->http, NULL, MATRIX_WORKERS, 20000));
    assert_int_equal(http_get(&m->http, &r, "/v1/jobs/%s/results?order=completion", settled.text), 200);
    assert_string_equal(r.body, results);
    reply_free(&r);
    struct job_id id = job_submit(&m->http, "{\"function\":\"square\",\"map\":[1,2,3]}");
    job_wait(&m->http, id, 20000, &r);
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    reply_free(&r);
}

static void scenario_run(void **state)
{
    static const char *const args[] = {"--processes", "4", "--test-functions", "--kill-grace", "500ms", NULL};
    const struct scenario *scenario = *state;
    struct matrix *m = calloc(1, sizeof *m);
    struct reply settled;
    m->target = scenario->target;
    service_begin(&m->service, args);
    http_open(&m->http, &m->service);
    assert_true(wait_workers(&m->http, NULL, MATRIX_WORKERS, 20000));
    struct job_id id = job_submit(&m->http, "{\"function\":\"square\",\"map\":[5,6,7,8,9,10,11,12]}");
    assert_int_equal(http_get(&m->http, &settled, "/v1/jobs/%s/results?order=completion", id.text), 200);

    scenario->moment->bring(m);
    kill_target(m);
    restart(m);
    assert_true(wait_for(&m->http, "/v1/pool", "processes", "4", 20000));
    scenario->moment->judge(m);
    assert_recovered(m, id, settled.body);

    reply_free(&settled);
    reply_free(&m->reply);
    stream_free(&m->stream);
    http_close(&m->http);
    service_end(&m->service);
    free(m);
}

int main(int argc, char **argv)
{
    static struct scenario scenarios[MOMENTS * TARGETS];
    static struct CMUnitTest tests[MOMENTS * TARGETS];
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_ALL);
    if (argc > 1)
        cmocka_set_test_filter(argv[1]); /* "mid-item*", "*server" */
    for (unsigned i = 0; i < MOMENTS * TARGETS; i++) {
        struct scenario *s = &scenarios[i];
        s->moment = &moments[i / TARGETS];
        s->target = (enum target)(i % TARGETS);
        snprintf(s->name, sizeof s->name, "%s, %s", s->moment->name, target_names[s->target]);
        tests[i] = (struct CMUnitTest){.name = s->name, .test_func = scenario_run, .initial_state = s};
    }
    return _cmocka_run_group_tests("killmatrix", tests, MOMENTS * TARGETS, NULL, NULL);
}
