/* check: our own inconsistency aborts with a note of what was expected; it is never tolerated.
 *
 * Use CHECK for invariants of this program only. What a client, a child or the system got wrong
 * is an error to handle, not a check. Any thread. */
#ifndef POOLD_BASE_CHECK_H
#define POOLD_BASE_CHECK_H

/* Logs where and what, as check.failed, and aborts. Any thread. */
_Noreturn void check_failed(const char *file, int line, const char *expression, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* CHECK(condition, "printf note", ...): aborts unless condition holds. */
#define CHECK(condition, ...)                                                                                          \
    ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition, __VA_ARGS__))

#endif
