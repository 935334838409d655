/* exchange: a batch of items in the hands of a runtime; shared by exchange.c, which talks, and ends.c, which tells the
 * host what became of them. See runtime.h. */
#ifndef POOLD_RUNTIMES_EXCHANGE_H
#define POOLD_RUNTIMES_EXCHANGE_H

#include <time.h>

#include "base/job.h"
#include "runtimes/log.h"
#include "runtimes/replies.h"
#include "runtimes/runtime.h"

struct exchange {
    struct runtime *runtime;
    const struct host *host;
    const struct assignment *assignment;
    const struct task *tasks;
    uint32_t first, current, end; /* places; current == end: all have ended */
    uint64_t first_id;
    int64_t began_ns;  /* the current item */
    size_t value_max;
    pid_t pid;         /* of the process, also when it has gone */
    struct log_cap logs[2];
    struct buf request; /* and answers to calls behind it */
    size_t sent;        /* bytes of it */
    int64_t silent_ns; /* when it closed its end of descriptor 3; 0 = it has not */
    int64_t lively_ns; /* when something came last */
    bool came;         /* something did, this turn */
    bool said_more;    /* not all that was said has been read this turn */
    bool half_said;    /* what is being said may be the current item's: its answer has to wait */
    bool ahead;        /* a call of a later item has come */
    bool noticed;      /* there was a notice among what was said */
    /* limits */
    int64_t peak;      /* resident bytes seen while the current item ran */
    clockid_t cpu_clock;
    int64_t cpu_began_ns;
};

/* What a turn of the loop came to. */
enum turn { GOES_ON, ALL_ENDED, BROKEN, STOPPED };

/* exchange.c: the process has to go, because of what it said… */
enum turn exchange_nonsense(struct exchange *, const char *what);
/* …somebody's nonsense, of several: a fresh process runs them one by one. */
enum turn exchange_try_again(struct exchange *);
/* A line whose id is not the current item's. */
enum turn exchange_stray(struct exchange *, const struct reply *);

/* said.c, for runtimes that take batches (and exchange_read_said for all) */
/* True when something has come. */
bool exchange_read_answers(struct runtime *);
bool exchange_read_said(struct exchange *);
/* What the current item has said came before its answer on descriptor 4, and behind the answer of the item before it.
 * So this does what was said up to the first call of a later item. */
enum turn exchange_take_said(struct exchange *);
/* Somebody said what nobody may. */
enum turn exchange_nobody_said(struct exchange *);
/* Descriptor 3, and nothing else, is readable: does the calls. `only`: there was nothing else, so no item can have
 * ended. */
enum turn exchange_hear_calls(struct exchange *, bool *only);

static inline uint64_t exchange_id(const struct exchange *exchange)
{
    return exchange->first_id + (exchange->current - exchange->first);
}

/* request.c: the line that asks for all of them. */
void request_write(struct exchange *);
/* As much of it as goes without waiting. That nobody reads is noticed by its end. */
void request_send(struct exchange *);

/* calling.c: calls to shared objects. */
/* The current item makes one. */
void calling_ask(struct exchange *, const struct reply *);
/* One that has ended does. */
void calling_late(struct exchange *, const struct reply *);
/* The same while no item runs; false when it cannot be told. */
bool calling_between(struct runtime *, const struct reply *);
/* The channel is readable: answers go their way. */
void calling_hear(struct exchange *);

/* ends.c: the current item begins, or all have ended. */
void item_begin(struct exchange *);
/* Each tells what became of the current item, and the next one begins. */
void item_value(struct exchange *, const char *value, size_t length);
void item_error(struct exchange *, const struct reply *);
void item_too_large(struct exchange *, size_t length);
/* The process failed it, and is gone or will be. */
void item_protocol(struct exchange *, const char *what);
void item_timeout(struct exchange *);
void item_cpu(struct exchange *);
void item_memory(struct exchange *, const struct child_end *);
void item_died(struct exchange *, const struct child_end *, bool within_line);

/* What was printed up to now is the current item's. */
void item_hear(struct exchange *);
/* Looks at the memory and processor time that the current item takes; what is over its limit is the answer. */
enum excess { WITHIN_LIMITS, TOO_MUCH_MEMORY, TOO_MUCH_CPU };
enum excess item_sample(struct exchange *);

/* Processes that could not be started: all that is left ends with the reason. */
void items_not_started(struct runtime *, const struct assignment *, uint32_t place, uint32_t end);

#endif
