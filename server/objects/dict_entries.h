/* dict_entries: the entries of a dict in memory and in the store; what dict.c and dict_many.c share.
 *
 * In memory an uthash table, which keeps the order of insertion itself. In the store an entry "e" + sequence per key
 * (so that they come back in order), holding version, key and value; a key that is set again keeps its place and so its
 * entry. An entry's version is the dict's own at its last change: a key that is deleted and made again never has an old
 * one. */
#ifndef POOLD_OBJECTS_DICT_ENTRIES_H
#define POOLD_OBJECTS_DICT_ENTRIES_H

#include "objects/kind.h"

struct entry {
    UT_hash_handle hh;
    uint64_t sequence, version;
    char *text; /* the value */
    uint32_t length, key_length;
    char key[];
};

struct dict {
    struct object object;
    struct entry *entries; /* uthash, in the order of insertion */
    uint64_t sequence;     /* of the newest */
    uint64_t reserved;     /* see version.h */
    struct buf row;        /* for what is written */
};

static inline struct dict *dict_of(struct object *object)
{
    return (struct dict *)object;
}

size_t dict_count(const struct dict *);
struct entry *dict_find(const struct dict *, const char *key, size_t length);
/* The one that was inserted last, or NULL. */
struct entry *dict_last(const struct dict *);

/* What the memory grows by when this key (`old`: as it is there, or NULL) gets a value of this length. */
size_t dict_growth(const struct entry *old, size_t key_length, size_t length);
/* OBJECT_OK, or INVALID or LIMIT. */
enum object_status dict_key_fits(struct object_call *, const char *key, size_t length);
/* Whether so many new keys and so many bytes may come: OBJECT_OK, LIMIT or NO_ROOM. */
enum object_status dict_fits(struct dict *, struct object_call *, size_t added, size_t bytes);

/* Sets, here and in the store; that it fits is known. */
struct entry *dict_put(struct dict *, const char *key, size_t key_length, const char *text, size_t length);
/* Deletes, here and in the store. */
void dict_drop(struct dict *, struct entry *);

/* Answers NO_ENTRY. */
enum object_status dict_no_key(struct object_call *, const char *key);

int dict_restore_entry(struct object *, const char *key, size_t key_length, const char *value, size_t length,
                       struct error *error);
void dict_release(struct object *);

/* ---- dict_many.c: operations ---- */

enum object_status dict_update(struct object *, struct object_call *, const struct arguments *);
enum object_status dict_keys(struct object *, struct object_call *, const struct arguments *);
enum object_status dict_values(struct object *, struct object_call *, const struct arguments *);
enum object_status dict_items(struct object *, struct object_call *, const struct arguments *);
enum object_status dict_length(struct object *, struct object_call *, const struct arguments *);
enum object_status dict_clear(struct object *, struct object_call *, const struct arguments *);

#endif
