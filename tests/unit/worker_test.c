/* worker_test: the worker's binary at the other end of a socketpair, with this test as its server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "wire/channel.h"
#include "wire/fds.h"
#include "wire/messages.h"
#include "wire/scoreboard.h"
#include "wire/workbench.h"

#define SLOT 4
#define GENERATION 17

/* One worker and the server's ends of what it shares. */
struct rig {
    pid_t pid;
    struct channel channel;
    struct scoreboard_slot *board;
    struct workbench *bench;
    struct frame frame; /* the last one */
    struct message_result result;
};

/* ---- starting and ending ---- */

static int out_of_the_way(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 20);
    assert_int_not_equal(high, -1);
    close(fd);
    return high;
}

static void spawn(struct rig *rig, int channel, int scoreboard, int workbench, bool test_functions)
{
    char parent[48];
    snprintf(parent, sizeof parent, "POOLD_WORKER_PARENT=%d", (int)getpid());
    char *argv[] = {"poold-worker", test_functions ? "--test-functions" : NULL, NULL};
    char *environment[] = {"POOLD_WORKER_SLOT=4", "POOLD_WORKER_GENERATION=17", parent, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, channel, FD_CHANNEL);
    posix_spawn_file_actions_adddup2(&actions, scoreboard, FD_SCOREBOARD);
    posix_spawn_file_actions_adddup2(&actions, workbench, FD_WORKBENCH);
    assert_int_equal(posix_spawn(&rig->pid, WORKER, &actions, NULL, argv, environment), 0);
    posix_spawn_file_actions_destroy(&actions);
}

/* A page of the slot as a killed predecessor of generation 16 left it, when `haunted`. */
static void start_with(struct rig *rig, bool test_functions, bool haunted)
{
    struct error error;
    char path[] = "/tmp/worker_test_XXXXXX";
    int ends[2];
    *rig = (struct rig){.pid = -1};
    close(mkstemp(path));
    int scoreboard = out_of_the_way(scoreboard_create(path, &error));
    unlink(path);
    int workbench = out_of_the_way(workbench_create(&error));
    assert_int_equal(fd_stream_pair(ends, 0), 0);
    int far = out_of_the_way(ends[1]);
    rig->board = scoreboard_map_slot(scoreboard, SLOT, &error);
    rig->bench = workbench_map(workbench, &error);
    if (haunted) {
        rig->board->generation = 16;
        rig->board->index = 99;
        rig->board->activity = ACTIVITY_RUNNING;
    }
    channel_init(&rig->channel, out_of_the_way(ends[0]));
    spawn(rig, far, scoreboard, workbench, test_functions);
    close(far);
    close(scoreboard);
    close(workbench);
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
    assert_int_equal(rig->frame.slot, SLOT);
    assert_int_equal(rig->frame.generation, GENERATION);
    return true;
}

static void start(struct rig *rig)
{
    start_with(rig, true, false);
    assert_true(next(rig));
    assert_int_equal(rig->frame.type, MESSAGE_hello);
}

/* Its wait status, within 10 s. */
static int fate(struct rig *rig)
{
    int status;
    for (int i = 0; i < 5000; i++) {
        if (waitpid(rig->pid, &status, WNOHANG) == rig->pid) {
            rig->pid = -1;
            return status;
        }
        usleep(2000);
    }
    fail_msg("it does not end");
    return 0;
}

static void finish(struct rig *rig)
{
    channel_close(&rig->channel);
    if (rig->pid != -1) {
        kill(rig->pid, SIGKILL);
        waitpid(rig->pid, NULL, 0);
    }
    workbench_unmap(&rig->bench);
}

/* ---- talking ---- */

struct job {
    const char *function, *items;
    uint32_t count, first, flags, attempt;
    uint64_t value_max, timeout_ns;
    uint32_t definition;
};

