/* engine_objects_test: shared objects in the engine's core, in simulated time: who is answered when, what a crash
 * forgets, and what becomes of those who hold or wait. */
#include "engine_objects.h"

static struct sim sim;

static int open_sim(void **state)
{
    (void)state;
    sim_open(&sim, 1, 2);
    return 0;
}

static int close_sim(void **state)
{
    (void)state;
    sim_close(&sim);
    return 0;
}

/* A job of these items; returns when `count` of them run (all in their own slices). */
static int64_t run_items(const char *const *items, uint32_t total, uint32_t per_slice, uint32_t count)
{
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, total, 100, items, 0), JOB_MAP);
    ask->r.submit.options.chunksize = per_slice;
    int64_t seq = sim_accept(&sim, ask);
    for (uint32_t running = 0; running < count; sim_step(&sim)) {
        running = 0;
        for (unsigned slot = 0; slot < SIM_SLOTS; slot++)
            running += sim.workers[slot].state == SIM_BUSY && sim.workers[slot].in_item;
        assert_true(sim.now < 10000 * NS_PER_S);
    }
    return seq;
}

static unsigned slot_of(uint32_t index)
{
    for (unsigned slot = 0; slot < SIM_SLOTS; slot++) {
        const struct sim_worker *worker = &sim.workers[slot];
        if (worker->state == SIM_BUSY && worker->in_item && worker->run.first + worker->offset == index)
            return slot;
    }
    fail_msg("item %u does not run", index);
    return 0;
}

static void expect_answer(uint32_t call, const char *part)
{
    if (!strstr(sim_answer(&sim, call), part))
        fail_msg("call %u: %s, not %s", call, sim_answer(&sim, call), part);
}

static void expect_silence(uint32_t call)
{
    assert_string_equal(sim_answer(&sim, call), "");
}

static bool has_vanished(struct engine_request *request)
{
    return ((struct outside *)(void *)request->object.call)->vanished;
}

void outside_ask(struct sim *into, struct outside *o, enum object_kind kind, const char *name, const char *op,
                 const char *args, int64_t wait_ms)
{
    *o = (struct outside){.call = {.kind = kind, .args = args, .args_length = strlen(args)}};
    snprintf(o->call.name, sizeof o->call.name, "%s", name);
    snprintf(o->call.op, sizeof o->call.op, "%s", op);
    o->call.deadline_ns = wait_ms ? into->now + wait_ms * NS_PER_MS : 0;
    o->ask = sim_ask(into, ASK_OBJECT, 0);
    o->ask->r.object.call = &o->call;
    o->ask->r.object.gone = has_vanished;
    sim_send(o->ask);
}

void outside_forget(struct outside *o)
{
    buf_free(&o->call.answer);
    buf_free(&o->call.kept);
}

static void ask(struct outside *o, enum object_kind kind, const char *name, const char *op, const char *args,
                int64_t wait_ms)
{
    outside_ask(&sim, o, kind, name, op, args, wait_ms);
}

static void expect_outside(struct outside *o, enum engine_status status, const char *part)
{
    sim_wait(&sim, o->ask, 1000);
    assert_int_equal(o->ask->r.status, status);
    if (status == ENGINE_OK && part && !strstr(buf_cstr(&o->call.answer), part))
        fail_msg("%s, not %s", buf_cstr(&o->call.answer), part);
    outside_forget(o);
}

static unsigned queue_size(void)
{
    struct outside o;
    unsigned size = 0;
    ask(&o, OBJECT_QUEUE, "q", "size", "", 0);
    sim_wait(&sim, o.ask, 1000);
    assert_int_equal(o.ask->r.status, ENGINE_OK);
    if (o.call.status == OBJECT_OK)
        assert_int_equal(sscanf(buf_cstr(&o.call.answer), "{\"size\":%u", &size), 1);
    outside_forget(&o);
    return size;
}

/* ---- answers ---- */

static void tasks_are_answered_at_once(void **state)
{
    (void)state;
    sim.commit_ms = 50;
    run_items((const char *[]){"[5,0]", "[5,0]"}, 2, 1, 2);
    expect_answer(sim_call(&sim, slot_of(0), PUT("{\"a\" : 1}")), "{\"ok\":{\"size\":1");
    expect_answer(sim_call(&sim, slot_of(1), GET), "{\"ok\":{\"values\":[{\"a\" : 1}]");
    expect_answer(sim_call(&sim, slot_of(1), GET), "\"type\":\"empty\"");
}

