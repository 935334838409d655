#include "support/procs.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/service.h"

static ssize_t read_proc(pid_t pid, const char *name, char *to, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return -1;
    ssize_t length = read(fd, to, size - 1);
    close(fd);
    to[length > 0 ? length : 0] = '\0';
    return length;
}

/* environ is NUL-separated; a zombie's is empty. */
static bool has_mark(pid_t pid, const char *mark)
{
    char text[32768], wanted[128];
    ssize_t length = read_proc(pid, "environ", text, sizeof text);
    int n = snprintf(wanted, sizeof wanted, "POOLD_TEST_MARK=%s", mark);
    return length > 0 && memmem(text, (size_t)length, wanted, (size_t)n + 1) != NULL;
}

static enum role role_of(const char *name)
{
    if (strcmp(name, "poold-server") == 0)
        return ROLE_SERVER;
    if (strcmp(name, "poold-worker") == 0)
        return ROLE_WORKER;
    return strcmp(name, "poold") == 0 ? ROLE_SUPERVISOR : ROLE_OTHER;
}

static bool read_stat(pid_t pid, struct process *p)
{
    char text[1024], name[64];
    if (read_proc(pid, "stat", text, sizeof text) <= 0)
        return false;
    char *open = strchr(text, '('), *close = strrchr(text, ')');
    int parent;
    if (open == NULL || close == NULL || sscanf(close + 2, "%c %d", &p->state, &parent) != 2)
        return false;
    snprintf(name, sizeof name, "%.*s", (int)(close - open - 1), open + 1);
    p->pid = pid;
    p->parent = parent;
    p->role = role_of(name);
    return true;
}

static bool known(const struct process *found, int count, pid_t pid)
{
    for (int i = 0; i < count; i++)
        if (found[i].pid == pid)
            return true;
    return false;
}

int procs_find(const char *mark, struct process *found, int capacity, bool zombies)
{
    static _Thread_local struct process all[8192];
    int count = 0, seen = 0;
    DIR *dir = opendir("/proc");
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL && seen < 8192;)
        if (isdigit((unsigned char)e->d_name[0]) && read_stat((pid_t)atoi(e->d_name), &all[seen]))
            seen++;
    if (dir != NULL)
        closedir(dir);
    for (int i = 0; i < seen && count < capacity; i++)
        if (all[i].state != 'Z' && has_mark(all[i].pid, mark))
            found[count++] = all[i];
    /* Zombies have no environment: they belong to us when their parent does. */
    for (int i = 0; zombies && i < seen && count < capacity; i++)
        if (all[i].state == 'Z' && known(found, count, all[i].parent))
            found[count++] = all[i];
    return count;
}

pid_t procs_role(const char *mark, enum role role, int n)
{
    struct process found[PROCS_MAX];
    int count = procs_find(mark, found, PROCS_MAX, false);
    for (int i = 0; i < count; i++)
        if (found[i].role == role && n-- == 0)
            return found[i].pid;
    return 0;
}

int procs_count(const char *mark, enum role role)
{
    struct process found[PROCS_MAX];
    int count = procs_find(mark, found, PROCS_MAX, false), n = 0;
    for (int i = 0; i < count; i++)
        n += found[i].role == role;
    return n;
}

void procs_kill_all(const char *mark, pid_t supervisor)
{
    struct process found[PROCS_MAX];
    for (int round = 0; round < 200; round++) {
        if (supervisor > 0)
            kill(supervisor, SIGKILL); /* first, so that it starts no others; ours to reap, so never another's pid */
        int count = procs_find(mark, found, PROCS_MAX, false);
        for (int i = 0; i < count; i++)
            kill(found[i].pid, SIGKILL);
        if (count == 0)
            return;
        sleep_ms(5);
    }
}

bool procs_wait_none(const char *mark, int timeout_ms)
{
    struct process found[PROCS_MAX];
    int count = 0;
    for (long long end = now_ms() + timeout_ms; now_ms() < end; sleep_ms(10))
        if ((count = procs_find(mark, found, PROCS_MAX, false)) == 0)
            return true;
    for (int i = 0; i < count; i++)
        fprintf(stderr, "left: pid %d, role %d, state %c\n", (int)found[i].pid, (int)found[i].role, found[i].state);
    return count == 0;
}

int procs_descriptors(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    int n = 0;
    while (dir != NULL && readdir(dir) != NULL)
        n++;
    if (dir != NULL)
        closedir(dir);
    return n - 2;
}

static long field_kib(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at != NULL ? strtol(at + strlen(name), NULL, 10) : 0;
}

long procs_pss_kib(const char *mark)
{
    struct process found[PROCS_MAX];
    char text[4096];
    long sum = 0;
    int count = procs_find(mark, found, PROCS_MAX, false);
    for (int i = 0; i < count; i++)
        if (read_proc(found[i].pid, "smaps_rollup", text, sizeof text) > 0)
            sum += field_kib(text, "\nPss:");
    return sum;
}

long procs_peak_kib(pid_t pid)
{
    char text[4096];
    return read_proc(pid, "status", text, sizeof text) > 0 ? field_kib(text, "\nVmHWM:") : 0;
}
