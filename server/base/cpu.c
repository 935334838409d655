#include "base/cpu.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

struct cgroup {
    bool v2;
    char mount[1024]; /* where its hierarchy is mounted */
    char root[1024];  /* the cgroup that the mount point shows ("/" unless in a container) */
    char path[1024];  /* ours, as /proc/self/cgroup says */
};

static unsigned affinity_count(void)
{
    /* The kernel refuses a mask smaller than its own, and machines with more than 1024 CPUs exist. */
    for (size_t cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (set == NULL)
            break;
        size_t size = CPU_ALLOC_SIZE(cpus);
        int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return (unsigned)count;
    }
    return 1;
}

/* Is `word` one of the comma-separated words of `list`? */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* Lines of /proc/self/cgroup: "0::/path" is v2, "4:cpu,cpuacct:/path" is v1. */
static bool find_path(const char *root, struct cgroup *group)
{
    char name[PATH_MAX], line[2048];
    bool found = false;
    snprintf(name, sizeof name, "%s/proc/self/cgroup", root);
    FILE *file = fopen(name, "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *controllers++ = '\0';
        *path++ = '\0';
        found = group->v2 ? strcmp(line, "0") == 0 && *controllers == '\0' : has_word(controllers, "cpu");
        if (found)
            snprintf(group->path, sizeof group->path, "%s", path);
    }
    fclose(file);
    return found;
}

/* Lines of mountinfo: "36 35 98:0 ROOT MOUNT options… - TYPE source SUPER". */
static bool find_mount(const char *root, struct cgroup *group)
{
    char name[PATH_MAX], line[8192], type[64], super[1024];
    bool found = false;
    snprintf(name, sizeof name, "%s/proc/self/mountinfo", root);
    FILE *file = fopen(name, "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        const char *rest = strstr(line, " - ");
        if (rest == NULL || sscanf(rest, " - %63s %*s %1023s", type, super) != 2 ||
            sscanf(line, "%*s %*s %*s %1023s %1023s", group->root, group->mount) != 2)
            continue;
        found = group->v2 ? strcmp(type, "cgroup2") == 0 : strcmp(type, "cgroup") == 0 && has_word(super, "cpu");
    }
    fclose(file);
    return found;
}

/* quota / period of one cgroup, rounded up; UINT_MAX when it has no limit. */
static unsigned quota_of(const char *folder, bool v2)
{
    char name[2 * PATH_MAX], text[64];
    long long quota = -1, period = -1;
    snprintf(name, sizeof name, "%s/%s", folder, v2 ? "cpu.max" : "cpu.cfs_quota_us");
    if (fd_read_file(name, text, sizeof text) <= 0)
        return UINT_MAX;
    if (v2) {
        if (sscanf(text, "%lld %lld", &quota, &period) != 2) /* "max 100000" has no number */
            return UINT_MAX;
    } else {
        quota = atoll(text);
        snprintf(name, sizeof name, "%s/cpu.cfs_period_us", folder);
        if (fd_read_file(name, text, sizeof text) > 0)
            period = atoll(text);
    }
    if (quota <= 0 || period <= 0 || quota / period >= UINT_MAX)
        return UINT_MAX;
    return (unsigned)((quota - 1) / period + 1);
}

/* The path of our cgroup below the mount point. In a container /proc/self/cgroup may name the path on
 * the host while the mount shows only the part below `root`. */
static const char *path_below_mount(const struct cgroup *group)
{
    size_t length = strcmp(group->root, "/") == 0 ? 0 : strlen(group->root);
    if (strncmp(group->path, group->root, length) == 0 && (group->path[length] == '/' || group->path[length] == '\0'))
        return group->path + length;
    return "";
}

/* The tightest quota of our cgroup and its ancestors: each of them holds. */
static unsigned cgroup_count(const char *root, bool v2)
{
    struct cgroup group = {.v2 = v2};
    if (!find_path(root, &group) || !find_mount(root, &group))
        return UINT_MAX;
    char folder[PATH_MAX];
    int top = snprintf(folder, sizeof folder, "%s%s", root, group.mount);
    snprintf(folder + top, sizeof folder - (size_t)top, "%s", path_below_mount(&group));
    unsigned least = UINT_MAX;
    for (;;) {
        unsigned here = quota_of(folder, v2);
        least = here < least ? here : least;
        char *slash = strrchr(folder + top, '/');
        if (slash == NULL)
            return least;
        *slash = '\0';
    }
}

unsigned cpu_count_below(const char *root)
{
    unsigned count = affinity_count();
    /* Both: hybrid systems mount v2 without controllers beside a v1 that has them. */
    unsigned v2 = cgroup_count(root, true), v1 = cgroup_count(root, false);
    count = v2 < count ? v2 : count;
    count = v1 < count ? v1 : count;
    return count > 0 ? count : 1;
}

unsigned cpu_count(void)
{
    return cpu_count_below("");
}