static void outsiders_are_answered_after_the_commit(void **state)
{
    (void)state;
    struct outside put, get;
    sim.commit_ms = 20;
    ask(&put, OBJECT_QUEUE, "q", "create", "", 0);
    assert_false(put.ask->back);
    expect_outside(&put, ENGINE_OK, "{");
    ask(&put, OBJECT_QUEUE, "q", "put", "{\"value\":7}", 0);
    ask(&get, OBJECT_QUEUE, "q", "get", "", 0);
    assert_false(put.ask->back || get.ask->back);
    expect_outside(&put, ENGINE_OK, "size");
    expect_outside(&get, ENGINE_OK, "[7]");
    sim_run(&sim, 100);
    ask(&get, OBJECT_QUEUE, "q", "size", "", 0);
    assert_true(get.ask->back); /* all is committed: nothing to wait for */
    expect_outside(&get, ENGINE_OK, "\"size\":0");
}

static void what_outsiders_see_is_committed(void **state)
{
    (void)state;
    struct outside get;
    sim.commit_ms = 20;
    run_items((const char *[]){"[5,0]"}, 1, 1, 1);
    sim_run(&sim, 100);
    sim_call(&sim, slot_of(0), PUT("1"));
    ask(&get, OBJECT_QUEUE, "q", "size", "", 0);
    assert_false(get.ask->back); /* it saw what a task did */
    expect_outside(&get, ENGINE_OK, "\"size\":1");
}

static void a_full_disk_is_told_to_outsiders(void **state)
{
    (void)state;
    struct outside o;
    run_items((const char *[]){"[5,0]"}, 1, 1, 1);
    sim_run(&sim, 100);
    store_fail_commit(sim.store, 1, STORE_FULL);
    ask(&o, OBJECT_QUEUE, "q", "create", "", 0);
    expect_outside(&o, ENGINE_STORE_FULL, NULL);
    ask(&o, OBJECT_QUEUE, "q", "put", "{\"value\":7}", 0);
    expect_outside(&o, ENGINE_STORE_FULL, NULL);
    expect_answer(sim_call(&sim, slot_of(0), PUT("1")), "\"type\":\"no-room\"");
    expect_answer(sim_call(&sim, slot_of(0), GET), "\"type\":\"empty\"");
    expect_answer(sim_call(&sim, slot_of(0), "{\"object\":\"queues/q\",\"op\":\"create\"}"), "{\"ok\":");
    expect_answer(sim_call(&sim, slot_of(0), "{\"object\":\"queues/new\",\"op\":\"create\"}"), "\"type\":\"no-room\"");
    sim_run(&sim, 3000);
    ask(&o, OBJECT_QUEUE, "q", "put", "{\"value\":7}", 0);
    expect_outside(&o, ENGINE_OK, "\"size\":1"); /* the queue is there by now, the first put is not */
}

/* ---- crashes ---- */

/* An item puts and ends. Whatever moment the server dies at: when its result is committed, its element is; and the item
 * runs again otherwise. */
static void a_crash_forgets_both_or_nothing(void **state)
{
    (void)state;
    unsigned kept = 0, forgotten = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        sim_close(&sim);
        sim_open(&sim, seed, 2);
        sim.commit_ms = 8;
        int64_t seq = run_items((const char *[]){"[0,5]"}, 1, 1, 1);
        sim_call(&sim, slot_of(0), PUT("1"));
        sim_run(&sim, (int64_t)seed % 30);
        bool done = sim_stored(&sim, seq).positions > 0;
        sim_restart(&sim);
        done = done || sim_stored(&sim, seq).positions > 0;
        unsigned size = queue_size();
        assert_true(size == 1 || !done);
        kept += size;
        forgotten += !size;
        sim_end(&sim, seq, 5000);
    }
    assert_true(kept > 5 && forgotten > 5);
}

