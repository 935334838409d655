/* datadir: the data directory and the lock that makes it one poold's. */
#ifndef POOLD_SUPERVISOR_DATADIR_H
#define POOLD_SUPERVISOR_DATADIR_H

#include <sys/types.h>

#include "base/error.h"

/* Creates `path` (0700) when missing and locks PATH/lock. Returns the lock's descriptor, held as long as it or a copy
 * is open: the server gets a copy, so that a new poold cannot open the database while the server of one that was
 * killed is still dying. -1: another poold has it, or the system says no. */
int datadir_lock(const char *path, struct error *);
/* For workers of another user: lets his group into PATH, where it cannot look round, and to the memory of values and
 * arrays in PATH/objects, which functions map; whatever else is there now is closed to it. */
int datadir_share_objects(const char *path, gid_t group, struct error *);
/* Writes PATH/address, "http://127.0.0.1:8080\n", all or nothing. */
int datadir_write_address(const char *path, const char *url, struct error *);
void datadir_remove_address(const char *path);

#endif
