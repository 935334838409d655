/* raw: bytes to a poold under test, for heads that no client library would send. */
#ifndef POOLD_TESTS_RAW_H
#define POOLD_TESTS_RAW_H

#include <stdbool.h>
#include <stddef.h>

#include "support/service.h"

/* A connected socket. */
int raw_connect(const struct service *);
/* The same, or -1 when refused. */
int raw_try_connect(const struct service *);
bool raw_send(int fd, const char *bytes, size_t length);
/* Reads until the peer closes, `size` is full or the time is over. Returns the length; NUL-terminates. */
size_t raw_read(int fd, char *to, size_t size, int timeout_ms);
/* Sends `text`, reads the answer's head, closes; the status, 0 when the peer closed without one, -1 on time out. */
int raw_status(const struct service *, const char *text);
/* True when the peer has closed (or closes within the time); reads what comes. */
bool raw_closed(int fd, int timeout_ms);

#endif
