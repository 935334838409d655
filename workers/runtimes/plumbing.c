/* plumbing: see plumbing.h. */
#include "runtimes/plumbing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"

static struct plumbing shared;
static bool made;

/* Descriptors below this are where children want theirs. */
static int lift(int fd)
{
    enum { FIRST = 10 };
    int high = fd == -1 || fd >= FIRST ? fd : fcntl(fd, F_DUPFD_CLOEXEC, FIRST);
    if (high != fd)
        close(fd);
    return high;
}

static int make_pipe(int *read_end, int *write_end)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == -1)
        return -1;
    *read_end = lift(ends[0]);
    *write_end = lift(ends[1]);
    return *read_end == -1 || *write_end == -1 ? -1 : fd_set_nonblocking(*read_end, true);
}

static int make_input(struct plumbing *plumbing)
{
    char path[32];
    plumbing->input_length = 0;
    plumbing->input_write = lift(memfd_create("poold-item", MFD_CLOEXEC));
    snprintf(path, sizeof path, "/proc/self/fd/%d", plumbing->input_write);
    plumbing->input_read = lift(open(path, O_RDONLY | O_CLOEXEC));
    return plumbing->input_read == -1 ? -1 : 0;
}

static int make(struct plumbing *plumbing)
{
    *plumbing = (struct plumbing){.pipes = {{-1, -1}, {-1, -1}, {-1, -1}}, .input_write = -1, .input_read = -1};
    for (int i = 0; i < PIPES; i++)
        if (make_pipe(&plumbing->pipes[i].read, &plumbing->pipes[i].write) == -1)
            return -1;
    return make_input(plumbing);
}

void plumbing_discard(void)
{
    if (!made)
        return;
    for (int i = 0; i < PIPES; i++) {
        fd_close(&shared.pipes[i].read);
        fd_close(&shared.pipes[i].write);
    }
    fd_close(&shared.input_write);
    fd_close(&shared.input_read);
    made = false;
}

struct plumbing *plumbing_ready(struct error *error)
{
    if (!made) {
        made = true;
        if (make(&shared) == -1) {
            error_set(error, "no pipes: %s", strerror(errno));
            plumbing_discard();
            return NULL;
        }
    }
    /* Node, for one, makes its stdout non-blocking, and that is the pipe's, not the process's. */
    for (int i = 0; i < PIPES; i++)
        fcntl(shared.pipes[i].write, F_SETFL, 0);
    return &shared;
}

static int write_whole(int fd, const char *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t written = pwrite(fd, bytes + done, length - done, (off_t)done);
        if (written == -1 && errno != EINTR)
            return -1;
        done += written > 0 ? (size_t)written : 0;
    }
    return 0;
}

int plumbing_input(struct plumbing *plumbing, const char *bytes, size_t length, struct error *error)
{
    if ((length < plumbing->input_length && ftruncate(plumbing->input_write, 0) == -1) ||
        write_whole(plumbing->input_write, bytes, length) == -1 || lseek(plumbing->input_read, 0, SEEK_SET) == -1)
        return error_set(error, "stdin: %s", strerror(errno));
    plumbing->input_length = length;
    return 0;
}
