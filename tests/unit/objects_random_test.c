/* objects_random_test: random calls by tasks and outsiders, ends of items, time and restarts, seed by seed, against
 * simple models: what a queue gives in which order, and who may hold a lock. OBJECTS_SEEDS sets how many seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects_kit.h"

enum { STEPS = 150, PENDING = 12, TASKS = 4, ELEMENTS = 4 * STEPS, KEYS = 3, PERMITS = 8, LEASE_S = 10, TTL_S = 6 };

static struct kit kit;
static uint64_t state;
static unsigned seed;
static char args[200];

/* Calls in the order of arrival. */
static struct kit_call *pending[PENDING];
static size_t pending_count;

#define EXPECT(condition, ...)                                                                                         \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            print_error("seed %u: ", seed);                                                                            \
            fail_msg(__VA_ARGS__);                                                                                     \
        }                                                                                                              \
    } while (0)

static unsigned dice(unsigned sides)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % sides;
}

static void begin_life(void)
{
    state = (seed + 1) * 0x9E3779B97F4A7C15U;
    for (int i = 0; i < 8; i++)
        dice(2);
    kit_start(&kit);
    kit.kinds = 1U << OBJECT_QUEUE | 1U << OBJECT_LOCK;
    kit.check_restore = seed % 8 == 0; /* restarts are among the steps anyway */
    pending_count = 0;
}

/* From outside, or an item of one of the tasks. */
static uint64_t anybody(void)
{
    return dice(TASKS + 1);
}

static struct kit_call *call(uint64_t run, const char *object, const char *op)
{
    static const double waits[] = {0, -1, 2.5};
    struct kit_call *made = kit_begin(&kit, run, object, op, waits[dice(3)], args);
    made->first = made->count = 0;
    pending[pending_count++] = made;
    return made;
}

/* The next in the order of the answers, or NULL; it is no longer pending then. */
static struct kit_call *next_answered(void)
{
    size_t best = pending_count;
    for (size_t i = 0; i < pending_count; i++)
        if (pending[i]->done && (best == pending_count || pending[i]->order < pending[best]->order))
            best = i;
    if (best == pending_count)
        return NULL;
    struct kit_call *answered = pending[best];
    pending_count--;
    memmove(pending + best, pending + best + 1, (pending_count - best) * sizeof *pending);
    return answered;
}

static const struct kit_call *first_waiting(const char *op)
{
    for (size_t i = 0; i < pending_count; i++)
        if (!pending[i]->done && strcmp(pending[i]->call.op, op) == 0)
            return pending[i];
    return NULL;
}

static void give_up_somebody(void)
{
    if (pending_count)
        kit_give_up(pending[dice((unsigned)pending_count)]);
}

static void end_life(void (*note)(void))
{
    while (pending_count) {
        kit_give_up(pending[0]);
        note();
    }
    kit_stop(&kit);
}

static void for_all_seeds(void (*life)(void))
{
    const char *text = getenv("OBJECTS_SEEDS");
    unsigned seeds = text ? (unsigned)atoi(text) : 1500;
    for (seed = 0; seed < seeds; seed++)
        life();
}

/* ---- queue ---- */

static struct {
    long id;
    enum { PRESENT, LEASED, GONE } place;
    long long lease;
    uint64_t run; /* whose lease */
    int64_t until_ms;
} elements[ELEMENTS]; /* in the order in which they were put */
static size_t put_count;
static long last_id, maxsize, unfinished;
static char *answers[KEYS];

static size_t count(int place)
{
    size_t sum = 0;
    for (size_t i = 0; i < put_count; i++)
        sum += elements[i].place == (unsigned)place;
    return sum;
}

static size_t front(void)
{
    size_t i = 0;
    while (i < put_count && elements[i].place != PRESENT)
        i++;
    return i;
}

static void note_put(const struct kit_call *put)
{
    for (long i = 0; i < put->count; i++, put_count++, unfinished++) {
        elements[put_count].id = put->first + i;
        elements[put_count].place = PRESENT;
    }
}

/* What it brought stood in front. */
static void note_get(const struct kit_call *get)
{
    const char *at = strstr(get->text, "\"values\":["), *leases = strstr(get->text, "\"leases\":[");
    EXPECT(at, "strange answer %s", get->text);
    char *next = (char *)(uintptr_t)at + 9, *next_lease = leases ? (char *)(uintptr_t)leases + 9 : NULL;
    do {
        long id = strtol(next + 1, &next, 10);
        size_t i = front();
        EXPECT(i < put_count && elements[i].id == id, "%s, but in front is %ld", get->text,
               i < put_count ? elements[i].id : 0);
        elements[i].place = leases ? LEASED : GONE;
        elements[i].run = get->call.holder.run;
        elements[i].until_ms = kit.wall_ms + LEASE_S * 1000;
        elements[i].lease = leases ? strtoll(next_lease + 1, &next_lease, 10) : 0;
    } while (*next == ',');
}

