/* base_test: the small parts of server/base, each by what its header promises. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/histogram.h"
#include "base/id.h"
#include "base/mailbox.h"

/* ---- ids ---- */

static void ids_come_back(void **state)
{
    (void)state;
    static const int64_t times[] = {0, 1, 1700000000000, (INT64_C(1) << 45) - 1};
    static const int64_t seqs[] = {1, 31, 32, 1000000, JOB_SEQ_MAX};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        for (size_t j = 0; j < sizeof seqs / sizeof seqs[0]; j++) {
            char text[JOB_ID_LENGTH + 1];
            int64_t created = -1, seq = -1;
            job_id_format(text, times[i], seqs[j]);
            assert_int_equal(strlen(text), JOB_ID_LENGTH);
            assert_int_equal(job_id_parse(text, &created, &seq), 0);
            assert_true(created == times[i] && seq == seqs[j]);
        }
    }
}

static void ids_sort_by_time_then_seq(void **state)
{
    (void)state;
    char before[JOB_ID_LENGTH + 1] = "", text[JOB_ID_LENGTH + 1];
    for (int64_t ms = 1700000000000; ms < 1700000000100; ms += 7) {
        for (int64_t seq = 1; seq < JOB_SEQ_MAX / 40; seq *= 33) {
            job_id_format(text, ms, seq);
            assert_true(strcmp(before, text) < 0);
            memcpy(before, text, sizeof before);
        }
    }
}

static void what_is_no_id_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "0",
        "01hf7yat000000",    /* too short */
        "01hf7yat00000001x", /* too long */
        "01hf7yat00000000",  /* seq 0 */
        "01hf7yat0zzzzzzz",  /* seq over 2^31-1 */
        "01hf7yat02000000",  /* seq 2^31 */
        "01HF7YAT00000001",  /* upper case */
        "01hf7yai00000001",  /* i l o u are no digits */
        "01hf7yat0000000u",
        "01hf7yat0000000 ",
        "-1hf7yat00000001",
        "01hf7yat0000000\xff",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int64_t created = -7, seq = -7;
        assert_int_equal(job_id_parse(wrong[i], &created, &seq), -1);
        assert_true(created == -7 && seq == -7);
    }
    int64_t created, seq;
    assert_int_equal(job_id_parse("01hf7yat00000001", &created, &seq), 0);
    assert_int_equal(job_id_parse("01hf7yat01zzzzzz", &created, &seq), 0);
    assert_int_equal(seq, JOB_SEQ_MAX);
}

/* ---- mailbox ---- */

enum { PUTTERS = 4, MAILS = 20000 };

struct numbered {
    struct mail mail; /* first */
    int putter, number;
};

static struct {
    struct mailbox box;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool woken;
    unsigned wakes;
} post = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static void wake_taker(void *context)
{
    assert_ptr_equal(context, &post);
    pthread_mutex_lock(&post.mutex);
    post.woken = true;
    post.wakes++;
    pthread_cond_signal(&post.cond);
    pthread_mutex_unlock(&post.mutex);
}

static void *put_many(void *argument)
{
    for (int i = 0; i < MAILS; i++) {
        struct numbered *m = malloc(sizeof *m);
        m->putter = (int)(intptr_t)argument;
        m->number = i;
        mailbox_put(&post.box, &m->mail);
    }
    return NULL;
}

static void wait_for_wake(void)
{
    pthread_mutex_lock(&post.mutex);
    while (!post.woken)
        pthread_cond_wait(&post.cond, &post.mutex);
    post.woken = false;
    pthread_mutex_unlock(&post.mutex);
}

