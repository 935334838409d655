/* engine_objects_lives: random lives of shared objects in the engine's core. Items and outsiders put and get numbers
 * and take turns under a lock; workers and the whole service are killed, clients vanish. Whatever happens: no number
 * comes twice, none is lost that a client was told of, the lock has one holder, its tokens grow, and at the end nobody
 * waits.
 *
 *     engine_objects_test lives SEED COUNT     runs these seeds only */
#include "engine_objects.h"

enum { VALUES = 6000, CALLS = 20000, WAITERS = 6 };

struct value {
    bool promised;     /* a client was told that it is in the queue */
    unsigned taken_in; /* the life in which somebody was given it, 0 = none */
    bool told;         /* …a client, after the commit: for good */
};

struct asked { /* by an item */
    unsigned slot;
    uint64_t run;
    uint32_t index;
    enum { NOTHING, GETS, LOCKS } what;
};

static struct {
    struct sim sim;
    struct value values[VALUES];
    int value_count;
    struct asked calls[CALLS];
    uint32_t first_call;
    size_t answers_seen;
    unsigned number,
        missing; /* life; elements whose taker may never have been told: the server died, the disk was full */
    struct outside waiters[WAITERS];
    struct {
        struct outside o;
        int value;
    } putters[WAITERS];
    bool held;
    struct asked holder;
    unsigned long long token;
} life;

#define SIM (&life.sim)

static bool one_in(uint32_t n)
{
    return sim_random(SIM, n) == 0;
}

/* ---- what must hold ---- */

static void take(int value, bool told)
{
    assert_true(value >= 0 && value < life.value_count);
    struct value *v = &life.values[value];
    if (v->taken_in == life.number || v->told)
        fail_msg("%d comes twice (life %u)", value, life.number);
    v->taken_in = life.number;
    v->told = told;
}

static void take_all(const char *answer, bool told)
{
    const char *at = strstr(answer, "\"values\":[");
    assert_non_null(at);
    for (at += 10; *at && *at != ']'; at += *at == ',') {
        char *end;
        take((int)strtol(at, &end, 10), told);
        assert_true(end > at);
        at = end;
    }
}

static bool runs(const struct asked *a)
{
    const struct sim_worker *worker = &SIM->workers[a->slot];
    return worker->state == SIM_BUSY && worker->in_item && worker->run.run == a->run &&
           worker->run.first + worker->offset == a->index;
}

static void hold(const struct asked *asked, const char *answer)
{
    unsigned long long token = 0;
    const char *at = strstr(answer, "\"token\":");
    assert_true(at && sscanf(at, "\"token\":%llu", &token) == 1);
    if (token <= life.token)
        fail_msg("token %llu after %llu", token, life.token);
    if (life.held && runs(&life.holder))
        fail_msg("the lock has two holders");
    life.token = token;
    life.held = true;
    life.holder = *asked;
}

static void look_at_answers(void)
{
    for (; life.answers_seen < SIM->answer_count; life.answers_seen++) {
        const struct sim_answer *answer = &SIM->answers[life.answers_seen];
        const struct asked *asked = &life.calls[answer->message.call - life.first_call];
        if (strncmp(answer->text, "{\"ok\":", 6) != 0)
            continue;
        if (asked->what == GETS)
            take_all(answer->text, false);
        else if (asked->what == LOCKS)
            hold(asked, answer->text);
    }
}

/* ---- items ---- */

static void call(unsigned slot)
{
    static const char *const gets[] = {GET, GET_WAIT("0.02"), GET_WAIT("null")};
    const struct sim_worker *worker = &SIM->workers[slot];
    struct asked asked = {slot, worker->run.run, worker->run.first + worker->offset, NOTHING};
    char text[200];
    bool holds = life.held && runs(&life.holder) && life.holder.slot == slot;
    if (holds) {
        snprintf(text, sizeof text, "%s", RELEASE);
        life.held = false;
    } else if (one_in(3)) {
        snprintf(text, sizeof text, "%s", ACQUIRE);
        asked.what = LOCKS;
    } else if (one_in(2) && life.value_count < VALUES) {
        snprintf(text, sizeof text, PUT("%d"), life.value_count++);
    } else {
        snprintf(text, sizeof text, "%s", gets[sim_random(SIM, 3)]);
        asked.what = GETS;
    }
    uint32_t next = sim_next_call();
    if (next - life.first_call >= CALLS)
        return;
    life.calls[next - life.first_call] = asked;
    assert_int_equal(sim_call(SIM, slot, text), next);
    look_at_answers();
}

/* It may wait for ever: those are ended by their time-out. */
static void submit_some(void)
{
    struct sim_ask *ask = sim_submission(SIM, sim_items(0, 6, 100, NULL, 5 + (int)sim_random(SIM, 60)), JOB_MAP);
    ask->r.submit.options.chunksize = sim_random(SIM, 3);
    ask->r.submit.options.timeout_ms = 300;
    ask->r.submit.options.max_attempts = 1 + sim_random(SIM, 2);
    ask->r.submit.options.backoff_ms = 10;
    sim_send(ask);
}

/* ---- outsiders ---- */

