/* checkpoint: copies the WAL into the database, by the store thread only and when it costs least.
 *
 * A PASSIVE checkpoint waits for nobody; once it is complete and no reader is inside the WAL, the next commit starts
 * the WAL anew over the same blocks, which is also the cheapest place to write. */
#include <sys/statvfs.h>

#include "base/log.h"
#include "store/sqlite/sqlite.h"

#define READY_BYTES (INT64_C(16) << 20)    /* of the WAL are written ahead, so that commits overwrite blocks… */
#define READY_SHARE 8                      /* …but never more than this part of the free space */
#define BUSY_BYTES (INT64_C(1) << 20)      /* a busy store checkpoints when these are used up, or at this size… */
#define AGAIN_BYTES (INT64_C(8) << 20)     /* …and, where readers were in the way, after so many more */
#define RESTART_BYTES (INT64_C(128) << 20) /* readers overlap for long: wait for them */
#define TRUNCATE_BYTES (INT64_C(64) << 20) /* an idle store gives so large a file back */
#define BUSY_MS 5000
#define WAIT_MS 100

static int note_frames(void *context, sqlite3 *db, const char *name, int frames)
{
    (void)db, (void)name;
    struct sqlite_store *store = context;
    store->wal_frames = frames;
    store->wal_pending = true;
    return SQLITE_OK;
}

static int64_t wal_bytes(const struct sqlite_store *store)
{
    return (int64_t)store->wal_frames * (store->page_size + 24);
}

/* SQLite's own handle of the WAL: to open the file a second time is asking for trouble. */
static sqlite3_file *wal_file(struct sqlite_store *store)
{
    sqlite3_file *wal = NULL;
    int result = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    return result == SQLITE_OK && wal != NULL && wal->pMethods != NULL ? wal : NULL;
}

static int64_t busy_bytes(const struct sqlite_store *store)
{
    return store->wal_ready > BUSY_BYTES ? store->wal_ready : BUSY_BYTES;
}

static int64_t ready_bytes(const struct sqlite_store *store)
{
    struct statvfs fs;
    if (statvfs(store->path, &fs) != 0)
        return 0;
    int64_t share = (int64_t)(fs.f_bavail * fs.f_frsize) / READY_SHARE;
    return share < READY_BYTES ? share : READY_BYTES;
}

/* Writes zeros behind the end of the WAL; recovery stops at the first frame that is none. A commit that grows the file
 * makes its fdatasync wait for the file system's journal as well: 215 against 140 us here, and 1.8 times the items/s
 * with one chunk a commit. No harm if it fails half-way. */
static void prepare_wal(struct sqlite_store *store)
{
    static const char zeros[1 << 16];
    sqlite3_file *wal = wal_file(store);
    sqlite3_int64 size = 0;
    store->wal_ready = ready_bytes(store);
    if (wal == NULL || wal->pMethods->xFileSize(wal, &size) != SQLITE_OK)
        return;
    for (; size < store->wal_ready; size += (int)sizeof zeros) {
        if (wal->pMethods->xWrite(wal, zeros, sizeof zeros, size) != SQLITE_OK)
            return;
    }
    wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
}

/* The WAL's index, a mapped file, grows by 32 KiB for each 4,096 frames, after the frames are on disk: if that fails
 * for want of space the commit's fate is unknown, and where blocks are smaller than pages a touch of it is a SIGBUS. So
 * all that RESTART_BYTES need is made and touched (nothing changes) while there is space. */
static void prepare_index(struct sqlite_store *store)
{
    enum { REGION_BYTES = 32768, FRAMES = 4096, TOUCH_BYTES = 1024 };
    sqlite3_file *file = NULL;
    void volatile *region;
    int count = (int)(RESTART_BYTES / (store->page_size + 24) / FRAMES) + 2;
    if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || file == NULL ||
        file->pMethods == NULL || file->pMethods->iVersion < 2)
        return;
    for (int i = 0; i < count; i++) {
        if (file->pMethods->xShmMap(file, i, REGION_BYTES, 1, &region) != SQLITE_OK)
            return;
        for (int at = 0; at < REGION_BYTES; at += TOUCH_BYTES)
            __atomic_fetch_or((volatile uint32_t *)region + at / 4, 0, __ATOMIC_RELAXED);
    }
}

void sqlite_watch_wal(struct sqlite_store *store)
{
    sqlite3_wal_hook(store->db, note_frames, store);
    if (store->read_only)
        return;
    prepare_index(store);
    prepare_wal(store);
    store->checkpoint_at = busy_bytes(store);
}

static bool wal_file_is_large(struct sqlite_store *store)
{
    sqlite3_file *wal = wal_file(store);
    sqlite3_int64 size = 0;
    return wal != NULL && wal->pMethods->xFileSize(wal, &size) == SQLITE_OK && size > TRUNCATE_BYTES;
}

/* Closing would checkpoint, and delete a WAL that may hold what the database file lost. */
void sqlite_give_up(struct sqlite_store *store)
{
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

/* BUSY and FULL pass; but after a failed write or fsync nothing is known about the file any more. */
static enum store_status checkpoint(struct sqlite_store *store, int mode)
{
    int frames = 0, copied = 0;
    sqlite3_busy_timeout(store->db, WAIT_MS);
    int result = sqlite3_wal_checkpoint_v2(store->db, NULL, mode, &frames, &copied);
    sqlite3_busy_timeout(store->db, BUSY_MS);
    store->checkpoints++;
    bool passing = result == SQLITE_BUSY || (result & 0xff) == SQLITE_FULL;
    store->wal_pending = result != SQLITE_OK || frames > copied;
    store->checkpoint_at = store->wal_pending ? wal_bytes(store) + AGAIN_BYTES : busy_bytes(store);
    if (result != SQLITE_OK && result != SQLITE_BUSY && !store->checkpoint_failed)
        log_event(LOG_ERROR, "store.checkpoint_failed", "code=%d error=\"%s\"", result, sqlite3_errmsg(store->db));
    store->checkpoint_failed = result != SQLITE_OK && result != SQLITE_BUSY;
    if (mode == SQLITE_CHECKPOINT_TRUNCATE && result == SQLITE_OK) {
        store->wal_frames = 0;
        prepare_wal(store);
    }
    if (result != SQLITE_OK && !passing)
        sqlite_give_up(store);
    return result == SQLITE_OK || passing ? STORE_OK : STORE_IO;
}

enum store_status sqlite_tend(struct store_backend *backend, bool idle, bool *again)
{
    struct sqlite_store *store = (struct sqlite_store *)backend;
    enum store_status status = STORE_OK;
    if (store->read_only)
        return STORE_OK;
    if (idle && wal_file_is_large(store))
        status = checkpoint(store, SQLITE_CHECKPOINT_TRUNCATE);
    else if (idle ? store->wal_pending : store->wal_pending && wal_bytes(store) > store->checkpoint_at)
        status =
            checkpoint(store, wal_bytes(store) > RESTART_BYTES ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE);
    *again = store->wal_pending;
    return status;
}
