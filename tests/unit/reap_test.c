/* reap_test: among thousands of children, strangers are killed, and nobody else. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "supervisor/reap.h"

/* Strangers fill more than the 16 KiB that were read once, inherited ones more than the 64 that were noted. */
enum { STRANGERS = 3500, INHERITED = 100, OURS = 3 };

static pid_t inherited[INHERITED], ours[OURS];
static unsigned dead_ours, dead_strangers;

static pid_t start(void)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    assert_true(pid > 0);
    return pid;
}

static bool is_ours(void *context, pid_t pid)
{
    (void)context;
    for (int i = 0; i < OURS; i++)
        if (ours[i] == pid)
            return true;
    return false;
}

static void gone(void *context, const struct corpse *corpse)
{
    if (is_ours(context, corpse->pid))
        dead_ours++;
    else
        dead_strangers++;
}

static void end(const pid_t *pids, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(kill(pids[i], SIGKILL), 0);
        assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
    }
}

static void kills_strangers_and_nobody_else(void **state)
{
    (void)state;
    for (int i = 0; i < INHERITED; i++)
        inherited[i] = start();
    reap_setup();
    for (int i = 0; i < STRANGERS; i++)
        start();
    for (int i = 0; i < OURS; i++)
        ours[i] = start();
    assert_int_equal(reap_kill_strangers(is_ours, NULL), STRANGERS);
    while (dead_strangers < STRANGERS) {
        siginfo_t info;
        waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
        reap_children(is_ours, gone, NULL);
    }
    assert_int_equal(reap_kill_strangers(is_ours, NULL), 0);
    assert_int_equal(reap_children(is_ours, gone, NULL), 0);
    assert_int_equal(dead_strangers, STRANGERS);
    assert_int_equal(dead_ours, 0);
    end(inherited, INHERITED); /* each was there to be killed */
    end(ours, OURS);
}

int main(void)
{
    log_setup("reap_test", LOG_ERROR, LOG_TEXT);
    const struct CMUnitTest tests[] = {cmocka_unit_test(kills_strangers_and_nobody_else)};
    return cmocka_run_group_tests_name("reap", tests, NULL, NULL);
}
