/* manifest: what an operator says of a function in a *.json file, as a checked value.
 *
 * One file is one manifest: an exec command (one function of that name), or a runtime or plugin (as many functions as
 * it tells of when it is loaded, each called NAME.FUNCTION – or NAME alone for the function that is called like its
 * manifest). The server reads the folders, the worker gets each manifest as the JSON text that manifest_text() made,
 * with all paths absolute: so a file that changes later changes nothing until a reload has found the whole set good.
 * workers/README.md is the reference for people. Immutable once made, reference counted. Any thread. */
#ifndef POOLD_MANIFEST_MANIFEST_H
#define POOLD_MANIFEST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/job.h"

enum { MANIFESTS_MAX = 256, MANIFEST_NAME_MAX = 64 };

enum manifest_kind { MANIFEST_EXEC, MANIFEST_RUNTIME, MANIFEST_PLUGIN };
const char *manifest_kind_name(enum manifest_kind); /* "exec" "runtime" "plugin" */

/* How an exec function gets its item and gives its value. */
enum manifest_form { FORM_JSON, FORM_TEXT, FORM_BASE64 };

struct manifest_rules {
    unsigned given;             /* OPTION_… (job.h) */
    struct job_options options; /* valid for the given ones */
};

/* 0 = no limit. */
struct manifest_limits {
    int64_t memory; /* bytes that the function's processes may hold together (resident) */
    int64_t cpu_s;  /* processor seconds of one item */
    int64_t files;  /* open files */
    int64_t output; /* bytes of one value; never above VALUE_BYTES_MAX */
};

/* All that its processes may touch of the file system, beside what every program needs (workers/sandbox/files.h). */
struct manifest_files {
    bool given;           /* else it is whatever their user may, and the rest is NULL */
    char **read, **write; /* absolute paths without links, NULL-terminated */
};

struct manifest {
    unsigned references;
    char name[MANIFEST_NAME_MAX + 1];
    enum manifest_kind kind;
    char *source;   /* the file it came from, for messages */
    char *summary;  /* one line, or NULL */
    char *example;  /* an item, as JSON text, or NULL */
    char *text;     /* itself as canonical JSON: see manifest_text */
    /* exec and runtime: argv, NULL-terminated. Of `"runtime": "python"|"node"` it is the interpreter alone, and
     * `language` says which launcher the worker puts behind it. A command with a '/' in it is absolute. */
    char **argv;
    enum manifest_form input, output; /* exec */
    enum { LANGUAGE_NONE, LANGUAGE_PYTHON, LANGUAGE_NODE } language;
    char *module;      /* python, node: what to import; the manifest's folder is searched first */
    char *initializer; /* runtime: name of a function, or NULL */
    char *initargs;    /* for it, or for a plugin's initialise: JSON array text, or NULL */
    char *plugin;      /* absolute path of the shared object */
    char *directory;   /* working directory, absolute; the manifest's folder unless given */
    char *folder;      /* the manifest's folder, absolute */
    char **environment; /* NULL-terminated; "NAME" is passed on from poold's own, "NAME=value" is set */
    struct manifest_rules defaults, ceilings;
    struct manifest_limits limits;
    struct manifest_files files;   /* exec, runtime */
    uint32_t concurrency;          /* items at once, each function for itself; 0 = no limit */
    uint32_t max_tasks_per_child;  /* runtime, plugin: a fresh process after so many items; 0 = never */
    int64_t max_rss;               /* runtime, plugin: a fresh process once it holds so many bytes; 0 = never */
    int64_t start_timeout_ms;      /* runtime, plugin: until it is ready; default 30000 */
};

struct manifest_set {
    unsigned count;
    struct manifest *list[MANIFESTS_MAX]; /* one reference each, sorted by name */
};

/* Reads every *.json of the folders (not below them). NULL with an error that names file, line and key when any is not
 * right, a name is there twice (also as NAME.FUNCTION of another), or a folder cannot be read: a set is all good or not
 * there. */
struct manifest_set *manifest_load(const char *const folders[], unsigned count, struct error *);
void manifest_set_free(struct manifest_set **);

/* One manifest from its text, as manifest_text gave it (then it knows its source, and the folder may be NULL) or as a
 * file holds it; relative paths are taken from `folder`. One reference. */
struct manifest *manifest_parse(const char *json, size_t length, const char *source, const char *folder,
                                struct error *);
struct manifest *manifest_ref(struct manifest *);
void manifest_unref(struct manifest **);
/* Canonical JSON, paths absolute; equal texts mean equal manifests. Owned by the manifest. */
const char *manifest_text(const struct manifest *);

/* Puts the defaults where the request said nothing, and the ceilings over both. `asked` says which options the request
 * gave (OPTION_…). 0, or -1 with an error that names the option, what was asked and the ceiling. "No limit" and
 * "automatic", asked by nobody, become the ceiling (no timeout, ceiling 60 s: 60 s); asked, no limit is above every
 * ceiling. Other standard values are held within it (max_attempts stays 1). A ceiling of isolation or fail_fast is the
 * one value that is possible. */
int manifest_apply(const struct manifest *, unsigned asked, struct job_options *, struct error *);

#endif
