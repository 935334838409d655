/* store_kit: short words for the tests of the store: open either backend, make rows, commit, read. */
#ifndef POOLD_TESTS_STORE_KIT_H
#define POOLD_TESTS_STORE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/store.h"

struct kit {
    char directory[64]; /* "" in memory */
    struct store *store;
    struct store_reader *reader;
};

int kit_open_memory(void **state);
int kit_open_sqlite(void **state);
int kit_close(void **state);
/* Closes and opens again (SQLite). */
void kit_reopen(struct kit *, bool read_only);
void kit_path(const struct kit *, const char *name, char path[128]);
/* A new directory under TMPDIR; and away with it and its files. */
void kit_make_directory(char path[64]);
void kit_remove_directory(const char *path);

#define KIT_CREATED INT64_C(1700000000000)

/* A write whose `done` leaves it to the test. */
struct store_write *kit_write(void);
struct job_view kit_job(int64_t seq, enum job_state);
struct store_op *kit_put_job(struct store_write *, const struct job_view *);
struct store_op *kit_update_job(struct store_write *, const struct job_view *);
/* Items "F" … as numbers; results {"index":F,"value":F*2}. */
void kit_put_chunk(struct store_write *, int64_t seq, uint32_t first, uint32_t count);
void kit_put_result(struct store_write *, int64_t seq, uint32_t position, uint32_t first, uint32_t count);
void kit_put_cancelled(struct store_write *, int64_t seq, uint32_t position, uint32_t first, uint32_t count);
void kit_put_attempt(struct store_write *, int64_t seq, uint32_t index, uint32_t number, enum failure);
void kit_put_output(struct store_write *, int64_t seq, uint32_t index, uint32_t stream, const char *text);
struct blob *kit_lines(uint32_t first, uint32_t count, bool results);
/* Puts it, turns the store, frees it, returns its status. */
enum store_status kit_commit(struct kit *, struct store_write *);
/* Puts a job of `items` items and commits. */
void kit_have_job(struct kit *, int64_t seq, uint32_t items);
enum store_status kit_job_status(struct kit *, int64_t seq, int64_t now_ms);
struct store_reap kit_reap(struct kit *, int64_t now_ms, unsigned rows);

#endif
