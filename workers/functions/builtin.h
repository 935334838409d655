/* builtin: the C functions behind table.c. Each takes a call and returns as function.h says. */
#ifndef POOLD_FUNCTIONS_BUILTIN_H
#define POOLD_FUNCTIONS_BUILTIN_H

#include "functions/function.h"

/* arithmetic.c */
int builtin_square(struct call *);
int builtin_cube(struct call *);
int builtin_sum(struct call *);
int builtin_fibonacci(struct call *);
/* plain.c */
int builtin_echo(struct call *);
int builtin_sleep(struct call *);
int builtin_greet(struct call *);
/* inject.c: what goes wrong in tests */
int inject_crash(struct call *);
int inject_crash_until(struct call *);
int inject_exit(struct call *);
int inject_hang(struct call *);
int inject_garbage(struct call *);
int inject_raw(struct call *);
int inject_allocate(struct call *);
int inject_huge(struct call *);
int inject_print(struct call *);
int inject_fail(struct call *);
int inject_pid(struct call *);

#endif
