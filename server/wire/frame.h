/* frame: how a message lies in a byte stream.
 *
 *     u32 magic+version | u16 type | u16 body length | u32 tail length | u32 slot | u32 generation | body | tail
 *
 * 20 bytes of head. The decoder takes bytes as they come and trusts nothing: wrong magic, unknown type, body over
 * MESSAGE_BODY_MAX or tail over FRAME_BYTES_MAX is an error for good (the peer is confused; drop it). Fuzzed. */
#ifndef POOLD_WIRE_FRAME_H
#define POOLD_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEAD_BYTES 20
#define FRAME_MAGIC 0x31646c70u /* "pld1" */

struct frame {
    uint16_t type;
    uint16_t body_length;
    uint32_t tail_length;
    uint32_t slot, generation;
    const unsigned char *body; /* into the buffer that was given */
    const char *tail;
};

/* Writes head and body to `to` (at least FRAME_HEAD_BYTES + MESSAGE_BODY_MAX); returns their length. The tail is
 * written by the caller after it. */
size_t frame_encode(unsigned char *to, unsigned type, uint32_t slot, uint32_t generation, const unsigned char *body,
                    size_t body_length, size_t tail_length);
/* Looks at `length` bytes at `from`. Returns the size of the whole first frame and fills *frame; 0 when more bytes
 * are needed (*needed, if not NULL, says how many in all once the head is known, FRAME_HEAD_BYTES before); -1 when it is no frame. */
ptrdiff_t frame_decode(struct frame *frame, const unsigned char *from, size_t length, size_t *needed);

#endif
