/* The supervisor and its server: start, restart on the same socket, drain, death of either, the data directory. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "house.h"
#include "support/procs.h"
#include "support/service.h"

static void read_greeting(int fd)
{
    char text[2];
    assert_int_equal(read(fd, text, 2), 2);
    assert_memory_equal(text, "hi", 2);
    close(fd);
}

static void starts_serves_and_drains(void **state)
{
    (void)state;
    struct house h;
    char address[200];
    house_begin(&h, (const char *[]){"--processes=2", "--grace=7s", NULL});
    assert_int_equal(h.server_fds, 7); /* 0 1 2, channel, scoreboard, socket, lock */
    house_tell(&h, "up");
    house_expect(&h, "state 2 0");
    house_await(&h, "hello");
    house_await(&h, "hello");
    assert_false(house_logged(&h, "listening on http"));
    house_tell(&h, "ready");
    house_await_log(&h, "\nlistening on http://127.0.0.1:");
    int client = house_connect(&h);
    house_tell(&h, "accept");
    house_await(&h, "accepted");
    read_greeting(client);
    for (int times = 1; times <= 2; times++) {
        kill(h.poold, SIGHUP);
        house_expect(&h, "reload %d", times);
    }
    kill(h.poold, SIGTERM);
    house_expect(&h, "drain 7000");
    house_tell(&h, "exit 0");
    assert_int_equal(house_exit_status(&h), 0);
    snprintf(address, sizeof address, "%s/address", h.data);
    assert_int_equal(access(address, F_OK), -1);
    house_end(&h);
}

static void server_comes_back_on_the_same_socket(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 3, NULL);
    pid_t first = h.server_pid;
    house_mode(&h, "stubborn"); /* new workers take until SIGKILL */
    for (unsigned slot = 0; slot < 3; slot++)
        house_tell(&h, "tell %u k", slot);
    for (int i = 0; i < 3; i++)
        house_await(&h, "hello");
    house_tell(&h, "abort");
    int client = house_connect(&h); /* nobody is there, and it is no refusal */
    house_await_server(&h);
    assert_int_not_equal(h.server_pid, first);
    assert_int_equal(procs_count(h.mark, ROLE_WORKER), 0); /* all of the last one are gone, with their children */
    house_mode(&h, "good");
    house_tell(&h, "accept");
    house_await(&h, "accepted");
    read_greeting(client);
    house_tell(&h, "up");
    house_expect(&h, "state 3 1");
    house_await(&h, "new 0 3 "); /* the generation goes on */
    house_tell(&h, "ready");
    house_drain(&h);
    house_end(&h);
}

static void server_that_closes_its_channel_is_waited_for(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 1, NULL);
    house_tell(&h, "closecontrol");
    house_await_processes(&h, 0, 2); /* poold and the server: the worker was stopped */
    house_tell(&h, "exit 74");
    house_await_server(&h);
    assert_true(h.read_only); /* so its exit status counted, it was not killed */
    house_end(&h);
}

static void nonsense_costs_the_server_its_life(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 1, NULL);
    pid_t first = h.server_pid;
    house_tell(&h, "nonsense");
    house_await_server(&h);
    assert_int_not_equal(h.server_pid, first);
    assert_true(house_logged(&h, "event=server.nonsense message=worker_gone"));
    house_tell(&h, "ready"); /* before "up": out of turn */
    house_await_server(&h);
    house_end(&h);
}

static void storage_error_means_read_only(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 1, NULL);
    assert_false(h.read_only);
    house_tell(&h, "exit 74");
    house_await_server(&h);
    assert_true(h.read_only);
    house_make_ready(&h, 1);
    house_tell(&h, "abort");
    house_await_server(&h);
    assert_true(h.read_only); /* stays */
    house_end(&h);
}

static void server_that_cannot_start_backs_off(void **state)
{
    (void)state;
    struct house h;
    house_begin(&h, NULL);
    for (int wait = 100; wait <= 400; wait *= 2) {
        long long before = now_ms();
        house_tell(&h, "exit 1");
        house_await_server(&h);
        assert_true(now_ms() - before >= wait);
    }
    house_make_ready(&h, 1);
    house_tell(&h, "exit 1"); /* it had been ready: at once */
    long long before = now_ms();
    house_await_server(&h);
    assert_true(now_ms() - before < 700); /* another back-off would be 800 */
    house_end(&h);
}

static void server_that_gives_up_ends_all(void **state)
{
    (void)state;
    static const int codes[] = {78, 0};
    for (int i = 0; i < 2; i++) {
        struct house h;
        house_begin(&h, NULL);
        house_tell(&h, "up");
        house_await(&h, "hello");
        house_tell(&h, "exit %d", codes[i]);
        assert_int_equal(house_exit_status(&h), codes[i]);
        assert_true(house_logged(&h, "event=server.gave_up"));
        house_end(&h);
    }
}

/* A manifest went bad after the start, and then the server died: the next one says so until it is right again. */
static void bad_configuration_later_is_waited_out(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 1, NULL);
    house_tell(&h, "abort");
    for (int i = 0; i < 3; i++) {
        house_await_server(&h);
        house_tell(&h, "exit 78");
    }
    house_await_server(&h);
    house_make_ready(&h, 1);
    assert_false(house_logged(&h, "event=server.gave_up"));
    house_drain(&h);
    house_end(&h);
}

static void second_signal_is_immediate(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 2, (const char *[]){"--grace=600", NULL});
    house_mode(&h, "stubborn");
    house_tell(&h, "tell 0 k");
    house_await(&h, "hello 0 2");
    kill(h.poold, SIGINT);
    house_await(&h, "drain");
    kill(h.poold, SIGINT);
    assert_int_equal(house_exit_status(&h), 0);
    house_end(&h);
}

