/* seccomp: see seccomp.h.
 *
 * A list of what is denied, not of what is allowed: a function may be any program. It follows what containers deny
 * (moby's profiles/seccomp/default.json, where these need a capability or are not there at all) and systemd's groups
 * @clock, @debug, @module, @mount, @obsolete, @raw-io, @reboot, @swap and @keyring (systemd.exec(5)), with these
 * differences, so that nothing breaks that functions do with reason:
 *   - clone, unshare and chroot stay: Chromium's sandbox is made of them;
 *   - so do personality (setarch), kcmp (Mesa), NUMA calls (numpy's libraries), name_to_handle_at (useless without
 *     open_by_handle_at).
 * io_uring is denied as in containers, since its operations pass by every filter; libuv, which tries it, takes EPERM
 * for "not there". */
#include "sandbox/seccomp.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* By name: libseccomp knows which of them this architecture has, and what it does not know yet is left out. */
static const char *const denied[] = {
#ifndef POOLD_SANITIZED
    "ptrace", /* LeakSanitizer needs it */
#endif
    /* other processes */
    "process_vm_readv", "process_vm_writev", "pidfd_getfd", "perf_event_open",
    /* the kernel's own machinery */
    "bpf", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "kexec_load", "kexec_file_load",
    "create_module", "init_module", "finit_module", "delete_module", "get_kernel_syms", "query_module",
    "lookup_dcookie", "nfsservctl", "uselib", "_sysctl", "syslog",
    /* file systems and namespaces of others */
    "mount", "umount", "umount2", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "open_tree", "mount_setattr",
    "pivot_root", "setns", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "open_by_handle_at",
    /* keys of the user */
    "add_key", "keyctl", "request_key",
    /* the machine */
    "reboot", "sethostname", "setdomainname", "settimeofday", "stime", "clock_settime", "clock_settime64",
    "clock_adjtime", "clock_adjtime64", "adjtimex", "iopl", "ioperm", "vhangup"};

/* What types into the terminal that poold was started from, into the shell that waits there. */
static const unsigned denied_ioctls[] = {TIOCSTI, TIOCLINUX};

/* The kernel looks at the lower half of the request only. */
static int deny_ioctls(scmp_filter_ctx filter)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof denied_ioctls / sizeof *denied_ioctls; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, denied_ioctls[i]));
    return result;
}

/* libseccomp's numbers are negative errnos. */
static int make_filter(scmp_filter_ctx filter)
{
    /* Other architectures' calls (i386, x32) would be ways round the list. */
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1); /* the kernel's errno, not ECANCELED */
    /* The kernel would else switch on what slows Python down, against code that spies by speculation: ours is the
     * operator's. */
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree instead of a list */
    for (size_t i = 0; result == 0 && i < sizeof denied / sizeof *denied; i++) {
        int number = seccomp_syscall_resolve_name(denied[i]);
        if (number != __NR_SCMP_ERROR)
            result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
    }
    return result == 0 ? deny_ioctls(filter) : result;
}

int seccomp_enter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL)
        return ENOMEM;
    int result = make_filter(filter);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return -result;
}
