/* One table says for each key how it is read and which kinds of manifest may have it. The kind is known only once all
 * keys are seen, so what depends on it – and on other keys – is checked after them. */
#include "manifest/parse.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "manifest/names.h"
#include "manifest/reader.h"
#include "manifest/rules.h"
#include "wire/limits.h"

enum {
    SUMMARY_MAX = 500,
    NAME_TEXT_MAX = 255,
    START_TIMEOUT_MS = 30000,
    START_TIMEOUT_MOST_MS = 3600 * 1000,
    MANIFEST_COUNT_MAX = 1000000
};
#define MIB (INT64_C(1) << 20)
#define LARGEST (INT64_C(1) << 50) /* a PiB: a slip, not a limit */

/* In the order of messages and of the table below. */
enum key {
    KEY_CANONICAL,
    KEY_SOURCE,
    KEY_FOLDER,
    KEY_NAME,
    KEY_SUMMARY,
    KEY_EXAMPLE,
    KEY_COMMAND,
    KEY_RUNTIME,
    KEY_PLUGIN,
    KEY_MODULE,
    KEY_INITIALIZER,
    KEY_INITARGS,
    KEY_INPUT,
    KEY_OUTPUT,
    KEY_DIRECTORY,
    KEY_ENVIRONMENT,
    KEY_DEFAULTS,
    KEY_CEILINGS,
    KEY_LIMITS,
    KEY_CONCURRENCY,
    KEY_MAX_TASKS_PER_CHILD,
    KEY_MAX_RSS,
    KEY_START_TIMEOUT,
    KEYS
};

struct parse {
    struct reader reader;
    struct manifest *m;
    bool canonical;
    char *name;
    struct member seen[KEYS]; /* key NULL: not there */
};

/* ---- one key each ---- */

static int read_mark(struct parse *p, const struct member *m)
{
    int64_t version;
    return read_count(&p->reader, m, 1, 1, &version);
}

static int read_source(struct parse *p, const struct member *m)
{
    return read_text(&p->reader, m, "a file name", PATH_MAX, &p->m->source);
}

static int read_folder(struct parse *p, const struct member *m)
{
    return read_text(&p->reader, m, "a path", PATH_MAX, &p->m->folder);
}

static int read_name(struct parse *p, const struct member *m)
{
    return read_text(&p->reader, m, "a name", NAME_TEXT_MAX, &p->name);
}

