/* Admission and deadlines. libmicrohttpd's own timeout is for silence only, and none at all while suspended: what is
 * absolute is kept here. A connection over its time is shut, which libmicrohttpd then sees as the peer's end. */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"
#include "http/objects.h"
#include "http/request.h"
#include "http/upload.h"

#define SWEEP_NS (100 * NS_PER_MS)
#define PEEK_NS NS_PER_S
#define IDLE_NS (60 * NS_PER_S)
#define LINGER_NS (5 * NS_PER_S)
enum { BODY_RATE_MIN = 1024, RESERVE_HEAD_MS = 2000, USER_TIMEOUT_MS = 15 * 60 * 1000, PEEK_BATCH = 256 };

enum { NETWORK_BYTES = 8 };

/* Of IPv6 the network: a host has 2^64 addresses in it to choose from. */
static struct in6_addr address_of(const struct sockaddr *from)
{
    struct in6_addr address = {0};
    if (from && from->sa_family == AF_INET6) {
        address = ((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
        if (!IN6_IS_ADDR_V4MAPPED(&address))
            memset(address.s6_addr + NETWORK_BYTES, 0, sizeof address - NETWORK_BYTES);
    }
    if (from && from->sa_family == AF_INET) {
        memset(address.s6_addr + 10, 0xff, 2);
        memcpy(address.s6_addr + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    }
    return address;
}

static unsigned connections_of(const struct http *http, const struct in6_addr *address)
{
    unsigned count = 0;
    struct connection *c;
    LIST_FOREACH(c, &http->connections, link)
    count += memcmp(&c->address, address, sizeof *address) == 0;
    return count;
}

bool connection_admit(struct http *http, const struct sockaddr *from)
{
    struct in6_addr address = address_of(from);
    if (http->connection_count < http->config->max_connections + RESERVE_CONNECTIONS &&
        connections_of(http, &address) < http->config->max_connections_per_address + RESERVE_CONNECTIONS)
        return true;
    http->connections_refused++;
    return false;
}

struct connection *connection_new(struct http *http, int fd, const struct sockaddr *from)
{
    struct connection *c = calloc(1, sizeof *c);
    CHECK(c, "out of memory");
    *c = (struct connection){
        .http = http, .fd = fd, .address = address_of(from), .since_ns = clock_mono_ns(), .left_at = -1};
    c->reserve = http->connection_count >= http->config->max_connections ||
                 connections_of(http, &c->address) >= http->config->max_connections_per_address;
    LIST_INSERT_HEAD(&http->connections, c, link);
    http->connection_count++;
    http->connections_accepted++;
    /* A peer that vanished without a word is noticed when a heartbeat is not acknowledged. The same limit cuts one that
     * reads nothing, and who reads a stream may well be busy with what it has: so it is generous. */
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &(unsigned){USER_TIMEOUT_MS}, sizeof(unsigned));
    return c;
}

void connection_free(struct connection **connection)
{
    struct connection *c = *connection;
    *connection = NULL;
    LIST_REMOVE(c, link);
    c->http->connection_count--;
    free(c);
}

void connection_phase(struct connection *c, enum connection_phase phase)
{
    c->phase = phase;
    c->since_ns = clock_mono_ns();
}

/* ---- deadlines ---- */

static void cut(struct connection *c)
{
    shutdown(c->fd, SHUT_RDWR);
    if (c->request) {
        c->request->dead = true;
        request_wake(c->request);
    }
}

/* A body that is kept as a whole must come at a rate, too. Of an upload, lines must: upload.c renews since_ns. */
static void check_body(struct connection *c, int64_t now)
{
    struct request *r = c->request;
    int64_t silence = (int64_t)c->http->config->body_timeout_ms * NS_PER_MS;
    if (!r || atomic_load(&r->suspended) || (r->put && object_put_busy(r->put)))
        return;
    bool slow = now - c->since_ns > silence;
    int64_t taken = now - r->body_begun_ns;
    if (!r->upload && !r->put && taken > silence && r->received < taken / NS_PER_S * BODY_RATE_MIN)
        slow = true;
    if (!slow)
        return;
    problem_set(&r->problem, PROBLEM_TOO_SLOW, "the body stopped, or came slower than %d bytes a second",
                BODY_RATE_MIN);
    if (r->upload)
        upload_gone(r->upload);
    if (r->put) {
        r->problem.accepted = r->put->accepted;
        object_put_gone(r->put);
    }
    request_refuse_now(r);
}

static void check(struct connection *c, int64_t now)
{
    int64_t head_ns = (c->reserve ? RESERVE_HEAD_MS : (int64_t)c->http->config->head_timeout_ms) * NS_PER_MS;
    int64_t age = now - c->since_ns;
    switch (c->phase) {
    case PHASE_FRESH:
    case PHASE_HEAD:
        if (age > head_ns)
            cut(c);
        break;
    case PHASE_IDLE:
        if (age > (c->reserve ? head_ns : IDLE_NS))
            cut(c);
        break;
    case PHASE_BODY:
        check_body(c, now);
        break;
    case PHASE_LINGER:
        if (age > LINGER_NS)
            cut(c);
        break;
    case PHASE_BUSY:
        break;
    }
}

/* ---- peers that left while their request waited: a suspended connection does not notice ---- */

/* Within a body libmicrohttpd misses a FIN that comes with the last data: it reads the data, and takes the short read
 * for the end of what epoll's edge announced. All must be read, and nothing more have come since the last look, or a
 * piece that still lies in libmicrohttpd's buffer might complete the body. But lines for a queue that is full may lie
 * there for long: who has left meanwhile does not want them put any more. */
static bool left(struct connection *c)
{
    int unread = 0;
    if (c->phase != PHASE_BODY || atomic_load(&c->request->suspended))
        return true;
    if (ioctl(c->fd, FIONREAD, &unread) == -1 || unread > 0 || tls_unread(c))
        return false;
    bool again = c->left_at == c->request->received;
    c->left_at = c->request->received;
    return again;
}

static void peek(struct pollfd *fds, struct connection **of, nfds_t count)
{
    if (count == 0 || poll(fds, count, 0) <= 0)
        return;
    for (nfds_t i = 0; i < count; i++)
        if (fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR) && left(of[i]))
            cut(of[i]);
}

static bool worth_a_look(const struct connection *c)
{
    bool suspended = atomic_load(&c->request->suspended);
    return suspended ? c->phase == PHASE_BUSY || (c->phase == PHASE_BODY && c->request->put) : c->phase == PHASE_BODY;
}

static void peek_all(struct http *http)
{
    struct pollfd fds[PEEK_BATCH];
    struct connection *of[PEEK_BATCH], *c;
    nfds_t count = 0;
    LIST_FOREACH(c, &http->connections, link)
    {
        if (!c->request || !worth_a_look(c))
            continue;
        fds[count] = (struct pollfd){.fd = c->fd, .events = POLLRDHUP};
        of[count++] = c;
        if (count == PEEK_BATCH) {
            peek(fds, of, count);
            count = 0;
        }
    }
    peek(fds, of, count);
}

void connections_sweep(struct http *http)
{
    int64_t now = clock_mono_ns();
    struct connection *c;
    if (now < http->next_sweep_ns)
        return;
    http->next_sweep_ns = now + SWEEP_NS;
    LIST_FOREACH(c, &http->connections, link)
    check(c, now);
    if (now < http->next_peek_ns)
        return;
    http->next_peek_ns = now + PEEK_NS;
    peek_all(http);
}
