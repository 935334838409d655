/* queue: what its files share – queue.c (operations), queue_elements.c, queue_leases.c, queue_answers.c.
 *
 * Elements are numbered as they are put and always stand in that order; taken ones that come back stand in front again,
 * because their numbers are the lowest. Entries in the store:
 *
 *     c            "PUTS DONE ": how many were ever put, how many of them are done
 *     e NUMBER     an element, until it is taken for good (that is acknowledged, if it is leased)
 *     k KEY        "WALL_MS ORDER " and the answer that a get with this idempotency key got
 *     l TOKEN      "NUMBER EXPIRES_MS ": an element leased to somebody outside
 *
 * A put writes `e`, a get drops it. `c` is written only when no element is there to tell how many were put (the last
 * one is dropped) and when something is done. A task's lease is not written: no task survives a restart, so its
 * elements are simply there again. */
#ifndef POOLD_OBJECTS_QUEUE_H
#define POOLD_OBJECTS_QUEUE_H

#include "objects/kind.h"

struct element {
    TAILQ_ENTRY(element) link;
    uint64_t number; /* 1… */
    size_t length;
    char data[];
};

struct lease {
    uint64_t token;
    struct element *element;
    struct object_holder holder;
    int64_t expires_ms;
    struct object_timer timer;
    UT_hash_handle hh;
};

/* What a get with an idempotency key was answered. */
struct answered {
    TAILQ_ENTRY(answered) link;
    UT_hash_handle hh;
    int64_t at_ms;
    uint64_t order;
    size_t key_length, length;
    char data[]; /* the key, then the answer */
};

TAILQ_HEAD(element_list, element);
TAILQ_HEAD(answered_list, answered);

struct queue {
    struct object object;
    uint64_t maxsize; /* 0: none */
    uint64_t puts, done;
    uint64_t size; /* elements that are present: not leased */
    struct element_list elements;
    struct element *returned; /* the last that came back, if it is still there: the next goes near it */
    struct lease *leases;
    struct answered *answers; /* by key */
    struct answered_list oldest;
    uint64_t answers_order;
    size_t answers_bytes;
    struct object_timer forget;
};

enum queue_group { GETTERS, PUTTERS, JOINERS };

static inline struct queue *queue_of(struct object *object)
{
    return (struct queue *)object;
}

static inline uint64_t queue_unfinished(const struct queue *queue)
{
    return queue->puts - queue->done;
}

/* ---- queue_elements.c ---- */

size_t element_cost(size_t length);
/* Puts it behind the others and into the store. */
void element_append(struct queue *, const char *data, size_t length);
/* Takes it from the list; it stays in the store. */
void element_take(struct queue *, struct element *);
/* Puts back what was taken: in front, in the order of the numbers. */
void element_return(struct queue *, struct element *);
/* Forgets it here and in the store. */
void element_drop(struct queue *, struct element *);
void queue_note_counters(struct queue *);
int queue_restore_entry(struct object *, const char *key, size_t key_length, const char *value, size_t length,
                        struct error *);

/* ---- queue_leases.c ---- */

/* Gives a taken element to the holder until it is acknowledged. */
struct lease *lease_new(struct queue *, struct element *, const struct object_holder *, int64_t for_ns);
enum object_status queue_ack(struct object *, struct object_call *, const struct arguments *);
enum object_status queue_nack(struct object *, struct object_call *, const struct arguments *);
void queue_lease_timer(struct queue *, struct object_timer *);
void queue_holder_gone(struct object *, const struct object_holder *, bool died);
int lease_restore(struct queue *, uint64_t token, uint64_t number, int64_t expires_ms);
void leases_free(struct queue *);

/* ---- queue_answers.c ---- */

/* The answer this key got, into the call's; false when there is none. */
bool answer_again(struct queue *, struct object_call *, const struct argument *key);
void answer_keep(struct queue *, const struct object_call *, const struct argument *key);
/* Those that are too old or too many go. */
void answers_trim(struct queue *);
int answer_restore(struct queue *, const char *key, size_t key_length, const char *value, size_t length);
void answers_restored(struct queue *);
void answers_free(struct queue *);

#endif
