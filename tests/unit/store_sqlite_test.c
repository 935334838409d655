/* store_sqlite_test: what only the SQLite backend does: files, restarts, kill -9, migrations, views, query plans,
 * readers beside a writer, checkpoints. */
#include "store_kit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/backup.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/sqlite.h"

/* A connection of our own, as a person with the sqlite3 tool would have one; only while no store is open in this
 * process or for reading beside it. */
static sqlite3 *person(const struct kit *kit)
{
    char path[128];
    kit_path(kit, "poold.db", path);
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    return db;
}

/* All rows of a query as "a|b c|d". */
static const char *answer(sqlite3 *db, const char *sql)
{
    static char text[4000];
    sqlite3_stmt *statement;
    text[0] = '\0';
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            const char *value = (const char *)sqlite3_column_text(statement, i);
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s",
                     i > 0     ? "|"
                     : text[0] ? " "
                               : "",
                     value == NULL ? "-" : value);
        }
    }
    sqlite3_finalize(statement);
    return text;
}

static void ask_person(const struct kit *kit, const char *sql, const char *expected)
{
    sqlite3 *db = person(kit);
    assert_string_equal(answer(db, sql), expected);
    sqlite3_close(db);
}

static void everything_outlives_a_restart(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 25);
    struct store_write *write = kit_write();
    kit_put_result(write, 1, 0, 0, 10);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    kit_reopen(kit, false);
    struct store_batch batch;
    unsigned count;
    assert_int_equal(kit_job_status(kit, 1, 0), STORE_OK);
    assert_int_equal(store_read_results(kit->reader, 1, true, 0, 1, &batch, 1, &count), STORE_OK);
    assert_int_equal(count, 1);
    blob_unref(&batch.lines);
    kit_have_job(kit, 2, 5);
    ask_person(kit, "PRAGMA integrity_check", "ok");
    ask_person(kit, "PRAGMA journal_mode", "wal");
    ask_person(kit, "PRAGMA auto_vacuum", "2");
}

static void seqs_are_remembered_over_reaping_and_restart(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 41, 5);
    struct store_write *write = kit_write();
    store_write_add(write, STORE_JOB_DELETE, 41);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    assert_int_equal(kit_reap(kit, 0, 100).jobs_removed, 1);
    kit_reopen(kit, false);
    int64_t last;
    assert_int_equal(store_read_last_seq(kit->reader, &last), STORE_OK);
    assert_int_equal(last, 41);
    assert_int_equal(kit_job_status(kit, 41, 0), STORE_GONE);
    assert_int_equal(kit_job_status(kit, 42, 0), STORE_NOT_FOUND);
}

static void read_only_reads_and_refuses_to_write(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 25);
    kit_reopen(kit, true);
    assert_int_equal(kit_job_status(kit, 1, 0), STORE_OK);
    struct job_view view = kit_job(2, JOB_READY);
    struct store_write *write = kit_write();
    kit_put_job(write, &view);
    assert_int_equal(kit_commit(kit, write), STORE_IO);
    assert_int_equal(kit_job_status(kit, 2, 0), STORE_NOT_FOUND);
    kit_reopen(kit, false);
    kit_have_job(kit, 2, 5);
}

static void a_newer_database_is_refused(void **state)
{
    struct kit *kit = *state;
    store_reader_close(&kit->reader);
    store_close(&kit->store);
    ask_person(kit, "PRAGMA user_version = 99", "");
    for (int read_only = 0; read_only <= 1; read_only++) {
        struct error error = {""};
        assert_null(store_open_sqlite(kit->directory, read_only, &error));
        assert_non_null(strstr(error.text, "version 99"));
        assert_non_null(strstr(error.text, "newer poold"));
    }
}

