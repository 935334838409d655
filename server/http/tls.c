#include "http/tls.h"

#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/log.h"
#include "http/certificate.h"
#include "http/server.h"

/* Forward secrecy and authenticated encryption only; all clients of the last ten years can do that. */
static const char priorities[] = "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM:+AEAD:"
                                 "+ECDHE-ECDSA:+ECDHE-RSA:+SIGN-ALL:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:+GROUP-X25519:"
                                 "+GROUP-SECP256R1:+GROUP-SECP384R1:+COMP-NULL:+CTYPE-X509:%SERVER_PRECEDENCE";

/* ---- the certificate ---- */

static struct certificate *load(const struct config *config, struct error *e)
{
    if (!*config->tls_cert || !*config->tls_key) {
        error_set(e, *config->tls_cert ? "--tls-cert needs --tls-key, too" : "--tls-key needs --tls-cert, too");
        return NULL;
    }
    return certificate_load(config->tls_cert, config->tls_key, e);
}

static bool wanted(const struct config *config)
{
    return *config->tls_cert || *config->tls_key;
}

int tls_check(const struct config *config, struct error *e)
{
    struct certificate *c = wanted(config) ? load(config, e) : NULL;
    bool wrong = wanted(config) && !c;
    certificate_unref(&c);
    return wrong ? -1 : 0;
}

int tls_open(struct http *http, struct error *e)
{
    LIST_INIT(&http->tls.handshakes);
    if (!wanted(http->config))
        return 0;
    http->tls.certificate = load(http->config, e);
    if (http->tls.certificate)
        certificate_log(http->tls.certificate);
    return http->tls.certificate ? 0 : -1;
}

void tls_close(struct http *http)
{
    struct certificate *renewed = atomic_exchange(&http->tls.renewed, NULL);
    certificate_unref(&renewed);
    certificate_unref(&http->tls.certificate);
}

void tls_reload(struct http *http)
{
    struct error error;
    if (!wanted(http->config))
        return;
    struct certificate *c = load(http->config, &error);
    if (!c) {
        log_event(LOG_ERROR, "tls.reload_failed", "error=\"%s\" note=\"the certificate stays as it was\"", error.text);
        return;
    }
    certificate_log(c);
    c = atomic_exchange(&http->tls.renewed, c);
    certificate_unref(&c); /* one that nobody has seen */
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* gnutls asks for it within the handshake; libmicrohttpd has given it the connection. */
static int on_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
                          const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
                          unsigned *count, gnutls_privkey_t *key)
{
    (void)authorities, (void)authority_count, (void)algorithms, (void)algorithm_count;
    const struct connection *c = connection_of(gnutls_session_get_ptr(session));
    *chain = c->tls.certificate->chain;
    *count = c->tls.certificate->count;
    *key = c->tls.certificate->key;
    return 0;
}

unsigned tls_flags(const struct http *http)
{
    return http->tls.certificate ? MHD_USE_TLS : 0;
}

const struct MHD_OptionItem *tls_options(const struct http *http)
{
    static const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    static struct MHD_OptionItem https[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, NULL}, {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, NULL}, {MHD_OPTION_END, 0, NULL}};
    https[0].ptr_value = (void *)(uintptr_t)priorities;
    https[1].ptr_value = (void *)(uintptr_t)on_certificate;
    return http->tls.certificate ? https : none;
}

/* ---- handshakes ---- */

