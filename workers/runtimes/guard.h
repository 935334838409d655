/* guard: the limits of functions that run in the worker's own process, where nothing but the process itself can be
 * ended.
 *
 * memory: a watchdog looks every 10 ms; over the limit the scoreboard says why, and the worker is killed: the item has
 * failed as `memory`. What counts is what this plugin holds (since it was loaded, as `held` has added it up) and what
 * the process has grown by since guard_begin – not what the worker or another plugin had taken before.
 * cpu: the kernel's SIGXCPU ends the worker. files: so many more than are open when the call begins; then open() fails.
 * Not nested. */
#ifndef POOLD_RUNTIMES_GUARD_H
#define POOLD_RUNTIMES_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "manifest/manifest.h"
#include "wire/scoreboard.h"

/* Around one item. */
void guard_begin(struct scoreboard_slot *, const struct manifest_limits *, int64_t *held);
/* Around loading: memory only, and it must be done within timeout_ms (0 = no matter). */
void guard_begin_load(struct scoreboard_slot *, const struct manifest_limits *, int64_t *held, int64_t timeout_ms);
void guard_end(void);
/* Called (on any thread) before the guard kills this process. NULL: nothing. */
void guard_last_words(void (*)(void));

/* Bytes of this process that are resident; 0 when that cannot be read. */
int64_t guard_resident(void);
/* True when there is a limit (max_rss) and this process is over it: its work done, it should exit. */
bool guard_rss_exceeds(int64_t max_rss);

#endif