static void what_cannot_be_opened_says_why(void **state)
{
    (void)state;
    struct error error = {""};
    assert_null(store_open_sqlite("/nonexistent", false, &error));
    assert_non_null(strstr(error.text, "/nonexistent/poold.db"));
    struct kit kit = {.store = NULL};
    kit_make_directory(kit.directory);
    assert_null(store_open_sqlite(kit.directory, true, &error)); /* nothing there to read */
    char path[128];
    kit_path(&kit, "poold.db", path);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database; ", file);
    fclose(file);
    assert_null(store_open_sqlite(kit.directory, false, &error));
    assert_non_null(strstr(error.text, "not a database"));
    kit_remove_directory(kit.directory);
}

static void a_fresh_database_has_all_migrations_and_one_step_each(void **state)
{
    struct kit *kit = *state;
    ask_person(kit, "PRAGMA user_version", "3");
    ask_person(kit, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%STRICT%'", "0");
    kit_reopen(kit, false); /* and none is applied twice */
    ask_person(kit, "PRAGMA user_version", "3");
}

/* A database as poold made it when it had `version` migrations, with one job of 5 items that runs. */
static void make_old(const struct kit *kit, int version)
{
    char path[128], set[64];
    sqlite3 *db;
    kit_path(kit, "poold.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < version; i++)
        assert_int_equal(sqlite3_exec(db, schema_migrations[i], NULL, NULL, NULL), SQLITE_OK);
    snprintf(set, sizeof set, "PRAGMA user_version = %d", version);
    assert_int_equal(sqlite3_exec(db, set, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "INSERT INTO job VALUES (7, '0000000000000007', 'square', 3, 5, 1, 1, 0, 2, 1700000000007, 5, 0, "
                     "0, 0, 0, 0, 1, 0, 0, 0, 1, 1000, 5, 0, 0, 0, -1, 0, 0, 0, 0, 99, 'a key', 'old', '');"
                     "INSERT INTO chunk VALUES (7 << 32, 5, NULL, '1\n2\n3\n4\n5\n');",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
}

static void an_old_database_is_brought_up_to_date(void **state)
{
    (void)state;
    for (int version = 1; version < schema_version; version++) {
        struct kit kit = {.store = NULL};
        struct job_view view;
        int64_t seq;
        uint64_t fingerprint;
        kit_make_directory(kit.directory);
        make_old(&kit, version);
        kit_reopen(&kit, false);
        assert_int_equal(store_read_job(kit.reader, 7, KIT_CREATED + 7, KIT_CREATED, &view), STORE_OK);
        assert_string_equal(view.options.name, "old");
        assert_int_equal(view.state, JOB_RUNNING);
        assert_true(view.counts.total == 5 && view.counts.succeeded == 1 && view.counts.failed == 1);
        assert_string_equal(view.origin.client, "");
        assert_string_equal(view.origin.traceparent, "");
        assert_int_equal(store_read_key(kit.reader, "a key", &seq, &fingerprint), STORE_OK);
        assert_true(seq == 7 && fingerprint == 99);
        struct store_write *write = kit_write();
        view.state = JOB_FAILED;
        kit_update_job(write, &view);
        assert_int_equal(kit_commit(&kit, write), STORE_OK);
        ask_person(&kit, "SELECT name, state, client, traceparent FROM job_status", "old|failed||");
        ask_person(&kit, "PRAGMA integrity_check", "ok");
        kit_reopen(&kit, true);
        assert_int_equal(store_read_job(kit.reader, 7, 0, KIT_CREATED, &view), STORE_OK);
        assert_int_equal(view.state, JOB_FAILED);
        store_reader_close(&kit.reader);
        store_close(&kit.store);
        kit_remove_directory(kit.directory);
    }
}

static bool go_on(void *until, int64_t done, int64_t total)
{
    (void)total;
    return until == NULL || done < *(const int64_t *)until;
}

static enum store_backup_end back_up(const char *directory, const char *file, int64_t *until)
{
    struct error error = {""};
    struct store_backup backup = {.directory = directory, .file = file, .go_on = go_on, .context = until};
    enum store_backup_end end = store_backup(&backup, &error);
    if (end != BACKUP_DONE && end != BACKUP_STOPPED)
        fail_msg("%s", error.text);
    return end;
}

/* Before an update is just when people make one: with the new program, too. */
static void an_old_database_can_be_backed_up(void **state)
{
    (void)state;
    for (int version = 1; version < schema_version; version++) {
        struct kit kit = {.store = NULL};
        char file[128];
        kit_make_directory(kit.directory);
        kit_path(&kit, "copy.db", file);
        make_old(&kit, version);
        assert_int_equal(back_up(kit.directory, file, NULL), BACKUP_DONE);
        kit_remove_directory(kit.directory);
    }
}

/* Puts a file where the memory of an object would be. */
static void put_memory(const struct kit *kit, const char *name, size_t bytes)
{
    char path[128];
    kit_path(kit, "objects", path);
    assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
    kit_path(kit, name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < bytes; i += 1024)
        assert_int_equal(fwrite(memset((char[1024]){0}, 'm', 1024), 1024, 1, file), 1);
    fclose(file);
}

static void remove_memory(const struct kit *kit, const char *name)
{
    char path[128];
    kit_path(kit, name, path);
    unlink(path);
    kit_path(kit, "objects", path);
    rmdir(path);
}

/* It is in a backup that no start has unpacked, or not to its end: not in files yet. */
static void a_backup_of_a_backup_keeps_the_memory(void **state)
{
    struct kit *kit = *state, other = {.store = NULL}, last = {.store = NULL};
    char file[128];
    put_memory(kit, "objects/arrays-a.1", 4096);
    kit_make_directory(other.directory);
    kit_path(&other, "poold.db", file);
    assert_int_equal(back_up(kit->directory, file, NULL), BACKUP_DONE);
    put_memory(&other, "objects/arrays-a.1", 1024); /* as a start that was cut off has left it */
    kit_make_directory(last.directory);
    kit_path(&last, "poold.db", file);
    assert_int_equal(back_up(other.directory, file, NULL), BACKUP_DONE);
    ask_person(&last, "SELECT name, length(bytes) FROM backup_file", "arrays-a.1|4096");
    remove_memory(kit, "objects/arrays-a.1");
    remove_memory(&other, "objects/arrays-a.1");
    kit_remove_directory(other.directory);
    kit_remove_directory(last.directory);
}

/* What the start that was cut off has left may be any part of it, or of another file of that name. */
static void a_start_on_a_backup_that_was_cut_off_is_done_again(void **state)
{
    struct kit *kit = *state, other = {.store = NULL};
    char file[128];
    struct stat memory;
    struct error error = {""};
    put_memory(kit, "objects/arrays-a.1", 4096);
    put_memory(kit, "objects/arrays-b.2", 3 << 20);
    kit_make_directory(other.directory);
    kit_path(&other, "poold.db", file);
    assert_int_equal(back_up(kit->directory, file, NULL), BACKUP_DONE);
    put_memory(&other, "objects/arrays-a.1", 8192);
    put_memory(&other, "objects/arrays-b.2", 1024);
    assert_null(store_open_sqlite(other.directory, true, &error)); /* as poold tries when the disk was full */
    assert_non_null(strstr(error.text, "not been taken out of the backup"));
    kit_reopen(&other, false);
    kit_path(&other, "objects/arrays-a.1", file);
    assert_true(stat(file, &memory) == 0 && memory.st_size == 4096);
    kit_path(&other, "objects/arrays-b.2", file);
    assert_true(stat(file, &memory) == 0 && memory.st_size == 3 << 20);
    ask_person(&other, "SELECT count(*) FROM sqlite_schema WHERE name = 'backup_file'", "0");
    store_reader_close(&other.reader);
    store_close(&other.store);
    for (const struct kit *one = kit; one; one = one == kit ? &other : NULL) {
        remove_memory(one, "objects/arrays-a.1");
        remove_memory(one, "objects/arrays-b.2");
    }
    kit_remove_directory(other.directory);
}

static void a_backup_can_be_stopped_within_the_memory(void **state)
{
    struct kit *kit = *state;
    char file[128];
    int64_t until = 8 << 20;
    put_memory(kit, "objects/arrays-a.1", 32 << 20);
    kit_path(kit, "copy.db", file);
    assert_int_equal(back_up(kit->directory, file, &until), BACKUP_STOPPED);
    assert_int_equal(access(file, F_OK), -1);
    remove_memory(kit, "objects/arrays-a.1");
}

static void put_lines(struct store_write *write, uint32_t position, uint32_t first, uint32_t count, const char *lines)
{
    struct store_op *op = store_write_add(write, STORE_RESULT_PUT, 1);
    op->position = position;
    op->first = first;
    op->count = count;
    op->bytes = blob_new(lines, strlen(lines));
}

static void people_read_item_results(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 20);
    kit_have_job(kit, 2, 20);
    struct store_write *write = kit_write();
    put_lines(write, 0, 3, 4,
              "{\"index\":3,\"value\":0.10}\n{\"index\":4,\"value\":1e400}\n"
              "{\"index\":5,\"error\":{\"type\":\"crash\",\"signal\":\"SIGSEGV\"}}\n{\"index\":6,\"value\":\"a\\nb, "
              "\\u00e9\"}\n");
    put_lines(write, 4, 0, 1, "{\"index\":0,\"value\":null}\n");
    put_lines(write, 5, 1, 1, "{\"index\":1,\"error\":{\"type\":\"cancelled\"}}\n");
    kit_put_result(write, 2, 0, 0, 3);
    kit_put_attempt(write, 1, 5, 1, FAILURE_CRASH);
    kit_put_output(write, 1, 5, 2, "ouch");
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    sqlite3 *db = person(kit);
    char id[100];
    snprintf(id, sizeof id, "%s", answer(db, "SELECT id FROM job WHERE seq = 1"));
    char sql[300];
    snprintf(sql, sizeof sql,
             "SELECT idx, position, state, value, error FROM item_result WHERE job = '%s' ORDER BY idx", id);
    assert_string_equal(answer(db, sql),
                        "0|4|succeeded|null|- 1|5|cancelled|-|{\"type\":\"cancelled\"} 3|0|succeeded|0.10|- "
                        "4|1|succeeded|1e400|- 5|2|failed|-|{\"type\":\"crash\",\"signal\":\"SIGSEGV\"} "
                        "6|3|succeeded|\"a\\nb, \\u00e9\"|-");
    assert_string_equal(answer(db, "SELECT count(*), count(DISTINCT job) FROM item_result"), "9|2");
    assert_string_equal(answer(db, "SELECT idx, number, failure, message FROM item_attempt"), "5|1|crash|oh");
    assert_string_equal(answer(db, "SELECT idx, stream, text FROM item_output"), "5|2|ouch");
    assert_string_equal(answer(db, "SELECT function, state, total, created FROM job_status WHERE id LIKE '%2'"),
                        "square|ready|20|2023-11-14 22:13:20");
    sqlite3_close(db);
}

static void people_read_cancelled_ranges(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 0);
    struct store_write *write = kit_write();
    kit_put_cancelled(write, 1, 7, 5, 1);
    kit_put_cancelled(write, 1, 8, 100, 4096);
    kit_put_cancelled(write, 1, 4104, 10000, 10000);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    ask_person(kit,
               "SELECT count(*), count(DISTINCT idx), count(DISTINCT position), min(idx), max(idx), min(position), "
               "max(position), sum(idx - position) FROM item_result WHERE state = 'cancelled'",
               "14097|14097|14097|5|19999|7|14103|59336830");
}

/* Every statement of the readers: keyed searches only, and only the unfinished jobs, asked for once at start, are
 * sorted. */
static void people_read_objects(void **state)
{
    struct kit *kit = *state;
    struct store_write *write = kit_write();
    store_write_object(write, 1, 1, "results", "{\"maxsize\":0}", 13);
    store_write_object(write, 2, 4, "shared", "{}", 2);
    store_write_entry(write, 1, "\0\1", 2, "[1,2]", 5);
    store_write_entry(write, 2, "k\xc3\xa4", 3, "7", 1);
    store_write_object(write, 3, 4, "gone", "{}", 2);
    store_write_entry(write, 3, "k", 1, "8", 1);
    store_write_add(write, STORE_OBJECT_DROP, 3);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    ask_person(kit, "SELECT * FROM object_status ORDER BY name",
               "queue|results|{\"maxsize\":0}|1|7 dict|shared|{}|1|4");
    ask_person(kit, "SELECT * FROM object_entry ORDER BY name", "queue|results|0001|[1,2] dict|shared|k\xc3\xa4|7");
}

static void no_question_sorts_or_scans(void **state)
{
    struct kit *kit = *state;
    sqlite3 *db = person(kit);
    for (int i = 0; i < R_STATEMENTS; i++) {
        char sql[3000];
        snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", sqlite_read_sql[i]);
        const char *plan = answer(db, sql);
        if ((strstr(plan, "SCAN") != NULL && i != R_OBJECTS) || (strstr(plan, "B-TREE") != NULL && i != R_UNFINISHED))
            fail_msg("%s\n    %s\n", sqlite_read_sql[i], plan);
    }
    sqlite3_close(db);
}

/* The child commits jobs and tells of each only when it is acknowledged, until it is killed. */
static void write_until_killed(const char *directory, int acknowledged)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct kit kit = {.store = NULL};
    snprintf(kit.directory, sizeof kit.directory, "%s", directory);
    kit.store = store_open_sqlite(directory, false, NULL);
    int64_t last;
    kit.reader = store_reader_open(kit.store, NULL);
    store_read_last_seq(kit.reader, &last);
    for (int64_t seq = last + 1;; seq++) {
        struct job_view view = kit_job(seq, JOB_READY);
        struct store_write *batch = kit_write();
        kit_put_job(batch, &view);
        for (uint32_t i = 0; i < 20; i++) {
            kit_put_chunk(batch, seq, i * 500, 500);
            kit_put_result(batch, seq, i * 500, i * 500, 500);
        }
        if (kit_commit(&kit, batch) != STORE_OK || write(acknowledged, &seq, sizeof seq) != sizeof seq)
            _exit(1);
    }
}

static int64_t kill_a_writer(const struct kit *kit, unsigned after_us)
{
    int pipe_ends[2];
    int64_t seq, last = 0;
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t pid = fork();
    if (pid == 0)
        write_until_killed(kit->directory, pipe_ends[1]);
    close(pipe_ends[1]);
    assert_true(read(pipe_ends[0], &last, sizeof last) == sizeof last);
    usleep(after_us);
    kill(pid, SIGKILL);
    while (read(pipe_ends[0], &seq, sizeof seq) == sizeof seq)
        last = seq;
    close(pipe_ends[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return last;
}

static void kill_9_loses_nothing_acknowledged(void **state)
{
    struct kit *kit = *state;
    store_reader_close(&kit->reader);
    store_close(&kit->store);
    for (unsigned round = 0; round < 20; round++) {
        int64_t last = kill_a_writer(kit, round * 1777 % 9001);
        ask_person(kit, "PRAGMA integrity_check", "ok");
        /* all or nothing: each job there has all of its rows */
        ask_person(kit,
                   "SELECT count(*) FROM job WHERE 20 <> (SELECT count(*) FROM chunk WHERE key >> 32 = seq) OR 20 <> "
                   "(SELECT count(*) FROM result WHERE key >> 32 = seq)",
                   "0");
        sqlite3 *db = person(kit);
        int64_t there = atoll(answer(db, "SELECT count(*) FROM job"));
        sqlite3_close(db);
        assert_in_range(there, last, last + 1);
        kit->store = store_open_sqlite(kit->directory, false, NULL);
        struct store_write *write = kit_write(); /* keep it small */
        for (int64_t seq = 1; round % 5 == 4 && seq < there; seq++)
            store_write_add(write, STORE_KEY_DROP, seq);
        assert_int_equal(kit_commit(kit, write), STORE_OK);
        store_close(&kit->store);
    }
}

/* A file that may not grow beyond a limit fails as no full disk does: the outcome is unknown. */
static void write_until_broken(const char *directory)
{
    struct kit kit = {.store = NULL};
    uint32_t done = 0;
    snprintf(kit.directory, sizeof kit.directory, "%s", directory);
    kit.store = store_open_sqlite(directory, false, NULL);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){2 << 20, 2 << 20});
    for (enum store_status status = STORE_OK; status == STORE_OK; done += status == STORE_OK) {
        struct store_write *batch = kit_write();
        kit_put_result(batch, 1, done * 5000, done * 5000, 5000);
        kit_put_result(batch, 2, done * 5000, done * 5000, 5000);
        status = kit_commit(&kit, batch);
        if (status == STORE_FULL)
            _exit(201);
    }
    struct store_write *late = kit_write();
    store_write_add(late, STORE_KEY_DROP, 1);
    enum store_status status = kit_commit(&kit, late);
    store_close(&kit.store);
    _exit(status == STORE_IO ? (int)done : 202);
}

static void a_failed_write_stops_all_writing_and_keeps_what_was_acknowledged(void **state)
{
    struct kit *kit = *state;
    int ended;
    store_reader_close(&kit->reader);
    store_close(&kit->store);
    pid_t pid = fork();
    if (pid == 0)
        write_until_broken(kit->directory);
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    assert_true(WIFEXITED(ended));
    assert_in_range(WEXITSTATUS(ended), 1, 200);
    ask_person(kit, "PRAGMA integrity_check", "ok");
    sqlite3 *db = person(kit);
    int there = atoi(answer(db, "SELECT count(*) FROM result"));
    sqlite3_close(db);
    assert_in_range(there, 2 * WEXITSTATUS(ended), 2 * WEXITSTATUS(ended) + 2);
    assert_int_equal(there % 2, 0);
}

static void an_idle_store_checkpoints(void **state)
{
    struct kit *kit = *state;
    struct store_stats stats = {.checkpoints = 0};
    kit_have_job(kit, 1, 100);
    store_stats(kit->store, &stats);
    assert_int_equal(stats.checkpoints, 0);
    assert_true(stats.wal_bytes > 0);
    assert_int_equal(store_start(kit->store, NULL), 0);
    struct job_view view = kit_job(2, JOB_READY);
    struct store_write *write = kit_write();
    kit_put_job(write, &view);
    store_put_write(kit->store, write);
    for (int i = 0; i < 500 && stats.checkpoints == 0; i++) {
        usleep(10000);
        store_stats(kit->store, &stats);
    }
    store_stop(kit->store);
    assert_int_equal(write->status, STORE_OK);
    store_write_free(&write);
    assert_in_range(stats.checkpoints, 1, 2);
}

struct beside {
    struct store *store;
    atomic_bool over;
    atomic_uint looks;
};

/* A reader sees a job's counts and its results from one commit each, and never backwards. */
static void *read_beside(void *argument)
{
    struct beside *beside = argument;
    struct store_reader *reader = store_reader_open(beside->store, NULL);
    assert_non_null(reader);
    int64_t seen = 0;
    for (bool over = false; !over;) {
        over = atomic_load(&beside->over);
        struct job_view view;
        assert_int_equal(store_read_job(reader, 1, 0, 0, &view), STORE_OK);
        assert_true(view.positions >= seen);
        seen = view.positions;
        struct store_batch batches[8];
        unsigned count;
        uint32_t from = seen > 20 ? (uint32_t)seen - 20 : 0;
        assert_int_equal(
            store_read_results(reader, 1, atomic_load(&beside->looks) % 2, from, SIZE_MAX, batches, 8, &count),
            STORE_OK);
        assert_true(seen == 0 || count > 0);
        for (unsigned i = 0; i < count; i++) {
            struct blob *lines = kit_lines(batches[i].first, batches[i].count, true);
            assert_memory_equal(batches[i].lines->data, lines->data, lines->length + 1);
            blob_unref(&lines);
            blob_unref(&batches[i].lines);
        }
        atomic_fetch_add(&beside->looks, 1);
    }
    assert_int_equal(seen, 5000);
    store_reader_close(&reader);
    return NULL;
}

static void readers_beside_the_writer_see_whole_commits(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 0);
    struct beside beside = {.store = kit->store};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_beside, &beside), 0);
    struct job_view view = kit_job(1, JOB_RUNNING);
    for (uint32_t at = 0; at < 5000; at += 10) {
        struct store_write *write = kit_write();
        kit_put_result(write, 1, at, at, 10);
        view.positions = at + 10;
        kit_update_job(write, &view);
        assert_int_equal(kit_commit(kit, write), STORE_OK);
    }
    atomic_store(&beside.over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_true(atomic_load(&beside.looks) > 2);
}

