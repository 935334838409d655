/* worker_calls_test: items that call shared objects – of runtimes, plugins and commands – with this test as their
 * worker's server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "wire/channel.h"
#include "wire/fds.h"
#include "wire/messages.h"
#include "wire/scoreboard.h"
#include "wire/workbench.h"

#define SLOT 4
#define GENERATION 17
#define RUN 77

struct rig {
    pid_t pid;
    struct channel channel;
    struct workbench *bench;
    struct frame frame; /* the last one */
    struct buf lines;   /* of results, not yet looked at */
    bool done;          /* the last of them has come */
};

/* ---- starting and ending ---- */

static int out_of_the_way(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 20);
    assert_int_not_equal(high, -1);
    close(fd);
    return high;
}

static void spawn(struct rig *rig, int channel, int scoreboard, int workbench)
{
    char parent[48];
    snprintf(parent, sizeof parent, "POOLD_WORKER_PARENT=%d", (int)getpid());
    char *argv[] = {"poold-worker", NULL};
    char *environment[] = {"POOLD_WORKER_SLOT=4", "POOLD_WORKER_GENERATION=17", parent, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, channel, FD_CHANNEL);
    posix_spawn_file_actions_adddup2(&actions, scoreboard, FD_SCOREBOARD);
    posix_spawn_file_actions_adddup2(&actions, workbench, FD_WORKBENCH);
    assert_int_equal(posix_spawn(&rig->pid, WORKER, &actions, NULL, argv, environment), 0);
    posix_spawn_file_actions_destroy(&actions);
}

/* The next frame within 10 s; false when the channel ends. */
static bool next(struct rig *rig)
{
    while (!channel_next(&rig->channel, &rig->frame)) {
        struct pollfd wait = {.fd = rig->channel.fd, .events = POLLIN};
        if (rig->channel.eof || rig->channel.broken)
            return false;
        if (poll(&wait, 1, 10000) == 0)
            fail_msg("nothing came for 10 s");
        channel_receive(&rig->channel);
    }
    return true;
}

static void start(struct rig *rig)
{
    struct error error;
    char path[] = "/tmp/worker_calls_XXXXXX";
    int ends[2];
    *rig = (struct rig){.pid = -1};
    close(mkstemp(path));
    int scoreboard = out_of_the_way(scoreboard_create(path, &error));
    unlink(path);
    int workbench = out_of_the_way(workbench_create(&error));
    assert_int_equal(fd_stream_pair(ends, 0), 0);
    int far = out_of_the_way(ends[1]);
    rig->bench = workbench_map(workbench, &error);
    channel_init(&rig->channel, out_of_the_way(ends[0]));
    spawn(rig, far, scoreboard, workbench);
    close(far);
    close(scoreboard);
    close(workbench);
    assert_true(next(rig));
    assert_int_equal(rig->frame.type, MESSAGE_hello);
}

static void await_end(struct rig *rig)
{
    for (int i = 0; i < 5000; i++, usleep(2000))
        if (waitpid(rig->pid, NULL, WNOHANG) == rig->pid) {
            rig->pid = -1;
            return;
        }
    fail_msg("it does not end");
}

static void finish(struct rig *rig)
{
    channel_close(&rig->channel);
    if (rig->pid != -1)
        await_end(rig);
    workbench_unmap(&rig->bench);
    buf_free(&rig->lines);
}

/* ---- talking ---- */

static void say(struct rig *rig, unsigned type, const unsigned char *body, size_t length, const char *tail)
{
    assert_int_equal(channel_send(&rig->channel, type, SLOT, GENERATION, body, length, tail, strlen(tail)), CHANNEL_OK);
    while (channel_wants_write(&rig->channel)) {
        struct pollfd wait = {.fd = rig->channel.fd, .events = POLLOUT};
        poll(&wait, 1, 10000);
        assert_int_equal(channel_flush(&rig->channel), CHANNEL_OK);
    }
}

