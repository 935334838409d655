/* Values and arrays as files: what tasks map is what calls see, raw bytes, restarts, deletions that were never
 * committed, orphans, and files that are not what they should be. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "objects/mapped.h"
#include "objects_kit.h"

static char folder[64];
static struct kit kit;

static int start(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/objects_data_XXXXXX");
    assert_non_null(mkdtemp(folder));
    kit_start(&kit);
    kit.check_restore = false;
    kit.folder = folder;
    kit_restart(&kit);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kit_stop(&kit);
    DIR *files = opendir(folder);
    for (struct dirent *entry; (entry = readdir(files)) != NULL;)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(files), entry->d_name, 0);
    closedir(files);
    mapped_sweep(INT64_MAX);
    assert_int_equal(rmdir(folder), 0);
    return 0;
}

static void is(const char *object, const char *op, const char *args, const char *answer)
{
    kit_expect(&kit, 1, object, op, args, OBJECT_OK, answer);
}

static void create(const char *object, const char *args)
{
    kit_expect(&kit, 1, object, "create", args, OBJECT_CREATED, NULL);
}

/* The path that "open" tells. */
static char *path_of(const char *object)
{
    char *answer = kit_text(&kit, 1, object, "open", ""), *begin = strstr(answer, "\"path\":\"");
    assert_non_null(begin);
    begin += strlen("\"path\":\"");
    char *path = strndup(begin, strcspn(begin, "\""));
    free(answer);
    return path;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void *map_file(const char *path, size_t length)
{
    struct stat file;
    int fd = open(path, O_RDWR);
    assert_int_not_equal(fd, -1);
    assert_int_equal(fstat(fd, &file), 0);
    assert_int_equal(file.st_size, length);
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(file.st_mode & 0777, 0660 & ~mask); /* who may enter the folder may map it */
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    close(fd);
    return memory;
}

/* ---- one memory ---- */

static void test_mapped_by_tasks(void **state)
{
    (void)state;
    create("arrays/a.b-c", "{'typecode':'d','values':[1,2,3]}");
    char *answer = kit_text(&kit, 1, "arrays/a.b-c", "open", "");
    assert_non_null(strstr(answer, ",\"offset\":0,\"typecode\":\"d\",\"length\":3,\"lock\":\"arrays/a.b-c\"}"));
    free(answer);
    char *path = path_of("arrays/a.b-c");
    double *memory = map_file(path, 24);
    for (int i = 0; i < 3; i++)
        memory[i] *= 2;
    is("arrays/a.b-c", "slice", "", "{'values':[2.0,4.0,6.0]}");
    is("arrays/a.b-c", "add", "{'index':1,'by':0.5}", "{'value':4.5}");
    assert_true(memory[1] == 4.5);
    is("locks/arrays/a.b-c", "acquire", "", NULL);
    is("locks/arrays/a.b-c", "acquire", "", NULL); /* an RLock */
    munmap(memory, 24);
    free(path);
}

static void test_restart(void **state)
{
    (void)state;
    create("arrays/a", "{'typecode':'H','values':[1,2,3]}");
    create("values/v", "{'typecode':'q','value':-5}");
    create("arrays/empty", "{'typecode':'d','length':0}");
    is("arrays/a", "set", "{'index':2,'value':65535}", "");
    is("values/v", "add", "{'by':1}", "{'value':-4}");
    kit_restart(&kit);
    is("arrays/a", "slice", "", "{'values':[1,2,65535]}");
    is("values/v", "get", "", "{'value':-4}");
    is("arrays/empty", "slice", "", "{'values':[]}");
    is("arrays/a", "set", "{'index':0,'value':7}", "");
    kit_restart(&kit);
    is("arrays/a", "get", "{'index':0}", "{'value':7}");
}

/* ---- raw bytes ---- */

static struct object_call raw_call;

static void done(struct object_call *call)
{
    (void)call;
}

static enum object_status raw(uint64_t run, const char *op, const char *args, const void *bytes, size_t length)
{
    buf_free(&raw_call.answer);
    raw_call = (struct object_call){.kind = OBJECT_ARRAY,
                                    .name = "a",
                                    .args = args,
                                    .args_length = strlen(args),
                                    .raw = bytes,
                                    .raw_length = length,
                                    .holder = {.run = run},
                                    .done = done};
    snprintf(raw_call.op, sizeof raw_call.op, "%s", op);
    objects_call(kit.objects, &raw_call);
    return raw_call.status;
}

static void test_raw(void **state)
{
    (void)state;
    create("arrays/a", "{'typecode':'h','length':5}");
    static const int16_t given[] = {-1, 2, INT16_MIN};
    char odd[7]; /* bytes at any address */
    memcpy(odd + 1, given, sizeof given);
    assert_int_equal(raw(0, "write", "{\"start\":1}", odd + 1, sizeof given), OBJECT_OK);
    is("arrays/a", "slice", "", "{'values':[0,-1,2,-32768,0]}");
    assert_int_equal(raw(0, "read", "{\"start\":-4,\"stop\":4}", NULL, 0), OBJECT_OK);
    assert_int_equal(raw_call.answer.length, sizeof given);
    assert_memory_equal(raw_call.answer.data, given, sizeof given);
    assert_int_equal(raw(0, "read", "", NULL, 0), OBJECT_OK);
    assert_int_equal(raw_call.answer.length, 10);
    assert_int_equal(raw(0, "write", "{\"start\":3}", given, sizeof given), OBJECT_NO_ENTRY);
    assert_int_equal(raw(0, "write", "", given, 3), OBJECT_INVALID);
    assert_int_equal(raw(0, "write", "", NULL, 0), OBJECT_INVALID);
    assert_int_equal(raw(0, "write", "{\"version\":9}", given, 2), OBJECT_CHANGED);
    is("arrays/a", "slice", "", "{'values':[0,-1,2,-32768,0]}");
    buf_free(&raw_call.answer);
}

static void test_raw_limits(void **state)
{
    (void)state;
    create("arrays/a", "{'typecode':'d','length':1048577}");
    assert_int_equal(raw(1, "read", "", NULL, 0), OBJECT_LIMIT); /* more than a frame */
    assert_int_equal(raw(1, "read", "{\"start\":1}", NULL, 0), OBJECT_OK);
    assert_int_equal(raw(0, "read", "", NULL, 0), OBJECT_OK);
    assert_int_equal(raw_call.answer.length, 8 * 1048577);
    assert_int_equal(raw(1, "slice", "", NULL, 0), OBJECT_OK);
    buf_free(&raw_call.answer);
}

/* ---- deleting ---- */

static void test_delete(void **state)
{
    (void)state;
    create("arrays/a", "{'typecode':'i','values':[7]}");
    char *old_path = path_of("arrays/a");
    int *memory = map_file(old_path, 8);
    is("arrays/a", "delete", "", "");
    assert_false(is_there(old_path));
    assert_int_equal(memory[0], 7); /* who has it mapped keeps it */
    create("arrays/a", "{'typecode':'i','length':1}");
    char *new_path = path_of("arrays/a"), deleted[400];
    assert_string_not_equal(old_path, new_path);
    memory[0] = 9;
    is("arrays/a", "get", "{'index':0}", "{'value':0}");
    snprintf(deleted, sizeof deleted, "%s.deleted", old_path);
    assert_true(is_there(deleted));
    kit_advance(&kit, MAPPED_KEEP_DELETED_S - 1);
    assert_true(is_there(deleted));
    kit_advance(&kit, 2);
    assert_false(is_there(deleted));
    assert_true(is_there(new_path));
    munmap(memory, 8);
    free(old_path);
    free(new_path);
}

static void test_failed_create_leaves_nothing(void **state)
{
    (void)state;
    kit_expect(&kit, 1, "arrays/a", "create", "{'typecode':'b','values':[1,1000]}", OBJECT_OVERFLOW, NULL);
    kit_expect(&kit, 1, "values/a", "create", "{'typecode':'b','value':1000}", OBJECT_OVERFLOW, NULL);
    DIR *files = opendir(folder);
    for (struct dirent *entry; (entry = readdir(files)) != NULL;)
        assert_int_equal(entry->d_name[0], '.');
    closedir(files);
}

/* ---- starting with what is there ---- */

static int64_t zero(void *context)
{
    (void)context;
    return 0;
}

static void drop(void *context, int64_t id)
{
    (void)context;
    (void)id;
}

static void put(void *context, int64_t id, enum object_kind kind, const char *name, const char *config, size_t length)
{
    (void)context, (void)id, (void)kind, (void)name, (void)config, (void)length;
}

static void put_entry(void *context, int64_t id, const char *key, size_t key_length, const char *value, size_t length)
{
    (void)context, (void)id, (void)key, (void)key_length, (void)value, (void)length;
}

/* A start with one array, "a" of two 'i' with id 5; NULL and an error when it fails. */
static struct objects *start_with_array(struct error *error)
{
    static const char config[] = "{\"typecode\":\"i\",\"length\":2}";
    struct object_ports ports = {
        .now_ns = zero, .wall_ms = zero, .object_put = put, .object_drop = drop, .entry_put = put_entry};
    struct objects *objects = objects_new(&ports, folder, 1 << 20, error);
    assert_non_null(objects);
    if (objects_restore_object(objects, 5, OBJECT_ARRAY, "a", config, strlen(config), error) != 0 ||
        objects_restored(objects, error) != 0)
        objects_free(&objects);
    return objects;
}

static void write_file(const char *name, const void *bytes, size_t length)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static bool file_is_there(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return is_there(path);
}

static void ask(struct objects *objects, const char *op, const char *args, enum object_status status,
                const char *answer)
{
    struct object_call call = {
        .kind = OBJECT_ARRAY, .name = "a", .args = args, .args_length = strlen(args), .done = done};
    snprintf(call.op, sizeof call.op, "%s", op);
    objects_call(objects, &call);
    assert_int_equal(call.status, status);
    assert_string_equal(call.answer.length ? buf_cstr(&call.answer) : "", answer);
    buf_free(&call.answer);
}

static void test_bad_files(void **state)
{
    (void)state;
    struct error error = {""};
    assert_null(start_with_array(&error));
    assert_non_null(strstr(error.text, "array a cannot be restored: /tmp/objects_data_"));
    assert_non_null(strstr(error.text, "/arrays-a.5: No such file"));
    write_file("arrays-a.5", "1234567", 7);
    assert_null(start_with_array(&error));
    assert_non_null(strstr(error.text, "/arrays-a.5 has 7 bytes, but should have 8"));
    static const int numbers[] = {3, -4};
    write_file("arrays-a.5", numbers, sizeof numbers);
    struct objects *objects = start_with_array(&error);
    ask(objects, "slice", "", OBJECT_OK, "{\"values\":[3,-4]}");
    objects_free(&objects);
}

/* kill -9 between the deletion and its commit: the row is still there, and so must be the numbers. */
static void test_deletion_never_committed(void **state)
{
    (void)state;
    struct error error;
    static const int numbers[] = {3, -4};
    write_file("arrays-a.5", numbers, sizeof numbers);
    struct objects *objects = start_with_array(&error);
    ask(objects, "delete", "", OBJECT_OK, "");
    assert_false(file_is_there("arrays-a.5"));
    objects_free(&objects);
    objects = start_with_array(&error);
    ask(objects, "slice", "", OBJECT_OK, "{\"values\":[3,-4]}");
    objects_free(&objects);
}

/* kill -9 between a creation and its commit, or behind a deletion. */
static void test_orphans(void **state)
{
    (void)state;
    struct error error;
    static const char *const ours[] = {"arrays-a.4", "arrays-a.6.deleted", "values-a.5", "arrays-b.x.5"};
    static const char *const others[] = {"arrays-a", "arrays-a.5x", "notes.txt", "queues-a.5", "arrays-.5"};
    write_file("arrays-a.5", "12345678", 8);
    for (int i = 0; i < 4; i++)
        write_file(ours[i], "", 0);
    for (int i = 0; i < 5; i++)
        write_file(others[i], "", 0);
    struct objects *objects = start_with_array(&error);
    assert_non_null(objects);
    for (int i = 0; i < 4; i++)
        assert_false(file_is_there(ours[i]));
    for (int i = 0; i < 5; i++)
        assert_true(file_is_there(others[i]));
    assert_true(file_is_there("arrays-a.5"));
    objects_free(&objects);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_mapped_by_tasks),
        TEST(test_restart),
        TEST(test_raw),
        TEST(test_raw_limits),
        TEST(test_delete),
        TEST(test_failed_create_leaves_nothing),
        TEST(test_bad_files),
        TEST(test_deletion_never_committed),
        TEST(test_orphans),
    };
    return cmocka_run_group_tests_name("objects_data_files", tests, NULL, NULL);
}
