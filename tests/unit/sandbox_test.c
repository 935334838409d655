/* The sandbox: what it refuses, what it must not touch, and what it says on kernels that have less than this one. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/files.h"
#include "sandbox/landlock.h"
#include "sandbox/sandbox.h"

static char folder[] = "/tmp/poold-sandbox-XXXXXX";

/* ---- in a child: the line that was not right, or 0 ---- */

#define EXPECT(true)                                                                                                   \
    do {                                                                                                               \
        if (!(true)) {                                                                                                 \
            fprintf(stderr, "sandbox_test: line %d: %s (errno %d)\n", __LINE__, #true, errno);                         \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)
#define REFUSED(call, with) EXPECT((errno = 0, (call)) == -1 && errno == (with))

static void in_child(void (*body)(void))
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (chdir(folder) == -1 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
            _exit(2);
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    EXPECT(fd != -1 && close(fd) == 0);
}

/* What is typed into somebody else's terminal, his shell runs. The kernel looks at 32 bits of the request. */
static void types_nothing(void)
{
    REFUSED(syscall(SYS_ioctl, -1, TIOCSTI, "x"), EPERM);
    REFUSED(syscall(SYS_ioctl, -1, 1L << 32 | TIOCSTI, "x"), EPERM);
    REFUSED(syscall(SYS_ioctl, -1, TIOCLINUX, "x"), EPERM);
    REFUSED(syscall(SYS_ioctl, -1, TIOCGWINSZ, "x"), EBADF);
}

static void moves_files(void)
{
    EXPECT(mkdir("a", 0700) == 0 && mkdir("b", 0700) == 0);
    make_file("a/file");
    EXPECT(rename("a/file", "b/file") == 0);
    EXPECT(link("b/file", "a/file") == 0);
    EXPECT(mkfifo("a/pipe", 0600) == 0);
    EXPECT(unlink("a/pipe") == 0 && unlink("a/file") == 0 && unlink("b/file") == 0);
    EXPECT(rmdir("a") == 0 && rmdir("b") == 0);
}

static void makes_processes(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    EXPECT(pid > 0 && kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
}

/* ---- this kernel ---- */

static void refuses(void)
{
    struct sandbox sandbox;
    EXPECT(sandbox_enter(SANDBOX_STRICT, &sandbox) == 0);
    EXPECT(sandbox.seccomp && sandbox.landlock && sandbox.abi == landlock_abi());
    EXPECT(sandbox.signals == (sandbox.abi >= LANDLOCK_ABI_SIGNALS));
    EXPECT(sandbox.signals == (sandbox.missing[0] == '\0'));
    REFUSED(mount("none", ".", "tmpfs", 0, NULL), EPERM);
    REFUSED(umount2(".", 0), EPERM);
    REFUSED(syscall(SYS_io_uring_setup, 1, NULL), EPERM);
    REFUSED(syscall(SYS_bpf, 0, NULL, 0), EPERM);
    REFUSED(syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM);
    REFUSED(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0), EPERM);
#ifndef POOLD_SANITIZED
    REFUSED(ptrace(PTRACE_TRACEME, 0, NULL, NULL), EPERM);
#endif
    if (geteuid() == 0) /* the others may not anyway */
        REFUSED(mknod("device", S_IFBLK | 0600, 0), EACCES);
    if (sandbox.signals)
        REFUSED(kill(getppid(), 0), EPERM);
    EXPECT(kill(getpid(), 0) == 0);
    types_nothing();
    moves_files();
    makes_processes();
}

static void lets(void)
{
    struct sandbox sandbox;
    EXPECT(sandbox_enter(SANDBOX_OFF, &sandbox) == 0);
    EXPECT(!sandbox.seccomp && !sandbox.landlock && !sandbox.signals && sandbox.abi == 0 && sandbox.missing[0] == '\0');
    EXPECT(kill(getppid(), 0) == 0);
    REFUSED(syscall(SYS_bpf, -1, NULL, 0), EINVAL);
}

static bool this_kernel_can(void)
{
    return landlock_abi() >= LANDLOCK_ABI_MOVES;
}

static void test_what_it_refuses(void **state)
{
    (void)state;
    if (!this_kernel_can())
        skip();
    in_child(refuses);
}

static void test_off(void **state)
{
    (void)state;
    if (geteuid() != 0) /* bpf(): the kernel's own answer is EPERM then */
        skip();
    in_child(lets);
}

#ifdef __x86_64__
/* A call by the gate of 32-bit programs, with their number. */
static void calls_as_i386(void)
{
    struct sandbox sandbox;
    long result;
    EXPECT(sandbox_enter(SANDBOX_AUTO, &sandbox) == 0 && sandbox.seccomp);
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
    EXPECT(result == -EPERM);
    REFUSED(syscall(0x40000000 | SYS_getpid), EPERM); /* x32 */
}

static void test_other_architectures(void **state)
{
    (void)state;
    in_child(calls_as_i386);
}
#endif

/* ---- kernels that have less ---- */

/* From here on the kernel answers so. */
static void answer(int number, int failure)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    EXPECT(filter != NULL && seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)failure), number, 0) == 0);
    EXPECT(seccomp_load(filter) == 0);
    seccomp_release(filter);
}

