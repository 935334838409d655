#include "wire/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/check.h"
#include "base/fd.h"
#include "wire/messages.h"

enum {
    KEEP_BYTES = 128 * 1024,     /* what a buffer keeps between large frames: holds an ordinary slice */
    READ_BYTES_MIN = 16 * 1024,  /* with less room than this at its end the input is moved to the front */
    RECEIVE_BYTES = 1024 * 1024, /* of one channel_receive */
    PENDING_MAX = sizeof((struct channel *)0)->pending / sizeof(((struct channel *)0)->pending[0]),
    RECEIVED_MAX = sizeof((struct channel *)0)->received / sizeof(int),
};

/* Room for exactly the descriptors that one frame may carry: a peer that sends more gets MSG_CTRUNC. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
};
_Static_assert(CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int)) == CMSG_LEN(CHANNEL_FDS_MAX * sizeof(int)),
               "no padding in which the kernel would put one more");

static void close_all(int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        fd_close(&fds[i]);
}

/* Nothing will be written any more: drop what is queued. */
static enum channel_status break_output(struct channel *channel)
{
    for (unsigned i = 0; i < channel->pending_count; i++)
        close_all(channel->pending[i].fds, channel->pending[i].count);
    channel->pending_count = 0;
    buf_free(&channel->out);
    channel->out_start = 0;
    channel->broken = true;
    return CHANNEL_BROKEN;
}

static enum channel_status break_input(struct channel *channel)
{
    channel->confused = true;
    return break_output(channel);
}

void channel_init(struct channel *channel, int fd)
{
    memset(channel, 0, sizeof *channel);
    channel->fd = fd;
}

void channel_close(struct channel *channel)
{
    break_output(channel);
    close_all(channel->received, channel->received_count);
    channel->received_count = 0;
    buf_free(&channel->in);
    channel->in_start = 0;
    fd_close(&channel->fd);
}

/* ---- out ---- */

/* One sendmsg. Bytes written, 0 when the socket is full, -1 when the peer is gone. The descriptors go with the first
 * byte: they are gone as soon as anything was written. */
static ssize_t send_some(int socket, struct iovec *parts, size_t parts_count, const int *fds, unsigned fds_count)
{
    union control control;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = parts_count};
    if (fds_count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(fds_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fds_count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, fds_count * sizeof(int));
    }
    ssize_t written;
    do
        written = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (written < 0 && errno == EINTR);
    return written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : written;
}

static size_t queued(const struct channel *channel)
{
    return channel->out.length - channel->out_start;
}

/* Gives the written part of `out` back once it is worth a move: the larger half, so each byte moves at most once. */
static void compact_output(struct channel *channel)
{
    const size_t written = channel->out_start;
    if (queued(channel) == 0)
        buf_clear(&channel->out, KEEP_BYTES);
    else if (written >= KEEP_BYTES && written >= queued(channel))
        buf_consume(&channel->out, written);
    else
        return;
    for (unsigned i = 0; i < channel->pending_count; i++)
        channel->pending[i].at -= written;
    channel->out_start = 0;
}

enum channel_status channel_flush(struct channel *channel)
{
    if (channel->broken || channel->fd < 0)
        return CHANNEL_BROKEN;
    while (queued(channel) > 0) {
        /* Up to where the next descriptors stand, which begin a sendmsg of their own. */
        const bool with_fds = channel->pending_count > 0 && channel->pending[0].at == channel->out_start;
        const unsigned next = with_fds ? 1 : 0;
        const size_t end = next < channel->pending_count ? channel->pending[next].at : channel->out.length;
        struct iovec part = {channel->out.data + channel->out_start, end - channel->out_start};
        const ssize_t written =
            send_some(channel->fd, &part, 1, channel->pending[0].fds, with_fds ? channel->pending[0].count : 0);
        if (written < 0)
            return break_output(channel);
        if (written == 0)
            break;
        channel->out_start += (size_t)written;
        if (with_fds) {
            close_all(channel->pending[0].fds, channel->pending[0].count);
            channel->pending_count--;
            memmove(&channel->pending[0], &channel->pending[1], channel->pending_count * sizeof channel->pending[0]);
        }
    }
    compact_output(channel);
    return CHANNEL_OK;
}

