#include "base/self.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"

/* The boot's wall time from /proc/stat, so that the start is the same number at every look. */
static int boot_seconds(double *seconds)
{
    FILE *file = fopen("/proc/stat", "re");
    char line[256];
    int found = -1;
    if (!file)
        return -1;
    while (found != 0 && fgets(line, sizeof line, file))
        found = sscanf(line, "btime %lf", seconds) == 1 ? 0 : -1;
    fclose(file);
    return found;
}

static uint64_t count_fds(void)
{
    uint64_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return 0;
    for (const struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count - 1; /* the folder's own */
}

int self_read(struct self *self)
{
    char text[1024];
    uint64_t user, system, start, pages;
    double boot, ticks = (double)sysconf(_SC_CLK_TCK);
    *self = (struct self){0};
    if (fd_read_file("/proc/self/stat", text, sizeof text) < 0 || boot_seconds(&boot) != 0)
        return -1;
    const char *fields = strrchr(text, ')'); /* the name before it may hold anything */
    if (!fields || sscanf(fields + 1,
                          " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                          " %*d %*d %*d %*d %*d %*d %" SCNu64 " %" SCNu64 " %" SCNu64,
                          &user, &system, &start, &self->virtual_bytes, &pages) != 5)
        return -1;
    self->cpu_seconds = (double)(user + system) / ticks;
    self->start_seconds = boot + (double)start / ticks;
    self->resident_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    self->open_fds = count_fds();
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        self->max_fds = limit.rlim_cur;
    return 0;
}
