/* Runtimes through runner.h, with real Python processes: what functions do well, and everything that they may do to us.
 * The functions lie in lab.py, which is written into a folder of its own; raw.py speaks the protocol itself. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtimes/child.h"
#include "runtimes/replies.h"
#include "runtimes/runner.h"

enum { ITEMS_MAX = 2048, SECOND = 1000000000 };

/* ---- the programs ---- */

static const char lab_py[] = "import asyncio, ctypes, json, multiprocessing, os, signal, subprocess, sys, time\n"
                             "import poold\n"
                             "lock = multiprocessing.Lock()\n"
                             "table = None\n"
                             "def setup(*args):\n"
                             "    global table\n"
                             "    print('setting up')\n"
                             "    table = list(args)\n"
                             "def broken_setup():\n"
                             "    raise ValueError('no model at /x')\n"
                             "def slow_setup():\n"
                             "    time.sleep(60)\n"
                             "def looked_up(i): return table[i]\n"
                             "def square(n):\n"
                             "    \"\"\"n times n.\n"
                             "\n"
                             "    At length.\"\"\"\n"
                             "    return n * n\n"
                             "def compute_fibonacci(n):\n"
                             "    a, b = 0, 1\n"
                             "    for _ in range(n): a, b = b, a + b\n"
                             "    return a\n"
                             "def perform_delay(n):\n"
                             "    time.sleep(n)\n"
                             "    return n\n"
                             "def process_task(item): return f'Processed {item}'\n"
                             "def print_message(message):\n"
                             "    with lock: print(message)\n"
                             "def area(width, height=2): return width * height\n"
                             "async def later(n):\n"
                             "    await asyncio.sleep(0.001)\n"
                             "    return n + 1\n"
                             "def several(n):\n"
                             "    yield n\n"
                             "def hidden_several(n): return (i for i in range(n))\n"
                             "def same(x): return x\n"
                             "def text_of(x): return 'ä\\U0001F600\\n\"\\\\' + x\n"
                             "def fails(x): raise KeyError('no such ' + x)\n"
                             "def nan(x): return float('nan')\n"
                             "def a_set(x): return {1}\n"
                             "def leaves(x): sys.exit(4)\n"
                             "def prints(x):\n"
                             "    print('one', x)\n"
                             "    sys.stderr.write('two\\n')\n"
                             "    print('three', end='')\n"
                             "    return x\n"
                             "def prints_raw(x):\n"
                             "    os.write(1, b'raw %d\\n' % x)\n"
                             "    subprocess.run(['echo', 'child', str(x)])\n"
                             "    return x\n"
                             "def prints_much(x):\n"
                             "    for i in range(100000): print('line', i)\n"
                             "def tells(x):\n"
                             "    poold.progress({'done': x})\n"
                             "    return [poold.index(), poold.attempt(), poold.job(), poold.deadline() is not None]\n"
                             "def watched(x):\n"
                             "    print('is it seen?')\n"
                             "    end = time.monotonic() + 5\n"
                             "    while time.monotonic() < end and not os.path.exists('seen'): time.sleep(0.01)\n"
                             "    return os.path.exists('seen')\n"
                             "def traced(x): return poold.traceparent()\n"
                             "def dies(x):\n"
                             "    if x < 0: os.kill(os.getpid(), -x)\n"
                             "    return x\n"
                             "def quits(x):\n"
                             "    if x < 0: os._exit(0)\n"
                             "    return x\n"
                             "def writes_3(x):\n"
                             "    if x < 0: os.write(3, b'garbage\\n')\n"
                             "    return x\n"
                             "def writes_4(x):\n"
                             "    if isinstance(x, str): os.write(4, x.encode())\n"
                             "    return 1\n"
                             "def half(x):\n"
                             "    os.write(4, b'{\"id\":')\n"
                             "    time.sleep(60)\n"
                             "def half_and_exit(x):\n"
                             "    os.write(4, b'{\"id\":')\n"
                             "    os._exit(0)\n"
                             "def huge(n): return 'x' * n\n"
                             "def endless_line(x):\n"
                             "    while True: os.write(4, b'x' * 65536)\n"
                             "def stubborn(x):\n"
                             "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                             "    time.sleep(60)\n"
                             "def closes(x):\n"
                             "    if x < 0:\n"
                             "        os.closerange(0, 100)\n"
                             "        if x < -1: time.sleep(60)\n"
                             "    return x\n"
                             "def eats(x):\n"
                             "    hoard = []\n"
                             "    while x < 0: hoard.append(bytearray(os.urandom(1 << 20)))\n"
                             "    return x\n"
                             "def runs_out(x): raise MemoryError\n"
                             "def burns(x):\n"
                             "    while x < 0: pass\n"
                             "    return x\n"
                             "def daemonises(path):\n"
                             "    if os.fork() == 0:\n"
                             "        os.setsid()\n"
                             "        if os.fork() == 0:\n"
                             "            os.closerange(0, 100)\n"
                             "            with open(path + '.new', 'w') as f: f.write(str(os.getpid()))\n"
                             "            os.rename(path + '.new', path)\n"
                             "            time.sleep(60)\n"
                             "        os._exit(0)\n"
                             "    os.wait()\n"
                             "    while not os.path.exists(path): time.sleep(0.005)\n"
                             "    return int(open(path).read())\n"
                             "def _sleeper(**more): return subprocess.Popen(['sleep', '60'], **more).pid\n"
                             "def forgets(x): return _sleeper(start_new_session=x > 0)\n"
                             "def forgets_many(n): return [_sleeper() for i in range(n)][-1]\n"
                             "def forks_a_daemon(x):\n"
                             "    child = os.fork()\n"
                             "    if child: return child\n"
                             "    time.sleep(0.002)\n"
                             "    os.setsid()\n"
                             "    time.sleep(60)\n"
                             "def helper():\n"
                             "    global helping\n"
                             "    helping = _sleeper()\n"
                             "def helper_pid(x): return helping\n"
                             "def forks_and_returns(x):\n"
                             "    child = os.fork()\n"
                             "    if child: os.waitpid(child, 0)\n"
                             "    return os.getpid()\n"
                             "def prints_raw_below_0(x):\n"
                             "    if x < 0: os.write(1, b'below\\n')\n"
                             "    return x\n"
                             "def pid(x): return os.getpid()\n"
                             "def grows(n):\n"
                             "    global hoard\n"
                             "    hoard = bytearray(os.urandom(n))\n"
                             "    return os.getpid()\n"
                             "def pools(n):\n"
                             "    with multiprocessing.Pool(2) as pool: return pool.map(square, range(n))\n"
                             "def _private(x): return x\n"
                             "class Thing: pass\n";

