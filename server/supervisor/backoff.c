#include "supervisor/backoff.h"

void backoff_failed(struct backoff *b, int64_t now)
{
    if (backoff_left(b, now) > 0)
        return;
    int64_t wait = b->wait_ns == 0 ? BACKOFF_FIRST_NS : b->wait_ns * 2;
    b->wait_ns = wait < BACKOFF_MOST_NS ? wait : BACKOFF_MOST_NS;
    b->until_ns = now + b->wait_ns;
}

void backoff_worked(struct backoff *b)
{
    *b = (struct backoff){0};
}

int64_t backoff_left(const struct backoff *b, int64_t now)
{
    return b->until_ns > now ? b->until_ns - now : 0;
}
