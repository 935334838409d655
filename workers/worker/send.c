/* send: writes frames straight from where their tail lies, waiting while the socket is full. See worker.h. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "runtimes/child.h"
#include "worker/turn.h"
#include "worker/worker.h"

static struct turn sending;

/* Takes `count` bytes off the front of the two parts. */
static void advance(struct iovec parts[2], size_t count)
{
    for (int i = 0; i < 2; i++) {
        size_t taken = count < parts[i].iov_len ? count : parts[i].iov_len;
        parts[i].iov_base = (char *)parts[i].iov_base + taken;
        parts[i].iov_len -= taken;
        count -= taken;
    }
}

static void wait_writable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    poll(&wait, 1, -1);
}

void worker_leave(int code)
{
    children_end();
    exit(code);
}

/* Nobody reads any more: the server is gone, and with it the reason to be here. Only the main thread may say goodbye
 * to what is loaded: others would do so under its feet. */
static _Noreturn void leave(void)
{
    if (gettid() == getpid())
        worker_leave(0);
    _exit(0);
}

static void write_all(int fd, struct iovec parts[2])
{
    while (parts[0].iov_len + parts[1].iov_len > 0) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0)
            advance(parts, (size_t)sent);
        else if (errno == EAGAIN)
            wait_writable(fd);
        else if (errno != EINTR)
            leave();
    }
}

void worker_send(struct worker *worker, enum message_type type, const unsigned char *body, size_t body_length,
                 const char *tail, size_t tail_length)
{
    unsigned char head[FRAME_HEAD_BYTES + MESSAGE_BODY_MAX];
    size_t length = frame_encode(head, type, worker->slot, worker->generation, body, body_length, tail_length);
    struct iovec parts[2] = {{head, length}, {(char *)(tail ? tail : ""), tail_length}};
    turn_take(&sending);
    write_all(worker->channel.fd, parts);
    turn_give(&sending);
}

bool worker_is_sending(void)
{
    return turn_is_mine(&sending);
}
