/* workbench: memory that the server and one worker share, and only they (a memfd per worker).
 *
 * `claim` is the part of the slice still to do: next in the high half, limit in the low half, both counted from the
 * slice's first item. The worker claims its next item by adding one to `next` while it is below `limit`; the server
 * takes unstarted items back by lowering `limit` (workbench_trim): so one slow item never holds its neighbours, and a
 * cancelled or timed-out slice ends after the item that runs.
 *
 * The outbox holds result lines that are finished and not yet sent: a worker that dies at item 7 leaves the results of
 * 1 to 6 here, so that only item 7 pays. `outbox` is count (high) and bytes (low) in one word, set after the bytes.
 *
 * The server sets claim and run while the worker is idle, before it sends RUN, and empties the outbox with them: the
 * worker says done first and empties its outbox after, and if it died in between, the old lines would be taken for
 * lines of the new slice. After the worker's death the server reads the outbox and believes nothing: bounds and
 * syntax are checked like those of a frame. The lines may repeat what came as a RESULT (the worker died between
 * sending and workbench_sent): whoever reads them skips the offsets it already has.
 *
 * The worker, its functions included, can write anything here at any time, so every number the server takes from here
 * is checked by its taker. The file's size is sealed: nobody can make the server fault by cutting it. */
#ifndef POOLD_WIRE_WORKBENCH_H
#define POOLD_WIRE_WORKBENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/limits.h"

#define WORKBENCH_DATA_BYTES ((size_t)FRAME_BYTES_MAX) /* sparse: only touched pages cost memory */

struct workbench {
    _Atomic uint64_t claim;
    _Atomic uint64_t run;
    _Atomic uint64_t outbox;
    _Atomic uint32_t outbox_first; /* offset within the slice of the first line in the outbox */
    _Atomic uint32_t outbox_failed; /* how many of them are errors; advisory */
    _Atomic uint64_t touched; /* the worker's: bytes of data that may be in memory, see workbench_sent */
    char pad[4096 - 40];
    char data[WORKBENCH_DATA_BYTES];
};
_Static_assert(offsetof(struct workbench, data) == 4096, "both sides map the same layout, data on a page of its own");

/* A new memfd of the right size, or -1. Supervisor. */
int workbench_create(struct error *);
/* Maps it; NULL on error. Server and worker. */
struct workbench *workbench_map(int fd, struct error *);
void workbench_unmap(struct workbench **);

/* Server, worker idle: a new slice of `count` items (at most CHUNK_ITEMS_MAX); `run` is never 0. */
void workbench_offer(struct workbench *, uint64_t run, uint32_t count);
/* Worker: claims the next item of the slice; false when none is left. *offset is its place in the slice. */
bool workbench_claim(struct workbench *, uint32_t *offset);
/* Server: takes back what is not started; returns the new limit (= number of items the worker has or will have done),
 * or UINT32_MAX when the bench holds another slice than `run`: nothing was changed. A limit above the count that was
 * offered is the worker's nonsense: check it. */
uint32_t workbench_trim(struct workbench *, uint64_t run);

/* Worker: room for more line bytes; NULL when `bytes` do not fit (send, then workbench_sent, then ask again). Ask for
 * about what will be written: workbench_sent gives back what was asked for. */
char *workbench_room(struct workbench *, size_t bytes);
/* Worker: the line just written at workbench_room, `bytes` long with its '\n', of the item at `offset`, is finished.
 * Lines come in the order of their offsets, without gaps. */
void workbench_finish(struct workbench *, uint32_t offset, size_t bytes, bool failed);
/* Worker: everything in the outbox has been sent. Gives memory back after a very large one. */
void workbench_sent(struct workbench *);

struct outbox_view {
    uint32_t first, count;
    size_t bytes;
    const char *lines;
};
/* Both: what is in the outbox of slice `run` (count 0 when it is of another slice or out of bounds). Only bounds are
 * checked, first + count <= CHUNK_ITEMS_MAX among them; the server copies the lines before it looks at them. */
void workbench_outbox(const struct workbench *, uint64_t run, struct outbox_view *);

#endif
