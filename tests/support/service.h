/* service: a real poold under test, in a temporary folder of its own.
 *
 * It runs in its own session, carries a unique POOLD_TEST_MARK in its environment, and logs into DIR/poold.log, so that
 * every process of its tree can be found again whatever was killed. One thread may start, kill and stop it; `port` may
 * be read from any. Functions that cannot do what they say end the test program with a message and the log's tail. */
#ifndef POOLD_TESTS_SERVICE_H
#define POOLD_TESTS_SERVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum { SERVICE_ARGS_MAX = 24, SERVICE_PATIENCE_MS = 30000 };

struct service {
    char dir[256]; /* removed by service_end */
    char data[280];
    char log[280];
    char mark[64];
    const char *args[SERVICE_ARGS_MAX];
    char cert[280], key[280]; /* made when POOLD_TEST_TLS is set: then all tests of the program go over HTTPS */
    const char *ca;           /* what follows --tls-cert in args: clients speak HTTPS and trust it; NULL: HTTP */
    pid_t pid;                /* the supervisor; 0 when it is not running */
    _Atomic unsigned port;
};

/* A fresh folder and poold on a free port with `args` (NULL-terminated, may be NULL) added. */
void service_begin(struct service *, const char *const *args);
/* Starts it again on the same data (after service_stop or a kill). */
void service_start(struct service *);
/* The same without an opinion: false when it did not come up within the time. */
bool service_try_start(struct service *, int timeout_ms);
/* SIGTERM, waits; returns the exit status, or 128 + signal. Kills after `patience_ms`. */
int service_stop(struct service *, int patience_ms);
/* True while the supervisor lives; reaps it otherwise. */
bool service_alive(struct service *);
/* Stops it if need be, asserts that no process is left and the database is sound, removes the folder. */
void service_end(struct service *);
/* The same without stopping nicely and without looking: for programs that have already judged. */
void service_discard(struct service *);

/* PRAGMA integrity_check of its database; true when "ok" or there is none. */
bool service_database_sound(const struct service *);
void service_print_log(const struct service *, int lines);
/* How often `text` stands in the log. */
unsigned service_log_count(const struct service *, const char *text);

/* How often a server ended by itself, as the log has it: neither by SIGKILL nor as asked. Prints each. */
unsigned service_server_deaths(const struct service *);

/* Ends the test program: message, log, exit 1. */
_Noreturn void service_give_up(const struct service *, const char *format, ...) __attribute__((format(printf, 2, 3)));

long long now_ms(void); /* monotonic */
void sleep_ms(int);

#endif
