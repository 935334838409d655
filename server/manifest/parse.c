/* The kind is known only once all keys are seen, so what depends on it – and on other keys – is checked after them. */
#include "manifest/parse.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "manifest/keys.h"
#include "manifest/names.h"
#include "manifest/rules.h"

enum { START_TIMEOUT_MS = 30000 };

static int read_keys(struct parse *p)
{
    struct scan_walk w;
    char *at = (char *)(uintptr_t)scan_space(p->reader.text, p->reader.end);
    if (*at != '{')
        return reader_fail(&p->reader, at, "expected an object");
    for (scan_enter(&w, at, p->reader.end, false); scan_next(&w);) {
        struct member m = reader_member(NULL, &w);
        if (key_read(p, &m))
            return -1;
    }
    return 0;
}

/* ---- what keys have to do with each other ---- */

static int find_kind(struct parse *p)
{
    static const enum key one_of[] = {KEY_COMMAND, KEY_RUNTIME, KEY_PLUGIN};
    const struct member *found = NULL;
    for (int kind = 0; kind < 3; kind++) {
        const struct member *m = &p->seen[one_of[kind]];
        if (m->key == NULL)
            continue;
        if (found != NULL)
            return reader_wrong(&p->reader, m, "only one of command, runtime and plugin is possible");
        found = m;
        p->m->kind = (enum manifest_kind)kind;
    }
    return found != NULL ? 0 : reader_fail(&p->reader, p->reader.text, "one of command, runtime and plugin is needed");
}

static int check_kinds(struct parse *p)
{
    for (int key = 0; key < KEYS; key++) {
        if (p->seen[key].key == NULL)
            continue;
        if (!(key_rules[key].kinds & OF(p->m->kind)))
            return reader_wrong(&p->reader, &p->seen[key], "not possible with %s",
                                p->m->kind == MANIFEST_EXEC ? "command" : manifest_kind_name(p->m->kind));
        if (key_rules[key].of_language && p->m->kind == MANIFEST_RUNTIME && p->m->language == LANGUAGE_NONE)
            return reader_wrong(&p->reader, &p->seen[key], "only possible with the runtimes \"python\" and \"node\"");
    }
    if (p->m->language != LANGUAGE_NONE && p->m->module == NULL)
        return reader_wrong(&p->reader, &p->seen[KEY_RUNTIME], "needs \"module\", the name of the module to import");
    if (p->m->initargs != NULL && p->m->initializer == NULL && p->m->kind == MANIFEST_RUNTIME)
        return reader_wrong(&p->reader, &p->seen[KEY_INITARGS], "needs \"initializer\"");
    return 0;
}

static int check_rules(struct parse *p)
{
    if (p->seen[KEY_DEFAULTS].key == NULL || p->seen[KEY_CEILINGS].key == NULL)
        return 0;
    return rules_check(&p->reader, &p->seen[KEY_DEFAULTS], &p->m->defaults, &p->m->ceilings);
}

static char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *file = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(file, '.');
    char *stem = strndup(file, dot != NULL ? (size_t)(dot - file) : strlen(file));
    CHECK(stem != NULL, "out of memory");
    return stem;
}

static int choose_name(struct parse *p)
{
    static const char pattern[] = "letters, digits, _ and - (with command also .), first a letter or _, at most 64";
    struct manifest *m = p->m;
    bool of_module = p->name == NULL && m->module != NULL;
    if (p->name == NULL && (p->name = of_module ? strdup(m->module) : stem_of(m->source)) == NULL)
        CHECK(false, "out of memory");
    if (name_good(p->name, m->kind)) {
        snprintf(m->name, sizeof m->name, "%s", p->name);
        return 0;
    }
    if (p->seen[KEY_NAME].key != NULL)
        return reader_expected(&p->reader, &p->seen[KEY_NAME], pattern);
    if (of_module)
        return reader_wrong(&p->reader, &p->seen[KEY_MODULE], "cannot be the name of the functions too; add \"name\"");
    return reader_fail(&p->reader, p->reader.text, "\"name\": \"%.80s\" cannot be one; add \"name\" (%s)", p->name,
                       pattern);
}

/* ---- paths ---- */

