/* migrate: brings the database from its version (PRAGMA user_version) to the program's, a transaction a step. */
#include <stdio.h>

#include "base/log.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/sqlite.h"

static int migrate_step(sqlite3 *db, int version, struct error *error)
{
    char set[64];
    snprintf(set, sizeof set, "PRAGMA user_version = %d", version + 1);
    if (sqlite_execute(db, "BEGIN IMMEDIATE", error) != 0)
        return -1;
    if (sqlite_execute(db, schema_migrations[version], error) != 0 || sqlite_execute(db, set, error) != 0 ||
        sqlite_execute(db, "COMMIT", error) != 0) {
        if (!sqlite3_get_autocommit(db))
            sqlite_execute(db, "ROLLBACK", NULL);
        return -1;
    }
    log_event(LOG_INFO, "store.migrated", "version=%d", version + 1);
    return 0;
}

int sqlite_migrate(sqlite3 *db, bool read_only, struct error *error)
{
    int64_t version = sqlite_query_integer(db, "PRAGMA user_version");
    if (version < 0)
        return error_set(error, "cannot read the database: %s", sqlite3_errmsg(db));
    if (version > schema_version)
        return error_set(error,
                         "the database has schema version %lld, this program knows versions up to %d: "
                         "it was written by a newer poold",
                         (long long)version, schema_version);
    if (version < schema_version && read_only)
        return error_set(error, "the database has schema version %lld and cannot be migrated to %d read-only",
                         (long long)version, schema_version);
    for (int at = (int)version; at < schema_version; at++) {
        if (migrate_step(db, at, error) != 0)
            return -1;
    }
    return 0;
}
