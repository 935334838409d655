#include "manifest/manifest.h"

#include <stdlib.h>

#include "base/check.h"
#include "manifest/reader.h"

const char *manifest_kind_name(enum manifest_kind kind)
{
    static const char *const names[] = {
        [MANIFEST_EXEC] = "exec", [MANIFEST_RUNTIME] = "runtime", [MANIFEST_PLUGIN] = "plugin"};
    return names[kind];
}

struct manifest *manifest_ref(struct manifest *m)
{
    unsigned before = __atomic_fetch_add(&m->references, 1, __ATOMIC_RELAXED);
    CHECK(before > 0, "a manifest that is gone already");
    return m;
}

static void destroy(struct manifest *m)
{
    texts_free(&m->argv);
    texts_free(&m->environment);
    texts_free(&m->files.read);
    texts_free(&m->files.write);
    free(m->source);
    free(m->summary);
    free(m->example);
    free(m->text);
    free(m->module);
    free(m->initializer);
    free(m->initargs);
    free(m->plugin);
    free(m->directory);
    free(m->folder);
    free(m);
}

void manifest_unref(struct manifest **m)
{
    if (*m != NULL && __atomic_fetch_sub(&(*m)->references, 1, __ATOMIC_ACQ_REL) == 1)
        destroy(*m);
    *m = NULL;
}

const char *manifest_text(const struct manifest *m)
{
    return m->text;
}
