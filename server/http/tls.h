/* tls: HTTPS. libmicrohttpd encrypts; here are the certificate, which SIGHUP renews, and the handshakes.
 *
 * While a connection shakes hands it is asleep in libmicrohttpd and watched by our own epoll: 0.9.75 notes "readable"
 * once and for all then, so that a client which has sent half a hello, or is just far away, would keep the thread
 * turning (100 % of a core, found in its daemon.c). Without --tls-cert all of this does nothing. HTTP thread only,
 * unless said otherwise. */
#ifndef POOLD_HTTP_TLS_H
#define POOLD_HTTP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/config.h"
#include "base/error.h"

struct certificate;
struct connection;
struct http;
struct MHD_Connection;
struct MHD_OptionItem;

/* In struct http; zeroed: plain HTTP. */
struct tls {
    struct certificate *certificate;
    struct certificate *_Atomic renewed; /* was read since, and waits for the next connection */
    LIST_HEAD(, connection) handshakes;
    uint64_t failed; /* handshakes */
};

/* In struct connection. */
struct tls_connection {
    struct MHD_Connection *mhd;
    struct certificate *certificate; /* of its handshake; NULL: plain HTTP */
    LIST_ENTRY(connection) link;     /* of handshakes */
    bool shaking, begun, asleep, watched;
};

/* Whether the files are as they should be; any thread. 0 or -1. */
int tls_check(const struct config *, struct error *);
/* Before the daemon is started; without --tls-cert nothing happens. 0 or -1. */
int tls_open(struct http *, struct error *);
void tls_close(struct http *);
/* The flags and the options for libmicrohttpd. */
unsigned tls_flags(const struct http *);
const struct MHD_OptionItem *tls_options(const struct http *);
/* Any thread: reads the files again, for connections that come from now on; what is wrong is logged. */
void tls_reload(struct http *);

/* When the certificate that new connections get expires, in seconds since 1970; 0: plain HTTP. */
int64_t tls_expires(struct http *);

/* A connection comes and goes; it has its socket. */
void tls_begin(struct connection *, struct MHD_Connection *);
void tls_end(struct connection *);
/* Something has come for a connection that shakes hands: libmicrohttpd may go on with it. */
void tls_wake(struct connection *);
/* After libmicrohttpd has run: who still shakes hands goes to sleep. */
void tls_turn(struct http *);
/* Wakes all, so that libmicrohttpd can be stopped; http->stop is set. */
void tls_quit(struct http *);

/* Past libmicrohttpd: sends, and says that no more will come. Best effort. */
void tls_answer_last(struct connection *, const char *bytes, size_t length);
/* Whether decrypted bytes wait that libmicrohttpd has not taken. */
bool tls_unread(const struct connection *);

#endif
