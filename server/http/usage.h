/* usage: what a worker takes of the machine, with all processes below it: of a command or a runtime (Python, Node, ...)
 * these do the work, and the worker only waits for them. From /proc; any thread. */
#ifndef POOLD_HTTP_USAGE_H
#define POOLD_HTTP_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct usage {
    double cpu_s;      /* of those that live, and of those that they have reaped */
    int64_t rss_bytes; /* pages that they share are counted for each */
    bool on_cpu;       /* one of them is, or could be: it does not sleep or block */
};

/* false: there is no such process. What ends meanwhile, and what is below the first 256, is left out. */
bool usage_read(unsigned pid, struct usage *);

#endif
