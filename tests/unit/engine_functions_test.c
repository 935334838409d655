/* engine_functions_test: definitions, probes, gates and reloads in the engine's core, in simulated time. */
#include "engine_sim.h"

#include <signal.h>

#include "engine/lines.h"

static struct sim sim;

#define EXEC "{\"name\":\"wc\",\"command\":[\"wc\"]}"
#define IMAGES "{\"name\":\"images\",\"runtime\":\"python\",\"module\":\"images\"}"

static int open_sim(void **state)
{
    (void)state;
    sim_open(&sim, 1, 4);
    return 0;
}

static int close_sim(void **state)
{
    (void)state;
    sim_close(&sim);
    return 0;
}

static void bring(const char *manifest)
{
    sim_functions(&sim, &manifest, manifest ? 1 : 0);
}

static void bring2(const char *one, const char *two)
{
    sim_functions(&sim, (const char *const[]){one, two}, 2);
}

static void load_as(struct sim_load *load)
{
    sim.function_loads = load;
    sim.function_load_count = 1;
}

static struct sim_ask *call(const char *function, uint32_t count, int ms)
{
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, count, 100, NULL, ms), JOB_MAP);
    strcpy(ask->r.submit.function, function);
    return ask;
}

static int64_t accepted(const char *function, uint32_t count, int ms)
{
    return sim_accept(&sim, call(function, count, ms));
}

static enum engine_status status_of(const char *function)
{
    struct sim_ask *ask = call(function, 1, 0);
    sim_send(ask);
    sim_wait(&sim, ask, 1000);
    return ask->r.status;
}

static struct job_view view_of(int64_t seq)
{
    struct sim_ask *ask = sim_ask(&sim, ASK_JOB, seq);
    sim_send(ask);
    assert_int_equal(ask->r.status, ENGINE_OK);
    return ask->r.view;
}

static void expect_line(int64_t seq, uint32_t index, const char *part)
{
    char *line = sim_line(&sim, seq, index);
    if (!strstr(line, part))
        fail_msg("item %u: %s, not %s", index, line, part);
    free(line);
}

static void expect_listed(const char *part, bool yes)
{
    char *list = sim_catalog(&sim);
    assert_non_null(list);
    if ((strstr(list, part) != NULL) != yes)
        fail_msg("%s is %sin %s", part, yes ? "not " : "", list);
    free(list);
}

static unsigned busy_with(const char *function)
{
    unsigned busy = 0;
    for (unsigned slot = 0; slot < SIM_SLOTS; slot++)
        busy += sim.workers[slot].state == SIM_BUSY && strcmp(sim.workers[slot].run.function, function) == 0;
    return busy;
}

static void settle(void)
{
    for (int ms = 0; ms < 2000 && !core_functions_settled(&sim.core); ms++)
        sim_step(&sim);
    assert_true(core_functions_settled(&sim.core));
}

/* ---- what can be called ---- */

static void an_exec_is_there_at_once(void **state)
{
    (void)state;
    bring(
        "{\"name\":\"wc\",\"command\":[\"wc\"],\"summary\":\"counts\",\"example\":\"a b\",\"concurrency\":3,"
        "\"defaults\":{\"timeout\":1.5},\"ceilings\":{\"timeout\":60},\"limits\":{\"memory\":\"1M\",\"output\":1000}}");
    int64_t seq = accepted("wc", 3, 30);
    sim_run(&sim, 10);
    const struct message_run *run = &sim.workers[0].run;
    assert_true(run->definition > 0);
    assert_string_equal(run->function, "wc");
    assert_int_equal(run->value_max, 1000);
    assert_int_equal(run->timeout_ns, 1500 * NS_PER_MS);
    assert_int_equal(sim_end(&sim, seq, 1000).state, JOB_SUCCEEDED);
    assert_int_equal(sim.probes, 0);
    expect_listed("{\"name\":\"f\",\"state\":\"ready\",\"problem\":null,\"defaults\":{},", true);
    expect_listed("{\"name\":\"wc\",\"kind\":\"exec\",\"summary\":\"counts\",\"example\":\"a b\",\"test\":false,"
                  "\"state\":\"ready\",\"problem\":null,\"defaults\":{\"timeout\":1.500},\"ceilings\":{\"timeout\":60},"
                  "\"limits\":{\"memory\":1048576,\"output\":1000},\"concurrency\":3}",
                  true);
    assert_int_equal(status_of("wc.x"), ENGINE_NO_FUNCTION);
    assert_int_equal(status_of("nothing"), ENGINE_NO_FUNCTION);
}

