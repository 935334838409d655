/* The supervisor and its workers: what they are given, how they are stopped, reported and replaced. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "house.h"
#include "support/procs.h"
#include "support/service.h"
#include "wire/limits.h"
#include "wire/messages.h"

/* "gone SLOT GEN PID SIGNAL EXIT CAUSE RSS" */
struct gone {
    unsigned slot, generation, pid, signal, exit_code, cause;
    int has_rss;
};

static struct gone await_gone(struct house *h)
{
    struct gone g;
    assert_int_equal(sscanf(house_await(h, "gone"), "%u %u %u %u %u %u %d", &g.slot, &g.generation, &g.pid, &g.signal,
                            &g.exit_code, &g.cause, &g.has_rss),
                     7);
    return g;
}

/* A worker looks at its descriptors, signals, group, limits and names, and exits with a number when one is wrong. */
static void workers_are_made_right(void **state)
{
    (void)state;
    struct house h;
    house_make(&h);
    house_mode(&h, "checks");
    house_start(&h, (const char *[]){"--processes=1", NULL});
    house_await_server(&h);
    house_tell(&h, "up");
    house_expect(&h, "state 1 0");
    house_await(&h, "new 0 1");
    house_expect(&h, "hello 0 1");
    house_tell(&h, "ready");
    house_drain(&h);
    house_end(&h);
}

static void deaths_are_reported(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 2, NULL);
    house_tell(&h, "tell 1 x");
    struct gone g = await_gone(&h);
    assert_int_equal(g.slot, 1);
    assert_int_equal(g.generation, 1);
    assert_int_equal(g.signal, 0);
    assert_int_equal(g.exit_code, 5);
    assert_int_equal(g.cause, STOP_NONE);
    assert_true(g.has_rss);
    house_await(&h, "hello 1 2");
    house_tell(&h, "tell 0 k");
    g = await_gone(&h);
    assert_int_equal(g.slot, 0);
    assert_int_equal(g.signal, SIGKILL);
    assert_int_equal(g.cause, STOP_NONE);
    house_await(&h, "hello 0 2");
    house_drain(&h);
    house_end(&h);
}

static void silent_worker_is_killed(void **state)
{
    (void)state;
    struct house h;
    house_make(&h);
    house_mode(&h, "silent");
    house_start(&h, (const char *[]){"--processes=1", "--hello-deadline=150ms", NULL});
    house_await_server(&h);
    house_tell(&h, "up");
    house_await(&h, "new 0 1");
    struct gone g = await_gone(&h);
    assert_int_equal(g.signal, SIGKILL);
    assert_int_equal(g.cause, STOP_HELLO);
    house_await(&h, "new 0 2"); /* and tried again */
    house_end(&h);
}

static void early_deaths_back_off_later_ones_do_not(void **state)
{
    (void)state;
    struct house h;
    house_make(&h);
    house_mode(&h, "dies");
    house_start(&h, (const char *[]){"--processes=1", NULL});
    house_await_server(&h);
    house_tell(&h, "up");
    house_await(&h, "new 0 1");
    for (unsigned wait = 100; wait <= 400; wait *= 2) {
        struct gone g = await_gone(&h);
        long long before = now_ms();
        assert_int_equal(g.exit_code, 3);
        if (wait == 400)
            house_mode(&h, "good");
        house_await(&h, "new 0");
        assert_true(now_ms() - before >= wait - 10); /* it waits from the death, we count from the report */
    }
    house_await(&h, "hello");
    house_tell(&h, "tell 0 k");
    await_gone(&h);
    long long before = now_ms();
    house_await(&h, "new 0");
    assert_true(now_ms() - before < 700); /* another back-off would be 800 */
    house_end(&h);
}

static void thousand_deaths_leave_nothing(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 4, (const char *[]){"--log-level=error", NULL});
    int before = procs_descriptors(h.poold);
    house_tell(&h, "massacre 1000");
    for (unsigned slot = 0; slot < 4; slot++)
        house_tell(&h, "tell %u k", slot);
    for (int i = 0; i < 1004; i++)
        await_gone(&h);
    house_tell(&h, "resize 4"); /* its answer comes after all that poold had to do */
    house_await(&h, "state 4");
    house_await_processes(&h, 'Z', 0);
    house_await_processes(&h, 0, 2 + 4);
    assert_int_equal(procs_descriptors(h.poold), before);
    house_drain(&h);
    house_end(&h);
}

