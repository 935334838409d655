/* dict_many: the operations of a dict that concern more than one key. */
#include "objects/dict_entries.h"
#include "objects/version.h"

/* ---- operations on many ---- */

/* The next member of "entries" with its key decoded; false at the end. */
static bool next_member(struct scan_walk *walk, struct buf *key)
{
    if (!scan_next(walk))
        return false;
    buf_clear(key, SIZE_MAX);
    buf_reserve(key, 1); /* an empty key is a pointer, too */
    text_decode(key, walk->key, walk->key_end);
    return true;
}

static enum object_status may_update(struct dict *dict, struct object_call *call, const struct argument *entries)
{
    struct scan_walk walk;
    struct buf key = BUF_EMPTY;
    size_t added = 0, bytes = 0; /* keys that come twice count twice: rare, and on the safe side */
    enum object_status status = OBJECT_OK;
    for (argument_walk(entries, &walk); status == OBJECT_OK && next_member(&walk, &key);) {
        const struct entry *old = dict_find(dict, key.data, key.length);
        status = dict_key_fits(call, key.data, key.length);
        added += !old;
        bytes += dict_growth(old, key.length, (size_t)(walk.value_end - walk.value));
    }
    buf_free(&key);
    return status == OBJECT_OK ? dict_fits(dict, call, added, bytes) : status;
}

enum object_status dict_update(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct dict *dict = dict_of(object);
    const struct argument *entries = argument(arguments, "entries");
    struct scan_walk walk;
    struct buf key = BUF_EMPTY;
    enum object_status status = version_matches(call, arguments, object->version);
    if (status == OBJECT_OK)
        status = may_update(dict, call, entries);
    if (status == OBJECT_OK)
        for (argument_walk(entries, &walk); next_member(&walk, &key);)
            dict_put(dict, key.data, key.length, walk.value, (size_t)(walk.value_end - walk.value));
    if (status == OBJECT_OK)
        call->version = object->version;
    buf_free(&key);
    return status;
}

enum object_status dict_length(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    (void)arguments;
    answer_integer(call, "length", (int64_t)dict_count(dict_of(object)));
    call->version = object->version;
    return OBJECT_OK;
}

enum object_status dict_clear(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    struct dict *dict = dict_of(object);
    struct entry *entry, *next;
    enum object_status status = version_matches(call, arguments, object->version);
    if (status != OBJECT_OK)
        return status;
    HASH_ITER(hh, dict->entries, entry, next)
    {
        dict_drop(dict, entry);
    }
    call->version = object->version;
    return OBJECT_OK;
}

/* ---- pages ---- */

enum part { KEYS = 1, VALUES = 2, ITEMS = KEYS | VALUES };

static void append_part(struct buf *out, const struct entry *entry, enum part part)
{
    if (part == ITEMS)
        buf_append_char(out, '[');
    if (part & KEYS)
        buf_append_json_string(out, entry->key, entry->key_length);
    if (part == ITEMS)
        buf_append_char(out, ',');
    if (part & VALUES)
        buf_append(out, entry->text, entry->length);
    if (part == ITEMS)
        buf_append_char(out, ']');
}

/* Appends from `entry` on until the limit or an answer's size is reached; returns the first that is left. */
static struct entry *append_page(struct buf *out, struct entry *entry, int64_t limit, enum part part)
{
    for (bool first = true; entry && limit > 0; entry = entry->hh.next, limit--, first = false) {
        size_t before = out->length;
        if (!first)
            buf_append_char(out, ',');
        append_part(out, entry, part);
        if (out->length > OBJECT_VALUE_MAX && !first) {
            out->length = before;
            return entry;
        }
    }
    return entry;
}

static void append_next(struct buf *out, const struct entry *rest)
{
    buf_append_text(out, "],\"next\":");
    const struct entry *last = rest->hh.prev;
    buf_append_json_string(out, last->key, last->key_length);
    buf_append_char(out, '}');
}

/* With `limit` a page, and "next" if there is more; without it all, or the advice to ask for pages. */
static enum object_status list_part(struct object *object, struct object_call *call, const struct arguments *arguments,
                                    enum part part)
{
    static const char *const names[] = {[KEYS] = "keys", [VALUES] = "values", [ITEMS] = "items"};
    const struct argument *after = argument(arguments, "after"), *limit = argument(arguments, "limit");
    struct entry *from = dict_of(object)->entries;
    if (limit->given && limit->integer < 1)
        return call_problem(call, OBJECT_INVALID, "argument \"limit\" must be at least 1");
    if (after->given && !(from = dict_find(dict_of(object), after->text, after->length)))
        return dict_no_key(call, after->text);
    if (after->given)
        from = from->hh.next;
    buf_printf(&call->answer, "{\"%s\":[", names[part]);
    const struct entry *rest = append_page(&call->answer, from, limit->given ? limit->integer : INT64_MAX, part);
    if (rest && !limit->given) {
        buf_clear(&call->answer, 0);
        return call_problem(call, OBJECT_LIMIT, "dict %s is too large for one answer: ask for pages with \"limit\"",
                            object->name);
    }
    if (rest)
        append_next(&call->answer, rest);
    else
        buf_append_text(&call->answer, "]}");
    call->version = object->version;
    return OBJECT_OK;
}

enum object_status dict_keys(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    return list_part(object, call, arguments, KEYS);
}

enum object_status dict_values(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    return list_part(object, call, arguments, VALUES);
}

enum object_status dict_items(struct object *object, struct object_call *call, const struct arguments *arguments)
{
    return list_part(object, call, arguments, ITEMS);
}