static void define(struct rig *rig, uint32_t definition, const char *manifest)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_define message = {.definition = definition};
    say(rig, MESSAGE_define, body, message_define_encode(&message, body), manifest);
}

static void run_within(struct rig *rig, uint32_t definition, const char *function, const char *items, uint32_t count,
                       int64_t timeout_ns)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_run message = {.run = RUN,
                                  .job = 5,
                                  .first = 10,
                                  .count = count,
                                  .attempt = 1,
                                  .definition = definition,
                                  .timeout_ns = (uint64_t)timeout_ns,
                                  .value_max = VALUE_BYTES_MAX};
    snprintf(message.function, sizeof message.function, "%s", function);
    rig->done = false;
    workbench_offer(rig->bench, RUN, count);
    say(rig, MESSAGE_run, body, message_run_encode(&message, body), items);
}

static void run(struct rig *rig, uint32_t definition, const char *function, const char *items, uint32_t count)
{
    run_within(rig, definition, function, items, count, 0);
}

static void tail_is(const struct rig *rig, const char *text)
{
    char *tail = strndup(rig->frame.tail, rig->frame.tail_length);
    assert_string_equal(tail, text);
    free(tail);
}

static void take_result(struct rig *rig)
{
    struct message_result result;
    assert_int_equal(rig->frame.type, MESSAGE_result);
    assert_int_equal(message_result_decode(&result, rig->frame.body, rig->frame.body_length), 0);
    buf_append(&rig->lines, rig->frame.tail, rig->frame.tail_length);
    rig->done = result.done;
}

/* The next frame, but for results, is a call of this item; its number. */
static uint32_t next_call(struct rig *rig, uint32_t index, const char *request)
{
    struct message_call call;
    assert_true(next(rig));
    for (; rig->frame.type != MESSAGE_call; assert_true(next(rig)))
        take_result(rig);
    assert_int_equal(message_call_decode(&call, rig->frame.body, rig->frame.body_length), 0);
    assert_true(call.run == RUN && call.attempt == 1);
    assert_int_equal(call.index, index);
    tail_is(rig, request);
    return call.call;
}

static void answer(struct rig *rig, uint32_t index, uint32_t call, const char *text)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_answer message = {.run = RUN, .index = index, .call = call};
    say(rig, MESSAGE_answer, body, message_answer_encode(&message, body), text);
}

/* These lines come next, and the end of the slice if and only if `done`. How they are put together is up to the time
 * that it takes. */
static void next_result(struct rig *rig, bool done, const char *lines)
{
    while (rig->lines.length < strlen(lines) || (done && !rig->done)) {
        assert_true(next(rig));
        take_result(rig);
    }
    assert_string_equal(buf_cstr(&rig->lines), lines);
    assert_int_equal(rig->done, done);
    buf_clear(&rig->lines, 0);
}

static void next_output(struct rig *rig, const char *text)
{
    assert_true(next(rig));
    assert_int_equal(rig->frame.type, MESSAGE_output);
    tail_is(rig, text);
}

#define SINGLE "{\"name\":\"f\",\"runtime\":[\"python3\",\"" SCRIPT "\"]}"
#define BATCHES "{\"name\":\"f\",\"runtime\":[\"python3\",\"" SCRIPT "\",\"batch\"]}"
#define PUT "{\"object\":\"queues/q\",\"op\":\"put\",\"args\":{\"value\":7},\"wait\":5}"
#define GET "{\"object\":\"queues/q\",\"op\":\"get\",\"wait\":null}"

/* ---- runtimes ---- */