static void a_runtime_tells_its_functions(void **state)
{
    (void)state;
    static struct sim_load load = {
        "images", LOAD_FINE,
        "[{\"name\":\"thumb\",\"summary\":\"makes \\\"one\\\"\",\"example\":[5]},\"images\",\"no way\",7,"
        "{\"name\":\"a.b\"},{\"name\":\"thumb\"},{\"name\":\"\"},{\"summary\":\"none\"},"
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]",
        300};
    load_as(&load);
    bring(IMAGES);
    while (!sim.core.builtins)
        sim_step(&sim);
    assert_false(core_functions_settled(&sim.core));
    expect_listed("{\"name\":\"images\",\"kind\":\"runtime\",\"summary\":null,\"example\":null,\"test\":false,"
                  "\"state\":\"loading\",\"problem\":null,",
                  true);
    settle();
    assert_int_equal(sim.probes, 1);
    expect_listed("{\"name\":\"images.thumb\",\"kind\":\"runtime\",\"summary\":\"makes \\\"one\\\"\",\"example\":[5],",
                  true);
    expect_listed("\"language\":\"python\"", true);
    expect_listed("{\"name\":\"images\",", true);
    expect_listed("no way", false);
    expect_listed("a.b", false);
    expect_listed("aaaa", false);
    assert_int_equal(status_of("images.no"), ENGINE_NO_FUNCTION);
    assert_int_equal(sim_end(&sim, accepted("images", 5, 0), 1000).state, JOB_SUCCEEDED);
    int64_t seq = accepted("images.thumb", 1, 100);
    sim_run(&sim, 10);
    assert_int_equal(busy_with("thumb"), 1);
    assert_int_equal(sim_end(&sim, seq, 1000).state, JOB_SUCCEEDED);
}

static void offers_may_be_anything(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "[",    "[]x",     "{}", "7", "[]", "[{}]", "[\"\\u0041\"]",
                                      "[\"x\"", "null", "[7,null]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sim_load load = {"images", LOAD_FINE, bad[i], 0};
        load_as(&load);
        bring(NULL);
        bring(IMAGES);
        settle();
        expect_listed("{\"name\":\"images\",\"kind\":\"runtime\",\"summary\":null,\"example\":null,\"test\":false,"
                      "\"state\":\"broken\",\"problem\":\"it",
                      true);
    }
    struct buf many = BUF_EMPTY;
    for (int i = 0; i < 3000; i++)
        buf_printf(&many, "%c\"f%d\"", i ? ',' : '[', i);
    buf_append_text(&many, "]");
    struct sim_load load = {"images", LOAD_FINE, buf_cstr(&many), 0};
    load_as(&load);
    bring(NULL);
    bring(IMAGES);
    settle();
    expect_listed("\"images.f1023\"", true);
    expect_listed("\"images.f1024\"", false);
    buf_free(&many);
}

static void a_manifest_hides_a_builtin_function(void **state)
{
    (void)state;
    bring("{\"name\":\"f\",\"command\":[\"f\"]}");
    int64_t seq = accepted("f", 1, 0);
    sim_end(&sim, seq, 1000);
    assert_true(sim.starts[0].definition > 0);
    expect_listed("{\"name\":\"f\",\"state\"", false);
    bring(NULL);
    sim_end(&sim, accepted("f", 1, 0), 1000);
    assert_int_equal(sim.starts[1].definition, 0);
    expect_listed("{\"name\":\"f\",\"state\"", true);
}

