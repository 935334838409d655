/* A thousand deaths of workers: each costs its one item, and nothing is left of them – no zombie, no orphan, no
 * descriptor in the supervisor or the server, no back-off that holds up the work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/json.h"
#include "support/procs.h"

enum { DEATHS = 1000 };

static char *exits(void)
{
    char *body = malloc(DEATHS * 4 + 100), *at = body + sprintf(body, "{\"function\":\"exit\",\"map\":[");
    for (int i = 0; i < DEATHS; i++)
        at += sprintf(at, "%d%s", 1 + i % 9, i + 1 < DEATHS ? "," : "]}");
    return body;
}

static int zombies(const struct service *s)
{
    struct process found[PROCS_MAX];
    int count = procs_find(s->mark, found, PROCS_MAX, true), n = 0;
    for (int i = 0; i < count; i++)
        n += found[i].state == 'Z';
    return n;
}

static void test_thousand_deaths(void **state)
{
    (void)state;
    static const char *const args[] = {"--processes", "4", "--test-functions", NULL};
    struct service s;
    struct http h;
    struct reply r;
    service_begin(&s, args);
    http_open(&h, &s);
    assert_true(wait_workers(&h, NULL, 4, 20000));
    pid_t server = procs_role(s.mark, ROLE_SERVER, 0);
    int of_server = procs_descriptors(server), of_supervisor = procs_descriptors(s.pid);

    char *body = exits();
    struct job_id id = job_submit(&h, body);
    free(body);
    job_wait(&h, id, 120000, &r);
    assert_int_equal(json_number(r.json, "counts.failed"), DEATHS);
    reply_free(&r);
    assert_int_equal(http_get(&h, &r, "/v1/jobs/%s/items/999", id.text), 200);
    assert_int_equal(json_number(r.json, "error.exit_code"), 1);
    reply_free(&r);

    assert_true(wait_workers(&h, NULL, 4, 20000));
    assert_int_equal(procs_count(s.mark, ROLE_WORKER), 4);
    assert_int_equal(procs_role(s.mark, ROLE_SERVER, 0), server); /* it did not die of it */
    int left = -1;
    for (long long end = now_ms() + 10000; left != 0 && now_ms() < end; sleep_ms(20))
        left = zombies(&s);
    assert_int_equal(left, 0);
    assert_in_range(procs_descriptors(server), 0, of_server + 8); /* a few idle reader's files and connections */
    assert_int_equal(procs_descriptors(s.pid), of_supervisor);
    http_close(&h);
    service_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_thousand_deaths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