static void outsiders_get(bool more)
{
    for (struct outside *o = life.waiters; o < life.waiters + WAITERS; o++) {
        if (o->ask && (o->ask->back || o->ask->broken)) {
            bool told = o->ask->back && o->ask->r.status == ENGINE_OK && o->call.status == OBJECT_OK && !o->vanished;
            if (told)
                take_all(buf_cstr(&o->call.answer), true);
            else if (o->ask->broken || o->ask->r.status == ENGINE_STORE_FULL ||
                     (o->ask->r.status == ENGINE_OK && o->call.status == OBJECT_OK))
                life.missing++;
            outside_forget(o);
            o->ask = NULL;
        } else if (more && !o->ask && one_in(20)) {
            outside_ask(SIM, o, OBJECT_QUEUE, "q", "get", "", one_in(2) ? 0 : 1 + sim_random(SIM, 200));
        } else if (more && o->ask && o->call.deadline_ns && one_in(50)) {
            o->vanished = true;
        }
        if (more && o->ask && o->vanished && one_in(3)) { /* HTTP notices */
            struct sim_ask *give_up = sim_ask(SIM, ASK_OBJECT_GIVE_UP, 0);
            give_up->r.give_up.request = &o->ask->r;
            sim_send(give_up);
        }
    }
}

static void outsiders_put(bool more)
{
    for (unsigned i = 0; i < WAITERS; i++) {
        struct outside *o = &life.putters[i].o;
        char args[40];
        if (o->ask && (o->ask->back || o->ask->broken)) {
            bool good = o->ask->back && o->ask->r.status == ENGINE_OK && o->call.status == OBJECT_OK;
            if (good)
                life.values[life.putters[i].value].promised = true;
            outside_forget(o);
            o->ask = NULL;
        } else if (more && !o->ask && one_in(15) && life.value_count < VALUES) {
            life.putters[i].value = life.value_count++;
            snprintf(args, sizeof args, "{\"value\":%d}", life.putters[i].value);
            outside_ask(SIM, o, OBJECT_QUEUE, "q", "put", args, 0);
        }
    }
}

/* ---- a life ---- */

static void step(bool outside)
{
    sim_step(SIM);
    look_at_answers();
    for (unsigned slot = 0; slot < SIM_SLOTS; slot++) {
        const struct sim_worker *worker = &SIM->workers[slot];
        if (worker->state == SIM_BUSY && worker->in_item && outside && one_in(8))
            call(slot);
    }
    if (outside) {
        outsiders_get(true);
        outsiders_put(true);
    }
}

static void restart(void)
{
    sim_kill(SIM);
    look_at_answers(); /* what its last moments said */
    outsiders_get(false);
    outsiders_put(false);
    life.held = false;
    life.number++;
    sim_recover(SIM);
}

static void let_all_end(void)
{
    SIM->chaos = 0;
    store_fail_commit(SIM->store, 0, STORE_OK);
    for (int i = 0; i < 20000 && (SIM->outstanding || SIM->core.job_count > SIM->core.lingering_count); i++) {
        step(false);
        outsiders_get(false);
        outsiders_put(false);
    }
    sim_run(SIM, 1500); /* the disk has room again */
    struct object_counters counters;
    objects_counters(SIM->core.shared->objects, &counters);
    assert_int_equal(counters.waiting, 0);
}

static void drain(void)
{
    struct outside o;
    for (;;) {
        outside_ask(SIM, &o, OBJECT_QUEUE, "q", "get", "{\"n\":100}", 0);
        sim_wait(SIM, o.ask, 1000);
        assert_int_equal(o.ask->r.status, ENGINE_OK);
        if (o.call.status != OBJECT_OK)
            break;
        take_all(buf_cstr(&o.call.answer), true);
        outside_forget(&o);
    }
    assert_int_equal(o.call.status, OBJECT_EMPTY);
    outside_forget(&o);
    outside_ask(SIM, &o, OBJECT_LOCK, "l", "acquire", "{\"ttl\":60}", 0);
    sim_wait(SIM, o.ask, 1000);
    assert_true(o.call.status == OBJECT_OK || o.call.status == OBJECT_MISSING);
    outside_forget(&o);
}

static void check_values(void)
{
    unsigned lost = 0;
    for (int i = 0; i < life.value_count; i++)
        lost += life.values[i].promised && !life.values[i].taken_in;
    if (lost > life.missing)
        fail_msg("%u are lost, and %u clients were not told", lost, life.missing);
}

static void live(uint64_t seed)
{
    struct outside o;
    memset(&life, 0, sizeof life);
    sim_open(SIM, seed, 3);
    life.first_call = sim_next_call();
    life.number = 1;
    SIM->commit_ms = sim_random(SIM, 12);
    SIM->chaos = one_in(2) ? 0 : sim_random(SIM, 15);
    outside_ask(SIM, &o, OBJECT_QUEUE, "q", "create", one_in(2) ? "" : "{\"maxsize\":20}", 0);
    sim_wait(SIM, o.ask, 1000);
    outside_forget(&o);
    for (int i = 0; i < 50 && !SIM->core.builtins; i++)
        sim_step(SIM);
    for (int ms = 0; ms < 1500; ms++) {
        if (one_in(100))
            submit_some();
        if (one_in(200))
            sim_kill_worker(SIM, sim_random(SIM, 3));
        if (one_in(400))
            restart();
        if (one_in(500))
            store_fail_commit(SIM->store, 1, STORE_FULL);
        step(true);
    }
    let_all_end();
    drain();
    check_values();
    sim_close(SIM);
}

void objects_lives(uint64_t first, uint64_t count)
{
    for (uint64_t seed = first; seed < first + count; seed++) {
        fprintf(stderr, "\rseed %llu ", (unsigned long long)seed);
        live(seed);
    }
}
