/* The supervisor's policy without processes: back-off, slots, and what follows from the server's death. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "supervisor/backoff.h"
#include "supervisor/process.h"
#include "supervisor/slots.h"

#define MS NS_PER_MS
#define S NS_PER_S

/* ---- back-off ---- */

static void backoff_doubles_up_to_the_most(void **state)
{
    (void)state;
    struct backoff b = {0};
    int64_t now = 5 * S, expected = 100 * MS;
    assert_int_equal(backoff_left(&b, now), 0);
    for (int i = 0; i < 12; i++) {
        backoff_failed(&b, now);
        assert_int_equal(backoff_left(&b, now), expected);
        assert_int_equal(backoff_left(&b, now + expected - 1), 1);
        now += expected;
        assert_int_equal(backoff_left(&b, now), 0);
        expected = expected * 2 < 30 * S ? expected * 2 : 30 * S;
    }
    assert_int_equal(expected, 30 * S);
}

static void backoff_counts_a_round_once(void **state)
{
    (void)state;
    struct backoff b = {0};
    for (int i = 0; i < 8; i++)
        backoff_failed(&b, S + i * MS);
    assert_int_equal(b.wait_ns, 100 * MS);
    assert_int_equal(b.until_ns, S + 100 * MS);
}

static void backoff_forgets_with_success(void **state)
{
    (void)state;
    struct backoff b = {0};
    backoff_failed(&b, S);
    backoff_failed(&b, 2 * S);
    backoff_worked(&b);
    assert_int_equal(backoff_left(&b, 2 * S), 0);
    backoff_failed(&b, 3 * S);
    assert_int_equal(backoff_left(&b, 3 * S), 100 * MS);
}

/* ---- slots: the table ---- */

/* Which events each state allows, and nothing else. */
static void slots_allow_exactly_this(void **state)
{
    (void)state;
    static const char *const allowed[SLOT_STATES] = {
        /* in the order of enum slot_event: Spawn Hello sTop Kill Exit */
        [SLOT_EMPTY] = "S....",    [SLOT_STARTING] = ".HTKE", [SLOT_READY] = "..TKE",
        [SLOT_STOPPING] = ".HTKE", [SLOT_KILLED] = ".HT.E",
    };
    for (int s = 0; s < SLOT_STATES; s++)
        for (int e = 0; e < SLOT_EVENTS; e++)
            assert_int_equal(slot_allows((enum slot_state)s, (enum slot_event)e), allowed[s][e] != '.');
}

struct fixture {
    struct slots slots;
    struct slot *slot;
};

static int make_slots(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    slots_resize(&f->slots, 2);
    f->slot = slots_free_pool(&f->slots);
    slots_spawned(&f->slots, f->slot, 100, 10 * S);
    *state = f;
    return 0;
}

static int free_slots(void **state)
{
    free(*state);
    return 0;
}

static void slot_lives_and_dies(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->slot->state, SLOT_STARTING);
    assert_int_equal(f->slot->generation, 1);
    assert_int_equal(slots_deadline(&f->slots), 10 * S);
    slots_hello(&f->slots, f->slot);
    assert_int_equal(f->slot->state, SLOT_READY);
    assert_int_equal(slots_deadline(&f->slots), 0);
    assert_null(slots_due(&f->slots, 1000 * S));
    assert_int_equal(slots_alive(&f->slots), 1);
    assert_ptr_equal(slots_find(&f->slots, 100), f->slot);
    struct slot was = slots_exited(&f->slots, f->slot);
    assert_int_equal(was.generation, 1);
    assert_int_equal(was.cause, STOP_NONE);
    assert_false(slot_failed_early(&was));
    assert_int_equal(slots_alive(&f->slots), 0);
    assert_null(slots_find(&f->slots, 100));
}

static void slot_generation_grows(void **state)
{
    struct fixture *f = *state;
    for (uint32_t g = 1; g < 5; g++) {
        assert_int_equal(f->slot->generation, g);
        slots_exited(&f->slots, f->slot);
        assert_ptr_equal(slots_free_pool(&f->slots), f->slot);
        slots_spawned(&f->slots, f->slot, 100, S);
    }
}

static void slot_without_hello_is_killed(void **state)
{
    struct fixture *f = *state;
    assert_null(slots_due(&f->slots, 10 * S - 1));
    assert_ptr_equal(slots_due(&f->slots, 10 * S), f->slot);
    assert_int_equal(f->slot->state, SLOT_KILLED);
    assert_null(slots_due(&f->slots, 10 * S));
    struct slot was = slots_exited(&f->slots, f->slot);
    assert_int_equal(was.cause, STOP_HELLO);
    assert_true(slot_failed_early(&was));
}