static void send_run(struct rig *rig, uint64_t run, const struct job *job)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_run message = {.run = run,
                                  .job = 5,
                                  .first = job->first,
                                  .count = job->count,
                                  .attempt = job->attempt ? job->attempt : 1,
                                  .flags = job->flags,
                                  .definition = job->definition,
                                  .timeout_ns = job->timeout_ns,
                                  .value_max = job->value_max ? job->value_max : VALUE_BYTES_MAX};
    snprintf(message.function, sizeof message.function, "%s", job->function);
    size_t length = message_run_encode(&message, body);
    workbench_offer(rig->bench, run, job->count);
    assert_int_equal(
        channel_send(&rig->channel, MESSAGE_run, SLOT, GENERATION, body, length, job->items, strlen(job->items)),
        CHANNEL_OK);
    while (channel_wants_write(&rig->channel)) {
        struct pollfd wait = {.fd = rig->channel.fd, .events = POLLOUT};
        poll(&wait, 1, 10000);
        assert_int_equal(channel_flush(&rig->channel), CHANNEL_OK);
    }
}

static bool next_result(struct rig *rig)
{
    if (!next(rig))
        return false;
    assert_int_equal(rig->frame.type, MESSAGE_result);
    assert_int_equal(message_result_decode(&rig->result, rig->frame.body, rig->frame.body_length), 0);
    return true;
}

/* Runs a job to its end; the lines of all results come back as one text that stays good until the next call. */
static const char *lines_of(struct rig *rig, uint64_t run, const struct job *job, uint32_t *failed)
{
    static char *text;
    size_t length = 0;
    uint32_t count = 0;
    free(text);
    text = calloc(1, 1);
    *failed = 0;
    send_run(rig, run, job);
    do {
        assert_true(next_result(rig));
        assert_true(rig->result.run == run);
        assert_true(rig->result.count == 0 || rig->result.first == job->first + count);
        count += rig->result.count;
        *failed += rig->result.failed;
        text = realloc(text, length + rig->frame.tail_length + 1);
        memcpy(text + length, rig->frame.tail, rig->frame.tail_length);
        text[length += rig->frame.tail_length] = '\0';
    } while (!rig->result.done);
    assert_int_equal(count, job->count);
    return text;
}

static void run_gives(struct rig *rig, const struct job *job, uint32_t failed, const char *lines)
{
    static uint64_t run = 1000;
    uint32_t have_failed;
    assert_string_equal(lines_of(rig, ++run, job, &have_failed), lines);
    assert_int_equal(have_failed, failed);
}

#define GIVES(rig, failed, lines, ...) run_gives(rig, &(struct job){__VA_ARGS__}, failed, lines)

/* Until the scoreboard says so, at most 10 s. */
static void await(struct rig *rig, enum worker_activity activity, uint32_t index)
{
    for (int i = 0; i < 10000; i++, usleep(1000))
        if (rig->board->activity == activity && rig->board->index == index)
            return;
    fail_msg("activity %u, index %u", rig->board->activity, rig->board->index);
}

/* ---- tests ---- */

static void hello_lists_functions(void **state)
{
    (void)state;
    struct rig rig;
    start_with(&rig, false, false);
    assert_true(next(&rig));
    struct message_hello hello;
    assert_int_equal(message_hello_decode(&hello, rig.frame.body, rig.frame.body_length), 0);
    assert_int_equal(hello.protocol, WIRE_PROTOCOL);
    assert_int_equal(hello.pid, rig.pid);
    char *list = strndup(rig.frame.tail, rig.frame.tail_length);
    assert_non_null(strstr(list, "{\"name\":\"square\",\"kind\":\"builtin\",\"summary\":\""));
    assert_null(strstr(list, "\"crash\""));
    free(list);
    await(&rig, ACTIVITY_READY, 0);
    assert_int_equal(rig.board->generation, GENERATION);
    GIVES(&rig, 1,
          "{\"index\":0,\"error\":{\"type\":\"error\",\"message\":\"no such function: "
          "crash\",\"signal\":null,\"exit_code\":null,\"attempts\":1}}\n",
          .function = "crash", .items = "null\n", .count = 1);
    finish(&rig);
}

