/* Folders and sets. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/fd.h"
#include "manifest/names.h"
#include "manifest/parse.h"

enum { FILE_BYTES_MAX = 1024 * 1024 };

/* A set in the making. */
struct load {
    struct manifest_set *set;
    unsigned name_lines[MANIFESTS_MAX]; /* where each one's name stands, in the order of the list */
    struct error *error;
};

void manifest_set_free(struct manifest_set **set)
{
    for (unsigned i = 0; *set != NULL && i < (*set)->count; i++)
        manifest_unref(&(*set)->list[i]);
    free(*set);
    *set = NULL;
}

/* ---- one file ---- */

/* Neither a pipe nor a device makes us wait. */
static int open_file(const char *path, struct error *e)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd == -1)
        return error_set(e, "%s: cannot be read: %s", path, strerror(errno));
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return fd;
    fd_close(&fd);
    return error_set(e, "%s: not a file", path);
}

static int read_all(const char *path, struct buf *text, struct error *e)
{
    int fd = open_file(path, e), result = -1;
    ssize_t got = 1;
    if (fd == -1)
        return -1;
    while (got > 0 && text->length <= FILE_BYTES_MAX) {
        got = read(fd, buf_reserve(text, 16384), 16384);
        text->length += got > 0 ? (size_t)got : 0;
    }
    if (got == -1)
        error_set(e, "%s: cannot be read: %s", path, strerror(errno));
    else if (text->length > FILE_BYTES_MAX)
        error_set(e, "%s: larger than %d bytes", path, FILE_BYTES_MAX);
    else
        result = 0;
    fd_close(&fd);
    return result;
}

static int check_name(const struct load *l, const struct manifest *m, unsigned line)
{
    for (unsigned i = 0; i < l->set->count; i++) {
        const struct manifest *other = l->set->list[i];
        if (names_collide(m, other))
            return error_set(l->error, "%s:%u: \"name\": \"%s\" collides with \"%s\" of %s:%u", m->source, line,
                             m->name, other->name, other->source, l->name_lines[i]);
    }
    return 0;
}

static int add(struct load *l, struct manifest *m, unsigned line)
{
    if (check_name(l, m, line))
        return -1;
    if (l->set->count == MANIFESTS_MAX)
        return error_set(l->error, "%s: more than %d manifests", m->source, MANIFESTS_MAX);
    l->name_lines[l->set->count] = line;
    l->set->list[l->set->count++] = m;
    return 0;
}

static int load_file(struct load *l, const char *path, const char *folder)
{
    struct buf text = BUF_EMPTY;
    struct manifest *m = NULL;
    unsigned line = 0;
    int result = read_all(path, &text, l->error);
    if (result == 0) {
        buf_cstr(&text);
        m = parse_file(text.data, text.length, path, folder, &line, l->error);
        result = m != NULL ? add(l, m, line) : -1;
    }
    buf_free(&text);
    if (result == -1)
        manifest_unref(&m);
    return result;
}

/* ---- folders ---- */

/* What `*.json` means: no hidden files, such as an editor's. */
static int is_manifest(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
}

static void trim_slashes(char *path)
{
    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/'; length--)
        path[length - 1] = '\0';
}

static int load_folder(struct load *l, const char *given)
{
    char folder[PATH_MAX], shown[PATH_MAX], path[2 * PATH_MAX];
    struct dirent **entries = NULL;
    int count = -1, result = 0;
    snprintf(shown, sizeof shown, "%s", given);
    trim_slashes(shown);
    if (realpath(given, folder) != NULL)
        count = scandir(folder, &entries, is_manifest, alphasort);
    if (count == -1)
        return error_set(l->error, "%s: the folder cannot be read: %s", given, strerror(errno));
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s%s%s", shown, strcmp(shown, "/") == 0 ? "" : "/", entries[i]->d_name);
        if (result == 0)
            result = load_file(l, path, folder);
        free(entries[i]);
    }
    free(entries);
    return result;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct manifest *const *)a)->name, (*(struct manifest *const *)b)->name);
}

struct manifest_set *manifest_load(const char *const folders[], unsigned count, struct error *e)
{
    struct load load = {.set = calloc(1, sizeof *load.set), .error = e};
    CHECK(load.set != NULL, "out of memory");
    for (unsigned i = 0; i < count; i++) {
        if (load_folder(&load, folders[i]) == 0)
            continue;
        manifest_set_free(&load.set);
        return NULL;
    }
    qsort(load.set->list, load.set->count, sizeof load.set->list[0], by_name);
    return load.set;
}
