#include "access/limiter.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <uthash.h>

#include "base/check.h"
#include "base/clock.h"

enum { NAME_MAX_BYTES = 64 };

struct limiter_hold {
    UT_hash_handle hh; /* by name */
    TAILQ_ENTRY(limiter_hold) link;
    char name[NAME_MAX_BYTES + 1];
    unsigned held; /* not in the list of the silent while this is > 0 */
    int64_t next_ns;
};

struct limiter {
    struct limiter_hold *clients;
    TAILQ_HEAD(, limiter_hold) silent; /* hold nothing; the one that asked last is the last */
    unsigned silent_count, silent_max;
};

struct limiter *limiter_new(unsigned clients)
{
    struct limiter *l = calloc(1, sizeof *l);
    CHECK(l, "out of memory");
    TAILQ_INIT(&l->silent);
    l->silent_max = clients;
    return l;
}

void limiter_free(struct limiter **limiter)
{
    struct limiter *l = *limiter;
    struct limiter_hold *client, *next;
    *limiter = NULL;
    if (!l)
        return;
    HASH_ITER(hh, l->clients, client, next)
    {
        HASH_DEL(l->clients, client);
        free(client);
    }
    free(l);
}

unsigned limiter_clients(const struct limiter *l)
{
    return HASH_COUNT(l->clients);
}

/* ---- clients ---- */

static void unlist(struct limiter *l, struct limiter_hold *client)
{
    TAILQ_REMOVE(&l->silent, client, link);
    l->silent_count--;
}

static void list(struct limiter *l, struct limiter_hold *client)
{
    TAILQ_INSERT_TAIL(&l->silent, client, link);
    if (++l->silent_count <= l->silent_max)
        return;
    struct limiter_hold *oldest = TAILQ_FIRST(&l->silent);
    unlist(l, oldest);
    HASH_DEL(l->clients, oldest);
    free(oldest);
}

/* Out of the list, to be listed again or to hold something. */
static struct limiter_hold *take_out(struct limiter *l, const char *name)
{
    struct limiter_hold *client;
    CHECK(strlen(name) <= NAME_MAX_BYTES, "a client's name has %zu bytes", strlen(name));
    HASH_FIND_STR(l->clients, name, client);
    if (client) {
        if (!client->held)
            unlist(l, client);
        return client;
    }
    client = calloc(1, sizeof *client);
    CHECK(client, "out of memory");
    strcpy(client->name, name);
    HASH_ADD_STR(l->clients, name, client);
    return client;
}

static void put_back(struct limiter *l, struct limiter_hold *client)
{
    if (!client->held)
        list(l, client);
}

/* ---- the rate ---- */

/* A bucket of `rate` that fills evenly, kept as one time: each request moves it on by 1/rate, from now at the earliest.
 * It may be ahead of now by what a full bucket is worth, one second, less the request itself. */
static int64_t count(struct limiter_hold *client, unsigned rate, int64_t now_ns)
{
    int64_t each = NS_PER_S / rate, next = client->next_ns > now_ns ? client->next_ns : now_ns;
    int64_t wait = next - now_ns - (NS_PER_S - each);
    if (wait > 0)
        return wait;
    client->next_ns = next + each;
    return 0;
}

int64_t limiter_take(struct limiter *l, const char *name, unsigned rate, int64_t now_ns)
{
    if (!rate)
        return 0;
    struct limiter_hold *client = take_out(l, name);
    int64_t wait = count(client, rate, now_ns);
    put_back(l, client);
    return wait;
}

/* ---- streams ---- */

struct limiter_hold *limiter_hold(struct limiter *l, const char *name, unsigned most)
{
    struct limiter_hold *client = take_out(l, name);
    if (most && client->held >= most) {
        put_back(l, client);
        return NULL;
    }
    client->held++;
    return client;
}

void limiter_drop(struct limiter *l, struct limiter_hold **hold)
{
    struct limiter_hold *client = *hold;
    *hold = NULL;
    if (client && --client->held == 0)
        list(l, client);
}
