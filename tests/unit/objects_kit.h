/* objects_kit: the objects with a store of memory, a clock that stands still until told, and after every answer the
 * check that matters: a second instance made from what was written looks the same. */
#ifndef POOLD_TESTS_OBJECTS_KIT_H
#define POOLD_TESTS_OBJECTS_KIT_H

#include "objects/objects.h"

struct kit_row;

struct kit {
    struct objects *objects;
    int64_t now_ns, wall_ms;
    struct kit_row *rows;  /* what is stored: objects and entries (uthash) */
    uint64_t puts, drops;  /* of entries */
    unsigned long answers; /* how many came */
    bool check_restore;    /* after each answer; on unless a test is about speed */
    const char *folder;    /* NULL: anonymous memory; arrays cannot be checked for restoring then */
    unsigned kinds;        /* that are checked: a bit each */
};

/* A call and what became of it. */
struct kit_call {
    struct object_call call;
    struct kit *kit;
    bool done;
    unsigned long order; /* of the answers */
    long first, count;   /* the test's own */
    const char *text;    /* the answer, NUL-terminated */
};

void kit_start(struct kit *);
/* kill -9 and a new start: what tasks held is gone, calls that waited end as GIVEN_UP. */
void kit_restart(struct kit *);
void kit_stop(struct kit *);
void kit_advance(struct kit *, double seconds); /* and ticks */

/* object: "queues/results". wait: seconds, -1 for ever, 0 not. run 0: from outside. */
struct kit_call *kit_begin(struct kit *, uint64_t run, const char *object, const char *op, double wait,
                           const char *args);
void kit_end(struct kit_call **); /* must be done */
void kit_give_up(struct kit_call *);
void kit_gone(struct kit *, uint64_t run, bool died);

/* Expectations fail the test with what came instead. */
void kit_is_waiting(const struct kit_call *);
void kit_answers(struct kit_call **, enum object_status, const char *answer);
/* In one go, without waiting: `answer` NULL does not matter. Apostrophes in args and answer stand for quotes. */
void kit_expect(struct kit *, uint64_t run, const char *object, const char *op, const char *args, enum object_status,
                const char *answer);
/* The answer as text, which is the caller's to free; must be OK or CREATED. */
char *kit_text(struct kit *, uint64_t run, const char *object, const char *op, const char *args);
/* An integer member of an answer. */
long long kit_number(const char *json, const char *member);
/* The check itself: a second instance looks the same. */
void kit_check_restore(struct kit *);

#endif
