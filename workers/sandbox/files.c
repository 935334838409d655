/* files: see files.h. */
#include "sandbox/files.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/fd.h"
#include "sandbox/landlock.h"

/* What programs, their interpreters and libraries are made of, as far as it is there. */
static const char *const system_folders[] = {
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/proc", "/sys", "/run/systemd/resolve"};
static const char *const system_devices[] = {"/dev/null",   "/dev/zero",    "/dev/full",
                                             "/dev/random", "/dev/urandom", "/dev/tty"};

enum { SYSTEM_FOLDERS = sizeof system_folders / sizeof *system_folders };
enum { SYSTEM_DEVICES = sizeof system_devices / sizeof *system_devices };

struct making {
    int ruleset;
    struct landlock_rights rights; /* that it takes away */
    struct error *error;
};

typedef int allowing(int ruleset, uint64_t handled, const char *path, uint64_t rights);

static int give(struct making *making, allowing *allow, const char *path, uint64_t rights)
{
    if (allow(making->ruleset, making->rights.files, path, rights) == 0)
        return 0;
    return error_set(making->error, "files: %s: %s", path, strerror(errno));
}

/* Gives what is there, and does not mind what is not (or is behind a folder that its user may not enter). */
static int give_if(struct making *making, allowing *allow, const char *path, uint64_t rights)
{
    if (path == NULL || give(making, allow, path, rights) == 0)
        return 0;
    return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : -1;
}

/* What the manifest names may lie where the function itself may write: then it could make a link of it that leads
 * to wherever it wants to be, the next time. */
static int give_all(struct making *making, char *const *paths, uint64_t rights)
{
    for (; *paths != NULL; paths++)
        if (give(making, landlock_allow_real, *paths, rights) == -1)
            return -1;
    return 0;
}

static int give_system(struct making *making)
{
    for (unsigned i = 0; i < SYSTEM_FOLDERS; i++)
        if (give_if(making, landlock_allow, system_folders[i], landlock_read) == -1)
            return -1;
    for (unsigned i = 0; i < SYSTEM_DEVICES; i++)
        if (give_if(making, landlock_allow, system_devices[i], landlock_change) == -1)
            return -1;
    return 0;
}

static int give_own(struct making *making, const struct sandbox_files *files, const char *program)
{
    for (unsigned i = 0; i < SANDBOX_FOLDERS; i++)
        if (give_if(making, landlock_allow_real, files->folders[i], landlock_read) == -1)
            return -1;
    if (give_if(making, landlock_allow_real, files->shared, landlock_change) == -1 ||
        give_if(making, landlock_allow, program, landlock_read) == -1)
        return -1;
    return 0;
}

int sandbox_files_ruleset(const struct sandbox_files *files, const char *program, struct error *error)
{
    const struct landlock_rights wish = {.files = landlock_write | landlock_devices, .signals = true};
    struct making making = {.rights = landlock_known(files->abi, &wish), .error = error};
    making.ruleset = landlock_ruleset(&making.rights);
    if (making.ruleset == -1)
        return error_set(error, "files: Landlock: %s", strerror(errno));
    if (give_system(&making) == -1 || give_own(&making, files, program) == -1 ||
        give_all(&making, files->read, landlock_read) == -1 || give_all(&making, files->write, landlock_write) == -1)
        fd_close(&making.ruleset);
    return making.ruleset;
}
