/* http: the HTTP side of poold-server, as main.c sees it.
 *
 * One thread of our own runs libmicrohttpd's epoll loop and owns every connection and request: no locks. The engine's
 * thread only marks a request's question as answered and resumes its connection. */
#ifndef POOLD_HTTP_HTTP_H
#define POOLD_HTTP_HTTP_H

#include "base/config.h"
#include "base/error.h"
#include "engine/engine.h"
#include "store/store.h"

struct http;

/* Whether the files that it is configured with are right: -1 with file:line. */
int http_check(const struct config *, struct error *);
/* Serves on the listening socket (taken over). NULL with the error. The config must stay. */
struct http *http_start(const struct config *, struct engine *, struct store *, int listen_fd, struct error *);
unsigned http_port(const struct http *);
/* Any thread. From now on /readyz says no; all else goes on. */
void http_drain(struct http *);
/* Any thread but the HTTP thread. Reads the files of its configuration again (SIGHUP); what is wrong is logged and
 * stays as it was. */
void http_reload(struct http *);
/* Returns once no question will be put to the engine any more; what comes is answered 503. Before engine_stop(). */
void http_quiet(struct http *);
/* Sends what is still being sent (half a second at most) and joins the thread. After engine_stop(). Sets NULL. */
void http_stop(struct http **);

#endif