static void note_keyed(const struct kit_call *get, char **answer)
{
    if (*answer) {
        EXPECT(strcmp(*answer, get->text) == 0, "the same key got %s and %s", *answer, get->text);
        return;
    }
    note_get(get);
    *answer = strdup(get->text);
}

static void note_queue_answers(void)
{
    for (struct kit_call *answered; (answered = next_answered()); kit_end(&answered)) {
        if (answered->call.status != OBJECT_OK)
            continue;
        if (strcmp(answered->call.op, "put") == 0)
            note_put(answered);
        else if (answered->first)
            note_keyed(answered, &answers[answered->first - 1]);
        else
            note_get(answered);
    }
}

static void random_put(void)
{
    long many = 1 + (long)dice(3);
    int length = sprintf(args, "{'values':[");
    for (long i = 1; i <= many; i++)
        length += sprintf(args + length, "%ld%s", last_id + i, i < many ? "," : "]}");
    if (maxsize && many > maxsize)
        return;
    /* The numbers must be known before the answer, which may be there at once. */
    struct kit_call *put = call(anybody(), "queues/q", "put");
    put->first = last_id + 1;
    put->count = many;
    last_id += many;
}

static void random_get(void)
{
    unsigned key = dice(4) ? 0 : 1 + dice(KEYS), n = 1 + dice(4);
    if (key)
        sprintf(args, "{'n':%u,'key':'k%u'}", n, key);
    else if (dice(2))
        sprintf(args, "{'n':%u}", n);
    else
        sprintf(args, "{'n':%u,'lease':%d}", n, LEASE_S);
    call(anybody(), "queues/q", "get")->first = (long)key;
}

/* Acknowledges or gives back one that is out. */
static void random_ack(void)
{
    size_t at = put_count ? dice((unsigned)put_count) : 0;
    while (at < put_count && elements[at].place != LEASED)
        at++;
    bool ack = dice(2);
    sprintf(args, "{'leases':[%lld]}", at < put_count ? elements[at].lease : 999999999);
    kit_expect(&kit, anybody(), "queues/q", ack ? "ack" : "nack", args, at < put_count ? OBJECT_OK : OBJECT_NO_ENTRY,
               NULL);
    if (at < put_count)
        elements[at].place = ack ? GONE : PRESENT;
}

static void return_leases(bool all_tasks, uint64_t run)
{
    for (size_t i = 0; i < put_count; i++)
        if (elements[i].place == LEASED && elements[i].run && (all_tasks || elements[i].run == run))
            elements[i].place = PRESENT;
}

/* A moment at a time, so that it is known who came first. */
static void pass_time(void)
{
    for (unsigned ms = dice(4000); ms > 0; ms--) {
        kit_advance(&kit, 0.001);
        for (size_t i = 0; i < put_count; i++)
            if (elements[i].place == LEASED && elements[i].until_ms <= kit.wall_ms)
                elements[i].place = PRESENT;
        note_queue_answers();
    }
}

static void random_done(void)
{
    sprintf(args, "{'count':%u}", 1 + dice(2));
    long many = strstr(args, ":1") ? 1 : 2;
    kit_expect(&kit, anybody(), "queues/q", "task_done", args, many <= unfinished ? OBJECT_OK : OBJECT_NOT_HOLDER,
               NULL);
    unfinished -= many <= unfinished ? many : 0;
}

static void queue_step(void)
{
    uint64_t run = 1 + dice(TASKS);
    unsigned what = dice(30);
    if (what < 10 && pending_count < PENDING) {
        random_put();
    } else if (what < 19 && pending_count < PENDING) {
        random_get();
    } else if (what < 23) {
        random_ack();
    } else if (what < 25) {
        return_leases(false, run);
        kit_gone(&kit, run, dice(2));
    } else if (what < 26) {
        pass_time();
    } else if (what < 27) {
        return_leases(true, 0);
        kit_restart(&kit);
    } else if (what < 29) {
        random_done();
    } else {
        give_up_somebody();
    }
    note_queue_answers();
}

/* The counts agree, and nobody waits without need. */
static void check_queue(void)
{
    char wanted[120];
    const struct kit_call *get = first_waiting("get"), *put = first_waiting("put");
    sprintf(wanted, "{'size':%zu,'leased':%zu,'unfinished':%ld,'maxsize':%ld}", count(PRESENT), count(LEASED),
            unfinished, maxsize);
    kit_expect(&kit, 0, "queues/q", "size", "", OBJECT_OK, wanted);
    EXPECT(!get || count(PRESENT) == 0, "a get waits for nothing");
    EXPECT(!put || (maxsize && count(PRESENT) + (size_t)put->count > (size_t)maxsize), "a put waits for nothing");
}