static void all_is_there_after_a_restart(void **state)
{
    (void)state;
    struct outside o;
    ask(&o, OBJECT_QUEUE, "q", "create", "{\"maxsize\":3}", 0);
    expect_outside(&o, ENGINE_OK, "3");
    ask(&o, OBJECT_QUEUE, "q", "put", "{\"values\":[1,2]}", 0);
    expect_outside(&o, ENGINE_OK, "2");
    sim_restart(&sim);
    ask(&o, OBJECT_QUEUE, "q", "create", "{\"maxsize\":3}", 0);
    expect_outside(&o, ENGINE_OK, NULL);
    ask(&o, OBJECT_QUEUE, "q", "get", "{\"n\":5}", 0);
    expect_outside(&o, ENGINE_OK, "[1,2]");
    ask(&o, OBJECT_QUEUE, "q", "delete", "", 0);
    expect_outside(&o, ENGINE_OK, NULL);
    sim_restart(&sim);
    ask(&o, OBJECT_QUEUE, "q", "get", "", 0);
    sim_wait(&sim, o.ask, 100);
    assert_int_equal(o.call.status, OBJECT_MISSING);
    outside_forget(&o);
}

static unsigned count_ops(const struct store_write *write)
{
    unsigned count = 0;
    for (const struct store_op *op = write->first; op; op = op->next)
        count += op->type == STORE_ENTRY_PUT;
    return count;
}

/* What was changed again before its commit is written once. */
static void only_the_last_change_is_written(void **state)
{
    (void)state;
    struct outside o;
    run_items((const char *[]){"[5,0]"}, 1, 1, 1);
    sim_run(&sim, 100);
    for (int i = 0; i < 300; i++) {
        expect_silence(sim_call(&sim, slot_of(0), SET("a", "1")));
        expect_silence(sim_call(&sim, slot_of(0), SET("b", "\"two\"")));
        sim_call(&sim, slot_of(0), PUT("1"));
        sim_call(&sim, slot_of(0), GET);
    }
    expect_silence(sim_call(&sim, slot_of(0), SET("a", "2")));
    assert_true(count_ops(sim.core.turn->write) < 10);
    sim_run(&sim, 10);
    sim_restart(&sim);
    ask(&o, OBJECT_DICT, "d", "items", "", 0);
    expect_outside(&o, ENGINE_OK, "\"two\"");
    ask(&o, OBJECT_DICT, "d", "get", "{\"key\":\"a\"}", 0);
    expect_outside(&o, ENGINE_OK, "2");
    assert_int_equal(queue_size(), 0);
}

/* ---- holders ---- */

static void a_lock_is_released_when_its_holder_ends(void **state)
{
    (void)state;
    run_items((const char *[]){"[0,50]", "[5,0]"}, 2, 1, 2);
    expect_answer(sim_call(&sim, slot_of(0), ACQUIRE), "\"recovered\":false");
    uint32_t waiting = sim_call(&sim, slot_of(1), ACQUIRE);
    sim_run(&sim, 20);
    expect_silence(waiting);
    sim_run(&sim, 100);
    expect_answer(waiting, "\"recovered\":false");
}

static void a_lock_is_released_when_its_holder_dies(void **state)
{
    (void)state;
    run_items((const char *[]){"[5,0]", "[5,0]"}, 2, 1, 2);
    unsigned holder = slot_of(0), waiter = slot_of(1);
    sim_call(&sim, holder, ACQUIRE);
    uint32_t waiting = sim_call(&sim, waiter, ACQUIRE);
    sim_kill_worker(&sim, holder);
    sim_run(&sim, 5);
    expect_answer(waiting, "\"recovered\":true");
}

static void an_error_of_a_dead_process_is_its_death(void **state)
{
    (void)state;
    static const struct {
        const char *line, *recovered;
    } cases[] = {
        {"{\"index\":0,\"error\":{\"type\":\"error\",\"message\":\"no\"}}\n", "\"recovered\":false"},
        {"{\"index\":0,\"error\":{\"type\":\"crash\",\"message\":\"killed by SIGKILL\"}}\n", "\"recovered\":true"}};
    for (size_t i = 0; i < 2; i++) {
        int64_t seq = run_items((const char *[]){"[5,0]", "[5,0]"}, 2, 1, 2);
        unsigned slot = slot_of(0), waiter = slot_of(1);
        sim_call(&sim, slot, ACQUIRE);
        uint32_t waiting = sim_call(&sim, waiter, ACQUIRE);
        struct message_result result = {.run = sim.workers[slot].run.run, .count = 1};
        core_worker_result(&sim.core, slot, sim.workers[slot].generation, &result, cases[i].line,
                           strlen(cases[i].line));
        expect_answer(waiting, cases[i].recovered);
        sim_kill_worker(&sim, slot);
        sim_kill_worker(&sim, waiter);
        sim_end(&sim, seq, 2000);
    }
}

