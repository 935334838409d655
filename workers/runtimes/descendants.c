/* descendants: see descendants.h, and child.h for what is declared there. */
#include "runtimes/descendants.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"
#include "runtimes/child.h"

/* More than this are not looked at one by one; their groups are killed, and killing goes on until none is left. */
enum { TREE_MAX = 4096 };

struct tree {
    unsigned count;
    pid_t list[TREE_MAX];
};

/* Read by children_kill in a signal handler: a slot is set or cleared by one store. */
static volatile pid_t ours[CHILDREN_MAX];
static unsigned ours_count;

/* ---- the register ---- */

bool descendants_have_room(void)
{
    return ours_count < CHILDREN_MAX;
}

void descendants_add(pid_t pid)
{
    unsigned i = 0;
    while (i < CHILDREN_MAX && ours[i] != 0)
        i++;
    CHECK(i < CHILDREN_MAX, "no room for process %d", (int)pid);
    ours[i] = pid;
    ours_count++;
}

static bool is_ours(pid_t pid)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        if (ours[i] == pid)
            return true;
    return false;
}

void descendants_remove(pid_t pid)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        if (ours[i] == pid) {
            ours[i] = 0;
            ours_count--;
        }
}

void children_kill(void)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        if (ours[i] != 0)
            kill(-ours[i], SIGKILL);
}

/* ---- the tree ---- */

static void add_list(struct tree *tree, const char *text)
{
    char *end;
    for (long pid = strtol(text, &end, 10); pid > 0 && tree->count < TREE_MAX; pid = strtol(text, &end, 10)) {
        tree->list[tree->count++] = (pid_t)pid;
        text = end;
    }
}

static char list_text[TREE_MAX * 8];

/* A list that did not fit was cut, at worst within a number: the last one is left out then. */
static void add_list_text(struct tree *tree, ssize_t length)
{
    if (length == (ssize_t)sizeof list_text - 1)
        while (length > 0 && list_text[length - 1] != ' ')
            length--;
    list_text[length > 0 ? length : 0] = '\0';
    add_list(tree, list_text);
}

/* Appends what a thread has forked. */
static void add_children_of_thread(struct tree *tree, pid_t pid, long thread)
{
    char path[80];
    snprintf(path, sizeof path, "/proc/%d/task/%ld/children", (int)pid, thread);
    add_list_text(tree, fd_read_file(path, list_text, sizeof list_text));
}

static void add_children(struct tree *tree, pid_t pid)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    if (threads == NULL)
        return; /* it is gone */
    for (struct dirent *entry; (entry = readdir(threads));)
        if (isdigit((unsigned char)entry->d_name[0]))
            add_children_of_thread(tree, pid, strtol(entry->d_name, NULL, 10));
    closedir(threads);
}

/* Whom our first thread has forked or adopted: no other thread of a worker does either. The file stays open, since it
 * is read after every item while a runtime is warm. */
static void add_own_children(struct tree *tree)
{
    static int fd = -1;
    char path[48];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    if (fd == -1)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    add_list_text(tree, fd == -1 ? 0 : pread(fd, list_text, sizeof list_text - 1, 0));
}

/* Our own children that child_start did not make. */
static void add_strays(struct tree *tree)
{
    static struct tree children;
    children.count = 0;
    add_own_children(&children);
    for (unsigned i = 0; i < children.count && tree->count < TREE_MAX; i++)
        if (!is_ours(children.list[i]))
            tree->list[tree->count++] = children.list[i];
}

/* Everybody below those that are in it already. */
static void grow(struct tree *tree)
{
    for (unsigned i = 0; i < tree->count; i++)
        add_children(tree, tree->list[i]);
}

/* ---- signals ---- */

/* The whole group at once, if it is another one than ours: no fork escapes that. */
static void signal_one(pid_t pid, int signal)
{
    pid_t group = getpgid(pid);
    if (group > 1 && group != getpgrp() && !is_ours(group))
        kill(-group, signal);
    kill(pid, signal);
}

void child_signal(const struct child *child, int signal)
{
    static struct tree tree;
    if (child->pid == 0)
        return;
    tree.count = 0;
    tree.list[tree.count++] = child->pid;
    add_strays(&tree);
    grow(&tree);
    kill(-child->pid, signal);
    for (unsigned i = 1; i < tree.count; i++)
        if (getpgid(tree.list[i]) != child->pid)
            signal_one(tree.list[i], signal);
}

/* ---- what it has left behind and is still the parent of ---- */

unsigned child_children(const struct child *child, pid_t *list, unsigned most)
{
    static struct tree tree;
    tree.count = 0;
    if (child->pid != 0)
        add_children(&tree, child->pid);
    unsigned count = tree.count < most ? tree.count : most;
    memcpy(list, tree.list, count * sizeof *list);
    return count;
}

static bool is_among(pid_t pid, const pid_t *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (list[i] == pid)
            return true;
    return false;
}

unsigned child_tidy(const struct child *child, const pid_t *kept, unsigned count, unsigned *helpers)
{
    static struct tree tree;
    unsigned left = 0, all = child_children(child, tree.list, TREE_MAX);
    *helpers = 0;
    for (unsigned i = 0; i < all; i++)
        if (is_among(tree.list[i], kept, count))
            continue;
        else if (getpgid(tree.list[i]) == child->pid)
            ++*helpers;
        else
            tree.list[left++] = tree.list[i];
    tree.count = left;
    grow(&tree);
    for (unsigned i = 0; i < tree.count; i++)
        signal_one(tree.list[i], SIGKILL);
    return left + *helpers;
}

/* ---- sweeping ---- */

/* True when we have no children but ours. */
static bool is_clean(void)
{
    pid_t reaped;
    if (ours_count > 0)
        return false; /* nobody knows without looking */
    while ((reaped = waitpid(-1, NULL, WNOHANG)) > 0)
        ;
    return reaped == -1;
}

static void kill_and_reap(const struct tree *strays)
{
    for (unsigned i = 0; i < strays->count; i++)
        signal_one(strays->list[i], SIGKILL);
    for (unsigned i = 0; i < strays->count; i++)
        while (waitpid(strays->list[i], NULL, 0) == -1 && errno == EINTR)
            ;
}

/* Each turn kills one generation and inherits the next; with their groups killed whole, nobody breeds faster. */
void children_sweep(void)
{
    static struct tree strays;
    while (!is_clean()) {
        strays.count = 0;
        add_strays(&strays);
        if (strays.count == 0)
            return;
        kill_and_reap(&strays);
    }
}

void children_end(void)
{
    children_kill();
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        if (ours[i] != 0)
            descendants_remove(ours[i]);
    children_sweep();
}

/* ---- memory ---- */

static int64_t resident_of(pid_t pid)
{
    char path[32], text[128];
    long long size = 0, resident = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    if (fd_read_file(path, text, sizeof text) <= 0 || sscanf(text, "%lld %lld", &size, &resident) != 2)
        return 0;
    return resident * sysconf(_SC_PAGESIZE);
}

int64_t child_resident(const struct child *child)
{
    static struct tree tree;
    int64_t sum = 0;
    if (child->pid == 0)
        return 0;
    tree.count = 0;
    tree.list[tree.count++] = child->pid;
    add_strays(&tree);
    grow(&tree);
    for (unsigned i = 0; i < tree.count; i++)
        sum += resident_of(tree.list[i]);
    return sum;
}
