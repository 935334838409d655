/* worker: the process that runs items, one slice at a time.
 *
 * One thread, blocking (and watchdogs that look after it while it is busy with a function). Whoever serves it is at the other end of the channel; when that end closes, the worker ends
 * too, wherever it notices. Finished lines lie in the workbench until they are sent, so a kill at any point loses
 * none. */
#ifndef POOLD_WORKER_WORKER_H
#define POOLD_WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/channel.h"
#include "wire/messages.h"
#include "wire/scoreboard.h"
#include "wire/workbench.h"

struct worker {
    uint32_t slot, generation;
    bool test_functions;
    struct channel channel; /* used for receiving; send.c writes to its descriptor without a queue */
    struct scoreboard_slot *board;
    struct workbench *bench;
};

/* setup.c: arguments, environment, signals, descriptors. Exits with a message when something is missing. */
void worker_set_up(struct worker *, int argc, char **argv);

/* send.c: a frame of ours, written completely, without copying the tail; ends the process when nobody reads. Any
 * thread; a signal handler only when the thread is not sending already. */
void worker_send(struct worker *, enum message_type, const unsigned char *body, size_t body_length, const char *tail,
                 size_t tail_length);
bool worker_is_sending(void); /* this thread, which a signal has interrupted */

/* receive.c: waits for the next slice; ends the process when the channel is closed. The tail is good until the next
 * call. */
void worker_receive(struct worker *, struct message_run *, const char **tail, size_t *tail_length);
/* The server spoke nonsense: says so and ends the process. */
_Noreturn void worker_confused(const char *what);

/* hello.c: the first sign of life, with the list of functions. */
void worker_say_hello(struct worker *);

/* slice.c: runs all items of a slice that are not taken back, and sends their lines. */
void slice_run(struct worker *, const struct message_run *, const char *tail, size_t tail_length);

#endif
