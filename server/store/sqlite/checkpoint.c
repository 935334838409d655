/* checkpoint: copies the WAL into the database, by the store thread only and when it costs least.
 *
 * A PASSIVE checkpoint waits for nobody; once it is complete and no reader is inside the WAL, the next commit starts
 * the WAL anew over the same blocks, which is also the cheapest place to write. */
#include "base/log.h"
#include "store/sqlite/sqlite.h"

#define BUSY_BYTES (INT64_C(32) << 20)     /* a busy store checkpoints at this size… */
#define AGAIN_BYTES (INT64_C(8) << 20)     /* …and, where readers were in the way, after so many more */
#define RESTART_BYTES (INT64_C(128) << 20) /* readers overlap for long: wait for them */
#define TRUNCATE_BYTES (INT64_C(64) << 20) /* an idle store gives so large a file back */
#define WAIT_MS 100

static int note_frames(void *context, sqlite3 *db, const char *name, int frames)
{
    (void)db, (void)name;
    struct sqlite_store *store = context;
    store->wal_frames = frames;
    store->wal_pending = true;
    return SQLITE_OK;
}

void sqlite_watch_wal(struct sqlite_store *store)
{
    sqlite3_wal_hook(store->db, note_frames, store);
    store->checkpoint_at = BUSY_BYTES;
    store->wal_pending = true; /* what an earlier life left */
}

static int64_t wal_bytes(const struct sqlite_store *store)
{
    return (int64_t)store->wal_frames * (store->page_size + 24);
}

/* BUSY and FULL pass; but after a failed write or fsync nothing is known about the file any more. */
static enum store_status checkpoint(struct sqlite_store *store, int mode)
{
    int frames = 0, copied = 0;
    sqlite3_busy_timeout(store->db, WAIT_MS);
    int result = sqlite3_wal_checkpoint_v2(store->db, NULL, mode, &frames, &copied);
    sqlite3_busy_timeout(store->db, 5000);
    store->checkpoints++;
    if (result != SQLITE_OK && result != SQLITE_BUSY) {
        log_event(LOG_ERROR, "store.checkpoint_failed", "code=%d error=\"%s\"", result, sqlite3_errmsg(store->db));
        return sqlite_status(store->db, result);
    }
    if (mode == SQLITE_CHECKPOINT_TRUNCATE && result == SQLITE_OK)
        store->wal_frames = 0;
    store->wal_pending = frames > copied || result != SQLITE_OK;
    store->checkpoint_at = store->wal_pending ? wal_bytes(store) + AGAIN_BYTES : BUSY_BYTES;
    return STORE_OK;
}

enum store_status sqlite_tend(struct store_backend *backend, bool idle, bool *again)
{
    struct sqlite_store *store = (struct sqlite_store *)backend;
    enum store_status status = STORE_OK;
    if (store->read_only)
        return STORE_OK;
    if (idle && wal_bytes(store) > TRUNCATE_BYTES)
        status = checkpoint(store, SQLITE_CHECKPOINT_TRUNCATE);
    else if (idle ? store->wal_pending : store->wal_pending && wal_bytes(store) > store->checkpoint_at)
        status =
            checkpoint(store, wal_bytes(store) > RESTART_BYTES ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE);
    *again = store->wal_pending;
    return status;
}
