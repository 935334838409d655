/* error: a message for people, filled by whoever fails, passed up unchanged. */
#ifndef POOLD_BASE_ERROR_H
#define POOLD_BASE_ERROR_H

struct error {
    char text[512];
};

/* Formats and returns -1, so that a failing function can `return error_set(e, …)`. `e` may be NULL. */
int error_set(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