static void results_come_in_order(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    GIVES(&rig, 0, "{\"index\":5,\"value\":49}\n{\"index\":6,\"value\":64}\n{\"index\":7,\"value\":2.25}\n",
          .function = "square", .items = "7\n 8 \r\n1.5\n", .count = 3, .first = 5);
    GIVES(&rig, 1,
          "{\"index\":0,\"value\":1}\n{\"index\":1,\"error\":{\"type\":\"error\",\"message\":\"square: expected a "
          "number, got a string\",\"signal\":null,\"exit_code\":null,\"attempts\":3}}\n{\"index\":2,\"value\":9}\n",
          .function = "square", .items = "1\n\"x\"\n3\n", .count = 3, .attempt = 3);
    GIVES(&rig, 0, "{\"index\":0,\"value\":4}\n", .function = "square", .items = "[2]\n", .count = 1,
          .flags = RUN_STAR);
    GIVES(&rig, 1,
          "{\"index\":0,\"error\":{\"type\":\"error\",\"message\":\"no such function: "
          "nope\",\"signal\":null,\"exit_code\":null,\"attempts\":1}}\n",
          .function = "nope", .items = "1\n", .count = 1);
    assert_true(rig.board->items_done == 8);
    assert_int_equal(rig.board->activity, ACTIVITY_READY);
    assert_true(rig.board->started_ns == 0);
    finish(&rig);
}

static void slow_items_are_flushed_before_the_end(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    send_run(&rig, 1, &(struct job){.function = "sleep", .items = "0.03\n0.03\n0.03\n0.03\n", .count = 4});
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(next_result(&rig));
        assert_int_equal(rig.result.first, i);
        assert_int_equal(rig.result.count, 1);
        assert_int_equal(rig.result.done, i == 3);
        assert_true(rig.result.busy_ns >= 30000000 * (i + 1) && rig.result.busy_ns < 5000000000);
    }
    finish(&rig);
}

static void trimming_takes_the_rest_back(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    send_run(&rig, 1, &(struct job){.function = "sleep", .items = "0\n1\n0\n0\n", .count = 4});
    await(&rig, ACTIVITY_RUNNING, 1);
    assert_int_equal(workbench_trim(rig.bench, 1), 2);
    uint32_t count = 0;
    do {
        assert_true(next_result(&rig));
        count += rig.result.count;
    } while (!rig.result.done);
    assert_int_equal(count, 2);
    workbench_offer(rig.bench, 2, 2);
    workbench_trim(rig.bench, 2); /* before it has begun: the run finds nothing to do */
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_run message = {.run = 2, .first = 7, .count = 2, .function = "echo"};
    size_t length = message_run_encode(&message, body);
    channel_send(&rig.channel, MESSAGE_run, SLOT, GENERATION, body, length, "1\n2\n", 4);
    assert_true(next_result(&rig));
    assert_int_equal(rig.result.count, 0);
    assert_int_equal(rig.result.done, 1);
    finish(&rig);
}

static void a_kill_leaves_lines_and_blame(void **state)
{
    (void)state;
    struct rig rig;
    struct outbox_view lines;
    start(&rig);
    send_run(&rig, 9,
             &(struct job){.function = "sleep", .items = "0\n0\n30\n0\n", .count = 4, .first = 40, .attempt = 2});
    await(&rig, ACTIVITY_RUNNING, 42);
    kill(rig.pid, SIGKILL);
    assert_int_equal(WTERMSIG(fate(&rig)), SIGKILL);
    /* Both lines are there: in the outbox, or already sent when the worker was slow (OUTBOX_FLUSH_NS). */
    uint32_t sent = 0;
    while (next_result(&rig))
        sent += rig.result.count;
    workbench_outbox(rig.bench, 9, &lines);
    const char *expected[] = {"{\"index\":40,\"value\":0}\n", "{\"index\":41,\"value\":0}\n"};
    assert_int_equal(sent + lines.count, 2);
    for (uint32_t i = 0; i < lines.count; i++) {
        size_t length = strlen(expected[0]);
        assert_memory_equal(lines.lines + i * length, expected[sent + i], length);
    }
    assert_int_equal(rig.board->activity, ACTIVITY_RUNNING);
    assert_int_equal(rig.board->generation, GENERATION);
    assert_int_equal(rig.board->index, 42);
    assert_int_equal(rig.board->attempt, 2);
    assert_true(rig.board->run == 9 && rig.board->job == 5);
    int64_t running = clock_mono_ns() - rig.board->started_ns;
    assert_true(running > 0 && running < 5 * NS_PER_S);
    assert_int_equal(workbench_trim(rig.bench, 9), 3);
    finish(&rig);
}