/* The line of item 0 lies in the outbox; item 1 of the same slice wants what it held. */
static void an_earlier_item_of_the_slice_holds_nothing(void **state)
{
    (void)state;
    run_items((const char *[]){"[0,3]", "[5,0]"}, 2, 2, 1);
    unsigned slot = slot_of(0);
    sim_call(&sim, slot, ACQUIRE);
    for (int i = 0; i < 20 && sim.workers[slot].offset == 0; i++)
        sim_step(&sim);
    expect_answer(sim_call(&sim, slot, ACQUIRE), "\"token\":");
}

static void the_waiting_call_of_a_dead_item_takes_nothing(void **state)
{
    (void)state;
    int64_t seq = run_items((const char *[]){"[5,0]", "[5,0]"}, 2, 1, 2);
    unsigned dead = slot_of(0);
    uint32_t waiting = sim_call(&sim, dead, GET_WAIT("null"));
    sim_kill_worker(&sim, dead); /* it is dead, and the engine does not know yet */
    expect_answer(sim_call(&sim, slot_of(1), PUT("1")), "\"size\":1");
    sim_run(&sim, 50);
    expect_silence(waiting);
    assert_int_equal(queue_size(), 1);
    struct sim_ask *cancel = sim_ask(&sim, ASK_CANCEL, seq);
    sim_send(cancel);
    sim_wait(&sim, cancel, 1000);
    sim_end(&sim, seq, 5000);
}

static void a_cancelled_item_waits_no_more(void **state)
{
    (void)state;
    int64_t seq = run_items((const char *[]){"[5,0]"}, 1, 1, 1);
    uint32_t waiting = sim_call(&sim, slot_of(0), GET_WAIT("null"));
    struct sim_ask *cancel = sim_ask(&sim, ASK_CANCEL, seq);
    sim_send(cancel);
    sim_end(&sim, seq, 5000);
    expect_silence(waiting);
    struct object_counters counters;
    objects_counters(sim.core.shared->objects, &counters);
    assert_int_equal(counters.waiting, 0);
}

/* What it said last, and its death is known: only what needs no answer is done. */
static void a_deaf_worker_takes_nothing(void **state)
{
    (void)state;
    run_items((const char *[]){"[5,0]"}, 1, 1, 1);
    unsigned slot = slot_of(0);
    sim_call(&sim, slot, PUT("1"));
    struct sim_worker *worker = &sim.workers[slot];
    struct message_call call = {.run = worker->run.run, .attempt = 1, .call = 99999};
    core_worker_call(&sim.core, slot, worker->generation, &call, GET, sizeof GET - 1, true);
    core_worker_call(&sim.core, slot, worker->generation, &call, SET("k", "1"), sizeof SET("k", "1") - 1, true);
    assert_int_equal(queue_size(), 1);
    struct outside o;
    ask(&o, OBJECT_DICT, "d", "len", "", 0);
    expect_outside(&o, ENGINE_OK, "1");
}

/* ---- outsiders who leave ---- */

static void who_gives_up_takes_nothing(void **state)
{
    (void)state;
    struct outside waiting, put;
    ask(&put, OBJECT_QUEUE, "q", "create", "", 0);
    expect_outside(&put, ENGINE_OK, NULL);
    ask(&waiting, OBJECT_QUEUE, "q", "get", "", 60000);
    sim_run(&sim, 10);
    assert_false(waiting.ask->back);
    for (int i = 0; i < 2; i++) { /* the second one comes when it has been answered already */
        struct sim_ask *give_up = sim_ask(&sim, ASK_OBJECT_GIVE_UP, 0);
        give_up->r.give_up.request = &waiting.ask->r;
        sim_send(give_up);
        assert_true(give_up->back && waiting.ask->back);
    }
    expect_outside(&waiting, ENGINE_SHUTDOWN, NULL);
    ask(&put, OBJECT_QUEUE, "q", "put", "{\"value\":1}", 0);
    expect_outside(&put, ENGINE_OK, "\"size\":1");
}

