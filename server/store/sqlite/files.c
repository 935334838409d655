/* files: the memory of values and arrays, which are files beside the database, as rows of a backup.
 *
 * Only a backup has the table: the first start on one takes the files out and drops it. Files are taken as they are,
 * those of deleted objects with them (objects/mapped.c knows what to do with them). An object that was made or deleted
 * while the database was copied may have a row and no file: then it is dropped from the copy, as the service has
 * dropped it.
 *
 * A copy of a backup that was not (or not wholly) unpacked has the table already, and all files in it. One of a
 * database that is older than objects (schema 1) has no table of theirs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include "store/sqlite/sqlite.h"
#include "store/sqlite/sqlite_backup.h"

#define PART_BYTES (1 << 20)

static const char create_table[] = "CREATE TABLE backup_file (name TEXT NOT NULL, first INTEGER NOT NULL, bytes BLOB "
                                   "NOT NULL, PRIMARY KEY (name, first)) "
                                   "STRICT, WITHOUT ROWID";
static const char insert_part[] = "INSERT INTO backup_file VALUES (?1, ?2, ?3)";
/* 6 and 7: enum object_kind; the names: mapped_name. */
static const char drop_fileless[] =
    "UPDATE object SET name = NULL WHERE kind IN (6, 7) AND name IS NOT NULL AND NOT EXISTS (SELECT 1 FROM backup_file "
    "f, "
    "(SELECT iif(kind = 6, 'values-', 'arrays-') || object.name || '.' || object.id AS wanted) "
    "WHERE f.name IN (wanted, wanted || '.deleted'))";
static const char select_parts[] = "SELECT name, first, bytes FROM backup_file ORDER BY name, first";

static bool has_table(sqlite3 *db, const char *name)
{
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM sqlite_schema WHERE name = '%s'", name);
    return sqlite_query_integer(db, sql) == 1;
}

/* ---- into a backup ---- */

int64_t sqlite_files_bytes(const char *folder)
{
    DIR *files = opendir(folder);
    struct stat file;
    int64_t bytes = 0;
    for (struct dirent *entry; files != NULL && (entry = readdir(files)) != NULL;)
        if (fstatat(dirfd(files), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(file.st_mode))
            bytes += file.st_size;
    if (files != NULL)
        closedir(files);
    return bytes;
}

static int pack_part(sqlite3_stmt *insert, const char *name, int64_t first, const char *bytes, ssize_t length)
{
    sqlite3_bind_text(insert, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 2, first);
    sqlite3_bind_blob(insert, 3, bytes, (int)length, SQLITE_STATIC);
    return sqlite_run(insert);
}

static int pack_file(sqlite3_stmt *insert, int folder, const char *name, struct error *error)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd == -1)
        return errno == ENOENT ? 0 : error_set(error, "%s: %s", name, strerror(errno));
    char *part = malloc(PART_BYTES);
    CHECK(part != NULL, "out of memory");
    ssize_t length;
    int64_t first = 0;
    int result = 0;
    while (result == 0 && (length = pread(fd, part, PART_BYTES, first)) != 0) {
        if (length == -1)
            result = error_set(error, "%s: %s", name, strerror(errno));
        else if (pack_part(insert, name, first, part, length) != SQLITE_OK)
            result = error_set(error, "%s: %s", name, sqlite3_errmsg(sqlite3_db_handle(insert)));
        first += length;
    }
    free(part);
    fd_close(&fd);
    return result;
}

static int pack_folder(sqlite3 *db, DIR *files, struct error *error)
{
    sqlite3_stmt *insert = NULL;
    int result = sqlite_prepare_all(db, (const char *const[]){insert_part}, 1, &insert, error);
    for (struct dirent *entry; result == 0 && (entry = readdir(files)) != NULL;)
        if (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN)
            result = pack_file(insert, dirfd(files), entry->d_name, error);
    sqlite3_finalize(insert);
    return result;
}

