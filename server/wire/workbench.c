#include "wire/workbench.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"

/* Data up to here stays in memory between slices; OUTBOX_FLUSH_BYTES are usual, more is a large value. */
#define KEEP_BYTES ((size_t)1024 * 1024)

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "atomics in memory shared by processes must be without locks");
_Static_assert(WORKBENCH_DATA_BYTES <= UINT32_MAX, "the outbox word holds its bytes in 32 bits");

static uint64_t pack(uint32_t high, uint32_t low)
{
    return (uint64_t)high << 32 | low;
}

static uint32_t high_half(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static uint32_t low_half(uint64_t word)
{
    return (uint32_t)word;
}

int workbench_create(struct error *error)
{
    int fd = memfd_create("poold-workbench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return error_set(error, "cannot create a workbench: %s", strerror(errno));
    if (ftruncate(fd, (off_t)sizeof(struct workbench)) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        error_set(error, "cannot size a workbench: %s", strerror(errno));
        fd_close(&fd);
    }
    return fd;
}

struct workbench *workbench_map(int fd, struct error *error)
{
    struct stat stat;
    if (fstat(fd, &stat) != 0 || stat.st_size != (off_t)sizeof(struct workbench)) {
        error_set(error, "descriptor %d is no workbench", fd);
        return NULL;
    }
    void *map = mmap(NULL, sizeof(struct workbench), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        error_set(error, "cannot map a workbench: %s", strerror(errno));
        return NULL;
    }
    return map;
}

void workbench_unmap(struct workbench **bench)
{
    if (bench && *bench) {
        munmap(*bench, sizeof **bench);
        *bench = NULL;
    }
}

void workbench_offer(struct workbench *bench, uint64_t run, uint32_t count)
{
    CHECK(run != 0, "0 is the run of a fresh bench");
    CHECK(count <= CHUNK_ITEMS_MAX, "a slice of %u items", count);
    atomic_store_explicit(&bench->claim, 0, memory_order_relaxed);
    atomic_store_explicit(&bench->outbox, 0, memory_order_relaxed);
    atomic_store_explicit(&bench->run, run, memory_order_release);
    atomic_store_explicit(&bench->claim, pack(0, count), memory_order_release);
}

/* Without a shared cache line in dispute this is one compare-and-swap (a few ns). Adding blindly would do for the
 * worker, but `next` would run past `limit` with every call at the end of a slice. */
bool workbench_claim(struct workbench *bench, uint32_t *offset)
{
    uint64_t claim = atomic_load_explicit(&bench->claim, memory_order_acquire);
    do {
        if (high_half(claim) >= low_half(claim))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&bench->claim, &claim, claim + pack(1, 0), memory_order_acq_rel,
                                                    memory_order_acquire));
    *offset = high_half(claim);
    return true;
}

uint32_t workbench_trim(struct workbench *bench, uint64_t run)
{
    if (atomic_load_explicit(&bench->run, memory_order_acquire) != run)
        return UINT32_MAX;
    uint64_t claim = atomic_load_explicit(&bench->claim, memory_order_acquire);
    uint32_t limit;
    do {
        limit = high_half(claim) < low_half(claim) ? high_half(claim) : low_half(claim);
    } while (!atomic_compare_exchange_weak_explicit(&bench->claim, &claim, pack(high_half(claim), limit),
                                                    memory_order_acq_rel, memory_order_acquire));
    return limit;
}

char *workbench_room(struct workbench *bench, size_t bytes)
{
    const size_t used = low_half(atomic_load_explicit(&bench->outbox, memory_order_relaxed));
    if (used > WORKBENCH_DATA_BYTES || bytes > WORKBENCH_DATA_BYTES - used)
        return NULL;
    if (used + bytes > atomic_load_explicit(&bench->touched, memory_order_relaxed))
        atomic_store_explicit(&bench->touched, used + bytes, memory_order_relaxed);
    return bench->data + used;
}

void workbench_finish(struct workbench *bench, uint32_t offset, size_t bytes, bool failed)
{
    const uint64_t outbox = atomic_load_explicit(&bench->outbox, memory_order_relaxed);
    const uint32_t count = high_half(outbox), used = low_half(outbox);
    CHECK(used <= WORKBENCH_DATA_BYTES && bytes > 0 && bytes <= WORKBENCH_DATA_BYTES - used,
          "a line of %zu bytes behind %u", bytes, used);
    if (count == 0) {
        atomic_store_explicit(&bench->outbox_first, offset, memory_order_relaxed);
        atomic_store_explicit(&bench->outbox_failed, failed, memory_order_relaxed);
    } else {
        const uint32_t first = atomic_load_explicit(&bench->outbox_first, memory_order_relaxed);
        CHECK(offset == first + count, "item %u behind %u of %u", offset, count, first);
        if (failed) /* one writer: no need for an atomic addition */
            atomic_store_explicit(&bench->outbox_failed,
                                  atomic_load_explicit(&bench->outbox_failed, memory_order_relaxed) + 1,
                                  memory_order_relaxed);
    }
    atomic_store_explicit(&bench->outbox, pack(count + 1, used + (uint32_t)bytes), memory_order_release);
}

void workbench_sent(struct workbench *bench)
{
    atomic_store_explicit(&bench->outbox, 0, memory_order_release);
    /* Not what `outbox` says: the server may have emptied it already for the next slice. */
    if (atomic_load_explicit(&bench->touched, memory_order_relaxed) <= KEEP_BYTES)
        return;
    /* Best effort: the worst that a failure costs is memory. */
    (void)madvise(bench->data + KEEP_BYTES, WORKBENCH_DATA_BYTES - KEEP_BYTES, MADV_REMOVE);
    atomic_store_explicit(&bench->touched, 0, memory_order_relaxed);
}

void workbench_outbox(const struct workbench *bench, uint64_t run, struct outbox_view *view)
{
    *view = (struct outbox_view){.lines = bench->data};
    if (atomic_load_explicit(&bench->run, memory_order_acquire) != run)
        return;
    const uint64_t outbox = atomic_load_explicit(&bench->outbox, memory_order_acquire);
    const uint32_t count = high_half(outbox), bytes = low_half(outbox);
    const uint32_t first = atomic_load_explicit(&bench->outbox_first, memory_order_relaxed);
    if (count == 0 || count > CHUNK_ITEMS_MAX || first > CHUNK_ITEMS_MAX - count || bytes < count ||
        bytes > WORKBENCH_DATA_BYTES)
        return;
    view->first = first;
    view->count = count;
    view->bytes = bytes;
}