static void a_crash_is_pinned_on_its_item(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    send_run(&rig, 1, &(struct job){.function = "crash", .items = "\"no\"\n\"SIGKILL\"\n", .count = 2});
    assert_int_equal(WTERMSIG(fate(&rig)), SIGKILL);
    struct outbox_view lines;
    uint32_t sent = 0; /* when the worker was slow (OUTBOX_FLUSH_NS) */
    while (next_result(&rig))
        sent += rig.result.count;
    workbench_outbox(rig.bench, 1, &lines);
    assert_int_equal(sent + lines.count, 1);
    assert_int_equal(rig.board->index, 1);
    finish(&rig);
}

static void evidence_stays_until_the_first_run(void **state)
{
    (void)state;
    struct rig rig;
    start_with(&rig, true, true);
    assert_true(next(&rig));
    usleep(50000);
    assert_int_equal(rig.board->generation, 16);
    assert_int_equal(rig.board->activity, ACTIVITY_RUNNING);
    assert_int_equal(rig.board->index, 99);
    GIVES(&rig, 0, "{\"index\":0,\"value\":1}\n", .function = "echo", .items = "1\n", .count = 1);
    assert_int_equal(rig.board->generation, GENERATION);
    assert_int_equal(rig.board->activity, ACTIVITY_READY);
    assert_int_equal(rig.board->index, 0);
    finish(&rig);
}

static void closing_ends_it(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    channel_close(&rig.channel);
    int status = fate(&rig);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    finish(&rig);
}

static void closing_during_a_flush_ends_it(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    send_run(&rig, 1, &(struct job){.function = "huge", .items = "4000000\n4000000\n", .count = 2});
    usleep(100000); /* it stands in the middle of a frame that is larger than the socket */
    channel_close(&rig.channel);
    int status = fate(&rig);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    struct outbox_view lines;
    workbench_outbox(rig.bench, 1, &lines);
    assert_int_equal(lines.count, 1); /* half sent is not sent */
    finish(&rig);
}

static void sigterm_ends_it(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    kill(rig.pid, SIGTERM);
    assert_int_equal(WTERMSIG(fate(&rig)), SIGTERM);
    finish(&rig);
}

static void once_is_once(void **state)
{
    (void)state;
    struct rig rig;
    char line[96];
    start(&rig);
    snprintf(line, sizeof line, "{\"index\":0,\"value\":4,\"pid\":%d,\"exit_code\":0}\n", (int)rig.pid);
    GIVES(&rig, 0, line, .function = "square", .items = "2\n", .count = 1, .flags = RUN_ONCE);
    int status = fate(&rig);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    finish(&rig);
}

/* ---- functions of manifests ---- */

static void send_text(struct rig *rig, unsigned type, uint32_t definition, const char *text)
{
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_define define = {.definition = definition};
    struct message_probe probe = {.definition = definition};
    size_t length = type == MESSAGE_define ? message_define_encode(&define, body) : message_probe_encode(&probe, body);
    assert_int_equal(channel_send(&rig->channel, type, SLOT, GENERATION, body, length, text, strlen(text)), CHANNEL_OK);
}

static void next_offer(struct rig *rig, uint32_t definition, bool ok, const char *text)
{
    struct message_offer offer;
    assert_true(next(rig));
    assert_int_equal(rig->frame.type, MESSAGE_offer);
    assert_int_equal(message_offer_decode(&offer, rig->frame.body, rig->frame.body_length), 0);
    assert_int_equal(offer.definition, definition);
    assert_int_equal(offer.ok, ok);
    char *tail = strndup(rig->frame.tail, rig->frame.tail_length);
    assert_non_null(strstr(tail, text));
    free(tail);
}

