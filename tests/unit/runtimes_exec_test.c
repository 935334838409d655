/* runtimes_exec_test: commands through runner.h, with real programs; this test is the worker. The shell that some of
 * them are written for is theirs: poold starts none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "runtimes/child.h"
#include "runtimes/forms.h"
#include "runtimes/log.h"
#include "runtimes/runner.h"
#include "sandbox/landlock.h"
#include "wire/limits.h"
#include "wire/scan.h"

static char folder[] = "/tmp/runtimes_exec_test_XXXXXX";

/* What the host was told of the last run. */
static struct {
    char *outcome; /* value or error object of the last item */
    bool failed;
    unsigned began, ended;
    pid_t pid;
    int exit_code;
    struct buf log[2];
    char progress[256];
    unsigned progresses;
    int64_t took_ns;
    int stop_at_began; /* eventfd to set when it begins; 0 = none */
} seen;

/* ---- the host ---- */

static void began(void *context, uint32_t place)
{
    (void)context;
    assert_int_equal(place, seen.began++);
}

static void ended(void *context, uint32_t place, const struct outcome *outcome)
{
    (void)context;
    assert_int_equal(place, seen.ended++);
    const char *text = outcome->error ? outcome->error : outcome->value;
    free(seen.outcome);
    seen.outcome = strndup(text, outcome->length);
    seen.failed = outcome->error != NULL;
    seen.pid = outcome->pid;
    seen.exit_code = outcome->exit_code;
    assert_true(scan_is_value(seen.outcome, seen.outcome + strlen(seen.outcome), NULL));
    assert_null(strchr(seen.outcome, '\n'));
}

static void output(void *context, uint32_t place, unsigned stream, const char *bytes, size_t length)
{
    (void)context;
    (void)place;
    uint64_t one = 1;
    buf_append(&seen.log[stream - 1], bytes, length);
    if (seen.stop_at_began)
        assert_int_equal(write(seen.stop_at_began, &one, sizeof one), sizeof one);
}

static void progress(void *context, uint32_t place, const char *json, size_t length)
{
    (void)context;
    (void)place;
    snprintf(seen.progress, sizeof seen.progress, "%.*s", (int)length, json);
    seen.progresses++;
}

static struct host host = {.began = began,
                           .ended = ended,
                           .output = output,
                           .progress = progress,
                           .channel_fd = -1,
                           .stop_fd = -1,
                           .grace_ms = 300};

/* ---- running ---- */

static void forget(void)
{
    free(seen.outcome);
    buf_free(&seen.log[0]);
    buf_free(&seen.log[1]);
    memset(&seen, 0, sizeof seen);
}

