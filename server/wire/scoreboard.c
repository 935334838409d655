#include "wire/scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/fd.h"
#include "wire/limits.h"

#define SCOREBOARD_BYTES ((size_t)WORKERS_MAX * SCOREBOARD_PAGE)

_Static_assert(sizeof(struct scoreboard_slot) <= SCOREBOARD_PAGE, "a slot fits its page");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "atomics in memory shared by processes must be without locks");

/* Only a plain file of at least the full size: touching a mapping beyond its end is SIGBUS. */
static int check_size(int fd, struct error *error)
{
    struct stat stat;
    if (fstat(fd, &stat) != 0)
        return error_set(error, "cannot look at the scoreboard: %s", strerror(errno));
    if (!S_ISREG(stat.st_mode) || stat.st_size < (off_t)SCOREBOARD_BYTES)
        return error_set(error, "the scoreboard is not a file of %zu bytes", SCOREBOARD_BYTES);
    return 0;
}

int scoreboard_create(const char *path, struct error *error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return error_set(error, "cannot open %s: %s", path, strerror(errno));
    int failure;
    do
        failure = posix_fallocate(fd, 0, (off_t)SCOREBOARD_BYTES);
    while (failure == EINTR);
    if (failure != 0)
        error_set(error, "cannot allocate %zu bytes for %s: %s", SCOREBOARD_BYTES, path, strerror(failure));
    if (failure != 0 || check_size(fd, error) != 0)
        fd_close(&fd);
    return fd;
}

static char *map_pages(int fd, unsigned first, unsigned count, struct error *error)
{
    if (check_size(fd, error) != 0)
        return NULL;
    void *map = mmap(NULL, (size_t)count * SCOREBOARD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                     (off_t)first * SCOREBOARD_PAGE);
    if (map == MAP_FAILED) {
        error_set(error, "cannot map the scoreboard: %s", strerror(errno));
        return NULL;
    }
    return map;
}

int scoreboard_map(struct scoreboard *scoreboard, int fd, struct error *error)
{
    *scoreboard = (struct scoreboard){.slots = 0, .map = map_pages(fd, 0, WORKERS_MAX, error)};
    if (!scoreboard->map)
        return -1;
    scoreboard->slots = WORKERS_MAX;
    return 0;
}

void scoreboard_unmap(struct scoreboard *scoreboard)
{
    if (scoreboard->map)
        munmap(scoreboard->map, (size_t)scoreboard->slots * SCOREBOARD_PAGE);
    *scoreboard = (struct scoreboard){0};
}

void scoreboard_mark_stopped(int fd)
{
    struct scoreboard board;
    struct error error;
    if (scoreboard_map(&board, fd, &error) != 0)
        return; /* it then counts as a death */
    for (unsigned i = 0; i < board.slots; i++) {
        struct scoreboard_slot *slot = scoreboard_slot(&board, i);
        if (atomic_load(&slot->activity) == ACTIVITY_RUNNING)
            atomic_store(&slot->activity, ACTIVITY_STOPPED);
    }
    scoreboard_unmap(&board);
}

void scoreboard_forget_loads(struct scoreboard_slot *slot)
{
    atomic_store(&slot->loading, 0);
    memset(slot->loads, 0, sizeof slot->loads);
}

struct scoreboard_slot *scoreboard_slot(const struct scoreboard *scoreboard, unsigned slot)
{
    CHECK(slot < scoreboard->slots, "slot %u of %u", slot, scoreboard->slots);
    return (struct scoreboard_slot *)(void *)(scoreboard->map + (size_t)slot * SCOREBOARD_PAGE);
}

struct scoreboard_slot *scoreboard_map_slot(int fd, unsigned slot, struct error *error)
{
    if (slot >= WORKERS_MAX) {
        error_set(error, "the scoreboard has no slot %u", slot);
        return NULL;
    }
    return (struct scoreboard_slot *)(void *)map_pages(fd, slot, 1, error);
}
