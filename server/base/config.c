#include "base/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define DAY INT64_C(86400)
#define LONGEST_NAME 64

/* base cannot see wire/limits.h: 8 MiB and 480 below are its ITEM_BYTES_MAX and PROCESSES_MAX. */

enum kind {
    KIND_TEXT,    /* char[] */
    KIND_ADDRESS, /* char[], HOST:PORT */
    KIND_LIST,    /* char[CONFIG_FUNCTIONS_MAX][…] and functions_count */
    KIND_FLAG,    /* bool */
    KIND_WORD,    /* an enum: the number of the word in `words` */
    KIND_COUNT,   /* unsigned or int64_t, like the following */
    KIND_SIZE,    /* bytes, with K M G */
    KIND_SECONDS, /* stored as seconds, written with ms s m h d */
    KIND_MS,      /* the same, stored as ms */
    KIND_FILE     /* --config itself: read before the others, not stored */
};

struct option {
    const char *name; /* "max-body": flag, file key, and variable with POOLD_ in front */
    enum kind kind;
    size_t offset, size;  /* of the field; size tells unsigned from int64_t and limits a text */
    int64_t least, most;  /* of numbers, in the unit of the field */
    const char *standard; /* the default, as a person would write it */
    const char *value;    /* what stands for the value in the help; NULL: the option is not shown */
    const char *help;
    const char *heading; /* a group of the help begins here */
    const char *const *words; /* of KIND_WORD, in the order of the enum; NULL at the end */
};

static const char *const level_words[] = {"error", "warning", "info", "debug", NULL};
static const char *const format_words[] = {"text", "json", NULL};
static const char *const sandbox_words[] = {"off", "auto", "strict", NULL};

#define FIELD(member) .offset = offsetof(struct config, member), .size = sizeof((struct config *)NULL)->member

