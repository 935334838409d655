/* capture: stdout and stderr of a function that runs in the worker become its item's log.
 *
 * Both are turned to memory files while a slice of it runs, so that our own log keeps its stderr otherwise. A watchdog
 * sends what is new every 20 ms, so that the log can be read while the function runs; and what was printed last is sent
 * by the handler of whichever signal is about to end the process (but SIGKILL). */
#ifndef POOLD_WORKER_CAPTURE_H
#define POOLD_WORKER_CAPTURE_H

#include "worker/worker.h"

/* Around the items of a slice: turns stdout and stderr to the files and back. */
void capture_on(struct worker *, const struct message_run *);
void capture_off(void);
/* Around an item: what is printed between the two is sent as output frames of it. */
void capture_begin(uint32_t index);
void capture_end(void);
/* This process is about to die: sends what is printed and not yet sent. For signal handlers and other threads too;
 * does nothing outside of a capture, or when this very thread was interrupted while sending. */
void capture_rescue(void);

#endif