static void rules_of_the_manifest_hold(void **state)
{
    (void)state;
    bring("{\"name\":\"wc\",\"command\":[\"wc\"],\"defaults\":{\"max_attempts\":3,\"priority\":2},"
          "\"ceilings\":{\"timeout\":60,\"priority\":6}}");
    struct sim_ask *ask = call("wc", 1, 0);
    ask->r.submit.asked = OPTION_TIMEOUT;
    ask->r.submit.options.timeout_ms = 61000;
    sim_run(&sim, 20);
    sim_send(ask);
    assert_int_equal(ask->r.status, ENGINE_OVER_CEILING);
    assert_non_null(strstr(ask->r.submit.problem, "timeout"));
    ask = call("wc", 1, 0);
    ask->r.submit.asked = OPTION_PRIORITY;
    ask->r.submit.options.priority = 6;
    struct job_view view = sim_stored(&sim, sim_accept(&sim, ask));
    assert_int_equal(view.options.timeout_ms, 60000);
    assert_int_equal(view.options.priority, 6);
    assert_int_equal(view.options.max_attempts, 3);
}

/* ---- loading, broken, better ---- */

static void jobs_wait_while_it_loads(void **state)
{
    (void)state;
    static struct sim_load load = {"images", LOAD_FINE, "[\"thumb\"]", 500};
    load_as(&load);
    bring(IMAGES);
    sim_run(&sim, 50);
    int64_t good = accepted("images.thumb", 5, 0), none = accepted("images.none", 5, 0), other = accepted("f", 5, 0);
    assert_int_equal(sim_end(&sim, other, 100).state, JOB_SUCCEEDED); /* nobody else waits */
    assert_string_equal(view_of(good).waiting_for, "images is being loaded");
    assert_int_equal(sim_end(&sim, good, 700).state, JOB_SUCCEEDED);
    assert_int_equal(sim_end(&sim, none, 100).state, JOB_FAILED);
    expect_line(none, 4, "\"type\":\"error\",\"message\":\"images has no function none\"");
    assert_string_equal(sim_stored(&sim, good).waiting_for, "");
}

static void what_cannot_start_fails_its_items(void **state)
{
    (void)state;
    static struct sim_load load = {"images", LOAD_REFUSED, "images: ModuleNotFoundError: no module\nnamed images", 0};
    load_as(&load);
    load.how = LOAD_REFUSED;
    bring(IMAGES);
    sim_run(&sim, 30);
    settle();
    expect_listed("\"state\":\"broken\",\"problem\":\"ModuleNotFoundError: no module named images\"", true);
    int64_t seq = accepted("images.thumb", 3000, 0);
    struct sim_ask *apply = sim_submission(&sim, sim_items(0, 1, 1, NULL, 0), JOB_APPLY);
    apply->r.submit.wait = true;
    apply->r.deadline_ns = sim.now + 1000 * NS_PER_MS;
    sim_send(apply);
    sim_wait(&sim, apply, 15);
    assert_int_equal(sim_end(&sim, seq, 200).state, JOB_FAILED);
    sim_check_results(&sim, seq);
    expect_line(seq, 2999, "\"message\":\"images could not be started: ModuleNotFoundError: no module named images\"");
    assert_int_equal(sim_attempts(&sim, seq, 7, FAILURE_ERROR), 1);
    struct sim_ask *ask = call("images.thumb", 2, 0);
    ask->r.submit.options.max_attempts = 10;
    ask->r.submit.options.backoff_ms = 500;
    seq = sim_accept(&sim, ask);
    sim_run(&sim, 700);
    load.how = LOAD_FINE;
    load.offers = "[\"thumb\"]";
    assert_int_equal(sim_end(&sim, seq, 9000).state, JOB_SUCCEEDED);
    assert_true(sim_attempts(&sim, seq, 0, FAILURE_ERROR) >= 2);
    expect_listed("\"state\":\"broken\"", false);
}

static void fail_fast_fails_once(void **state)
{
    (void)state;
    static struct sim_load load = {"images", LOAD_REFUSED, "no", 0};
    load_as(&load);
    bring(IMAGES);
    settle();
    struct sim_ask *ask = call("images.thumb", 50, 0);
    ask->r.submit.options.fail_fast = true;
    struct job_view view = sim_end(&sim, sim_accept(&sim, ask), 300);
    assert_int_equal(view.counts.failed, 1);
    assert_int_equal(view.counts.cancelled, 49);
    sim_check_results(&sim, ask->r.seq);
}