static void stop_escalates_on_the_whole_group(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 1, NULL);
    house_mode(&h, "stubborn");
    house_tell(&h, "tell 0 k");
    house_await(&h, "hello 0 2");
    house_await_processes(&h, 0, 4); /* poold, server, worker, its child */
    house_mode(&h, "good");
    house_tell(&h, "stop 0 1 %d 0", STOP_CANCEL); /* stale: that one is long gone */
    long long before = now_ms();
    house_tell(&h, "stop 0 2 %d 200", STOP_TIMEOUT);
    struct gone g = await_gone(&h);
    assert_int_equal(g.generation, 2);
    assert_int_equal(g.signal, SIGKILL);
    assert_int_equal(g.cause, STOP_TIMEOUT);
    assert_true(now_ms() - before >= 200);
    house_await(&h, "hello 0 3");
    house_await_processes(&h, 0, 3); /* the child went with it */
    house_drain(&h);
    house_end(&h);
}

static void stop_of_a_civil_worker_is_sigterm(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 1, NULL);
    house_tell(&h, "stop 0 1 %d 10000", STOP_CANCEL);
    struct gone g = await_gone(&h);
    assert_int_equal(g.signal, SIGTERM);
    assert_int_equal(g.cause, STOP_CANCEL);
    house_await(&h, "hello 0 2");
    house_drain(&h);
    house_end(&h);
}

/* The worker crashes; what it has started in its group goes with it. */
static void crash_takes_the_group_along(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 1, NULL);
    house_mode(&h, "stubborn");
    house_tell(&h, "tell 0 k");
    house_await(&h, "hello 0 2");
    house_await_processes(&h, 0, 4);
    house_mode(&h, "good");
    house_tell(&h, "tell 0 k");
    house_await(&h, "hello 0 3");
    house_await_processes(&h, 0, 3);
    house_drain(&h);
    house_end(&h);
}

static void orphans_are_reaped(void **state)
{
    (void)state;
    struct house h;
    house_make(&h);
    house_mode(&h, "orphan");
    house_start(&h, (const char *[]){"--processes=4", NULL});
    house_await_server(&h);
    house_make_ready(&h, 4);
    house_await_processes(&h, 0, 2 + 4);
    house_await_processes(&h, 'Z', 0);
    house_drain(&h);
    house_end(&h);
}

/* Out of the group and the session: it cannot be told whose it was while others live, but it never runs beside the
 * items' next attempts, nor outlives the service. */
static void escaped_processes_are_caught(void **state)
{
    (void)state;
    struct house h;
    house_make(&h);
    house_mode(&h, "escaped");
    house_start(&h, (const char *[]){"--processes=2", NULL});
    house_await_server(&h);
    house_make_ready(&h, 2);
    house_await_processes(&h, 0, 2 + 2 + 2);
    house_mode(&h, "good");
    house_tell(&h, "abort");
    house_await_server(&h);
    house_await_processes(&h, 0, 2);
    house_mode(&h, "escaped");
    house_make_ready(&h, 2);
    kill(h.poold, SIGTERM);
    house_await(&h, "drain");
    house_tell(&h, "exit 0");
    assert_int_equal(house_exit_status(&h), 0);
    assert_true(procs_wait_none(h.mark, HOUSE_PATIENCE_MS));
    house_end(&h);
}

/* What a worker has kept of its functions' processes dies when it has died, link by link; the other worker's does
 * not. */
static void what_a_worker_kept_dies_with_it(void **state)
{
    (void)state;
    struct house h;
    house_make(&h);
    house_mode(&h, "keeper");
    house_start(&h, (const char *[]){"--processes=2", NULL});
    house_await_server(&h);
    house_make_ready(&h, 2);
    house_await_processes(&h, 0, 2 + 2 + 4);
    house_mode(&h, "good");
    house_tell(&h, "tell 0 k");
    assert_int_equal(await_gone(&h).slot, 0);
    house_await(&h, "hello 0 2");
    house_await_processes(&h, 0, 2 + 2 + 2);
    assert_true(house_logged(&h, "event=stranger.killed"));
    house_tell(&h, "resize 2");
    house_expect(&h, "state 2 0"); /* nobody else has gone */
    house_tell(&h, "tell 1 x");
    struct gone g = await_gone(&h);
    assert_int_equal(g.slot, 1);
    assert_int_equal(g.generation, 1);
    assert_int_equal(g.exit_code, 5);
    house_await(&h, "hello 1 2");
    house_await_processes(&h, 0, 2 + 2);
    house_drain(&h);
    house_end(&h);
}

