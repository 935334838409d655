#include "wire/frame.h"

#include <endian.h>
#include <string.h>

#include "base/check.h"
#include "wire/limits.h"
#include "wire/messages.h"

/* The head as it lies on the wire, every number little-endian. */
struct head {
    uint32_t magic;
    uint16_t type;
    uint16_t body_length;
    uint32_t tail_length;
    uint32_t slot;
    uint32_t generation;
};
_Static_assert(sizeof(struct head) == FRAME_HEAD_BYTES, "no padding in the head of a frame");

size_t frame_encode(unsigned char *to, unsigned type, uint32_t slot, uint32_t generation, const unsigned char *body,
                    size_t body_length, size_t tail_length)
{
    CHECK(message_name(type), "message type %u is in the table", type);
    CHECK(body_length <= MESSAGE_BODY_MAX, "body of %zu bytes", body_length);
    CHECK(tail_length <= FRAME_BYTES_MAX, "tail of %zu bytes", tail_length);
    const struct head head = {
        .magic = htole32(FRAME_MAGIC),
        .type = htole16((uint16_t)type),
        .body_length = htole16((uint16_t)body_length),
        .tail_length = htole32((uint32_t)tail_length),
        .slot = htole32(slot),
        .generation = htole32(generation),
    };
    memcpy(to, &head, sizeof head);
    if (body_length > 0)
        memcpy(to + sizeof head, body, body_length);
    return sizeof head + body_length;
}

ptrdiff_t frame_decode(struct frame *frame, const unsigned char *from, size_t length, size_t *needed)
{
    struct head head;
    if (length < sizeof head) {
        if (needed)
            *needed = sizeof head;
        return 0;
    }
    memcpy(&head, from, sizeof head);
    const uint16_t type = le16toh(head.type), body_length = le16toh(head.body_length);
    const uint32_t tail_length = le32toh(head.tail_length);
    if (le32toh(head.magic) != FRAME_MAGIC || !message_name(type) || body_length > MESSAGE_BODY_MAX ||
        tail_length > FRAME_BYTES_MAX)
        return -1;
    const size_t whole = sizeof head + body_length + tail_length;
    if (needed)
        *needed = whole;
    if (length < whole)
        return 0;
    *frame = (struct frame){
        .type = type,
        .body_length = body_length,
        .tail_length = tail_length,
        .slot = le32toh(head.slot),
        .generation = le32toh(head.generation),
        .body = from + sizeof head,
        .tail = (const char *)from + sizeof head + body_length,
    };
    return (ptrdiff_t)whole;
}
