#include "base/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/config_table.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define LONGEST_NAME 64

/* From the weakest to the strongest. */
enum source { FROM_DEFAULTS, FROM_FILE, FROM_ENVIRONMENT, FROM_FLAGS };

struct parse {
    struct config *config;
    enum source list_source; /* --functions of a stronger source replace those of a weaker one */
    char where[1200];        /* "--max-body", "POOLD_MAX_BODY", "poold.conf:3: max-body" */
    char *message;
    size_t message_size;
};

static int fail(struct parse *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct parse *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(p->message, p->message_size, format, arguments);
    va_end(arguments);
    return -1;
}

static void *field_of(const struct config *config, const struct option *o)
{
    return (char *)(uintptr_t)config + o->offset;
}

static void variable_name(const char *name, char variable[LONGEST_NAME])
{
    int length = snprintf(variable, LONGEST_NAME, "POOLD_%s", name);
    for (int i = 0; i < length; i++)
        variable[i] = variable[i] == '-' ? '_' : (char)toupper((unsigned char)variable[i]);
}

static const struct option *find_option(const char *name, size_t length)
{
    for (size_t i = 0; i < config_option_count; i++)
        if (strlen(config_options[i].name) == length && memcmp(config_options[i].name, name, length) == 0)
            return &config_options[i];
    return NULL;
}

/* ---- values ---- */

struct unit {
    const char *suffix;
    int64_t factor;
};

