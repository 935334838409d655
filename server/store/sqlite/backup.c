/* backup: a database as of one moment, by VACUUM INTO.
 *
 * Measured against the backup API, with 480 MB: both take a second and let the WAL grow by what the service commits
 * meanwhile; but this leaves out free pages, reads every row (so what is damaged is noticed), and its copy needs no
 * WAL.
 *
 * The source is open read-only. In a WAL that makes all the difference between reading and owning: SQLite refuses to
 * checkpoint from such a connection, also when it is the last to close (then the WAL stays for the next start), and
 * takes none of the locks that writers take. All it may write is the WAL's index (-shm), under SQLite's locks, when no
 * service is there that has made one. */
#include <sys/stat.h>

#include "store/sqlite/sqlite.h"
#include "store/sqlite/sqlite_backup.h"

#define CACHE_KIB 2048
#define APPLICATION_ID 0x706f6f6c /* schema/sqlite/0001 */
#define LOOK_STEPS 100 /* of SQLite's machine between two looks whether to go on: some 20 rows, at most 5 MiB */

struct copying {
    struct sqlite_copy *copy;
    int64_t total;
    bool stopped;
    struct error *error;
};

static int64_t size_of(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0 ? file.st_size : 0;
}

static int look(void *context)
{
    struct copying *c = context;
    c->stopped = !c->copy->go_on(c->copy->context, size_of(c->copy->copy), c->total);
    return c->stopped;
}

static int64_t used_bytes(sqlite3 *db)
{
    int64_t pages = sqlite_query_integer(db, "PRAGMA page_count") - sqlite_query_integer(db, "PRAGMA freelist_count");
    return pages * sqlite_query_integer(db, "PRAGMA page_size");
}

static void watch(struct copying *c, sqlite3 *db)
{
    sqlite3_progress_handler(db, LOOK_STEPS, look, c);
}

static int vacuum(struct copying *c, sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db, "VACUUM INTO ?1", -1, &statement, NULL);
    if (result == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, c->copy->copy, -1, SQLITE_STATIC);
        watch(c, db);
        result = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return result;
}

/* synchronous counts for the copy, which is synced once, when it is whole. */
static enum store_backup_end copy_from(struct copying *c, sqlite3 *db)
{
    int64_t id = sqlite_query_integer(db, "PRAGMA application_id");
    if (id != APPLICATION_ID) {
        error_set(c->error, "%s: %s", c->copy->database, id < 0 ? sqlite3_errmsg(db) : "not poold's database");
        return BACKUP_NO_DATABASE;
    }
    if (sqlite_execute(db, "PRAGMA synchronous = OFF", c->error) != 0)
        return BACKUP_IO;
    c->total = used_bytes(db) + sqlite_files_bytes(c->copy->files);
    int result = vacuum(c, db);
    if (c->stopped)
        return BACKUP_STOPPED;
    if (result == SQLITE_DONE)
        return BACKUP_DONE;
    error_set(c->error, "cannot copy %s to %s: %s", c->copy->database, c->copy->copy, sqlite3_errmsg(db));
    return BACKUP_IO;
}

static enum store_backup_end copy(struct copying *c)
{
    sqlite3 *db = sqlite_connect(c->copy->database, SQLITE_OPEN_READONLY, CACHE_KIB, c->error);
    if (db == NULL)
        return BACKUP_NO_DATABASE;
    enum store_backup_end end = copy_from(c, db);
    sqlite3_close(db);
    return end;
}

/* No journal: a half copy is thrown away. */
static enum store_backup_end complete(struct copying *c)
{
    sqlite3 *db = sqlite_connect(c->copy->copy, SQLITE_OPEN_READWRITE, CACHE_KIB, c->error);
    if (db == NULL)
        return BACKUP_IO;
    int result = sqlite_execute(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", c->error);
    watch(c, db);
    if (result == 0)
        result = sqlite_pack_files(db, c->copy->files, c->error);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    c->copy->jobs = sqlite_query_integer(db, "SELECT count(*) FROM job WHERE deleted = 0");
    sqlite3_close(db);
    c->copy->bytes = size_of(c->copy->copy);
    if (c->stopped)
        return BACKUP_STOPPED;
    return result == 0 ? BACKUP_DONE : BACKUP_IO;
}

enum store_backup_end sqlite_backup(struct sqlite_copy *asked, struct error *error)
{
    struct copying c = {.copy = asked, .error = error};
    enum store_backup_end end = copy(&c);
    return end == BACKUP_DONE ? complete(&c) : end;
}
