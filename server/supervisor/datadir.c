#include "supervisor/datadir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define PATH_SIZE 1280

static void path_in(char to[PATH_SIZE], const char *directory, const char *name)
{
    snprintf(to, PATH_SIZE, "%s/%s", directory, name);
}

/* The pid in the lock file if that process may still be there, else 0. Our own number is a former container's. */
static pid_t holder(int fd)
{
    char text[32] = "";
    if (pread(fd, text, sizeof text - 1, 0) <= 0)
        return 0;
    pid_t pid = (pid_t)atoi(text);
    bool alive = pid > 0 && pid != getpid() && (kill(pid, 0) == 0 || errno == EPERM);
    return alive ? pid : 0;
}

/* While the holder lives, at once a conflict; when it is gone, its server is dying with it: give that a moment. */
static int lock_patiently(int fd, pid_t *other)
{
    const struct timespec pause = {.tv_nsec = 20 * NS_PER_MS};
    for (int left = 250; flock(fd, LOCK_EX | LOCK_NB) == -1; left--) {
        *other = holder(fd);
        if (errno == EINTR)
            continue;
        if (*other != 0 || left == 0)
            return -1;
        nanosleep(&pause, NULL);
    }
    return 0;
}

static void note_holder(int fd)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    ssize_t written = ftruncate(fd, 0) == 0 ? pwrite(fd, text, (size_t)length, 0) : -1;
    (void)written; /* the lock is what counts; the pid is for people */
}

int datadir_lock(const char *path, struct error *error)
{
    char name[PATH_SIZE];
    pid_t other = 0;
    if (mkdir(path, 0700) == -1 && errno != EEXIST)
        return error_set(error, "data directory %s: %s", path, strerror(errno));
    path_in(name, path, "lock");
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd == -1)
        return error_set(error, "%s: %s", name, strerror(errno));
    if (lock_patiently(fd, &other) == -1) {
        fd_close(&fd);
        return other != 0
                   ? error_set(error, "another poold uses this data directory (pid %d): %s", (int)other, path)
                   : error_set(error, "another poold uses this data directory (in another container?): %s", path);
    }
    note_holder(fd);
    return fd;
}

/* ---- other users' workers ---- */

/* Does with each plain file of a folder what is said. */
static int each_file(const char *folder, int (*act)(int folder_fd, const char *name, mode_t mode, gid_t group),
                     gid_t group)
{
    struct stat status;
    DIR *entries = opendir(folder);
    int result = entries == NULL ? -1 : 0;
    for (const struct dirent *entry; result == 0 && (entry = readdir(entries)) != NULL;)
        if (fstatat(dirfd(entries), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode))
            result = act(dirfd(entries), entry->d_name, status.st_mode, group);
    int kept = errno;
    if (entries != NULL)
        closedir(entries);
    errno = kept;
    return result;
}

static int close_to_others(int folder_fd, const char *name, mode_t mode, gid_t group)
{
    (void)group;
    return fchmodat(folder_fd, name, mode & 0700, 0);
}

static int open_to_group(int folder_fd, const char *name, mode_t mode, gid_t group)
{
    (void)mode;
    return fchownat(folder_fd, name, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW) == -1 ? -1
                                                                                  : fchmodat(folder_fd, name, 0660, 0);
}

/* What is made there later belongs to the group by the folder's setgid bit; the server's umask (main.c) leaves it that,
 * and closes everything else to others. */
int datadir_share_objects(const char *path, gid_t group, struct error *error)
{
    char objects[PATH_SIZE];
    path_in(objects, path, "objects");
    if ((mkdir(objects, 0700) == -1 && errno != EEXIST) || each_file(path, close_to_others, group) == -1 ||
        each_file(objects, open_to_group, group) == -1)
        return error_set(error, "%s: %s", objects, strerror(errno));
    if (chown(objects, (uid_t)-1, group) == -1 || chmod(objects, 02710) == -1 || chown(path, (uid_t)-1, group) == -1 ||
        chmod(path, 0710) == -1)
        return error_set(error, "%s: it cannot be opened to the worker's group: %s", path, strerror(errno));
    return 0;
}

/* ---- the address ---- */

int datadir_write_address(const char *path, const char *url, struct error *error)
{
    char name[PATH_SIZE], fresh[PATH_SIZE];
    path_in(name, path, "address");
    path_in(fresh, path, "address.new");
    FILE *file = fopen(fresh, "we");
    if (file == NULL)
        return error_set(error, "%s: %s", fresh, strerror(errno));
    bool good = fprintf(file, "%s\n", url) > 0;
    good = fclose(file) == 0 && good;
    if (!good || rename(fresh, name) == -1)
        return error_set(error, "%s: %s", name, strerror(errno));
    return 0;
}

void datadir_remove_address(const char *path)
{
    char name[PATH_SIZE];
    path_in(name, path, "address");
    unlink(name);
}
