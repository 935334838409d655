/* sqlite_backup: what store/backup.c needs of this folder; without sqlite3.h, which it may not see. */
#ifndef POOLD_STORE_SQLITE_SQLITE_BACKUP_H
#define POOLD_STORE_SQLITE_SQLITE_BACKUP_H

#include <limits.h>

#include "store/backup.h"

/* In the data directory: the memory of values and arrays (objects/mapped.h). */
#define STORE_FILES "objects"

struct sqlite_copy {
    const char *database, *copy;
    char files[PATH_MAX]; /* the folder that is packed into it; need not be there */
    bool (*go_on)(void *context, int64_t done, int64_t total);
    void *context;
    int64_t bytes, jobs; /* filled */
};

/* Fills the empty file `copy` from `database` and the files; does not sync it. */
enum store_backup_end sqlite_backup(struct sqlite_copy *, struct error *);

#endif