static void who_has_vanished_takes_nothing(void **state)
{
    (void)state;
    struct outside first, second, put;
    ask(&put, OBJECT_QUEUE, "q", "create", "", 0);
    expect_outside(&put, ENGINE_OK, NULL);
    ask(&first, OBJECT_QUEUE, "q", "get", "", 60000);
    ask(&second, OBJECT_QUEUE, "q", "get", "", 60000);
    sim_run(&sim, 10);
    first.vanished = true; /* and nobody has noticed */
    ask(&put, OBJECT_QUEUE, "q", "put", "{\"value\":8}", 0);
    expect_outside(&put, ENGINE_OK, NULL);
    expect_outside(&second, ENGINE_OK, "[8]");
    expect_outside(&first, ENGINE_SHUTDOWN, NULL);
}

static void waits_end_to_the_millisecond(void **state)
{
    (void)state;
    struct outside o;
    run_items((const char *[]){"[5,0]"}, 1, 1, 1);
    uint32_t call = sim_call(&sim, slot_of(0), GET_WAIT("0.004"));
    int64_t began = sim.now;
    sim_run(&sim, 3);
    expect_silence(call);
    sim_run(&sim, 2);
    expect_answer(call, "\"type\":\"empty\"");
    assert_int_equal(core_due_ns(&sim.core), INT64_MAX);
    ask(&o, OBJECT_QUEUE, "q", "get", "", 7);
    assert_true(core_due_ns(&sim.core) == sim.now + 7 * NS_PER_MS);
    began = sim.now;
    sim_wait(&sim, o.ask, 20);
    assert_int_equal(o.call.status, OBJECT_EMPTY);
    assert_true(sim.now - began <= 9 * NS_PER_MS);
    outside_forget(&o);
}

static void all_come_back_at_the_end(void **state)
{
    (void)state;
    struct outside o;
    ask(&o, OBJECT_QUEUE, "q", "create", "", 0);
    expect_outside(&o, ENGINE_OK, NULL);
    run_items((const char *[]){"[5,0]"}, 1, 1, 1);
    sim_call(&sim, slot_of(0), GET_WAIT("null"));
    ask(&o, OBJECT_QUEUE, "q", "get", "", 60000);
    sim_restart(&sim);
    assert_true(o.ask->back);
    assert_int_equal(o.ask->r.status, ENGINE_SHUTDOWN);
    outside_forget(&o);
}

/* ---- what people see ---- */

static struct engine_pool *look(void)
{
    struct sim_ask *pool = sim_ask(&sim, ASK_POOL, 0);
    sim_send(pool);
    assert_true(pool->back);
    return pool->r.pool.pool;
}

static void who_waits_is_shown(void **state)
{
    (void)state;
    int64_t seq = run_items((const char *[]){"[5,0]", "[5,0]"}, 2, 1, 2);
    sim_call(&sim, slot_of(1), GET_WAIT("60"));
    struct sim_ask *item = sim_ask(&sim, ASK_ITEM, seq);
    item->r.item.index = 1;
    sim_send(item);
    assert_int_equal(item->r.item.state, ITEM_WAITING);
    assert_string_equal(item->r.item.waits_for, "queue q (get)");
    assert_true(item->r.item.due_ms == 0 && item->r.item.started_ms > 0);
    const struct engine_pool *pool = look();
    assert_true(pool->waiting == 1 && pool->running == 2 && pool->objects.waiting == 1);
    assert_int_equal(pool->workers[slot_of(1)].state, WORKER_WAITING);
    assert_string_equal(pool->workers[slot_of(1)].waits_for, "queue q (get)");
    assert_int_equal(pool->workers[slot_of(0)].state, WORKER_RUNNING);
    expect_answer(sim_call(&sim, slot_of(0), PUT("1")), "\"ok\"");
    assert_int_equal(look()->waiting, 0);
}

static void a_pool_that_waits_for_itself_is_told(void **state)
{
    (void)state;
    run_items((const char *[]){"[5,0]", "[5,0]", "[5,0]"}, 3, 1, 2);
    sim_call(&sim, slot_of(0), GET_WAIT("null"));
    sim_run(&sim, 2000);
    assert_string_equal(look()->stuck, "");
    sim_call(&sim, slot_of(1), GET_WAIT("null"));
    sim_run(&sim, 500);
    assert_string_equal(look()->stuck, ""); /* that may be short */
    sim_run(&sim, 1000);
    assert_non_null(strstr(look()->stuck, "all 2 workers wait"));
    struct outside put;
    ask(&put, OBJECT_QUEUE, "q", "put", "{\"value\":8}", 0);
    expect_outside(&put, ENGINE_OK, NULL);
    sim_run(&sim, 50);
    assert_string_equal(look()->stuck, "");
}

