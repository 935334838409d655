/* keys: one table says for each key how it is read and which kinds of manifest may have it. */
#ifndef POOLD_MANIFEST_KEYS_H
#define POOLD_MANIFEST_KEYS_H

#include "manifest/manifest.h"
#include "manifest/reader.h"

/* In the order in which they are checked. */
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
    KEY_FILES,
    KEY_CONCURRENCY,
    KEY_MAX_TASKS_PER_CHILD,
    KEY_MAX_RSS,
    KEY_START_TIMEOUT,
    KEYS
};

/* A manifest in the making. */
struct parse {
    struct reader reader;
    struct manifest *m;
    bool canonical;           /* the text is ours: see CANONICAL_MARK */
    char *name;               /* as given, or NULL */
    struct member seen[KEYS]; /* key NULL: not there */
};

#define OF(kind) (1u << (kind))

struct key_rule {
    const char *name;
    int (*read)(struct parse *, const struct member *);
    unsigned kinds;   /* OF(…) */
    bool of_language; /* of runtimes only those that have a launcher of ours */
};
extern const struct key_rule key_rules[KEYS];

/* Reads one member of the whole into p->m, and notes where it was. */
int key_read(struct parse *, const struct member *);

#endif
