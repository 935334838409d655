/* plugin_capture_test: what a function in the worker prints can be read while it runs, and survives the death of the
 * process. A child of this test is the worker (capture.c and send.c are the real ones), this test its server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "worker/capture.h"

#define SLOT 4
#define GENERATION 17

struct rig {
    struct channel channel;
    pid_t pid;
    int go;       /* a byte to here lets the function continue */
    char text[2][200000]; /* what it printed */
    size_t length[2];
};
static struct rig rig;
static int wait_here; /* in the worker */

/* ---- the worker ---- */

static void wait_for_go(void)
{
    char c;
    while (read(wait_here, &c, 1) == -1)
        ;
}

/* cmocka catches these to fail the test that they happen in. */
static void forget_cmocka(void)
{
    static const int caught[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};
    for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++)
        signal(caught[i], SIG_DFL);
}

static void become_worker(int channel, void (*function)(void))
{
    static struct worker worker = {.slot = SLOT, .generation = GENERATION};
    const struct rlimit no_core = {0, 0};
    forget_cmocka();
    setrlimit(RLIMIT_CORE, &no_core);
    alarm(60);
    channel_init(&worker.channel, channel);
    capture_on(&worker, &(struct message_run){.run = 9, .attempt = 2});
    capture_begin(2);
    capture_end(); /* one that prints nothing */
    capture_begin(3);
    function();
    capture_end();
    capture_off();
    worker_send(&worker, MESSAGE_result, (const unsigned char *)"", 0, NULL, 0);
    _exit(0);
}

static void start(void (*function)(void))
{
    int ends[2], go[2];
    rig = (struct rig){.pid = -1};
    assert_int_equal(fd_stream_pair(ends, 0), 0);
    assert_int_equal(pipe(go), 0);
    rig.pid = fork();
    assert_int_not_equal(rig.pid, -1);
    if (rig.pid == 0) {
        wait_here = go[0];
        close(go[1]);
        close(ends[0]);
        become_worker(ends[1], function);
    }
    close(ends[1]);
    close(go[0]);
    rig.go = go[1];
    channel_init(&rig.channel, ends[0]);
}

/* ---- the server ---- */

static void take(const struct frame *frame)
{
    struct message_output output;
    assert_int_equal(frame->type, MESSAGE_output);
    assert_true(frame->slot == SLOT && frame->generation == GENERATION);
    assert_int_equal(message_output_decode(&output, frame->body, frame->body_length), 0);
    assert_true(output.run == 9 && output.index == 3 && output.attempt == 2);
    assert_in_range(output.stream, 1, 2);
    size_t *length = &rig.length[output.stream - 1];
    assert_true(*length + frame->tail_length < sizeof rig.text[0]);
    memcpy(rig.text[output.stream - 1] + *length, frame->tail, frame->tail_length);
    *length += frame->tail_length;
}

/* Takes frames until `stream` has said `text`; or, with NULL, until the function has ended or the worker is gone. */
static void read_until(unsigned stream, const char *text)
{
    struct frame frame;
    while (text == NULL || strstr(rig.text[stream - 1], text) == NULL) {
        if (channel_next(&rig.channel, &frame)) {
            if (frame.type == MESSAGE_result)
                return;
            take(&frame);
            continue;
        }
        struct pollfd wait = {.fd = rig.channel.fd, .events = POLLIN};
        if (rig.channel.eof && text == NULL)
            return;
        assert_false(rig.channel.eof || rig.channel.broken);
        if (poll(&wait, 1, 20000) == 0)
            fail_msg("nothing came for 20 s");
        channel_receive(&rig.channel);
    }
}

static void go_on(void)
{
    assert_int_equal(write(rig.go, "", 1), 1);
}

