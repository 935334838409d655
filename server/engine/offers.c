/* offers: what a runtime or plugin says that it can do. User code wrote it: names, sizes and syntax are checked here,
 * and what cannot be used is left out, with a line in the log – one odd name must not cost the others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "engine/functions.h"
#include "wire/scan.h"

enum { OFFERS_MAX = 1024, OFFERS_BYTES_MAX = 1 << 20, SUMMARY_BYTES_MAX = 1024, EXAMPLE_BYTES_MAX = 4096 };

/* One element of the list; pointers into its text, NULL when not given. */
struct offer {
    const char *name, *summary, *example;
    size_t name_length, summary_length, example_length;
};

static bool key_is(const struct scan_walk *member, const char *key)
{
    size_t length = (size_t)(member->key_end - member->key);
    return strlen(key) == length && memcmp(member->key, key, length) == 0;
}

static void read_member(struct offer *offer, const struct scan_walk *member)
{
    size_t length = (size_t)(member->value_end - member->value);
    if (key_is(member, "name") && member->kind == SCAN_STRING) {
        offer->name = member->value + 1;
        offer->name_length = length - 2;
    } else if (key_is(member, "summary") && member->kind == SCAN_STRING && length <= SUMMARY_BYTES_MAX) {
        offer->summary = member->value;
        offer->summary_length = length;
    } else if (key_is(member, "example") && length <= EXAMPLE_BYTES_MAX) {
        offer->example = member->value;
        offer->example_length = length;
    }
}

/* An object, or a name alone. */
static void read_offer(struct offer *offer, const struct scan_walk *element)
{
    struct scan_walk member;
    *offer = (struct offer){0};
    if (element->kind == SCAN_STRING) {
        offer->name = element->value + 1;
        offer->name_length = (size_t)(element->value_end - element->value) - 2;
    } else if (element->kind == SCAN_OBJECT) {
        for (scan_enter(&member, element->value, element->value_end, false); scan_next(&member);)
            read_member(offer, &member);
    }
}

static bool is_word(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* [A-Za-z_][A-Za-z0-9_]*; or the manifest's own name, whatever that looks like. */
static bool is_name(const struct definition *definition, const char *name, size_t length)
{
    const char *own = definition->manifest->name;
    if (strlen(own) == length && memcmp(own, name, length) == 0)
        return true;
    for (size_t i = 0; i < length; i++) {
        if (!is_word(name[i], i == 0))
            return false;
    }
    return length > 0;
}

/* The name by which it is called; false when there can be none. */
static bool full_name(const struct definition *definition, const struct offer *offer, char *name, size_t size)
{
    const char *own = definition->manifest->name;
    if (!offer->name || offer->name_length > FUNCTION_NAME_MAX || !is_name(definition, offer->name, offer->name_length))
        return false;
    bool same = strlen(own) == offer->name_length && memcmp(own, offer->name, offer->name_length) == 0;
    int length = same ? snprintf(name, size, "%s", own)
                      : snprintf(name, size, "%s.%.*s", own, (int)offer->name_length, offer->name);
    return length > 0 && (size_t)length < size;
}

static void set_text(char **slot, const char *text, size_t length)
{
    free(*slot);
    *slot = text ? strndup(text, length) : NULL;
    CHECK(*slot || !text, "out of memory");
}

/* True when it is a function of the definition's now. */
static bool take_one(struct core *core, struct definition *definition, const struct offer *offer)
{
    char name[FUNCTION_NAME_MAX + 1];
    if (!full_name(definition, offer, name, sizeof name)) {
        log_event(LOG_WARNING, "function.skipped",
                  "manifest=%s note=\"it offers a function that cannot be called: %.*s\"", definition->manifest->name,
                  (int)(offer->name_length < 100 ? offer->name_length : 100), offer->name ? offer->name : "");
        return false;
    }
    struct function *function = function_get(core, name);
    if (function->definition != definition) { /* another manifest has that very name */
        log_event(LOG_WARNING, "function.skipped", "manifest=%s function=%s note=\"%s defines it\"",
                  definition->manifest->name, name, function->definition ? function->definition->manifest->source : "");
        return false;
    }
    if (function->offered)
        return false; /* twice in one list */
    function->offered = function->known = true;
    set_text(&function->summary, offer->summary, offer->summary_length);
    set_text(&function->example, offer->example, offer->example_length);
    if (function->builtin)
        function_shadows(function);
    return true;
}

static void withdraw_all(struct core *core, const struct definition *definition)
{
    for (struct function *function = core->functions; function; function = function->hh.next) {
        if (function->definition == definition)
            function->offered = false;
    }
}

static void forget_withdrawn(struct core *core, const struct definition *definition)
{
    struct function *function, *next;
    HASH_ITER(hh, core->functions, function, next)
    {
        if (function->definition == definition)
            function_forget(core, function);
    }
}

static int take_list(struct core *core, struct definition *definition, char *text, size_t length, struct error *error)
{
    struct scan_walk element;
    struct offer offer;
    unsigned taken = 0, seen = 0;
    withdraw_all(core, definition);
    for (scan_enter(&element, text, text + length, false); scan_next(&element) && seen < OFFERS_MAX; seen++) {
        read_offer(&offer, &element);
        taken += take_one(core, definition, &offer);
    }
    forget_withdrawn(core, definition);
    if (seen == OFFERS_MAX)
        log_event(LOG_WARNING, "function.skipped", "manifest=%s note=\"only its first %d functions can be called\"",
                  definition->manifest->name, OFFERS_MAX);
    if (taken == 0)
        return error_set(error, "it offers no function that can be called");
    log_event(LOG_INFO, "function.ready", "manifest=%s functions=%u", definition->manifest->name, taken);
    return 0;
}

int offers_take(struct core *core, struct definition *definition, const char *json, size_t length, struct error *error)
{
    enum scan_kind kind;
    if (length == 0 || length > OFFERS_BYTES_MAX)
        return error_set(error, "its list of functions has %zu bytes", length);
    const char *end = scan_value(json, json + length, &kind, NULL);
    if (!end || end != json + length || kind != SCAN_ARRAY)
        return error_set(error, "its list of functions is no JSON array");
    char *copy = malloc(length);
    CHECK(copy, "out of memory");
    memcpy(copy, json, length);
    int result = take_list(core, definition, copy, length, error);
    free(copy);
    return result;
}