/* One call after the other; a slice's other items stay whole, whatever comes meanwhile, and so does a definition. */
static void items_call(const char *manifest)
{
    struct rig rig;
    start(&rig);
    define(&rig, 1, manifest);
    run(&rig, 1, "f", "[[\"ask\"," PUT "]]\n[[\"nothing\"]]\n[[\"ask\"," GET "],[\"ask\"," GET "]]\n", 3);
    uint32_t call = next_call(&rig, 10, PUT);
    char *large = malloc(3000000);
    memset(large, ' ', 3000000);
    memcpy(large, "{\"name\":\"late\",\"command\":[\"cat\"]", 32);
    strcpy(large + 2999990, "}");
    define(&rig, 2, large);
    answer(&rig, 10, call, "{\"ok\":{\"size\":1,\n\"more\":0.10}}");
    next_result(&rig, false, "{\"index\":10,\"value\":{\"ok\":{\"size\":1,\"more\":0.1}}}\n");
    assert_true(next_call(&rig, 12, GET) > call);
    answer(&rig, 10, call, "{\"ok\":\"of an item that has ended\"}");
    answer(&rig, 12, call + 1, "{\"ok\":\"first\"}");
    next_call(&rig, 12, GET);
    answer(&rig, 12, call + 2, "{\"error\":{\"type\":\"empty\",\"message\":\"nothing\"}}");
    next_result(&rig, false,
                "{\"index\":11,\"value\":null}\n"
                "{\"index\":12,\"value\":{\"error\":{\"type\":\"empty\",\"message\":\"nothing\"}}}\n");
    next_result(&rig, true, "");
    answer(&rig, 12, call + 2, "{\"ok\":\"much too late\"}");
    run(&rig, 2, "late", "true\n", 1);
    next_result(&rig, true, "{\"index\":10,\"value\":true}\n");
    free(large);
    finish(&rig);
}

static void items_of_runtimes_call(void **state)
{
    (void)state;
    items_call(SINGLE);
}

static void items_of_batches_call(void **state)
{
    (void)state;
    items_call(BATCHES);
}

static void calls_overlap(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    define(&rig, 1, BATCHES);
    run(&rig, 1, "f", "[[\"send\",1," GET "],[\"send\",2," PUT "],[\"await\",1,2]]\n", 1);
    assert_int_equal(next_call(&rig, 10, GET), 1);
    assert_int_equal(next_call(&rig, 10, PUT), 2);
    answer(&rig, 10, 2, "{\"ok\":\"put\"}");
    answer(&rig, 10, 1, "{\"ok\":\"got\"}");
    next_result(&rig, false,
                "{\"index\":10,\"value\":[{\"call\":2,\"answer\":{\"ok\":\"put\"}},{\"call\":1,\"answer\":"
                "{\"ok\":\"got\"}}]}\n");
    next_result(&rig, true, "");
    finish(&rig);
}

/* Whose result comes must have called before. */
static void results_come_after_calls(struct rig *rig)
{
    struct message_result result = {0};
    struct message_call call;
    bool called[60] = {false};
    while (!result.done) {
        assert_true(next(rig));
        if (rig->frame.type == MESSAGE_call) {
            assert_int_equal(message_call_decode(&call, rig->frame.body, rig->frame.body_length), 0);
            assert_int_equal(call.call, 0);
            called[call.index] = true;
            continue;
        }
        assert_int_equal(message_result_decode(&result, rig->frame.body, rig->frame.body_length), 0);
        for (uint32_t i = result.first; i < result.first + result.count; i++)
            assert_true(called[i] == (i % 2 == 1));
    }
}

/* A quiet call is on its way before its item's result is, in batches, too; its error is in the log. */
static void quiet_calls_are_in_order(const char *manifest)
{
    struct rig rig;
    char items[4096] = "";
    start(&rig);
    define(&rig, 1, manifest);
    for (int i = 0; i < 20; i++)
        strcat(items, "[[\"nothing\"]]\n[[\"quiet\"," PUT "]]\n");
    run(&rig, 1, "f", items, 40);
    results_come_after_calls(&rig);
    run(&rig, 1, "f", "[[\"quiet\"," PUT "],[\"ask\"," GET "]]\n", 1);
    assert_int_equal(next_call(&rig, 10, PUT), 0);
    uint32_t call = next_call(&rig, 10, GET);
    answer(&rig, 10, 0, "{\"ok\":1}");
    answer(&rig, 10, 0, "{\"error\":{\"type\":\"full\",\"message\":\"no\"}}");
    next_output(&rig, "a quiet call failed: ");
    next_output(&rig, "{\"error\":{\"type\":\"full\",\"message\":\"no\"}}");
    next_output(&rig, "\n");
    answer(&rig, 10, call, "{\"ok\":1}");
    next_result(&rig, false, "{\"index\":10,\"value\":{\"ok\":1}}\n");
    next_result(&rig, true, "");
    finish(&rig);
}