static void stop_is_term_then_kill(void **state)
{
    struct fixture *f = *state;
    slots_hello(&f->slots, f->slot);
    assert_int_equal(slots_stop(&f->slots, f->slot, STOP_TIMEOUT, 2 * S, S), SIGTERM);
    assert_int_equal(f->slot->state, SLOT_STOPPING);
    assert_int_equal(slots_deadline(&f->slots), 3 * S);
    assert_int_equal(slots_stop(&f->slots, f->slot, STOP_CANCEL, 5 * S, S), 0); /* later than it was: no */
    assert_int_equal(slots_deadline(&f->slots), 3 * S);
    assert_int_equal(slots_stop(&f->slots, f->slot, STOP_SHUTDOWN, 500 * MS, S), 0); /* sooner: yes */
    assert_int_equal(slots_deadline(&f->slots), 1500 * MS);
    assert_ptr_equal(slots_due(&f->slots, 1500 * MS), f->slot);
    assert_int_equal(slots_stop(&f->slots, f->slot, STOP_SHUTDOWN, 0, 2 * S), 0); /* has had it */
    struct slot was = slots_exited(&f->slots, f->slot);
    assert_int_equal(was.cause, STOP_TIMEOUT); /* the first cause stays */
}

static void stop_without_grace_is_kill(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(slots_stop(&f->slots, f->slot, STOP_CANCEL, 0, S), SIGKILL);
    assert_int_equal(f->slot->state, SLOT_KILLED);
    assert_int_equal(slots_deadline(&f->slots), 0);
}

static void stop_ends_in_kill_from_stopping(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(slots_stop(&f->slots, f->slot, STOP_CANCEL, S, S), SIGTERM);
    assert_int_equal(slots_stop(&f->slots, f->slot, STOP_SHUTDOWN, 0, S), SIGKILL);
    assert_int_equal(f->slot->cause, STOP_CANCEL);
}

static void hello_may_cross_a_stop(void **state)
{
    struct fixture *f = *state;
    slots_stop(&f->slots, f->slot, STOP_CANCEL, S, S);
    slots_hello(&f->slots, f->slot);
    assert_int_equal(f->slot->state, SLOT_STOPPING);
    assert_int_equal(slots_deadline(&f->slots), 2 * S); /* still to be killed */
    assert_ptr_equal(slots_due(&f->slots, 2 * S), f->slot);
    struct slot was = slots_exited(&f->slots, f->slot);
    assert_int_equal(was.cause, STOP_CANCEL); /* not STOP_HELLO */
}

static void stale_messages_are_counted(void **state)
{
    struct fixture *f = *state;
    assert_ptr_equal(slots_current(&f->slots, 0, 1), f->slot);
    assert_null(slots_current(&f->slots, 0, 2));
    assert_null(slots_current(&f->slots, 1, 0)); /* empty, never used */
    assert_null(slots_current(&f->slots, WORKERS_MAX, 1));
    assert_null(slots_current(&f->slots, UINT32_MAX, 1));
    slots_exited(&f->slots, f->slot);
    assert_null(slots_current(&f->slots, 0, 1)); /* gone */
    assert_int_equal(f->slots.stale, 5);
    slots_spawned(&f->slots, f->slot, 101, S);
    slots_hello(&f->slots, f->slot);
    slots_hello(&f->slots, f->slot); /* twice */
    assert_int_equal(f->slots.stale, 6);
    assert_int_equal(f->slot->state, SLOT_READY);
}

static void early_failure_is_only_its_own_fault(void **state)
{
    (void)state;
    static const bool early[STOP_CAUSES] = {[STOP_NONE] = true, [STOP_HELLO] = true, [STOP_PROTOCOL] = true};
    for (int cause = 0; cause < STOP_CAUSES; cause++) {
        struct slot was = {.cause = (enum stop_cause)cause};
        assert_int_equal(slot_failed_early(&was), early[cause]);
        was.said_hello = true;
        assert_false(slot_failed_early(&was));
    }
}

static void fill(struct slots *slots, struct slot *(*free_one)(struct slots *), unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        slots_spawned(slots, free_one(slots), (pid_t)(1000 + i), S);
}

