/* sandbox: what keeps functions from poold, from each other and from the machine: around a whole worker, once, when it
 * starts; everything that it starts is inside of it.
 *
 *   seccomp    system calls that no function has a reason for fail with EPERM (the list: seccomp.c)
 *   Landlock   no device nodes are made; no signal, no ptrace and none of /proc/PID/{mem,environ,fd…} reaches a process
 *              outside of the worker. Files stay as they are: who may open what is not changed
 *
 * Nothing here keeps a function from using the network, processor or memory, or files of the user it runs as:
 * docs/security.md has the whole list. */
#ifndef POOLD_SANDBOX_SANDBOX_H
#define POOLD_SANDBOX_SANDBOX_H

#include <stdbool.h>

#include "base/config.h"

/* What is in force. */
struct sandbox {
    bool seccomp, landlock;
    bool signals;      /* by Landlock: none to anybody outside */
    unsigned abi;      /* of the kernel's Landlock; 0 = there is none, or off */
    char missing[200]; /* why what is not in force is not, one reason a line; "" = nobody misses anything */
};

/* Must be called with no_new_privs set and no other thread. auto: does what the kernel can. strict: -1 when seccomp or
 * Landlock cannot be had; `missing` says why, and the process should end. off: does nothing. */
int sandbox_enter(enum sandbox_mode, struct sandbox *);

#endif