static void quiet_calls_of_runtimes(void **state)
{
    (void)state;
    quiet_calls_are_in_order(SINGLE);
}

static void quiet_calls_of_batches(void **state)
{
    (void)state;
    quiet_calls_are_in_order(BATCHES);
}

static void calls_in_the_middle_of_a_batch(void **state)
{
    (void)state;
    struct rig rig;
    struct message_result result;
    char items[8192] = "";
    start(&rig);
    define(&rig, 1, BATCHES);
    /* Until it is given many at once. */
    for (int i = 0; i < 400; i++)
        strcat(items, "[[\"nothing\"]]\n");
    run(&rig, 1, "f", items, 400);
    do {
        assert_true(next(&rig));
        assert_int_equal(message_result_decode(&result, rig.frame.body, rig.frame.body_length), 0);
    } while (!result.done);
    run(&rig, 1, "f", "[[\"nothing\"]]\n[[\"nothing\"]]\n[[\"ask\"," GET "]]\n[[\"ask\"," PUT "]]\n", 4);
    answer(&rig, 12, next_call(&rig, 12, GET), "{\"ok\":1}");
    next_result(&rig, false,
                "{\"index\":10,\"value\":null}\n{\"index\":11,\"value\":null}\n{\"index\":12,\"value\":{\"ok\":1}}\n");
    answer(&rig, 13, next_call(&rig, 13, PUT), "{\"ok\":2}");
    next_result(&rig, false, "{\"index\":13,\"value\":{\"ok\":2}}\n");
    next_result(&rig, true, "");
    finish(&rig);
}

static void late_and_mad_calls(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    define(&rig, 1, BATCHES);
    run(&rig, 1, "f",
        "[[\"nothing\"]]\n[[\"late\"," GET "]]\n[[\"raw\",\"nonsense\\n\"],[\"await\",1]]\n[[\"nothing\"]]\n", 4);
    do {
        assert_true(next(&rig));
        assert_int_equal(rig.frame.type, MESSAGE_result);
    } while (memmem(rig.frame.tail, rig.frame.tail_length, "\"index\":13,\"value\":null", 22) == NULL);
    run(&rig, 1, "f", "[[\"ask\",{\"object\":\"x\"}]]\n", 1);
    answer(&rig, 10, next_call(&rig, 10, "{\"object\":\"x\"}"), "{\"ok\":null}");
    next_result(&rig, false, "{\"index\":10,\"value\":{\"ok\":null}}\n");
    next_result(&rig, true, "");
    finish(&rig);
}

/* A thread that calls when its item has ended, and nothing else runs. */
static void calls_between_items(void **state)
{
    (void)state;
    const char *const manifests[] = {SINGLE, BATCHES};
    for (int i = 0; i < 2; i++) {
        struct rig rig;
        start(&rig);
        define(&rig, 1, manifests[i]);
        run(&rig, 1, "f", "[[\"after\"," PUT "]]\n", 1);
        next_result(&rig, true, "{\"index\":10,\"value\":null}\n");
        usleep(300000);
        run(&rig, 1, "f", "[[\"what\"]]\n", 1);
        next_result(&rig, true, "{\"index\":10,\"value\":\"ended\"}\n");
        finish(&rig);
    }
}

