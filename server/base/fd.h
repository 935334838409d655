/* fd: file descriptors with the flags this project always wants (close-on-exec). Any thread. */
#ifndef POOLD_BASE_FD_H
#define POOLD_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Closes *fd unless it is -1, sets it to -1; keeps errno. */
void fd_close(int *fd);
/* 0, or -1 with errno. */
int fd_set_nonblocking(int fd, bool on);
int fd_set_cloexec(int fd, bool on);
/* A non-blocking, close-on-exec AF_UNIX stream pair with `buffer` bytes of send buffer each
 * (0 = the system's default). 0, or -1 with errno. */
int fd_stream_pair(int fds[2], int buffer);
/* Reads a whole small file into `text` (NUL-terminated, cut at size - 1); a FIFO is not waited for. Bytes, or -1 with
 * errno. */
ssize_t fd_read_file(const char *path, char *text, size_t size);
/* What a file holds, or what names a directory has, is on disk afterwards. 0, or -1 with errno. */
int fd_sync_path(const char *path);

#endif
