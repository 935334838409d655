/* limits: the sizes that more than one process relies on. */
#ifndef POOLD_WIRE_LIMITS_H
#define POOLD_WIRE_LIMITS_H

enum {
    CHUNK_ITEMS_MAX = 1024,              /* items in one storage chunk and so in one slice (NUMBERS.md: 256-1024 is best) */
    CHUNK_BYTES_MAX = 256 * 1024,        /* bytes of a chunk, unless one item alone is larger */
    ITEM_BYTES_MAX = 8 * 1024 * 1024,    /* --max-item may only lower it */
    VALUE_BYTES_MAX = 8 * 1024 * 1024,   /* --max-value may only lower it */
    FRAME_BYTES_MAX = 8 * 1024 * 1024 + 64 * 1024, /* payload of a frame */
    OUTBOX_FLUSH_BYTES = 64 * 1024,      /* a worker sends its lines when this much has come together… */
    OUTBOX_FLUSH_NS = 2 * 1000 * 1000,   /* …or this much time has passed (checked with the coarse clock) */
    WORKERS_MAX = 512,                   /* slots, extra workers included */
    PROCESSES_MAX = WORKERS_MAX - 32,    /* the pool: with no slot left, "isolation":"process" items would wait for ever */
    FUNCTION_NAME_MAX = 64,              /* [A-Za-z_][A-Za-z0-9_.-]* */
    JOB_NAME_MAX = 128,
    JOB_ITEMS_MAX = 2000000000,          /* indices and positions fit 31 bits */
};

#endif
