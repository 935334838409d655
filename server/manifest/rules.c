#include "manifest/rules.h"

#include <inttypes.h>
#include <string.h>

#include "wire/limits.h"

enum rule_type { RULE_COUNT, RULE_MS, RULE_SECONDS, RULE_BOOL, RULE_ISOLATION };
/* What a value of 0 means. */
enum zero {
    IS_LEAST,    /* less than 1 */
    IS_NONE,     /* no limit, so beyond every ceiling */
    IS_AUTOMATIC /* whatever is allowed */
};

#define DAYS(n) (INT64_C(86400) * (n))
#define FIELD(member) offsetof(struct job_options, member)

static const struct rule {
    const char *name;
    unsigned bit; /* OPTION_… */
    enum rule_type type;
    size_t field;
    int64_t least, most; /* counts as they are; times in seconds */
    enum zero zero;
} rules[] = {
    {"timeout", OPTION_TIMEOUT, RULE_MS, FIELD(timeout_ms), 0, DAYS(365), IS_NONE},
    {"max_attempts", OPTION_MAX_ATTEMPTS, RULE_COUNT, FIELD(max_attempts), 1, 1000, IS_LEAST},
    {"backoff", OPTION_BACKOFF, RULE_MS, FIELD(backoff_ms), 0, DAYS(1), IS_LEAST},
    {"priority", OPTION_PRIORITY, RULE_COUNT, FIELD(priority), 0, 9, IS_LEAST},
    {"chunksize", OPTION_CHUNKSIZE, RULE_COUNT, FIELD(chunksize), 0, JOB_ITEMS_MAX, IS_AUTOMATIC},
    {"processes", OPTION_PROCESSES, RULE_COUNT, FIELD(processes), 0, WORKERS_MAX, IS_NONE},
    {"isolation", OPTION_ISOLATION, RULE_ISOLATION, FIELD(isolation), 0, 0, IS_LEAST},
    {"fail_fast", OPTION_FAIL_FAST, RULE_BOOL, FIELD(fail_fast), 0, 0, IS_LEAST},
    {"retention", OPTION_RETENTION, RULE_SECONDS, FIELD(retention_s), 0, DAYS(3650), IS_LEAST},
};

enum { RULES = sizeof rules / sizeof *rules };

/* ---- values, whatever their field ---- */

static int64_t get(const struct rule *rule, const struct job_options *options)
{
    const void *field = (const char *)options + rule->field;
    switch (rule->type) {
    case RULE_COUNT:
        return *(const uint32_t *)field;
    case RULE_MS:
    case RULE_SECONDS:
        return *(const int64_t *)field;
    case RULE_BOOL:
        return *(const bool *)field;
    case RULE_ISOLATION:
        return *(const enum isolation *)field;
    }
    return 0;
}

static void set(const struct rule *rule, struct job_options *options, int64_t value)
{
    void *field = (char *)options + rule->field;
    switch (rule->type) {
    case RULE_COUNT:
        *(uint32_t *)field = (uint32_t)value;
        return;
    case RULE_MS:
    case RULE_SECONDS:
        *(int64_t *)field = value;
        return;
    case RULE_BOOL:
        *(bool *)field = value != 0;
        return;
    case RULE_ISOLATION:
        *(enum isolation *)field = value ? ISOLATION_PROCESS : ISOLATION_POOL;
        return;
    }
}

