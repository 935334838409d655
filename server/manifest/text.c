/* Canonical JSON: every key that says something, in one order, on one line. What is left out is what leaving it out
 * means; "canonical", "source" and "folder" tell a parser that all paths are absolute already. */
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "manifest/parse.h"
#include "manifest/rules.h"

static void put_key(struct buf *b, const char *key)
{
    buf_printf(b, "%s\"%s\":", b->data[b->length - 1] == '{' ? "" : ",", key);
}

static void put_text(struct buf *b, const char *key, const char *text)
{
    if (text == NULL)
        return;
    put_key(b, key);
    buf_append_json_string(b, text, strlen(text));
}

static void put_json(struct buf *b, const char *key, const char *json)
{
    if (json == NULL)
        return;
    put_key(b, key);
    buf_append_text(b, json);
}

static void put_texts(struct buf *b, const char *key, char *const *texts)
{
    put_key(b, key);
    buf_append_char(b, '[');
    for (char *const *text = texts; *text != NULL; text++) {
        if (text != texts)
            buf_append_char(b, ',');
        buf_append_json_string(b, *text, strlen(*text));
    }
    buf_append_char(b, ']');
}

static void put_number(struct buf *b, const char *key, int64_t number)
{
    if (number == 0)
        return;
    put_key(b, key);
    buf_printf(b, "%" PRId64, number);
}

static void put_kind(struct buf *b, const struct manifest *m)
{
    static const char *const forms[] = {"json", "text", "base64"};
    if (m->kind == MANIFEST_PLUGIN) {
        put_text(b, "plugin", m->plugin);
        put_json(b, "initargs", m->initargs);
    } else if (m->kind == MANIFEST_EXEC) {
        put_texts(b, "command", m->argv);
        put_text(b, "input", forms[m->input]);
        put_text(b, "output", forms[m->output]);
    } else if (m->language == LANGUAGE_NONE) {
        put_texts(b, "runtime", m->argv);
    } else {
        put_text(b, "runtime", m->language == LANGUAGE_PYTHON ? "python" : "node");
        put_text(b, "module", m->module);
        put_text(b, "initializer", m->initializer);
        put_json(b, "initargs", m->initargs);
    }
    if (m->kind != MANIFEST_EXEC) {
        put_key(b, "start_timeout");
        write_seconds(b, m->start_timeout_ms);
    }
}

static void put_rules(struct buf *b, const char *key, const struct manifest_rules *rules)
{
    if (rules->given == 0)
        return;
    put_key(b, key);
    rules_write(rules, b);
}

static void put_limits(struct buf *b, const struct manifest_limits *limits)
{
    if (!(limits->memory | limits->cpu_s | limits->files | limits->output))
        return;
    put_key(b, "limits");
    buf_append_char(b, '{');
    put_number(b, "memory", limits->memory);
    put_number(b, "cpu", limits->cpu_s);
    put_number(b, "files", limits->files);
    put_number(b, "output", limits->output);
    buf_append_char(b, '}');
}

static void put_files(struct buf *b, const struct manifest_files *files)
{
    if (!files->given)
        return;
    put_key(b, "files");
    buf_append_char(b, '{');
    put_texts(b, "read", files->read);
    put_texts(b, "write", files->write);
    buf_append_char(b, '}');
}

void text_make(struct manifest *m)
{
    struct buf b = BUF_EMPTY;
    buf_append(&b, CANONICAL_MARK, sizeof CANONICAL_MARK - 2); /* put_key brings the comma */
    put_text(&b, "source", m->source);
    put_text(&b, "folder", m->folder);
    put_text(&b, "name", m->name);
    put_text(&b, "summary", m->summary);
    put_json(&b, "example", m->example);
    put_kind(&b, m);
    put_text(&b, "directory", m->directory);
    if (m->environment[0] != NULL)
        put_texts(&b, "environment", m->environment);
    put_rules(&b, "defaults", &m->defaults);
    put_rules(&b, "ceilings", &m->ceilings);
    put_limits(&b, &m->limits);
    put_files(&b, &m->files);
    put_number(&b, "concurrency", m->concurrency);
    put_number(&b, "max_tasks_per_child", m->max_tasks_per_child);
    put_number(&b, "max_rss", m->max_rss);
    buf_append_char(&b, '}');
    buf_cstr(&b);
    m->text = buf_steal(&b, NULL);
}
