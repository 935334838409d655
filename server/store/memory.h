/* memory: the store in memory, for tests: the same semantics as sqlite/, under one recursive mutex (the callbacks of a
 * reader may ask another question). Shared by memory.c (writes), memory_read.c, memory_object.c and memory_list.c only.
 */
#ifndef POOLD_STORE_MEMORY_H
#define POOLD_STORE_MEMORY_H

#include <pthread.h>
#include <uthash.h>

#include "store/store_backend.h"

/* Things by key, ascending; of equal keys the older first. */
struct memory_list {
    struct memory_entry {
        uint32_t key;
        void *value;
    } * entries;
    size_t count, capacity;
};
void memory_list_insert(struct memory_list *, uint32_t key, void *value);
/* How many entries have a key ≤ `key`: the index of the first beyond. */
size_t memory_list_after(const struct memory_list *, uint32_t key);
/* Removes the entry at `index` and returns its value. */
void *memory_list_remove(struct memory_list *, size_t index);

struct memory_row { /* a chunk or a result */
    uint32_t position, first, count, failed;
    struct blob *bytes, *origins;
};
struct memory_output {
    uint32_t index, attempt, stream;
    struct blob *bytes;
};
struct memory_job {
    struct job_view view;
    bool deleted;
    char *key;
    uint64_t fingerprint;
    struct memory_list chunks;   /* memory_row by first */
    struct memory_list results;  /* memory_row by position: owns them */
    struct memory_list places;   /* the same by first */
    struct memory_list attempts; /* store_attempt by index, then age */
    struct memory_list outputs;  /* memory_output by serial number */
    uint32_t serial;
};

struct memory_object_entry {
    UT_hash_handle hh;
    size_t key_length, length;
    char *value;
    char key[];
};
struct memory_object {
    UT_hash_handle hh;
    int64_t id;
    uint32_t kind;
    char *name; /* NULL: dropped */
    char *config;
    size_t length;
    struct memory_object_entry *entries;
};

struct memory_store {
    struct store_backend backend;
    pthread_mutex_t mutex;
    struct memory_list jobs; /* by seq */
    int64_t last_seq;
    struct memory_object *objects;
};

/* The job, deleted or not, or NULL. Call with the mutex held. */
struct memory_job *memory_job_find(struct memory_store *, int64_t seq);
/* The row of a list by start that holds `n`, or NULL. */
struct memory_row *memory_row_holding(const struct memory_list *, uint32_t n);

/* memory_object.c; call with the mutex held. */
void memory_object_execute(struct memory_store *, const struct store_op *);
/* Removes entries of dropped objects and counts them off. */
void memory_objects_reap(struct memory_store *, unsigned *left);
void memory_objects_free(struct memory_store *);
enum store_status memory_read_objects(struct memory_store *,
                                      bool (*)(void *, int64_t, uint32_t, const char *, const char *, size_t), void *);
enum store_status memory_read_entries(struct memory_store *, int64_t,
                                      bool (*)(void *, const char *, size_t, const char *, size_t), void *);

struct store_reader *memory_reader_open(struct store_backend *, struct error *);

#endif
