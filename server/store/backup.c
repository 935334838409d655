/* backup: the file around the copy: made beside its place, on disk before it gets its name. */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/sqlite/sqlite_backup.h"

#define PUSH_BYTES (8 << 20) /* so much is handed to the disk at a time */

struct target {
    const struct store_backup *backup;
    char partial[PATH_MAX];
    int fd; /* of the partial file: holds its lock, and syncs */
    int64_t pushed;
};

static enum store_backup_end cannot(struct error *error, enum store_backup_end end, const char *path)
{
    error_set(error, "%s: %s", path, strerror(errno));
    return end;
}

static enum store_backup_end refuse(struct error *error, const char *path, const char *why)
{
    error_set(error, "%s: %s", path, why);
    return BACKUP_CANNOT_CREATE;
}

/* ---- where ---- */

static const char *name_in(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash != NULL ? slash + 1 : file;
}

static void folder_of(const char *file, char folder[PATH_MAX])
{
    size_t length = (size_t)(name_in(file) - file);
    snprintf(folder, PATH_MAX, "%.*s", length > 0 ? (int)length : 2, length > 0 ? file : "./");
}

static bool is_same(const char *folder, const char *other)
{
    struct stat here, there;
    return stat(folder, &there) == 0 && stat(other, &here) == 0 && here.st_ino == there.st_ino &&
           here.st_dev == there.st_dev;
}

/* The very database, its WAL, its lock: a slip of the hand that would be the end of the service's data. And among the
 * files that are packed a copy would pack itself, without end. */
static bool is_own(const char *file, const char *directory)
{
    static const char *const names[] = {"poold.db", "poold.db-wal", "poold.db-shm", "lock", "scoreboard", "address"};
    char folder[PATH_MAX], files[PATH_MAX];
    folder_of(file, folder);
    snprintf(files, sizeof files, "%s/" STORE_FILES, directory);
    if (is_same(folder, files))
        return true;
    if (!is_same(folder, directory))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name_in(file), names[i]) == 0)
            return true;
    return false;
}

/* What would else be noticed by the rename, after all the work. */
static enum store_backup_end look_at(const struct store_backup *backup, struct error *error)
{
    struct stat there;
    if (stat(backup->file, &there) == 0 && !S_ISREG(there.st_mode))
        return refuse(error, backup->file, "it is there, and no file");
    if (is_own(backup->file, backup->directory))
        return refuse(error, backup->file, "the service's own file, no place for a backup");
    return BACKUP_DONE;
}

/* ---- the partial file ---- */

/* Two backups to one file would write into each other's copy. */
static enum store_backup_end lock(struct target *target, struct error *error)
{
    struct stat opened, named;
    if (flock(target->fd, LOCK_EX | LOCK_NB) == -1)
        return errno == EWOULDBLOCK ? refuse(error, target->partial, "another backup is writing it")
                                    : cannot(error, BACKUP_CANNOT_CREATE, target->partial);
    if (fstat(target->fd, &opened) == -1 || lstat(target->partial, &named) == -1 || opened.st_ino != named.st_ino)
        return refuse(error, target->partial, "another backup has just written it");
    return ftruncate(target->fd, 0) == 0 ? BACKUP_DONE : cannot(error, BACKUP_CANNOT_CREATE, target->partial);
}

/* With its folder always: SQLite would take "file:x" for a URI. */
static enum store_backup_end create(struct target *target, struct error *error)
{
    const char *file = target->backup->file;
    char folder[PATH_MAX];
    folder_of(file, folder);
    int length = snprintf(target->partial, sizeof target->partial, "%s%s.partial", folder, name_in(file));
    if (length >= (int)sizeof target->partial)
        return refuse(error, file, strerror(ENAMETOOLONG));
    target->fd = open(target->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (target->fd == -1)
        return cannot(error, BACKUP_CANNOT_CREATE, target->partial);
    return lock(target, error);
}

static void discard(const struct target *target)
{
    char journal[PATH_MAX + 16];
    snprintf(journal, sizeof journal, "%s-journal", target->partial);
    unlink(journal);
    unlink(target->partial);
}

/* The disk writes all along, not at the end all at once: the service's commits wait behind that (the longest 80 instead
 * of 300 ms, with 780 MB). */
static bool on_progress(void *context, int64_t done, int64_t total)
{
    struct target *target = context;
    if (done - target->pushed >= PUSH_BYTES) {
        sync_file_range(target->fd, target->pushed, done - target->pushed, SYNC_FILE_RANGE_WRITE);
        target->pushed = done;
    }
    return target->backup->go_on(target->backup->context, done, total);
}

/* ---- done ---- */

/* The name is on disk only after its folder is. */
static enum store_backup_end publish(const struct target *target, struct error *error)
{
    const char *file = target->backup->file;
    char folder[PATH_MAX];
    folder_of(file, folder);
    if (fsync(target->fd) == -1)
        return cannot(error, BACKUP_IO, target->partial);
    if (rename(target->partial, file) == -1)
        return cannot(error, BACKUP_CANNOT_CREATE, file);
    return fd_sync_path(folder) == 0 ? BACKUP_DONE : cannot(error, BACKUP_IO, file);
}

static enum store_backup_end fill(struct target *target, const char *database, struct store_backup *backup,
                                  struct error *error)
{
    struct sqlite_copy copy = {.database = database, .copy = target->partial, .go_on = on_progress, .context = target};
    snprintf(copy.files, sizeof copy.files, "%s/" STORE_FILES, backup->directory);
    enum store_backup_end end = sqlite_backup(&copy, error);
    backup->bytes = copy.bytes;
    backup->jobs = copy.jobs;
    return end == BACKUP_DONE ? publish(target, error) : end;
}

enum store_backup_end store_backup(struct store_backup *backup, struct error *error)
{
    char database[PATH_MAX];
    struct target target = {.backup = backup, .fd = -1};
    snprintf(database, sizeof database, "%s/poold.db", backup->directory);
    if (access(database, R_OK) == -1)
        return cannot(error, BACKUP_NO_DATABASE, database);
    enum store_backup_end end = look_at(backup, error);
    if (end == BACKUP_DONE)
        end = create(&target, error);
    if (end == BACKUP_DONE) {
        end = fill(&target, database, backup, error);
        if (end != BACKUP_DONE)
            discard(&target);
    }
    fd_close(&target.fd);
    return end;
}
