/* stop: what SIGTERM does to a worker. Usually it dies at once: there is nothing to save that is not in the workbench,
 * and a function that runs in its process could not be ended in another way. While processes of functions live, it ends
 * them first (they get their SIGTERM and time to act on it), and then dies of the same signal.
 *
 * The death of the supervisor is such a SIGTERM, too: killed at once we would take the processes with us that we have
 * made, but not those that they have made. */
#ifndef POOLD_WORKER_STOP_H
#define POOLD_WORKER_STOP_H

#include <stdbool.h>

void stop_set_up(void);
/* From now on SIGTERM makes stop_fd readable instead of killing us; false: the other way round (dies at once when one
 * has come already). Returns how it was. */
bool stop_gently(bool);
int stop_fd(void);
/* All is done: dies of SIGTERM. */
_Noreturn void stop_now(void);

#endif
