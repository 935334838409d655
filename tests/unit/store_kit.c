#include "store_kit.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void kit_make_directory(char path[64])
{
    strcpy(path, "/tmp/poold-store-test-XXXXXX");
    assert_non_null(mkdtemp(path));
}

void kit_remove_directory(const char *path)
{
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char file[400];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(file), 0);
    }
    closedir(directory);
    rmdir(path);
}

void kit_path(const struct kit *kit, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", kit->directory, name);
}

int kit_open_memory(void **state)
{
    struct kit *kit = calloc(1, sizeof *kit);
    kit->store = store_open_memory();
    kit->reader = store_reader_open(kit->store, NULL);
    *state = kit;
    return kit->reader == NULL;
}

static void open_store(struct kit *kit, bool read_only)
{
    struct error error = {""};
    kit->store = store_open_sqlite(kit->directory, read_only, &error);
    assert_string_equal(error.text, "");
    assert_non_null(kit->store);
    kit->reader = store_reader_open(kit->store, &error);
    assert_string_equal(error.text, "");
    assert_non_null(kit->reader);
}

int kit_open_sqlite(void **state)
{
    struct kit *kit = calloc(1, sizeof *kit);
    kit_make_directory(kit->directory);
    open_store(kit, false);
    *state = kit;
    return 0;
}

void kit_reopen(struct kit *kit, bool read_only)
{
    store_reader_close(&kit->reader);
    store_close(&kit->store);
    open_store(kit, read_only);
}

int kit_close(void **state)
{
    struct kit *kit = *state;
    store_reader_close(&kit->reader);
    store_reader_close(&kit->reader); /* NULL is fine */
    store_close(&kit->store);
    store_close(&kit->store);
    if (kit->directory[0] != '\0')
        kit_remove_directory(kit->directory);
    free(kit);
    return 0;
}

static void leave(struct store_write *write)
{
    (void)write;
}

struct store_write *kit_write(void)
{
    struct store_write *write = store_write_new();
    write->done = leave;
    write->status = STORE_NOT_FOUND; /* to be overwritten */
    return write;
}

struct job_view kit_job(int64_t seq, enum job_state state)
{
    struct job_view view = {.seq = seq, .created_ms = KIT_CREATED + seq, .kind = JOB_MAP, .state = state};
    strcpy(view.function, "square");
    view.options = job_options_default();
    return view;
}

static struct store_op *put_view(struct store_write *write, enum store_op_type type, const struct job_view *view)
{
    struct store_op *op = store_write_add(write, type, view->seq);
    op->job = malloc(sizeof *view);
    *op->job = *view;
    return op;
}

struct store_op *kit_put_job(struct store_write *write, const struct job_view *view)
{
    return put_view(write, STORE_JOB_PUT, view);
}

struct store_op *kit_update_job(struct store_write *write, const struct job_view *view)
{
    return put_view(write, STORE_JOB_UPDATE, view);
}

struct blob *kit_lines(uint32_t first, uint32_t count, bool results)
{
    char *text = malloc((size_t)count * 48 + 1);
    size_t length = 0;
    for (uint32_t i = first; i < first + count; i++)
        length += (size_t)(results ? sprintf(text + length, "{\"index\":%u,\"value\":%u}\n", i, 2 * i)
                                   : sprintf(text + length, "%u\n", i));
    struct blob *blob = blob_new(text, length);
    free(text);
    return blob;
}

void kit_put_chunk(struct store_write *write, int64_t seq, uint32_t first, uint32_t count)
{
    struct store_op *op = store_write_add(write, STORE_CHUNK_PUT, seq);
    op->first = first;
    op->count = count;
    op->bytes = kit_lines(first, count, false);
}

void kit_put_result(struct store_write *write, int64_t seq, uint32_t position, uint32_t first, uint32_t count)
{
    struct store_op *op = store_write_add(write, STORE_RESULT_PUT, seq);
    op->position = position;
    op->first = first;
    op->count = count;
    op->bytes = kit_lines(first, count, true);
}

void kit_put_cancelled(struct store_write *write, int64_t seq, uint32_t position, uint32_t first, uint32_t count)
{
    struct store_op *op = store_write_add(write, STORE_RESULT_PUT, seq);
    op->position = position;
    op->first = first;
    op->count = count;
}

void kit_put_attempt(struct store_write *write, int64_t seq, uint32_t index, uint32_t number, enum failure failure)
{
    struct store_op *op = store_write_add(write, STORE_ATTEMPT_PUT, seq);
    op->first = index;
    op->attempt = calloc(1, sizeof *op->attempt);
    *op->attempt = (struct store_attempt){.number = number, .failure = failure, .exit_code = -1, .message = "oh"};
}

void kit_put_output(struct store_write *write, int64_t seq, uint32_t index, uint32_t stream, const char *text)
{
    struct store_op *op = store_write_add(write, STORE_OUTPUT_PUT, seq);
    op->first = index;
    op->stream = stream;
    op->bytes = blob_new(text, strlen(text));
    op->attempt = calloc(1, sizeof *op->attempt);
    op->attempt->number = 1;
}

enum store_status kit_commit(struct kit *kit, struct store_write *write)
{
    store_put_write(kit->store, write);
    assert_true(store_turn(kit->store));
    enum store_status status = write->status;
    store_write_free(&write);
    return status;
}

void kit_have_job(struct kit *kit, int64_t seq, uint32_t items)
{
    struct job_view view = kit_job(seq, JOB_READY);
    view.counts.total = items;
    struct store_write *write = kit_write();
    kit_put_job(write, &view);
    for (uint32_t first = 0; first < items; first += 10)
        kit_put_chunk(write, seq, first, items - first < 10 ? items - first : 10);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
}

enum store_status kit_job_status(struct kit *kit, int64_t seq, int64_t now_ms)
{
    struct job_view view;
    return store_read_job(kit->reader, seq, 0, now_ms, &view);
}

static void leave_reap(struct store_reap *reap)
{
    (void)reap;
}

struct store_reap kit_reap(struct kit *kit, int64_t now_ms, unsigned rows)
{
    struct store_reap reap = {.now_ms = now_ms, .rows = rows, .done = leave_reap};
    store_put_reap(kit->store, &reap);
    assert_true(store_turn(kit->store));
    return reap;
}