/* Items 0 and 1 are a slice, 2 another. Item 0 waits for what item 1 will put: so that must not stand behind it, even
 * as long as no worker is idle. */
static void items_behind_one_that_waits_go_elsewhere(void **state)
{
    (void)state;
    int64_t seq = run_items((const char *[]){"[5,0]", "[5,0]", "[5,0]"}, 3, 2, 2);
    uint32_t waiting = sim_call(&sim, slot_of(0), GET_WAIT("null"));
    sim_run(&sim, 100);
    assert_int_equal(job_find(&sim.core, seq, 0)->ready.total, 1);
    sim_kill_worker(&sim, slot_of(2));
    sim_run(&sim, 100);
    sim_call(&sim, slot_of(1), PUT("5"));
    expect_answer(waiting, "[5]");
}

/* ---- nonsense ---- */

static void nonsense_is_an_error_for_who_says_it(void **state)
{
    (void)state;
    static const struct {
        const char *text, *type;
    } cases[] = {
        {" ", "invalid"},
        {"[]", "invalid"},
        {"null", "invalid"},
        {"{", "invalid"},
        {"{} x", "invalid"},
        {"{\"object\":\"queues/q\"}", "invalid"},
        {"{\"op\":\"get\"}", "invalid"},
        {"{\"object\":\"queues/q\",\"op\":\"get\"", "invalid"},
        {"{\"object\":\"queues/q\",\"op\":\"get\",}", "invalid"},
        {"{\"object\":\"queues/q\",\"op\":\"get\",\"wait\":-1}", "invalid"},
        {"{\"object\":\"queues/q\",\"op\":\"get\",\"wait\":\"1\"}", "invalid"},
        {"{\"object\":\"queues/q\",\"op\":\"get\",\"wait\":true}", "invalid"},
        {"{\"object\":\"queues/q\",\"op\":\"get\",\"args\":[]}", "invalid"},
        {"{\"object\":\"queues/q\",\"op\":\"get\",\"quiet\":1}", "invalid"},
        {"{\"object\":\"queues/q\",\"op\":\"get\",\"extra\":1}", "invalid"},
        {"{\"object\":\"queues/q\",\"op\":\"explode\"}", "invalid"},
        {"{\"object\":\"queues/q\",\"op\":\"a_very_long_operation_that_is_none\"}", "invalid"},
        {"{\"object\":\"nothings/q\",\"op\":\"get\"}", "invalid"},
        {"{\"object\":\"queues/../q\",\"op\":\"get\"}", "invalid"},
        {"{\"object\":\"queues/\",\"op\":\"get\"}", "invalid"},
        {"{\"object\":\"queues/\\u0071\",\"op\":\"get\"}", "invalid"},
        {"{\"object\":17,\"op\":\"get\"}", "invalid"},
        {"{\"object\":\"queues/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
         "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\",\"op\":\"get\"}",
         "invalid\",\"message\":\"object must be KIND/NAME, and a name has at most 128 characters"},
        {"{\"object\":\"arrays/a\",\"op\":\"read\"}", "invalid"},
        {" {\"object\" : \"queues\\/q\" , \"op\":\"get\",\"wait\":0 } ", "empty"},
        {"{\"object\":\"queue/q\",\"op\":\"get\",\"wait\":0.0}", "empty"},
        {"{\"object\":\"queues\",\"op\":\"list\"}", "ok"},
    };
    char part[128], huge[300];
    run_items((const char *[]){"[5,0]"}, 1, 1, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *copy = strdup(cases[i].text); /* for the sanitizer */
        uint32_t call = sim_call(&sim, slot_of(0), copy);
        snprintf(part, sizeof part, strcmp(cases[i].type, "ok") == 0 ? "{\"ok\":" : "{\"error\":{\"type\":\"%s\"",
                 cases[i].type);
        if (!strstr(sim_answer(&sim, call), part))
            fail_msg("%s: %s", cases[i].text, sim_answer(&sim, call));
        free(copy);
    }
    snprintf(huge, sizeof huge, "{\"object\":\"queues/%0200d\",\"op\":\"get\"}", 1);
    expect_answer(sim_call(&sim, slot_of(0), huge), "invalid");
    assert_int_equal(sim.workers[slot_of(0)].state, SIM_BUSY); /* it lives */
}

