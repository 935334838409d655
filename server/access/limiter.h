/* limiter: how often each client asks, and how many streams it holds. Pure: the time is given. One thread.
 *
 * It remembers at most so many clients that hold nothing, and forgets the one that was silent for longest: who comes
 * from many addresses makes it grow no further, and is as good as new at each. Who holds a stream is remembered in any
 * case; how many streams there are, the service limits. */
#ifndef POOLD_ACCESS_LIMITER_H
#define POOLD_ACCESS_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

struct limiter;
struct limiter_hold; /* of one client; as long as something is held */

/* Of at most `clients` that hold nothing. */
struct limiter *limiter_new(unsigned clients);
void limiter_free(struct limiter **);

/* One request of a client that may make `rate` a second, and as many at once; 0 = any. 0, or how many ns it must wait:
 * then it does not count. `client` has 64 bytes at most. */
int64_t limiter_take(struct limiter *, const char *client, unsigned rate, int64_t now_ns);
/* One stream of a client that may hold `most` at a time; 0 = any. NULL: it holds as many. */
struct limiter_hold *limiter_hold(struct limiter *, const char *client, unsigned most);
/* … has ended. Sets NULL; NULL is fine. */
void limiter_drop(struct limiter *, struct limiter_hold **);
/* How many it remembers. */
unsigned limiter_clients(const struct limiter *);

#endif
