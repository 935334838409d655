/* callers: the processes of a command that ask for shared objects, mostly `poold-call` (workers/call/).
 *
 * They connect to a socket whose name is in their environment and write lines as in PROTOCOL.md, without an id:
 * {"call":1,"request":{…}}, answered by {"call":1,"answer":…}, or {"progress":…}. One call of a connection is done
 * after the other; a connection that closes takes its call back. The socket has an abstract name that nobody can guess,
 * so that it works whatever descriptors, directories and users' folders are left to a command; others than this user
 * are sent away. It is made once for all items of this worker. One thread. */
#ifndef POOLD_RUNTIMES_CALLERS_H
#define POOLD_RUNTIMES_CALLERS_H

#include <poll.h>

#include "runtimes/environment.h"
#include "runtimes/runner.h"

enum { CALLERS_MAX = 32 /* connections at once; others wait */, CALLERS_FDS = CALLERS_MAX + 1 };

/* POOLD_SOCKET and POOLD_CALL, and the folder of poold-call at the end of PATH. */
void callers_environment(struct environment *, const struct host *);
/* A command begins. */
void callers_begin(const struct host *, uint32_t place);
/* Fills `fds` (CALLERS_FDS of them); how many. */
unsigned callers_fds(struct pollfd *fds);
/* What has come, by those. */
void callers_turn(const struct pollfd *fds, unsigned count);
/* The answer of a call. */
void callers_answer(uint32_t call, const char *json, size_t length);
/* The command and all its processes have ended: nobody is connected any more. */
void callers_end(void);

#endif