void write_seconds(struct buf *b, int64_t ms)
{
    if (ms % 1000)
        buf_printf(b, "%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);
    else
        buf_printf(b, "%" PRId64, ms / 1000);
}

static void write_value(const struct rule *rule, int64_t value, struct buf *b)
{
    if (rule->type == RULE_BOOL)
        buf_append_text(b, value ? "true" : "false");
    else if (rule->type == RULE_ISOLATION)
        buf_append_text(b, value ? "\"process\"" : "\"pool\"");
    else if (rule->type == RULE_MS)
        write_seconds(b, value);
    else
        buf_printf(b, "%" PRId64, value);
}

void rules_write(const struct manifest_rules *set_of, struct buf *b)
{
    char before = '{';
    for (int i = 0; i < RULES; i++) {
        if (!(set_of->given & rules[i].bit))
            continue;
        buf_printf(b, "%c\"%s\":", before, rules[i].name);
        write_value(&rules[i], get(&rules[i], &set_of->options), b);
        before = ',';
    }
    buf_append_text(b, before == '{' ? "{}" : "}");
}

/* ---- reading ---- */

static int read_value(const struct reader *r, const struct member *m, const struct rule *rule, int64_t *value)
{
    static const char *const isolations[] = {"pool", "process", NULL};
    bool yes = false;
    int which = 0, result = 0;
    switch (rule->type) {
    case RULE_COUNT:
        return read_count(r, m, rule->least, rule->most, value);
    case RULE_MS:
        return read_seconds(r, m, rule->least * 1000, rule->most * 1000, value);
    case RULE_SECONDS:
        result = read_seconds(r, m, rule->least * 1000, rule->most * 1000, value);
        *value = (*value + 999) / 1000;
        return result;
    case RULE_BOOL:
        result = read_bool(r, m, &yes);
        *value = yes;
        return result;
    case RULE_ISOLATION:
        result = read_word(r, m, isolations, "\"pool\" or \"process\"", &which);
        *value = which;
        return result;
    }
    return -1;
}

static int unknown(const struct reader *r, const struct member *m)
{
    struct buf names = BUF_EMPTY;
    for (int i = 0; i < RULES; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", rules[i].name);
    int result = reader_wrong(r, m, "no such option here; there are %s", buf_cstr(&names));
    buf_free(&names);
    return result;
}

static const struct rule *find(const struct member *m)
{
    for (int i = 0; i < RULES; i++)
        if (member_is(m, rules[i].name))
            return &rules[i];
    return NULL;
}

bool rules_know(const struct member *m)
{
    return find(m) != NULL;
}

static int read_rule(const struct reader *r, const struct member *m, struct manifest_rules *to)
{
    const struct rule *rule = find(m);
    int64_t value = 0;
    if (rule == NULL)
        return unknown(r, m);
    if (to->given & rule->bit)
        return reader_wrong(r, m, "is here twice");
    if (read_value(r, m, rule, &value))
        return -1;
    if (value == 0 && rule->zero != IS_LEAST && strcmp(m->group, "ceilings") == 0)
        return reader_wrong(r, m, "0 is no ceiling; leave it out");
    to->given |= rule->bit;
    set(rule, &to->options, value);
    return 0;
}

int rules_read(const struct reader *r, const struct member *m, struct manifest_rules *to)
{
    char group[16];
    struct scan_walk w;
    size_t length = (size_t)(m->key_end - m->key);
    memcpy(group, m->key, length); /* "defaults" or "ceilings" */
    group[length] = '\0';
    *to = (struct manifest_rules){.options = job_options_default()};
    if (m->kind != SCAN_OBJECT)
        return reader_expected(r, m, "an object of job options");
    for (scan_enter(&w, (char *)(uintptr_t)m->value, r->end, false); scan_next(&w);) {
        struct member option = reader_member(group, &w);
        if (read_rule(r, &option, to))
            return -1;
    }
    return 0;
}

/* ---- comparing and applying ---- */

/* A ceiling on these is the one value that is allowed: there is no more and less. */
static bool is_choice(const struct rule *rule)
{
    return rule->type == RULE_BOOL || rule->type == RULE_ISOLATION;
}

static bool beyond(const struct rule *rule, int64_t value, int64_t ceiling)
{
    if (is_choice(rule))
        return value != ceiling;
    return value > ceiling || (rule->zero == IS_NONE && value == 0);
}

/* What nobody spoke about: the standard value, where that is within the ceiling; "no limit", "automatic" and "the
 * service's own" become the ceiling. */
static int64_t lowered(const struct rule *rule, int64_t standard, int64_t ceiling)
{
    bool open = standard < 0 || (standard == 0 && rule->zero != IS_LEAST);
    return open || beyond(rule, standard, ceiling) ? ceiling : standard;
}

static int over(const struct rule *rule, int64_t asked, int64_t ceiling, const char *whose, struct error *e)
{
    struct buf b = BUF_EMPTY;
    buf_printf(&b, "%s: ", rule->name);
    write_value(rule, asked, &b);
    if (asked == 0 && rule->zero == IS_NONE)
        buf_append_text(&b, " (no limit)");
    buf_append_text(&b, is_choice(rule) ? " is not possible, " : " is above the ceiling, ");
    buf_printf(&b, "%s allows %s", whose, is_choice(rule) ? "only " : "at most ");
    write_value(rule, ceiling, &b);
    int result = error_set(e, "%s", buf_cstr(&b));
    buf_free(&b);
    return result;
}

int rules_check(const struct reader *r, const struct member *defaults, const struct manifest_rules *standard,
                const struct manifest_rules *ceilings)
{
    struct scan_walk w;
    struct error why;
    for (scan_enter(&w, (char *)(uintptr_t)defaults->value, r->end, false); scan_next(&w);) {
        struct member m = reader_member("defaults", &w);
        const struct rule *rule = find(&m);
        int64_t value = get(rule, &standard->options), ceiling = get(rule, &ceilings->options);
        bool automatic = rule->zero == IS_AUTOMATIC && value == 0;
        if (!(ceilings->given & rule->bit) || automatic || !beyond(rule, value, ceiling))
            continue;
        over(rule, value, ceiling, "its own ceiling", &why);
        return reader_wrong(r, &m, "%s", why.text);
    }
    return 0;
}

static int apply(const struct manifest *m, const struct rule *rule, bool asked, struct job_options *options,
                 struct error *e)
{
    int64_t value = get(rule, options), ceiling = get(rule, &m->ceilings.options);
    if (!asked && m->defaults.given & rule->bit)
        value = get(rule, &m->defaults.options);
    if (m->ceilings.given & rule->bit) {
        bool automatic = rule->zero == IS_AUTOMATIC && value == 0;
        if (asked && !automatic && beyond(rule, value, ceiling))
            return over(rule, value, ceiling, m->name, e);
        value = lowered(rule, value, ceiling);
    }
    set(rule, options, value);
    return 0;
}

int manifest_apply(const struct manifest *m, unsigned asked, struct job_options *options, struct error *e)
{
    for (int i = 0; i < RULES; i++)
        if (apply(m, &rules[i], (asked & rules[i].bit) != 0, options, e))
            return -1;
    return 0;
}
