/* lacking_kernel: runs a command as if the kernel had no Landlock, or no seccomp.
 * Usage: lacking_kernel landlock|seccomp COMMAND [ARGUMENT…]; 77 when that cannot be arranged. */
#include <errno.h>
#include <linux/prctl.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int deny(scmp_filter_ctx filter, const char *what)
{
    if (strcmp(what, "landlock") == 0)
        return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), seccomp_syscall_resolve_name("landlock_create_ruleset"),
                                0);
    const struct scmp_arg_cmp old_way = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = PR_SET_SECCOMP};
    if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(prctl), 1, old_way) != 0)
        return -1;
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(seccomp), 0);
}

int main(int argc, char **argv)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (argc < 3 || filter == NULL || deny(filter, argv[1]) != 0 || seccomp_load(filter) != 0) {
        fprintf(stderr, "lacking_kernel: this cannot be arranged here\n");
        return 77;
    }
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