/* The next frame must be output of this item. */
static void next_output(struct rig *rig, uint32_t index, uint32_t stream, const char *text)
{
    struct message_output printed;
    assert_true(next(rig));
    assert_int_equal(rig->frame.type, MESSAGE_output);
    assert_int_equal(message_output_decode(&printed, rig->frame.body, rig->frame.body_length), 0);
    assert_int_equal(printed.index, index);
    assert_int_equal(printed.stream, stream);
    assert_int_equal(rig->frame.tail_length, strlen(text));
    assert_memory_equal(rig->frame.tail, text, strlen(text));
}

static void commands_are_functions(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    send_text(&rig, MESSAGE_define, 7, "{\"name\":\"f\",\"command\":[\"cat\"],\"summary\":\"as it is\"}");
    send_text(&rig, MESSAGE_probe, 7, "");
    next_offer(&rig, 7, true, "[{\"name\":\"f\",\"summary\":\"as it is\"}]");
    GIVES(&rig, 0, "{\"index\":5,\"value\":[1, 2]}\n{\"index\":6,\"value\":\"x\"}\n", .function = "f", .definition = 7,
          .items = " [1, 2] \n\"x\"\n", .count = 2, .first = 5);
    assert_true(rig.board->items_done == 2);
    assert_int_equal(rig.board->activity, ACTIVITY_READY);
    /* A new one of the name; the old one may still be asked for. */
    send_text(&rig, MESSAGE_define, 8, "{\"name\":\"f\",\"command\":[\"sh\",\"-c\",\"echo why >&2; exit 4\"]}");
    send_run(&rig, 900, &(struct job){.function = "f", .definition = 8, .items = "1\n", .count = 1, .attempt = 2});
    next_output(&rig, 0, 2, "why\n");
    assert_true(next_result(&rig));
    assert_true(rig.result.done && rig.result.failed == 1);
    const char *expected = "{\"index\":0,\"error\":{\"type\":\"error\",\"message\":\"sh exited with status "
                           "4\",\"signal\":null,\"exit_code\":4,\"attempts\":2,\"stderr\":\"why\\n\"}}\n";
    assert_int_equal(rig.frame.tail_length, strlen(expected));
    assert_memory_equal(rig.frame.tail, expected, strlen(expected));
    GIVES(&rig, 0, "{\"index\":0,\"value\":3}\n", .function = "f", .definition = 7, .items = "3\n", .count = 1);
    /* What cannot be read is no reason to leave. */
    send_text(&rig, MESSAGE_define, 9, "{\"name\":");
    send_text(&rig, MESSAGE_probe, 9, "");
    next_offer(&rig, 9, false, "");
    GIVES(&rig, 0, "{\"index\":0,\"value\":4}\n", .function = "square", .items = "2\n", .count = 1);
    finish(&rig);
}

static void commands_once_tell_who_they_were(void **state)
{
    (void)state;
    struct rig rig;
    uint32_t failed;
    start(&rig);
    send_text(&rig, MESSAGE_define, 1, "{\"name\":\"f\",\"command\":[\"sh\",\"-c\",\"echo $$\"]}");
    const char *line = lines_of(
        &rig, 1, &(struct job){.function = "f", .definition = 1, .items = "1\n", .count = 1, .flags = RUN_ONCE},
        &failed);
    int value = 0, pid = 1, exit_code = 2;
    assert_int_equal(sscanf(line, "{\"index\":0,\"value\":%d,\"pid\":%d,\"exit_code\":%d}\n", &value, &pid, &exit_code),
                     3);
    assert_int_equal(value, pid);
    assert_int_not_equal(pid, rig.pid);
    assert_int_equal(exit_code, 0);
    int status = fate(&rig);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    finish(&rig);
}