static int64_t file_size(const struct kit *kit, const char *name)
{
    char path[128];
    struct stat info;
    kit_path(kit, name, path);
    return stat(path, &info) == 0 ? info.st_size : -1;
}

static void the_wal_stays_bounded_under_load(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 0);
    struct store_stats stats;
    for (uint32_t at = 0; at < 4000; at++) { /* some 130 MB */
        struct store_write *write = kit_write();
        kit_put_result(write, 1, at * 1000, at * 1000, 1000);
        assert_int_equal(kit_commit(kit, write), STORE_OK);
    }
    store_stats(kit->store, &stats);
    assert_true(stats.checkpoints >= 2);
    assert_in_range(file_size(kit, "poold.db-wal"), 1, 48 << 20);
    assert_in_range(stats.wal_bytes, 1, 48 << 20);
}

static void reaping_gives_space_back(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 0);
    struct store_write *write = kit_write();
    for (uint32_t at = 0; at < 3000; at++)
        kit_put_result(write, 1, at * 1000, at * 1000, 1000);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    kit_reopen(kit, false);
    int64_t before = file_size(kit, "poold.db");
    write = kit_write();
    store_write_add(write, STORE_JOB_DELETE, 1);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    while (kit_reap(kit, 0, 200).more)
        ;
    kit_reopen(kit, false);
    assert_true(before > INT64_C(70) << 20);
    assert_in_range(file_size(kit, "poold.db"), 1, before / 3);
    ask_person(kit, "PRAGMA integrity_check", "ok");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, kit_open_sqlite, kit_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_outlives_a_restart),
        TEST(seqs_are_remembered_over_reaping_and_restart),
        TEST(read_only_reads_and_refuses_to_write),
        TEST(a_newer_database_is_refused),
        cmocka_unit_test(what_cannot_be_opened_says_why),
        TEST(a_fresh_database_has_all_migrations_and_one_step_each),
        TEST(an_old_database_is_brought_up_to_date),
        cmocka_unit_test(an_old_database_can_be_backed_up),
        TEST(a_backup_of_a_backup_keeps_the_memory),
        TEST(a_start_on_a_backup_that_was_cut_off_is_done_again),
        TEST(a_backup_can_be_stopped_within_the_memory),
        TEST(people_read_item_results),
        TEST(people_read_cancelled_ranges),
        TEST(people_read_objects),
        TEST(no_question_sorts_or_scans),
        TEST(kill_9_loses_nothing_acknowledged),
        TEST(a_failed_write_stops_all_writing_and_keeps_what_was_acknowledged),
        TEST(an_idle_store_checkpoints),
        TEST(readers_beside_the_writer_see_whole_commits),
        TEST(the_wal_stays_bounded_under_load),
        TEST(reaping_gives_space_back),
    };
    return cmocka_run_group_tests_name("store on SQLite", tests, NULL, NULL);
}