/* A script in the folder. */
static void script(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_int_not_equal(fd, -1);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static struct runner *open_runner(const char *json)
{
    struct error error;
    struct manifest *manifest = manifest_parse(json, strlen(json), "test.json", folder, &error);
    if (manifest == NULL)
        fail_msg("%s", error.text);
    struct runner *runner = runner_open(manifest, &host);
    manifest_unref(&manifest);
    return runner;
}

static const struct assignment usual = {
    .function = "f", .job_id = "job_1", .traceparent = "", .attempt = 1, .value_max = VALUE_BYTES_MAX};

static bool run_with(struct runner *runner, const struct assignment *assignment, const char *item)
{
    struct task task = {.index = 7, .item = item, .length = strlen(item)};
    forget();
    int64_t from = clock_mono_ns();
    bool result = runner_run(runner, assignment, &task, 1);
    seen.took_ns = clock_mono_ns() - from;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left */
    assert_int_equal(errno, ECHILD);
    return result;
}

static void run_as(const char *manifest, const struct assignment *assignment, const char *item)
{
    struct runner *runner = open_runner(manifest);
    assert_true(run_with(runner, assignment, item));
    assert_int_equal(seen.began, 1);
    assert_int_equal(seen.ended, 1);
    runner_close(&runner);
}

static void run(const char *manifest, const char *item)
{
    run_as(manifest, &usual, item);
}

/* A manifest whose command is `sh -c BODY`, with more keys behind. */
static void run_shell(const char *body, const char *more, const char *item)
{
    struct buf text = BUF_EMPTY;
    script("body", body);
    buf_printf(&text, "{\"name\":\"f\",\"command\":[\"sh\",\"%s/body\"]%s%s}", folder, *more ? "," : "", more);
    run(buf_cstr(&text), item);
    buf_free(&text);
}

static void gave(const char *value)
{
    assert_string_equal(seen.outcome, value);
    assert_false(seen.failed);
    assert_true(seen.pid > 0);
    assert_int_equal(seen.exit_code, 0);
}

static void failed(const char *beginning)
{
    if (seen.outcome == NULL || strncmp(seen.outcome, beginning, strlen(beginning)) != 0)
        fail_msg("%s\n instead of %s", seen.outcome, beginning);
    assert_true(seen.failed);
}

static const char *log_text(int stream)
{
    return buf_cstr(&seen.log[stream - 1]);
}

#define TEXT_OUT "\"output\":\"text\""

/* ---- values ---- */

static void items_and_values_have_forms(void **state)
{
    (void)state;
    run("{\"name\":\"f\",\"command\":[\"cat\"]}", "{\"a\": [1, \"x\"]}");
    gave("{\"a\": [1, \"x\"]}");
    assert_int_equal(seen.log[0].length + seen.log[1].length, 0);
    run_shell("printf '\\n {\"a\":\\n 1}\\n\\n'", "", "1");
    gave("{\"a\":  1}");
    run("{\"name\":\"f\",\"command\":[\"cat\"],\"input\":\"text\",\"output\":\"text\"}",
        "\"caf\\u00e9 \\ud83d\\ude00\\n\\\"\\\\\\/\\n\"");
    gave("\"café 😀\\n\\\"\\\\/\"");
    run("{\"name\":\"f\",\"command\":[\"cat\"],\"input\":\"text\",\"output\":\"text\"}", "12.50");
    gave("\"12.50\"");
    run("{\"name\":\"f\",\"command\":[\"true\"],\"output\":\"text\"}", "1");
    gave("\"\"");
    run("{\"name\":\"f\",\"command\":[\"cat\"],\"input\":\"base64\",\"output\":\"text\"}", "\"/wBh\"");
    gave("\"\xef\xbf\xbd\\u0000a\"");
    const char *const texts[] = {"\"\"", "\"/w==\"", "\"/wA=\"", "\"/wBh\"", "\"/wBhYg==\""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        run("{\"name\":\"f\",\"command\":[\"cat\"],\"input\":\"base64\",\"output\":\"base64\"}", texts[i]);
        gave(texts[i]);
    }
}

static void wrong_items_fail_before_anything_runs(void **state)
{
    (void)state;
    const char *text = "{\"name\":\"f\",\"command\":[\"cat\"],\"input\":\"text\"}";
    const char *base64 = "{\"name\":\"f\",\"command\":[\"cat\"],\"input\":\"base64\"}";
    const char *argument = "{\"name\":\"f\",\"command\":[\"echo\",\"{}\"],\"input\":\"text\"}";
    run(text, "[1]");
    failed("{\"type\":\"error\",\"message\":\"expected a string, got an array\",\"signal\":null,\"exit_code\":null,"
           "\"attempts\":1}");
    assert_int_equal(seen.pid, 0);
    assert_int_equal(seen.exit_code, -1);
    run(base64, "5");
    failed("{\"type\":\"error\",\"message\":\"expected a string of base64, got a number\"");
    const char *const bad[] = {"\"abc\"", "\"ab=c\"", "\"a===\"", "\"ab c\"", "\"/x==\"", "\"ab==cd==\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        run(base64, bad[i]);
        failed("{\"type\":\"error\",\"message\":\"expected base64");
    }
    run(argument, "\"a\\u0000b\"");
    failed("{\"type\":\"error\",\"message\":\"the item has a NUL character");
}

static void what_is_no_value_fails(void **state)
{
    (void)state;
    run_shell("echo hello", "", "1");
    failed("{\"type\":\"protocol\",\"message\":\"printed no JSON: expected a value at byte 0\"");
    run_shell("echo 1 2", "", "1");
    failed("{\"type\":\"protocol\",\"message\":\"printed no JSON: something follows the value at byte 2\"");
    run("{\"name\":\"f\",\"command\":[\"true\"]}", "1");
    failed("{\"type\":\"protocol\",\"message\":\"printed nothing");
    run_shell("printf '[1,'", "", "1");
    failed("{\"type\":\"protocol\"");
}

/* ---- arguments ---- */

#define NASTY "\"; $(touch x) `touch y` | \\\\ ' \\\" * ~ && > z \\n{}\""

static void items_reach_the_program_unchanged(void **state)
{
    (void)state;
    script("args", "#!/bin/sh\nprintf '%s|' \"$@\"\ncat\n");
    run("{\"name\":\"f\",\"command\":[\"./args\",\"a{}b\",\"{}{}\",\"plain\"],\"input\":\"text\",\"output\":\"text\"}",
        "\"-x y\"");
    gave("\"a-x yb|-x y-x y|plain|\"");
    run("{\"name\":\"f\",\"command\":[\"./args\",\"{}\"],\"input\":\"text\",\"output\":\"text\"}", NASTY);
    gave("\"; $(touch x) `touch y` | \\\\ ' \\\" * ~ && > z \\n{}|\"");
    run("{\"name\":\"f\",\"command\":[\"./args\",\"{}\"],\"output\":\"text\"}", "{\"a\": [1, null]}");
    gave("\"{\\\"a\\\": [1, null]}|\"");
    run("{\"name\":\"f\",\"command\":[\"cat\"],\"input\":\"text\",\"output\":\"text\"}", NASTY);
    gave(NASTY);
    char path[256];
    snprintf(path, sizeof path, "%s/x", folder);
    assert_int_equal(access(path, F_OK), -1);
}

static void starmaps_spread_their_arguments(void **state)
{
    (void)state;
    struct assignment star = usual;
    star.star = true;
    const char *two =
        "{\"name\":\"f\",\"command\":[\"./args\",\"{}\",\"-{}-\"],\"input\":\"text\",\"output\":\"text\"}";
    run_as(two, &star, "[\"a\", 5]");
    gave("\"a|-5-|\"");
    run_as(two, &star, "[1]");
    failed("{\"type\":\"error\",\"message\":\"takes 2 arguments, got 1\"");
    run_as(two, &star, "[1,2,3]");
    failed("{\"type\":\"error\",\"message\":\"takes 2 arguments, got 3\"");
    run_as(two, &star, "{\"a\":1}");
    failed("{\"type\":\"error\",\"message\":\"expected an array of arguments, got an object\"");
    run_as("{\"name\":\"f\",\"command\":[\"cat\"]}", &star, "[1, 2]");
    gave("[1, 2]");
    run_as("{\"name\":\"f\",\"command\":[\"cat\"],\"input\":\"text\",\"output\":\"text\"}", &star, "[\"x\"]");
    gave("\"x\"");
}

/* ---- how it ends ---- */

static void statuses_are_errors(void **state)
{
    (void)state;
    run_shell("echo first >&2; echo why >&2; exit 3", "", "1");
    assert_string_equal(seen.outcome, "{\"type\":\"error\",\"message\":\"sh exited with status 3\",\"signal\":null,"
                                      "\"exit_code\":3,\"attempts\":1,\"stderr\":\"first\\nwhy\\n\"}");
    assert_true(seen.failed);
    assert_int_equal(seen.exit_code, 3);
    assert_string_equal(log_text(2), "first\nwhy\n");
    run_shell("exit 1", "", "1");
    failed("{\"type\":\"error\",\"message\":\"sh exited with status 1\",\"signal\":null,\"exit_code\":1,\"attempts\":1,"
           "\"stderr\":\"\"}");
    run_shell("i=0; while [ $i -lt 1000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1", "", "1");
    const char *text = strstr(seen.outcome, "\"stderr\":\"");
    assert_non_null(text);
    assert_memory_equal(text + 10, "line ", 5); /* whole lines */
    assert_non_null(strstr(text, "line 999\\n\"}"));
    assert_true(strlen(text) > 1900 && strlen(text) < 2400);
}

static void signals_are_crashes(void **state)
{
    (void)state;
    run_shell("echo oops >&2; kill -SEGV $$", "", "1");
    failed("{\"type\":\"crash\",\"message\":\"killed by SIGSEGV\",\"signal\":\"SIGSEGV\",\"exit_code\":null,"
           "\"attempts\":1,\"stderr\":\"oops\\n\"}");
    assert_int_equal(seen.exit_code, -1);
    run_shell("kill -KILL $$", "", "1");
    failed("{\"type\":\"crash\",\"message\":\"killed by SIGKILL\"");
}

static void programs_that_do_not_start_are_errors(void **state)
{
    (void)state;
    run("{\"name\":\"f\",\"command\":[\"no-such-program\"]}", "1");
    failed("{\"type\":\"error\",\"message\":\"no-such-program: No such file or directory\",\"signal\":null,"
           "\"exit_code\":null");
    assert_int_equal(seen.pid, 0);
    run("{\"name\":\"f\",\"command\":[\"/etc\"]}", "1");
    failed("{\"type\":\"error\",\"message\":\"/etc: Permission denied\"");
    script("empty", "no interpreter\n");
    run("{\"name\":\"f\",\"command\":[\"./empty\"]}", "1");
    assert_non_null(strstr(seen.outcome, "empty: Exec format error")); /* execlp would ask a shell */
    run("{\"name\":\"f\",\"command\":[\"true\"],\"directory\":\"gone\",\"output\":\"text\"}", "1");
    assert_non_null(strstr(seen.outcome, "/gone: No such file or directory"));
}

/* ---- limits ---- */

static struct assignment within(int64_t timeout_ms)
{
    struct assignment assignment = usual;
    assignment.timeout_ns = timeout_ms * NS_PER_MS;
    return assignment;
}

static void run_shell_within(const char *body, int64_t timeout_ms)
{
    struct assignment assignment = within(timeout_ms);
    char text[512];
    script("body", body);
    snprintf(text, sizeof text, "{\"name\":\"f\",\"command\":[\"sh\",\"%s/body\"],\"output\":\"text\"}", folder);
    run_as(text, &assignment, "1");
}

static void timeouts_end_all_of_it(void **state)
{
    (void)state;
    run_shell_within("echo started >&2; exec sleep 60", 200);
    failed("{\"type\":\"timeout\",\"message\":\"took longer than its timeout of 0.200 s\",\"signal\":\"SIGTERM\"");
    assert_string_equal(log_text(2), "started\n");
    assert_true(seen.took_ns >= 200 * NS_PER_MS && seen.took_ns < 5 * NS_PER_S);
    run_shell_within("trap '' TERM; while :; do sleep 60; done", 100);
    failed("{\"type\":\"timeout\",\"message\":\"took longer than its timeout of 0.100 s\",\"signal\":\"SIGKILL\"");
    assert_true(seen.took_ns >= 400 * NS_PER_MS); /* with the grace time */
    run_shell_within("setsid sh -c 'trap \"\" TERM; sleep 60' & (setsid sleep 60 &) ; sleep 60", 100);
    failed("{\"type\":\"timeout\"");
    run_shell_within("trap 'echo bye >&2; exit 0' TERM; sleep 60 & wait", 200);
    failed("{\"type\":\"timeout\"");
    assert_string_equal(log_text(2), "bye\n");
    run_shell_within("sleep 0.05; echo in time", 20000);
    gave("\"in time\"");
}

static void closing_everything_is_no_end(void **state)
{
    (void)state;
    run_shell_within("exec <&- >&- 2>&- 3>&-; sleep 60", 300);
    failed("{\"type\":\"timeout\"");
    assert_true(seen.took_ns >= 300 * NS_PER_MS);
    run_shell_within("exec <&- >&- 2>&- 3>&-; exit 0", 20000);
    gave("\"\"");
}

static void values_may_be_too_large(void **state)
{
    (void)state;
    struct assignment small = usual;
    small.value_max = 100;
    run("{\"name\":\"f\",\"command\":[\"yes\"],\"output\":\"text\",\"limits\":{\"output\":\"64K\"}}", "1");
    failed("{\"type\":\"too_large\",\"message\":\"the value has more than the 65536 bytes that it may have\"");
    assert_true(seen.took_ns < 5 * NS_PER_S);
    run_as("{\"name\":\"f\",\"command\":[\"head\",\"-c\",\"100\",\"/dev/zero\"],\"output\":\"base64\"}", &small, "1");
    failed("{\"type\":\"too_large\"");
    run_as("{\"name\":\"f\",\"command\":[\"head\",\"-c\",\"72\",\"/dev/zero\"],\"output\":\"base64\"}", &small, "1");
    assert_false(seen.failed);
    run("{\"name\":\"f\",\"command\":[\"head\",\"-c\",\"4000000\",\"/dev/zero\"],\"output\":\"base64\"}", "1");
    assert_false(seen.failed);
    assert_int_equal(strlen(seen.outcome), 5333336 + 2);
}

static void memory_is_limited(void **state)
{
    (void)state;
    /* Grows slowly enough for a look, and far beyond. */
    script("grow.py", "import time\nheld = []\nfor i in range(4000):\n    held.append(bytearray(1 << 20))\n"
                      "    time.sleep(0.001)\n");
    char text[512];
    snprintf(text, sizeof text,
             "{\"name\":\"f\",\"command\":[\"python3\",\"%s/grow.py\"],\"limits\":{\"memory\":\"64M\"}}", folder);
    run(text, "1");
    failed("{\"type\":\"memory\",\"message\":\"used ");
    assert_non_null(strstr(seen.outcome, ",\"limit\":67108864,\"peak\":"));
    assert_true(atoll(strstr(seen.outcome, "\"peak\":") + 7) > 67108864);
    /* Faster than anybody looks: the backstop makes it fail, the system knows the peak. */
    script("grow.py", "held = [bytearray(b'x') * (1 << 20) for i in range(4000)]\n");
    run(text, "1");
    failed("{\"type\":\"memory\",\"message\":\"used ");
    /* A grandchild counts. */
    snprintf(text, sizeof text, "{\"name\":\"f\",\"command\":[\"sh\",\"%s/body\"],\"limits\":{\"memory\":\"64M\"}}",
             folder);
    script("body", "setsid python3 -c 'import time; x = bytearray(100 << 20); time.sleep(60)'; true\n");
    run(text, "1");
    failed("{\"type\":\"memory\"");
    script("body", "echo 1\n");
    run(text, "1");
    gave("1");
}

static void processor_time_is_limited(void **state)
{
    (void)state;
    run_shell("while :; do :; done", "\"limits\":{\"cpu\":1}", "1");
    failed("{\"type\":\"timeout\",\"message\":\"used more than its 1 s of processor time\",\"signal\":\"SIGXCPU\"");
    run_shell("trap '' XCPU; while :; do :; done", "\"limits\":{\"cpu\":1}", "1");
    failed("{\"type\":\"timeout\",\"message\":\"used more than its 1 s of processor time\",\"signal\":\"SIGKILL\"");
    run_shell("sh -c 'while :; do :; done'; exit $?", "\"limits\":{\"cpu\":1}", "1");
    failed("{\"type\":\"timeout\",\"message\":\"used more than its 1 s of processor time\"");
}

static void files_are_limited(void **state)
{
    (void)state;
    run_shell("ulimit -n; ulimit -c", "\"limits\":{\"files\":17}," TEXT_OUT, "1");
    gave("\"17\\n0\"");
}

/* ---- surroundings ---- */

static void the_environment_is_what_is_declared(void **state)
{
    (void)state;
    setenv("SECRET", "no", 1);
    setenv("PASSED", "yes", 1);
    run("{\"name\":\"f\",\"command\":[\"env\"],\"output\":\"text\",\"environment\":[\"PASSED\",\"MISSING\",\"A=b=c\"]}",
        "1");
    struct buf expected = BUF_EMPTY;
    buf_printf(
        &expected,
        "\"PATH=%s\\nPASSED=yes\\nA=b=c\\nPOOLD_JOB=job_1\\nPOOLD_INDEX=7\\nPOOLD_ATTEMPT=1\\nPOOLD_FUNCTION=f\"",
        getenv("PATH"));
    gave(buf_cstr(&expected));
    buf_free(&expected);
}

/* One runner, jobs in turn: what one of them has is not the next one's. */
static void a_trace_is_its_jobs_alone(void **state)
{
    (void)state;
    struct assignment traced = usual;
    traced.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    setenv("TRACEPARENT", "of poold itself", 1);
    struct runner *runner = open_runner("{\"name\":\"f\",\"command\":[\"sh\",\"-c\",\"echo ${TRACEPARENT-none}\"],"
                                        "\"output\":\"text\",\"environment\":[\"TRACEPARENT\"]}");
    run_with(runner, &usual, "1");
    gave("\"none\"");
    run_with(runner, &traced, "1");
    gave("\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"");
    run_with(runner, &usual, "1");
    gave("\"none\"");
    runner_close(&runner);
    unsetenv("TRACEPARENT");
}

static void nothing_of_ours_is_inherited(void **state)
{
    (void)state;
    char path[256];
    int leak = dup2(0, 40); /* without close-on-exec */
    assert_int_equal(leak, 40);
    run_shell("ls /proc/self/fd | tr '\\n' ' '; pwd; grep -E 'SigBlk|SigIgn|NoNewPrivs' /proc/self/status", TEXT_OUT,
              "1");
    close(leak);
    snprintf(path, sizeof path, "\"0 1 2 3 %s\\n", folder);
    /* ls has one more for what it lists */
    assert_non_null(strstr(seen.outcome, folder));
    assert_memory_equal(seen.outcome, "\"0 1 2 3 4 /tmp", 14);
    assert_non_null(strstr(seen.outcome, "NoNewPrivs:\\t1"));
    assert_non_null(strstr(seen.outcome, "SigBlk:\\t0000000000000000"));
    assert_non_null(strstr(seen.outcome, "SigIgn:\\t0000000000000000"));
}

static void logs_are_cut_with_a_mark(void **state)
{
    (void)state;
    /* two bytes a character, and an odd place to cut */
    run_shell("printf x >&2; i=0; while [ $i -lt 5000 ]; do printf 'éééééééééé' >&2; i=$((i+1)); done; echo 1", "",
              "1");
    gave("1");
    assert_true(seen.log[1].length <= LOG_MAX && seen.log[1].length > LOG_MAX - 4);
    assert_memory_equal(seen.log[1].data + seen.log[1].length - strlen(LOG_MARK), LOG_MARK, strlen(LOG_MARK));
    assert_true(scan_is_utf8(seen.log[1].data, seen.log[1].data + seen.log[1].length));
    run_shell("printf 'only a piece: \\303' >&2; sleep 0.05; printf '\\251' >&2; printf '\\303' >&2; echo 1", "", "1");
    assert_string_equal(log_text(2), "only a piece: é\xc3");
}

static void progress_is_passed_on(void **state)
{
    (void)state;
    run_shell("echo '{\"progress\":0.5}' >&3; sleep 0.1; echo nonsense >&3; echo '{\"progress\":}' >&3; sleep 0.1;"
              "printf '{\"progress\":{\"at\":' >&3; sleep 0.1; echo '2}}' >&3; echo 1",
              "", "1");
    gave("1");
    assert_string_equal(seen.progress, "{\"at\":2}");
    assert_int_equal(seen.progresses, 2);
}

static void what_is_left_behind_dies(void **state)
{
    (void)state;
    char path[256], pid[32] = "";
    snprintf(path, sizeof path, "%s/daemon.pid", folder);
    unlink(path);
    run_shell("setsid sh -c 'echo $$ > daemon.pid; trap \"\" TERM HUP; while :; do sleep 60; done' >/dev/null 2>&1 &\n"
              "while [ ! -s daemon.pid ]; do sleep 0.01; done; echo '\"done\"'",
              "", "1");
    gave("\"done\"");
    assert_true(fd_read_file(path, pid, sizeof pid) > 0);
    assert_int_equal(kill((pid_t)atoi(pid), 0), -1);
    assert_int_equal(errno, ESRCH);
    /* One that holds the pipe and writes on. */
    run_shell("(while :; do echo noise; done) & sleep 0.05; echo", "\"limits\":{\"output\":\"8M\"}," TEXT_OUT, "1");
    assert_true(seen.failed || strstr(seen.outcome, "noise"));
    /* One that is somebody else all the time, in a session of its own each time. */
    script("hop.py", "import os\nif os.fork(): os.write(1, b'1'); os._exit(0)\n"
                     "while True:\n    if os.fork(): os._exit(0)\n    os.setsid()\n");
    run_shell("python3 hop.py", "", "1");
    gave("1");
    run_shell("echo '\"clean\"'", "", "1");
    gave("\"clean\"");
    assert_int_equal(seen.log[1].length, 0);
}

static void the_pipes_survive_their_users(void **state)
{
    (void)state;
    struct runner *runner = open_runner("{\"name\":\"f\",\"command\":[\"cat\"]}");
    struct runner *node =
        open_runner("{\"name\":\"g\",\"command\":[\"python3\",\"-c\",\"import os; os.set_blocking(1, False); "
                    "os.ftruncate(os.open('/proc/self/fd/0', os.O_RDWR), 100); print(1)\"]}");
    for (int i = 0; i < 3; i++) {
        assert_true(run_with(node, &usual, "12345"));
        assert_true(run_with(runner, &usual, "[1]"));
        gave("[1]");
        assert_true(run_with(runner, &usual, "[1, 22]"));
        gave("[1, 22]");
    }
    size_t size = 3000000;
    char *large = malloc(size + 1);
    memset(large, 'x', size);
    large[0] = large[size - 1] = '"';
    large[size] = '\0';
    assert_true(run_with(runner, &usual, large));
    gave(large);
    assert_true(run_with(runner, &usual, "1"));
    gave("1");
    free(large);
    runner_close(&runner);
    runner_close(&node);
}

/* ---- stopping ---- */

static void a_stop_ends_it(void **state)
{
    (void)state;
    script("body", "trap 'echo stopped >&2; exit 0' TERM; echo ready >&2; sleep 60 & wait");
    char text[256];
    snprintf(text, sizeof text, "{\"name\":\"f\",\"command\":[\"sh\",\"%s/body\"]}", folder);
    struct runner *runner = open_runner(text);
    struct task task = {.item = "1", .length = 1};
    forget();
    seen.stop_at_began = host.stop_fd = eventfd(0, EFD_CLOEXEC);
    assert_false(runner_run(runner, &usual, &task, 1));
    assert_int_equal(seen.ended, 0);
    assert_string_equal(log_text(2), "ready\nstopped\n");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    close(host.stop_fd);
    host.stop_fd = -1;
    runner_close(&runner);
}

static void a_hang_up_ends_it(void **state)
{
    (void)state;
    int ends[2];
    struct runner *runner = open_runner("{\"name\":\"f\",\"command\":[\"sleep\",\"60\"]}");
    struct task task = {.item = "1", .length = 1};
    assert_int_equal(fd_stream_pair(ends, 0), 0);
    host.channel_fd = ends[0];
    close(ends[1]);
    forget();
    int64_t from = clock_mono_ns();
    assert_false(runner_run(runner, &usual, &task, 1));
    assert_true(clock_mono_ns() - from < 5 * NS_PER_S);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    close(ends[0]);
    host.channel_fd = -1;
    runner_close(&runner);
}

static void it_offers_itself(void **state)
{
    (void)state;
    struct buf list = BUF_EMPTY;
    struct error error;
    struct runner *runner = open_runner("{\"name\":\"words\",\"command\":[\"wc\",\"-w\"],\"input\":\"text\","
                                        "\"summary\":\"counts words\",\"example\":\"a b\"}");
    assert_int_equal(runner_describe(runner, &list, &error), 0);
    assert_string_equal(buf_cstr(&list), "[{\"name\":\"words\",\"summary\":\"counts words\",\"example\":\"a b\"}]");
    assert_false(runner_warm(runner));
    assert_int_equal(runner_window(runner, &usual), 1);
    runner_close(&runner);
    buf_free(&list);
}

static void many_leave_nothing_behind(void **state)
{
    (void)state;
    struct runner *runner = open_runner("{\"name\":\"f\",\"command\":[\"/bin/true\"],\"output\":\"text\"}");
    assert_true(run_with(runner, &usual, "1"));
    int before = dup(0);
    close(before);
    int64_t from = clock_mono_ns();
    for (int i = 0; i < 500; i++)
        assert_true(run_with(runner, &usual, "1"));
    print_message("%.0f commands a second\n", 500 * 1e9 / (double)(clock_mono_ns() - from));
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
    runner_close(&runner);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    (void)stat;
    (void)type;
    (void)walk;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as in the worker */
    child_setup();
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    forget();
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- files ---- */

/* The command is confined, and neither we, who lent it our memory until its exec, nor the next one. */
static void files_are_the_commands_own_affair(void **state)
{
    char path[] = "/tmp/runtimes_exec_elsewhere_XXXXXX", body[128];
    int fd = mkstemp(path);
    (void)state;
    if (landlock_abi() == 0)
        skip();
    assert_int_equal(write(fd, "secret", 6), 6);
    close(fd);
    snprintf(body, sizeof body, "cat %s || echo > %s", path, path);
    host.landlock = landlock_abi();
    run_shell(body, "\"files\":{}," TEXT_OUT, "1");
    failed("{\"type\":\"error\",\"message\":\"sh exited");
    assert_non_null(strstr(log_text(2), "Permission denied"));
    assert_non_null(strstr(log_text(2), "cannot create"));
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_not_equal(fd, -1);
    close(fd);
    snprintf(body, sizeof body, "cat %s", path);
    run_shell(body, TEXT_OUT, "1");
    gave("\"secret\"");
    run_shell(body, "\"files\":{\"read\":[\"/tmp\"]}," TEXT_OUT, "1");
    gave("\"secret\"");
    host.landlock = 0;
    run_shell(body, "\"files\":{}," TEXT_OUT, "1");
    gave("\"secret\"");
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_and_values_have_forms),
        cmocka_unit_test(wrong_items_fail_before_anything_runs),
        cmocka_unit_test(what_is_no_value_fails),
        cmocka_unit_test(items_reach_the_program_unchanged),
        cmocka_unit_test(starmaps_spread_their_arguments),
        cmocka_unit_test(files_are_the_commands_own_affair),
        cmocka_unit_test(statuses_are_errors),
        cmocka_unit_test(signals_are_crashes),
        cmocka_unit_test(programs_that_do_not_start_are_errors),
        cmocka_unit_test(timeouts_end_all_of_it),
        cmocka_unit_test(closing_everything_is_no_end),
        cmocka_unit_test(values_may_be_too_large),
        cmocka_unit_test(memory_is_limited),
        cmocka_unit_test(processor_time_is_limited),
        cmocka_unit_test(files_are_limited),
        cmocka_unit_test(the_environment_is_what_is_declared),
        cmocka_unit_test(a_trace_is_its_jobs_alone),
        cmocka_unit_test(nothing_of_ours_is_inherited),
        cmocka_unit_test(logs_are_cut_with_a_mark),
        cmocka_unit_test(progress_is_passed_on),
        cmocka_unit_test(what_is_left_behind_dies),
        cmocka_unit_test(the_pipes_survive_their_users),
        cmocka_unit_test(a_stop_ends_it),
        cmocka_unit_test(a_hang_up_ends_it),
        cmocka_unit_test(it_offers_itself),
        cmocka_unit_test(many_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
