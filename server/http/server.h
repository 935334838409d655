/* server: what the parts of http/ share: the daemon, its connections, the limits that are counted. HTTP thread only,
 * but for what is _Atomic. */
#ifndef POOLD_HTTP_SERVER_H
#define POOLD_HTTP_SERVER_H

#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "base/log_limit.h"
#include "http/http.h"
#include "http/tally.h"
#include "http/tls.h"

struct MHD_Daemon;
struct limiter;
struct object_put;
struct request;
struct tokens;
struct upload;

enum { RESERVE_CONNECTIONS = 32 };

enum connection_phase {
    PHASE_FRESH, /* nothing has come */
    PHASE_IDLE,  /* kept alive between requests */
    PHASE_HEAD,  /* the request line is there */
    PHASE_BODY,  /* the body is coming */
    PHASE_BUSY,  /* being answered */
    PHASE_LINGER /* answered before the body's end: what comes is thrown away */
};

struct connection {
    LIST_ENTRY(connection) link;
    struct http *http;
    int fd;
    struct in6_addr address; /* IPv4 mapped; of IPv6 the network: /64 */
    enum connection_phase phase;
    int64_t since_ns; /* in this phase; body: of the last progress */
    int64_t left_at;  /* body: so much had come when the peer's end was seen; -1 = it was not */
    bool reserve;     /* beyond the caps: only /healthz and 503 */
    struct request *request;
    struct tls_connection tls;
};
LIST_HEAD(connection_list, connection);
LIST_HEAD(upload_list, upload);
LIST_HEAD(object_put_list, object_put);

struct http {
    const struct config *config;
    struct engine *engine;
    struct store_reader *reader;
    struct MHD_Daemon *daemon;
    pthread_t thread;
    unsigned port;
    char listen_host[128];
    struct tokens *tokens;             /* NULL = none needed */
    struct tokens *_Atomic new_tokens; /* were read since, and wait for the next request */
    _Atomic bool draining, quiet, stop;
    sem_t quiet_reached;
    /* libmicrohttpd's own wake-up exists only beside a thread of its own: ours is an eventfd in an epoll set around
     * its epoll descriptor. It is written only while the thread sleeps. */
    int epoll_fd, wake_fd;
    _Atomic bool asleep;
    _Atomic unsigned wakes;
    unsigned wakes_seen;
    bool asks_refused;       /* quiet, as the HTTP thread has seen it */
    struct limiter *limiter; /* clients */
    struct connection_list connections;
    unsigned connection_count;
    unsigned waiting;   /* streams and waits, of config->max_streams */
    unsigned streams;   /* of them: those that follow results */
    int64_t body_bytes; /* of all JSON bodies that are being kept */
    struct upload_list uploads;
    struct object_put_list puts;
    unsigned upload_count; /* of both */
    int64_t next_sweep_ns, next_peek_ns;
    struct tally answers;
    struct tls tls;
    uint64_t connections_accepted, connections_refused;
    struct log_limit errors_told;
};

/* Any thread: makes the HTTP thread look at what was resumed. */
void http_wake(struct http *);

/* caps.c: admission and deadlines of connections. */
bool connection_admit(struct http *, const struct sockaddr *);
struct connection *connection_new(struct http *, int fd, const struct sockaddr *);
void connection_free(struct connection **);
void connection_phase(struct connection *, enum connection_phase);
/* Shuts what is over its time; looks for peers that left while suspended. Cheap until its next time has come. */
void connections_sweep(struct http *);

#endif
