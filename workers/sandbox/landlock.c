/* landlock: see landlock.h. */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* What the headers of Debian 12 do not have yet. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define SCOPE_SIGNAL (1ULL << 1)

/* As the kernel has it from ABI 6 on; older ones take it as long as what they do not know is zero. */
struct ruleset {
    uint64_t handled_access_fs, handled_access_net, scoped;
};

const uint64_t landlock_read = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
const uint64_t landlock_change = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
const uint64_t landlock_write =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE;
const uint64_t landlock_moves = LANDLOCK_ACCESS_FS_REFER;
const uint64_t landlock_devices = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;

/* Those that make sense for what is no folder; others are an error there. */
static const uint64_t of_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                                 LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE;

unsigned landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : abi > LANDLOCK_ABI_KNOWN ? LANDLOCK_ABI_KNOWN : (unsigned)abi;
}

struct landlock_rights landlock_known(unsigned abi, const struct landlock_rights *wish)
{
    uint64_t files = abi == 0 ? 0 : UINT64_MAX;
    if (abi < LANDLOCK_ABI_MOVES)
        files &= ~(uint64_t)LANDLOCK_ACCESS_FS_REFER;
    if (abi < LANDLOCK_ABI_TRUNCATE)
        files &= ~(uint64_t)LANDLOCK_ACCESS_FS_TRUNCATE;
    return (struct landlock_rights){.files = wish->files & files,
                                    .signals = wish->signals && abi >= LANDLOCK_ABI_SIGNALS};
}

int landlock_ruleset(const struct landlock_rights *rights)
{
    struct ruleset ruleset = {.handled_access_fs = rights->files, .scoped = rights->signals ? SCOPE_SIGNAL : 0};
    return (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0);
}

/* Takes fd. */
static int allow(int ruleset, uint64_t handled, int fd, uint64_t rights)
{
    struct stat status;
    struct landlock_path_beneath_attr below = {.parent_fd = fd};
    int result = -1;
    if (fd == -1)
        return -1;
    if (fstat(fd, &status) == 0) {
        below.allowed_access = rights & handled & (S_ISDIR(status.st_mode) ? UINT64_MAX : of_files);
        result = below.allowed_access == 0
                     ? 0
                     : (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &below, 0);
    }
    int kept = errno;
    fd_close(&fd);
    errno = kept;
    return result;
}

int landlock_allow(int ruleset, uint64_t handled, const char *path, uint64_t rights)
{
    return allow(ruleset, handled, open(path, O_PATH | O_CLOEXEC), rights);
}

int landlock_allow_real(int ruleset, uint64_t handled, const char *path, uint64_t rights)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
    return allow(ruleset, handled, (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how), rights);
}

int landlock_enter(int ruleset)
{
    return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}
