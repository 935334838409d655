/* fds: the descriptors a child finds when it starts. Everything else is closed. */
#ifndef POOLD_WIRE_FDS_H
#define POOLD_WIRE_FDS_H

enum {
    FD_CHANNEL = 3,    /* worker: channel to the server; server: control channel to the supervisor */
    FD_SCOREBOARD = 4, /* both */
    FD_WORKBENCH = 5,  /* worker */
    FD_LISTEN = 5,     /* server: the listening socket */
};

#endif