static void probes_back_off(void **state)
{
    (void)state;
    static struct sim_load load = {"images", LOAD_CRASH, "", 3};
    load_as(&load);
    bring(IMAGES);
    settle();
    expect_listed("\"problem\":\"killed by SIGSEGV while it was being loaded\"", true);
    sim_run(&sim, 120000);
    assert_in_range(sim.probes, 6, 9); /* 1 2 4 8 16 32 60 */
    sim_run(&sim, 600000);
    assert_in_range(sim.probes, 14, 20);
    assert_int_equal(sim_end(&sim, accepted("f", 100, 1), 1000).state, JOB_SUCCEEDED);
}

static void what_hangs_is_stopped(void **state)
{
    (void)state;
    static struct sim_load load = {"images", LOAD_HANG, "", 0};
    load_as(&load);
    bring("{\"name\":\"images\",\"runtime\":\"python\",\"module\":\"images\",\"start_timeout\":2}");
    sim_run(&sim, 100);
    int64_t began = sim.now, seq = accepted("images.thumb", 1, 0);
    assert_int_equal(sim_end(&sim, accepted("f", 20, 1), 1000).state, JOB_SUCCEEDED); /* one worker less, that is all */
    assert_int_equal(sim_end(&sim, seq, 20000).state, JOB_FAILED);
    expect_line(seq, 0, "images could not be started: it did not start within 2 s");
    assert_in_range((sim.now - began) / NS_PER_MS, 6900, 7500);
}

/* It was fine once; then a worker cannot start it. Jobs are held, not failed, and starts do not spin. */
static void a_later_failure_makes_it_doubtful(void **state)
{
    (void)state;
    static struct sim_load load = {"images", LOAD_FINE, "[\"thumb\"]", 0};
    load_as(&load);
    bring(IMAGES);
    settle();
    struct message_offer offer = {.definition = sim.core.last_definition};
    core_worker_offer(&sim.core, 0, sim.workers[0].generation, &offer, "out of memory", 13);
    expect_listed("\"state\":\"broken\",\"problem\":\"out of memory\"", true);
    int64_t seq = accepted("images.thumb", 1, 0), began = sim.now;
    assert_int_equal(sim_end(&sim, seq, 3000).state, JOB_SUCCEEDED);
    assert_in_range((sim.now - began) / NS_PER_MS, 900, 2100);
    assert_int_equal(sim.probes, 2);
    expect_listed("out of memory", false);
}

static void a_probing_worker_may_be_killed(void **state)
{
    (void)state;
    static struct sim_load load = {"images", LOAD_FINE, "[\"thumb\"]", 100};
    load_as(&load);
    bring(IMAGES);
    sim_run(&sim, 40);
    for (unsigned slot = 0; slot < 4; slot++) {
        if (sim.workers[slot].state == SIM_PROBING)
            sim_kill_worker(&sim, slot);
    }
    sim_run(&sim, 5);
    expect_listed("\"problem\":\"killed by SIGKILL while it was being loaded\"", true);
    sim_run(&sim, 2500);
    expect_listed("{\"name\":\"images.thumb\"", true);
}

/* ---- reload ---- */

static void a_reload_renews_what_is_loaded_and_what_changed(void **state)
{
    (void)state;
    bring2(EXEC, IMAGES);
    settle();
    uint32_t before = sim.core.last_definition;
    int64_t running = accepted("wc", 4, 200);
    sim_run(&sim, 30);
    uint32_t old = sim.workers[0].run.definition;
    bring2("{\"name\":\"wc\",\"command\":[\"wc\",\"-w\"]}", IMAGES);
    assert_int_equal(sim.core.last_definition, before + 2); /* the code of images may have changed */
    int64_t next = accepted("wc", 1, 0);
    assert_int_equal(sim_end(&sim, running, 2000).state, JOB_SUCCEEDED);
    assert_int_equal(sim_end(&sim, next, 2000).state, JOB_SUCCEEDED);
    assert_int_equal(sim.starts[0].definition, old);
    assert_in_range(sim.starts[sim.start_count - 1].definition, before + 1, before + 2);
    assert_int_equal(sim.probes, 2);
    bring2("{\"name\":\"wc\",\"command\":[\"wc\",\"-w\"]}",
           "{\"name\":\"images\",\"runtime\":\"python\",\"module\":\"images\",\"concurrency\":1}");
    expect_listed("{\"name\":\"images.x\",\"kind\":\"runtime\",\"summary\":null,\"example\":null,\"test\":false,"
                  "\"state\":\"loading\"",
                  true);
    assert_int_equal(sim.core.last_definition, before + 3); /* wc is as it was */
    sim_run(&sim, 50);
    assert_int_equal(sim.probes, 3);
    expect_listed("loading", false);
}

