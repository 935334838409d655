/* ranges: sorted runs in an array; almost always one or two, taken from the front. */
#include "engine/ranges.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* Index (from start) of the first run that begins after `index`. */
static size_t upper(const struct ranges *r, uint32_t index)
{
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->runs[r->start + middle].first <= index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(struct ranges *r, size_t at, struct range run)
{
    if (r->start + r->count == r->capacity) {
        if (r->start > 0) {
            memmove(r->runs, r->runs + r->start, r->count * sizeof *r->runs);
            r->start = 0;
        } else {
            r->capacity = r->capacity ? r->capacity * 2 : 4;
            r->runs = realloc(r->runs, r->capacity * sizeof *r->runs);
            CHECK(r->runs, "out of memory");
        }
    }
    struct range *runs = r->runs + r->start;
    memmove(runs + at + 1, runs + at, (r->count - at) * sizeof *runs);
    runs[at] = run;
    r->count++;
}

static void erase(struct ranges *r, size_t at)
{
    struct range *runs = r->runs + r->start;
    if (at == 0)
        r->start++;
    else
        memmove(runs + at, runs + at + 1, (r->count - at - 1) * sizeof *runs);
    if (--r->count == 0)
        r->start = 0;
}

void ranges_add(struct ranges *r, uint32_t first, uint32_t count)
{
    if (count == 0)
        return;
    size_t at = upper(r, first);
    struct range *runs = r->runs ? r->runs + r->start : NULL;
    bool joins_left = at > 0 && runs[at - 1].first + runs[at - 1].count == first;
    bool joins_right = at < r->count && first + count == runs[at].first;
    CHECK(at == 0 || runs[at - 1].first + runs[at - 1].count <= first, "item %u is in the set twice", first);
    CHECK(at == r->count || first + count <= runs[at].first, "item %u is in the set twice", first + count - 1);
    r->total += count;
    if (joins_left) {
        runs[at - 1].count += count;
        if (joins_right) {
            runs[at - 1].count += runs[at].count;
            erase(r, at);
        }
    } else if (joins_right) {
        runs[at].first = first;
        runs[at].count += count;
    } else {
        insert(r, at, (struct range){first, count});
    }
}

const struct range *ranges_find(const struct ranges *r, uint32_t index)
{
    size_t at = upper(r, index);
    if (at == 0)
        return NULL;
    const struct range *run = r->runs + r->start + at - 1;
    return index - run->first < run->count ? run : NULL;
}

uint32_t ranges_take(struct ranges *r, uint32_t most, uint32_t *first)
{
    if (r->count == 0 || most == 0)
        return 0;
    struct range *run = r->runs + r->start;
    uint32_t taken = run->count < most ? run->count : most;
    *first = run->first;
    run->first += taken;
    run->count -= taken;
    r->total -= taken;
    if (run->count == 0)
        erase(r, 0);
    return taken;
}

bool ranges_remove(struct ranges *r, uint32_t index)
{
    size_t at = upper(r, index);
    if (at == 0 || index - r->runs[r->start + at - 1].first >= r->runs[r->start + at - 1].count)
        return false;
    struct range run = r->runs[r->start + at - 1];
    erase(r, at - 1);
    r->total -= run.count;
    ranges_add(r, run.first, index - run.first);
    ranges_add(r, index + 1, run.first + run.count - index - 1);
    return true;
}

const struct range *ranges_front(const struct ranges *r)
{
    return r->count ? r->runs + r->start : NULL;
}

void ranges_free(struct ranges *r)
{
    free(r->runs);
    *r = (struct ranges){0};
}
