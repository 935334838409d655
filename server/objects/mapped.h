/* mapped: the memory of values and arrays – a file each, which tasks of any language map, too.
 *
 * The file is the elements and nothing else (a stray write of a task can spoil numbers, but nothing that is needed to
 * start again), begins at offset 0 and is named arrays-NAME.ID or values-NAME.ID: an id is never given twice, so a new
 * array never meets an old one's file. Its content survives kill -9 because it is in the page cache; that it exists
 * survives a power cut, too (mapped_settle), or the service could not start.
 *
 * Deleting only renames the file to ….deleted: the transaction that forgets the object is not committed yet, and when
 * it never is, recovery finds the file by that name and takes it back. Some time later (mapped_sweep) or at the next
 * start (mapped_remove_orphans) it is removed. Who has it open or mapped keeps it as long as he likes.
 *
 * One thread (the engine's): the files that wait for their removal are one list of the process. */
#ifndef POOLD_OBJECTS_MAPPED_H
#define POOLD_OBJECTS_MAPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct mapped {
    char *path;   /* absolute; NULL: anonymous memory */
    char *memory; /* aligned to a page; NULL: not mapped */
    size_t size;  /* of the file: never 0, which could not be mapped */
};

enum {
    MAPPED_NAME_SIZE = 256,     /* arrays-, 128 bytes of name, an id, .deleted */
    MAPPED_SMALLEST = 8,        /* bytes of a file */
    MAPPED_MIN_FREE = 64 << 20, /* bytes of the disk that files leave to the database */
    MAPPED_KEEP_DELETED_S = 60, /* a transaction has long been committed or the service is dead */
};

/* "arrays-NAME.ID". */
void mapped_name(char name[MAPPED_NAME_SIZE], const char *plural, const char *object, int64_t id);

/* Zeroed memory of at least `bytes` in a new file of `folder` (NULL: anonymous), its blocks reserved: writing to it can
 * not fail later. 0, or -1 with `error` (no room, mostly). */
int mapped_create(struct mapped *, const char *folder, const char *name, size_t bytes, struct error *error);
/* Maps the file that is there: -1 and an error with its path when it is not, or has another size. Without a folder:
 * zeroed memory. */
int mapped_restore(struct mapped *, const char *folder, const char *name, size_t bytes, struct error *error);
/* Writes file and folder to the disk: what was just created will be there after a power cut. 0 or -1. */
int mapped_settle(const struct mapped *, struct error *error);
/* Unmaps; the file stays. Fine with a zeroed one; zeroes. */
void mapped_close(struct mapped *);
/* Unmaps, and the file goes at once: nobody has seen it. */
void mapped_abandon(struct mapped *);
/* Unmaps, and the file goes when `now_ns` is MAPPED_KEEP_DELETED_S later. */
void mapped_delete(struct mapped *, int64_t now_ns);

/* Removes the deleted files whose time has come; returns when to come again (INT64_MAX: never). Cheap. */
int64_t mapped_sweep(int64_t now_ns);
/* At a start, when all objects are known: removes the files of this folder whose object is not there (what is not named
 * as ours stays). `known` is told kind, name and id of each. */
void mapped_remove_orphans(const char *folder,
                           bool (*known)(void *, const char *plural, const char *object, int64_t id), void *context);

#endif