static void a_reload_while_it_is_probed(void **state)
{
    (void)state;
    static struct sim_load load = {"images", LOAD_FINE, "[\"old\"]", 300};
    load_as(&load);
    bring(IMAGES);
    sim_run(&sim, 100);
    assert_int_equal(sim.probes, 1);
    bring("{\"name\":\"images\",\"runtime\":\"python\",\"module\":\"other\"}");
    sim_run(&sim, 100);
    load.offers = "[\"new\"]";
    settle();
    assert_int_equal(sim.probes, 2);
    sim_run(&sim, 300);
    expect_listed("images.new", true);
}

static void what_is_gone_makes_jobs_wait(void **state)
{
    (void)state;
    bring2(EXEC, IMAGES);
    settle();
    int64_t exec = accepted("wc", 60, 20), thumb = accepted("images.x", 60, 20);
    sim_run(&sim, 60);
    bring(NULL);
    sim_run(&sim, 500);
    assert_string_equal(view_of(exec).waiting_for, "function wc is not defined now");
    assert_string_equal(view_of(thumb).waiting_for, "function images.x is not defined now");
    assert_int_equal(status_of("wc"), ENGINE_NO_FUNCTION);
    expect_listed("wc", false);
    assert_int_equal(busy_with("wc") + busy_with("x"), 0);
    sim_restart(&sim);
    sim_run(&sim, 100);
    assert_string_equal(view_of(thumb).waiting_for, "function images.x is not defined now");
    bring2(EXEC, IMAGES);
    assert_int_equal(sim_end(&sim, exec, 3000).state, JOB_SUCCEEDED);
    assert_int_equal(sim_end(&sim, thumb, 3000).state, JOB_SUCCEEDED);
    assert_int_equal(sim_stored(&sim, exec).counts.succeeded, 60);
    int64_t cancelled = accepted("wc", 5, 500);
    bring(NULL);
    struct sim_ask *cancel = sim_ask(&sim, ASK_CANCEL, cancelled);
    sim_send(cancel);
    assert_int_equal(sim_end(&sim, cancelled, 3000).state, JOB_CANCELLED);
}

static void a_refused_reload_is_told(void **state)
{
    (void)state;
    bring(EXEC);
    core_functions_refused(&sim.core, "x.json:1: bad");
    sim_run(&sim, 20);
    struct sim_ask *pool = sim_ask(&sim, ASK_POOL, 0);
    sim_send(pool);
    assert_string_equal(pool->r.pool.pool->functions_problem, "x.json:1: bad");
    bring(EXEC);
    pool = sim_ask(&sim, ASK_POOL, 0);
    sim_send(pool);
    assert_string_equal(pool->r.pool.pool->functions_problem, "");
}

/* ---- dispatch ---- */

static void concurrency_holds_for_all_jobs_together(void **state)
{
    (void)state;
    bring("{\"name\":\"wc\",\"command\":[\"wc\"],\"concurrency\":2}");
    struct sim_ask *isolated = call("wc", 6, 10);
    isolated->r.submit.options.isolation = ISOLATION_PROCESS;
    int64_t seqs[] = {accepted("wc", 20, 10), accepted("wc", 20, 10), sim_accept(&sim, isolated),
                      accepted("f", 40, 10)};
    unsigned most = 0, others = 0;
    for (int ms = 0; ms < 150; ms++) {
        sim_step(&sim);
        unsigned busy = busy_with("wc");
        most = busy > most ? busy : most;
        others = busy_with("f") > others ? busy_with("f") : others;
    }
    assert_int_equal(most, 2);
    assert_true(others >= 2);
    for (int i = 0; i < 4; i++)
        assert_int_equal(sim_end(&sim, seqs[i], 3000).state, JOB_SUCCEEDED);
    sim_run(&sim, 100);
    assert_int_equal(function_find(&sim.core, "wc")->running, 0);
    assert_true(TAILQ_EMPTY(&sim.core.gated));
}