static int read_summary(struct parse *p, const struct member *m)
{
    if (read_text(&p->reader, m, "one line of text", SUMMARY_MAX, &p->m->summary))
        return -1;
    for (const char *c = p->m->summary; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return reader_expected(&p->reader, m, "one line of text without control characters");
    return 0;
}

static int read_example(struct parse *p, const struct member *m)
{
    return read_json(m, &p->m->example);
}

/* A program is a path or is looked for in PATH; the item never chooses it. */
static int check_program(struct parse *p, const struct member *m)
{
    if (p->m->argv[0][0] == '\0')
        return reader_expected(&p->reader, m, "a list that begins with a program");
    if (strstr(p->m->argv[0], "{}") != NULL)
        return reader_expected(&p->reader, m, "a program that is not the item: {} is possible after it");
    return 0;
}

static int read_command(struct parse *p, const struct member *m)
{
    static const char what[] = "a list of texts such as [\"wc\", \"-w\"]";
    return read_texts(&p->reader, m, what, false, &p->m->argv) ? -1 : check_program(p, m);
}

static int read_runtime(struct parse *p, const struct member *m)
{
    static const char what[] = "\"python\", \"node\" or a list of texts such as [\"ruby\", \"serve.rb\"]";
    static const char *const languages[] = {"python", "node", NULL};
    static const char *const interpreters[] = {"python3", "node"};
    int which;
    if (m->kind == SCAN_ARRAY)
        return read_texts(&p->reader, m, what, false, &p->m->argv) ? -1 : check_program(p, m);
    if (read_word(&p->reader, m, languages, what, &which))
        return -1;
    p->m->language = which == 0 ? LANGUAGE_PYTHON : LANGUAGE_NODE;
    texts_free(&p->m->argv);
    p->m->argv = calloc(2, sizeof *p->m->argv);
    CHECK(p->m->argv != NULL && (p->m->argv[0] = strdup(interpreters[which])) != NULL, "out of memory");
    return 0;
}

static int read_plugin(struct parse *p, const struct member *m)
{
    return read_text(&p->reader, m, "the path of a shared object", PATH_MAX - 1, &p->m->plugin);
}

static int read_module(struct parse *p, const struct member *m)
{
    return read_text(&p->reader, m, "the name of a module", NAME_TEXT_MAX, &p->m->module);
}

static int read_initializer(struct parse *p, const struct member *m)
{
    return read_text(&p->reader, m, "the name of a function", NAME_TEXT_MAX, &p->m->initializer);
}

static int read_initargs(struct parse *p, const struct member *m)
{
    if (m->kind != SCAN_ARRAY)
        return reader_expected(&p->reader, m, "a list of arguments");
    return read_json(m, &p->m->initargs);
}

static const char *const forms[] = {"json", "text", "base64", NULL};
static const char forms_what[] = "\"json\", \"text\" or \"base64\"";

static int read_input(struct parse *p, const struct member *m)
{
    int which = 0, result = read_word(&p->reader, m, forms, forms_what, &which);
    p->m->input = (enum manifest_form)which;
    return result;
}

static int read_output(struct parse *p, const struct member *m)
{
    int which = 0, result = read_word(&p->reader, m, forms, forms_what, &which);
    p->m->output = (enum manifest_form)which;
    return result;
}

static int read_directory(struct parse *p, const struct member *m)
{
    return read_text(&p->reader, m, "a path", PATH_MAX - 1, &p->m->directory);
}

static int read_environment(struct parse *p, const struct member *m)
{
    static const char what[] = "a list of \"NAME\" (passed on) or \"NAME=value\" (set)";
    if (read_texts(&p->reader, m, what, true, &p->m->environment))
        return -1;
    for (char **one = p->m->environment; *one; one++) {
        if (!variable_good(*one))
            return reader_wrong(&p->reader, m, "expected %s, got \"%.60s\"", what, *one);
        for (char **before = p->m->environment; before < one; before++)
            if (variables_same(*before, *one))
                return reader_wrong(&p->reader, m, "%.*s is here twice", (int)strcspn(*one, "="), *one);
    }
    return 0;
}

static int read_defaults(struct parse *p, const struct member *m)
{
    return rules_read(&p->reader, m, &p->m->defaults);
}

static int read_ceilings(struct parse *p, const struct member *m)
{
    return rules_read(&p->reader, m, &p->m->ceilings);
}

/* "output" is a key of its own as well. */
static bool is_limit(const struct member *m)
{
    return member_is(m, "memory") || member_is(m, "cpu") || member_is(m, "files");
}

static int read_limit(struct parse *p, const struct member *m)
{
    struct manifest_limits *limits = &p->m->limits;
    if (member_is(m, "memory"))
        return limits->memory ? 1 : read_size(&p->reader, m, MIB, LARGEST, &limits->memory);
    if (member_is(m, "cpu"))
        return limits->cpu_s ? 1 : read_count(&p->reader, m, 1, 365 * 86400, &limits->cpu_s);
    if (member_is(m, "files")) /* fewer and nothing starts */
        return limits->files ? 1 : read_count(&p->reader, m, 8, MANIFEST_COUNT_MAX, &limits->files);
    if (member_is(m, "output"))
        return limits->output ? 1 : read_size(&p->reader, m, 1, VALUE_BYTES_MAX, &limits->output);
    return reader_wrong(&p->reader, m, "no such limit; there are memory, cpu, files, output");
}

static int read_limits(struct parse *p, const struct member *m)
{
    struct scan_walk w;
    if (m->kind != SCAN_OBJECT)
        return reader_expected(&p->reader, m, "an object of limits");
    for (scan_enter(&w, (char *)(uintptr_t)m->value, p->reader.end, false); scan_next(&w);) {
        struct member limit = reader_member("limits", &w);
        int result = read_limit(p, &limit);
        if (result)
            return result > 0 ? reader_wrong(&p->reader, &limit, "is here twice") : -1;
    }
    return 0;
}

static int read_uint(struct parse *p, const struct member *m, uint32_t *to)
{
    int64_t value = 0;
    int result = read_count(&p->reader, m, 1, MANIFEST_COUNT_MAX, &value);
    *to = (uint32_t)value;
    return result;
}

static int read_concurrency(struct parse *p, const struct member *m)
{
    return read_uint(p, m, &p->m->concurrency);
}

static int read_max_tasks(struct parse *p, const struct member *m)
{
    return read_uint(p, m, &p->m->max_tasks_per_child);
}

static int read_max_rss(struct parse *p, const struct member *m)
{
    return read_size(&p->reader, m, MIB, LARGEST, &p->m->max_rss);
}

static int read_start_timeout(struct parse *p, const struct member *m)
{
    return read_seconds(&p->reader, m, 1, START_TIMEOUT_MOST_MS, &p->m->start_timeout_ms);
}

#define OF(kind) (1u << (kind))
enum { ALL = 1 << MANIFEST_EXEC | 1 << MANIFEST_RUNTIME | 1 << MANIFEST_PLUGIN };

static const struct {
    const char *name;
    int (*read)(struct parse *, const struct member *);
    unsigned kinds;
    bool of_language; /* only of the runtimes that have a launcher of ours */
} keys[KEYS] = {
    [KEY_CANONICAL] = {"canonical", read_mark, ALL, false},
    [KEY_SOURCE] = {"source", read_source, ALL, false},
    [KEY_FOLDER] = {"folder", read_folder, ALL, false},
    [KEY_NAME] = {"name", read_name, ALL, false},
    [KEY_SUMMARY] = {"summary", read_summary, ALL, false},
    [KEY_EXAMPLE] = {"example", read_example, ALL, false},
    [KEY_COMMAND] = {"command", read_command, OF(MANIFEST_EXEC), false},
    [KEY_RUNTIME] = {"runtime", read_runtime, OF(MANIFEST_RUNTIME), false},
    [KEY_PLUGIN] = {"plugin", read_plugin, OF(MANIFEST_PLUGIN), false},
    [KEY_MODULE] = {"module", read_module, OF(MANIFEST_RUNTIME), true},
    [KEY_INITIALIZER] = {"initializer", read_initializer, OF(MANIFEST_RUNTIME), true},
    [KEY_INITARGS] = {"initargs", read_initargs, OF(MANIFEST_RUNTIME) | OF(MANIFEST_PLUGIN), true},
    [KEY_INPUT] = {"input", read_input, OF(MANIFEST_EXEC), false},
    [KEY_OUTPUT] = {"output", read_output, OF(MANIFEST_EXEC), false},
    [KEY_DIRECTORY] = {"directory", read_directory, ALL, false},
    [KEY_ENVIRONMENT] = {"environment", read_environment, ALL, false},
    [KEY_DEFAULTS] = {"defaults", read_defaults, ALL, false},
    [KEY_CEILINGS] = {"ceilings", read_ceilings, ALL, false},
    [KEY_LIMITS] = {"limits", read_limits, ALL, false},
    [KEY_CONCURRENCY] = {"concurrency", read_concurrency, ALL, false},
    [KEY_MAX_TASKS_PER_CHILD] = {"max_tasks_per_child", read_max_tasks, OF(MANIFEST_RUNTIME) | OF(MANIFEST_PLUGIN),
                                 false},
    [KEY_MAX_RSS] = {"max_rss", read_max_rss, OF(MANIFEST_RUNTIME) | OF(MANIFEST_PLUGIN), false},
    [KEY_START_TIMEOUT] = {"start_timeout", read_start_timeout, OF(MANIFEST_RUNTIME) | OF(MANIFEST_PLUGIN), false},
};

/* A person who knows the option or the limit only forgot where it goes. */
static int unknown_key(struct parse *p, const struct member *m)
{
    if (rules_know(m))
        return reader_wrong(&p->reader, m, "no such key here; it goes into \"defaults\" or \"ceilings\"");
    if (is_limit(m))
        return reader_wrong(&p->reader, m, "no such key here; it goes into \"limits\"");
    return reader_wrong(&p->reader, m, "no such key (workers/README.md lists them)");
}

static int read_key(struct parse *p, const struct member *m)
{
    for (int key = p->canonical ? 0 : KEY_NAME; key < KEYS; key++) {
        if (!member_is(m, keys[key].name))
            continue;
        if (p->seen[key].key != NULL)
            return reader_wrong(&p->reader, m, "is here twice");
        p->seen[key] = *m;
        return keys[key].read(p, m);
    }
    return unknown_key(p, m);
}

static int read_keys(struct parse *p)
{
    struct scan_walk w;
    char *at = (char *)(uintptr_t)scan_space(p->reader.text, p->reader.end);
    if (*at != '{')
        return reader_fail(&p->reader, at, "expected an object");
    for (scan_enter(&w, at, p->reader.end, false); scan_next(&w);) {
        struct member m = reader_member(NULL, &w);
        if (read_key(p, &m))
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
        if (!(keys[key].kinds & OF(p->m->kind)))
            return reader_wrong(&p->reader, &p->seen[key], "not possible with %s",
                                p->m->kind == MANIFEST_EXEC ? "command" : manifest_kind_name(p->m->kind));
        if (keys[key].of_language && p->m->kind == MANIFEST_RUNTIME && p->m->language == LANGUAGE_NONE)
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
