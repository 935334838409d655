/* board: how a worker keeps its page of the scoreboard. One writer, so plain stores are enough; what matters is their
 * order: `activity` says RUNNING last and stops saying it first, so that whoever sees RUNNING sees whose item it is. */
#ifndef POOLD_WORKER_BOARD_H
#define POOLD_WORKER_BOARD_H

#include "worker/worker.h"

/* Before the first slice. A predecessor's RUNNING, or what it was loading, is left alone: the slot is filled again
 * within a millisecond of a death, and the server may not yet have read whose fault it was. It has when it sends a
 * slice or a probe. */
void board_enter(struct worker *, enum worker_activity);
/* A probe begins: the page is ours from here on. */
void board_probe(struct worker *);
/* A slice begins: what all its items share. */
void board_slice(struct worker *, const struct message_run *);

static inline void board_item_begins(struct scoreboard_slot *board, uint32_t index, int64_t now_ns)
{
    atomic_store_explicit(&board->index, index, memory_order_relaxed);
    atomic_store_explicit(&board->started_ns, now_ns, memory_order_relaxed);
    atomic_store_explicit(&board->activity, ACTIVITY_RUNNING, memory_order_release);
}

static inline void board_item_ended(struct scoreboard_slot *board)
{
    atomic_store_explicit(&board->activity, ACTIVITY_READY, memory_order_release);
    atomic_store_explicit(&board->started_ns, 0, memory_order_release);
    uint64_t done = atomic_load_explicit(&board->items_done, memory_order_relaxed);
    atomic_store_explicit(&board->items_done, done + 1, memory_order_relaxed);
}

#endif
