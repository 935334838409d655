#include "http/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

enum { PROCESSES_MAX = 256, CHILDREN_TEXT = 4096 };

static bool add_stat(unsigned pid, struct usage *usage)
{
    char path[64], text[1024], state;
    unsigned long user, system;
    long reaped_user, reaped_system, rss;
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    if (!pid || fd_read_file(path, text, sizeof text) <= 0)
        return false;
    const char *behind = strrchr(text, ')'); /* the name may hold anything */
    if (!behind ||
        sscanf(behind + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld %*d %*d %*d %*d %*u %*u %ld",
               &state, &user, &system, &reaped_user, &reaped_system, &rss) != 6)
        return false;
    usage->cpu_s += ((double)(user + system) + (double)(reaped_user + reaped_system)) / (double)sysconf(_SC_CLK_TCK);
    usage->rss_bytes += (int64_t)rss * sysconf(_SC_PAGESIZE);
    usage->on_cpu |= state == 'R';
    return true;
}

/* Behind the `count` that are in `pids` already; the new count. Of a process whose first thread made them, which is all
 * but the odd program below a command. */
static unsigned add_children(unsigned pid, unsigned pids[PROCESSES_MAX], unsigned count)
{
    char path[64], text[CHILDREN_TEXT], *at = text, *end;
    snprintf(path, sizeof path, "/proc/%u/task/%u/children", pid, pid);
    if (fd_read_file(path, text, sizeof text) <= 0)
        return count;
    for (unsigned long child; count < PROCESSES_MAX && (child = strtoul(at, &end, 10)) != 0; at = end)
        pids[count++] = (unsigned)child;
    return count;
}

bool usage_read(unsigned pid, struct usage *usage)
{
    unsigned pids[PROCESSES_MAX] = {pid}, count = 1;
    memset(usage, 0, sizeof *usage);
    if (!add_stat(pid, usage))
        return false;
    count = add_children(pid, pids, count);
    for (unsigned i = 1; i < count; i++) {
        add_stat(pids[i], usage);
        count = add_children(pids[i], pids, count);
    }
    return true;
}
