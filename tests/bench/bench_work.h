/* bench_work: the measurements of bench_client. Each prints one line of JSON and returns the exit status. */
#ifndef POOLD_TESTS_BENCH_WORK_H
#define POOLD_TESTS_BENCH_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "support/http.h"

/* What the items are, and so what must come back. */
enum bench_items { BENCH_INTS, BENCH_OBJECTS, BENCH_EMPTY };

int bench_map(struct service *, uint32_t n, const char *function, const char *order, enum bench_items);
int bench_clients(struct service *, uint32_t n, unsigned clients, const char *function);
int bench_spawn(uint32_t n, unsigned at_once);
int bench_upload(struct service *, uint32_t n);
int bench_beside(struct service *, uint32_t n);

double bench_now(void);
/* Sorts them; `all` is how long the whole took. */
void bench_print_latencies(double *seconds, size_t n, double all, uint32_t jobs);

#endif