static void commands_that_do_not_end_are_ended(void **state)
{
    (void)state;
    struct rig rig;
    uint32_t failed;
    start(&rig);
    send_text(&rig, MESSAGE_define, 1, "{\"name\":\"f\",\"command\":[\"sleep\",\"{}\"],\"output\":\"text\"}");
    const char *lines = lines_of(
        &rig, 1,
        &(struct job){
            .function = "f", .definition = 1, .items = "0\n60\n0\n", .count = 3, .timeout_ns = 200 * NS_PER_MS},
        &failed);
    assert_int_equal(failed, 1);
    assert_non_null(strstr(lines, "{\"index\":1,\"error\":{\"type\":\"timeout\","));
    assert_non_null(strstr(lines, "{\"index\":2,\"value\":\"\"}\n"));
    assert_int_equal(rig.board->generation, GENERATION); /* the same worker */
    finish(&rig);
}

/* Ends the worker by SIGTERM or by hanging up while a command runs, which must not outlive it. */
static void ends_with_its_command(bool hang_up)
{
    struct rig rig;
    char path[] = "/tmp/worker_test_pid_XXXXXX", text[256], pid[32] = "";
    close(mkstemp(path));
    start(&rig);
    snprintf(
        text, sizeof text,
        "{\"name\":\"f\",\"command\":[\"sh\",\"-c\",\"trap 'echo told >&2; exit 0' TERM; setsid sleep 60 & echo $! "
        ">%s; echo up >&2; wait\"]}",
        path);
    send_text(&rig, MESSAGE_define, 1, text);
    send_run(&rig, 1, &(struct job){.function = "f", .definition = 1, .items = "1\n", .count = 1});
    next_output(&rig, 0, 2, "up\n");
    assert_true(fd_read_file(path, pid, sizeof pid) > 0);
    if (hang_up) {
        channel_close(&rig.channel);
        assert_true(WIFSIGNALED(fate(&rig)));
    } else {
        kill(rig.pid, SIGTERM);
        next_output(&rig, 0, 2, "told\n");
        assert_false(next(&rig));
        assert_int_equal(WTERMSIG(fate(&rig)), SIGTERM);
        assert_int_equal(rig.board->activity, ACTIVITY_RUNNING); /* the item has no result */
    }
    assert_int_equal(kill(atoi(pid), 0), -1);
    unlink(path);
    finish(&rig);
}

static void a_stop_ends_the_command_first(void **state)
{
    (void)state;
    ends_with_its_command(false);
    ends_with_its_command(true);
}

/* Sends a run message as it is and expects the worker to leave with an error. */
static void refuses_run(struct message_run message, uint32_t generation, const char *items, uint32_t offered)
{
    struct rig rig;
    unsigned char body[MESSAGE_BODY_MAX];
    start(&rig);
    size_t length = message_run_encode(&message, body);
    workbench_offer(rig.bench, 1, offered);
    channel_send(&rig.channel, MESSAGE_run, SLOT, generation, body, length, items, strlen(items));
    int status = fate(&rig);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    finish(&rig);
}

static void nonsense_ends_it(void **state)
{
    (void)state;
    struct message_run good = {.run = 1, .count = 2, .function = "echo"}, other;
    refuses_run(good, GENERATION + 1, "1\n2\n", 2);
    refuses_run(good, GENERATION, "1\n", 2);
    refuses_run(good, GENERATION, "1\n2\n3\n", 2);
    refuses_run(good, GENERATION, "1\n2", 2);
    refuses_run(good, GENERATION, "\n2\n", 2);
    refuses_run(good, GENERATION, "1\n2\n", 3);
    refuses_run(good, GENERATION, "", 2);
    other = good, other.run = 2;
    refuses_run(other, GENERATION, "1\n2\n", 2);
    other = good, other.count = 0;
    refuses_run(other, GENERATION, "", 2);
    other = good, other.count = UINT32_MAX;
    refuses_run(other, GENERATION, "1\n2\n", 2);
}

