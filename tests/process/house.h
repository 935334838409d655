/* house: a real poold whose server and workers are fakes that the test directs (fake_server.c, fake_worker.c).
 *
 * Everything is in a folder of its own; every process carries POOLD_TEST_MARK, so that none is overlooked. Whatever is
 * awaited and does not come within HOUSE_PATIENCE_MS fails the test. */
#ifndef POOLD_TESTS_HOUSE_H
#define POOLD_TESTS_HOUSE_H

#include <stdbool.h>
#include <sys/types.h>

enum { HOUSE_PATIENCE_MS = 20000 };

struct house {
    char dir[128], data[160], log[160], mode[160], mark[64];
    bool contained; /* in a pid namespace of its own: poold is PID 1 there */
    int doorbell;   /* fake servers connect here */
    int server;     /* the one that is connected, or -1 */
    pid_t server_pid;
    bool read_only; /* how it was started */
    int server_fds; /* descriptors it found */
    pid_t poold;
    char last[256]; /* the last report */
};

/* The folder only. */
void house_make(struct house *);
/* Starts poold on port 0 with `args` (NULL-terminated, may be NULL) added. */
void house_start(struct house *, const char *const *args);
/* Both, then the first server: connected, not yet told anything. */
void house_begin(struct house *, const char *const *args);
/* The same, and the server is up and ready; `processes` workers have said hello. */
void house_begin_ready(struct house *, unsigned processes, const char *const *args);
/* Kills what is left, fails when something was, removes the folder. */
void house_end(struct house *);

/* What new workers do. */
void house_mode(const struct house *, const char *mode);
/* Waits for the next server. */
void house_await_server(struct house *);
/* False when none comes in that time. */
bool house_server_came(struct house *, int timeout_ms);
/* Tells the server what to do. */
void house_tell(struct house *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next report that begins with `word`; others before it are skipped. Returns what follows the word. */
const char *house_await(struct house *, const char *word);
/* The next report must be this. */
void house_expect(struct house *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* True when a report comes within the time (house.last). */
bool house_heard(struct house *, int timeout_ms);
/* Up, ready, `processes` hellos. */
void house_make_ready(struct house *, unsigned processes);
/* Waits until poold ends: exit status, or 128 + signal. */
int house_exit_status(struct house *);
/* SIGTERM, drain, exit of the server: the nice end; the status must be 0. */
void house_drain(struct house *);
/* Waits until `text` stands in the log. */
void house_await_log(const struct house *, const char *text);
bool house_logged(const struct house *, const char *text);
/* Processes of the house, by state: 'Z' only zombies, 0 all living. */
int house_processes(const struct house *, char state);
void house_await_processes(const struct house *, char state, int count);
/* Connects to the address that poold has written down; the socket. */
int house_connect(const struct house *);

#endif