int sqlite_pack_files(sqlite3 *db, const char *folder, struct error *error)
{
    if (has_table(db, "backup_file"))
        return 0;
    DIR *files = opendir(folder);
    if (files == NULL && errno != ENOENT)
        return error_set(error, "%s: %s", folder, strerror(errno));
    int result = sqlite_execute(db, create_table, error);
    if (result == 0 && files != NULL)
        result = pack_folder(db, files, error);
    if (files != NULL)
        closedir(files);
    return result == 0 && has_table(db, "object") ? sqlite_execute(db, drop_fileless, error) : result;
}

/* ---- and out of it ---- */

struct unpacking {
    const char *folder;
    int fd; /* of the present file, or -1 */
    char name[NAME_MAX + 1];
    unsigned files;
    struct error *error;
};

static int cannot(const struct unpacking *u)
{
    return error_set(u->error, "%s/%s: %s", u->folder, u->name, strerror(errno));
}

static int end_file(struct unpacking *u)
{
    int result = u->fd != -1 && fsync(u->fd) == -1 ? cannot(u) : 0;
    fd_close(&u->fd);
    return result;
}

/* What a start that was cut off has left is written over. */
static int begin_file(struct unpacking *u, const char *name)
{
    char path[PATH_MAX];
    if (end_file(u) != 0)
        return -1;
    snprintf(u->name, sizeof u->name, "%s", name);
    if (name[0] == '.' || strchr(name, '/') != NULL)
        return error_set(u->error, "the backup has a file \"%.60s\"", name);
    snprintf(path, sizeof path, "%s/%s", u->folder, name);
    u->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0660); /* as in mapped.c */
    u->files++;
    return u->fd == -1 ? cannot(u) : 0;
}

static int unpack_part(struct unpacking *u, sqlite3_stmt *row)
{
    const char *name = (const char *)sqlite3_column_text(row, 0);
    if ((u->fd == -1 || strcmp(name, u->name) != 0) && begin_file(u, name) != 0)
        return -1;
    const char *bytes = sqlite3_column_blob(row, 2);
    int64_t first = sqlite3_column_int64(row, 1);
    for (int length = sqlite3_column_bytes(row, 2), done = 0; done < length;) {
        ssize_t written = pwrite(u->fd, bytes + done, (size_t)(length - done), first + done);
        if (written == -1)
            return cannot(u);
        done += (int)written;
    }
    return 0;
}

static int unpack_rows(sqlite3 *db, struct unpacking *u)
{
    sqlite3_stmt *row = NULL;
    int step = SQLITE_ROW, result = sqlite_prepare_all(db, (const char *const[]){select_parts}, 1, &row, u->error);
    while (result == 0 && (step = sqlite3_step(row)) == SQLITE_ROW)
        result = unpack_part(u, row);
    if (result == 0 && step != SQLITE_DONE)
        result = error_set(u->error, "cannot read the backup's files: %s", sqlite3_errmsg(db));
    sqlite3_finalize(row);
    return end_file(u) == 0 ? result : -1;
}

/* What is in the folder, and the folder itself, must be on disk before the table goes. */
int sqlite_unpack_files(sqlite3 *db, const char *directory, bool read_only, struct error *error)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/" STORE_FILES, directory);
    struct unpacking u = {.folder = folder, .fd = -1, .error = error};
    if (!has_table(db, "backup_file"))
        return 0;
    if (read_only)
        return error_set(error,
                         "values and arrays have not been taken out of the backup, which cannot be done read-only: "
                         "see what the first start said, mend it, start again");
    if (mkdir(folder, 0700) == -1 && errno != EEXIST)
        return error_set(error, "%s: %s", folder, strerror(errno));
    if (unpack_rows(db, &u) != 0 || sqlite_sync_directory(folder, error) != 0 ||
        sqlite_sync_directory(directory, error) != 0)
        return -1;
    log_event(LOG_INFO, "store.backup_restored", "files=%u", u.files);
    return sqlite_execute(db, "DROP TABLE backup_file", error);
}
