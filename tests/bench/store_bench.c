/* store_bench: what the storage of items and results costs: chunk and result rows of various sizes, several a commit.
 *
 *     store_bench [DIRECTORY [ROUNDS]]
 *
 * One line a shape: items/s and µs of CPU (user + system, all threads) for each item with its result. Medians of
 * ROUNDS (5). W1 is the shape of a map of 100,000 integers; the final checkpoint is timed apart. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "store/store.h"

struct shape {
    const char *name;
    unsigned count;    /* items a row */
    unsigned width;    /* extra bytes of an item and of its value */
    unsigned together; /* chunk + result pairs a commit */
    unsigned rows;
    bool jobs; /* each row a job of its own: put, chunk, result and update in one transaction */
};

static const struct shape shapes[] = {
    {"1024 ints x 8", 1024, 0, 8, 98, false},   {"1024 ints x 1", 1024, 0, 1, 98, false},
    {"1024 ints x 32", 1024, 0, 32, 98, false}, {"1024 ints x 8, 1M", 1024, 0, 8, 976, false},
    {"256 ints x 32", 256, 0, 32, 390, false},  {"256 ints x 1", 256, 0, 1, 390, false},
    {"64 ints x 8", 64, 0, 8, 1560, false},     {"1 int x 1", 1, 0, 1, 4000, false},
    {"1 int x 1000", 1, 0, 1000, 50000, false}, {"1024 of 100 bytes x 8", 1024, 100, 8, 98, false},
    {"jobs x 1", 1, 0, 1, 4000, true},          {"jobs x 16", 1, 0, 16, 20000, true},
};

static double cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static struct blob *make_lines(const struct shape *shape, unsigned row, bool results)
{
    static char text[1 << 20];
    size_t length = 0;
    for (unsigned i = 0; i < shape->count; i++) {
        unsigned n = row * shape->count + i;
        length +=
            (size_t)(results ? sprintf(text + length, "{\"index\":%u,\"value\":%llu", n, (unsigned long long)n * n)
                             : sprintf(text + length, "%u", n));
        for (unsigned j = 0; j < shape->width; j++)
            text[length++] = '0';
        length += (size_t)sprintf(text + length, results ? "}\n" : "\n");
    }
    return blob_new(text, length);
}

static void drop(struct store_write *write)
{
    store_write_free(&write);
}

static void put_pair(struct store_write *write, const struct shape *shape, int64_t seq, unsigned row,
                     struct blob *items, struct blob *lines)
{
    struct store_op *chunk = store_write_add(write, STORE_CHUNK_PUT, seq);
    chunk->first = row * shape->count;
    chunk->count = shape->count;
    chunk->bytes = blob_ref(items);
    struct store_op *result = store_write_add(write, STORE_RESULT_PUT, seq);
    result->first = result->position = row * shape->count;
    result->count = shape->count;
    result->bytes = blob_ref(lines);
}

static void put_whole_job(struct store_write *write, const struct shape *shape, int64_t seq, struct blob *items,
                          struct blob *lines)
{
    struct job_view view = {.seq = seq, .created_ms = 1700000000000, .kind = JOB_APPLY, .state = JOB_READY};
    strcpy(view.function, "square");
    view.options = job_options_default();
    view.counts.total = 1;
    store_write_add(write, STORE_JOB_PUT, seq)->job = memcpy(malloc(sizeof view), &view, sizeof view);
    put_pair(write, shape, seq, 0, items, lines);
    view.state = JOB_SUCCEEDED;
    view.counts.succeeded = view.positions = 1;
    view.started_ms = view.ended_ms = view.created_ms + 1;
    view.expires_ms = view.created_ms + 604800000 + seq;
    store_write_add(write, STORE_JOB_UPDATE, seq)->job = memcpy(malloc(sizeof view), &view, sizeof view);
}

struct measure {
    double seconds, cpu, checkpoint, reading;
};