static const struct unit size_units[] = {{"", 1}, {"K", KIB}, {"M", MIB}, {"G", 1024 * MIB}, {NULL, 0}};
static const struct unit time_units[] = {{"ms", 1},          {"", 1000},          {"s", 1000}, {"m", 60 * 1000},
                                         {"h", 3600 * 1000}, {"d", 86400 * 1000}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

/* Digits and one of the units, nothing else: no sign, no blank, no overflow. */
static int parse_number(const char *text, const struct unit *units, int64_t *number)
{
    if (!isdigit((unsigned char)text[0]))
        return -1;
    char *end;
    errno = 0;
    int64_t value = strtoll(text, &end, 10);
    if (errno != 0)
        return -1;
    for (const struct unit *u = units; u->suffix != NULL; u++)
        if (strcasecmp(end, u->suffix) == 0)
            return __builtin_mul_overflow(value, u->factor, number) ? -1 : 0;
    return -1;
}

static void print_size(char *text, size_t size, int64_t bytes)
{
    const char *units = "KMG";
    int unit = -1;
    while (unit < 2 && bytes > 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, size, unit < 0 ? "%lld" : "%lld%c", (long long)bytes, unit < 0 ? ' ' : units[unit]);
}

static void print_time(char *text, size_t size, int64_t ms)
{
    snprintf(text, size, ms % 1000 == 0 ? "%llds" : "%lldms", (long long)(ms % 1000 == 0 ? ms / 1000 : ms));
}

/* A number in the unit of its field, as a person writes it. */
static void print_number(const struct option *o, int64_t number, char *text, size_t size)
{
    if (o->kind == KIND_SIZE)
        print_size(text, size, number);
    else if (o->kind == KIND_SECONDS)
        print_time(text, size, number * 1000);
    else if (o->kind == KIND_MS)
        print_time(text, size, number);
    else
        snprintf(text, size, "%lld", (long long)number);
}

static int set_number(struct parse *p, const struct option *o, const char *text)
{
    const struct unit *units = o->kind == KIND_SIZE ? size_units : o->kind == KIND_COUNT ? no_units : time_units;
    const char *expected = o->kind == KIND_SIZE    ? "a size such as 512K, 64M or 1G"
                           : o->kind == KIND_COUNT ? "a whole number"
                                                   : "a time such as 500ms, 10s, 5m, 12h or 7d";
    int64_t number;
    if (parse_number(text, units, &number) == -1)
        return fail(p, "%s: \"%.100s\" is not %s", p->where, text, expected);
    if (o->kind == KIND_SECONDS && number % 1000 != 0)
        return fail(p, "%s: \"%.100s\" is not a number of whole seconds", p->where, text);
    if (o->kind == KIND_SECONDS)
        number /= 1000;
    if (number < o->least || number > o->most) {
        char least[32], most[32];
        print_number(o, o->least, least, sizeof least);
        print_number(o, o->most, most, sizeof most);
        return fail(p, "%s: \"%.100s\" is out of range, expected %s to %s", p->where, text, least, most);
    }
    if (o->size == sizeof(int64_t))
        *(int64_t *)field_of(p->config, o) = number;
    else
        *(unsigned *)field_of(p->config, o) = (unsigned)number;
    return 0;
}

static int64_t get_number(const struct config *config, const struct option *o)
{
    if (o->size == sizeof(int64_t))
        return *(const int64_t *)field_of(config, o);
    return *(const unsigned *)field_of(config, o);
}

static int copy_text(struct parse *p, char *to, size_t size, const char *text)
{
    size_t length = strlen(text);
    if (length >= size)
        return fail(p, "%s: the text is %zu bytes long, at most %zu are possible", p->where, length, size - 1);
    memset(to, 0, size); /* no rest of an earlier value: equal configurations are equal bytes */
    memcpy(to, text, length);
    return 0;
}

/* The shape only; whether the address can be had is the system's answer to bind. */
static int set_address(struct parse *p, const struct option *o, const char *text)
{
    const char *colon = strrchr(text, ':');
    bool bare_v6 = colon != NULL && text[0] != '[' && memchr(text, ':', (size_t)(colon - text)) != NULL;
    bool open_v6 = colon != NULL && text[0] == '[' && colon[-1] != ']';
    int64_t port;
    if (colon == NULL || colon == text || bare_v6 || open_v6 || parse_number(colon + 1, no_units, &port) == -1 ||
        port > 65535)
        return fail(p, "%s: \"%.100s\" is not ADDR:PORT, such as 127.0.0.1:8080 or [::1]:8080", p->where, text);
    return copy_text(p, field_of(p->config, o), o->size, text);
}

static int add_to_list(struct parse *p, const char *text)
{
    struct config *c = p->config;
    if (text[0] == '\0')
        return 0;
    if (c->functions_count == CONFIG_FUNCTIONS_MAX)
        return fail(p, "%s: more than %d folders", p->where, CONFIG_FUNCTIONS_MAX);
    if (copy_text(p, c->functions[c->functions_count], sizeof c->functions[0], text) == -1)
        return -1;
    c->functions_count++;
    return 0;
}

/* An empty text clears what weaker sources have set: so can a child be given "none". */
static int set_list(struct parse *p, enum source source, const char *text)
{
    if (source != p->list_source || text[0] == '\0')
        p->config->functions_count = 0;
    p->list_source = source;
    if (source != FROM_ENVIRONMENT)
        return add_to_list(p, text);
    char part[sizeof p->config->functions[0] + 1];
    for (;; text++) {
        size_t length = strcspn(text, ":");
        snprintf(part, sizeof part, "%.*s", (int)(length < sizeof part ? length : sizeof part), text);
        if (add_to_list(p, part) == -1)
            return -1;
        text += length;
        if (*text == '\0')
            return 0;
    }
}

static int set_flag(struct parse *p, const struct option *o, const char *text)
{
    static const char *const words[2][4] = {{"false", "no", "off", "0"}, {"true", "yes", "on", "1"}};
    for (int value = 0; value < 2; value++) {
        for (int i = 0; i < 4; i++) {
            if (strcmp(text, words[value][i]) == 0) {
                *(bool *)field_of(p->config, o) = value == 1;
                return 0;
            }
        }
    }
    return fail(p, "%s: \"%.100s\" is neither true nor false", p->where, text);
}

static int set_word(struct parse *p, const struct option *o, const char *text)
{
    char all[128] = "";
    for (unsigned i = 0; o->words[i] != NULL; i++) {
        if (strcmp(text, o->words[i]) == 0) {
            *(unsigned *)field_of(p->config, o) = i; /* an enum without negative values is unsigned */
            return 0;
        }
        const char *between = i == 0 ? "" : o->words[i + 1] != NULL ? ", " : " or ";
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", between, o->words[i]);
    }
    return fail(p, "%s: \"%.100s\" is not %s", p->where, text, all);
}

/* The one place where a text becomes the value of an option, wherever it comes from. */
static int set_option(struct parse *p, const struct option *o, enum source source, const char *text)
{
    switch (o->kind) {
    case KIND_TEXT:
        return copy_text(p, field_of(p->config, o), o->size, text);
    case KIND_ADDRESS:
        return set_address(p, o, text);
    case KIND_LIST:
        return set_list(p, source, text);
    case KIND_FLAG:
        return set_flag(p, o, text);
    case KIND_WORD:
        return set_word(p, o, text);
    case KIND_COUNT:
    case KIND_SIZE:
    case KIND_SECONDS:
    case KIND_MS:
        return set_number(p, o, text);
    case KIND_FILE:
        return 0;
    }
    CHECK(false, "kind %d of --%s", (int)o->kind, o->name);
    return -1;
}

/* ---- sources ---- */

static int apply_defaults(struct parse *p)
{
    memset(p->config, 0, sizeof *p->config);
    for (size_t i = 0; i < config_option_count; i++) {
        snprintf(p->where, sizeof p->where, "default of %s", config_options[i].name);
        int result = set_option(p, &config_options[i], FROM_DEFAULTS, config_options[i].standard);
        CHECK(result == 0, "%s", p->message);
    }
    return 0;
}

static char *trim(char *text)
{
    text += strspn(text, " \t\r\n");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
        text[--length] = '\0';
    return text;
}

/* A # begins a comment at the start of a line or after a blank: paths and tokens may contain one. */
static void cut_comment(char *line)
{
    for (char *at = line; (at = strchr(at, '#')) != NULL; at++) {
        if (at == line || at[-1] == ' ' || at[-1] == '\t') {
            *at = '\0';
            return;
        }
    }
}

static int apply_line(struct parse *p, const char *file, int number, char *line)
{
    cut_comment(line);
    char *name = trim(line);
    if (name[0] == '\0')
        return 0;
    char *equals = strchr(name, '=');
    if (equals == NULL)
        return fail(p, "%s:%d: \"%.100s\" is not `name = value`", file, number, name);
    *equals = '\0';
    name = trim(name);
    const struct option *o = find_option(name, strlen(name));
    if (o == NULL || o->kind == KIND_FILE)
        return fail(p, "%s:%d: there is no option \"%.100s\" (see --help for their names)", file, number, name);
    snprintf(p->where, sizeof p->where, "%s:%d: %s", file, number, o->name);
    return set_option(p, o, FROM_FILE, trim(equals + 1));
}

static int apply_file(struct parse *p, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return fail(p, "--config: cannot read %s: %s", path, strerror(errno));
    char *line = NULL;
    size_t size = 0;
    int result = 0;
    errno = 0;
    for (int number = 1; result == 0 && getline(&line, &size, file) != -1; number++)
        result = apply_line(p, path, number, line);
    if (result == 0 && ferror(file)) /* a folder opens, but does not read */
        result = fail(p, "--config: cannot read %s: %s", path, strerror(errno));
    free(line);
    fclose(file);
    return result;
}

/* Variables that we do not know are left alone: Kubernetes makes POOLD_PORT and others of a service's
 * name. Empty counts as not set: compose files pass ${X:-}. */
static int apply_environment(struct parse *p)
{
    for (size_t i = 0; i < config_option_count; i++) {
        char variable[LONGEST_NAME];
        variable_name(config_options[i].name, variable);
        const char *text = getenv(variable);
        if (text == NULL || text[0] == '\0')
            continue;
        snprintf(p->where, sizeof p->where, "%s", variable);
        if (set_option(p, &config_options[i], FROM_ENVIRONMENT, text) == -1)
            return -1;
    }
    return 0;
}

/* Reads the flag at argv[*at] and moves *at to the last word that belongs to it. */
static int next_flag(struct parse *p, int argc, char **argv, int *at, const struct option **found, const char **text)
{
    const char *word = argv[*at];
    if (strncmp(word, "--", 2) != 0 || word[2] == '\0')
        return fail(p, "unexpected argument \"%.100s\" (options begin with --; see --help)", word);
    size_t length = strcspn(word + 2, "=");
    const struct option *o = find_option(word + 2, length);
    if (o == NULL)
        return fail(p, "there is no option \"%.*s\" (see --help)", (int)(length < 100 ? length + 2 : 102), word);
    snprintf(p->where, sizeof p->where, "--%s", o->name);
    *found = o;
    if (word[2 + length] == '=')
        *text = word + 2 + length + 1;
    else if (o->kind == KIND_FLAG)
        *text = "true"; /* never the next word: `--test-functions --data x` */
    else if (++*at < argc)
        *text = argv[*at];
    else
        return fail(p, "--%s: a value is missing, expected %s", o->name, o->value);
    return 0;
}

static int apply_flags(struct parse *p, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const struct option *o;
        const char *text;
        if (next_flag(p, argc, argv, &i, &o, &text) == -1 || set_option(p, o, FROM_FLAGS, text) == -1)
            return -1;
    }
    return 0;
}