static void pool_and_extras_share_the_table(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(slots_index(&f->slots, slots_free_pool(&f->slots)), 1);
    assert_int_equal(slots_index(&f->slots, slots_free_extra(&f->slots)), WORKERS_MAX - 1);
    fill(&f->slots, slots_free_pool, 1);
    assert_null(slots_free_pool(&f->slots));
    fill(&f->slots, slots_free_extra, WORKERS_MAX - 2);
    assert_null(slots_free_extra(&f->slots));
    assert_int_equal(slots_alive(&f->slots), WORKERS_MAX);
    slots_resize(&f->slots, 3); /* slot 2 is an extra's until that exits */
    assert_null(slots_free_pool(&f->slots));
    slots_exited(&f->slots, &f->slots.at[2]);
    assert_int_equal(slots_index(&f->slots, slots_free_pool(&f->slots)), 2);
}

static void size_is_held_in_bounds(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(slots_resize(&f->slots, 0), 1);
    assert_int_equal(slots_resize(&f->slots, 7), 7);
    assert_int_equal(slots_resize(&f->slots, UINT32_MAX), PROCESSES_MAX);
}

static void shrinking_respawns_nothing_above(void **state)
{
    struct fixture *f = *state;
    fill(&f->slots, slots_free_pool, 1);
    slots_resize(&f->slots, 1);
    slots_exited(&f->slots, &f->slots.at[1]);
    assert_null(slots_free_pool(&f->slots));
}

/* ---- the server ---- */

static void server_allows_exactly_this(void **state)
{
    (void)state;
    static const char *const allowed[SERVER_STATES] = {
        /* in the order of enum server_event: Spawn Up Ready Drain Leave Kill Exit */
        [SERVER_DOWN] = "S......",   [SERVER_STARTING] = ".U..LKE", [SERVER_UP] = "..RDLKE",
        [SERVER_READY] = "...DLKE",  [SERVER_DRAINING] = "..R.LKE", [SERVER_LEAVING] = ".....KE",
        [SERVER_KILLED] = "......E",
    };
    for (int s = 0; s < SERVER_STATES; s++)
        for (int e = 0; e < SERVER_EVENTS; e++)
            assert_int_equal(server_allows((enum server_state)s, (enum server_event)e), allowed[s][e] != '.');
}

static void server_deaths_are_judged(void **state)
{
    (void)state;
    static const struct {
        bool was_ready, announced, read_only;
        int signal, exit_code;
        enum server_verdict verdict;
    } cases[] = {
        {false, false, false, 0, 0, SERVER_GIVE_UP},
        {false, false, false, 0, 78, SERVER_GIVE_UP},
        {false, false, true, 0, 78, SERVER_GIVE_UP},
        {true, true, false, 0, 0, SERVER_RESTART},
        {false, true, false, 0, 0, SERVER_GIVE_UP},
        {false, true, false, 0, 78, SERVER_RESTART}, /* a manifest went bad while the last one served */
        {true, true, false, 0, 78, SERVER_RESTART},
        {false, false, false, 0, 1, SERVER_RESTART},
        {false, false, false, SIGSEGV, 0, SERVER_RESTART}, /* not an exit with 0 */
        {true, true, false, SIGKILL, 0, SERVER_RESTART},
        {true, true, false, 0, 74, SERVER_RESTART_READ_ONLY},
        {false, false, false, 0, 74, SERVER_RESTART_READ_ONLY},
        {true, true, true, 0, 74, SERVER_RESTART},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server server = {
            .was_ready = cases[i].was_ready, .announced = cases[i].announced, .read_only = cases[i].read_only};
        struct corpse corpse = {.pid = 7, .signal = cases[i].signal, .exit_code = cases[i].exit_code};
        assert_int_equal(server_judge(&server, &corpse), cases[i].verdict);
    }
}

#define WITH_SLOTS(test) cmocka_unit_test_setup_teardown(test, make_slots, free_slots)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backoff_doubles_up_to_the_most),
        cmocka_unit_test(backoff_counts_a_round_once),
        cmocka_unit_test(backoff_forgets_with_success),
        cmocka_unit_test(slots_allow_exactly_this),
        WITH_SLOTS(slot_lives_and_dies),
        WITH_SLOTS(slot_generation_grows),
        WITH_SLOTS(slot_without_hello_is_killed),
        WITH_SLOTS(stop_is_term_then_kill),
        WITH_SLOTS(stop_without_grace_is_kill),
        WITH_SLOTS(stop_ends_in_kill_from_stopping),
        WITH_SLOTS(hello_may_cross_a_stop),
        WITH_SLOTS(stale_messages_are_counted),
        cmocka_unit_test(early_failure_is_only_its_own_fault),
        WITH_SLOTS(pool_and_extras_share_the_table),
        WITH_SLOTS(size_is_held_in_bounds),
        WITH_SLOTS(shrinking_respawns_nothing_above),
        cmocka_unit_test(server_allows_exactly_this),
        cmocka_unit_test(server_deaths_are_judged),
    };
    return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}