bool channel_wants_write(const struct channel *channel)
{
    return queued(channel) > 0;
}

/* Appends what `written` leaves of the parts. */
static void queue_parts(struct channel *channel, const struct iovec *parts, size_t parts_count, size_t written)
{
    for (size_t i = 0; i < parts_count; i++) {
        const size_t skipped = written < parts[i].iov_len ? written : parts[i].iov_len;
        written -= skipped;
        if (parts[i].iov_len > skipped)
            buf_append(&channel->out, (const char *)parts[i].iov_base + skipped, parts[i].iov_len - skipped);
    }
}

/* Remembers the descriptors for the byte that is appended next. They are the channel's from here on. */
static bool queue_fds(struct channel *channel, const int *fds, unsigned count)
{
    if (channel->pending_count == PENDING_MAX)
        return false;
    channel->pending[channel->pending_count].at = channel->out.length;
    channel->pending[channel->pending_count].count = count;
    memcpy(channel->pending[channel->pending_count].fds, fds, count * sizeof *fds);
    channel->pending_count++;
    return true;
}

/* Sends or queues; *fds_count becomes 0 when the queue has taken the descriptors over. */
static enum channel_status send_parts(struct channel *channel, struct iovec *parts, size_t parts_count, const int *fds,
                                      unsigned *fds_count)
{
    if (channel->broken || channel->fd < 0)
        return CHANNEL_BROKEN;
    size_t whole = 0;
    for (size_t i = 0; i < parts_count; i++)
        whole += parts[i].iov_len;
    if (queued(channel) == 0) { /* the usual case: nothing is copied */
        const ssize_t written = send_some(channel->fd, parts, parts_count, fds, *fds_count);
        if (written < 0)
            return break_output(channel);
        if ((size_t)written == whole)
            return CHANNEL_OK;
        if (written > 0) {
            queue_parts(channel, parts, parts_count, (size_t)written);
            return CHANNEL_OK;
        }
    }
    if (whole > CHANNEL_OUT_MAX - queued(channel))
        return break_output(channel);
    compact_output(channel);
    if (*fds_count > 0) {
        if (!queue_fds(channel, fds, *fds_count))
            return break_output(channel);
        *fds_count = 0;
    }
    const bool was_waiting = queued(channel) > 0;
    queue_parts(channel, parts, parts_count, 0);
    return was_waiting ? channel_flush(channel) : CHANNEL_OK; /* else the socket just said that it is full */
}

enum channel_status channel_send(struct channel *channel, unsigned type, uint32_t slot, uint32_t generation,
                                 const unsigned char *body, size_t body_length, const char *tail, size_t tail_length)
{
    unsigned char head[FRAME_HEAD_BYTES + MESSAGE_BODY_MAX];
    struct iovec parts[] = {
        {head, frame_encode(head, type, slot, generation, body, body_length, tail_length)},
        {(void *)(uintptr_t)tail, tail_length},
    };
    unsigned no_fds = 0;
    return send_parts(channel, parts, tail_length > 0 ? 2 : 1, NULL, &no_fds);
}

enum channel_status channel_send_fds(struct channel *channel, unsigned type, uint32_t slot, uint32_t generation,
                                     const unsigned char *body, size_t body_length, const int *fds, unsigned count)
{
    CHECK(count >= 1 && count <= CHANNEL_FDS_MAX, "%u descriptors", count);
    unsigned char head[FRAME_HEAD_BYTES + MESSAGE_BODY_MAX];
    struct iovec part = {head, frame_encode(head, type, slot, generation, body, body_length, 0)};
    int own[CHANNEL_FDS_MAX];
    memcpy(own, fds, count * sizeof *fds);
    const enum channel_status status = send_parts(channel, &part, 1, own, &count);
    close_all(own, count);
    return status;
}

/* ---- in ---- */

/* Takes the descriptors that came with a recvmsg; false when they are more than a peer of ours would send. */
static bool keep_fds(struct channel *channel, struct msghdr *message)
{
    bool kept = !(message->msg_flags & MSG_CTRUNC);
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            if (channel->received_count < RECEIVED_MAX) {
                channel->received[channel->received_count++] = fd;
            } else {
                fd_close(&fd);
                kept = false;
            }
        }
    }
    return kept;
}

