/* killmatrix: eight moments × four targets of kill -9. killmatrix_moments.c brings the system into a moment and judges
 * its jobs afterwards; killmatrix_test.c kills, restarts and asserts what holds in every case. */
#ifndef POOLD_TESTS_KILLMATRIX_H
#define POOLD_TESTS_KILLMATRIX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "support/http.h"
#include "support/json.h"
#include "support/stream.h"

enum target { TARGET_WORKER, TARGET_SERVER, TARGET_SUPERVISOR, TARGET_ALL, TARGETS };
enum { MATRIX_WORKERS = 4, MATRIX_ITEMS_MAX = 20000 };

struct matrix {
    struct service service;
    struct http http;
    enum target target;
    pid_t victim;  /* the worker that TARGET_WORKER means */
    pid_t stopped; /* gets SIGCONT after the kill; 0 = none */
    struct job_id job;
    /* the thread of the moments that need one */
    pthread_t thread;
    bool threaded;
    atomic_uint progress; /* items given, lines read */
    atomic_bool go_on;
    struct stream stream;
    struct reply reply;
    uint64_t read[MATRIX_ITEMS_MAX]; /* during stream: hash of each line, by position */
};

struct moment {
    const char *name;
    void (*bring)(struct matrix *);
    void (*judge)(struct matrix *);
};

enum { MOMENTS = 8 };
extern const struct moment moments[MOMENTS];

#endif