/* An empty text: the asker does not wait for this call of its any more. */
static void a_call_is_taken_back(void **state)
{
    (void)state;
    run_items((const char *[]){"[5,0]"}, 1, 1, 1);
    unsigned slot = slot_of(0);
    const struct sim_worker *worker = &sim.workers[slot];
    uint32_t waiting = sim_call(&sim, slot, GET_WAIT("60"));
    struct message_call call = {.run = worker->run.run, .attempt = 1, .call = waiting};
    for (int i = 0; i < 2; i++) /* the second time there is nothing to take back */
        core_worker_call(&sim.core, slot, worker->generation, &call, "", 0, false);
    sim_call(&sim, slot, PUT("1"));
    expect_silence(waiting);
    assert_int_equal(queue_size(), 1);
}

static void quiet_calls_are_answered_by_errors_only(void **state)
{
    (void)state;
    run_items((const char *[]){"[5,0]"}, 1, 1, 1);
    sim_call(&sim, slot_of(0), ACQUIRE);
    expect_silence(sim_call(&sim, slot_of(0), RELEASE));
    expect_answer(sim_call(&sim, slot_of(0), RELEASE), "not-holder");
}

static void stale_calls_are_dropped(void **state)
{
    (void)state;
    run_items((const char *[]){"[5,0]"}, 1, 1, 1);
    unsigned slot = slot_of(0);
    struct sim_worker *worker = &sim.workers[slot];
    struct message_call call = {.run = worker->run.run + 1, .attempt = 1, .call = 99998};
    core_worker_call(&sim.core, slot, worker->generation, &call, PUT("1"), sizeof PUT("1") - 1, false);
    call.run--;
    core_worker_call(&sim.core, slot, worker->generation + 1, &call, PUT("1"), sizeof PUT("1") - 1, false);
    expect_silence(99998);
    assert_int_equal(queue_size(), 0);
    call.index = 1; /* not in its slice */
    core_worker_call(&sim.core, slot, worker->generation, &call, PUT("1"), sizeof PUT("1") - 1, false);
    assert_int_equal(worker->state == SIM_DYING || worker->stop, true);
}

static void a_worker_has_so_many_calls(void **state)
{
    (void)state;
    run_items((const char *[]){"[5,0]"}, 1, 1, 1);
    for (int i = 0; i < CALLS_MAX; i++)
        expect_silence(sim_call(&sim, slot_of(0), GET_WAIT("60")));
    expect_answer(sim_call(&sim, slot_of(0), GET_WAIT("60")), "limit");
    sim_kill_worker(&sim, slot_of(0));
    sim_run(&sim, 50);
}

#define RULE(f) cmocka_unit_test_setup_teardown(f, open_sim, close_sim)

static void random_lives_of_objects(void **state)
{
    (void)state;
    objects_lives(1, 60);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "lives") == 0) {
        objects_lives(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
        return 0;
    }
    const struct CMUnitTest tests[] = {
        RULE(tasks_are_answered_at_once),
        RULE(outsiders_are_answered_after_the_commit),
        RULE(what_outsiders_see_is_committed),
        RULE(a_full_disk_is_told_to_outsiders),
        RULE(a_crash_forgets_both_or_nothing),
        RULE(all_is_there_after_a_restart),
        RULE(only_the_last_change_is_written),
        RULE(a_lock_is_released_when_its_holder_ends),
        RULE(a_lock_is_released_when_its_holder_dies),
        RULE(an_error_of_a_dead_process_is_its_death),
        RULE(an_earlier_item_of_the_slice_holds_nothing),
        RULE(the_waiting_call_of_a_dead_item_takes_nothing),
        RULE(a_cancelled_item_waits_no_more),
        RULE(a_deaf_worker_takes_nothing),
        RULE(who_gives_up_takes_nothing),
        RULE(who_has_vanished_takes_nothing),
        RULE(waits_end_to_the_millisecond),
        RULE(all_come_back_at_the_end),
        RULE(who_waits_is_shown),
        RULE(a_pool_that_waits_for_itself_is_told),
        RULE(items_behind_one_that_waits_go_elsewhere),
        RULE(nonsense_is_an_error_for_who_says_it),
        RULE(a_call_is_taken_back),
        RULE(quiet_calls_are_answered_by_errors_only),
        RULE(stale_calls_are_dropped),
        RULE(a_worker_has_so_many_calls),
        cmocka_unit_test(random_lives_of_objects),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("engine objects", tests, NULL, NULL);
}