int channel_take_fd(struct channel *channel)
{
    if (channel->received_count == 0)
        return -1;
    const int fd = channel->received[0];
    channel->received_count--;
    memmove(channel->received, channel->received + 1, channel->received_count * sizeof channel->received[0]);
    return fd;
}

/* Makes room at the end of `in`; returns how much: 0 when whole frames have to be taken first, -1 for nonsense.
 * What is left of the last read moves to the front only when it must, so a small frame is not moved for each read and a
 * large one once. */
static ptrdiff_t make_room(struct channel *channel)
{
    struct buf *in = &channel->in;
    size_t left = in->length - channel->in_start, needed = 0;
    if (left == 0) {
        buf_clear(in, KEEP_BYTES);
        channel->in_start = 0;
        buf_reserve(in, KEEP_BYTES);
        return (ptrdiff_t)in->capacity;
    }
    struct frame frame;
    const ptrdiff_t whole = frame_decode(&frame, (const unsigned char *)in->data + channel->in_start, left, &needed);
    if (whole < 0)
        return -1;
    if (whole > 0) /* a whole frame waits: fill what there is, but do not grow for it */
        needed = left;
    if (channel->in_start + needed > in->capacity || in->capacity - in->length < READ_BYTES_MIN) {
        buf_consume(in, channel->in_start);
        channel->in_start = 0;
    }
    const size_t wanted = needed > KEEP_BYTES ? needed : KEEP_BYTES;
    if (in->capacity < wanted)
        buf_reserve(in, wanted - in->length);
    else if (in->capacity > 2 * (size_t)KEEP_BYTES && wanted <= KEEP_BYTES && left <= KEEP_BYTES / 2) {
        /* After a large frame with the beginning of a small one behind it. */
        struct buf small = BUF_EMPTY;
        buf_reserve(&small, KEEP_BYTES);
        buf_append(&small, in->data + channel->in_start, left);
        buf_free(in);
        *in = small;
        channel->in_start = 0;
    }
    return (ptrdiff_t)(in->capacity - in->length);
}

enum { READ_DRY = 0, READ_EOF = -1, READ_BAD = -2 };

/* One recvmsg of at most `room` bytes behind `in`. Bytes, or READ_…; *more is set when the socket may hold more. */
static ssize_t read_some(struct channel *channel, size_t room, bool *more)
{
    union control control;
    struct iovec part = {channel->in.data + channel->in.length, room};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t count;
    do
        count = recvmsg(channel->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    if (count < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return READ_DRY;
        return errno == ECONNRESET ? READ_EOF : READ_BAD; /* reset: it closed without having read all of ours */
    }
    if (!keep_fds(channel, &message))
        return READ_BAD;
    if (count == 0)
        return READ_EOF;
    channel->in.length += (size_t)count;
    /* A read that is not filled found the end, unless it stopped behind descriptors. */
    *more = (size_t)count == room || message.msg_controllen > 0;
    return count;
}

enum channel_status channel_receive(struct channel *channel)
{
    if (channel->confused || channel->fd < 0)
        return CHANNEL_BROKEN;
    bool more = true;
    for (size_t total = 0; more && !channel->eof && total < RECEIVE_BYTES;) {
        ptrdiff_t room = make_room(channel);
        if (room < 0)
            return break_input(channel);
        if (room == 0)
            break;
        if (room > RECEIVE_BYTES)
            room = RECEIVE_BYTES;
        const ssize_t count = read_some(channel, (size_t)room, &more);
        if (count == READ_DRY)
            break;
        if (count == READ_BAD)
            return break_input(channel);
        if (count == READ_EOF)
            channel->eof = true;
        else
            total += (size_t)count;
    }
    return channel->eof ? CHANNEL_EOF : CHANNEL_OK;
}

bool channel_next(struct channel *channel, struct frame *frame)
{
    if (channel->confused || channel->in_start == channel->in.length)
        return false;
    const ptrdiff_t whole = frame_decode(frame, (const unsigned char *)channel->in.data + channel->in_start,
                                         channel->in.length - channel->in_start, NULL);
    if (whole < 0)
        break_input(channel);
    if (whole <= 0)
        return false;
    channel->in_start += (size_t)whole;
    return true;
}