static const char raw_py[] =
    "import json, os, sys, time\n"
    "how = sys.argv[1]\n"
    "def say(text): os.write(3, text.encode())\n"
    "if how == 'exits': os.write(2, b'no licence\\n'); sys.exit(3)\n"
    "if how == 'silent': time.sleep(60)\n"
    "if how == 'nonsense': say('hello there\\n'); time.sleep(60)\n"
    "say('{\"ready\":true,\"functions\":[\"f\",{\"name\":\"g\",\"example\":[1]}]}\\n')\n"
    "for line in os.fdopen(os.dup(3), 'r'):\n"
    "    r = json.loads(line)\n"
    "    n = r['id']\n"
    "    if r['item'] == 'other': say('{\"id\":%d,\"value\":1}\\n' % (n + 1))\n"
    "    elif r['item'] == 'garbage': say('garbage\\n')\n"
    "    elif r['item'] == 'deep': say('{\"id\":%d,\"value\":%s%s}\\n' % (n, '[' * 100, ']' * 100))\n"
    "    elif r['item'] == 'error': say('{\"id\":%d,\"error\":{\"message\":\"no\",\"type\":\"memory\"}}\\n' % n)\n"
    "    elif r['item'] == 'bad-error': say('{\"id\":%d,\"error\":{\"class\":\"X\"}}\\n' % n)\n"
    "    elif r['item'] == 'log': "
    "say('{\"id\":%d,\"log\":\"\\\\u00e4\\\\n\",\"stream\":\"stderr\"}\\n{\"id\":%d,\"value\":2}\\n' % (n, n))\n"
    "    elif r['item'] == 'exit': os._exit(0)\n"
    "    elif r['item'] == 'huge': say('{ \"id\": %d, \"value\": \"%s\"}\\n' % (n, 'x' * 3000000))\n"
    "    elif r['item'] == 'late': say('{\"id\":%d,\"value\":3}\\n{\"id\":%d,\"log\":\"x\",\"stream\":\"stdout\"}\\n' "
    "% (n, n))\n"
    "    else: say('{\"id\":%d,\"value\":%s}\\n' % (n, json.dumps(r)))\n";

/* ---- the host ---- */

struct record {
    char *value, *error;
    char *printed[2];
    char *progress;
    unsigned began, ended;
    int exit_code;
    pid_t pid;
};

struct lab {
    char folder[64];
    struct host host;
    int channel[2];
    struct record records[ITEMS_MAX];
    struct task tasks[ITEMS_MAX];
    uint32_t count, next; /* next: whose turn it is */
    unsigned start_failures;
    struct runner *runner;
    struct assignment assignment;
};

static void append(char **text, const char *bytes, size_t length)
{
    size_t old = *text ? strlen(*text) : 0;
    *text = realloc(*text, old + length + 1);
    assert_non_null(*text);
    memcpy(*text + old, bytes, length);
    (*text)[old + length] = '\0';
}

static void on_began(void *context, uint32_t place)
{
    struct lab *lab = context;
    assert_int_equal(place, lab->next);
    lab->records[place].began++;
}

static void on_ended(void *context, uint32_t place, const struct outcome *outcome)
{
    struct lab *lab = context;
    struct record *record = &lab->records[place];
    assert_int_equal(place, lab->next);
    assert_true(record->began > 0);
    lab->next++;
    record->ended++;
    record->pid = outcome->pid;
    record->exit_code = outcome->exit_code;
    append(outcome->value ? &record->value : &record->error, outcome->value ? outcome->value : outcome->error,
           outcome->length);
}