static void jobs_of_a_full_function_take_turns(void **state)
{
    (void)state;
    bring("{\"name\":\"wc\",\"command\":[\"wc\"],\"concurrency\":1}");
    int64_t large = accepted("wc", 200, 10), small = accepted("wc", 3, 10);
    assert_int_equal(sim_end(&sim, small, 300).state, JOB_SUCCEEDED);
    assert_false(job_state_ended(sim_stored(&sim, large).state));
    struct sim_ask *cancel = sim_ask(&sim, ASK_CANCEL, large); /* whoever waits behind it gets its place */
    int64_t next = accepted("wc", 3, 10);
    sim_send(cancel);
    assert_int_equal(sim_end(&sim, next, 300).state, JOB_SUCCEEDED);
}

static void warm_workers_are_preferred(void **state)
{
    (void)state;
    bring2("{\"name\":\"a\",\"runtime\":\"python\",\"module\":\"a\"}",
           "{\"name\":\"b\",\"runtime\":\"node\",\"module\":\"b.js\"}");
    settle();
    for (int i = 0; i < 20; i++)
        sim_end(&sim, accepted(i % 2 ? "a.x" : "b.x", 1, 2), 1000);
    for (size_t i = 2; i < sim.start_count; i++)
        assert_int_equal(sim.starts[i].slot, sim.starts[i % 2].slot);
    assert_int_not_equal(sim.starts[0].slot, sim.starts[1].slot);
    for (int i = 0; i < 4; i++) /* what needs nothing warm keeps away from them */
        sim_end(&sim, accepted("f", 1, 2), 1000);
    for (size_t i = 20; i < sim.start_count; i++) {
        assert_int_not_equal(sim.starts[i].slot, sim.starts[0].slot);
        assert_int_not_equal(sim.starts[i].slot, sim.starts[1].slot);
    }
}

static void the_engines_timeout_is_a_backstop(void **state)
{
    (void)state;
    bring(EXEC);
    const char *items[] = {"[5,0]"};
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 1, 1, items, 0), JOB_MAP);
    strcpy(ask->r.submit.function, "wc");
    ask->r.submit.options.timeout_ms = 500;
    int64_t seq = sim_accept(&sim, ask), began = sim.now;
    sim_end(&sim, seq, 9000);
    expect_line(seq, 0, "\"type\":\"timeout\"");
    assert_in_range((sim.now - began) / NS_PER_MS, 2600, 2900); /* + kill_grace 0.1 s + 2 s (+ grace) */
}

/* ---- items ---- */

static struct scoreboard_slot *running_board(unsigned *slot)
{
    for (*slot = 0; *slot < SIM_SLOTS; (*slot)++) {
        if (sim.workers[*slot].state == SIM_BUSY)
            return scoreboard_slot(&sim.board, *slot);
    }
    fail_msg("nobody runs");
    return NULL;
}

static void a_verdict_explains_the_death(void **state)
{
    (void)state;
    unsigned slot;
    int64_t seq = accepted("f", 1, 1000);
    sim_run(&sim, 20);
    struct scoreboard_slot *board = running_board(&slot);
    atomic_store(&board->limit, 256 << 20);
    atomic_store(&board->peak, 300 << 20);
    atomic_store(&board->verdict, FAILURE_MEMORY);
    sim_kill_worker(&sim, slot);
    sim_end(&sim, seq, 1000);
    expect_line(seq, 0,
                "{\"type\":\"memory\",\"message\":\"used 300.0 MiB, its limit is 256.0 MiB\",\"signal\":\"SIGKILL\","
                "\"exit_code\":null,\"attempts\":1,\"limit\":268435456,\"peak\":314572800}");
    assert_int_equal(sim_attempts(&sim, seq, 0, FAILURE_MEMORY), 1);
    seq = accepted("f", 4, 100); /* it speaks of that item only */
    sim_run(&sim, 20);
    sim_kill_worker(&sim, slot);
    sim_end(&sim, seq, 2000);
    assert_int_equal(sim_attempts(&sim, seq, 0, FAILURE_MEMORY) + sim_attempts(&sim, seq, 1, FAILURE_MEMORY) +
                         sim_attempts(&sim, seq, 2, FAILURE_MEMORY) + sim_attempts(&sim, seq, 3, FAILURE_MEMORY),
                     0);
}

