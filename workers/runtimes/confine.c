/* confine: see confine.h. */
#include "runtimes/confine.h"

const struct sandbox_files *confine(struct sandbox_files *files, const struct manifest *manifest,
                                    const struct host *host)
{
    if (!manifest->files.given || host->landlock == 0)
        return NULL;
    *files =
        (struct sandbox_files){.abi = host->landlock,
                               .read = manifest->files.read,
                               .write = manifest->files.write,
                               .folders = {manifest->folder, manifest->directory, host->runtimes, host->call_program},
                               .shared = host->objects};
    return files;
}