static void write_file(const struct lab *lab, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", lab->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void on_output(void *context, uint32_t place, unsigned stream, const char *bytes, size_t length)
{
    struct lab *lab = context;
    assert_int_equal(lab->records[place].ended, 0);
    assert_in_range(stream, 1, 2);
    append(&lab->records[place].printed[stream - 1], bytes, length);
    if (strstr(lab->records[place].printed[stream - 1], "is it seen?"))
        write_file(lab, "seen", "");
}

static void on_progress(void *context, uint32_t place, const char *json, size_t length)
{
    struct lab *lab = context;
    assert_int_equal(lab->records[place].ended, 0);
    append(&lab->records[place].progress, json, length);
}

static void on_start_failed(void *context, const char *reason)
{
    assert_non_null(reason);
    ((struct lab *)context)->start_failures++;
}

/* ---- the lab ---- */

static int set_up(void **state)
{
    struct lab *lab = calloc(1, sizeof *lab);
    assert_non_null(lab);
    strcpy(lab->folder, "/tmp/poold-lab.XXXXXX");
    assert_non_null(mkdtemp(lab->folder));
    write_file(lab, "lab.py", lab_py);
    write_file(lab, "raw.py", raw_py);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lab->channel), 0);
    lab->host = (struct host){.context = lab,
                              .began = on_began,
                              .ended = on_ended,
                              .output = on_output,
                              .progress = on_progress,
                              .start_failed = on_start_failed,
                              .channel_fd = lab->channel[0],
                              .stop_fd = eventfd(0, EFD_CLOEXEC),
                              .grace_ms = 300,
                              .runtimes = LAUNCHERS};
    lab->assignment = (struct assignment){.job_id = "j1", .traceparent = "", .attempt = 1, .value_max = 1 << 20};
    *state = lab;
    return 0;
}

static void forget_records(struct lab *lab)
{
    for (uint32_t i = 0; i < lab->count; i++) {
        struct record *record = &lab->records[i];
        free(record->value);
        free(record->error);
        free(record->printed[0]);
        free(record->printed[1]);
        free(record->progress);
        free((char *)lab->tasks[i].item);
        *record = (struct record){0};
    }
    lab->count = lab->next = 0;
}

static int remove_entry(const char *path, const struct stat *stat_, int type, struct FTW *walk)
{
    (void)stat_, (void)type, (void)walk;
    return remove(path);
}

