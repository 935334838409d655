/* stop: see stop.h. */
#include "worker/stop.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/check.h"
#include "runtimes/child.h"
#include "worker/capture.h"

static volatile sig_atomic_t gently, asked;
static int event = -1;

/* What is warm must not outlive us; whatever runs in this process may hold any lock. */
static void die(void)
{
    capture_rescue();
    children_kill();
    signal(SIGTERM, SIG_DFL);
    kill(getpid(), SIGTERM); /* blocked in a handler: it comes when we return */
}

static void on_sigterm(int signal)
{
    (void)signal;
    int kept = errno;
    uint64_t one = 1;
    asked = 1;
    if (!gently)
        die();
    else if (write(event, &one, sizeof one) == -1)
        die();
    errno = kept;
}

void stop_set_up(void)
{
    struct sigaction action = {.sa_handler = on_sigterm};
    event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(event != -1, "eventfd: %s", strerror(errno));
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
}

bool stop_gently(bool on)
{
    bool before = gently;
    gently = on;
    if (on != before)
        prctl(PR_SET_PDEATHSIG, on ? SIGTERM : SIGKILL);
    if (!on && asked)
        die();
    return before;
}

int stop_fd(void)
{
    return event;
}

void stop_now(void)
{
    signal(SIGTERM, SIG_DFL);
    kill(getpid(), SIGTERM);
    _exit(0); /* not reached: it is not blocked */
}
