/* Manifests: whatever is in a file, it is refused with a place, or its canonical text means the same. */
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "manifest/manifest.h"

static void check_error(const struct error *error)
{
    static const char source[] = "functions/f.json:";
    CHECK(strncmp(error->text, source, sizeof source - 1) == 0, "an error names its file: %s", error->text);
    CHECK(error->text[sizeof source - 1] > '0' && error->text[sizeof source - 1] <= '9', "and its line: %s",
          error->text);
}

static void check_same(const struct manifest *m)
{
    struct error error = {""};
    const char *text = manifest_text(m);
    CHECK(!strchr(text, '\n'), "it is one line");
    struct manifest *again = manifest_parse(text, strlen(text), "define", NULL, &error);
    CHECK(again, "%s refuses %s", error.text, text);
    CHECK(strcmp(manifest_text(again), text) == 0, "%s became %s", text, manifest_text(again));
    manifest_unref(&again);
}

static void check_apply(const struct manifest *m)
{
    struct job_options options = job_options_default();
    CHECK(manifest_apply(m, 0, &options, NULL) == 0, "what was not asked for is not refused");
    CHECK(options.max_attempts >= 1 && options.priority <= 9 && options.timeout_ms >= 0, "options stay in range");
    struct job_options asked = options;
    CHECK(manifest_apply(m, m->ceilings.given, &asked, NULL) == 0, "what came of it can be asked for");
    CHECK(memcmp(&asked, &options, sizeof asked) == 0, "and stays as it is");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct error error = {""};
    struct manifest *m = manifest_parse((const char *)bytes, length, "functions/f.json", "/srv/functions", &error);
    if (!m && strncmp((const char *)bytes, "{\"canonical\":1,", length < 15 ? length : 15) != 0)
        check_error(&error);
    if (m) {
        check_same(m);
        check_apply(m);
    }
    manifest_unref(&m);
    return 0;
}
