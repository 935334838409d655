/* sandbox: see sandbox.h. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "sandbox/landlock.h"
#include "sandbox/seccomp.h"

static void miss(struct sandbox *sandbox, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void miss(struct sandbox *sandbox, const char *format, ...)
{
    size_t used = strlen(sandbox->missing);
    va_list arguments;
    if (used > 0 && used < sizeof sandbox->missing - 1)
        sandbox->missing[used++] = '\n';
    va_start(arguments, format);
    vsnprintf(sandbox->missing + used, sizeof sandbox->missing - used, format, arguments);
    va_end(arguments);
}

static const char *why_no_landlock(void)
{
    return errno == ENOSYS       ? "this kernel has none (Linux 5.13)"
           : errno == EOPNOTSUPP ? "switched off when the kernel was started (lsm=)"
                                 : strerror(errno);
}

/* Of files only device nodes are taken away, and moving is given back everywhere: every domain that knows of files
 * handles it. Where that cannot be given back (ABI 1), files are left out, and nothing is left. */
static int make_ruleset(unsigned abi, struct landlock_rights *rights)
{
    const struct landlock_rights wish = {.files = landlock_devices | landlock_moves, .signals = true};
    *rights = landlock_known(abi, &wish);
    int ruleset = landlock_ruleset(rights);
    if (ruleset != -1 && landlock_allow(ruleset, rights->files, "/", landlock_moves) == -1)
        fd_close(&ruleset);
    return ruleset;
}

static void enter_landlock(struct sandbox *sandbox)
{
    struct landlock_rights rights;
    sandbox->abi = landlock_abi();
    if (sandbox->abi == 0) {
        miss(sandbox, "Landlock: %s", why_no_landlock());
        return;
    }
    if (sandbox->abi < LANDLOCK_ABI_MOVES) {
        miss(sandbox, "Landlock: ABI %u is only good for \"files\" of functions (2: Linux 5.19)", sandbox->abi);
        return;
    }
    int ruleset = make_ruleset(sandbox->abi, &rights);
    sandbox->landlock = ruleset != -1 && landlock_enter(ruleset) == 0;
    sandbox->signals = sandbox->landlock && rights.signals;
    if (!sandbox->landlock)
        miss(sandbox, "Landlock: %s", strerror(errno));
    else if (!sandbox->signals)
        miss(sandbox, "signals: Landlock has ABI %u, %u is needed (Linux 6.12)", sandbox->abi, LANDLOCK_ABI_SIGNALS);
    fd_close(&ruleset);
}

static void enter_seccomp(struct sandbox *sandbox)
{
    int failure = seccomp_enter();
    sandbox->seccomp = failure == 0;
    if (failure != 0)
        miss(sandbox, "seccomp: %s", strerror(failure));
}

int sandbox_enter(enum sandbox_mode mode, struct sandbox *sandbox)
{
    *sandbox = (struct sandbox){.missing = ""};
    if (mode == SANDBOX_OFF)
        return 0;
    enter_landlock(sandbox);
    enter_seccomp(sandbox);
    return mode == SANDBOX_STRICT && !(sandbox->seccomp && sandbox->landlock) ? -1 : 0;
}