/* All results of a job through a new reader, in pages of 256 KiB; seconds. */
static double read_all(struct store *store, int64_t seq, unsigned items, bool input_order)
{
    struct store_reader *reader = store_reader_open(store, NULL);
    CHECK(reader != NULL, "no reader");
    int64_t began = clock_mono_ns();
    for (unsigned at = 0, count; at < items;) {
        struct store_batch batches[64];
        store_read_results(reader, seq, input_order, at, 256 * 1024, batches, 64, &count);
        CHECK(count > 0, "no results from %u of %u", at, items);
        for (unsigned i = 0; i < count; i++) {
            at += batches[i].count;
            blob_unref(&batches[i].lines);
        }
    }
    double seconds = (double)(clock_mono_ns() - began) / 1e9;
    store_reader_close(&reader);
    return seconds;
}

static struct measure run(struct store *store, const struct shape *shape, int64_t seq)
{
    struct blob **items = calloc(shape->rows, sizeof *items), **lines = calloc(shape->rows, sizeof *lines);
    CHECK(items != NULL && lines != NULL, "out of memory");
    for (unsigned row = 0; row < shape->rows; row++) {
        items[row] = make_lines(shape, row, false);
        lines[row] = make_lines(shape, row, true);
    }
    double cpu = cpu_us();
    int64_t began = clock_mono_ns();
    for (unsigned row = 0; row < shape->rows;) {
        struct store_write *write = store_write_new();
        write->done = drop;
        for (unsigned i = 0; i < shape->together && row < shape->rows; i++, row++) {
            if (shape->jobs)
                put_whole_job(write, shape, seq + row, items[row], lines[row]);
            else
                put_pair(write, shape, seq, row, items[row], lines[row]);
        }
        store_put_write(store, write);
        store_turn(store);
    }
    struct measure measure = {.seconds = (double)(clock_mono_ns() - began) / 1e9, .cpu = cpu_us() - cpu};
    for (unsigned row = 0; row < shape->rows; row++) {
        blob_unref(&items[row]);
        blob_unref(&lines[row]);
    }
    free(items);
    free(lines);
    return measure;
}

static int by_seconds(const void *a, const void *b)
{
    double x = ((const struct measure *)a)->seconds, y = ((const struct measure *)b)->seconds;
    return x < y ? -1 : x > y;
}

static void remove_files(const char *directory)
{
    for (const char *const *name = (const char *const[]){"poold.db", "poold.db-wal", "poold.db-shm", NULL}; *name;
         name++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", directory, *name);
        unlink(path);
    }
}

static struct measure fresh_run(const char *directory, const struct shape *shape)
{
    struct error error = {""};
    remove_files(directory);
    struct store *store = store_open_sqlite(directory, false, &error);
    CHECK(store != NULL, "%s", error.text);
    struct measure measure = run(store, shape, 1);
    if (!shape->jobs)
        measure.reading = read_all(store, 1, shape->count * shape->rows, true);
    int64_t began = clock_mono_ns();
    store_close(&store);
    measure.checkpoint = (double)(clock_mono_ns() - began) / 1e9;
    return measure;
}

int main(int argc, char **argv)
{
    const char *directory = argc > 1 ? argv[1] : "/tmp/poold-store-bench";
    unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 5;
    CHECK(rounds >= 1 && rounds <= 100, "1…100 rounds");
    mkdir(directory, 0700);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct shape *shape = &shapes[i];
        struct measure measures[100];
        for (unsigned round = 0; round < rounds; round++)
            measures[round] = fresh_run(directory, shape);
        qsort(measures, rounds, sizeof *measures, by_seconds);
        struct measure median = measures[rounds / 2];
        double items = (double)shape->count * shape->rows;
        printf("%-24s %9.0f k items/s  %6.3f us CPU/item  checkpoint %6.1f ms", shape->name,
               items / median.seconds / 1e3, median.cpu / items, median.checkpoint * 1e3);
        if (!shape->jobs)
            printf("  read %9.0f k items/s", items / median.reading / 1e3);
        putchar('\n');
        fflush(stdout);
    }
    remove_files(directory);
    rmdir(directory);
    return 0;
}