static void drain_that_hangs_is_ended(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 1, (const char *[]){"--grace=0", NULL});
    long long before = now_ms();
    kill(h.poold, SIGTERM);
    house_await(&h, "drain 0");
    assert_int_equal(house_exit_status(&h), 0);
    assert_true(now_ms() - before >= 5000);
    house_end(&h);
}

static void crash_while_draining_is_no_clean_end(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 1, NULL);
    kill(h.poold, SIGTERM);
    house_await(&h, "drain");
    house_tell(&h, "abort");
    assert_int_equal(house_exit_status(&h), 1);
    house_end(&h);
}

static void signal_before_ready_ends_too(void **state)
{
    (void)state;
    struct house h;
    house_begin(&h, NULL);
    kill(h.poold, SIGTERM);
    assert_int_equal(house_exit_status(&h), 0);
    house_end(&h);
}

/* kill -9 of the supervisor: none stays, and the next one can start at once on the same data. */
static void nothing_outlives_the_supervisor(void **state)
{
    (void)state;
    struct house h;
    house_begin_ready(&h, 8, NULL);
    for (int i = 0; i < 5; i++) {
        kill(h.poold, SIGKILL);
        assert_int_equal(house_exit_status(&h), 128 + SIGKILL);
        house_start(&h, (const char *[]){"--processes=8", NULL});
        house_await_server(&h); /* its lock waits for the old server */
        house_tell(&h, "up");
        for (int j = 0; j < 8; j++)
            house_await(&h, "hello");
        house_tell(&h, "ready");
    }
    kill(h.poold, SIGKILL);
    house_exit_status(&h);
    assert_true(procs_wait_none(h.mark, HOUSE_PATIENCE_MS));
    house_end(&h);
}

static void second_poold_is_refused(void **state)
{
    (void)state;
    struct house h;
    char text[64];
    house_begin_ready(&h, 1, NULL);
    struct house other = h;
    long long before = now_ms();
    house_start(&other, NULL);
    assert_int_equal(house_exit_status(&other), 78);
    assert_true(now_ms() - before < 3000);
    snprintf(text, sizeof text, "another poold uses this data directory (pid %d)", (int)h.poold);
    assert_true(house_logged(&h, text));
    close(house_connect(&h)); /* and the first one is not harmed */
    house_drain(&h);
    house_end(&h);
}

static void write_token(const struct house *h, char path[200], size_t length)
{
    snprintf(path, 200, "%s/token", h->dir);
    FILE *file = fopen(path, "we");
    for (size_t i = 0; i < length; i++)
        fputc('t', file);
    fputc('\n', file);
    fclose(file);
}

static int refusal(struct house *h, const char *listen, const char *token)
{
    house_start(h, (const char *[]){listen, token, NULL});
    return house_exit_status(h);
}

static void beyond_loopback_only_with_a_token(void **state)
{
    (void)state;
    struct house h;
    char path[200], option[220];
    house_make(&h);
    assert_int_equal(refusal(&h, "--listen=0.0.0.0:0", NULL), 78);
    assert_true(house_logged(&h, "needs --token-file"));
    assert_int_equal(refusal(&h, "--listen=[::]:0", NULL), 78);
    assert_int_equal(refusal(&h, "--listen=0.0.0.0:0", "--token-file=/nonexistent"), 78);
    assert_true(house_logged(&h, "--token-file /nonexistent: No such file"));
    write_token(&h, path, 31); /* the server judges what is in it */
    snprintf(option, sizeof option, "--token-file=%s", path);
    house_start(&h, (const char *[]){"--listen=0.0.0.0:0", option, NULL});
    house_await_server(&h);
    house_end(&h);
}

static void works_as_pid_1(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct house h;
    house_make(&h);
    h.contained = true;
    house_mode(&h, "orphan");
    house_start(&h, (const char *[]){"--processes=2", NULL});
    if (!house_server_came(&h, 5000)) {
        int status = house_exit_status(&h);
        house_end(&h);
        if (status == 125)
            skip(); /* no namespaces here */
        fail_msg("status %d", status);
    }
    house_make_ready(&h, 2);
    house_await_processes(&h, 'Z', 0);
    pid_t inner = procs_role(h.mark, ROLE_SUPERVISOR, 0);
    kill(inner, SIGTERM);
    house_await(&h, "drain");
    house_tell(&h, "exit 0");
    assert_int_equal(house_exit_status(&h), 0);
    house_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_serves_and_drains),
        cmocka_unit_test(server_comes_back_on_the_same_socket),
        cmocka_unit_test(server_that_closes_its_channel_is_waited_for),
        cmocka_unit_test(nonsense_costs_the_server_its_life),
        cmocka_unit_test(storage_error_means_read_only),
        cmocka_unit_test(server_that_cannot_start_backs_off),
        cmocka_unit_test(server_that_gives_up_ends_all),
        cmocka_unit_test(bad_configuration_later_is_waited_out),
        cmocka_unit_test(second_signal_is_immediate),
        cmocka_unit_test(drain_that_hangs_is_ended),
        cmocka_unit_test(crash_while_draining_is_no_clean_end),
        cmocka_unit_test(signal_before_ready_ends_too),
        cmocka_unit_test(nothing_outlives_the_supervisor),
        cmocka_unit_test(second_poold_is_refused),
        cmocka_unit_test(beyond_loopback_only_with_a_token),
        cmocka_unit_test(works_as_pid_1),
    };
    return cmocka_run_group_tests_name("supervisor process", tests, NULL, NULL);
}
