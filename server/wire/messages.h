/* messages: what supervisor, server and workers say to each other, made from messages.def.
 *
 * For MESSAGE(run, 2, …) this gives `struct message_run`, MESSAGE_run = 2, `message_run_encode` and
 * `message_run_decode`. Numbers travel little-endian. A message must end exactly at its end: the decoder gets the
 * tail separately (frame.h), so a short or long body is an error. Any thread. */
#ifndef POOLD_WIRE_MESSAGES_H
#define POOLD_WIRE_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_PROTOCOL 2

/* hello.guards: what keeps its functions in (workers/sandbox) */
enum { GUARD_NO_NEW_PRIVS = 1, GUARD_SECCOMP = 2, GUARD_LANDLOCK = 4, GUARD_SIGNALS = 8 };

/* run.flags */
enum { RUN_STAR = 1, RUN_ONCE = 2 /* exit after it (isolation: process) */ };

/* worker_stop.cause and worker_gone.cause */
enum stop_cause {
    STOP_NONE,     /* it went by itself */
    STOP_TIMEOUT,  /* an item took too long */
    STOP_CANCEL,   /* its job was cancelled */
    STOP_PROTOCOL, /* it spoke nonsense */
    STOP_RESIZE,   /* the pool shrank */
    STOP_HELLO,    /* no first sign in time */
    STOP_SHUTDOWN, /* the service ends */
    STOP_CAUSES
};
/* "timeout", "cancel", …; "none"; "unknown" for a number that is none (it came from a wire). */
const char *stop_cause_name(enum stop_cause);

#define FIELD_U32 uint32_t
#define FIELD_U64 uint64_t
#define FIELD(kind, name) FIELD_##kind name;
#define TEXT(name, capacity) char name[capacity];
#define MESSAGE(name, number, fields)                                                                                  \
    struct message_##name {                                                                                            \
        fields                                                                                                         \
    };                                                                                                                 \
    /* Writes the body to `to` (MESSAGE_BODY_MAX bytes); returns its length. Texts must be ended by a NUL. */          \
    size_t message_##name##_encode(const struct message_##name *, unsigned char *to);                                  \
    /* 0, or -1 when [from, from+length) is not exactly one (then the struct holds nothing of use). */                 \
    int message_##name##_decode(struct message_##name *, const unsigned char *from, size_t length);
#include "wire/messages.def"
#undef MESSAGE
#undef TEXT
#undef FIELD
#undef FIELD_U32
#undef FIELD_U64

#define MESSAGE_BODY_MAX 256

/* MESSAGE_hello = 1, … (the names as in the table, so that a search for one finds all). */
enum message_type {
#define FIELD(kind, name)
#define TEXT(name, capacity)
#define MESSAGE(name, number, fields) MESSAGE_##name = (number),
#include "wire/messages.def"
#undef MESSAGE
#undef TEXT
#undef FIELD
};
/* "hello" …, or NULL for a number that is none. */
const char *message_name(unsigned type);

#endif
