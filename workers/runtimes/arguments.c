/* arguments: see arguments.h. No shell is involved: an item is part of one argument, whatever it holds. */
#include "runtimes/arguments.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "functions/function.h"
#include "runtimes/forms.h"
#include "wire/scan.h"

#define PLACE "{}"

/* Gives one text for each {}: the item, or one element of a starmap's after the other. */
struct source {
    enum manifest_form form;
    const char *item;
    size_t length;
    bool star;
    struct scan_walk walk;
    struct error *error;
};

static unsigned places_in(const char *argument)
{
    unsigned count = 0;
    for (; (argument = strstr(argument, PLACE)); argument += strlen(PLACE))
        count++;
    return count;
}

void arguments_begin(struct arguments *arguments, const struct manifest *manifest)
{
    size_t count = 1;
    *arguments = (struct arguments){.places = 0};
    for (; manifest->argv[count]; count++)
        arguments->places += places_in(manifest->argv[count]);
    arguments->argv = calloc(count + 1, sizeof *arguments->argv);
    arguments->starts = calloc(count + 1, sizeof *arguments->starts);
    CHECK(arguments->argv && arguments->starts, "out of memory");
}

/* ---- starmaps ---- */

static unsigned count_elements(const char *item, size_t length, struct scan_walk *last)
{
    unsigned count = 0;
    struct scan_walk walk;
    for (scan_enter(&walk, (char *)item, (char *)item + length, false); scan_next(&walk); count++)
        *last = walk;
    return count;
}

static int expect_elements(const struct source *source, unsigned places, struct scan_walk *last)
{
    if (source->item[0] != '[')
        return error_set(source->error, "expected an array of arguments, got %s", json_kind(source->item[0]));
    unsigned count = count_elements(source->item, source->length, last);
    if (count != places)
        return error_set(source->error, "takes %u argument%s, got %u", places, places == 1 ? "" : "s", count);
    return 0;
}

/* ---- {} ---- */

static int append_next(struct source *source, struct buf *text)
{
    const char *item = source->item;
    size_t length = source->length, before = text->length;
    if (source->star) {
        scan_next(&source->walk);
        item = source->walk.value;
        length = (size_t)(source->walk.value_end - source->walk.value);
    }
    if (form_read(source->form, item, length, text, source->error) == -1)
        return -1;
    if (text->length > before && memchr(text->data + before, '\0', text->length - before))
        return error_set(source->error, "the item has a NUL character in it, which no argument can have");
    return 0;
}

static int append_argument(struct source *source, const char *pattern, struct buf *text)
{
    for (const char *place; (place = strstr(pattern, PLACE)); pattern = place + strlen(PLACE)) {
        buf_append(text, pattern, (size_t)(place - pattern));
        if (append_next(source, text) == -1)
            return -1;
    }
    buf_append(text, pattern, strlen(pattern) + 1);
    return 0;
}

/* Pointers last: the text moves while it grows. */
static int fill(struct arguments *arguments, const struct manifest *manifest, struct source *source)
{
    for (size_t i = 1; manifest->argv[i]; i++) {
        arguments->starts[i] = arguments->text.length;
        if (places_in(manifest->argv[i]) > 0 && append_argument(source, manifest->argv[i], &arguments->text) == -1)
            return -1;
    }
    arguments->argv[0] = manifest->argv[0];
    for (size_t i = 1; manifest->argv[i]; i++)
        arguments->argv[i] =
            places_in(manifest->argv[i]) > 0 ? arguments->text.data + arguments->starts[i] : manifest->argv[i];
    return 0;
}

/* ---- stdin ---- */

/* As text or bytes an argument array makes no sense: it must hold exactly one. */
static int make_input(struct arguments *arguments, struct source *source)
{
    const char *item = source->item;
    size_t length = source->length;
    struct scan_walk only;
    if (source->star && source->form != FORM_JSON) {
        if (expect_elements(source, 1, &only) == -1)
            return -1;
        item = only.value;
        length = (size_t)(only.value_end - only.value);
    }
    return form_read(source->form, item, length, &arguments->input, source->error);
}

int arguments_make(struct arguments *arguments, const struct manifest *manifest, const char *item, size_t length,
                   bool star, struct error *error)
{
    struct source source = {.form = manifest->input, .item = item, .length = length, .star = star, .error = error};
    struct scan_walk last;
    buf_clear(&arguments->input, 1024 * 1024);
    buf_clear(&arguments->text, 1024 * 1024);
    if (star && arguments->places > 0) {
        if (expect_elements(&source, arguments->places, &last) == -1)
            return -1;
        scan_enter(&source.walk, (char *)item, (char *)item + length, false);
    }
    if (fill(arguments, manifest, &source) == -1)
        return -1;
    return arguments->places == 0 ? make_input(arguments, &source) : 0;
}

void arguments_free(struct arguments *arguments)
{
    free(arguments->argv);
    free(arguments->starts);
    buf_free(&arguments->text);
    buf_free(&arguments->input);
    *arguments = (struct arguments){.argv = NULL};
}
