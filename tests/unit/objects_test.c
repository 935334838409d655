/* objects_test: the framework, queues, pipes and locks, each operation and each ending. After every answer the kit
 * compares with a second instance made from what was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects_kit.h"

static struct kit kit;

static int start(void **state)
{
    (void)state;
    kit_start(&kit);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kit_stop(&kit);
    return 0;
}

/* From outside, by a task. */
static void http(const char *object, const char *op, const char *args, enum object_status status, const char *answer)
{
    kit_expect(&kit, 0, object, op, args, status, answer);
}

static void task(uint64_t run, const char *object, const char *op, const char *args, enum object_status status,
                 const char *answer)
{
    kit_expect(&kit, run, object, op, args, status, answer);
}

static struct object_counters counters(void)
{
    struct object_counters now;
    objects_counters(kit.objects, &now);
    return now;
}

/* ---- the framework ---- */

static void creates_and_deletes(void **state)
{
    (void)state;
    http("queues/q", "get", "", OBJECT_MISSING, NULL);
    char *text = kit_text(&kit, 0, "queues/q", "create", "{'maxsize':3}");
    static const char begin[] = "{\"name\":\"q\",\"kind\":\"queue\",\"maxsize\":3,\"size\":0,\"leased\":0,"
                                "\"unfinished\":0,\"waiting\":0,\"bytes\":";
    assert_memory_equal(text, begin, sizeof begin - 1);
    free(text);
    http("queues/q", "create", "{'maxsize':3}", OBJECT_OK, NULL);
    http("queues/q", "create", "", OBJECT_EXISTS, NULL);
    http("queues/q", "create", "{'maxsize':-1}", OBJECT_EXISTS, NULL);
    http("locks/q", "create", "", OBJECT_CREATED, NULL); /* names are a kind's own */
    http("queues/q", "delete", "{'x':1}", OBJECT_INVALID, NULL);
    http("queues/q", "delete", "", OBJECT_OK, "");
    http("queues/q", "delete", "", OBJECT_MISSING, NULL);
    http("locks/q", "delete", "", OBJECT_OK, "");
    assert_int_equal(counters().bytes, 0);
}

static void tasks_create_what_is_missing(void **state)
{
    (void)state;
    task(1, "queues/q", "inspect", "", OBJECT_MISSING, NULL);
    task(1, "queues/q", "delete", "", OBJECT_MISSING, NULL);
    task(1, "queues/q", "no-such-op", "", OBJECT_INVALID, NULL);
    assert_int_equal(counters().objects[OBJECT_QUEUE], 0);
    task(1, "queues/q", "put", "{'value':1}", OBJECT_OK, "{'size':1}");
    task(1, "pipes/p", "poll", "{'end':'a'}", OBJECT_OK, "{'ready':false}");
    assert_int_equal(counters().objects[OBJECT_QUEUE], 1);
    http("queues/q", "get", "", OBJECT_OK, "{'values':[1]}");
    http("queues/q", "create", "", OBJECT_OK, NULL);
}

static void names(void **state)
{
    char name[160];
    (void)state;
    for (size_t i = 0; i < 7; i++) {
        static const char *const bad[] = {"", ".x", "-x", "a b", "a/b", "\xc3\xa4", "values/x"};
        snprintf(name, sizeof name, "queues/%s", bad[i]);
        http(name, "create", "", OBJECT_INVALID, NULL);
    }
    snprintf(name, sizeof name, "queues/%0128d", 7);
    http(name, "create", "", OBJECT_CREATED, NULL);
    snprintf(name, sizeof name, "queues/%0129d", 7);
    http(name, "create", "", OBJECT_INVALID, NULL);
    http("locks//ledger", "inspect", "", OBJECT_INVALID, NULL);
    http("locks/values/v", "create", "", OBJECT_INVALID, NULL);
    task(1, "locks/values/v", "acquire", "", OBJECT_MISSING, NULL);
}

static void lists(void **state)
{
    char name[32];
    (void)state;
    http("pipes/", "list", "", OBJECT_OK, "{'pipes':[],'next':null}");
    for (int i = 9; i >= 0; i--) {
        snprintf(name, sizeof name, "queues/q%d", i);
        http(name, "create", "", OBJECT_CREATED, NULL);
    }
    http("queues/other", "create", "", OBJECT_CREATED, NULL);
    char *page = kit_text(&kit, 0, "queues/", "list", "{'prefix':'q','limit':3,'after':'q4'}");
    assert_non_null(strstr(page, "{\"queues\":[{\"name\":\"q5\""));
    assert_non_null(strstr(page, "\"q7\""));
    assert_null(strstr(page, "\"q8\""));
    assert_non_null(strstr(page, "],\"next\":\"q7\"}"));
    free(page);
    page = kit_text(&kit, 0, "queues/", "list", "{'after':'q6','limit':3}");
    assert_non_null(strstr(page, "],\"next\":null}"));
    free(page);
    http("queues/q3", "delete", "", OBJECT_OK, NULL);
    page = kit_text(&kit, 0, "queues/", "list", "");
    assert_null(strstr(page, "\"q3\""));
    assert_non_null(strstr(page, "\"other\""));
    free(page);
    http("queues/", "list", "{'limit':0}", OBJECT_INVALID, NULL);
    http("queues/", "list", "{'limit':1001}", OBJECT_INVALID, NULL);
}

