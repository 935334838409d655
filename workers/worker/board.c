/* board: see board.h. */
#include "worker/board.h"

#include "runtimes/loads.h"

static uint32_t generation_of(const struct scoreboard_slot *board)
{
    return atomic_load_explicit(&board->generation, memory_order_relaxed);
}

static bool holds_evidence(const struct worker *worker)
{
    const struct scoreboard_slot *board = worker->board;
    return generation_of(board) != worker->generation &&
           (atomic_load_explicit(&board->activity, memory_order_relaxed) == ACTIVITY_RUNNING ||
            atomic_load_explicit(&board->loading, memory_order_relaxed) != 0);
}

/* Makes the page ours: nothing of the predecessor may be read under our generation. */
static void take(struct worker *worker, enum worker_activity activity)
{
    struct scoreboard_slot *board = worker->board;
    atomic_store_explicit(&board->activity, activity, memory_order_release);
    atomic_store_explicit(&board->started_ns, 0, memory_order_release);
    if (generation_of(board) == worker->generation)
        return;
    atomic_store_explicit(&board->run, 0, memory_order_release);
    atomic_store_explicit(&board->job, 0, memory_order_release);
    atomic_store_explicit(&board->items_done, 0, memory_order_release);
    atomic_store_explicit(&board->verdict, 0, memory_order_release);
    atomic_store_explicit(&board->limit, 0, memory_order_release);
    atomic_store_explicit(&board->peak, 0, memory_order_release);
    loads_inherit(board);
    atomic_store_explicit(&board->generation, worker->generation, memory_order_release);
}

void board_enter(struct worker *worker, enum worker_activity activity)
{
    if (!holds_evidence(worker))
        take(worker, activity);
}

void board_probe(struct worker *worker)
{
    take(worker, ACTIVITY_READY);
}

void board_slice(struct worker *worker, const struct message_run *run)
{
    struct scoreboard_slot *board = worker->board;
    take(worker, ACTIVITY_READY);
    atomic_store_explicit(&board->run, run->run, memory_order_release);
    atomic_store_explicit(&board->job, run->job, memory_order_release);
    atomic_store_explicit(&board->attempt, run->attempt, memory_order_release);
}
