/* Frames and messages: whatever bytes a peer sends, a frame lies within them, and a body that is accepted is the only
 * one that means this. The same bytes through a channel, in two pieces, give the same frames. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "fuzz.h"
#include "wire/channel.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/messages.h"

enum { THROUGH_CHANNEL_MAX = 64 * 1024 /* a socket takes this without being read */ };

/* Decodes a body as its type says; length of what encoding it again gives, or -1 when it is refused. */
static ptrdiff_t code_again(const struct frame *frame, unsigned char *to)
{
    switch (frame->type) {
#define FIELD(kind, name)
#define TEXT(name, capacity)
#define MESSAGE(name, number, fields)                                                                                  \
    case (number): {                                                                                                   \
        struct message_##name message;                                                                                 \
        if (message_##name##_decode(&message, frame->body, frame->body_length))                                        \
            return -1;                                                                                                 \
        return (ptrdiff_t)message_##name##_encode(&message, to);                                                       \
    }
#include "wire/messages.def"
#undef MESSAGE
#undef TEXT
#undef FIELD
    default:
        CHECK(false, "frame_decode knows all types, but not %u", frame->type);
        return -1;
    }
}

static void check_frame(const struct frame *frame, const unsigned char *from, size_t size)
{
    unsigned char again[FRAME_HEAD_BYTES + MESSAGE_BODY_MAX], body[MESSAGE_BODY_MAX];

    CHECK(frame->body_length <= MESSAGE_BODY_MAX && frame->tail_length <= FRAME_BYTES_MAX, "limits are kept");
    CHECK(size == FRAME_HEAD_BYTES + (size_t)frame->body_length + frame->tail_length, "parts make the whole");
    CHECK(frame->body == from + FRAME_HEAD_BYTES, "body behind head");
    CHECK((const unsigned char *)frame->tail == frame->body + frame->body_length, "tail behind body");
    size_t head = frame_encode(again, frame->type, frame->slot, frame->generation, frame->body, frame->body_length,
                               frame->tail_length);
    CHECK(head == size - frame->tail_length && !memcmp(again, from, head), "encoding gives the same bytes");
    ptrdiff_t length = code_again(frame, body);
    CHECK(length < 0 || (length == frame->body_length && !memcmp(body, frame->body, (size_t)length)),
          "the body of %s is the only one for its message", message_name(frame->type));
}

/* Walks all frames; their number, and in *nonsense whether it ended at what is none. */
static unsigned check_frames(const unsigned char *from, size_t length, bool *nonsense)
{
    struct frame frame;
    size_t needed;
    ptrdiff_t size;
    unsigned count = 0;

    for (; (size = frame_decode(&frame, from, length, &needed)) > 0; from += size, length -= (size_t)size, count++) {
        CHECK((size_t)size <= length, "the frame lies within the bytes");
        check_frame(&frame, from, (size_t)size);
        CHECK(frame_decode(&frame, from, (size_t)size - 1, &needed) == 0 || size == FRAME_HEAD_BYTES, "one byte less");
    }
    CHECK(size < 0 || needed > length, "it needs %zu bytes and has %zu", needed, length);
    *nonsense = size < 0;
    return count;
}

static unsigned receive(struct channel *channel)
{
    struct frame frame;
    unsigned count = 0;
    enum channel_status status = channel_receive(channel);
    CHECK(status != CHANNEL_BROKEN || channel->broken, "a broken channel says so");
    while (channel_next(channel, &frame))
        count++;
    return count;
}

static void check_channel(const unsigned char *from, size_t length, unsigned frames, bool nonsense)
{
    struct channel channel;
    int ends[2];
    size_t first = length ? from[length - 1] % length : 0;

    CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), "a socket pair");
    channel_init(&channel, ends[0]);
    CHECK(write(ends[1], from, first) == (ssize_t)first, "the first piece is sent");
    unsigned count = receive(&channel);
    CHECK(write(ends[1], from + first, length - first) == (ssize_t)(length - first), "the second piece is sent");
    close(ends[1]);
    count += receive(&channel);
    count += receive(&channel);
    CHECK(count == frames, "the channel gives %u frames, the decoder %u", count, frames);
    CHECK(channel.broken == nonsense, "and ends as the decoder does");
    channel_close(&channel);
    channel_close(&channel);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    unsigned char *copy = malloc(length ? length : 1); /* ends where its allocation ends */
    bool nonsense;

    CHECK(copy, "memory");
    if (length)
        memcpy(copy, bytes, length);
    unsigned frames = check_frames(copy, length, &nonsense);
    if (length <= THROUGH_CHANNEL_MAX)
        check_channel(copy, length, frames, nonsense);
    free(copy);
    return 0;
}