/* The file must be known before the flags are applied, because they are stronger. --help and --version
 * win over whatever else is wrong. */
static enum config_result look_ahead(struct parse *p, int argc, char **argv, const char **file)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return CONFIG_HELP;
        if (strcmp(argv[i], "--version") == 0)
            return CONFIG_VERSION;
    }
    *file = getenv("POOLD_CONFIG");
    for (int i = 1; i < argc; i++) {
        const struct option *o;
        const char *text;
        if (next_flag(p, argc, argv, &i, &o, &text) == -1)
            return CONFIG_ERROR;
        if (o->kind == KIND_FILE)
            *file = text;
    }
    return CONFIG_OK;
}

enum config_result config_parse(struct config *config, int argc, char **argv, char *message, size_t message_size)
{
    struct parse p = {.config = config, .message = message, .message_size = message_size};
    const char *file = NULL;
    message[0] = '\0';
    apply_defaults(&p);
    enum config_result result = look_ahead(&p, argc, argv, &file);
    if (result != CONFIG_OK)
        return result;
    if (file != NULL && file[0] != '\0' && apply_file(&p, file) == -1)
        return CONFIG_ERROR;
    if (apply_environment(&p) == -1 || apply_flags(&p, argc, argv) == -1)
        return CONFIG_ERROR;
    return CONFIG_OK;
}

