#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

void fd_close(int *fd)
{
    if (*fd == -1)
        return;
    int kept = errno;
    /* Never repeated on EINTR: Linux has freed the number by then, another thread may own it. */
    int result = close(*fd);
    CHECK(result == 0 || errno != EBADF, "fd %d was closed twice", *fd);
    *fd = -1;
    errno = kept;
}

static int change_flag(int fd, int get, int set, int flag, bool on)
{
    int flags = fcntl(fd, get);
    if (flags == -1)
        return -1;
    return fcntl(fd, set, on ? flags | flag : flags & ~flag) == -1 ? -1 : 0;
}

int fd_set_nonblocking(int fd, bool on)
{
    return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_set_cloexec(int fd, bool on)
{
    return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

static int set_send_buffer(const int fds[2], int bytes)
{
    for (int i = 0; i < 2; i++)
        if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == -1)
            return -1;
    return 0;
}

int fd_stream_pair(int fds[2], int buffer)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == -1) {
        fds[0] = fds[1] = -1;
        return -1;
    }
    if (buffer > 0 && set_send_buffer(fds, buffer) == -1) {
        fd_close(&fds[0]);
        fd_close(&fds[1]);
        return -1;
    }
    return 0;
}

ssize_t fd_read_file(const char *path, char *text, size_t size)
{
    CHECK(size > 0, "no room for the NUL");
    text[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd == -1)
        return -1;
    size_t length = 0;
    while (length < size - 1) {
        ssize_t got = read(fd, text + length, size - 1 - length);
        if (got == -1 && errno == EINTR)
            continue;
        if (got == -1) {
            text[0] = '\0';
            fd_close(&fd);
            return -1;
        }
        if (got == 0)
            break;
        length += (size_t)got;
    }
    text[length] = '\0';
    fd_close(&fd);
    return (ssize_t)length;
}

int fd_sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int result = fd == -1 ? -1 : fsync(fd);
    fd_close(&fd);
    return result;
}
