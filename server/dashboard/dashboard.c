#include "dashboard/dashboard.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* files.S and this list are made by CMakeLists.txt: a line FILE(number, "name") for each file of page/, and for the
 * chart library. */
#define FILE_(number, file_name) extern const char dashboard_##number[], dashboard_##number##_end[];
#include "files.inc"
#undef FILE_

static struct entry {
    struct dashboard_file file;
    const char *end;
} entries[] = {
#define FILE_(number, file_name) {{.name = file_name, .bytes = dashboard_##number}, dashboard_##number##_end},
#include "files.inc"
#undef FILE_
};
enum { ENTRIES = sizeof entries / sizeof *entries };

static const char *type_of(const char *name)
{
    static const struct {
        const char *suffix, *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".svg", "image/svg+xml"}};
    const char *suffix = strrchr(name, '.');
    for (size_t i = 0; suffix && i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].suffix, suffix) == 0)
            return types[i].type;
    return "application/octet-stream";
}

/* FNV-1a: it only has to differ when the file does. */
static uint64_t hash(const char *at, const char *end)
{
    uint64_t value = 14695981039346656037ULL;
    for (; at != end; at++)
        value = (value ^ (unsigned char)*at) * 1099511628211ULL;
    return value;
}

static void complete(struct entry *e)
{
    e->file.length = (size_t)(e->end - e->file.bytes);
    e->file.type = type_of(e->file.name);
    snprintf(e->file.tag, sizeof e->file.tag, "\"%016llx\"", (unsigned long long)hash(e->file.bytes, e->end));
}

const struct dashboard_file *dashboard_find(const char *name)
{
    for (int i = 0; i < ENTRIES; i++) {
        if (strcmp(entries[i].file.name, name) != 0)
            continue;
        if (!entries[i].file.type)
            complete(&entries[i]);
        return &entries[i].file;
    }
    return NULL;
}