static int tear_down(void **state)
{
    struct lab *lab = *state;
    forget_records(lab);
    runner_close(&lab->runner);
    /* Nothing is left running. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    close(lab->channel[0]);
    close(lab->channel[1]);
    close(lab->host.stop_fd);
    nftw(lab->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(lab);
    return 0;
}

/* The manifest of lab.py with more members (", …"), instead of the one before. */
static void open_manifest(struct lab *lab, const char *json)
{
    struct error error;
    runner_close(&lab->runner);
    struct manifest *manifest = manifest_parse(json, strlen(json), "lab.json", lab->folder, &error);
    if (manifest == NULL)
        fail_msg("%s: %s", json, error.text);
    lab->runner = runner_open(manifest, &lab->host);
    manifest_unref(&manifest);
}

static void open_lab(struct lab *lab, const char *more)
{
    char json[512];
    snprintf(json, sizeof json, "{\"runtime\":\"python\",\"module\":\"lab\"%s}", more);
    open_manifest(lab, json);
}

static void open_raw(struct lab *lab, const char *how, const char *more)
{
    char json[512];
    snprintf(json, sizeof json, "{\"name\":\"raw\",\"runtime\":[\"python3\",\"raw.py\",\"%s\"]%s}", how, more);
    open_manifest(lab, json);
}

static void add(struct lab *lab, const char *item)
{
    lab->tasks[lab->count] = (struct task){.index = 100 + lab->count, .item = strdup(item), .length = strlen(item)};
    lab->count++;
}

/* Runs what was added. */
static bool run_added(struct lab *lab, const char *function)
{
    lab->assignment.function = function;
    lab->next = 0;
    bool goes_on = runner_run(lab->runner, &lab->assignment, lab->tasks, lab->count);
    for (uint32_t i = 0; goes_on && i < lab->count; i++)
        assert_int_equal(lab->records[i].ended, 1);
    return goes_on;
}

/* Runs items (separated by spaces) by themselves. */
static void run_items(struct lab *lab, const char *function, const char *items)
{
    char *copy = strdup(items), *rest = copy, *item;
    forget_records(lab);
    while ((item = strsep(&rest, " ")))
        add(lab, item);
    free(copy);
    assert_true(run_added(lab, function));
}

static void expect_item(struct lab *lab, uint32_t place, const char *value)
{
    const struct record *record = &lab->records[place];
    if (record->value == NULL || strcmp(record->value, value) != 0)
        fail_msg("item %u: %s, expected %s", place, record->value ? record->value : record->error, value);
}

/* `parts`: texts that all have to be there, separated by '|'. */
static void expect_error(struct lab *lab, uint32_t place, const char *type, const char *parts)
{
    char wanted[64], *copy = strdup(parts), *rest = copy, *part;
    const struct record *record = &lab->records[place];
    if (record->error == NULL)
        fail_msg("item %u: value %s, expected %s", place, record->value, type);
    snprintf(wanted, sizeof wanted, "{\"type\":\"%s\",\"message\":\"", type);
    if (strncmp(record->error, wanted, strlen(wanted)) != 0)
        fail_msg("item %u: %s, expected %s", place, record->error, type);
    while ((part = strsep(&rest, "|")))
        if (!strstr(record->error, part))
            fail_msg("item %u: %s, expected %s in it", place, record->error, part);
    free(copy);
}

/* ---- what goes well ---- */

static void test_values(void **state)
{
    struct lab *lab = *state;
    open_lab(lab, "");
    run_items(lab, "square", "0 1 2 3 4 5 6 7 8 9");
    expect_item(lab, 9, "81");
    run_items(lab, "compute_fibonacci", "30");
    expect_item(lab, 0, "832040");
    run_items(lab, "perform_delay", "0.01 0.005 0.003");
    expect_item(lab, 1, "0.005");
    run_items(lab, "process_task", "\"a\"");
    expect_item(lab, 0, "\"Processed a\"");
    run_items(lab, "print_message", "\"hello\"");
    expect_item(lab, 0, "null");
    assert_string_equal(lab->records[0].printed[0], "hello\n");
    run_items(lab, "same", "[1,{\"a\":null}] true 0.1 -0.0 \"\\u0000\\u00e4\" 123456789012345678901234567890");
    expect_item(lab, 0, "[1,{\"a\":null}]");
    expect_item(lab, 2, "0.1");
    expect_item(lab, 3, "-0.0");
    expect_item(lab, 4, "\"\\u0000ä\"");
    expect_item(lab, 5, "123456789012345678901234567890");
    run_items(lab, "text_of", "\"x\"");
    expect_item(lab, 0, "\"ä\xf0\x9f\x98\x80\\n\\\"\\\\x\"");
    run_items(lab, "later", "1 2");
    expect_item(lab, 1, "3");
    run_items(lab, "pools", "4");
    expect_item(lab, 0, "[0,1,4,9]");
}

static void test_starmap(void **state)
{
    struct lab *lab = *state;
    open_lab(lab, "");
    lab->assignment.star = true;
    run_items(lab, "area", "[3,4] {\"width\":5} 6 [] {\"depth\":1}");
    expect_item(lab, 0, "12");
    expect_item(lab, 1, "10");
    expect_error(lab, 2, "error", "arrays or objects of arguments, not int|\"class\":\"TypeError\"");
    expect_error(lab, 3, "error", "missing 1 required positional argument: 'width'");
    expect_error(lab, 4, "error", "unexpected keyword argument 'depth'");
}

static void test_exceptions(void **state)
{
    struct lab *lab = *state;
    open_lab(lab, "");
    run_items(lab, "fails", "\"thing\" 5 \"other\"");
    expect_error(lab, 0, "error",
                 "'no such thing'|\"class\":\"KeyError\"|lab.py|\"signal\":null|\"exit_code\":null|\"attempts\":1");
    assert_null(strstr(lab->records[0].error, "poold_worker"));
    expect_error(lab, 1, "error", "\"class\":\"TypeError\"");
    expect_error(lab, 2, "error", "'no such other'");
    assert_int_equal(lab->records[0].pid, lab->records[2].pid);
    run_items(lab, "several", "1");
    expect_error(lab, 0, "error", "several is a generator");
    run_items(lab, "hidden_several", "1");
    expect_error(lab, 0, "error", "generator|return a list");
    run_items(lab, "nan", "1");
    expect_error(lab, 0, "error", "NaN");
    run_items(lab, "a_set", "1");
    expect_error(lab, 0, "error", "type set is not JSON serializable|\"class\":\"TypeError\"");
    run_items(lab, "leaves", "1");
    expect_error(lab, 0, "error", "\"class\":\"SystemExit\"");
    run_items(lab, "runs_out", "1");
    expect_error(lab, 0, "memory", "\"class\":\"MemoryError\"");
    run_items(lab, "absent", "1");
    expect_error(lab, 0, "error", "has no function 'absent'");
    run_items(lab, "square", "2");
    expect_item(lab, 0, "4");
}

static void test_output(void **state)
{
    struct lab *lab = *state;
    open_lab(lab, "");
    run_items(lab, "prints", "1 2");
    assert_string_equal(lab->records[0].printed[0], "one 1\nthree");
    assert_string_equal(lab->records[1].printed[0], "one 2\nthree");
    assert_string_equal(lab->records[1].printed[1], "two\n");
    run_items(lab, "prints_raw", "1 2");
    assert_string_equal(lab->records[0].printed[0], "raw 1\nchild 1\n");
    assert_string_equal(lab->records[1].printed[0], "raw 2\nchild 2\n");
    assert_int_equal(runner_window(lab->runner, &lab->assignment), 1);
    run_items(lab, "prints_much", "1");
    expect_item(lab, 0, "null");
    assert_in_range(strlen(lab->records[0].printed[0]), 60 * 1024, 64 * 1024);
    assert_non_null(strstr(lab->records[0].printed[0], "[cut]"));
    run_items(lab, "tells", "7 8");
    assert_string_equal(lab->records[1].progress, "{\"done\":8}");
    expect_item(lab, 1, "[101,1,\"j1\",false]");
    lab->assignment.timeout_ns = 60LL * SECOND;
    run_items(lab, "tells", "7");
    expect_item(lab, 0, "[100,1,\"j1\",true]");
    run_items(lab, "traced", "7");
    expect_item(lab, 0, "null");
    lab->assignment.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    run_items(lab, "traced", "7 8");
    expect_item(lab, 1, "\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"");
}

/* What it prints at once is seen at once, though it begins long after it was asked: here it takes its time to read the
 * item, on a busy machine to wake up. */
static void test_output_of_a_late_beginning(void **state)
{
    struct lab *lab = *state;
    const size_t zeros = 2000000;
    char *item = malloc(2 * zeros + 2);
    assert_non_null(item);
    for (size_t i = 0; i < zeros; i++)
        memcpy(item + 2 * i, i ? ",0" : "[0", 2);
    memcpy(item + 2 * zeros, "]", 2);
    open_lab(lab, "");
    run_items(lab, "square", "1"); /* it has started */
    run_items(lab, "watched", item);
    expect_item(lab, 0, "true");
    free(item);
}

static void test_initializer(void **state)
{
    struct lab *lab = *state;
    open_lab(lab, ",\"initializer\":\"setup\",\"initargs\":[\"a\",{\"b\":1}]");
    run_items(lab, "looked_up", "0 1");
    expect_item(lab, 1, "{\"b\":1}");
    assert_null(lab->records[0].printed[0]); /* what the initializer printed is no item's */
}

static void test_describe(void **state)
{
    struct lab *lab = *state;
    struct buf list = BUF_EMPTY;
    struct error error;
    open_lab(lab, ",\"initializer\":\"setup\"");
    assert_false(runner_warm(lab->runner));
    assert_int_equal(runner_describe(lab->runner, &list, &error), 0);
    assert_true(runner_warm(lab->runner));
    const char *text = buf_cstr(&list);
    assert_non_null(strstr(text, "{\"name\":\"square\",\"summary\":\"n times n.\"}"));
    assert_null(strstr(text, "_private"));
    assert_null(strstr(text, "Thing"));
    assert_null(strstr(text, "\"setup\""));
    buf_clear(&list, 0);
    open_raw(lab, "good", "");
    assert_int_equal(runner_describe(lab->runner, &list, &error), 0);
    assert_string_equal(buf_cstr(&list), "[{\"name\":\"f\"},{\"name\":\"g\",\"example\":[1]}]");
    buf_clear(&list, 0);
    open_manifest(lab, "{\"name\":\"images\",\"runtime\":\"python\",\"module\":\"nowhere\"}");
    assert_int_equal(runner_describe(lab->runner, &list, &error), -1);
    assert_string_equal(error.text, "images: ModuleNotFoundError: No module named 'nowhere'");
    buf_free(&list);
}

static void test_window(void **state)
{
    struct lab *lab = *state;
    open_lab(lab, "");
    for (int i = 0; i < ITEMS_MAX; i++)
        add(lab, "3");
    for (int i = 0; i < 3; i++) {
        assert_true(run_added(lab, "square"));
        for (uint32_t k = 0; k < lab->count; k++) {
            expect_item(lab, k, "9");
            free(lab->records[k].value);
            lab->records[k] = (struct record){0};
        }
    }
    assert_in_range(runner_window(lab->runner, &lab->assignment), 16, 1024);
    run_items(lab, "perform_delay", "0.005 0.005 0.005");
    assert_int_equal(runner_window(lab->runner, &lab->assignment), 1);
}

/* ---- what goes wrong: the item has its error, its neighbours their values ---- */

/* Until it takes batches. */
static void warm_up(struct lab *lab, const char *function)
{
    for (int i = 0; i < 100; i++) {
        run_items(lab, function, "1 2 3 4");
        if (runner_window(lab->runner, &lab->assignment) >= 8)
            return;
    }
}

static void expect_only_middle(struct lab *lab, const char *function, const char *bad, const char *type,
                               const char *parts)
{
    char items[256];
    open_lab(lab, "");
    warm_up(lab, function);
    snprintf(items, sizeof items, "1 2 %s 4 5", bad);
    run_items(lab, function, items);
    expect_error(lab, 2, type, parts);
    assert_non_null(lab->records[0].value);
    assert_non_null(lab->records[1].value);
    assert_non_null(lab->records[3].value);
    assert_non_null(lab->records[4].value);
    assert_int_not_equal(lab->records[2].pid, lab->records[3].pid);
    assert_int_equal(lab->records[3].pid, lab->records[4].pid);
}

static void test_whose_output(void **state)
{
    struct lab *lab = *state;
    open_lab(lab, "");
    warm_up(lab, "prints_raw_below_0");
    assert_in_range(runner_window(lab->runner, &lab->assignment), 8, 1024);
    run_items(lab, "prints_raw_below_0", "-1");
    run_items(lab, "prints_raw_below_0", "1 2 -1 4 5");
    assert_string_equal(lab->records[2].printed[0], "below\n");
    assert_int_equal(runner_window(lab->runner, &lab->assignment), 1);
}

static void test_crash(void **state)
{
    struct lab *lab = *state;
    expect_only_middle(lab, "dies", "-11", "crash",
                       "killed by SIGSEGV|\"signal\":\"SIGSEGV\"|\"exit_code\":null|\"attempts\":1");
    expect_only_middle(lab, "dies", "-9", "crash", "killed by SIGKILL");
    expect_only_middle(lab, "quits", "-1", "crash", "exited with status 0 without an answer|\"exit_code\":0");
}

static void test_nonsense(void **state)
{
    struct lab *lab = *state;
    expect_only_middle(lab, "writes_3", "-1", "protocol", "descriptor 3");
    expect_only_middle(lab, "writes_4", "\"garbage\\n\"", "protocol", "no answer");
    expect_only_middle(lab, "writes_4", "\"{\\\"id\\\":999999999,\\\"value\\\":1}\\n\"", "protocol", "id of no item");
    expect_only_middle(lab, "closes", "-1", "crash", "exited with status 70");
    expect_only_middle(lab, "closes", "-2", "protocol", "closed descriptor 3");
    open_lab(lab, "");
    run_items(lab, "half_and_exit", "1");
    expect_error(lab, 0, "protocol", "in the middle of a line");
    run_items(lab, "endless_line", "1");
    expect_error(lab, 0, "protocol", "too long");
    lab->assignment.timeout_ns = SECOND / 5;
    run_items(lab, "half", "1");
    expect_error(lab, 0, "timeout", "no answer within 0.2 s");
}

static void test_too_large(void **state)
{
    struct lab *lab = *state;
    open_lab(lab, "");
    run_items(lab, "huge", "10 2000000 20000000 5");
    assert_non_null(lab->records[0].value);
    expect_error(lab, 1, "too_large", "at most 1048576");
    expect_error(lab, 2, "too_large", "at most 1048576");
    expect_item(lab, 3, "\"xxxxx\"");
    assert_int_equal(lab->records[0].pid, lab->records[3].pid);
    open_lab(lab, ",\"limits\":{\"output\":100}");
    run_items(lab, "huge", "98 99");
    assert_non_null(lab->records[0].value);
    expect_error(lab, 1, "too_large", "101 bytes");
}

static void test_timeout(void **state)
{
    struct lab *lab = *state;
    open_lab(lab, "");
    lab->assignment.timeout_ns = SECOND / 5;
    run_items(lab, "perform_delay", "0 60 0.01");
    expect_item(lab, 0, "0");
    expect_error(lab, 1, "timeout", "\"signal\":null");
    expect_item(lab, 2, "0.01");
    int64_t began = clock_mono_ns();
    run_items(lab, "stubborn", "1");
    expect_error(lab, 0, "timeout", "no answer");
    assert_in_range(clock_mono_ns() - began, SECOND / 2, 10LL * SECOND); /* the grace was given, and no more */
}

static void test_limits(void **state)
{
    struct lab *lab = *state;
    open_lab(lab, ",\"limits\":{\"memory\":\"100M\"}");
    run_items(lab, "eats", "1 -1 2");
    expect_item(lab, 0, "1");
    expect_error(lab, 1, "memory", "\"limit\":104857600|\"peak\":");
    expect_item(lab, 2, "2");
    open_lab(lab, ",\"limits\":{\"cpu\":1}");
    run_items(lab, "burns", "1 -1 2");
    expect_error(lab, 1, "timeout", "1 s of processor time");
    expect_item(lab, 2, "2");
}

static void test_left_behind(void **state)
{
    struct lab *lab = *state;
    char item[128];
    open_lab(lab, "");
    snprintf(item, sizeof item, "\"%s/pid\"", lab->folder);
    run_items(lab, "daemonises", item);
    assert_non_null(lab->records[0].value);
    pid_t left = (pid_t)atoi(lab->records[0].value);
    assert_int_equal(kill(left, 0), -1);
    assert_true(runner_warm(lab->runner));
    run_items(lab, "forks_and_returns", "1 2");
    assert_int_equal(atoi(lab->records[0].value), lab->records[0].pid);
    assert_int_equal(atoi(lab->records[1].value), lab->records[0].pid);
}

/* Ended, though perhaps not reaped by its parent. */
static bool has_ended(pid_t pid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return true;
    char *line = fgets(text, sizeof text, file), *name_end = line ? strrchr(line, ')') : NULL;
    fclose(file);
    return name_end == NULL || name_end[2] == 'Z';
}

static void expect_end(const struct lab *lab, uint32_t place)
{
    assert_non_null(lab->records[place].value);
    pid_t left = (pid_t)atoi(lab->records[place].value);
    for (int i = 0; i < 500 && !has_ended(left); i++)
        usleep(10000);
    assert_true(has_ended(left));
}

/* A daemon ends with its item, though the runtime lives on and is its parent; what was there before stays. */
static void test_forgotten(void **state)
{
    struct lab *lab = *state;
    open_lab(lab, ",\"initializer\":\"helper\"");
    run_items(lab, "forgets", "0 1");
    pid_t helper = (pid_t)atoi(lab->records[0].value);
    expect_end(lab, 1);
    run_items(lab, "forks_a_daemon", "0");
    expect_end(lab, 0);
    assert_false(has_ended(helper)); /* in the group: the runtime's own affair */
    pid_t runtime = lab->records[0].pid;
    run_items(lab, "helper_pid", "0");
    assert_int_equal(lab->records[0].pid, runtime);
    assert_false(has_ended((pid_t)atoi(lab->records[0].value)));
    run_items(lab, "forgets_many", "520"); /* so many are no helpers */
    expect_end(lab, 0);
    assert_false(runner_warm(lab->runner));
    run_items(lab, "pid", "0");
    assert_int_not_equal(lab->records[0].pid, runtime);
}

static void test_recycling(void **state)
{
    struct lab *lab = *state;
    open_lab(lab, ",\"max_tasks_per_child\":3");
    run_items(lab, "pid", "1 2 3 4 5 6 7");
    assert_string_equal(lab->records[0].value, lab->records[2].value);
    assert_string_not_equal(lab->records[2].value, lab->records[3].value);
    assert_string_equal(lab->records[3].value, lab->records[5].value);
    assert_string_not_equal(lab->records[5].value, lab->records[6].value);
    open_lab(lab, ",\"max_rss\":\"100M\"");
    run_items(lab, "grows", "1000");
    assert_true(runner_warm(lab->runner));
    run_items(lab, "grows", "200000000");
    assert_false(runner_warm(lab->runner));
    open_lab(lab, "");
    lab->assignment.once = true;
    run_items(lab, "pid", "1 2");
    assert_string_not_equal(lab->records[0].value, lab->records[1].value);
    assert_int_equal(lab->records[0].pid, atoi(lab->records[0].value));
    assert_int_equal(lab->records[0].exit_code, 0);
    assert_false(runner_warm(lab->runner));
    run_items(lab, "quits", "-1");
    expect_error(lab, 0, "crash", "status 0");
    assert_int_equal(lab->records[0].exit_code, 0);
    assert_true(lab->records[0].pid > 0);
}

static void test_start_fails(void **state)
{
    struct lab *lab = *state;
    open_lab(lab, ",\"initializer\":\"broken_setup\"");
    int64_t began = clock_mono_ns();
    for (int i = 0; i < 20; i++) {
        run_items(lab, "square", "1 2");
        expect_error(lab, 1, "error",
                     "lab could not be started: ValueError: no model at /x|\"class\":\"ValueError\"|in broken_setup");
    }
    int64_t took = clock_mono_ns() - began;
    assert_in_range(lab->start_failures, 1, 1 + (unsigned)(took / (SECOND / 10)));
    open_lab(lab, ",\"initializer\":\"slow_setup\",\"start_timeout\":0.3");
    run_items(lab, "square", "1");
    expect_error(lab, 0, "error", "could not be started: not ready after 0.3 s");
    open_raw(lab, "exits", "");
    run_items(lab, "f", "1");
    expect_error(lab, 0, "error", "raw could not be started: exited with status 3 before it was ready: no licence");
    open_raw(lab, "nonsense", "");
    run_items(lab, "f", "1");
    expect_error(lab, 0, "error", "hello there");
    open_manifest(lab, "{\"name\":\"raw\",\"runtime\":[\"/no/such/program\"]}");
    began = clock_mono_ns();
    lab->start_failures = 0;
    for (int i = 0; i < 100; i++) {
        run_items(lab, "f", "1");
        expect_error(lab, 0, "error", "/no/such/program: No such file or directory");
    }
    assert_in_range(lab->start_failures, 1, 1 + (unsigned)((clock_mono_ns() - began) / (SECOND / 10)));
}

static void test_one_by_one(void **state)
{
    struct lab *lab = *state;
    open_raw(lab, "good", "");
    run_items(lab, "f",
              "1 \"other\" 2 \"garbage\" \"deep\" \"error\" \"bad-error\" \"log\" \"exit\" \"late\" \"huge\" 3");
    assert_non_null(strstr(lab->records[0].value, "\"function\": \"f\""));
    assert_non_null(strstr(lab->records[0].value, "\"index\": 100"));
    assert_non_null(strstr(lab->records[0].value, "\"deadline\": null"));
    expect_error(lab, 1, "protocol", "id of no item");
    assert_non_null(lab->records[2].value);
    expect_error(lab, 3, "protocol", "no JSON object");
    expect_error(lab, 4, "protocol", "too deep");
    expect_error(lab, 5, "memory", "\"message\":\"no\"");
    expect_error(lab, 6, "protocol", "no message");
    expect_item(lab, 7, "2");
    assert_string_equal(lab->records[7].printed[1], "ä\n");
    expect_error(lab, 8, "crash", "exited with status 0 without an answer");
    expect_item(lab, 9, "3");
    expect_error(lab, 10, "too_large", "a value of 30000");
    assert_non_null(lab->records[11].value);
}

/* ---- being told to stop ---- */

struct stopper {
    struct lab *lab;
    bool hang_up;
};

static void *stop_later(void *context)
{
    const struct stopper *stopper = context;
    usleep(200 * 1000);
    if (stopper->hang_up)
        shutdown(stopper->lab->channel[1], SHUT_RDWR);
    else
        eventfd_write(stopper->lab->host.stop_fd, 1);
    return NULL;
}

static void stop_within(struct lab *lab, bool hang_up)
{
    pthread_t thread;
    struct stopper stopper = {lab, hang_up};
    open_lab(lab, "");
    run_items(lab, "square", "1"); /* so that it is warm */
    forget_records(lab);
    add(lab, "0");
    add(lab, "60");
    add(lab, "0");
    assert_int_equal(pthread_create(&thread, NULL, stop_later, &stopper), 0);
    assert_false(run_added(lab, "perform_delay"));
    pthread_join(thread, NULL);
    assert_int_equal(lab->records[0].ended, 1);
    assert_int_equal(lab->records[1].ended, 0);
    assert_int_equal(lab->records[2].began, 0);
}

static void test_stop(void **state)
{
    stop_within(*state, false);
}

static void test_hang_up(void **state)
{
    stop_within(*state, true);
}

/* ---- reply lines ---- */

static bool parses(const char *text, struct reply *reply)
{
    static char line[256];
    const char *reason = NULL;
    snprintf(line, sizeof line, "%s", text);
    bool good = reply_parse(line, strlen(line), reply, &reason);
    if (!good)
        assert_non_null(reason);
    return good;
}

static void test_replies(void **state)
{
    (void)state;
    struct reply reply;
    assert_true(parses("{\"id\":7,\"value\":[1]}", &reply));
    assert_int_equal(reply.id, 7);
    assert_memory_equal(reply.text.at, "[1]", reply.text.length);
    assert_true(parses("{ \"id\" : 7 , \"value\" : 1 } ", &reply));
    assert_true(parses("{\"id\":7,\"error\":{\"message\":\"a\\u0041\\ud83d\\ude00\",\"class\":\"E\"}}", &reply));
    assert_string_equal(reply.text.at, "aA\xf0\x9f\x98\x80");
    assert_string_equal(reply.class_name.at, "E");
    assert_true(parses("{\"id\":7,\"stream\":\"stderr\",\"log\":\"\\t\"}", &reply));
    assert_int_equal(reply.stream, 2);
    assert_string_equal(reply.text.at, "\t");
    static const char *const wrong[] = {"",
                                        "7",
                                        "{}",
                                        "{\"id\":7}",
                                        "{\"value\":1,\"id\":7}",
                                        "{\"id\":\"7\",\"value\":1}",
                                        "{\"id\":-7,\"value\":1}",
                                        "{\"id\":7,\"value\":1,\"value\":2}",
                                        "{\"id\":7,\"value\":1,\"error\":{\"message\":\"\"}}",
                                        "{\"id\":7,\"value\":1}x",
                                        "{\"id\":7,\"value\":}",
                                        "{\"id\":7,\"value\":nan}",
                                        "{\"id\":7,\"value\":\"\\ud800\"}",
                                        "{\"id\":7,\"error\":\"no\"}",
                                        "{\"id\":7,\"error\":{}}",
                                        "{\"id\":7,\"log\":\"x\"}",
                                        "{\"id\":7,\"log\":1,\"stream\":\"stdout\"}",
                                        "{\"id\":7,\"log\":\"x\",\"stream\":\"stdin\"}",
                                        "{\"id\":7,\"call\":1}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (parses(wrong[i], &reply))
            fail_msg("taken: %s", wrong[i]);
}

int main(void)
{
#define LAB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        LAB(test_values),
        LAB(test_starmap),
        LAB(test_exceptions),
        LAB(test_output),
        LAB(test_output_of_a_late_beginning),
        LAB(test_initializer),
        LAB(test_describe),
        LAB(test_window),
        LAB(test_whose_output),
        LAB(test_crash),
        LAB(test_nonsense),
        LAB(test_too_large),
        LAB(test_timeout),
        LAB(test_limits),
        LAB(test_left_behind),
        LAB(test_forgotten),
        LAB(test_recycling),
        LAB(test_start_fails),
        LAB(test_one_by_one),
        LAB(test_stop),
        LAB(test_hang_up),
    };
    child_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
