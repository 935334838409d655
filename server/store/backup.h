/* backup: a copy of a data directory as of one moment, in one file, for a process that is not the service.
 *
 * Another process may serve the directory meanwhile: the database is read within one read transaction, so the copy
 * holds what was committed when it began, and all of it; the service goes on committing. The memory of values and
 * arrays, which no transaction knows, is in it as it is when the database has been copied. Nothing of the directory is
 * written or checkpointed (the service owns that), also when no service runs.
 *
 * The file is a database: put in an empty directory as poold.db, the next start takes the rest out of it. One thread;
 * blocks until it is done. */
#ifndef POOLD_STORE_BACKUP_H
#define POOLD_STORE_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum store_backup_end {
    BACKUP_DONE,
    BACKUP_NO_DATABASE,   /* there is none, it cannot be opened, or it is not poold's */
    BACKUP_CANNOT_CREATE, /* the file cannot be made where it shall be, or another backup is writing it */
    BACKUP_IO,            /* reading or writing failed, a full disk among others */
    BACKUP_STOPPED        /* `go_on` said so */
};

struct store_backup {
    const char *directory; /* of poold.db */
    const char *file;      /* replaced when it exists, and only by a whole copy that is on disk */
    /* Called every few milliseconds with the bytes that are copied so far; false stops. */
    bool (*go_on)(void *context, int64_t done, int64_t total);
    void *context;
    /* filled */
    int64_t bytes, jobs;
};

/* Copies to `file`.partial (readable by its owner only), then renames. Not DONE: *error says why, `file` is as it was,
 * and the partial file is gone; only after a kill -9 it stays, until the next backup to the same file. */
enum store_backup_end store_backup(struct store_backup *, struct error *);

#endif