/* The end of the service: also the second link, which comes to poold when there is nothing else left. */
static void nothing_kept_outlives_the_service(void **state)
{
    (void)state;
    struct house h;
    house_make(&h);
    house_mode(&h, "keeper");
    house_start(&h, (const char *[]){"--processes=2", NULL});
    house_await_server(&h);
    house_make_ready(&h, 2);
    house_await_processes(&h, 0, 2 + 2 + 4);
    kill(h.poold, SIGTERM);
    house_await(&h, "drain");
    house_tell(&h, "exit 0");
    assert_int_equal(house_exit_status(&h), 0);
    assert_int_equal(house_processes(&h, 0), 0);
    house_end(&h);
}

static void pool_resizes_live(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 2, NULL);
    house_tell(&h, "resize 4");
    house_expect(&h, "state 4 0");
    house_await(&h, "hello"); /* of 2 and 3, in either order; the one may come before the other is new */
    house_await(&h, "hello");
    house_tell(&h, "resize 1");
    house_expect(&h, "state 1 0"); /* nobody is stopped: the server knows who is idle */
    for (unsigned slot = 3; slot >= 1; slot--) {
        house_tell(&h, "close %u", slot);
        struct gone g = await_gone(&h);
        assert_int_equal(g.slot, slot);
        assert_int_equal(g.exit_code, 0);
        assert_int_equal(g.cause, STOP_RESIZE);
    }
    house_tell(&h, "tell 0 k");
    assert_int_equal(await_gone(&h).slot, 0);
    assert_memory_equal(house_await(&h, "new"), " 0 2", 4); /* this one is wanted, and only this one */
    house_await(&h, "hello 0 2");
    house_tell(&h, "resize 100000");
    house_expect(&h, "state %d 0", WORKERS_MAX - 32);
    house_end(&h);
}

static void pool_of_many_starts_in_portions(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 150, NULL);
    assert_int_equal(procs_count(h.mark, ROLE_WORKER), 150);
    house_drain(&h);
    house_end(&h);
}

static void extra_workers_serve_one_request(void **state)
{
    (void)state;
    struct house h;
    unsigned slot, generation, pid, extra;
    unsigned long long request;
    house_begin_ready(&h, 1, NULL);
    house_tell(&h, "spawn 77");
    const char *report = house_await(&h, "new");
    assert_int_equal(sscanf(report, "%u %u %u %u %llu", &slot, &generation, &pid, &extra, &request), 5);
    assert_int_equal(slot, WORKERS_MAX - 1);
    assert_int_equal(extra, 1);
    assert_int_equal(request, 77);
    house_await(&h, "hello 511 1");
    house_tell(&h, "close 511");
    struct gone g = await_gone(&h);
    assert_int_equal(g.slot, WORKERS_MAX - 1);
    assert_int_equal(g.cause, STOP_NONE);
    house_tell(&h, "resize 1");
    house_expect(&h, "state 1 0"); /* no new one before this */
    house_tell(&h, "spawn 78");
    house_await(&h, "new 511 2");
    house_drain(&h);
    house_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_are_made_right),
        cmocka_unit_test(deaths_are_reported),
        cmocka_unit_test(silent_worker_is_killed),
        cmocka_unit_test(early_deaths_back_off_later_ones_do_not),
        cmocka_unit_test(thousand_deaths_leave_nothing),
        cmocka_unit_test(stop_escalates_on_the_whole_group),
        cmocka_unit_test(stop_of_a_civil_worker_is_sigterm),
        cmocka_unit_test(crash_takes_the_group_along),
        cmocka_unit_test(orphans_are_reaped),
        cmocka_unit_test(escaped_processes_are_caught),
        cmocka_unit_test(what_a_worker_kept_dies_with_it),
        cmocka_unit_test(nothing_kept_outlives_the_service),
        cmocka_unit_test(pool_resizes_live),
        cmocka_unit_test(pool_of_many_starts_in_portions),
        cmocka_unit_test(extra_workers_serve_one_request),
    };
    return cmocka_run_group_tests_name("supervisor pool", tests, NULL, NULL);
}
