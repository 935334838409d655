/* worker: the process that runs items, one slice at a time.
 *
 * One thread, blocking (and watchdogs that look after it while it is busy with a function). Whoever serves it is at
 * the other end of the channel; when that end closes, the worker ends too, wherever it notices, and with it every
 * process that it has made. Finished lines lie in the workbench until they are sent, so a kill at any point loses none.
 *
 *     receive ─► dispatch ─┬─ define, probe ─► definitions
 *                          └─ run ─┬─► slice   in this process: built-in functions and plugins
 *                                  └─► hosted  in processes of their own: commands and runtimes (runtimes/runner.h) */
#ifndef POOLD_WORKER_WORKER_H
#define POOLD_WORKER_WORKER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "runtimes/runner.h"
#include "sandbox/sandbox.h"
#include "wire/channel.h"
#include "wire/messages.h"
#include "wire/scoreboard.h"
#include "wire/workbench.h"

struct definition;
struct kept;

struct worker {
    uint32_t slot, generation;
    bool test_functions;
    enum sandbox_mode sandbox_mode;
    struct sandbox sandbox; /* what is in force around this process */
    struct channel channel; /* used for receiving; send.c writes to its descriptor without a queue */
    struct buf spare;       /* another buffer for it… */
    bool is_aside;          /* …which holds the frame being acted on, as others have come meanwhile */
    TAILQ_HEAD(kept_list, kept) kept; /* those, in order */
    struct kept *taken;               /* the one being acted on, if it was kept */
    struct scoreboard_slot *board;
    struct workbench *bench;
    TAILQ_HEAD(definition_list, definition) definitions; /* last used first; see definitions.h */
    unsigned idle_runtimes;                              /* so many may stay warm */
    struct host host;                                    /* what runners see of us; hosted.c says who is meant */
    char runtimes[PATH_MAX];                             /* folder of the launchers */
    char call_program[PATH_MAX];                         /* poold-call */
    char objects[PATH_MAX];                              /* folder of the memory of values and arrays; "" = none */
};

/* setup.c: arguments, environment, signals, descriptors. Exits with a message when something is missing. */
void worker_set_up(struct worker *, int argc, char **argv);

/* send.c: a frame of ours, written completely, without copying the tail; ends the process when nobody reads. Any
 * thread; a signal handler only when the thread is not sending already. */
void worker_send(struct worker *, enum message_type, const unsigned char *body, size_t body_length, const char *tail,
                 size_t tail_length);
bool worker_is_sending(void); /* this thread, which a signal has interrupted */
/* Ends this process and all that it has made. */
_Noreturn void worker_leave(int code);

/* receive.c: waits for the next frame; ends the process when the channel is closed or a stop was asked for. Its tail
 * is good until the next call. */
void worker_receive(struct worker *, struct frame *);
/* While a frame is acted on: what has come in the meantime. Answers go to `answer`, everything else is kept for
 * worker_receive. Does not wait. */
void worker_overhear(struct worker *, void (*answer)(void *context, const struct message_answer *, const char *json,
                                                     size_t length),
                     void *context);
/* The server spoke nonsense: says so and ends the process. */
_Noreturn void worker_confused(const char *what);

/* dispatch.c: does what a frame asks for. */
void worker_dispatch(struct worker *, const struct frame *);

/* hello.c: the first sign of life, with the list of functions. */
void worker_say_hello(struct worker *);

/* slice.c: runs all items of a slice that are not taken back, and sends their lines. `definition` is the plugin that
 * has the function; NULL for built-in ones. */
void slice_run(struct worker *, const struct message_run *, struct definition *, const char *tail, size_t tail_length);
/* hosted.c: the same for commands and runtimes. */
void hosted_run(struct worker *, const struct message_run *, struct definition *, const char *tail, size_t tail_length);
/* hosted.c: makes worker->host. */
void hosted_set_up(struct worker *);

#endif
