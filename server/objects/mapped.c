#include "objects/mapped.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#define DELETED ".deleted"

/* --- names ------------------------------------------------------------------------------------------------------ */

void mapped_name(char name[MAPPED_NAME_SIZE], const char *plural, const char *object, int64_t id)
{
    int length = snprintf(name, MAPPED_NAME_SIZE, "%s-%s.%" PRId64, plural, object, id);
    CHECK(length > 0 && (size_t)length + sizeof DELETED <= MAPPED_NAME_SIZE, "a file name of %d bytes", length);
}

/* Tasks stand in other folders than the server: the path is absolute. */
static char *path_of(const char *folder, const char *name, struct error *error)
{
    char *absolute = realpath(folder, NULL), *path = NULL;
    if (absolute == NULL) {
        error_set(error, "%s: %s", folder, strerror(errno));
        return NULL;
    }
    int length = asprintf(&path, "%s/%s", absolute, name);
    CHECK(length > 0, "out of memory for a path");
    free(absolute);
    return path;
}

static char *deleted_path(const char *path)
{
    char *deleted = NULL;
    int length = asprintf(&deleted, "%s" DELETED, path);
    CHECK(length > 0, "out of memory for a path");
    return deleted;
}

static size_t size_of(size_t bytes)
{
    return bytes < MAPPED_SMALLEST ? MAPPED_SMALLEST : bytes;
}

/* --- mapping ---------------------------------------------------------------------------------------------------- */

static int map(struct mapped *mapped, int fd, struct error *error)
{
    int flags = MAP_SHARED | (fd == -1 ? MAP_ANONYMOUS : 0);
    void *memory = mmap(NULL, mapped->size, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (memory == MAP_FAILED)
        return error_set(error, "%zu bytes cannot be mapped: %s", mapped->size, strerror(errno));
    mapped->memory = memory;
    return 0;
}

/* A write to a page without a block behind it is a SIGBUS, and a full disk stops the database: both are met here. */
static int reserve(int fd, size_t size, struct error *error)
{
    struct statvfs disk;
    if (fstatvfs(fd, &disk) == 0) {
        unsigned long long room = (unsigned long long)disk.f_bavail * disk.f_frsize;
        if (room < size + (unsigned long long)MAPPED_MIN_FREE)
            return error_set(error, "%zu bytes do not fit the disk: %llu are free, of which %d stay free", size, room,
                             (int)MAPPED_MIN_FREE);
    }
    int failure = posix_fallocate(fd, 0, (off_t)size);
    return failure == 0 ? 0 : error_set(error, "%zu bytes of disk cannot be had: %s", size, strerror(failure));
}

static int create_file(struct mapped *mapped, struct error *error)
{
    unlink(mapped->path); /* left by a creation that was never committed */
    int fd = open(mapped->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (fd == -1)
        return error_set(error, "%s: %s", mapped->path, strerror(errno));
    int result = reserve(fd, mapped->size, error);
    if (result == 0)
        result = map(mapped, fd, error);
    fd_close(&fd);
    if (result != 0)
        unlink(mapped->path);
    return result;
}

int mapped_create(struct mapped *mapped, const char *folder, const char *name, size_t bytes, struct error *error)
{
    *mapped = (struct mapped){.size = size_of(bytes)};
    if (folder == NULL)
        return map(mapped, -1, error);
    mapped->path = path_of(folder, name, error);
    int result = mapped->path ? create_file(mapped, error) : -1;
    if (result != 0)
        mapped_close(mapped);
    return result;
}

/* Opens the file; if only its deleted form is there, the deletion was never committed. */
static int open_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd != -1 || errno != ENOENT)
        return fd;
    char *deleted = deleted_path(path);
    if (rename(deleted, path) == 0)
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    free(deleted);
    return fd;
}

static int restore_file(struct mapped *mapped, struct error *error)
{
    struct stat file;
    int fd = open_file(mapped->path);
    if (fd == -1)
        return error_set(error, "%s: %s", mapped->path, strerror(errno));
    int result = fstat(fd, &file);
    if (result != 0)
        error_set(error, "%s: %s", mapped->path, strerror(errno));
    else if (!S_ISREG(file.st_mode) || (size_t)file.st_size != mapped->size)
        result = error_set(error, "%s has %lld bytes, but should have %zu", mapped->path, (long long)file.st_size,
                           mapped->size);
    else
        result = map(mapped, fd, error);
    fd_close(&fd);
    return result;
}