static void noise_ends_it(void **state)
{
    (void)state;
    struct rig rig;
    unsigned char noise[64];
    memset(noise, 0xa5, sizeof noise);
    start(&rig);
    assert_int_equal(write(rig.channel.fd, noise, sizeof noise), sizeof noise);
    int status = fate(&rig);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    finish(&rig);
    start(&rig);
    channel_send(&rig.channel, MESSAGE_run, SLOT, GENERATION, noise, 5, "", 0);
    status = fate(&rig);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    finish(&rig);
}

static void large_values_travel(void **state)
{
    (void)state;
    struct rig rig;
    uint32_t failed;
    start(&rig);
    /* Five times ~8 MiB behind a small line each: no two fit one outbox. */
    const char *lines = lines_of(
        &rig, 1, &(struct job){.function = "huge", .items = "1\n8388606\n60000\n8388606\n8388606\n", .count = 5},
        &failed);
    assert_int_equal(failed, 0);
    assert_int_equal(strlen(lines), 3 * 8388608 + 3 + 60002 + 5 * strlen("{\"index\":0,\"value\":}\n"));
    assert_memory_equal(lines, "{\"index\":0,\"value\":\"x\"}\n{\"index\":1,\"value\":\"xxx", 40);
    finish(&rig);
}

#define TOO_LARGE(index, size, limit)                                                                                  \
    "{\"index\":" #index ",\"error\":{\"type\":\"too_large\",\"message\":\"the value has " #size                       \
    " bytes, the limit is " #limit "\",\"signal\":null,\"exit_code\":null,\"attempts\":1}}\n"

static void too_large_values_fail(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    GIVES(&rig, 1, TOO_LARGE(0, 8388609, 8388608), .function = "huge", .items = "8388607\n", .count = 1);
    GIVES(&rig, 1, "{\"index\":0,\"value\":49}\n" TOO_LARGE(1, 4, 3) "{\"index\":2,\"value\":1}\n",
          .function = "square", .items = "7\n50\n1\n", .count = 3, .value_max = 3);
    GIVES(&rig, 1, TOO_LARGE(0, 100002, 100000), .function = "huge", .items = "100000\n", .count = 1,
          .value_max = 100000);
    finish(&rig);
}

static void values_that_are_no_json_fail(void **state)
{
    (void)state;
    struct rig rig;
    uint32_t failed;
    start(&rig);
    GIVES(&rig, 0, "{\"index\":0,\"value\":{\"a\": 1}}\n", .function = "raw", .items = "\" {\\\"a\\\":\\n1}\\n\"\n",
          .count = 1);
    const char *lines = lines_of(
        &rig, 1, &(struct job){.function = "raw", .items = "\"nope\"\n\"\"\n\"1 2\"\n\"1\"\n", .count = 4}, &failed);
    assert_int_equal(failed, 3);
    for (int i = 0; i < 3; i++, lines = strchr(lines, '\n') + 1)
        assert_memory_equal(lines + strlen("{\"index\":0,"), "\"error\":{\"type\":\"protocol\",\"message\":", 36);
    assert_string_equal(lines, "{\"index\":3,\"value\":1}\n");
    finish(&rig);
}

/* The next frames are what item 3 printed on this stream. */
static void expect_output(struct rig *rig, uint32_t stream, const char *text, size_t length)
{
    struct message_output output;
    for (size_t at = 0; at < length; at += rig->frame.tail_length) {
        assert_true(next(rig));
        assert_int_equal(rig->frame.type, MESSAGE_output);
        assert_int_equal(message_output_decode(&output, rig->frame.body, rig->frame.body_length), 0);
        assert_true(output.run == 1 && output.index == 3 && output.attempt == 1 && output.stream == stream);
        assert_true(rig->frame.tail_length <= length - at);
        assert_memory_equal(rig->frame.tail, text + at, rig->frame.tail_length);
    }
}

static void printed_text_comes_first(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig);
    send_run(&rig, 1, &(struct job){.function = "print", .items = "\"a\\n\\u00e9\"\n", .count = 1, .first = 3});
    expect_output(&rig, 1, "a\n\xc3\xa9\n", 5);
    expect_output(&rig, 2, "a\n\xc3\xa9\n", 5);
    assert_true(next_result(&rig));
    assert_int_equal(rig.result.done, 1);
    finish(&rig);
}