/* ---- help ---- */

static void print_option(FILE *out, const struct option *o)
{
    char variable[LONGEST_NAME], left[LONGEST_NAME];
    variable_name(o->name, variable);
    snprintf(left, sizeof left, "--%s%s%s", o->name, o->value[0] != '\0' ? " " : "", o->value);
    if (strlen(left) > 25)
        fprintf(out, "  %s\n%28s", left, "");
    else
        fprintf(out, "  %-26s", left);
    for (const char *at = o->help; *at != '\0'; at++) {
        fputc(*at, out);
        if (*at == '\n')
            fprintf(out, "%28s", "");
    }
    fprintf(out, "\n%28s[%s; default: %s]\n", "", variable, o->standard[0] != '\0' ? o->standard : "none");
}

void config_print_help(void *stream)
{
    FILE *out = stream;
    fputs("poold " POOLD_VERSION " - a pool of supervised processes behind plain HTTP\n"
          "\n"
          "Usage: poold [--NAME VALUE | --NAME=VALUE]...\n"
          "\n"
          "Start it, then send a function's name and a list:\n"
          "  poold --data /var/lib/poold --processes 4\n"
          "  curl 'http://127.0.0.1:8080/v1/jobs?wait=10' -d '{\"function\":\"square\",\"map\":[1,2,3]}'\n",
          out);
    for (size_t i = 0; i < config_option_count; i++) {
        if (config_options[i].heading != NULL)
            fprintf(out, "\n%s:\n", config_options[i].heading);
        if (config_options[i].value != NULL)
            print_option(out, &config_options[i]);
    }
    fputs("\n"
          "  --help, -h                This text.\n"
          "  --version                 The version.\n"
          "\n"
          "Each option may be given in three places: as a flag, as the variable in brackets, or in the\n"
          "--config file. A flag overrides the variable, the variable overrides the file.\n"
          "SIZE is a number of bytes or has a suffix: 512K, 64M, 1G. TIME is in seconds or has a suffix:\n"
          "500ms, 10s, 5m, 12h, 7d.\n"
          "\n"
          "SIGHUP: read the manifests, the tokens and the certificate again; what is wrong stays as it was.\n"
          "SIGTERM or SIGINT: accept no more, let running items finish for --grace, exit. What was\n"
          "accepted is on disk and goes on at the next start.\n",
          out);
}

