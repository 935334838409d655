/* loads: remembers which definitions could not be loaded into the worker of this slot, so that nobody tries again and
 * again: 100 ms, 200 ms, … 30 s after a failure the reason of the last one is the answer.
 *
 * On the scoreboard's page, not in the process, because a plugin whose initialiser crashes takes the process with it:
 * what stands there when a load begins is what its crash will have meant. One thread. */
#ifndef POOLD_RUNTIMES_LOADS_H
#define POOLD_RUNTIMES_LOADS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/scoreboard.h"

/* True, with the reason, while `definition` is not to be tried. */
bool loads_refused(const struct scoreboard_slot *, uint32_t definition, struct error *);
/* From here to loads_end a death of this process is blamed on `definition`. */
void loads_begin(struct scoreboard_slot *, uint32_t definition);
/* Why it is about to die, if that is known (any thread of this process). */
void loads_blame(struct scoreboard_slot *, const char *reason);
/* It is loaded (reason NULL), or the reason why not. */
void loads_end(struct scoreboard_slot *, const char *reason);
/* A successor takes the page over: what its predecessor died of while loading is a failure. */
void loads_inherit(struct scoreboard_slot *);

#endif