int mapped_restore(struct mapped *mapped, const char *folder, const char *name, size_t bytes, struct error *error)
{
    *mapped = (struct mapped){.size = size_of(bytes)};
    if (folder == NULL)
        return map(mapped, -1, error);
    mapped->path = path_of(folder, name, error);
    int result = mapped->path ? restore_file(mapped, error) : -1;
    if (result != 0)
        mapped_close(mapped);
    return result;
}

static int sync_path(const char *path, struct error *error)
{
    return fd_sync_path(path) == 0 ? 0 : error_set(error, "%s: %s", path, strerror(errno));
}

int mapped_settle(const struct mapped *mapped, struct error *error)
{
    if (mapped->path == NULL)
        return 0;
    char *folder = strndup(mapped->path, (size_t)(strrchr(mapped->path, '/') - mapped->path));
    CHECK(folder != NULL, "out of memory for a path");
    int result = sync_path(mapped->path, error);
    if (result == 0)
        result = sync_path(folder, error);
    free(folder);
    return result;
}

void mapped_close(struct mapped *mapped)
{
    if (mapped->memory)
        munmap(mapped->memory, mapped->size);
    free(mapped->path);
    *mapped = (struct mapped){0};
}

void mapped_abandon(struct mapped *mapped)
{
    if (mapped->path)
        unlink(mapped->path);
    mapped_close(mapped);
}

/* --- files that go ---------------------------------------------------------------------------------------------- */

struct doomed {
    STAILQ_ENTRY(doomed) link;
    char *path;
    int64_t due_ns;
};

static STAILQ_HEAD(, doomed) doomed_files = STAILQ_HEAD_INITIALIZER(doomed_files); /* the first is due first */

void mapped_delete(struct mapped *mapped, int64_t now_ns)
{
    if (mapped->path) {
        char *deleted = deleted_path(mapped->path);
        struct doomed *file = malloc(sizeof *file);
        CHECK(file != NULL, "out of memory");
        if (rename(mapped->path, deleted) != 0)
            log_event(LOG_WARNING, "object.file", "path=\"%s\" error=\"%s\"", mapped->path, strerror(errno));
        *file = (struct doomed){.path = deleted, .due_ns = now_ns + MAPPED_KEEP_DELETED_S * NS_PER_S};
        STAILQ_INSERT_TAIL(&doomed_files, file, link);
    }
    mapped_close(mapped);
}

int64_t mapped_sweep(int64_t now_ns)
{
    struct doomed *file;
    while ((file = STAILQ_FIRST(&doomed_files)) != NULL && file->due_ns <= now_ns) {
        STAILQ_REMOVE_HEAD(&doomed_files, link);
        unlink(file->path);
        free(file->path);
        free(file);
    }
    return file ? file->due_ns : INT64_MAX;
}

/* Splits "arrays-NAME.ID" or "….deleted"; false when it is neither. */
static bool parse_name(char *file, const char **plural, const char **object, int64_t *id)
{
    size_t length = strlen(file), suffix = strlen(DELETED);
    if (length > suffix && strcmp(file + length - suffix, DELETED) == 0)
        file[length - suffix] = '\0';
    char *dash = strchr(file, '-'), *dot = strrchr(file, '.'), *end = NULL;
    if (dash == NULL || dot == NULL || dot <= dash + 1 || dot[1] < '0' || dot[1] > '9')
        return false;
    errno = 0;
    *id = strtoll(dot + 1, &end, 10);
    *dash = *dot = '\0';
    *plural = file;
    *object = dash + 1;
    return errno == 0 && *end == '\0' && (strcmp(file, "arrays") == 0 || strcmp(file, "values") == 0);
}

void mapped_remove_orphans(const char *folder,
                           bool (*known)(void *, const char *plural, const char *object, int64_t id), void *context)
{
    DIR *files = folder ? opendir(folder) : NULL;
    if (files == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(files)) != NULL;) {
        char name[MAPPED_NAME_SIZE];
        const char *plural, *object;
        int64_t id;
        snprintf(name, sizeof name, "%s", entry->d_name);
        if (!parse_name(name, &plural, &object, &id) || known(context, plural, object, id))
            continue;
        log_event(LOG_INFO, "object.orphan", "path=\"%s\"", entry->d_name);
        unlinkat(dirfd(files), entry->d_name, 0);
    }
    closedir(files);
}
