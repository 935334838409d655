/* backup: poold --backup, as a process of its own beside the service. */
#ifndef POOLD_BACKUP_H
#define POOLD_BACKUP_H

#include "base/config.h"

/* Copies the database of config->data to config->backup and prints one line; progress on stderr if that is a terminal.
 * Returns the exit status: 0, EX_NOINPUT, EX_CANTCREAT or EX_IOERR with a line on stderr; ends by the signal when
 * stopped by one, with nothing left behind. */
int backup_run(const struct config *);

#endif