static void without_landlock(int failure, const char *reason)
{
    struct sandbox sandbox;
    answer(SYS_landlock_create_ruleset, failure);
    EXPECT(sandbox_enter(SANDBOX_STRICT, &sandbox) == -1);
    EXPECT(!sandbox.landlock && !sandbox.signals && sandbox.abi == 0 && strstr(sandbox.missing, reason) != NULL);
    EXPECT(sandbox_enter(SANDBOX_AUTO, &sandbox) == 0 && sandbox.seccomp);
    REFUSED(mount("none", ".", "tmpfs", 0, NULL), EPERM);
}

static void has_no_landlock(void)
{
    without_landlock(ENOSYS, "Landlock: this kernel has none");
}

static void landlock_is_off(void)
{
    without_landlock(EOPNOTSUPP, "Landlock: switched off");
}

static void has_no_seccomp(void)
{
    struct sandbox sandbox;
    answer(SYS_seccomp, ENOSYS);
    EXPECT(sandbox_enter(SANDBOX_STRICT, &sandbox) == -1);
    EXPECT(!sandbox.seccomp && strstr(sandbox.missing, "seccomp: ") != NULL);
    EXPECT(sandbox_enter(SANDBOX_AUTO, &sandbox) == 0);
}

static void test_less(void **state)
{
    (void)state;
    in_child(has_no_landlock);
    in_child(landlock_is_off);
    in_child(has_no_seccomp);
}

static void test_versions(void **state)
{
    const struct landlock_rights all = {.files = landlock_write | landlock_devices, .signals = true};
    (void)state;
    assert_int_equal(landlock_known(0, &all).files, 0);
    assert_false(landlock_known(5, &all).signals);
    assert_true(landlock_known(6, &all).signals);
    assert_int_equal(landlock_known(1, &all).files & landlock_moves, 0);
    assert_int_equal(landlock_known(2, &all).files & landlock_moves, landlock_moves);
    assert_int_not_equal(landlock_known(2, &all).files, landlock_known(3, &all).files);
    assert_int_equal(landlock_known(3, &all).files, all.files);
    for (unsigned abi = 1; abi <= landlock_abi(); abi++) { /* newer kernels take what older ones know */
        struct landlock_rights known = landlock_known(abi, &all);
        int ruleset = landlock_ruleset(&known);
        assert_int_not_equal(ruleset, -1);
        assert_int_equal(landlock_allow(ruleset, known.files, "/", landlock_write), 0);
        assert_int_equal(landlock_allow(ruleset, known.files, "/etc/passwd", landlock_write), 0);
        assert_int_equal(landlock_allow(ruleset, known.files, "/no/such", landlock_read), -1);
        assert_int_equal(errno, ENOENT);
        close(ruleset);
    }
}

/* ---- the files of one function ---- */

/* Without a link on the way, as a manifest's paths are once it is read. */
static void here(char path[PATH_MAX], const char *name)
{
    EXPECT(getcwd(path, PATH_MAX) != NULL && strlen(path) + 1 + strlen(name) < PATH_MAX);
    strcat(strcat(path, "/"), name);
}

