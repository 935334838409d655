/* files: the domain of one function whose manifest says which files it may touch.
 *
 * Read and execute, beside what is named: /usr, /bin, /sbin, /lib…, /etc, /proc, /sys, the files of the name
 * resolution, the program itself. Read and write: /dev/null, zero, full, random, urandom, tty. Neither /tmp nor
 * /dev/shm nor a home are among them. No signal goes to anybody outside either, where the kernel can (also not to its
 * worker). */
#ifndef POOLD_SANDBOX_FILES_H
#define POOLD_SANDBOX_FILES_H

#include "base/error.h"

enum { SANDBOX_FOLDERS = 4 };

/* Paths are absolute, and without a symbolic link on the way: with one, nothing starts. */
struct sandbox_files {
    unsigned abi;                         /* the kernel's */
    char *const *read, *const *write;     /* named by the manifest, NULL-terminated; all must be there */
    const char *folders[SANDBOX_FOLDERS]; /* to be read, too; NULL or not there: nothing */
    const char *shared;                   /* whose files may be written, but not made; the same */
};

/* A descriptor for landlock_enter, or -1 with the reason. `program` is to be executed. */
int sandbox_files_ruleset(const struct sandbox_files *, const char *program, struct error *);

#endif