static void queue_life(void)
{
    begin_life();
    put_count = 0;
    last_id = unfinished = 0;
    maxsize = dice(2) ? 0 : 2 + (long)dice(4);
    sprintf(args, "{'maxsize':%ld}", maxsize);
    kit_expect(&kit, 0, "queues/q", "create", args, OBJECT_CREATED, NULL);
    for (int step = 0; step < STEPS; step++) {
        queue_step();
        check_queue();
        kit_advance(&kit, 0.001);
        for (size_t i = 0; i < put_count; i++)
            if (elements[i].place == LEASED && elements[i].until_ms <= kit.wall_ms)
                elements[i].place = PRESENT;
        note_queue_answers();
    }
    end_life(note_queue_answers);
    for (int key = 0; key < KEYS; key++) {
        free(answers[key]);
        answers[key] = NULL;
    }
}

static void queues(void **unused)
{
    (void)unused;
    for_all_seeds(queue_life);
}

/* ---- lock ---- */

static const char *const lock_types[] = {"lock", "rlock", "semaphore", "bounded"};
static struct {
    long long token; /* 0: free place */
    uint64_t run;
    unsigned depth;
    int64_t until_ms;
} permits[PERMITS];
static unsigned lock_type;
static size_t value;
static long long last_token;
static bool recovered;
static unsigned long last_arrival;

static size_t held(void)
{
    size_t sum = 0;
    for (size_t i = 0; i < PERMITS; i++)
        sum += permits[i].token != 0;
    return sum;
}

/* A permit of this run, newest first; else PERMITS. */
static size_t of_run(uint64_t run)
{
    size_t found = PERMITS;
    for (size_t i = 0; i < PERMITS; i++)
        if (permits[i].token && permits[i].run == run && (found == PERMITS || permits[i].token > permits[found].token))
            found = i;
    return found;
}

static void note_acquired(const struct kit_call *acquire)
{
    long long token = kit_number(acquire->text, "token");
    size_t mine = lock_type == 1 && acquire->call.holder.run ? of_run(acquire->call.holder.run) : PERMITS, i = 0;
    if (mine < PERMITS) {
        EXPECT(permits[mine].token == token, "re-entered as %lld, not %lld", token, permits[mine].token);
        permits[mine].depth++;
        return;
    }
    EXPECT(held() < value, "%zu hold it already", held());
    EXPECT(token > last_token, "token %lld after %lld", token, last_token);
    EXPECT((strstr(acquire->text, "\"recovered\":true") != NULL) == recovered, "recovered: %s", acquire->text);
    last_token = token;
    recovered = false;
    while (permits[i].token)
        i++;
    permits[i].token = token;
    permits[i].run = acquire->call.holder.run;
    permits[i].depth = 1;
    permits[i].until_ms = acquire->call.holder.run ? INT64_MAX : kit.wall_ms + TTL_S * 1000;
    /* Nobody who came earlier is still waiting. */
    EXPECT(!first_waiting("acquire") || first_waiting("acquire")->first > acquire->first, "somebody was overtaken");
}

static void note_lock_answers(void)
{
    for (struct kit_call *answered; (answered = next_answered()); kit_end(&answered))
        if (answered->call.status == OBJECT_OK)
            note_acquired(answered);
}

static void random_acquire(void)
{
    uint64_t run = anybody();
    if (run)
        strcpy(args, "");
    else
        sprintf(args, "{'ttl':%d}", TTL_S);
    unsigned long arrival = ++last_arrival;
    call(run, "locks/l", "acquire")->first = (long)arrival;
}

static void random_release(void)
{
    uint64_t run = 1 + dice(TASKS);
    size_t mine = of_run(run);
    enum object_status status = mine < PERMITS ? OBJECT_OK : OBJECT_NOT_HOLDER;
    if (mine < PERMITS && --permits[mine].depth == 0)
        permits[mine].token = 0;
    if (mine == PERMITS && lock_type == 2) {
        if (value == PERMITS)
            return;
        value++;
        status = OBJECT_OK;
    }
    kit_expect(&kit, run, "locks/l", "release", "", status, NULL);
}

static void random_release_outside(void)
{
    size_t i = dice(PERMITS);
    if (permits[i].token) {
        sprintf(args, "{'token':%lld}", permits[i].token);
        if (--permits[i].depth == 0)
            permits[i].token = 0;
        kit_expect(&kit, 0, "locks/l", "release", args, OBJECT_OK, NULL);
    } else {
        kit_expect(&kit, 0, "locks/l", "release", "{'token':987654321}", OBJECT_NOT_HOLDER, NULL);
    }
}

static void drop_permits(bool all_tasks, uint64_t run, bool died)
{
    for (size_t i = 0; i < PERMITS; i++) {
        if (permits[i].token && permits[i].run && (all_tasks || permits[i].run == run)) {
            permits[i].token = 0;
            recovered = recovered || died;
        }
    }
}