/* One option in three lines, not ten: */
/* clang-format off */
static const struct option options[] = {
    {.heading = "Service", .name = "listen", .kind = KIND_ADDRESS, FIELD(listen), .standard = "127.0.0.1:8080",
     .value = "ADDR:PORT",
     .help = "Where to serve HTTP: 127.0.0.1:8080, [::1]:8080, 0.0.0.0:8080.\n"
             "Port 0 picks a free one; it is announced on stderr.\n"
             "Other than loopback needs --token-file."},
    {.name = "data", .kind = KIND_TEXT, FIELD(data), .standard = "./poold-data", .value = "DIR",
     .help = "Where jobs and results are kept; created when missing."},
    {.name = "processes", .kind = KIND_COUNT, FIELD(processes), .most = 480, .standard = "0", .value = "N",
     .help = "Worker processes in the pool; 0 = one for each CPU that\naffinity and cgroup allow."},
    {.name = "functions", .kind = KIND_LIST, FIELD(functions), .standard = "", .value = "DIR",
     .help = "A folder of function manifests (*.json). Repeat it for more;\nin the variable, separate with ':'."},
    {.name = "config", .kind = KIND_FILE, .standard = "", .value = "FILE",
     .help = "Read options from FILE: lines of `name = value`, with the\nnames of this list; # begins a comment."},
    {.name = "check", .kind = KIND_FLAG, FIELD(check), .standard = "false", .value = "",
     .help = "Only look whether the options and all manifests are right:\n"
             "prints a line for each manifest and exits with 0, or says\n"
             "what is wrong and exits with 78."},
    {.name = "backup", .kind = KIND_TEXT, FIELD(backup), .standard = "", .value = "FILE",
     .help = "Only copy the database of --data to FILE, whole and consistent,\nalso while another poold serves it, and exit."},
    {.name = "log-level", .kind = KIND_WORD, FIELD(log_level), .words = level_words, .standard = "info",
     .value = "LEVEL", .help = "error, warning, info or debug."},
    {.name = "log-format", .kind = KIND_WORD, FIELD(log_format), .words = format_words, .standard = "text",
     .value = "FORMAT", .help = "One line an event on stderr: text (key=value) or json."},

    {.heading = "Access", .name = "token-file", .kind = KIND_TEXT, FIELD(token_file), .standard = "", .value = "FILE",
     .help = "What clients must send as `Authorization: Bearer TOKEN`: a text of\n"
             "at least 32 bytes, or one on each line with its scopes, functions\n"
             "and limits (docs/security.md). SIGHUP reads it again."},
    {.name = "tls-cert", .kind = KIND_TEXT, FIELD(tls_cert), .standard = "", .value = "FILE",
     .help = "Serve HTTPS: the certificate with its chain, PEM. SIGHUP reads it\nagain."},
    {.name = "tls-key", .kind = KIND_TEXT, FIELD(tls_key), .standard = "", .value = "FILE",
     .help = "Its private key, PEM."},
    {.name = "allow-hosts", .kind = KIND_TEXT, FIELD(allow_hosts), .standard = "", .value = "NAME,...",
     .help = "Further names that clients may use for this service in the\n"
             "Host header, comma separated; others are refused."},

    {.heading = "Processes", .name = "grace", .kind = KIND_SECONDS, FIELD(grace_s), .most = DAY, .standard = "10s",
     .value = "TIME",
     .help = "On SIGTERM: how long running items may still finish."},
    {.name = "kill-grace", .kind = KIND_MS, FIELD(kill_grace_ms), .most = 600 * 1000, .standard = "2s",
     .value = "TIME",
     .help = "From SIGTERM to SIGKILL for a worker that must stop."},
    {.name = "hello-deadline", .kind = KIND_MS, FIELD(hello_deadline_ms), .least = 100, .most = 600 * 1000,
     .standard = "10s", .value = "TIME",
     .help = "A new worker that is silent for this long is replaced."},
    {.name = "idle-runtimes", .kind = KIND_COUNT, FIELD(idle_runtimes), .most = 64, .standard = "4", .value = "N",
     .help = "How many runtimes (Python, Node, ...) a worker keeps warm\nwhile they have nothing to do."},

    {.name = "sandbox", .kind = KIND_WORD, FIELD(sandbox), .words = sandbox_words, .standard = "auto",
     .value = "MODE",
     .help = "What functions are kept from (seccomp, Landlock; docs/security.md):\n"
             "auto: as far as the kernel can; strict: workers do not start\nwithout; off."},
    {.name = "worker-user", .kind = KIND_TEXT, FIELD(worker_user), .standard = "", .value = "USER",
     .help = "Started as root: the user that workers and functions run as (name\nor number). Without it they are root, too, and poold warns."},

    {.heading = "Storage", .name = "retention", .kind = KIND_SECONDS, FIELD(retention_s), .most = 36500 * DAY,
     .standard = "7d", .value = "TIME",
     .help = "How long finished jobs and their results are kept."},
    {.name = "min-free", .kind = KIND_SIZE, FIELD(min_free), .most = INT64_MAX, .standard = "64M", .value = "SIZE",
     .help = "With less free disk than this, submissions are refused (507)."},

    {.heading = "Limits", .name = "max-body", .kind = KIND_SIZE, FIELD(max_body), .least = KIB, .most = INT64_MAX,
     .standard = "64M", .value = "SIZE",
     .help = "Largest JSON body; an NDJSON body may be of any length."},
    {.name = "max-item", .kind = KIND_SIZE, FIELD(max_item), .least = 1, .most = 8 * MIB, .standard = "8M",
     .value = "SIZE",
     .help = "Largest single item, at most 8M."},
    {.name = "max-value", .kind = KIND_SIZE, FIELD(max_value), .least = 1, .most = 8 * MIB, .standard = "8M",
     .value = "SIZE",
     .help = "Largest result of one item, at most 8M."},
    {.name = "max-objects", .kind = KIND_SIZE, FIELD(max_objects), .least = MIB, .most = INT64_MAX,
     .standard = "256M", .value = "SIZE",
     .help = "Memory for what is in shared queues, dicts, lists and so on."},
    {.name = "max-connections", .kind = KIND_COUNT, FIELD(max_connections), .least = 8, .most = 1000000,
     .standard = "1024", .value = "N",
     .help = "Client connections at a time."},
    {.name = "max-connections-per-address", .kind = KIND_COUNT, FIELD(max_connections_per_address), .least = 1,
     .most = 1000000, .standard = "512", .value = "N",
     .help = "The same, from one address (of IPv6 one /64 network)."},
    {.name = "max-streams", .kind = KIND_COUNT, FIELD(max_streams), .least = 1, .most = 1000000, .standard = "512",
     .value = "N",
     .help = "Requests that stream or wait at a time."},
    {.name = "client-rate", .kind = KIND_COUNT, FIELD(client_rate), .most = 1000000, .standard = "0", .value = "N",
     .help = "Requests a second that one client (a token, or without tokens an\naddress) may make; 0 = any. Others get 429."},
    {.name = "client-jobs", .kind = KIND_COUNT, FIELD(client_jobs), .most = 1000000, .standard = "0", .value = "N",
     .help = "Unfinished jobs that one client may have; 0 = any."},
    {.name = "client-streams", .kind = KIND_COUNT, FIELD(client_streams), .most = 1000000, .standard = "0",
     .value = "N",
     .help = "Streams and waits that one client may hold; 0 = any."},
    {.name = "head-timeout", .kind = KIND_MS, FIELD(head_timeout_ms), .least = 10, .most = 3600 * 1000,
     .standard = "10s", .value = "TIME",
     .help = "A request's head must be complete in this time."},
    {.name = "body-timeout", .kind = KIND_MS, FIELD(body_timeout_ms), .least = 10, .most = 3600 * 1000,
     .standard = "60s", .value = "TIME",
     .help = "The longest silence within a request's body."},

    {.heading = "Testing", .name = "test-functions", .kind = KIND_FLAG, FIELD(test_functions), .standard = "false",
     .value = "",
     .help = "Allow the functions that crash, hang and leak on purpose.\nNever in production."},

    /* from poold to its children */
    {.name = "read-only", .kind = KIND_FLAG, FIELD(read_only), .standard = "false"},
};
/* clang-format on */
#define OPTIONS (sizeof options / sizeof options[0])

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
    for (size_t i = 0; i < OPTIONS; i++)
        if (strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0)
            return &options[i];
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
    for (size_t i = 0; i < OPTIONS; i++) {
        snprintf(p->where, sizeof p->where, "default of %s", options[i].name);
        int result = set_option(p, &options[i], FROM_DEFAULTS, options[i].standard);
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
    for (size_t i = 0; i < OPTIONS; i++) {
        char variable[LONGEST_NAME];
        variable_name(options[i].name, variable);
        const char *text = getenv(variable);
        if (text == NULL || text[0] == '\0')
            continue;
        snprintf(p->where, sizeof p->where, "%s", variable);
        if (set_option(p, &options[i], FROM_ENVIRONMENT, text) == -1)
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
    for (size_t i = 0; i < OPTIONS; i++) {
        if (options[i].heading != NULL)
            fprintf(out, "\n%s:\n", options[i].heading);
        if (options[i].value != NULL)
            print_option(out, &options[i]);
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
    for (size_t i = 0; i < OPTIONS; i++) {
        if (options[i].kind == KIND_LIST)
            append_list(&strings, config, &options[i]);
        else
            append_argument(&strings, config, &options[i]);
    }
    char **argv = make_argv(&strings);
    buf_free(&strings);
    return argv;
}
