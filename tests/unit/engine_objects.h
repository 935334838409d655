/* engine_objects: what the tests of shared objects in the engine's core have in common. */
#ifndef POOLD_TESTS_ENGINE_OBJECTS_H
#define POOLD_TESTS_ENGINE_OBJECTS_H

#include "engine_sim.h"

#include "engine/shared.h"

#define PUT(value) "{\"object\":\"queues/q\",\"op\":\"put\",\"args\":{\"value\":" value "}}"
#define GET "{\"object\":\"queues/q\",\"op\":\"get\",\"args\":{}}"
#define GET_WAIT(seconds) "{\"object\":\"queues/q\",\"op\":\"get\",\"args\":{},\"wait\":" seconds "}"
#define ACQUIRE "{\"object\":\"locks/l\",\"op\":\"acquire\",\"args\":{},\"wait\":null}"
#define RELEASE "{\"object\":\"locks/l\",\"op\":\"release\",\"args\":{},\"quiet\":true}"
#define SET(key, value)                                                                                                \
    "{\"object\":\"dicts/d\",\"op\":\"set\",\"args\":{\"key\":\"" key "\",\"value\":" value "},\"quiet\":true}"

/* A call from outside. */
struct outside {
    struct object_call call; /* first */
    struct sim_ask *ask;
    bool vanished; /* its client, which HTTP would notice when asked */
};

void outside_ask(struct sim *, struct outside *, enum object_kind, const char *name, const char *op, const char *args,
                 int64_t wait_ms);
/* Frees its answer. */
void outside_forget(struct outside *);

/* ---- engine_objects_lives.c ---- */
void objects_lives(uint64_t first, uint64_t count);

#endif