static void calls_are_large(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    define(&rig, 1, BATCHES);
    run(&rig, 1, "f", "[[\"large\",\"quiet\",6000000]]\n[[\"large\",\"ask\",8500000]]\n", 2);
    assert_true(next(&rig));
    assert_int_equal(rig.frame.type, MESSAGE_call);
    assert_int_equal(rig.frame.tail_length, 6000000 + 13);
    next_result(
        &rig, true,
        "{\"index\":10,\"value\":null}\n{\"index\":11,\"value\":{\"error\":{\"type\":\"limit\",\"message\":\"the "
        "request is too large\"}}}\n");
    run(&rig, 1, "f", "[[\"large\",\"ask\",12000000]]\n", 1);
    assert_true(next(&rig));
    assert_non_null(memmem(rig.frame.tail, rig.frame.tail_length, "\"type\":\"protocol\"", 17));
    finish(&rig);
}

static void waiting_takes_time(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    define(&rig, 1, BATCHES);
    run_within(&rig, 1, "f", "[[\"ask\"," GET "]]\n[[\"nothing\"]]\n", 2, 300 * NS_PER_MS);
    next_call(&rig, 10, GET);
    assert_true(next(&rig));
    assert_int_equal(rig.frame.type, MESSAGE_result);
    assert_non_null(memmem(rig.frame.tail, rig.frame.tail_length, "\"type\":\"timeout\"", 16));
    next_result(&rig, true, "{\"index\":11,\"value\":null}\n");
    finish(&rig);
}

static void stops_end_a_wait(void **state)
{
    const char *manifest = *state;
    struct rig rig;
    start(&rig);
    define(&rig, 1, manifest);
    run(&rig, 1, manifest[9] == 'f' ? "f" : "ask", manifest[9] == 'f' ? "[[\"ask\"," GET "]]\n" : GET "\n", 1);
    next_call(&rig, 10, GET);
    kill(rig.pid, SIGTERM);
    await_end(&rig);
    finish(&rig);
    start(&rig);
    define(&rig, 1, manifest);
    run(&rig, 1, manifest[9] == 'f' ? "f" : "ask", manifest[9] == 'f' ? "[[\"ask\"," GET "]]\n" : GET "\n", 1);
    next_call(&rig, 10, GET);
    finish(&rig); /* hangs up first */
}

/* ---- plugins ---- */

#define C "{\"name\":\"c\",\"plugin\":\"" PLUGIN "\"}"

static void plugins_call(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    define(&rig, 1, C);
    run(&rig, 1, "ask", PUT "\n" GET "\n[1]\n{\"quiet\":true}\n", 4);
    uint32_t call = next_call(&rig, 10, PUT);
    define(&rig, 2, "{\"name\":\"late\",\"command\":[\"cat\"]}");
    answer(&rig, 9, call, "{\"ok\":\"another item's\"}");
    answer(&rig, 10, call + 1, "{\"ok\":\"another call's\"}");
    answer(&rig, 10, call, "{\"ok\":{\"size\":1}}");
    next_result(&rig, false, "{\"index\":10,\"value\":{\"size\":1}}\n");
    answer(&rig, 11, next_call(&rig, 11, GET), "{\"error\":{\"type\":\"empty\",\"message\":\"none there\"}}");
    next_result(&rig, false,
                "{\"index\":11,\"error\":{\"type\":\"error\",\"message\":\"none "
                "there\",\"signal\":null,\"exit_code\":null,\"attempts\":1}}\n");
    assert_true(next(&rig));
    assert_non_null(memmem(rig.frame.tail, rig.frame.tail_length, "must be a JSON object, and not be quiet", 39));
    run(&rig, 1, "try", GET "\n", 1);
    answer(&rig, 10, next_call(&rig, 10, GET), "{\"error\":{\"type\":\"empty\",\"message\":\"none there\"}}");
    next_result(&rig, false, "{\"index\":10,\"value\":{\"type\":\"empty\",\"message\":\"none there\"}}\n");
    next_result(&rig, true, "");
    run(&rig, 2, "late", "true\n", 1);
    next_result(&rig, true, "{\"index\":10,\"value\":true}\n");
    finish(&rig);
}