static void arguments_are_strict(void **state)
{
    static const struct {
        const char *op, *args;
    } bad[] = {
        {"put", ""},
        {"put", "{}"},
        {"put", "{'value':1,'values':[]}"},
        {"put", "{'value':1,'value':2}"},
        {"put", "{'value':1,'x':2}"},
        {"put", "{'values':7}"},
        {"put", "{'value':1"},
        {"put", "{'value':01}"},
        {"put", "{'value':1} {"},
        {"put", "[1]"},
        {"put", "7"},
        {"get", "{'n':0}"},
        {"get", "{'n':1.5}"},
        {"get", "{'n':'1'}"},
        {"get", "{'n':10001}"},
        {"get", "{'lease':0}"},
        {"get", "{'lease':-1}"},
        {"get", "{'lease':1e99}"},
        {"get", "{'lease':'x'}"},
        {"get", "{'key':''}"},
        {"get", "{'key':7}"},
        {"get", "{'key':'a\\u0000b'}"},
        {"ack", "{}"},
        {"ack", "{'leases':null}"},
        {"ack", "{'leases':['1']}"},
        {"task_done", "{'count':0}"},
        {"size", "{'x':1}"},
    };
    (void)state;
    http("queues/q", "create", "", OBJECT_CREATED, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        http("queues/q", bad[i].op, bad[i].args, OBJECT_INVALID, NULL);
    http("queues/q", "size", " { } \n", OBJECT_OK, "{'size':0,'leased':0,'unfinished':0,'maxsize':0}");
    http("queues/q", "get", "{'n':null,'lease':null,'key':null}", OBJECT_EMPTY, NULL);
}

static void values_are_kept_verbatim_on_one_line(void **state)
{
    (void)state;
    task(1, "queues/q", "put", "{'value':1e400}", OBJECT_OK, NULL);
    task(1, "queues/q", "put", "{'value':[0.10,\n{'a':\r\n'\\u00e4'}]}", OBJECT_OK, NULL);
    task(1, "queues/q", "put", "{'value':null}", OBJECT_OK, NULL);
    http("queues/q", "get", "{'n':9}", OBJECT_OK, "{'values':[1e400,[0.10, {'a':  '\\u00e4'}],null]}");
    struct kit_call *put, *get = kit_begin(&kit, 0, "queues/q", "get", 1, "\n{\n}");
    put = kit_begin(&kit, 0, "queues/q", "put", 1, "{'value'\n:\n7}");
    kit_answers(&put, OBJECT_OK, NULL);
    kit_answers(&get, OBJECT_OK, "{'values':[7]}");
}

static void large_values_have_a_limit(void **state)
{
    size_t length = OBJECT_VALUE_MAX - 2;
    char *args = malloc(length + 32);
    (void)state;
    kit.check_restore = false;
    for (int over = 0; over < 2; over++) {
        size_t at = (size_t)sprintf(args, "{'value':'");
        memset(args + at, 'x', length + (size_t)over);
        strcpy(args + at + length + (size_t)over, "'}");
        task(1, "queues/q", "put", args, over ? OBJECT_LIMIT : OBJECT_OK, NULL);
    }
    /* Two such do not go into one answer: the first goes alone, the next is still there. */
    task(1, "queues/q", "put", "{'value':2}", OBJECT_OK, "{'size':2}");
    char *text = kit_text(&kit, 0, "queues/q", "get", "{'n':2}");
    assert_true(strlen(text) > length);
    free(text);
    http("queues/q", "get", "", OBJECT_OK, "{'values':[2]}");
    free(args);
}

static void memory_has_a_limit(void **state)
{
    size_t length = OBJECT_VALUE_MAX - 2;
    char *args = malloc(length + 32);
    struct kit_call *call;
    int puts = 0;
    (void)state;
    kit.check_restore = false;
    args[sprintf(args, "{'value':'%*s'}", (int)length, "")] = '\0';
    for (enum object_status status = OBJECT_OK; status == OBJECT_OK; puts++) {
        call = kit_begin(&kit, 1, "queues/q", "put", 0, args);
        status = call->call.status;
        kit_answers(&call, puts < 31 ? OBJECT_OK : OBJECT_NO_ROOM, NULL);
    }
    assert_int_equal(puts, 32); /* of 256 MiB */
    free(kit_text(&kit, 1, "queues/q", "get", ""));
    task(1, "queues/q", "put", args, OBJECT_OK, NULL);
    task(1, "queues/q", "clear", "", OBJECT_OK, "{'removed':31}");
    task(1, "queues/q", "put", args, OBJECT_OK, "{'size':1}");
    free(args);
}

static void says_what_is_waited_for(void **state)
{
    char text[64];
    (void)state;
    struct object_holder holder = {.run = 5};
    assert_false(objects_waits(kit.objects, &holder, text, sizeof text));
    struct kit_call *get = kit_begin(&kit, 5, "queues/results", "get", -1, "");
    struct kit_call *other = kit_begin(&kit, 6, "locks/printer", "acquire", 0, "");
    kit_answers(&other, OBJECT_OK, NULL);
    struct kit_call *acquire = kit_begin(&kit, 7, "locks/printer", "acquire", 9, "");
    assert_true(objects_waits(kit.objects, &holder, text, sizeof text));
    assert_string_equal(text, "queue results (get)");
    holder.run = 7;
    assert_true(objects_waits(kit.objects, &holder, text, sizeof text));
    assert_string_equal(text, "lock printer (acquire)");
    assert_int_equal(counters().waiting, 2);
    kit_gone(&kit, 7, true);
    kit_answers(&acquire, OBJECT_GIVEN_UP, NULL);
    assert_false(objects_waits(kit.objects, &holder, text, sizeof text));
    kit_give_up(get);
    kit_answers(&get, OBJECT_GIVEN_UP, NULL);
    assert_int_equal(counters().waiting, 0);
}

static void deleting_ends_the_wait(void **state)
{
    (void)state;
    struct kit_call *a = kit_begin(&kit, 5, "queues/q", "get", -1, "");
    struct kit_call *b = kit_begin(&kit, 0, "queues/q", "get", 5, "");
    http("queues/q", "delete", "", OBJECT_OK, "");
    kit_answers(&a, OBJECT_DELETED, NULL);
    kit_answers(&b, OBJECT_DELETED, NULL);
    kit_advance(&kit, 10);
}

static void waiters_have_a_limit(void **state)
{
    static struct kit_call *calls[OBJECT_WAITERS_MAX];
    (void)state;
    kit.check_restore = false;
    for (size_t i = 0; i < OBJECT_WAITERS_MAX; i++)
        calls[i] = kit_begin(&kit, i + 1, "queues/q", "get", -1, "");
    task(99999, "queues/q", "get", "", OBJECT_EMPTY, NULL);
    struct kit_call *late = kit_begin(&kit, 99999, "queues/q", "get", -1, "");
    kit_answers(&late, OBJECT_LIMIT, NULL);
    for (size_t i = 0; i < OBJECT_WAITERS_MAX; i++) {
        char wanted[40], args[40];
        sprintf(args, "{'value':%zu}", i);
        sprintf(wanted, "{'values':[%zu]}", i);
        http("queues/q", "put", args, OBJECT_OK, "{'size':1}");
        kit_answers(&calls[i], OBJECT_OK, wanted);
    }
}

/* A waiter that nobody listens to any more takes nothing. */
static bool always_gone(struct object_call *call)
{
    (void)call;
    return true;
}

static void vanished_waiters_take_nothing(void **state)
{
    (void)state;
    struct kit_call *a = kit_begin(&kit, 1, "queues/q", "get", -1, "");
    struct kit_call *b = kit_begin(&kit, 2, "queues/q", "get", -1, "");
    struct kit_call *c = kit_begin(&kit, 3, "queues/q", "get", 1, "");
    a->call.gone = c->call.gone = always_gone;
    task(4, "queues/q", "put", "{'value':1}", OBJECT_OK, NULL);
    kit_answers(&a, OBJECT_GIVEN_UP, NULL);
    kit_answers(&b, OBJECT_OK, "{'values':[1]}");
    kit_advance(&kit, 1);
    kit_answers(&c, OBJECT_GIVEN_UP, NULL);
}

static void numbers_are_never_given_twice(void **state)
{
    long long last = 0;
    (void)state;
    for (int life = 0; life < 3; life++) {
        for (int i = 0; i < 700; i++) {
            char *text = kit_text(&kit, 1, "locks/l", "acquire", "");
            long long token = kit_number(text, "token");
            assert_true(token > last && token < last + 2001);
            last = token;
            free(text);
            task(1, "locks/l", "release", "", OBJECT_OK, "");
            if (i == 350)
                http("locks/l", "delete", "", OBJECT_OK, NULL);
        }
        kit_restart(&kit);
    }
    assert_true(kit.puts < 20); /* and not one per acquire */
}

/* ---- queues ---- */

static void first_in_first_out(void **state)
{
    (void)state;
    http("queues/q", "create", "", OBJECT_CREATED, NULL);
    http("queues/q", "get", "", OBJECT_EMPTY, NULL);
    http("queues/q", "put", "{'value':'a'}", OBJECT_OK, "{'size':1}");
    http("queues/q", "put", "{'values':['b','c',{'d':[]}]}", OBJECT_OK, "{'size':4}");
    http("queues/q", "put", "{'values':[]}", OBJECT_OK, "{'size':4}");
    http("queues/q", "get", "", OBJECT_OK, "{'values':['a']}");
    kit_restart(&kit);
    http("queues/q", "get", "{'n':2}", OBJECT_OK, "{'values':['b','c']}");
    http("queues/q", "get", "{'n':2}", OBJECT_OK, "{'values':[{'d':[]}]}");
    http("queues/q", "get", "{'n':2}", OBJECT_EMPTY, NULL);
    http("queues/q", "size", "", OBJECT_OK, "{'size':0,'leased':0,'unfinished':4,'maxsize':0}");
    kit_restart(&kit);
    http("queues/q", "size", "", OBJECT_OK, "{'size':0,'leased':0,'unfinished':4,'maxsize':0}");
}

static void writes_are_few(void **state)
{
    (void)state;
    http("queues/q", "create", "", OBJECT_CREATED, NULL);
    http("queues/q", "put", "{'values':[1,2]}", OBJECT_OK, NULL);
    kit.puts = kit.drops = 0;
    for (int i = 0; i < 100; i++) {
        http("queues/q", "put", "{'value':1}", OBJECT_OK, NULL);
        http("queues/q", "get", "", OBJECT_OK, NULL);
    }
    assert_int_equal(kit.puts, 100);
    assert_int_equal(kit.drops, 100);
}

static void getters_are_served_in_order(void **state)
{
    (void)state;
    struct kit_call *a = kit_begin(&kit, 1, "queues/q", "get", -1, "{'n':5}");
    struct kit_call *b = kit_begin(&kit, 2, "queues/q", "get", -1, "");
    struct kit_call *c = kit_begin(&kit, 0, "queues/q", "get", 1, "");
    http("queues/q", "put", "{'values':[1,2]}", OBJECT_OK, "{'size':2}");
    kit_answers(&a, OBJECT_OK, "{'values':[1,2]}");
    kit_is_waiting(b);
    http("queues/q", "put", "{'value':3}", OBJECT_OK, "{'size':1}");
    kit_answers(&b, OBJECT_OK, "{'values':[3]}");
    kit_advance(&kit, 0.5);
    kit_is_waiting(c);
    kit_advance(&kit, 0.5);
    kit_answers(&c, OBJECT_EMPTY, NULL);
    http("queues/q", "put", "{'value':4}", OBJECT_OK, "{'size':1}");
}

static void a_full_queue_makes_putters_wait(void **state)
{
    (void)state;
    http("queues/q", "create", "{'maxsize':2}", OBJECT_CREATED, NULL);
    http("queues/q", "put", "{'values':[1,2,3]}", OBJECT_LIMIT, NULL);
    http("queues/q", "put", "{'value':1}", OBJECT_OK, NULL);
    http("queues/q", "put", "{'values':[2,3]}", OBJECT_QUEUE_FULL, NULL); /* all or none */
    struct kit_call *two = kit_begin(&kit, 1, "queues/q", "put", -1, "{'values':[2,3]}");
    struct kit_call *one = kit_begin(&kit, 2, "queues/q", "put", 3, "{'value':4}");
    http("queues/q", "put", "{'value':5}", OBJECT_QUEUE_FULL, NULL); /* others were first */
    kit_is_waiting(one);
    http("queues/q", "get", "", OBJECT_OK, "{'values':[1]}");
    kit_answers(&two, OBJECT_OK, "{'size':2}");
    kit_is_waiting(one);
    kit_advance(&kit, 3);
    kit_answers(&one, OBJECT_QUEUE_FULL, NULL);
    two = kit_begin(&kit, 1, "queues/q", "put", -1, "{'values':[6,7]}");
    one = kit_begin(&kit, 2, "queues/q", "put", -1, "{'value':8}");
    http("queues/q", "get", "", OBJECT_OK, "{'values':[2]}");
    kit_is_waiting(one);
    kit_gone(&kit, 1, true); /* who wanted more is gone: the next fits */
    kit_answers(&two, OBJECT_GIVEN_UP, NULL);
    kit_answers(&one, OBJECT_OK, "{'size':2}");
    http("queues/q", "get", "{'n':9}", OBJECT_OK, "{'values':[3,8]}");
}

static void tasks_are_done(void **state)
{
    (void)state;
    http("queues/q", "create", "", OBJECT_CREATED, NULL);
    http("queues/q", "join", "", OBJECT_OK, "");
    http("queues/q", "put", "{'values':[1,2,3]}", OBJECT_OK, NULL);
    http("queues/q", "join", "", OBJECT_BUSY, NULL);
    struct kit_call *join = kit_begin(&kit, 1, "queues/q", "join", -1, "");
    struct kit_call *other = kit_begin(&kit, 0, "queues/q", "join", 9, "");
    http("queues/q", "get", "{'n':3}", OBJECT_OK, NULL);
    http("queues/q", "task_done", "", OBJECT_OK, "");
    http("queues/q", "task_done", "{'count':3}", OBJECT_NOT_HOLDER, NULL);
    kit_is_waiting(join);
    kit_restart(&kit);
    kit_answers(&join, OBJECT_GIVEN_UP, NULL);
    kit_answers(&other, OBJECT_GIVEN_UP, NULL);
    join = kit_begin(&kit, 1, "queues/q", "join", -1, "");
    other = kit_begin(&kit, 0, "queues/q", "join", 9, "");
    http("queues/q", "task_done", "{'count':2}", OBJECT_OK, "");
    kit_answers(&join, OBJECT_OK, "");
    kit_answers(&other, OBJECT_OK, "");
    http("queues/q", "task_done", "", OBJECT_NOT_HOLDER, NULL);
    http("queues/q", "put", "{'values':[1,2,3]}", OBJECT_OK, NULL);
    join = kit_begin(&kit, 1, "queues/q", "join", -1, "");
    http("queues/q", "clear", "", OBJECT_OK, "{'removed':3}");
    kit_answers(&join, OBJECT_OK, "");
}

static void leases_return(void **state)
{
    (void)state;
    http("queues/q", "create", "", OBJECT_CREATED, NULL);
    http("queues/q", "put", "{'values':[1,2,3,4,5]}", OBJECT_OK, NULL);
    char *one = kit_text(&kit, 0, "queues/q", "get", "{'n':2,'lease':10}"); /* 1 2 */
    char *two = kit_text(&kit, 0, "queues/q", "get", "{'lease':20}");       /* 3 */
    long long lease = kit_number(one, "leases"), third = kit_number(two, "leases");
    assert_true(third > lease);
    char args[80];
    http("queues/q", "size", "", OBJECT_OK, "{'size':2,'leased':3,'unfinished':5,'maxsize':0}");
    sprintf(args, "{'leases':[%lld]}", lease);
    http("queues/q", "ack", args, OBJECT_OK, ""); /* 1 is done for good */
    http("queues/q", "ack", args, OBJECT_NO_ENTRY, NULL);
    sprintf(args, "{'leases':[%lld,%lld]}", third, lease);
    http("queues/q", "nack", args, OBJECT_NO_ENTRY, NULL); /* all or none */
    sprintf(args, "{'leases':[%lld,%lld]}", third, third);
    kit_restart(&kit);
    http("queues/q", "nack", args, OBJECT_OK, "");
    kit_advance(&kit, 9.9);
    http("queues/q", "size", "", OBJECT_OK, "{'size':3,'leased':1,'unfinished':5,'maxsize':0}");
    kit_advance(&kit, 0.2); /* 2 stands before 3 again */
    http("queues/q", "get", "{'n':9}", OBJECT_OK, "{'values':[2,3,4,5]}");
    free(one);
    free(two);
}

static void leases_of_a_gone_item_return(void **state)
{
    (void)state;
    task(1, "queues/q", "put", "{'values':[1,2,3,4]}", OBJECT_OK, NULL);
    free(kit_text(&kit, 1, "queues/q", "get", "{'n':2,'lease':1000}"));
    free(kit_text(&kit, 2, "queues/q", "get", "{'n':2,'lease':1000}"));
    struct kit_call *get = kit_begin(&kit, 3, "queues/q", "get", -1, "{'n':9}");
    kit_gone(&kit, 2, false);
    kit_answers(&get, OBJECT_OK, "{'values':[3,4]}");
    kit_gone(&kit, 1, true);
    http("queues/q", "size", "", OBJECT_OK, "{'size':2,'leased':0,'unfinished':4,'maxsize':0}");
    free(kit_text(&kit, 1, "queues/q", "get", "{'n':2,'lease':1000}"));
    kit_restart(&kit); /* no task survives it */
    http("queues/q", "get", "{'n':9}", OBJECT_OK, "{'values':[1,2]}");
}

static void an_expired_lease_wakes_the_next(void **state)
{
    (void)state;
    task(1, "queues/q", "put", "{'value':1}", OBJECT_OK, NULL);
    free(kit_text(&kit, 0, "queues/q", "get", "{'lease':5}"));
    struct kit_call *get = kit_begin(&kit, 2, "queues/q", "get", 5, "");
    kit_advance(&kit, 4.999);
    kit_is_waiting(get);
    kit_advance(&kit, 0.001);
    kit_answers(&get, OBJECT_OK, "{'values':[1]}");
    free(kit_text(&kit, 1, "queues/q", "put", "{'value':2}"));
    free(kit_text(&kit, 0, "queues/q", "get", "{'lease':5}"));
    http("queues/q", "delete", "", OBJECT_OK, "");
    kit_advance(&kit, 6);
}

static void leases_expire_in_order(void **state)
{
    struct kit_call *gets[5];
    char wanted[40];
    (void)state;
    task(1, "queues/q", "put", "{'values':[1,2,3,4,5]}", OBJECT_OK, NULL);
    free(kit_text(&kit, 0, "queues/q", "get", "{'n':5,'lease':5}"));
    for (size_t i = 0; i < 5; i++)
        gets[i] = kit_begin(&kit, i + 1, "queues/q", "get", -1, "");
    kit_advance(&kit, 5);
    for (size_t i = 0; i < 5; i++) {
        sprintf(wanted, "{'values':[%zu]}", i + 1);
        kit_answers(&gets[i], OBJECT_OK, wanted);
    }
}

static void the_same_key_gets_the_same(void **state)
{
    (void)state;
    http("queues/q", "create", "", OBJECT_CREATED, NULL);
    http("queues/q", "get", "{'key':'k'}", OBJECT_EMPTY, NULL);
    http("queues/q", "put", "{'values':[1,2,3]}", OBJECT_OK, NULL);
    http("queues/q", "get", "{'key':'k','n':2}", OBJECT_OK, "{'values':[1,2]}");
    http("queues/q", "get", "{'key':'k'}", OBJECT_OK, "{'values':[1,2]}");
    kit_restart(&kit);
    http("queues/q", "get", "{'key':'k'}", OBJECT_OK, "{'values':[1,2]}");
    http("queues/q", "get", "{'key':'\\u00e4\\n\\ud83d\\ude00'}", OBJECT_OK, "{'values':[3]}");
    http("queues/q", "get", "{'key':'\xc3\xa4\\n\xf0\x9f\x98\x80'}", OBJECT_OK, "{'values':[3]}");
    struct kit_call *a = kit_begin(&kit, 0, "queues/q", "get", 5, "{'key':'w'}");
    struct kit_call *b = kit_begin(&kit, 0, "queues/q", "get", 5, "{'key':'w'}");
    http("queues/q", "put", "{'value':4}", OBJECT_OK, NULL);
    kit_answers(&a, OBJECT_OK, "{'values':[4]}");
    kit_answers(&b, OBJECT_OK, "{'values':[4]}");
    uint64_t drops = kit.drops;
    kit_advance(&kit, 3601);
    assert_int_equal(kit.drops, drops + 3); /* they do not stay in the store */
    http("queues/q", "get", "{'key':'k'}", OBJECT_EMPTY, NULL);
}

static void keys_have_a_limit(void **state)
{
    char args[64], wanted[64];
    (void)state;
    kit.check_restore = false;
    for (int i = 0; i < 10001; i++) {
        sprintf(args, "{'value':%d}", i);
        task(1, "queues/q", "put", args, OBJECT_OK, NULL);
        sprintf(args, "{'key':'k%d'}", i);
        sprintf(wanted, "{'values':[%d]}", i);
        http("queues/q", "get", args, OBJECT_OK, wanted);
    }
    kit_check_restore(&kit);
    kit_restart(&kit);
    http("queues/q", "get", "{'key':'k0'}", OBJECT_EMPTY, NULL);
    http("queues/q", "get", "{'key':'k1'}", OBJECT_OK, "{'values':[1]}");
    task(1, "queues/q", "put", "{'value':1}", OBJECT_OK, NULL);
    http("queues/q", "get", "{'key':'new'}", OBJECT_OK, "{'values':[1]}");
    http("queues/q", "get", "{'key':'k1'}", OBJECT_EMPTY, NULL);
    http("queues/q", "get", "{'key':'k2'}", OBJECT_OK, "{'values':[2]}");
}

/* ---- pipes ---- */

static void both_directions(void **state)
{
    (void)state;
    http("pipes/p", "create", "", OBJECT_CREATED, NULL);
    http("pipes/p", "create", "{'duplex':false}", OBJECT_EXISTS, NULL);
    http("pipes/p", "recv", "{'end':'a'}", OBJECT_EMPTY, NULL);
    http("pipes/p", "send", "{'end':'a','value':[1,'x']}", OBJECT_OK, "");
    http("pipes/p", "send", "{'end':'a','value':2}", OBJECT_OK, "");
    http("pipes/p", "send", "{'end':'b','value':3}", OBJECT_OK, "");
    http("pipes/p", "poll", "{'end':'a'}", OBJECT_OK, "{'ready':true}");
    kit_restart(&kit);
    http("pipes/p", "recv", "{'end':'b'}", OBJECT_OK, "{'value':[1,'x']}");
    http("pipes/p", "recv", "{'end':'b'}", OBJECT_OK, "{'value':2}");
    http("pipes/p", "recv", "{'end':'b'}", OBJECT_EMPTY, NULL);
    http("pipes/p", "recv", "{'end':'a'}", OBJECT_OK, "{'value':3}");
    http("pipes/p", "recv", "{'end':'c'}", OBJECT_INVALID, NULL);
    http("pipes/p", "recv", "", OBJECT_INVALID, NULL);
    http("pipes/p", "send", "{'end':'a'}", OBJECT_INVALID, NULL);
}

static void one_way(void **state)
{
    (void)state;
    http("pipes/p", "create", "{'duplex':false}", OBJECT_CREATED, NULL);
    http("pipes/p", "send", "{'end':'a','value':1}", OBJECT_INVALID, NULL);
    http("pipes/p", "recv", "{'end':'b'}", OBJECT_INVALID, NULL);
    http("pipes/p", "poll", "{'end':'b'}", OBJECT_INVALID, NULL);
    http("pipes/p", "send", "{'end':'b','value':1}", OBJECT_OK, NULL);
    http("pipes/p", "recv", "{'end':'a'}", OBJECT_OK, "{'value':1}");
}

static void receivers_wait_at_their_end(void **state)
{
    (void)state;
    struct kit_call *a = kit_begin(&kit, 1, "pipes/p", "recv", -1, "{'end':'a'}");
    struct kit_call *b = kit_begin(&kit, 2, "pipes/p", "recv", -1, "{'end':'b'}");
    struct kit_call *poll = kit_begin(&kit, 3, "pipes/p", "poll", 5, "{'end':'b'}");
    struct kit_call *late = kit_begin(&kit, 4, "pipes/p", "poll", 5, "{'end':'a'}");
    http("pipes/p", "send", "{'end':'a','value':1}", OBJECT_OK, NULL);
    kit_is_waiting(a);
    kit_answers(&b, OBJECT_OK, "{'value':1}");
    kit_is_waiting(poll); /* it was received */
    http("pipes/p", "send", "{'end':'a','value':2}", OBJECT_OK, NULL);
    kit_answers(&poll, OBJECT_OK, "{'ready':true}");
    kit_advance(&kit, 5);
    kit_answers(&late, OBJECT_OK, "{'ready':false}");
    http("pipes/p", "close", "{'end':'b'}", OBJECT_OK, "");
    kit_answers(&a, OBJECT_CLOSED, NULL);
}

static void end_of_file(void **state)
{
    (void)state;
    http("pipes/p", "create", "", OBJECT_CREATED, NULL);
    http("pipes/p", "send", "{'end':'a','value':1}", OBJECT_OK, NULL);
    http("pipes/p", "send", "{'end':'b','value':2}", OBJECT_OK, NULL);
    http("pipes/p", "close", "{'end':'a'}", OBJECT_OK, "");
    http("pipes/p", "close", "{'end':'a'}", OBJECT_OK, "");
    char *text = kit_text(&kit, 0, "pipes/p", "inspect", "");
    assert_non_null(strstr(text, "\"a\":{\"unread\":0,")); /* nobody can read it any more */
    assert_non_null(strstr(text, "\"b\":{\"unread\":1,"));
    free(text);
    http("pipes/p", "recv", "{'end':'a'}", OBJECT_CLOSED, NULL); /* one's own end */
    http("pipes/p", "send", "{'end':'a','value':1}", OBJECT_CLOSED, NULL);
    http("pipes/p", "send", "{'end':'b','value':1}", OBJECT_CLOSED, NULL); /* a broken pipe */
    kit_restart(&kit);
    http("pipes/p", "poll", "{'end':'b'}", OBJECT_OK, "{'ready':true}");
    http("pipes/p", "recv", "{'end':'b'}", OBJECT_OK, "{'value':1}"); /* what was sent before */
    http("pipes/p", "recv", "{'end':'b'}", OBJECT_CLOSED, NULL);
    http("pipes/p", "poll", "{'end':'b'}", OBJECT_OK, "{'ready':true}");
    http("pipes/p", "create", "", OBJECT_OK, NULL); /* there is still one who may read */
    http("pipes/p", "recv", "{'end':'b'}", OBJECT_CLOSED, NULL);
    http("pipes/p", "close", "{'end':'b'}", OBJECT_OK, "");
    http("pipes/p", "create", "", OBJECT_OK, NULL); /* a new pipe */
    http("pipes/p", "recv", "{'end':'b'}", OBJECT_EMPTY, NULL);
    http("pipes/p", "send", "{'end':'a','value':5}", OBJECT_OK, NULL);
    http("pipes/p", "recv", "{'end':'b'}", OBJECT_OK, "{'value':5}");
}

static void a_full_pipe_makes_senders_wait(void **state)
{
    size_t length = OBJECT_VALUE_MAX - 2;
    char *args = malloc(length + 64);
    (void)state;
    kit.check_restore = false;
    sprintf(args, "{'end':'a','value':'%*s'}", (int)length, "");
    for (int i = 0; i < 8; i++)
        task(1, "pipes/p", "send", args, OBJECT_OK, NULL);
    task(1, "pipes/p", "send", "{'end':'a','value':1}", OBJECT_QUEUE_FULL, NULL);
    struct kit_call *send = kit_begin(&kit, 1, "pipes/p", "send", -1, args);
    struct kit_call *next = kit_begin(&kit, 2, "pipes/p", "send", -1, "{'end':'a','value':1}");
    task(1, "pipes/p", "send", "{'end':'b','value':1}", OBJECT_OK, NULL); /* the other direction is free */
    free(kit_text(&kit, 3, "pipes/p", "recv", "{'end':'b'}"));
    kit_answers(&send, OBJECT_OK, NULL);
    kit_is_waiting(next);
    task(3, "pipes/p", "close", "{'end':'b'}", OBJECT_OK, NULL);
    kit_answers(&next, OBJECT_CLOSED, NULL);
    free(args);
}

/* ---- locks ---- */

static long long acquire(uint64_t run, const char *object, const char *args)
{
    char *text = kit_text(&kit, run, object, "acquire", args);
    long long token = kit_number(text, "token");
    free(text);
    return token;
}

static void release(uint64_t run, const char *object, long long token, enum object_status status)
{
    char args[40];
    sprintf(args, "{'token':%lld}", token);
    kit_expect(&kit, run, object, "release", args, status, NULL);
}

static void one_holder_at_a_time(void **state)
{
    (void)state;
    http("locks/l", "create", "", OBJECT_CREATED, NULL);
    http("locks/l", "acquire", "", OBJECT_INVALID, NULL); /* from outside it needs a ttl */
    http("locks/l", "acquire", "{'ttl':0}", OBJECT_INVALID, NULL);
    long long first = acquire(0, "locks/l", "{'ttl':10}");
    http("locks/l", "acquire", "{'ttl':10}", OBJECT_BUSY, NULL);
    task(1, "locks/l", "acquire", "", OBJECT_BUSY, NULL);
    struct kit_call *a = kit_begin(&kit, 1, "locks/l", "acquire", -1, "");
    struct kit_call *b = kit_begin(&kit, 2, "locks/l", "acquire", -1, "");
    http("locks/l", "release", "", OBJECT_INVALID, NULL);
    task(3, "locks/l", "release", "", OBJECT_NOT_HOLDER, NULL);
    release(0, "locks/l", first + 100, OBJECT_NOT_HOLDER);
    release(0, "locks/l", first, OBJECT_OK);
    assert_true(kit_number(a->text, "token") > first);
    kit_answers(&a, OBJECT_OK, NULL);
    kit_is_waiting(b);
    release(0, "locks/l", first, OBJECT_NOT_HOLDER);
    task(2, "locks/l", "release", "", OBJECT_NOT_HOLDER, NULL);
    task(1, "locks/l", "release", "", OBJECT_OK, "");
    kit_answers(&b, OBJECT_OK, NULL);
    http("locks/l", "delete", "", OBJECT_OK, NULL);
    kit_gone(&kit, 2, true);
}

static void locks_expire(void **state)
{
    char args[64];
    (void)state;
    http("locks/l", "create", "", OBJECT_CREATED, NULL);
    long long token = acquire(0, "locks/l", "{'ttl':10}");
    kit_advance(&kit, 9);
    sprintf(args, "{'token':%lld,'ttl':5}", token);
    char *renewed = kit_text(&kit, 0, "locks/l", "renew", args);
    assert_int_equal(kit_number(renewed, "expires_ms"), kit.wall_ms + 5000);
    free(renewed);
    kit_restart(&kit);
    http("locks/l", "acquire", "{'ttl':10}", OBJECT_BUSY, NULL);
    struct kit_call *next = kit_begin(&kit, 1, "locks/l", "acquire", -1, "");
    kit_advance(&kit, 4.9);
    kit_is_waiting(next);
    kit_advance(&kit, 0.1);
    assert_non_null(strstr(next->text, "\"recovered\":true")); /* who let it expire may have left things half done */
    kit_answers(&next, OBJECT_OK, NULL);
    http("locks/l", "renew", args, OBJECT_NOT_HOLDER, NULL);
    task(1, "locks/l", "release", "", OBJECT_OK, NULL);
    char *text = kit_text(&kit, 1, "locks/l", "acquire", "");
    assert_non_null(strstr(text, "\"expires_ms\":null,\"recovered\":false"));
    free(text);
}

static void a_dead_holder_leaves_its_locks(void **state)
{
    (void)state;
    acquire(1, "locks/a", "");
    acquire(1, "locks/b", "");
    task(9, "locks/s", "create", "{'type':'semaphore','value':2}", OBJECT_CREATED, NULL);
    acquire(1, "locks/s", "");
    acquire(1, "locks/s", "");
    struct kit_call *wait = kit_begin(&kit, 1, "locks/s", "acquire", -1, "");
    struct kit_call *next = kit_begin(&kit, 2, "locks/s", "acquire", -1, "");
    kit_gone(&kit, 1, true);
    kit_answers(&wait, OBJECT_GIVEN_UP, NULL);
    assert_non_null(strstr(next->text, "\"recovered\":true"));
    kit_answers(&next, OBJECT_OK, NULL);
    kit_gone(&kit, 2, false);
    kit_restart(&kit);
    char *text = kit_text(&kit, 3, "locks/a", "acquire", "");
    assert_non_null(strstr(text, "\"recovered\":true"));
    free(text);
    task(3, "locks/a", "release", "", OBJECT_OK, NULL);
    text = kit_text(&kit, 3, "locks/a", "acquire", "");
    assert_non_null(strstr(text, "\"recovered\":false"));
    free(text);
    acquire(4, "locks/b", "");
    kit_gone(&kit, 4, false); /* it ended without a release, but in order */
    text = kit_text(&kit, 3, "locks/b", "acquire", "");
    assert_non_null(strstr(text, "\"recovered\":false"));
    free(text);
}

static void rlocks_are_entered_again(void **state)
{
    char args[64];
    (void)state;
    http("locks/r", "create", "{'type':'rlock'}", OBJECT_CREATED, NULL);
    long long token = acquire(1, "locks/r", "");
    struct kit_call *other = kit_begin(&kit, 2, "locks/r", "acquire", -1, "");
    assert_int_equal(acquire(1, "locks/r", ""), token);
    task(1, "locks/r", "release", "", OBJECT_OK, NULL);
    kit_is_waiting(other);
    task(1, "locks/r", "release", "", OBJECT_OK, NULL);
    kit_answers(&other, OBJECT_OK, NULL);
    task(2, "locks/r", "release", "", OBJECT_OK, NULL);
    token = acquire(0, "locks/r", "{'ttl':10}");
    sprintf(args, "{'token':%lld}", token);
    http("locks/r", "acquire", "{'token':99999}", OBJECT_NOT_HOLDER, NULL);
    http("locks/r", "acquire", args, OBJECT_OK, NULL);
    kit_restart(&kit);
    http("locks/r", "release", args, OBJECT_OK, NULL);
    http("locks/r", "acquire", "{'ttl':1}", OBJECT_BUSY, NULL);
    http("locks/r", "release", args, OBJECT_OK, NULL);
    http("locks/r", "release", args, OBJECT_NOT_HOLDER, NULL);
    task(1, "locks/plain", "acquire", args, OBJECT_INVALID, NULL);
}

static void semaphores_count(void **state)
{
    (void)state;
    http("locks/s", "create", "{'type':'semaphore','value':0}", OBJECT_CREATED, NULL);
    http("locks/l", "create", "{'value':2}", OBJECT_INVALID, NULL);
    http("locks/l", "create", "{'type':'x'}", OBJECT_INVALID, NULL);
    http("locks/b", "create", "{'type':'bounded','value':-1}", OBJECT_INVALID, NULL);
    struct kit_call *a = kit_begin(&kit, 1, "locks/s", "acquire", -1, "");
    struct kit_call *b = kit_begin(&kit, 2, "locks/s", "acquire", -1, "");
    http("locks/s", "release", "", OBJECT_OK, NULL); /* a signal */
    kit_answers(&a, OBJECT_OK, NULL);
    kit_is_waiting(b);
    task(3, "locks/s", "release", "", OBJECT_OK, NULL);
    kit_answers(&b, OBJECT_OK, NULL);
    kit_gone(&kit, 1, false);
    kit_gone(&kit, 2, false);
    kit_restart(&kit);
    acquire(1, "locks/s", "");
    acquire(1, "locks/s", "");
    task(1, "locks/s", "acquire", "", OBJECT_BUSY, NULL);
}

static void bounded_semaphores_are_bounded(void **state)
{
    (void)state;
    http("locks/b", "create", "{'type':'bounded','value':2}", OBJECT_CREATED, NULL);
    acquire(1, "locks/b", "");
    long long token = acquire(0, "locks/b", "{'ttl':60}");
    task(2, "locks/b", "acquire", "", OBJECT_BUSY, NULL);
    task(1, "locks/b", "release", "", OBJECT_OK, NULL);
    task(1, "locks/b", "release", "", OBJECT_NOT_HOLDER, NULL);
    release(2, "locks/b", token, OBJECT_OK); /* the token is the right to */
    char *text = kit_text(&kit, 0, "locks/b", "inspect", "");
    assert_int_equal(kit_number(text, "available"), 2);
    free(text);
}

static void a_value_has_a_lock(void **state)
{
    (void)state;
    kit.kinds = 1U << OBJECT_LOCK; /* a value's version is another after a restart */
    http("locks/values/v", "acquire", "{'ttl':5}", OBJECT_MISSING, NULL);
    http("values/v", "create", "{'typecode':'i'}", OBJECT_CREATED, NULL);
    acquire(1, "locks/values/v", "");
    acquire(1, "locks/values/v", ""); /* it is an rlock */
    struct kit_call *wait = kit_begin(&kit, 2, "locks/values/v", "acquire", -1, "");
    http("values/v", "delete", "", OBJECT_OK, NULL);
    kit_answers(&wait, OBJECT_DELETED, NULL);
    http("locks/values/v", "inspect", "", OBJECT_MISSING, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(creates_and_deletes),
        TEST(tasks_create_what_is_missing),
        TEST(names),
        TEST(lists),
        TEST(arguments_are_strict),
        TEST(values_are_kept_verbatim_on_one_line),
        TEST(large_values_have_a_limit),
        TEST(memory_has_a_limit),
        TEST(says_what_is_waited_for),
        TEST(deleting_ends_the_wait),
        TEST(waiters_have_a_limit),
        TEST(vanished_waiters_take_nothing),
        TEST(numbers_are_never_given_twice),
        TEST(first_in_first_out),
        TEST(writes_are_few),
        TEST(getters_are_served_in_order),
        TEST(a_full_queue_makes_putters_wait),
        TEST(tasks_are_done),
        TEST(leases_return),
        TEST(leases_of_a_gone_item_return),
        TEST(an_expired_lease_wakes_the_next),
        TEST(leases_expire_in_order),
        TEST(the_same_key_gets_the_same),
        TEST(keys_have_a_limit),
        TEST(both_directions),
        TEST(one_way),
        TEST(receivers_wait_at_their_end),
        TEST(end_of_file),
        TEST(a_full_pipe_makes_senders_wait),
        TEST(one_holder_at_a_time),
        TEST(locks_expire),
        TEST(a_dead_holder_leaves_its_locks),
        TEST(rlocks_are_entered_again),
        TEST(semaphores_count),
        TEST(bounded_semaphores_are_bounded),
        TEST(a_value_has_a_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
