/* channel: frames over a non-blocking AF_UNIX stream socket, with descriptors where wanted.
 *
 * Both directions are buffered and bounded; a peer that does not read is an error once CHANNEL_OUT_MAX is queued.
 * The channel knows no event loop: its owner polls the descriptor (level-triggered) and calls channel_receive, then
 * channel_next until false; channel_flush when writable.
 *
 * Drain before judging death: a failed write (the peer has died) sets `broken`, but what the peer said before can still
 * be received; only its nonsense (`confused`) ends reading. So, once a peer is known to be gone, call channel_receive
 * and channel_next in turns until CHANNEL_EOF or CHANNEL_BROKEN, then channel_close. Owned by one thread. */
#ifndef POOLD_WIRE_CHANNEL_H
#define POOLD_WIRE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "wire/frame.h"

#define CHANNEL_OUT_MAX (64 * 1024 * 1024)
#define CHANNEL_FDS_MAX 2

struct channel {
    int fd; /* -1 once closed */
    struct buf in;
    size_t in_start;  /* consumed part of `in` */
    struct buf out;
    size_t out_start;
    struct {
        size_t at;
        int fds[CHANNEL_FDS_MAX];
        unsigned count;
    } pending[64]; /* descriptors to go with the byte at `at` of out, in order */
    unsigned pending_count;
    int received[128]; /* descriptors that came and were not yet taken, in order */
    unsigned received_count;
    bool eof;    /* the peer has closed */
    bool broken; /* nonsense or an error: close it */
    bool confused; /* broken by what it sent: nothing more is read */
};

enum channel_status { CHANNEL_OK, CHANNEL_EOF, CHANNEL_BROKEN };

/* Takes `fd` over (must be non-blocking). */
void channel_init(struct channel *, int fd);
/* Queues a message and tries to write at once. `tail` may be NULL. CHANNEL_BROKEN when the peer is gone or the queue
 * is full. Encode the body with message_X_encode. */
enum channel_status channel_send(struct channel *, unsigned type, uint32_t slot, uint32_t generation,
                                 const unsigned char *body, size_t body_length, const char *tail, size_t tail_length);
/* The same with `count` (1 or 2) descriptors, which are taken over (closed here once sent, or on error). */
enum channel_status channel_send_fds(struct channel *, unsigned type, uint32_t slot, uint32_t generation,
                                     const unsigned char *body, size_t body_length, const int *fds, unsigned count);
/* Writes what is queued; call when writable. */
enum channel_status channel_flush(struct channel *);
/* True while something is queued: poll for writing too. */
bool channel_wants_write(const struct channel *);
/* Reads what is there (at most ~1 MiB a call, so that one peer cannot starve the others, and no more than fits while
 * whole frames wait for channel_next). CHANNEL_EOF only once the peer closed; frames that came before are still
 * delivered by channel_next. CHANNEL_BROKEN for nonsense and errors of reading. */
enum channel_status channel_receive(struct channel *);
/* The next whole frame, valid until the next channel_receive; false when there is none or when nonsense was met
 * (then `broken` is set). */
bool channel_next(struct channel *, struct frame *);
/* Takes the oldest received descriptor, or -1. They arrive no later than the frame they were sent with. */
int channel_take_fd(struct channel *);
/* Closes all; idempotent. */
void channel_close(struct channel *);

#endif
