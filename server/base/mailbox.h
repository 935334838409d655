/* mailbox: many threads put messages, one thread takes them all.
 *
 * A mutex and a list; the wake function is called (outside the mutex) only when the box was empty,
 * so a burst costs one wake-up. */
#ifndef POOLD_BASE_MAILBOX_H
#define POOLD_BASE_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Embed as the first member of a message. */
struct mail {
    struct mail *next;
};

struct mailbox {
    pthread_mutex_t mutex;
    struct mail *first, **last;
    void (*wake)(void *context); /* called by the putting thread; must be safe from any thread */
    void *context;
};

void mailbox_init(struct mailbox *, void (*wake)(void *), void *context);
/* Any thread. The message belongs to the box, then to the taker. */
void mailbox_put(struct mailbox *, struct mail *);
/* The owning thread. Everything that came, in order, as a list; NULL when there is nothing. */
struct mail *mailbox_take(struct mailbox *);
void mailbox_destroy(struct mailbox *);

#endif