/* The signal it died of, or 0. */
static int end(void)
{
    int status;
    assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
    channel_close(&rig.channel);
    close(rig.go);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void expect_death(void (*function)(void), int signal)
{
    start(function);
    read_until(1, NULL);
    assert_int_equal(end(), signal);
    assert_string_equal(rig.text[0], "one\ntwo without an end");
    assert_string_equal(rig.text[1], "to stderr");
}

/* ---- functions, and what is to come of them ---- */

static void print_and_wait(void)
{
    printf("one\ntw");
    fprintf(stderr, "caf\xc3");
    wait_for_go();
    fprintf(stderr, "\xa9");
    printf("o\n");
    wait_for_go();
}

static void readable_while_it_runs(void **state)
{
    (void)state;
    start(print_and_wait);
    read_until(1, "one\n");
    read_until(2, "caf");
    assert_string_equal(rig.text[1], "caf"); /* half a character waits for the rest */
    go_on();
    read_until(1, "one\ntwo\n");
    read_until(2, "caf\xc3\xa9");
    go_on();
    read_until(1, NULL);
    assert_int_equal(end(), 0);
    assert_string_equal(rig.text[0], "one\ntwo\n");
    assert_string_equal(rig.text[1], "caf\xc3\xa9");
}

static void print_last_words(void)
{
    printf("one\ntwo without an end");
    fprintf(stderr, "to stderr");
}

static void fault(void)
{
    char *forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    print_last_words();
    *(volatile char *)forbidden = 1;
}

static unsigned recurse(volatile unsigned depth)
{
    volatile char frame[4096];
    frame[depth % sizeof frame] = 1;
    return depth == 0 ? 0 : recurse(depth + 1) + (unsigned)frame[0];
}

static void overflow(void)
{
    print_last_words();
    recurse(1);
}

static void abort_itself(void)
{
    print_last_words();
    abort();
}

static void signal_itself(void)
{
    print_last_words();
    kill(getpid(), SIGSEGV);
    pause();
}

static void use_up_cpu(void)
{
    struct rlimit limit = {.rlim_cur = 1, .rlim_max = RLIM_INFINITY};
    print_last_words();
    setrlimit(RLIMIT_CPU, &limit);
    for (volatile unsigned i = 0;; i++)
        ;
}

static void *fault_there(void *context)
{
    fault();
    return context;
}

static void fault_in_a_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, fault_there, NULL);
    pthread_join(thread, NULL);
}

static void be_rescued(void) /* as by the SIGTERM handler, or the watchdog of memory */
{
    print_last_words();
    capture_rescue();
    kill(getpid(), SIGKILL);
}

static void survives_a_death(void **state)
{
    (void)state;
    expect_death(fault, SIGSEGV);
    expect_death(abort_itself, SIGABRT);
    expect_death(signal_itself, SIGSEGV);
    expect_death(overflow, SIGSEGV);
    expect_death(fault_in_a_thread, SIGSEGV);
    expect_death(use_up_cpu, SIGXCPU);
    expect_death(be_rescued, SIGKILL);
}

/* A child of the function dies: what is printed is still the function's to send. */
static void fork_and_crash(void)
{
    int status;
    print_last_words();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        fault();
    waitpid(child, &status, 0);
}

static void a_child_that_dies_says_nothing(void **state)
{
    (void)state;
    start(fork_and_crash);
    read_until(1, NULL);
    assert_int_equal(end(), 0);
    assert_memory_equal(rig.text[0], "one\ntwo without an end", 22);
    assert_memory_equal(rig.text[1], "to stderrto stderr", 18);
}

static void print_without_end(void)
{
    char line[1000];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 300000; i++)
        (void)!write(STDOUT_FILENO, line, sizeof line);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    fprintf(stderr, "end");
}

static void too_much_is_cut(void **state)
{
    (void)state;
    start(print_without_end);
    read_until(2, "end");
    read_until(1, NULL);
    assert_int_equal(end(), 0);
    assert_in_range(rig.length[0], 65536 - 8, 65536);
    assert_string_equal(rig.text[0] + rig.length[0] - strlen("…[cut]\n"), "…[cut]\n");
}

static void take_our_numbers(void)
{
    char precious[] = "/tmp/plugin_capture_XXXXXX";
    int fd = mkstemp(precious);
    (void)!write(fd, "precious", 8);
    for (int i = 0; i < 100; i++)
        if (i != fd && i != wait_here)
            dup2(fd, i);
    for (int i = 0; i < 5; i++)
        (void)!write(STDOUT_FILENO, "more", 4);
    usleep(60 * 1000); /* some looks of the watchdog */
    unlink(precious);
}

static void a_function_that_takes_our_descriptors(void **state)
{
    (void)state;
    start(take_our_numbers);
    read_until(1, NULL);
    assert_int_equal(end(), SIGABRT);
    assert_int_equal(rig.length[0] + rig.length[1], 0);
}

/* Nobody reads while it prints and dies: it waits for the server, and no frame is torn. */
static void fill_the_socket(void)
{
    for (int i = 0; i < 600; i++)
        fprintf(stderr, "%099d\n", i);
    print_last_words();
    abort();
}

static void a_slow_server_gets_all(void **state)
{
    (void)state;
    start(fill_the_socket);
    poll(NULL, 0, 60); /* some looks of the watchdog */
    read_until(1, NULL);
    assert_int_equal(end(), SIGABRT);
    assert_int_equal(rig.length[1], 60000 + strlen("to stderr"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readable_while_it_runs), cmocka_unit_test(survives_a_death),
        cmocka_unit_test(a_child_that_dies_says_nothing), cmocka_unit_test(too_much_is_cut),
        cmocka_unit_test(a_slow_server_gets_all), cmocka_unit_test(a_function_that_takes_our_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