static void processor_time_is_a_timeout(void **state)
{
    (void)state;
    unsigned slot;
    bring("{\"name\":\"p\",\"plugin\":\"/tmp/p.so\",\"limits\":{\"cpu\":3}}");
    settle();
    struct sim_ask *ask = call("p.x", 1, 1000);
    ask->r.submit.options.isolation = ISOLATION_PROCESS;
    int64_t seq = sim_accept(&sim, ask);
    sim_run(&sim, 40);
    running_board(&slot);
    char pid[40];
    snprintf(pid, sizeof pid, "\"attempts\":1,\"pid\":%u}", 1000 + sim.workers[slot].generation);
    sim_kill_worker(&sim, slot);
    sim.workers[slot].gone.signal = SIGXCPU;
    sim_end(&sim, seq, 1000);
    expect_line(seq, 0, "{\"type\":\"timeout\",\"message\":\"used more than its 3 s of processor time\"");
    expect_line(seq, 0, pid);
}

/* A plugin is loaded by the worker itself, which may take longer than an item may; what it dies of then is told. */
static void loading_is_not_the_items_time(void **state)
{
    (void)state;
    unsigned slot;
    bring("{\"name\":\"p\",\"plugin\":\"/tmp/p.so\",\"start_timeout\":2}");
    settle();
    struct sim_ask *ask = call("p.x", 1, 0);
    ask->r.submit.options.timeout_ms = 200;
    ask->r.submit.options.processes = 1; /* or another worker would take it over meanwhile */
    int64_t seq = sim_accept(&sim, ask);
    struct scoreboard_slot *board = running_board(&slot);
    atomic_store(&board->loading, sim.core.last_definition);
    atomic_store(&board->generation, sim.workers[slot].generation);
    sim.workers[slot].at = sim.now + 30000 * NS_PER_MS;
    sim_run(&sim, 1500);
    assert_int_equal(sim.workers[slot].state, SIM_BUSY);
    board->loads[3] =
        (struct scoreboard_load){.definition = sim.core.last_definition, .reason = "its table is\ntoo large"};
    sim_kill_worker(&sim, slot);
    sim_end(&sim, seq, 1000);
    expect_line(seq, 0, "\"message\":\"p could not be started: its table is too large\"");
    board->loads[3].definition = 0;
    sim_run(&sim, 3000);
    ask = call("p.x", 1, 0); /* and when it never ends, it is stopped */
    ask->r.submit.options.processes = 1;
    seq = sim_accept(&sim, ask);
    board = running_board(&slot);
    atomic_store(&board->loading, sim.core.last_definition);
    atomic_store(&board->generation, sim.workers[slot].generation);
    sim.workers[slot].at = sim.now + 30000 * NS_PER_MS;
    sim_end(&sim, seq, 7500);
    expect_line(seq, 0, "\"message\":\"p could not be started: it did not start within 2 s\"");
}

static struct sim_ask *item(int64_t seq, uint32_t index)
{
    struct sim_ask *ask = sim_ask(&sim, ASK_ITEM, seq);
    ask->r.item.index = index;
    sim_send(ask);
    assert_int_equal(ask->r.status, ENGINE_OK);
    return ask;
}

static void progress_shows_while_it_runs(void **state)
{
    (void)state;
    unsigned slot;
    int64_t seq = accepted("f", 1, 300);
    sim_run(&sim, 20);
    running_board(&slot);
    struct message_progress progress = {.run = sim.workers[slot].run.run, .index = 0, .attempt = 1};
    static char large[PROGRESS_BYTES_MAX + 2];
    memset(large, '1', sizeof large - 1);
    const char *texts[] = {"0.5", "{\"done\":3}", "nonsense", large};
    for (int i = 0; i < 4; i++)
        core_worker_progress(&sim.core, slot, sim.workers[slot].generation, &progress, texts[i], strlen(texts[i]));
    progress.run++;
    core_worker_progress(&sim.core, slot, sim.workers[slot].generation, &progress, "1", 1);
    struct sim_ask *ask = item(seq, 0);
    assert_int_equal(ask->r.item.state, ITEM_RUNNING);
    assert_string_equal(ask->r.item.progress->data, "{\"done\":3}");
    sim_end(&sim, seq, 1000);
    assert_null(sim.core.workers[slot].progress);
}