static void printing_too_much_is_cut(void **state)
{
    (void)state;
    struct rig rig;
    enum { LENGTH = 100000, MAX = 65536 };
    char *item = malloc(LENGTH + 4), *expected = malloc(MAX);
    start(&rig);
    for (int i = 0; i < LENGTH; i++)
        item[i + 1] = i & 1 ? '\xa9' : '\xc3';
    item[0] = '"';
    memcpy(item + LENGTH + 1, "\"\n", 3);
    send_run(&rig, 1, &(struct job){.function = "print", .items = item, .count = 1, .first = 3});
    memcpy(expected, item + 1, MAX);
    memcpy(expected + MAX - 10, "…[cut]\n", 9); /* one byte short, so that no character is halved */
    expect_output(&rig, 1, expected, MAX - 1);
    expect_output(&rig, 2, expected, MAX - 1);
    assert_true(next_result(&rig));
    finish(&rig);
    free(item);
    free(expected);
}

static void bad_start_is_refused(void **state)
{
    (void)state;
    pid_t pid;
    int status;
    char *argv[] = {"poold-worker", NULL}, *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    assert_int_equal(posix_spawn(&pid, WORKER, &actions, NULL, argv, environment), 0);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

/* The cheapest of some slices, in ns an item, as the worker itself counts. */
static double cheapest(struct rig *rig, const char *function, const char *items)
{
    uint32_t failed;
    uint64_t best = UINT64_MAX;
    for (uint64_t run = 1; run <= 300; run++) {
        lines_of(rig, run, &(struct job){.function = function, .items = items, .count = 1024}, &failed);
        assert_int_equal(failed, 0);
        if (rig->result.busy_ns < best)
            best = rig->result.busy_ns;
    }
    return (double)best / 1024;
}

static void an_item_is_cheap(void **state)
{
    (void)state;
    struct rig rig;
    char small[1024 * 24], large[1024 * 24], *to_small = small, *to_large = large;
    for (int i = 0; i < 1024; i++) {
        to_small += sprintf(to_small, "%d\n", 1000 + i);
        to_large += sprintf(to_large, "%llu\n", 9000000000000000000ull + (unsigned)i);
    }
    start(&rig);
    double square = cheapest(&rig, "square", small);
    print_message("square %.1f ns, of 19 digits %.1f ns, echo %.1f ns an item\n", square,
                  cheapest(&rig, "square", large), cheapest(&rig, "echo", small));
    assert_true(square < 2000); /* 50 is usual; this allows sanitizers and a busy machine */
    finish(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_lists_functions),
        cmocka_unit_test(results_come_in_order),
        cmocka_unit_test(slow_items_are_flushed_before_the_end),
        cmocka_unit_test(trimming_takes_the_rest_back),
        cmocka_unit_test(a_kill_leaves_lines_and_blame),
        cmocka_unit_test(a_crash_is_pinned_on_its_item),
        cmocka_unit_test(evidence_stays_until_the_first_run),
        cmocka_unit_test(closing_ends_it),
        cmocka_unit_test(closing_during_a_flush_ends_it),
        cmocka_unit_test(sigterm_ends_it),
        cmocka_unit_test(once_is_once),
        cmocka_unit_test(commands_are_functions),
        cmocka_unit_test(commands_once_tell_who_they_were),
        cmocka_unit_test(commands_that_do_not_end_are_ended),
        cmocka_unit_test(a_stop_ends_the_command_first),
        cmocka_unit_test(nonsense_ends_it),
        cmocka_unit_test(noise_ends_it),
        cmocka_unit_test(large_values_travel),
        cmocka_unit_test(too_large_values_fail),
        cmocka_unit_test(values_that_are_no_json_fail),
        cmocka_unit_test(printed_text_comes_first),
        cmocka_unit_test(printing_too_much_is_cut),
        cmocka_unit_test(bad_start_is_refused),
        cmocka_unit_test(an_item_is_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