/* Absolute, without a leading "./". What it leads to need not be there yet. */
static int make_absolute(struct parse *p, enum key key, char **path)
{
    const char *relative = *path;
    if (relative[0] == '/')
        return 0;
    if (p->canonical)
        return reader_expected(&p->reader, &p->seen[key], "an absolute path");
    while (strncmp(relative, "./", 2) == 0)
        relative += 2;
    char *absolute = NULL;
    const char *folder = p->m->folder, *slash = strcmp(folder, "/") == 0 ? "" : "/";
    bool here = relative[0] == '\0' || strcmp(relative, ".") == 0;
    int length = here ? asprintf(&absolute, "%s", folder) : asprintf(&absolute, "%s%s%s", folder, slash, relative);
    CHECK(length >= 0, "out of memory");
    free(*path);
    *path = absolute;
    return length < PATH_MAX ? 0 : reader_wrong(&p->reader, &p->seen[key], "longer than a path can be");
}

/* These must be there, a rule for nothing would be none, and are shown as what they lead to. A text of ours was checked
 * when it was a file's. */
static int resolve(struct parse *p, char **paths)
{
    for (; paths != NULL && *paths != NULL; paths++) {
        if (make_absolute(p, KEY_FILES, paths))
            return -1;
        char *resolved = p->canonical ? strdup(*paths) : realpath(*paths, NULL);
        if (resolved == NULL)
            return reader_wrong(&p->reader, &p->seen[KEY_FILES], "%.200s: %s", *paths, strerror(errno));
        free(*paths);
        *paths = resolved;
    }
    return 0;
}

/* Of a function with "files" it is one of them (if it is there): it may be read. */
static void resolve_directory(struct parse *p)
{
    struct manifest *m = p->m;
    char *resolved = m->files.given && !p->canonical ? realpath(m->directory, NULL) : NULL;
    if (resolved == NULL)
        return;
    free(m->directory);
    m->directory = resolved;
}

static int make_paths_absolute(struct parse *p)
{
    struct manifest *m = p->m;
    enum key argv_key = m->kind == MANIFEST_EXEC ? KEY_COMMAND : KEY_RUNTIME;
    if (m->folder == NULL || m->folder[0] != '/')
        return reader_fail(&p->reader, p->reader.text, "\"folder\": expected an absolute path");
    if (m->directory == NULL && (m->directory = strdup(m->folder)) == NULL)
        CHECK(false, "out of memory");
    if (make_absolute(p, KEY_DIRECTORY, &m->directory))
        return -1;
    if (m->plugin != NULL && make_absolute(p, KEY_PLUGIN, &m->plugin))
        return -1;
    if (resolve(p, m->files.read) || resolve(p, m->files.write))
        return -1;
    resolve_directory(p);
    if (m->argv != NULL && strchr(m->argv[0], '/') != NULL)
        return make_absolute(p, argv_key, &m->argv[0]);
    return 0;
}

/* ---- the whole ---- */

static int finish(struct parse *p)
{
    struct manifest *m = p->m;
    if (find_kind(p) || check_kinds(p) || check_rules(p) || choose_name(p) || make_paths_absolute(p))
        return -1;
    if (m->environment == NULL && (m->environment = calloc(1, sizeof *m->environment)) == NULL)
        CHECK(false, "out of memory");
    text_make(m);
    return 0;
}

static struct manifest *parse(const char *json, size_t length, const char *source, const char *folder, bool canonical,
                              unsigned *name_line, struct error *e)
{
    struct parse p = {.canonical = canonical, .m = calloc(1, sizeof *p.m)};
    CHECK(p.m != NULL, "out of memory");
    p.m->references = 1;
    p.m->start_timeout_ms = START_TIMEOUT_MS;
    p.m->defaults.options = p.m->ceilings.options = job_options_default();
    p.m->source = strdup(source);
    p.m->folder = folder != NULL ? strdup(folder) : NULL;
    CHECK(p.m->source != NULL, "out of memory");
    int result = reader_open(&p.reader, json, length, source, e) || read_keys(&p) || finish(&p);
    if (result == 0 && name_line != NULL)
        *name_line = p.seen[KEY_NAME].key != NULL ? reader_line(&p.reader, p.seen[KEY_NAME].value) : 1;
    if (result != 0)
        manifest_unref(&p.m);
    reader_close(&p.reader);
    free(p.name);
    return p.m;
}

struct manifest *parse_file(const char *json, size_t length, const char *source, const char *folder,
                            unsigned *name_line, struct error *e)
{
    return parse(json, length, source, folder, false, name_line, e);
}

struct manifest *manifest_parse(const char *json, size_t length, const char *source, const char *folder,
                                struct error *e)
{
    size_t mark = sizeof CANONICAL_MARK - 1;
    bool canonical = length > mark && memcmp(json, CANONICAL_MARK, mark) == 0;
    return parse(json, length, source, folder, canonical, NULL, e);
}