static void may_touch(unsigned abi)
{
    char in[PATH_MAX], out[PATH_MAX], one[PATH_MAX];
    char *const read[] = {in, NULL}, *const write[] = {out, one, NULL};
    const struct sandbox_files files = {.abi = abi, .read = read, .write = write, .folders = {"/no/such"}};
    struct error error;
    here(in, "in");
    here(out, "out");
    here(one, "file");
    EXPECT(mkdir("in", 0700) == 0 && mkdir("out", 0700) == 0 && mkdir("out/a", 0700) == 0 && mkdir("else", 0700) == 0);
    make_file("in/file");
    make_file("else/file");
    make_file("file");
    int ruleset = sandbox_files_ruleset(&files, "/bin/true", &error);
    EXPECT(ruleset != -1 && landlock_enter(ruleset) == 0);
    close(ruleset);
    EXPECT(open("in/file", O_RDONLY | O_CLOEXEC) != -1);
    REFUSED(open("in/file", O_WRONLY | O_CLOEXEC), EACCES);
    REFUSED(open("in/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), EACCES);
    REFUSED(open("else/file", O_RDONLY | O_CLOEXEC), EACCES);
    REFUSED(unlink("else/file"), EACCES);
    EXPECT(link("else/file", "out/link") == -1);
    EXPECT(symlink("../else", "out/else") == 0);
    REFUSED(open("out/else/file", O_RDONLY | O_CLOEXEC), EACCES);
    EXPECT(unlink("out/else") == 0);
    EXPECT(open("file", O_RDWR | O_CLOEXEC) != -1);
    EXPECT(open("/etc/passwd", O_RDONLY | O_CLOEXEC) != -1);
    EXPECT(open("/dev/null", O_RDWR | O_CLOEXEC) != -1);
    EXPECT(access("/bin/sh", X_OK) == 0);
    make_file("out/file");
    EXPECT(truncate("out/file", 10) == 0);
    if (abi >= LANDLOCK_ABI_TRUNCATE)
        REFUSED(truncate("in/file", 0), EACCES);
    if (abi >= LANDLOCK_ABI_MOVES)
        EXPECT(rename("out/file", "out/a/file") == 0 && unlink("out/a/file") == 0);
    else
        REFUSED(rename("out/file", "out/a/file"), EXDEV);
    if (abi >= LANDLOCK_ABI_SIGNALS)
        REFUSED(kill(getppid(), 0), EPERM);
    makes_processes();
}

static unsigned wanted_abi;

static void files_in_child(void)
{
    may_touch(wanted_abi);
}

/* Also for the versions before this kernel's. */
static void test_files(void **state)
{
    static const char clean[] = "rm -rf ./in ./out ./else ./file";
    char command[sizeof folder + sizeof clean + 16];
    (void)state;
    snprintf(command, sizeof command, "cd %s && %s", folder, clean);
    for (wanted_abi = 1; wanted_abi <= landlock_abi(); wanted_abi++) {
        in_child(files_in_child);
        assert_int_equal(system(command), 0);
    }
}

static void says_what_is_missing(void)
{
    char *const none[] = {NULL}, *const gone[] = {"/no/such", NULL};
    const struct sandbox_files files = {.abi = landlock_abi(), .read = gone, .write = none};
    struct error error;
    EXPECT(sandbox_files_ruleset(&files, "/bin/true", &error) == -1);
    EXPECT(strcmp(error.text, "files: /no/such: No such file or directory") == 0);
}

/* A function that may write above a path of its own could make it a link to wherever it wants to be the next time. */
static void led_astray(const char *name, bool as_folder)
{
    char path[PATH_MAX];
    char *const none[] = {NULL}, *const named[] = {path, NULL};
    const struct sandbox_files files = {
        .abi = landlock_abi(), .read = as_folder ? none : named, .write = none, .folders = {as_folder ? path : NULL}};
    struct error error = {""};
    here(path, name);
    EXPECT(sandbox_files_ruleset(&files, "/bin/true", &error) == -1);
    EXPECT(strstr(error.text, strerror(ELOOP)) != NULL);
}

static void follows_no_link(void)
{
    EXPECT(symlink("/", "root") == 0);
    for (int i = 0; i < 2; i++) {
        led_astray("root", i);
        led_astray("root/root", i);
    }
    EXPECT(unlink("root") == 0);
}

static void test_files_moved(void **state)
{
    (void)state;
    if (landlock_abi() == 0)
        skip();
    in_child(follows_no_link);
}

static void test_files_missing(void **state)
{
    (void)state;
    if (landlock_abi() == 0)
        skip();
    in_child(says_what_is_missing);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_refuses),
        cmocka_unit_test(test_off),
#ifdef __x86_64__
        cmocka_unit_test(test_other_architectures),
#endif
        cmocka_unit_test(test_less),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_files_missing),
        cmocka_unit_test(test_files_moved),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