/* The taker only looks after a wake-up: a lost one would hang the test. */
static void mail_of_many_threads_arrives_in_order(void **state)
{
    (void)state;
    pthread_t threads[PUTTERS];
    int next[PUTTERS] = {0}, total = 0;
    mailbox_init(&post.box, wake_taker, &post);
    for (intptr_t i = 0; i < PUTTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, (void *)i), 0);
    while (total < PUTTERS * MAILS) {
        wait_for_wake();
        struct mail *rest;
        for (struct mail *m = mailbox_take(&post.box); m != NULL; m = rest) {
            struct numbered *n = (struct numbered *)m;
            rest = m->next;
            assert_int_equal(n->number, next[n->putter]++);
            free(n);
            total++;
        }
    }
    for (int i = 0; i < PUTTERS; i++)
        pthread_join(threads[i], NULL);
    assert_null(mailbox_take(&post.box));
    mailbox_destroy(&post.box);
}

static void count_wake(void *context)
{
    ++*(int *)context;
}

static void a_burst_wakes_once(void **state)
{
    (void)state;
    struct mailbox box;
    struct mail mails[3];
    int wakes = 0;
    mailbox_init(&box, count_wake, &wakes);
    for (int i = 0; i < 3; i++)
        mailbox_put(&box, &mails[i]);
    assert_int_equal(wakes, 1);
    assert_ptr_equal(mailbox_take(&box), &mails[0]);
    assert_ptr_equal(mails[1].next, &mails[2]);
    mailbox_put(&box, &mails[0]);
    assert_int_equal(wakes, 2);
    mailbox_take(&box);
    mailbox_destroy(&box);
}

/* ---- buf ---- */

static void assert_json(const char *text, size_t length, const char *expected)
{
    struct buf b = BUF_EMPTY;
    buf_append_json_string(&b, text, length);
    assert_string_equal(buf_cstr(&b), expected);
    buf_free(&b);
}

#define ASSERT_JSON(text, expected) assert_json(text, sizeof(text) - 1, expected)
#define BAD "\xef\xbf\xbd"

static void json_strings_are_always_valid(void **state)
{
    (void)state;
    ASSERT_JSON("", "\"\"");
    ASSERT_JSON("plain \x7f", "\"plain \x7f\"");
    ASSERT_JSON("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    ASSERT_JSON("\n\r\t\b\x1f\0x", "\"\\n\\r\\t\\u0008\\u001f\\u0000x\"");
    ASSERT_JSON("é€😀", "\"é€😀\"");
    ASSERT_JSON("\x80", "\"" BAD "\"");
    ASSERT_JSON("a\xff"
                "b",
                "\"a" BAD "b\"");
    ASSERT_JSON("\xc0\xaf", "\"" BAD BAD "\"");                 /* overlong */
    ASSERT_JSON("\xe0\x80\x80", "\"" BAD BAD BAD "\"");         /* overlong */
    ASSERT_JSON("\xed\xa0\x80", "\"" BAD BAD BAD "\"");         /* a surrogate */
    ASSERT_JSON("\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\""); /* over U+10FFFF */
    ASSERT_JSON("\xf0\x9f\x98", "\"" BAD "\"");                 /* cut at the end */
    ASSERT_JSON("\xe2\x82!", "\"" BAD "!\"");                   /* cut in the middle */
    ASSERT_JSON("\xe2\"", "\"" BAD "\\\"\"");                   /* must not swallow the quote */
}

static void buffers_grow_shrink_and_are_given_away(void **state)
{
    (void)state;
    struct buf b = BUF_EMPTY;
    buf_append(&b, NULL, 0);
    assert_null(b.data);
    assert_string_equal(buf_cstr(&b), "");
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i);
    assert_int_equal(b.length, 3890);
    buf_consume(&b, 3886);
    assert_string_equal(buf_cstr(&b), "999,");
    buf_append_text(&b, "x");
    buf_append_char(&b, 'y');
    buf_printf(&b, "%0200d", 7); /* longer than what is first tried */
    assert_int_equal(b.length, 206);
    buf_clear(&b, SIZE_MAX);
    assert_true(b.length == 0 && b.capacity > 0);
    buf_append_text(&b, "kept");
    size_t length;
    buf_cstr(&b);
    char *text = buf_steal(&b, &length);
    assert_string_equal(text, "kept");
    assert_true(length == 4 && b.data == NULL && b.capacity == 0);
    free(text);
    buf_reserve(&b, 100000);
    buf_clear(&b, 4096);
    assert_true(b.data == NULL && b.capacity == 0);
    buf_free(&b);
    buf_free(&b);
}

