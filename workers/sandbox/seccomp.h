/* seccomp: the system calls that no function has a reason for. Inside of workers/sandbox only. */
#ifndef POOLD_SANDBOX_SECCOMP_H
#define POOLD_SANDBOX_SECCOMP_H

/* From here on, in this thread and all that it starts, they fail with EPERM. Needs no_new_privs. 0, or an errno. */
int seccomp_enter(void);

#endif
