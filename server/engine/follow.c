/* follow: requests that wait with a job, and the results they most likely want: the newest committed batches of every
 * live job stay in memory, within a limit; older ones are read from the store by whoever asks. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "engine/core.h"

void reply(struct engine_request *request, enum engine_status status)
{
    request->status = status;
    request->done(request);
}

/* ---- recent batches: a ring by position ---- */

static struct store_batch *recent_at(const struct job *job, unsigned i)
{
    return &job->recent[(job->recent_start + i) % job->recent_capacity];
}

static size_t batch_bytes(const struct store_batch *batch)
{
    return (batch->lines ? batch->lines->length : 0) + sizeof *batch;
}

static void drop_oldest(struct core *core, struct job *job)
{
    struct store_batch *oldest = recent_at(job, 0);
    size_t bytes = batch_bytes(oldest);
    core->recent_bytes -= bytes;
    job->recent_bytes -= bytes;
    blob_unref(&oldest->lines);
    job->recent_start = (job->recent_start + 1) % job->recent_capacity;
    job->recent_count--;
}

static void grow(struct job *job)
{
    unsigned capacity = job->recent_capacity ? job->recent_capacity * 2 : 4;
    struct store_batch *ring = malloc(capacity * sizeof *ring);
    CHECK(ring, "out of memory");
    for (unsigned i = 0; i < job->recent_count; i++)
        ring[i] = *recent_at(job, i);
    free(job->recent);
    job->recent = ring;
    job->recent_start = 0;
    job->recent_capacity = capacity;
}

/* The newest batch of an apply is the answer that its submitter waits for. */
static bool may_drop(const struct job *job)
{
    return job->recent_count > (job->view.kind == JOB_APPLY ? 1 : 0);
}

static void forget(struct core *core, struct job *job)
{
    if (job->remembered)
        TAILQ_REMOVE(&core->remembered, job, recent_link);
    job->remembered = false;
}

/* Over the common limit those pay whose last result is the oldest: one busy job must not live beside a thousand idle
 * ones that hold all the memory. */
static void make_room(struct core *core)
{
    while (core->recent_bytes > RECENT_ALL_BYTES && !TAILQ_EMPTY(&core->remembered)) {
        struct job *job = TAILQ_FIRST(&core->remembered);
        if (may_drop(job))
            drop_oldest(core, job);
        else
            forget(core, job);
    }
}

void recent_add(struct core *core, struct job *job, const struct store_batch *batch)
{
    if (job->recent_count == job->recent_capacity)
        grow(job);
    size_t bytes = batch_bytes(batch);
    job->recent_count++;
    *recent_at(job, job->recent_count - 1) = *batch;
    job->recent_bytes += bytes;
    core->recent_bytes += bytes;
    forget(core, job);
    TAILQ_INSERT_TAIL(&core->remembered, job, recent_link);
    job->remembered = true;
    while (may_drop(job) && job->recent_count > 1 &&
           (job->recent_bytes > RECENT_JOB_BYTES || job->recent_count > RECENT_JOB_BATCHES))
        drop_oldest(core, job);
    make_room(core);
}

void recent_free(struct core *core, struct job *job)
{
    forget(core, job);
    while (job->recent_count)
        drop_oldest(core, job);
    free(job->recent);
    job->recent = NULL;
    job->recent_capacity = 0;
}

static bool holds(const struct store_batch *batch, bool input_order, uint32_t n)
{
    return n - (input_order ? batch->first : batch->position) < batch->count;
}

