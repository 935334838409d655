/* outbox: the result lines of one slice, written where they will be sent from, and sent when that is due. */
#ifndef POOLD_WORKER_OUTBOX_H
#define POOLD_WORKER_OUTBOX_H

#include "base/clock.h"
#include "worker/worker.h"

struct outbox {
    struct worker *worker;
    const struct message_run *run;
    size_t unsent;    /* bytes in it */
    int64_t began_ns; /* precise, for busy_ns */
    int64_t sent_ns;  /* coarse, when it was last emptied */
    int64_t now_ns;   /* coarse */
};

void outbox_begin(struct outbox *, struct worker *, const struct message_run *);
/* Room for a line of `bytes`; NULL when even the empty outbox has none. */
char *outbox_room(struct outbox *, size_t bytes);
/* The line of the item at `offset` of the slice has been written there. */
static inline void outbox_finish(struct outbox *outbox, uint32_t offset, size_t length, bool failed)
{
    workbench_finish(outbox->worker->bench, offset, length, failed);
    outbox->unsent += length;
}
/* Large, or old as of now_ns. */
static inline bool outbox_is_due(const struct outbox *outbox)
{
    return outbox->unsent >= OUTBOX_FLUSH_BYTES ||
           (outbox->unsent > 0 && outbox->now_ns - outbox->sent_ns >= OUTBOX_FLUSH_NS);
}
void outbox_flush(struct outbox *, bool done);

/* The next item of the slice, unless the rest was taken back. */
bool outbox_claim(struct outbox *, uint32_t *offset);

#endif
