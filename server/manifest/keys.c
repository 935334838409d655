#include "manifest/keys.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "manifest/names.h"
#include "manifest/rules.h"
#include "wire/limits.h"

enum { SUMMARY_MAX = 500, NAME_TEXT_MAX = 255, START_TIMEOUT_MOST_MS = 3600 * 1000, MANIFEST_COUNT_MAX = 1000000 };
#define MIB (INT64_C(1) << 20)
#define LARGEST (INT64_C(1) << 50) /* a PiB: a slip, not a limit */

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

static int read_paths(struct parse *p, const struct member *m, char ***paths)
{
    static const char what[] = "a list of paths";
    if (*paths != NULL)
        return reader_wrong(&p->reader, m, "is here twice");
    if (read_texts(&p->reader, m, what, true, paths))
        return -1;
    for (char **path = *paths; *path; path++)
        if (**path == '\0')
            return reader_expected(&p->reader, m, what);
    return 0;
}

static char **no_paths(void)
{
    char **none = calloc(1, sizeof *none);
    CHECK(none != NULL, "out of memory");
    return none;
}

static int read_files(struct parse *p, const struct member *m)
{
    struct manifest_files *files = &p->m->files;
    struct scan_walk w;
    if (m->kind != SCAN_OBJECT)
        return reader_expected(&p->reader, m,
                               "an object of \"read\" and \"write\" (their number goes into \"limits\")");
    for (scan_enter(&w, (char *)(uintptr_t)m->value, p->reader.end, false); scan_next(&w);) {
        struct member list = reader_member("files", &w);
        char ***paths = member_is(&list, "read") ? &files->read : member_is(&list, "write") ? &files->write : NULL;
        if (paths == NULL)
            return reader_wrong(&p->reader, &list, "no such key here; there are read, write");
        if (read_paths(p, &list, paths))
            return -1;
    }
    files->given = true;
    files->read = files->read ? files->read : no_paths();
    files->write = files->write ? files->write : no_paths();
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

enum { ALL = 1 << MANIFEST_EXEC | 1 << MANIFEST_RUNTIME | 1 << MANIFEST_PLUGIN };

const struct key_rule key_rules[KEYS] = {
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
    [KEY_FILES] = {"files", read_files, OF(MANIFEST_EXEC) | OF(MANIFEST_RUNTIME), false},
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

int key_read(struct parse *p, const struct member *m)
{
    for (int key = p->canonical ? 0 : KEY_NAME; key < KEYS; key++) {
        if (!member_is(m, key_rules[key].name))
            continue;
        if (p->seen[key].key != NULL)
            return reader_wrong(&p->reader, m, "is here twice");
        p->seen[key] = *m;
        return key_rules[key].read(p, m);
    }
    return unknown_key(p, m);
}
