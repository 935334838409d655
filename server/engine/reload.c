/* reload: reads the folders of manifests, at the start and whenever the operator says so (SIGHUP). They are small: the
 * engine thread reads them itself. */
#include "base/log.h"
#include "engine/thread.h"
#include "manifest/manifest.h"

struct manifest_set *engine_functions(const struct config *config, struct error *error)
{
    const char *folders[CONFIG_FUNCTIONS_MAX];
    for (unsigned i = 0; i < config->functions_count; i++)
        folders[i] = config->functions[i];
    return manifest_load(folders, config->functions_count, error);
}

void functions_reload(struct engine *engine)
{
    struct error error;
    struct manifest_set *set = engine_functions(engine->config, &error);
    if (!set) {
        log_event(LOG_ERROR, "functions.reload", "error=\"%s\" note=\"the functions stay as they were\"", error.text);
        core_functions_refused(&engine->core, error.text);
        return;
    }
    log_event(LOG_INFO, "functions.reload", "manifests=%u", set->count);
    core_functions(&engine->core, set);
    manifest_set_free(&set);
}
