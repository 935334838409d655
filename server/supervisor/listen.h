/* listen: the listening socket, which poold opens and holds for its whole life, so that clients of a server that is
 * being restarted see a pause, not a refusal. */
#ifndef POOLD_SUPERVISOR_LISTEN_H
#define POOLD_SUPERVISOR_LISTEN_H

#include <stdint.h>

#include "base/config.h"
#include "base/error.h"

struct listener {
    int fd;        /* -1 while closed */
    uint16_t port; /* the one chosen when port 0 was asked for */
    char at[160];  /* "127.0.0.1:8080", "[::1]:8080" */
    char url[176]; /* "http://127.0.0.1:8080", https with a certificate */
};

/* Binds and listens. Refuses (-1) an address beyond loopback without a token: whoever reaches it may run functions. */
int listener_open(struct listener *, const struct config *, struct error *);
/* The same, but only says whether it would be refused. */
int listener_check(const struct config *, struct error *);
void listener_close(struct listener *);

#endif
