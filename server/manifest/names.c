#include "manifest/names.h"

#include <string.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
#define DIGITS "0123456789"

bool name_good(const char *name, enum manifest_kind kind)
{
    const char *rest = kind == MANIFEST_EXEC ? LETTERS DIGITS "-." : LETTERS DIGITS "-";
    size_t length = strlen(name);
    return length > 0 && length <= MANIFEST_NAME_MAX && strchr(LETTERS, name[0]) != NULL &&
           strspn(name, rest) == length;
}

static size_t variable_length(const char *text)
{
    return strchr(text, '=') != NULL ? strcspn(text, "=") : strlen(text);
}

bool variable_good(const char *text)
{
    size_t length = variable_length(text);
    return length > 0 && strchr(LETTERS, text[0]) != NULL && strspn(text, LETTERS DIGITS) == length;
}

bool variables_same(const char *a, const char *b)
{
    size_t length = variable_length(a);
    return length == variable_length(b) && memcmp(a, b, length) == 0;
}

/* True when functions of `of` are called NAME.SOMETHING and `other` is one of these. */
static bool is_within(const struct manifest *other, const struct manifest *of)
{
    size_t length = strlen(of->name);
    return of->kind != MANIFEST_EXEC && strncmp(other->name, of->name, length) == 0 && other->name[length] == '.';
}

bool names_collide(const struct manifest *a, const struct manifest *b)
{
    return strcmp(a->name, b->name) == 0 || is_within(a, b) || is_within(b, a);
}