static void lock_time(unsigned ms)
{
    for (; ms > 0; ms--) {
        kit_advance(&kit, 0.001);
        for (size_t i = 0; i < PERMITS; i++) {
            if (permits[i].token && permits[i].until_ms <= kit.wall_ms) {
                permits[i].token = 0;
                recovered = true;
            }
        }
        note_lock_answers();
    }
}

static void lock_step(void)
{
    uint64_t run = 1 + dice(TASKS);
    unsigned what = dice(20);
    if (what < 8 && pending_count < PENDING) {
        random_acquire();
    } else if (what < 13) {
        random_release();
    } else if (what < 15) {
        random_release_outside();
    } else if (what < 17) {
        bool died = dice(2);
        drop_permits(false, run, died);
        kit_gone(&kit, run, died);
    } else if (what < 18) {
        lock_time(dice(4000));
    } else if (what < 19) {
        drop_permits(true, 0, false);
        kit_restart(&kit);
    } else {
        give_up_somebody();
    }
    note_lock_answers();
}

static void check_lock(void)
{
    char *text = kit_text(&kit, 0, "locks/l", "inspect", "");
    EXPECT(kit_number(text, "held") == (long long)held(), "%zu hold it, not %s", held(), text);
    EXPECT(kit_number(text, "available") == (long long)(value - held()), "%zu of %zu hold it, not %s", held(), value,
           text);
    EXPECT(!first_waiting("acquire") || held() == value, "somebody waits for nothing: %s", text);
    free(text);
}

static void lock_life(void)
{
    begin_life();
    memset(permits, 0, sizeof permits);
    lock_type = dice(4);
    value = lock_type < 2 ? 1 : dice(4);
    last_token = 0;
    recovered = false;
    sprintf(args, "{'type':'%s','value':%zu}", lock_types[lock_type], value);
    kit_expect(&kit, 0, "locks/l", "create", args, OBJECT_CREATED, NULL);
    for (int step = 0; step < STEPS; step++) {
        lock_step();
        check_lock();
        lock_time(1);
    }
    end_life(note_lock_answers);
}

static void locks(void **unused)
{
    (void)unused;
    for_all_seeds(lock_life);
}

/* ---- nonsense ---- */

/* Broken arguments for every operation of every kind: each is answered, and what was written can be restored. */
static void nonsense(void **unused)
{
    static const char *const samples[] = {"{'value':{'a':[1,2.5,null,'\\u00e4\\ud83d\\ude00']}}",
                                          "{'values':[1,'x',[],{}]}",
                                          "{'n':3,'lease':2.5,'key':'k'}",
                                          "{'leases':[1,2,3]}",
                                          "{'end':'a','value':1}",
                                          "{'ttl':5,'token':1}",
                                          "{'key':'k','value':1,'version':0}",
                                          "{'index':-1,'value':[]}",
                                          "{'start':0,'stop':9,'values':[]}",
                                          "{'by':1e3,'index':0}",
                                          "{'entries':{'a':1,'b':[2]}}",
                                          "{'typecode':'d','length':3}",
                                          "{'type':'semaphore','value':2}",
                                          "{'after':'a','limit':2,'prefix':'x'}"};
    static const char bytes[] = "{}[]'\\:,0-9.eEuntf \n\x80\xc3";
    (void)unused;
    seed = 1;
    begin_life();
    kit.check_restore = false;
    for (int i = 0; i < 60000; i++) {
        enum object_kind kind = (enum object_kind)(1 + dice(OBJECT_KINDS - 1));
        static const char *const ops[] = {"create",  "put",       "get",     "ack",         "nack",       "task_done",
                                          "clear",   "send",      "recv",    "poll",        "close",      "set",
                                          "slice",   "set_slice", "update",  "add",         "pop",        "keys",
                                          "append",  "extend",    "insert",  "remove",      "sort",       "list",
                                          "acquire", "renew",     "release", "compare_set", "setdefault", "delete"};
        char object[40];
        sprintf(object, "%s/x%u", object_kind_plural(kind), dice(2));
        strcpy(args, samples[dice(sizeof samples / sizeof *samples)]);
        for (unsigned changes = dice(3); changes > 0; changes--)
            args[dice((unsigned)strlen(args))] = bytes[dice(sizeof bytes - 1)];
        struct kit_call *made = kit_begin(&kit, anybody(), object, ops[dice(sizeof ops / sizeof *ops)], 0, args);
        kit_end(&made);
    }
    for (uint64_t run = 1; run <= TASKS; run++)
        kit_gone(&kit, run, true);
    kit_check_restore(&kit);
    kit_stop(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues),
        cmocka_unit_test(locks),
        cmocka_unit_test(nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
