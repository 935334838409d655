/* object: the rows of shared objects and their entries. */
#include "store/sqlite/sqlite.h"

void sqlite_bind_object(sqlite3_stmt *statement, const struct store_op *op)
{
    sqlite3_bind_int64(statement, 1, op->seq);
    sqlite3_bind_int64(statement, 2, op->kind);
    sqlite3_bind_text64(statement, 3, op->data, op->key_length, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_text64(statement, 4, store_op_value(op), op->length, SQLITE_STATIC, SQLITE_UTF8);
}

void sqlite_bind_entry(sqlite3_stmt *statement, const struct store_op *op)
{
    sqlite3_bind_int64(statement, 1, op->seq);
    sqlite3_bind_blob64(statement, 2, op->data, op->key_length, SQLITE_STATIC);
    if (op->type == STORE_ENTRY_PUT)
        sqlite3_bind_blob64(statement, 3, store_op_value(op), op->length, SQLITE_STATIC);
}

/* A blob of no bytes comes back as NULL. */
static const char *column_bytes(sqlite3_stmt *statement, int column, size_t *length)
{
    const char *bytes = sqlite3_column_blob(statement, column);
    *length = (size_t)sqlite3_column_bytes(statement, column);
    return bytes == NULL ? "" : bytes;
}

enum store_status sqlite_read_objects(struct store_reader *reader,
                                      bool (*each)(void *, int64_t, uint32_t, const char *, const char *, size_t),
                                      void *context)
{
    sqlite3_stmt *statement = ((struct sqlite_reader *)reader)->statements[R_OBJECTS];
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 2);
        const char *config = (const char *)sqlite3_column_text(statement, 3);
        if (!each(context, sqlite3_column_int64(statement, 0), (uint32_t)sqlite3_column_int64(statement, 1), name,
                  config, (size_t)sqlite3_column_bytes(statement, 3)))
            break;
    }
    return sqlite_read_end(statement, result);
}

enum store_status sqlite_read_entries(struct store_reader *reader, int64_t id,
                                      bool (*each)(void *, const char *, size_t, const char *, size_t), void *context)
{
    sqlite3_stmt *statement = ((struct sqlite_reader *)reader)->statements[R_ENTRIES];
    int result;
    sqlite3_bind_int64(statement, 1, id);
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        size_t key_length, length;
        const char *key = column_bytes(statement, 0, &key_length), *value = column_bytes(statement, 1, &length);
        if (!each(context, key, key_length, value, length))
            break;
    }
    return sqlite_read_end(statement, result);
}

static int64_t next_dropped(struct sqlite_store *store)
{
    sqlite3_stmt *statement = store->statements[W_REAP_NEXT_OBJECT];
    int64_t id = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return id;
}

static int run_with(sqlite3_stmt *statement, int64_t id)
{
    sqlite3_bind_int64(statement, 1, id);
    return sqlite_run(statement);
}

int sqlite_reap_objects(struct sqlite_store *store, unsigned *left)
{
    int64_t id;
    while (*left > 0 && (id = next_dropped(store)) != 0) {
        sqlite3_bind_int64(store->statements[W_REAP_ENTRY], 2, *left);
        int result = run_with(store->statements[W_REAP_ENTRY], id);
        if (result != SQLITE_OK)
            return result;
        *left -= (unsigned)sqlite3_changes(store->db);
        if (*left == 0)
            return SQLITE_OK;
        result = run_with(store->statements[W_REAP_OBJECT], id);
        if (result != SQLITE_OK)
            return result;
        --*left;
    }
    return SQLITE_OK;
}
