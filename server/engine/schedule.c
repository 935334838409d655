/* schedule: whose turn it is, and how much it gets.
 *
 * Jobs of one priority take turns, a slice each. The ten priorities share by stride scheduling (Waldspurger & Weihl,
 * 1995): each has a pass; the least pass is next and pays STRIDE / weight, weight = priority + 1. A level that was
 * empty starts at the present pass, so it can neither starve nor save up. */
#include <string.h>

#include "base/clock.h"
#include "engine/functions.h"

#define STRIDE UINT64_C(2520) /* divisible by all weights 1…10 */

void queue_init(struct run_queue *queue)
{
    memset(queue, 0, sizeof *queue);
    for (int i = 0; i < PRIORITIES; i++)
        TAILQ_INIT(&queue->levels[i]);
}

void queue_put(struct run_queue *queue, struct job *job)
{
    if (job->queue == queue)
        return;
    queue_remove(job);
    uint32_t level = job->view.options.priority;
    if (TAILQ_EMPTY(&queue->levels[level]) && queue->pass[level] < queue->now)
        queue->pass[level] = queue->now;
    if (job->hurry)
        TAILQ_INSERT_HEAD(&queue->levels[level], job, runnable);
    else
        TAILQ_INSERT_TAIL(&queue->levels[level], job, runnable);
    job->queue = queue;
    job->function->admitted += queue != &job->function->gate;
}

void queue_remove(struct job *job)
{
    if (!job->queue)
        return;
    TAILQ_REMOVE(&job->queue->levels[job->view.options.priority], job, runnable);
    job->function->admitted -= job->queue != &job->function->gate;
    job->queue = NULL;
}

struct job *queue_next(struct run_queue *queue)
{
    int best = -1;
    for (int i = PRIORITIES - 1; i >= 0; i--) {
        if (!TAILQ_EMPTY(&queue->levels[i]) && (best < 0 || queue->pass[i] < queue->pass[best]))
            best = i;
    }
    return best < 0 ? NULL : TAILQ_FIRST(&queue->levels[best]);
}

void queue_charge(struct run_queue *queue, struct job *job)
{
    uint32_t level = job->view.options.priority;
    queue->now = queue->pass[level];
    queue->pass[level] += STRIDE / (level + 1);
    if (job->queue == queue) {
        TAILQ_REMOVE(&queue->levels[level], job, runnable);
        TAILQ_INSERT_TAIL(&queue->levels[level], job, runnable);
    }
}

bool queue_empty(const struct run_queue *queue)
{
    for (int i = 0; i < PRIORITIES; i++) {
        if (!TAILQ_EMPTY(&queue->levels[i]))
            return false;
    }
    return true;
}

static uint32_t smaller(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

/* Automatic: about SLICE_TARGET_NS of work, but a small map is spread over the workers unless that makes pieces
 * of under a millisecond. */
uint32_t slice_size(const struct core *core, const struct job *job)
{
    const struct function *cost = job->function;
    if (job->view.options.isolation == ISOLATION_PROCESS)
        return 1;
    unsigned workers = core->processes ? core->processes : 1;
    if (job->view.options.chunksize) {
        uint64_t share = job->stolen ? (job->ready.total + workers - 1) / workers : CHUNK_ITEMS_MAX;
        return smaller(job->view.options.chunksize, smaller(share, CHUNK_ITEMS_MAX));
    }
    if (cost->ns == 0)
        return 1;
    uint64_t most = smaller((uint64_t)(SLICE_TARGET_NS / cost->ns), cost->grow);
    uint64_t least = (uint64_t)(NS_PER_MS / cost->ns);
    uint64_t share = (job->ready.total + 2 * workers - 1) / (2 * workers);
    if (most > share)
        most = share > least ? share : smaller(most, least);
    return most < 1 ? 1 : smaller(most, CHUNK_ITEMS_MAX);
}

void cost_learn(struct function *cost, uint32_t items, int64_t ns)
{
    if (items == 0)
        return;
    int64_t each = ns / items + 1;
    cost->ns = cost->ns ? (cost->ns * 3 + each) / 4 : each;
    if (ns < SLICE_TARGET_NS / 2 && items >= cost->grow / 2 && cost->grow < CHUNK_ITEMS_MAX)
        cost->grow *= 8;
    else if (ns > 4 * SLICE_TARGET_NS && cost->grow > 1)
        cost->grow /= 2;
    if (cost->grow > CHUNK_ITEMS_MAX)
        cost->grow = CHUNK_ITEMS_MAX;
}

void cost_at_least(struct function *cost, int64_t ns)
{
    if (cost->ns < ns)
        cost->ns = ns;
}