/* By position the ring is sorted. */
static const struct store_batch *find_position(const struct job *job, uint32_t position)
{
    unsigned low = 0, high = job->recent_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        const struct store_batch *batch = recent_at(job, middle);
        if (holds(batch, false, position))
            return batch;
        if (batch->position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* By index it is nearly sorted: slices that ran side by side end side by side. So it is looked for in both directions
 * from `*near`, the place of the batch before it (at first from the newest). */
static const struct store_batch *find_index(const struct job *job, uint32_t index, unsigned *near)
{
    if (!ranges_find(&job->committed, index))
        return NULL;
    unsigned start = *near < job->recent_count ? *near : job->recent_count - 1;
    for (unsigned distance = 0; distance < job->recent_count; distance++) {
        if (start + distance < job->recent_count && holds(recent_at(job, start + distance), true, index))
            return recent_at(job, *near = start + distance);
        if (distance <= start && holds(recent_at(job, start - distance), true, index))
            return recent_at(job, *near = start - distance);
    }
    return NULL;
}

static void gather(const struct job *job, struct engine_request *request)
{
    bool input_order = request->results.input_order;
    uint32_t from = request->results.from;
    unsigned near = UINT_MAX;
    const struct store_batch *batch;
    while (request->results.count < ENGINE_BATCHES_MAX && job->recent_count &&
           (batch = input_order ? find_index(job, from, &near) : find_position(job, from))) {
        struct store_batch *out = &request->results.batches[request->results.count++];
        *out = *batch;
        blob_ref(out->lines);
        from = (input_order ? batch->first : batch->position) + batch->count;
    }
}

static bool is_committed(const struct job *job, const struct engine_request *request)
{
    if (request->results.input_order)
        return ranges_find(&job->committed, request->results.from) != NULL;
    return request->results.from < job->shown_positions;
}

static bool is_past_end(const struct job *job, const struct engine_request *request)
{
    const struct engine_request *r = request;
    const struct store_batch *last = r->results.count ? &r->results.batches[r->results.count - 1] : NULL;
    int64_t next = !last                    ? r->results.from
                   : r->results.input_order ? (int64_t)last->first + last->count
                                            : (int64_t)last->position + last->count;
    return job->ended && next >= job->shown_positions;
}

bool results_answer(struct core *core, struct job *job, struct engine_request *request)
{
    request->results.count = 0;
    request->results.in_store = request->results.ended = false;
    gather(job, request);
    if (request->results.count == 0 && is_committed(job, request))
        request->results.in_store = true;
    else
        request->results.ended = is_past_end(job, request);
    if (request->results.count == 0 && !request->results.in_store && !request->results.ended)
        return false;
    job_view_of(core, job, &request->view);
    return true;
}

/* ---- waiting requests ---- */

#define PUSH(head, request, links)                                                                                     \
    do {                                                                                                               \
        (request)->links.next = *(head);                                                                               \
        (request)->links.link = (head);                                                                                \
        if (*(head))                                                                                                   \
            (*(head))->links.link = &(request)->links.next;                                                            \
        *(head) = (request);                                                                                           \
    } while (0)
#define UNLINK(request, links)                                                                                         \
    do {                                                                                                               \
        *(request)->links.link = (request)->links.next;                                                                \
        if ((request)->links.next)                                                                                     \
            (request)->links.next->links.link = (request)->links.link;                                                 \
    } while (0)

void follow(struct core *core, struct job *job, struct engine_request *request)
{
    request->waits_for = job->view.seq;
    PUSH(&job->followers, request, waiting);
    PUSH(&core->timed_requests, request, timed);
}

void unfollow(struct engine_request *request)
{
    UNLINK(request, waiting);
    UNLINK(request, timed);
}

static struct blob *last_line(const struct job *job)
{
    return job->recent_count ? blob_ref(recent_at(job, job->recent_count - 1)->lines) : NULL;
}

/* The answer to one that waits for the job's end. */
static void answer_end(struct core *core, struct job *job, struct engine_request *request, enum engine_status status)
{
    job_view_of(core, job, &request->view);
    if (request->type == ASK_SUBMIT) {
        request->seq = job->view.seq;
        if (job->ended && job->view.kind == JOB_APPLY)
            request->submit.line = last_line(job);
    }
    reply(request, status);
}

void follow_wake(struct core *core, struct job *job)
{
    struct engine_request *request = job->followers, *next;
    for (; request; request = next) {
        next = request->waiting.next;
        if (request->type == ASK_RESULTS) {
            if (!results_answer(core, job, request))
                continue;
            unfollow(request);
            reply(request, ENGINE_OK);
        } else if (job->ended) {
            unfollow(request);
            answer_end(core, job, request, ENGINE_OK);
        }
    }
}

void follow_give_back(struct core *core, struct job *job)
{
    while (job->followers) {
        struct engine_request *request = job->followers;
        unfollow(request);
        if (request->type == ASK_RESULTS || !job->stored)
            reply(request, ENGINE_SHUTDOWN);
        else
            answer_end(core, job, request, ENGINE_TIMEOUT);
    }
}

/* A waited submission may only say "accepted" once that is committed. */
static bool must_wait(const struct job *job, const struct engine_request *request)
{
    return request->type == ASK_SUBMIT && !job->stored;
}

void follow_deadlines(struct core *core, int64_t now)
{
    struct engine_request *request = core->timed_requests, *next;
    for (; request; request = next) {
        next = request->timed.next;
        if (request->deadline_ns > now)
            continue;
        struct job *job = job_find(core, request->waits_for, 0);
        CHECK(job, "a request waits with job %lld, which is not live", (long long)request->waits_for);
        bool unknown = must_wait(job, request);
        if (unknown && job->deferred)
            job_touch(core, job);
        if (unknown && !core->storage_full)
            continue; /* a commit is under way */
        unfollow(request);
        answer_end(core, job, request, unknown ? ENGINE_STORE_FULL : ENGINE_TIMEOUT);
    }
}
