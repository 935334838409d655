/* landlock: the kernel's Landlock, by its system calls (Debian 12 has no library for it).
 *
 * A ruleset is a descriptor: it names the rights that are taken away (`handled`), and where they are given back. Who
 * enters it is confined to it for good, with everything it starts; rulesets add up. Versions of the ABI differ in the
 * rights that they know: landlock_known() leaves out of a wish what this kernel cannot do. Needs no_new_privs.
 * Any thread; a domain is the thread's, and inherited by what it makes. */
#ifndef POOLD_SANDBOX_LANDLOCK_H
#define POOLD_SANDBOX_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* The newest version that this file knows something of. */
#define LANDLOCK_ABI_KNOWN 7
#define LANDLOCK_ABI_MOVES 2    /* before it, whatever handles files forbids to move them between folders */
#define LANDLOCK_ABI_TRUNCATE 3 /* before it, truncate() is not held back */
#define LANDLOCK_ABI_SIGNALS 6  /* Linux 6.12 */

struct landlock_rights {
    uint64_t files; /* LANDLOCK_ACCESS_FS_… */
    bool signals;   /* signals to processes outside of the domain */
};

/* Rights below a path: to read, list and execute; to read and write the files that are there; both and everything else
 * but making device nodes; making these; moving and linking from one folder into another. */
extern const uint64_t landlock_read, landlock_change, landlock_write, landlock_devices, landlock_moves;

/* 1…LANDLOCK_ABI_KNOWN; 0: this kernel has none, and errno says why (ENOSYS, EOPNOTSUPP: switched off at boot). */
unsigned landlock_abi(void);
/* What of the wish an ABI can do. */
struct landlock_rights landlock_known(unsigned abi, const struct landlock_rights *wish);
/* A ruleset that takes these rights away (which the kernel must know): a descriptor, close-on-exec; -1 with errno. */
int landlock_ruleset(const struct landlock_rights *);
/* Gives `rights`, as far as the ruleset handles them (`handled`), back below `path`, which may be a file. -1 with
 * errno. */
int landlock_allow(int ruleset, uint64_t handled, const char *path, uint64_t rights);
/* The same of a path that leads there by itself: a link on the way is an error (ELOOP). */
int landlock_allow_real(int ruleset, uint64_t handled, const char *path, uint64_t rights);
/* From here on. Async-signal-safe; 0, or -1 with errno. */
int landlock_enter(int ruleset);

#endif
