/* plugin_test: plugins that are as they should be, and the many ways not to be (plugin_deeds.c). What ends a process
 * does so in a child of this one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/job.h"
#include "runtimes/guard.h"
#include "runtimes/loads.h"
#include "runtimes/plugin.h"

enum { DEFINITION = 7 };

static struct scoreboard_slot *board; /* shared with children, as the real one */
static char folder[] = "/tmp/plugin_test_XXXXXX";
static struct error error;

/* ---- what the tests are written with ---- */

static int new_board(void **state)
{
    (void)state;
    memset(board, 0, sizeof *board);
    return 0;
}

/* Of plugin NAME, with more keys (`, "key": …` or ""). */
static struct manifest *manifest_of(const char *path, const char *more)
{
    char json[1024];
    int length = snprintf(json, sizeof json, "{\"plugin\": \"%s\"%s}", path, more);
    struct manifest *manifest = manifest_parse(json, (size_t)length, "test.json", folder, &error);
    if (manifest == NULL)
        fail_msg("%s", error.text);
    return manifest;
}

static int open_at(const char *path, const char *more, struct plugin **plugin)
{
    struct manifest *manifest = manifest_of(path, more);
    int result = plugin_open(manifest, DEFINITION, board, plugin, &error);
    manifest_unref(&manifest);
    return result;
}

static int open_named(const char *name, const char *more, struct plugin **plugin)
{
    char path[512];
    snprintf(path, sizeof path, PLUGINS "/%s.so", name);
    return open_at(path, more, plugin);
}

static struct plugin *open_good(const char *more)
{
    struct plugin *plugin;
    if (open_named("good", more, &plugin) == -1)
        fail_msg("%s", error.text);
    return plugin;
}

static char progress[64];
static const char *traceparent; /* of the job that is asked for */

static void note_progress(struct call *call, const char *json, size_t length)
{
    (void)call;
    assert_true(strlen(progress) + length < sizeof progress);
    memcpy(progress + strlen(progress), json, length);
}

/* The value, or "! TYPE MESSAGE". */
static const char *ask(const struct plugin *plugin, const char *name, const char *item)
{
    static char value[4096], text[4096];
    const struct function *function = plugin_function(plugin, name);
    assert_non_null(function);
    struct call call = {.item = item,
                        .length = strlen(item),
                        .attempt = 2,
                        .name = name,
                        .function = function,
                        .job_id = "j1",
                        .traceparent = traceparent,
                        .index = 5,
                        .progress = note_progress,
                        .value = value,
                        .room = sizeof value - 1,
                        .value_max = sizeof value - 1};
    if (function->call(&call) == 0)
        snprintf(text, sizeof text, "%.*s", (int)call.value_length, value);
    else
        snprintf(text, sizeof text, "! %s %s", call.error_type, call.error);
    return text;
}

static void expect(const struct plugin *plugin, const char *name, const char *item, const char *answer)
{
    assert_string_equal(ask(plugin, name, item), answer);
}