static void plugins_map(void **state)
{
    (void)state;
    struct rig rig;
    double numbers[600] = {1, 2.5};
    char path[] = "/tmp/worker_calls_map_XXXXXX", text[256];
    int fd = mkstemp(path);
    assert_int_equal(pwrite(fd, numbers, sizeof numbers, 64), sizeof numbers);
    start(&rig);
    define(&rig, 1, C);
    run(&rig, 1, "twice", "\"a\"\n\"b\"\n", 2);
    uint32_t call = next_call(&rig, 10, "{\"object\":\"arrays/a\",\"op\":\"open\"}");
    snprintf(text, sizeof text, "{\"ok\":{\"path\":\"%s\",\"offset\":64,\"typecode\":\"d\",\"length\":600}}", path);
    answer(&rig, 10, call, text);
    next_result(&rig, false, "{\"index\":10,\"value\":\"600 of d\"}\n");
    assert_int_equal(pread(fd, numbers, sizeof numbers, 64), sizeof numbers);
    assert_true(numbers[0] == 2 && numbers[1] == 5 && numbers[2] == 0);
    answer(&rig, 11, next_call(&rig, 11, "{\"object\":\"arrays/b\",\"op\":\"open\"}"),
           "{\"ok\":{\"path\":\"/nonexistent\",\"offset\":0,\"typecode\":\"d\",\"length\":1}}");
    assert_true(next(&rig));
    assert_non_null(memmem(rig.frame.tail, rig.frame.tail_length, "No such file", 12));
    unlink(path);
    close(fd);
    finish(&rig);
}

/* ---- commands ---- */

/* A shell script as a function. */
static void shell(struct rig *rig, uint32_t definition, const char *script)
{
    char manifest[2048];
    snprintf(manifest, sizeof manifest, "{\"name\":\"f%u\",\"output\":\"text\",\"command\":[\"sh\",\"-c\",\"%s\"]}",
             definition, script);
    define(rig, definition, manifest);
    run(rig, definition, "f", "\"item\"\n", 1);
}

static void asked(struct rig *rig, const char *request, const char *text)
{
    answer(rig, 10, next_call(rig, 10, request), text);
}

static void scripts_call(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    shell(
        &rig, 1,
        "poold-call queues/q put '{\\\"value\\\":7}' --wait 5; $POOLD_CALL queues/q put 7.10; poold-call queues/q put "
        "a\\\\ b; poold-call queues/q get --wait forever; exec 3>&-; poold-call queues/q get --raw; poold-call "
        "dicts/d set 5 6 --version 0; poold-call queues/q get; echo $?; cat");
    asked(&rig, "{\"object\":\"queues/q\",\"op\":\"put\",\"args\":{\"value\":7},\"wait\":5}", "{\"ok\":{\"size\":1}}");
    asked(&rig, "{\"object\":\"queues/q\",\"op\":\"put\",\"args\":{\"value\":7.10}}", "{\"ok\":{\"size\":2}}");
    asked(&rig, "{\"object\":\"queues/q\",\"op\":\"put\",\"args\":{\"value\":\"a b\"}}", "{\"ok\":{\"size\":3}}");
    asked(&rig, "{\"object\":\"queues/q\",\"op\":\"get\",\"args\":{},\"wait\":null}",
          "{\"ok\":{\"values\":[{\"a\":\n1}]}}");
    asked(&rig, "{\"object\":\"queues/q\",\"op\":\"get\",\"args\":{}}", "{\"ok\":{\"values\":[\"x\\ty\"]}}");
    asked(&rig, "{\"object\":\"dicts/d\",\"op\":\"set\",\"args\":{\"key\":\"5\",\"value\":6,\"version\":0}}",
          "{\"ok\":null}");
    asked(&rig, "{\"object\":\"queues/q\",\"op\":\"get\",\"args\":{}}",
          "{\"error\":{\"type\":\"empty\",\"message\":\"none\"}}");
    next_output(&rig, "poold-call: empty: none\n");
    next_result(&rig, false,
                "{\"index\":10,\"value\":\"{\\\"size\\\":1}\\n{\\\"size\\\":2}\\n{\\\"size\\\":3}\\n{\\\"a\\\": "
                "1}\\nx\\ty\\n75\\n\\\"item\\\"\"}\n");
    next_result(&rig, true, "");
    finish(&rig);
}