/* ---- blob ---- */

static void *drop_reference(void *argument)
{
    struct blob *blob = argument;
    for (int i = 0; i < 10000; i++) {
        struct blob *mine = blob_ref(blob);
        assert_int_equal(mine->data[3], '3');
        blob_unref(&mine);
    }
    blob_unref(&blob);
    return NULL;
}

static void blobs_live_until_the_last_reference(void **state)
{
    (void)state;
    struct blob *blob = blob_new("0123", 4), *none = NULL;
    pthread_t threads[4];
    assert_int_equal(blob->data[4], '\0');
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, drop_reference, blob_ref(blob)), 0);
    blob_unref(&blob);
    assert_null(blob);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    blob_unref(&none);
    blob_unref(NULL);
    assert_null(blob_ref(NULL));
    blob = blob_new(NULL, 10);
    memset(blob->data, 'x', 10);
    assert_int_equal(strlen(blob->data), 10);
    blob_unref(&blob);
}

/* ---- fd ---- */

static void pairs_are_nonblocking_and_close_on_exec(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(fd_stream_pair(fds, 256 * 1024), 0);
    for (int i = 0; i < 2; i++) {
        int size = 0;
        socklen_t length = sizeof size;
        assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        getsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, &length);
        assert_true(size >= 128 * 1024); /* capped by net.core.wmem_max */
    }
    fd_set_nonblocking(fds[0], false);
    fd_set_cloexec(fds[0], false);
    assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    assert_false(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
    errno = ENOENT;
    fd_close(&fds[0]);
    assert_true(fds[0] == -1 && errno == ENOENT);
    fd_close(&fds[0]);
    char c;
    assert_int_equal(read(fds[1], &c, 1), 0);
    fd_close(&fds[1]);
    assert_int_equal(fd_set_cloexec(-1, true), -1);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void small_files_are_read_and_cut(void **state)
{
    (void)state;
    char path[] = "/tmp/poold_base_XXXXXX", text[5];
    int fd = mkstemp(path);
    fd_close(&fd);
    write_file(path, "abcdefgh");
    assert_int_equal(fd_read_file(path, text, sizeof text), 4);
    assert_string_equal(text, "abcd");
    write_file(path, "");
    assert_int_equal(fd_read_file(path, text, sizeof text), 0);
    unlink(path);
    assert_int_equal(fd_read_file(path, text, sizeof text), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(fd_read_file("/tmp", text, sizeof text), -1);
    assert_int_equal(errno, EISDIR);
}

/* ---- cpu ---- */

static char root[] = "/tmp/poold_cpu_XXXXXX";

/* Makes the folders of ROOT/path and the file. */
static void fake(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    write_file(full, text);
}

#define V2_MOUNT "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

static void cpu_count_honours_quota(void **state)
{
    (void)state;
    unsigned all = cpu_count();
    assert_non_null(mkdtemp(root));
    assert_true(cpu_count_below(root) >= all); /* nothing there: affinity alone */
    fake("proc/self/cgroup", "0::/a/b\n");
    fake("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" V2_MOUNT);
    fake("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_true(cpu_count_below(root) >= all);
    fake("sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
    assert_int_equal(cpu_count_below(root), 1);
    fake("sys/fs/cgroup/a/b/cpu.max", "900000 100000\n");
    fake("sys/fs/cgroup/a/cpu.max", "10000 100000\n"); /* an ancestor holds too */
    assert_int_equal(cpu_count_below(root), 1);
    if (all >= 2) {
        fake("sys/fs/cgroup/a/cpu.max", "100001 100000\n"); /* rounded up */
        assert_int_equal(cpu_count_below(root), 2);
    }
    /* v1, and a container whose path is the host's while its mount shows a part. */
    fake("proc/self/cgroup", "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x/inner\n0::/\n");
    fake("proc/self/mountinfo", "30 23 0:26 /docker/x /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n");
    fake("sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "-1\n");
    fake("sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n");
    assert_true(cpu_count_below(root) >= all);
    fake("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "90000\n");
    fake("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cpu_count_below(root), 1);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", root);
    assert_int_equal(system(command), 0);
}

static void cpu_count_honours_affinity(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

/* ---- clock, error, log, check ---- */

static void clocks_agree(void **state)
{
    (void)state;
    int64_t coarse = clock_coarse_ns(), fine = clock_mono_ns();
    assert_true(coarse <= fine && fine - coarse < NS_PER_S);
    assert_true(clock_mono_ns() >= fine);
    assert_true(clock_wall_ms() / 1000 - (int64_t)time(NULL) <= 1);
}

static void errors_keep_errno_and_are_cut(void **state)
{
    (void)state;
    struct error e;
    char big[2000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    errno = EPIPE;
    assert_int_equal(error_set(&e, "slot %d: %s", 4, big), -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_int_equal(error_set(NULL, "nobody listens"), -1);
}

/* What `act` writes to stderr. */
static ssize_t stderr_of(void (*act)(void), char *text, size_t size)
{
    int fds[2], before = dup(STDERR_FILENO);
    assert_int_equal(pipe(fds), 0);
    dup2(fds[1], STDERR_FILENO);
    fd_close(&fds[1]);
    act();
    dup2(before, STDERR_FILENO);
    fd_close(&before);
    ssize_t length = read(fds[0], text, size - 1);
    text[length > 0 ? length : 0] = '\0';
    fd_close(&fds[0]);
    return length;
}

static void break_an_invariant(void)
{
    pid_t child = fork();
    if (child == 0) {
        int two = 2;
        CHECK(two == 3, "it was %d", two);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void a_failed_check_says_what_was_expected_and_aborts(void **state)
{
    (void)state;
    char text[4096];
    stderr_of(break_an_invariant, text, sizeof text);
    assert_non_null(strstr(text, " expected=\"two == 3\" note=\"it was 2\"\n"));
}

static void a_histogram_counts_into_the_first_bound_that_holds(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    for (unsigned i = 1; i < HISTOGRAM_BOUNDS; i++)
        assert_true(histogram_bounds[i] > histogram_bounds[i - 1]);
    histogram_add(&histogram, 1, -5);
    histogram_add(&histogram, 2, histogram_bounds[0]);
    histogram_add(&histogram, 3, histogram_bounds[0] + 1);
    histogram_add(&histogram, 4, INT64_C(2) * histogram_bounds[HISTOGRAM_BOUNDS - 1]);
    assert_int_equal(histogram.counts[0], 3);
    assert_int_equal(histogram.counts[1], 3);
    assert_int_equal(histogram.counts[HISTOGRAM_BOUNDS], 4);
    assert_int_equal(histogram.sum_ns, 5 * histogram_bounds[0] + 3 + 8 * histogram_bounds[HISTOGRAM_BOUNDS - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_come_back),
        cmocka_unit_test(ids_sort_by_time_then_seq),
        cmocka_unit_test(what_is_no_id_is_refused),
        cmocka_unit_test(mail_of_many_threads_arrives_in_order),
        cmocka_unit_test(a_burst_wakes_once),
        cmocka_unit_test(json_strings_are_always_valid),
        cmocka_unit_test(buffers_grow_shrink_and_are_given_away),
        cmocka_unit_test(blobs_live_until_the_last_reference),
        cmocka_unit_test(pairs_are_nonblocking_and_close_on_exec),
        cmocka_unit_test(small_files_are_read_and_cut),
        cmocka_unit_test(cpu_count_honours_quota),
        cmocka_unit_test(cpu_count_honours_affinity),
        cmocka_unit_test(clocks_agree),
        cmocka_unit_test(a_histogram_counts_into_the_first_bound_that_holds),
        cmocka_unit_test(errors_keep_errno_and_are_cut),
        cmocka_unit_test(a_failed_check_says_what_was_expected_and_aborts),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