static void expect_reason(int result, const char *words)
{
    assert_int_equal(result, -1);
    if (strstr(error.text, words) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", error.text, words);
}

static void retry_now(void)
{
    for (int i = 0; i < SCOREBOARD_LOADS; i++)
        board->loads[i].retry_ns = 0;
}

/* The wait status of a child that opens a plugin and asks it something (NULL: nothing), and exits with 0. */
static int fate_of(const char *name, const char *more, const char *function, const char *item)
{
    int status;
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        struct plugin *plugin;
        alarm(60);
        if (open_named(name, more, &plugin) == -1)
            _exit(3);
        if (function)
            ask(plugin, function, item);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static bool killed_by(int status, int signal)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

/* ---- a good one ---- */

static void functions_are_told(void **state)
{
    (void)state;
    struct plugin *plugin = open_good("");
    struct buf list = BUF_EMPTY;
    plugin_describe(plugin, &list);
    const char *begin = "[{\"name\":\"echo\",\"summary\":\"says \\\"it\\\" again\",\"example\":[1, 2]},"
                        "{\"name\":\"shout\"},{\"name\":\"walk\"},";
    assert_memory_equal(buf_cstr(&list), begin, strlen(begin));
    assert_int_equal(list.data[list.length - 1], ']');
    assert_null(plugin_function(plugin, "ech"));
    assert_true(plugin_function(plugin, "facts")->takes_star);
    assert_false(plugin_function(plugin, "echo")->takes_star);
    assert_true(plugin_function(plugin, "echo")->prints && plugin_function(plugin, "echo")->unchecked);
    assert_int_equal(board->loading, 0);
    buf_free(&list);
    plugin_close(&plugin);
    assert_null(plugin);
}

static void values_and_errors(void **state)
{
    (void)state;
    struct plugin *plugin = open_good("");
    expect(plugin, "echo", "{\"a\":[1,2]}", "{\"a\":[1,2]}");
    expect(plugin, "shout", "\"caf\\u00e9 \\\"x\\\"\"", "\"CAF\xc3\xa9 \\\"X\\\"\"");
    expect(plugin, "shout", "5", "! error shout: expected a short string, got a number");
    expect(plugin, "walk", "{\"m\":0,\"n\":[1, \"a\" ,[22],{}]}", "107");
    expect(plugin, "walk", "{\"n\":[]}", "0");
    expect(plugin, "walk", "{\"n\":7}", "0");
    expect(plugin, "walk", "[1]", "0");
    expect(plugin, "number", "-9223372036854775808", "-9223372036854775808");
    expect(plugin, "number", "9223372036854775807", "9223372036854775807");
    expect(plugin, "number", "9223372036854775808", "! error number: expected an integer, got a number");
    expect(plugin, "number", "1.5", "! error number: expected an integer, got a number");
    expect(plugin, "fails", "1", "! error no such picture");
    expect(plugin, "silent", "0", "! protocol silent returned 0 without a value");
    expect(plugin, "silent", "1", "! protocol silent returned -1 without an error");
    expect(plugin, "garbage", "1", "{]"); /* for the caller to see, as it is unchecked */
    assert_memory_equal(ask(plugin, "huge", "1"), "! too_large", 11);
    expect(plugin, "echo", "1", "1");
    plugin_close(&plugin);
}

static void surroundings(void **state)
{
    (void)state;
    char expected[300];
    setenv("MODE", "the worker's", 1);
    struct plugin *plugin = open_good(", \"environment\": [\"MODE=fast\"]");
    snprintf(expected, sizeof expected, "[\"j1\",5,2,0,null,\"fast\",\"%s\"]", folder);
    progress[0] = '\0';
    expect(plugin, "facts", "1", expected);
    assert_string_equal(progress, "0.5"); /* and what is no JSON is not shown */
    assert_string_equal(getenv("MODE"), "the worker's");
    struct plugin *other = open_good(", \"directory\": \"/\"");
    expect(other, "facts", "1", "[\"j1\",5,2,0,null,\"\",\"/\"]");
    expect(plugin, "facts", "1", expected);
    plugin_close(&plugin);
    plugin_close(&other);
    unsetenv("MODE");
}

static void the_trace_is_told(void **state)
{
    (void)state;
    struct plugin *plugin = open_good("");
    expect(plugin, "trace", "1", "null");
    traceparent = "";
    expect(plugin, "trace", "1", "null");
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    expect(plugin, "trace", "1", "\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"");
    traceparent = NULL;
    plugin_close(&plugin);
}

/* Made with the header of 0.2, whose poold_host ends sooner: all that it has goes on as it was. */
static void an_older_one_goes_on(void **state)
{
    (void)state;
    char expected[200];
    struct plugin *plugin;
    assert_int_equal(open_named("old", ", \"environment\": [\"MODE=fast\"]", &plugin), 0);
    expect(plugin, "echo", "{\"a\":[1,2]}", "{\"a\":[1,2]}");
    expect(plugin, "shout", "\"abc\"", "\"ABC\"");
    expect(plugin, "walk", "{\"m\":0,\"n\":[1, \"a\" ,[22],{}]}", "107");
    expect(plugin, "fails", "1", "! error no such picture");
    expect(plugin, "trace", "1", "! error made before there were traces");
    snprintf(expected, sizeof expected, "[\"j1\",5,2,0,null,\"fast\",\"%s\"]", folder);
    expect(plugin, "facts", "1", expected);
    plugin_close(&plugin);
}

/* What the plugins that are given MARK have done: '+' initialised, '-' finalised. */
static void expect_marks(const char *path, const char *marks)
{
    char text[16] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_not_equal(fd, -1);
    assert_true(read(fd, text, sizeof text - 1) >= 0);
    close(fd);
    assert_string_equal(text, marks);
}

static void initialised_and_finalised(void **state)
{
    (void)state;
    char more[200], path[100];
    int status;
    snprintf(path, sizeof path, "%s/mark", folder);
    snprintf(more, sizeof more, ", \"environment\": [\"MARK=%s\"]", path);
    struct plugin *plugin = open_good(more);
    expect_marks(path, "+");
    plugin_close(&plugin);
    expect_marks(path, "+-");
    pid_t child = fork();
    if (child == 0) {
        open_good(more);
        exit(0); /* in peace */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    expect_marks(path, "+-+-");
    unlink(path);
}

static void a_later_header_of_this_version(void **state)
{
    (void)state;
    struct plugin *plugin;
    assert_int_equal(open_named("later", "", &plugin), 0);
    expect(plugin, "number", "12", "12");
    expect(plugin, "echo", "12", "12");
    plugin_close(&plugin);
}

static void the_example(void **state)
{
    (void)state;
    const char *const folders[] = {EXAMPLE};
    struct plugin *plugin;
    struct manifest_set *set = manifest_load(folders, 1, &error);
    if (set == NULL || set->count != 1 || plugin_open(set->list[0], DEFINITION, board, &plugin, &error) == -1)
        fail_msg("%s", error.text);
    expect(plugin, "nearest", "\"recieve\"", "[\"receive\",\"relieve\",\"believe\",\"deceive\"]");
    expect(plugin, "nearest", "\"naive\"", "[\"na\xc3\xafve\"]");
    expect(plugin, "distance", "[\"kitten\",\"sitting\"]", "3");
    expect(plugin, "distance", "[\"na\xc3\xafve\",\"naive\"]", "1");
    expect(plugin, "distance", "[\"a\"]", "! error distance needs two words");
    assert_memory_equal(ask(plugin, "nearest", "7"), "! error nearest: expected", 25);
    plugin_close(&plugin);
    manifest_set_free(&set);
}

/* ---- that cannot be loaded ---- */

static void reasons(void **state)
{
    (void)state;
    static const struct {
        const char *name, *more, *words;
    } cases[] = {
        {"missing", "", "missing.so: cannot open shared object file"},
        {"symbol", "", "symbol.so: is no plugin of poold"},
        {"version", "", "version.so: is made for version 3 of poold.h, this poold has 1"},
        {"small", "", "its struct poold_plugin has 16 bytes"},
        {"twice", "", "two functions called echo"},
        {"nothing", "", "offers no function"},
        {"refuses", "", "refuses.so: no model"},
        {"refuses", ", \"initargs\": [\"no table, said \\\"it\\\"\"]", "refuses.so: no table, said \"it\""},
        {"good", ", \"directory\": \"/nowhere\"", "/nowhere: No such file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct plugin *plugin;
        new_board(NULL);
        expect_reason(open_named(cases[i].name, cases[i].more, &plugin), cases[i].words);
        assert_null(plugin);
        assert_int_equal(board->loading, 0);
    }
}

static void failures_back_off(void **state)
{
    (void)state;
    struct plugin *plugin;
    char path[100];
    snprintf(path, sizeof path, "%s/late.so", folder);
    int64_t waits[12], before;
    for (int i = 0; i < 12; i++) {
        retry_now();
        before = clock_mono_ns();
        expect_reason(open_at(path, "", &plugin), "cannot open");
        waits[i] = board->loads[0].retry_ns - before;
    }
    assert_in_range(waits[0], 100 * NS_PER_MS, 5 * NS_PER_S);
    assert_in_range(waits[3], 800 * NS_PER_MS, 5 * NS_PER_S);
    assert_in_range(waits[11], 30 * NS_PER_S, 35 * NS_PER_S);
    /* It is there now, but nobody looks before the wait is over. */
    assert_int_equal(symlink(PLUGINS "/good.so", path), 0);
    expect_reason(open_at(path, "", &plugin), "cannot open");
    retry_now();
    assert_int_equal(open_at(path, "", &plugin), 0);
    assert_int_equal(board->loads[0].failures, 0);
    plugin_close(&plugin);
    unlink(path);
}

/* More definitions than there are entries: the one whose wait ends first is forgotten. */
static void many_failures(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= SCOREBOARD_LOADS + 1; i++) {
        loads_begin(board, i);
        loads_end(board, "why");
        board->loads[(i - 1) % SCOREBOARD_LOADS].retry_ns += i * NS_PER_S;
    }
    assert_false(loads_refused(board, 1, &error));
    for (uint32_t i = 2; i <= SCOREBOARD_LOADS + 1; i++)
        assert_true(loads_refused(board, i, &error));
    scoreboard_forget_loads(board);
    assert_false(loads_refused(board, 2, &error));
}

static void a_crash_is_known_to_the_successor(void **state)
{
    (void)state;
    struct plugin *plugin;
    assert_true(killed_by(fate_of("crashes", "", NULL, NULL), SIGABRT));
    assert_int_equal(board->loading, DEFINITION);
    int64_t before = clock_mono_ns();
    loads_inherit(board);
    assert_int_equal(board->loading, 0);
    assert_true(board->loads[0].retry_ns >= before + 100 * NS_PER_MS);
    board->loads[0].retry_ns += 60 * NS_PER_S; /* however slow we are */
    expect_reason(open_named("crashes", "", &plugin), "killed while it was being loaded");
    retry_now();
    assert_true(killed_by(fate_of("crashes", "", NULL, NULL), SIGABRT));
    before = clock_mono_ns();
    loads_inherit(board);
    assert_true(board->loads[0].retry_ns >= before + 200 * NS_PER_MS);
    /* Others are loaded as ever. */
    struct manifest *good = manifest_of(PLUGINS "/good.so", "");
    assert_int_equal(plugin_open(good, DEFINITION + 1, board, &plugin, &error), 0);
    plugin_close(&plugin);
    manifest_unref(&good);
}

static void expect_inherited(const char *words)
{
    struct plugin *plugin;
    loads_inherit(board);
    board->loads[0].retry_ns += 60 * NS_PER_S;
    expect_reason(open_named("good", "", &plugin), words);
}

static void loading_has_its_limits(void **state)
{
    (void)state;
    assert_true(killed_by(fate_of("hangs", ", \"start_timeout\": 0.2", NULL, NULL), SIGKILL));
    expect_inherited("is not loaded after 0.2 s");
    new_board(NULL);
    assert_true(killed_by(fate_of("devours", ", \"limits\": {\"memory\": \"32M\"}", NULL, NULL), SIGKILL));
    assert_int_equal(board->verdict, FAILURE_MEMORY);
    expect_inherited("needs more than 33554432 bytes of memory to be loaded");
}

/* ---- limits of items ---- */

static void memory_is_limited(void **state)
{
    (void)state;
    const char *const limit = ", \"limits\": {\"memory\": \"64M\"}";
    assert_int_equal(fate_of("good", limit, "devours", "16"), 0);
    assert_int_equal(board->verdict, FAILURE_NONE);
    assert_true(killed_by(fate_of("good", limit, "devours", "4096"), SIGKILL));
    assert_int_equal(board->verdict, FAILURE_MEMORY);
    assert_int_equal(board->limit, 64 << 20);
    assert_in_range(board->peak, 64 << 20, 1024 << 20); /* it does not get far */
}

/* What somebody else holds in this process is not held against it. */
static void memory_of_others_does_not_count(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    if (child == 0) {
        char *table = malloc(100 << 20);
        memset(table, 1, 100 << 20);
        struct plugin *other = open_good(""), *plugin = open_good(", \"limits\": {\"memory\": \"64M\"}");
        expect(plugin, "devours", "8", "8");
        expect(other, "devours", "100", "100");
        expect(plugin, "devours", "8", "8");
        expect(plugin, "devours", "60", "60"); /* but it is limited to what it keeps from before */
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(killed_by(status, SIGKILL));
    assert_int_equal(board->verdict, FAILURE_MEMORY);
    assert_in_range(board->peak, 64 << 20, 90 << 20);
}

static void cpu_is_limited(void **state)
{
    (void)state;
    assert_true(killed_by(fate_of("good", ", \"limits\": {\"cpu\": 1}", "spins", "0"), SIGXCPU));
}

static void files_are_limited(void **state)
{
    (void)state;
    struct plugin *plugin = open_good(", \"limits\": {\"files\": 12}");
    int hole = open("/dev/null", O_RDONLY | O_CLOEXEC), high = fcntl(hole, F_DUPFD_CLOEXEC, 40);
    close(hole); /* free numbers below those in use */
    expect(plugin, "opens", "0", "12");
    expect(plugin, "opens", "0", "12");
    struct plugin *other = open_good("");
    assert_true(atoi(ask(other, "opens", "0")) > 100);
    close(high);
    plugin_close(&plugin);
    plugin_close(&other);
}

static void resident_memory(void **state)
{
    (void)state;
    int64_t before = guard_resident();
    assert_true(before > 0);
    assert_false(guard_rss_exceeds(0));
    assert_true(guard_rss_exceeds(before / 2));
    assert_false(guard_rss_exceeds(before * 2));
}

/* Not a test of speed: what a call through poold.h costs, for whoever reads the log. */
static void calls_are_cheap(void **state)
{
    (void)state;
    enum { CALLS = 100000 };
    int64_t took[2];
    for (int limited = 0; limited < 2; limited++) {
        struct plugin *plugin = open_good(limited ? ", \"limits\": {\"memory\": \"256M\"}" : "");
        int64_t begin = clock_mono_ns();
        for (int i = 0; i < CALLS; i++)
            ask(plugin, "number", "12");
        took[limited] = clock_mono_ns() - begin;
        plugin_close(&plugin);
    }
    print_message("a call %.0f ns, with a limit of memory %.0f ns\n", (double)took[0] / CALLS, (double)took[1] / CALLS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First those whose children need a watchdog: threads do not come along. */
        cmocka_unit_test_setup(loading_has_its_limits, new_board),
        cmocka_unit_test_setup(memory_is_limited, new_board),
        cmocka_unit_test_setup(memory_of_others_does_not_count, new_board),
        cmocka_unit_test_setup(cpu_is_limited, new_board),
        cmocka_unit_test_setup(functions_are_told, new_board),
        cmocka_unit_test_setup(values_and_errors, new_board),
        cmocka_unit_test_setup(surroundings, new_board),
        cmocka_unit_test_setup(the_trace_is_told, new_board),
        cmocka_unit_test_setup(an_older_one_goes_on, new_board),
        cmocka_unit_test_setup(initialised_and_finalised, new_board),
        cmocka_unit_test_setup(a_later_header_of_this_version, new_board),
        cmocka_unit_test_setup(the_example, new_board),
        cmocka_unit_test_setup(reasons, new_board),
        cmocka_unit_test_setup(failures_back_off, new_board),
        cmocka_unit_test_setup(many_failures, new_board),
        cmocka_unit_test_setup(a_crash_is_known_to_the_successor, new_board),
        cmocka_unit_test_setup(files_are_limited, new_board),
        cmocka_unit_test_setup(resident_memory, new_board),
        cmocka_unit_test_setup(calls_are_cheap, new_board),
    };
    board = mmap(NULL, SCOREBOARD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED || mkdtemp(folder) == NULL)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