/* A worker that has done its share leaves just when its next slice comes, each time. */
static void retiring_workers_cost_no_item_anything(void **state)
{
    (void)state;
    struct sim_ask *ask = call("f", 40, 5);
    ask->r.submit.options.chunksize = 1;
    int64_t seq = sim_accept(&sim, ask);
    bool retired[SIM_SLOTS] = {false};
    unsigned count = 0;
    for (int ms = 0; ms < 4000 && !job_state_ended(sim_stored(&sim, seq).state); ms++) {
        sim_step(&sim);
        for (unsigned slot = 0; slot < 4; slot++) {
            struct sim_worker *worker = &sim.workers[slot];
            bool fresh = atomic_load(&scoreboard_slot(&sim.board, slot)->run) != worker->run.run;
            if (worker->state == SIM_BUSY && fresh && sim.core.workers[slot].items_done > 0 && !retired[slot]) {
                worker->state = SIM_DYING;
                worker->gone = (struct message_worker_gone){0};
                worker->at = sim.now;
                count++;
            }
        }
    }
    assert_true(count > 5);
    assert_int_equal(sim_stored(&sim, seq).state, JOB_SUCCEEDED);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(sim_attempts(&sim, seq, i, FAILURE_INTERRUPTED), 0);
}

static void lines_may_tell_the_process(void **state)
{
    (void)state;
    static const struct {
        const char *rest;
        bool good;
    } cases[] = {
        {",\"pid\":12,\"exit_code\":0}\n", true},
        {",\"pid\":4194304,\"exit_code\":255}\n", true},
        {",\"pid\":12}\n", false},
        {",\"exit_code\":0}\n", false},
        {",\"exit_code\":0,\"pid\":12}\n", false},
        {",\"pid\":12,\"exit_code\":0,\"x\":1}\n", false},
        {",\"pid\":12,\"exit_code\":0 }\n", false},
        {",\"pid\":-1,\"exit_code\":0}\n", false},
        {",\"pid\":012,\"exit_code\":0}\n", false},
        {",\"pid\":,\"exit_code\":0}\n", false},
        {",\"pid\":12,\"exit_code\":1e3}\n", false},
        {",\"pid\":12,\"exit_code\":", false},
        {",\"pid\":12345678901,\"exit_code\":0}\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100];
        uint32_t failed;
        int length = snprintf(text, sizeof text, "{\"index\":7,\"value\":[1]%s", cases[i].rest);
        char *copy = malloc((size_t)length);
        memcpy(copy, text, (size_t)length);
        if (result_lines_check(copy, copy + length, 7, 1, &failed) != cases[i].good)
            fail_msg("%s", text);
        free(copy);
    }
}

#define RULE(f) cmocka_unit_test_setup_teardown(f, open_sim, close_sim)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RULE(an_exec_is_there_at_once),
        RULE(a_runtime_tells_its_functions),
        RULE(offers_may_be_anything),
        RULE(a_manifest_hides_a_builtin_function),
        RULE(rules_of_the_manifest_hold),
        RULE(jobs_wait_while_it_loads),
        RULE(what_cannot_start_fails_its_items),
        RULE(fail_fast_fails_once),
        RULE(probes_back_off),
        RULE(what_hangs_is_stopped),
        RULE(a_later_failure_makes_it_doubtful),
        RULE(a_probing_worker_may_be_killed),
        RULE(a_reload_renews_what_is_loaded_and_what_changed),
        RULE(a_reload_while_it_is_probed),
        RULE(what_is_gone_makes_jobs_wait),
        RULE(a_refused_reload_is_told),
        RULE(concurrency_holds_for_all_jobs_together),
        RULE(jobs_of_a_full_function_take_turns),
        RULE(warm_workers_are_preferred),
        RULE(the_engines_timeout_is_a_backstop),
        RULE(a_verdict_explains_the_death),
        RULE(processor_time_is_a_timeout),
        RULE(loading_is_not_the_items_time),
        RULE(progress_shows_while_it_runs),
        RULE(retiring_workers_cost_no_item_anything),
        cmocka_unit_test(lines_may_tell_the_process),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
