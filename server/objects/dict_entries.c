#include "objects/dict_entries.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objects/version.h"

enum { ROW_HEAD = 8 + 4 }; /* version, length of the key */

/* ---- entries ---- */

static size_t cost(size_t key_length, size_t length)
{
    return OBJECT_COST(struct entry, key_length) + 16 + length;
}

size_t dict_count(const struct dict *dict)
{
    return HASH_COUNT(dict->entries);
}

struct entry *dict_find(const struct dict *dict, const char *key, size_t length)
{
    struct entry *entry;
    HASH_FIND(hh, dict->entries, key, length, entry);
    return entry;
}

struct entry *dict_last(const struct dict *dict)
{
    UT_hash_table *table = dict->entries ? dict->entries->hh.tbl : NULL;
    return table ? (struct entry *)ELMT_FROM_HH(table, table->tail) : NULL;
}

static char *copy(const char *text, size_t length)
{
    char *bytes = malloc(length ? length : 1);
    CHECK(bytes, "out of memory for %zu bytes", length);
    memcpy(bytes, text, length);
    return bytes;
}

static void write_entry(struct dict *dict, const struct entry *entry)
{
    struct entry_key key = entry_key('e', entry->sequence);
    buf_clear(&dict->row, 64 * 1024);
    char *head = buf_reserve(&dict->row, ROW_HEAD);
    version_write(head, entry->version);
    for (unsigned i = 0; i < 4; i++)
        head[8 + i] = (char)(unsigned char)(entry->key_length >> (8 * (3 - i)));
    dict->row.length = ROW_HEAD;
    buf_append(&dict->row, entry->key, entry->key_length);
    buf_append(&dict->row, entry->text, entry->length);
    object_entry_put(&dict->object, &key, sizeof key, dict->row.data, dict->row.length);
}

static struct entry *add_entry(struct dict *dict, const char *key, size_t key_length, const char *text, size_t length)
{
    struct entry *entry = calloc(1, sizeof *entry + key_length);
    CHECK(entry, "out of memory for a key");
    memcpy(entry->key, key, key_length);
    entry->key_length = (uint32_t)key_length;
    entry->text = copy(text, length);
    entry->length = (uint32_t)length;
    entry->sequence = ++dict->sequence;
    HASH_ADD_KEYPTR(hh, dict->entries, entry->key, key_length, entry);
    object_account(&dict->object, (ptrdiff_t)cost(key_length, length));
    return entry;
}

static void change_entry(struct dict *dict, struct entry *entry, const char *text, size_t length)
{
    char *bytes = copy(text, length);
    free(entry->text);
    object_account(&dict->object, (ptrdiff_t)length - (ptrdiff_t)entry->length);
    entry->text = bytes;
    entry->length = (uint32_t)length;
}

static void free_entry(struct dict *dict, struct entry *entry)
{
    HASH_DELETE(hh, dict->entries, entry);
    free(entry->text);
    free(entry);
}

/* All that sets ends here. The room for it is known to be there. */
struct entry *dict_put(struct dict *dict, const char *key, size_t key_length, const char *text, size_t length)
{
    struct entry *entry = dict_find(dict, key, key_length);
    if (entry)
        change_entry(dict, entry, text, length);
    else
        entry = add_entry(dict, key, key_length, text, length);
    entry->version = version_next(&dict->object, &dict->reserved);
    write_entry(dict, entry);
    return entry;
}

void dict_drop(struct dict *dict, struct entry *entry)
{
    struct entry_key key = entry_key('e', entry->sequence);
    object_entry_drop(&dict->object, &key, sizeof key);
    version_next(&dict->object, &dict->reserved);
    object_account(&dict->object, -(ptrdiff_t)cost(entry->key_length, entry->length));
    free_entry(dict, entry);
}

/* ---- checks ---- */

enum object_status dict_no_key(struct object_call *call, const char *key)
{
    return call_problem(call, OBJECT_NO_ENTRY, "there is no key %.*s", 120, key);
}

enum object_status dict_key_fits(struct object_call *call, const char *key, size_t length)
{
    if (length == 0)
        return call_problem(call, OBJECT_INVALID, "a key must not be empty");
    if (length > OBJECT_KEY_MAX)
        return call_problem(call, OBJECT_LIMIT, "a key has %zu bytes, at most %d may be", length, OBJECT_KEY_MAX);
    return memchr(key, '\0', length) ? call_problem(call, OBJECT_INVALID, "a key must not contain U+0000") : OBJECT_OK;
}

/* Whether `added` new keys and so many bytes more may come. */
enum object_status dict_fits(struct dict *dict, struct object_call *call, size_t added, size_t bytes)
{
    if (dict_count(dict) + added > OBJECT_ELEMENTS_MAX)
        return call_problem(call, OBJECT_LIMIT, "dict %s has %zu keys, at most %d may be", dict->object.name,
                            dict_count(dict), OBJECT_ELEMENTS_MAX);
    return object_room(&dict->object, call, bytes);
}

size_t dict_growth(const struct entry *old, size_t key_length, size_t length)
{
    return !old ? cost(key_length, length) : length > old->length ? length - old->length : 0;
}

/* ---- coming back and going ---- */

int dict_restore_entry(struct object *object, const char *key, size_t key_length, const char *value, size_t length,
                       struct error *error)
{
    struct dict *dict = dict_of(object);
    if (version_restore(object, &dict->reserved, key, key_length, value, length))
        return 0;
    if (key_length != ENTRY_KEY_SIZE || key[0] != 'e' || length < ROW_HEAD)
        return error_set(error, "dict %s has an entry that is none", object->name);
    size_t name_length = 0;
    for (unsigned i = 8; i < ROW_HEAD; i++)
        name_length = name_length << 8 | (unsigned char)value[i];
    if (name_length == 0 || name_length >= length - ROW_HEAD || dict_find(dict, value + ROW_HEAD, name_length))
        return error_set(error, "dict %s has an entry with a bad key", object->name);
    struct entry *entry =
        add_entry(dict, value + ROW_HEAD, name_length, value + ROW_HEAD + name_length, length - ROW_HEAD - name_length);
    entry->sequence = dict->sequence = entry_key_number(key);
    entry->version = version_read(value);
    return 0;
}

void dict_release(struct object *object)
{
    struct dict *dict = dict_of(object);
    struct entry *entry, *next;
    HASH_ITER(hh, dict->entries, entry, next)
    {
        free_entry(dict, entry);
    }
    buf_free(&dict->row);
}
