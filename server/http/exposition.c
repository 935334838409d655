#include "http/exposition.h"

#include <inttypes.h>
#include <stdio.h>

void exposition_family(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void exposition_one(struct buf *b, const char *name, const char *type, const char *help, double value)
{
    exposition_family(b, name, type, help);
    buf_printf(b, "%s %.15g\n", name, value);
}

static void put_label(struct buf *b, const char *label, const char *value)
{
    buf_printf(b, "%s=\"", label);
    for (; *value; value++) {
        if (*value == '\n') {
            buf_append_text(b, "\\n");
            continue;
        }
        if (*value == '\\' || *value == '"')
            buf_append_char(b, '\\');
        buf_append_char(b, *value);
    }
    buf_append_char(b, '"');
}

void exposition_sample(struct buf *b, const char *name, const char *label, const char *value, uint64_t number)
{
    buf_printf(b, "%s{", name);
    put_label(b, label, value);
    buf_printf(b, "} %" PRIu64 "\n", number);
}

void exposition_seconds(struct buf *b, const char *name, const char *label, const char *value, uint64_t ns)
{
    buf_printf(b, "%s{", name);
    put_label(b, label, value);
    buf_printf(b, "} %.15g\n", (double)ns / 1e9);
}

void exposition_sample_of_two(struct buf *b, const char *name, const char *label, const char *value, const char *second,
                              const char *second_value, uint64_t number)
{
    buf_printf(b, "%s{", name);
    put_label(b, label, value);
    buf_append_char(b, ',');
    put_label(b, second, second_value);
    buf_printf(b, "} %" PRIu64 "\n", number);
}

static void put_bucket(struct buf *b, const char *name, const char *label, const char *value, const char *bound,
                       uint64_t number)
{
    char bucket[128];
    snprintf(bucket, sizeof bucket, "%s_bucket", name);
    if (label)
        exposition_sample_of_two(b, bucket, label, value, "le", bound, number);
    else
        exposition_sample(b, bucket, "le", bound, number);
}

static void put_end(struct buf *b, const char *name, const char *label, const char *value, double sum, uint64_t count)
{
    struct buf labels = BUF_EMPTY;
    if (label) {
        buf_append_char(&labels, '{');
        put_label(&labels, label, value);
        buf_append_char(&labels, '}');
    }
    buf_printf(b, "%s_sum%s %.15g\n", name, buf_cstr(&labels), sum);
    buf_printf(b, "%s_count%s %" PRIu64 "\n", name, buf_cstr(&labels), count);
    buf_free(&labels);
}

void exposition_histogram(struct buf *b, const char *name, const char *label, const char *value,
                          const struct histogram *histogram)
{
    uint64_t count = 0;
    char bound[32];
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        count += histogram->counts[i];
        snprintf(bound, sizeof bound, "%.15g", (double)histogram_bounds[i] / 1e9);
        put_bucket(b, name, label, value, bound, count);
    }
    count += histogram->counts[HISTOGRAM_BOUNDS];
    put_bucket(b, name, label, value, "+Inf", count);
    put_end(b, name, label, value, (double)histogram->sum_ns / 1e9, count);
}