static void scripts_call_at_once(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    shell(
        &rig, 1,
        "poold-call lists/l get 1 & p=$!; poold-call lists/l get 2 & wait $!; wait $p; poold-call locks/k run -- sh -c "
        "'echo in; exit 3'; echo $?");
    uint32_t calls[3] = {0};
    for (int i = 0; i < 2; i++) {
        struct message_call call;
        assert_true(next(&rig));
        assert_int_equal(message_call_decode(&call, rig.frame.body, rig.frame.body_length), 0);
        calls[memmem(rig.frame.tail, rig.frame.tail_length, "\"index\":1", 9) ? 1 : 2] = call.call;
    }
    assert_true(calls[1] && calls[2] && calls[1] != calls[2]);
    answer(&rig, 10, calls[2], "{\"ok\":{\"value\":\"two\"}}");
    answer(&rig, 10, calls[1], "{\"ok\":{\"value\":\"one\"}}");
    asked(&rig, "{\"object\":\"locks/k\",\"op\":\"acquire\",\"args\":{},\"wait\":null}",
          "{\"ok\":{\"token\":71,\"recovered\":false}}");
    asked(&rig, "{\"object\":\"locks/k\",\"op\":\"release\",\"args\":{\"token\":71}}", "{\"ok\":null}");
    assert_true(next(&rig));
    assert_non_null(memmem(rig.frame.tail, rig.frame.tail_length, "\\nin\\n3\"}", 9));
    next_result(&rig, true, "");
    finish(&rig);
}

/* Who is killed while it waits takes nothing any more; and progress by either way. */
static void scripts_give_up(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    shell(&rig, 1,
          "timeout 0.2 poold-call queues/q get --wait 60; poold-call progress 0.5; echo $?; "
          "poold-call queues/q get > /dev/null");
    uint32_t call = next_call(&rig, 10, "{\"object\":\"queues/q\",\"op\":\"get\",\"args\":{},\"wait\":60}");
    assert_int_equal(next_call(&rig, 10, ""), call);
    assert_true(next(&rig));
    assert_int_equal(rig.frame.type, MESSAGE_progress);
    tail_is(&rig, "0.5");
    /* Only now it may end: progress of an item that has ended is nobody's. */
    asked(&rig, "{\"object\":\"queues/q\",\"op\":\"get\",\"args\":{}}", "{\"ok\":{\"values\":[1]}}");
    next_result(&rig, false, "{\"index\":10,\"value\":\"0\"}\n");
    next_result(&rig, true, "");
    shell(&rig, 2, "echo '{\\\"progress\\\":1}' > /dev/fd/3; poold-call queues/q get --wait 60 & sleep 60 & exit 0");
    do
        assert_true(next(&rig));
    while (rig.frame.type != MESSAGE_result);
    finish(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_of_runtimes_call),
        cmocka_unit_test(items_of_batches_call),
        cmocka_unit_test(calls_overlap),
        cmocka_unit_test(quiet_calls_of_runtimes),
        cmocka_unit_test(quiet_calls_of_batches),
        cmocka_unit_test(calls_in_the_middle_of_a_batch),
        cmocka_unit_test(late_and_mad_calls),
        cmocka_unit_test(calls_between_items),
        cmocka_unit_test(calls_are_large),
        cmocka_unit_test(waiting_takes_time),
        cmocka_unit_test_prestate(stops_end_a_wait, SINGLE),
        cmocka_unit_test_prestate(stops_end_a_wait, BATCHES),
        cmocka_unit_test_prestate(stops_end_a_wait, C),
        cmocka_unit_test(plugins_call),
        cmocka_unit_test(plugins_map),
        cmocka_unit_test(scripts_call),
        cmocka_unit_test(scripts_call_at_once),
        cmocka_unit_test(scripts_give_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