static gnutls_session_t session_of(const struct connection *c)
{
    return MHD_get_connection_info(c->tls.mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
}

static void take_renewed(struct tls *tls)
{
    struct certificate *renewed = atomic_exchange(&tls->renewed, NULL);
    if (!renewed)
        return;
    certificate_unref(&tls->certificate);
    tls->certificate = renewed;
}

int64_t tls_expires(struct http *http)
{
    if (!http->tls.certificate)
        return 0;
    take_renewed(&http->tls);
    return http->tls.certificate->ends;
}

void tls_begin(struct connection *c, struct MHD_Connection *mhd)
{
    struct tls *tls = &c->http->tls;
    if (!tls->certificate)
        return;
    take_renewed(tls);
    c->tls.mhd = mhd;
    c->tls.certificate = certificate_ref(tls->certificate);
    c->tls.shaking = true;
    LIST_INSERT_HEAD(&tls->handshakes, c, tls.link);
}

static void stop_watching(struct connection *c)
{
    if (c->tls.watched)
        epoll_ctl(c->http->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    c->tls.watched = false;
}

static void end_handshake(struct connection *c)
{
    if (!c->tls.shaking)
        return;
    stop_watching(c);
    LIST_REMOVE(c, tls.link);
    c->tls.shaking = false;
}

/* The session is gone by now; the socket is not. */
void tls_end(struct connection *c)
{
    c->http->tls.failed += c->tls.shaking;
    end_handshake(c);
    certificate_unref(&c->tls.certificate);
}

/* Who speaks HTTP is told so in HTTP; what he has sent is read, or closing would take the answer back. */
static void answer_plainly(struct connection *c)
{
    static const char problem[] = "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
                                  "\"detail\":\"this is HTTPS: ask with https://\"}\n";
    char answer[512], unread[4096];
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          sizeof problem - 1, problem);
    ssize_t sent = send(c->fd, answer, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
    for (int i = 0; i < 16 && recv(c->fd, unread, sizeof unread, MSG_DONTWAIT) > 0; i++)
        continue;
    shutdown(c->fd, SHUT_RDWR);
}

/* Letters begin a request line; a hello begins with 22. */
static bool speaks_http(const struct connection *c)
{
    char first = 0;
    return recv(c->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && first >= 'A' && first <= 'Z';
}

void tls_wake(struct connection *c)
{
    if (!c->tls.asleep)
        return;
    if (!c->tls.begun && speaks_http(c))
        answer_plainly(c);
    c->tls.begun = true;
    c->tls.asleep = false;
    MHD_resume_connection(c->tls.mhd);
}

/* gnutls describes only a session that is there. */
static bool is_done(gnutls_session_t session)
{
    char *description = gnutls_session_get_desc(session);
    gnutls_free(description);
    return description != NULL;
}

static bool watch(struct connection *c, gnutls_session_t session)
{
    bool writes = gnutls_record_get_direction(session) == 1;
    struct epoll_event event = {.events = (writes ? EPOLLOUT : EPOLLIN) | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = c};
    if (epoll_ctl(c->http->epoll_fd, c->tls.watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event) != 0)
        return false; /* a limit of the system */
    c->tls.watched = true;
    return true;
}

static void sleep_or_end(struct connection *c)
{
    gnutls_session_t session = session_of(c);
    if (is_done(session)) {
        end_handshake(c);
        return;
    }
    if (!watch(c, session)) {
        shutdown(c->fd, SHUT_RDWR);
        return;
    }
    MHD_suspend_connection(c->tls.mhd);
    c->tls.asleep = true;
}

void tls_turn(struct http *http)
{
    struct connection *c, *next;
    if (atomic_load(&http->stop))
        return;
    for (c = LIST_FIRST(&http->tls.handshakes); c; c = next) {
        next = LIST_NEXT(c, tls.link);
        if (!c->tls.asleep)
            sleep_or_end(c);
    }
}

void tls_quit(struct http *http)
{
    struct connection *c;
    LIST_FOREACH(c, &http->tls.handshakes, tls.link)
    tls_wake(c);
}

/* ---- past libmicrohttpd ---- */

void tls_answer_last(struct connection *c, const char *bytes, size_t length)
{
    if (c->tls.certificate) {
        gnutls_session_t session = session_of(c);
        size_t sent = 0;
        for (ssize_t n = 1; n > 0 && sent<length; sent += n> 0 ? (size_t)n : 0)
            n = gnutls_record_send(session, bytes + sent, length - sent);
        gnutls_bye(session, GNUTLS_SHUT_WR);
    } else {
        ssize_t sent = send(c->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)sent;
    }
    shutdown(c->fd, SHUT_WR);
}

bool tls_unread(const struct connection *c)
{
    return c->tls.certificate && gnutls_record_check_pending(session_of(c)) > 0;
}