/* ---- argv for the children ---- */

/* Appends "--name=value" and a NUL. Times are written in the field's own unit: print_number is exact. */
static void append_argument(struct buf *b, const struct config *config, const struct option *o)
{
    char number[32];
    const char *text = number;
    if (o->kind == KIND_TEXT || o->kind == KIND_ADDRESS) {
        text = field_of(config, o);
    } else if (o->kind == KIND_FLAG) {
        text = *(const bool *)field_of(config, o) ? "true" : "false";
    } else if (o->kind == KIND_WORD) {
        text = o->words[*(const unsigned *)field_of(config, o)];
    } else if (o->kind == KIND_FILE) {
        text = ""; /* what the file said is in the other flags; it may have changed by now */
    } else {
        print_number(o, get_number(config, o), number, sizeof number);
    }
    buf_printf(b, "--%s=%s", o->name, text);
    buf_append_char(b, '\0');
}

static void append_list(struct buf *b, const struct config *config, const struct option *o)
{
    for (unsigned i = 0; i < config->functions_count; i++) {
        buf_printf(b, "--%s=%s", o->name, config->functions[i]);
        buf_append_char(b, '\0');
    }
    if (config->functions_count == 0) { /* or the child would take its environment's */
        buf_printf(b, "--%s=", o->name);
        buf_append_char(b, '\0');
    }
}

/* All strings end to end, as one block of pointers and bytes. */
static char **make_argv(const struct buf *strings)
{
    size_t count = 0;
    for (size_t i = 0; i < strings->length; i++)
        count += strings->data[i] == '\0';
    char **argv = malloc((count + 1) * sizeof *argv + strings->length);
    CHECK(argv != NULL, "out of memory");
    char *bytes = (char *)(argv + count + 1);
    memcpy(bytes, strings->data, strings->length);
    for (size_t i = 0; i < count; i++, bytes += strlen(bytes) + 1)
        argv[i] = bytes;
    argv[count] = NULL;
    return argv;
}

char **config_to_argv(const struct config *config, const char *program)
{
    struct buf strings = BUF_EMPTY;
    buf_append(&strings, program, strlen(program) + 1);
    for (size_t i = 0; i < config_option_count; i++) {
        if (config_options[i].kind == KIND_LIST)
            append_list(&strings, config, &config_options[i]);
        else
            append_argument(&strings, config, &config_options[i]);
    }
    char **argv = make_argv(&strings);
    buf_free(&strings);
    return argv;
}
