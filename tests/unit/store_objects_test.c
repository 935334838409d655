/* store_objects_test: objects and their entries, the same suite on both backends. */
#include "store_kit.h"

#include <stdio.h>

#define PUT(write, id, key, value) store_write_entry(write, id, key, sizeof(key) - 1, value, sizeof(value) - 1)

static void put_object(struct store_write *write, int64_t id, uint32_t kind, const char *name, const char *config)
{
    store_write_object(write, id, kind, name, config, strlen(config));
}

/* What a reader tells, as text: "7:1:name:config\n", "key=value\n". */
struct told {
    char text[4096];
    unsigned limit; /* 0 = none */
    unsigned count;
};

static bool more(struct told *told)
{
    return ++told->count != told->limit;
}

static bool tell_object(void *context, int64_t id, uint32_t kind, const char *name, const char *config, size_t length)
{
    struct told *told = context;
    size_t at = strlen(told->text);
    snprintf(told->text + at, sizeof told->text - at, "%lld:%u:%s:%.*s\n", (long long)id, kind, name, (int)length,
             config);
    return more(told);
}

static bool tell_entry(void *context, const char *key, size_t key_length, const char *value, size_t length)
{
    struct told *told = context;
    size_t at = strlen(told->text);
    snprintf(told->text + at, sizeof told->text - at, "%.*s=%.*s\n", (int)key_length, key, (int)length, value);
    return more(told);
}

static void expect_objects(struct kit *kit, const char *text)
{
    struct told told = {.limit = 0};
    assert_int_equal(store_read_objects(kit->reader, tell_object, &told), STORE_OK);
    assert_string_equal(told.text, text);
}

static void expect_entries(struct kit *kit, int64_t id, const char *text)
{
    struct told told = {.limit = 0};
    assert_int_equal(store_read_entries(kit->reader, id, tell_entry, &told), STORE_OK);
    assert_string_equal(told.text, text);
}

/* Two objects with two entries each. */
static void have_two(struct kit *kit)
{
    struct store_write *write = kit_write();
    put_object(write, 3, 1, "results", "{\"maxsize\":0}");
    put_object(write, 4, 4, "results", "{}"); /* the same name, another kind */
    PUT(write, 3, "b", "2");
    PUT(write, 3, "a", "1");
    PUT(write, 4, "x", "10");
    PUT(write, 4, "xy", "11");
    assert_int_equal(kit_commit(kit, write), STORE_OK);
}

static void objects_and_entries_come_back(void **state)
{
    struct kit *kit = *state;
    expect_objects(kit, "");
    have_two(kit);
    expect_objects(kit, "3:1:results:{\"maxsize\":0}\n4:4:results:{}\n");
    expect_entries(kit, 3, "a=1\nb=2\n");
    expect_entries(kit, 4, "x=10\nxy=11\n");
    expect_entries(kit, 5, "");
}

static void later_puts_replace(void **state)
{
    struct kit *kit = *state;
    have_two(kit);
    struct store_write *write = kit_write();
    put_object(write, 3, 1, "results", "{\"maxsize\":5}");
    PUT(write, 3, "b", "two");
    PUT(write, 3, "c", "");
    store_write_entry_drop(write, 3, "a", 1);
    store_write_entry_drop(write, 3, "never", 5);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    expect_objects(kit, "3:1:results:{\"maxsize\":5}\n4:4:results:{}\n");
    expect_entries(kit, 3, "b=two\nc=\n");
}

static void order_is_that_of_bytes(void **state)
{
    struct kit *kit = *state;
    struct store_write *write = kit_write();
    static const char keys[][3] = {"\x80", "", "\x7f\x01", "\x7f", "\xff\xff", "\x7f\x80"};
    put_object(write, 1, 4, "d", "{}");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        store_write_entry(write, 1, keys[i], strlen(keys[i]), "v", 1);
    store_write_entry(write, 1, "\0b", 2, "nul", 3);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    struct told told = {.limit = 0};
    assert_int_equal(store_read_entries(kit->reader, 1, tell_entry, &told), STORE_OK);
    assert_string_equal(told.text, "=v\n=nul\n\x7f=v\n\x7f\x01=v\n\x7f\x80=v\n\x80=v\n\xff\xff=v\n");
}

static void a_reader_may_stop(void **state)
{
    struct kit *kit = *state;
    have_two(kit);
    struct told told = {.limit = 1};
    assert_int_equal(store_read_objects(kit->reader, tell_object, &told), STORE_OK);
    assert_int_equal(told.count, 1);
    told.count = 0;
    assert_int_equal(store_read_entries(kit->reader, 3, tell_entry, &told), STORE_OK);
    assert_int_equal(told.count, 1);
    expect_entries(kit, 3, "a=1\nb=2\n");
}

static bool check_large(void *context, const char *key, size_t key_length, const char *value, size_t length)
{
    const char *expected = context;
    assert_int_equal(key_length, 5);
    assert_memory_equal(key, "large", 5);
    assert_int_equal(length, 3 << 20);
    assert_memory_equal(value, expected, length);
    return true;
}

static void large_values_are_whole(void **state)
{
    struct kit *kit = *state;
    char *bytes = malloc(3 << 20);
    for (size_t i = 0; i < 3 << 20; i++)
        bytes[i] = (char)(i * 7 + i / 1000);
    struct store_write *write = kit_write();
    put_object(write, 1, 1, "q", "{}");
    store_write_entry(write, 1, "large", 5, bytes, 3 << 20);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    assert_int_equal(store_read_entries(kit->reader, 1, check_large, bytes), STORE_OK);
    free(bytes);
}

static void what_is_cancelled_does_not_happen(void **state)
{
    struct kit *kit = *state;
    char large[5000] = {0};
    have_two(kit);
    struct store_write *write = kit_write();
    store_op_cancel(PUT(write, 3, "c", "3"));
    store_op_cancel(store_write_entry(write, 3, "d", 1, large, sizeof large));
    store_op_cancel(store_write_entry_drop(write, 3, "a", 1));
    PUT(write, 3, "e", "5");
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    expect_entries(kit, 3, "a=1\nb=2\ne=5\n");
}

static void a_dropped_object_is_gone_at_once(void **state)
{
    struct kit *kit = *state;
    have_two(kit);
    struct store_write *write = kit_write();
    store_write_add(write, STORE_OBJECT_DROP, 4);
    put_object(write, 9, 4, "results", "{}"); /* its name is free */
    PUT(write, 9, "new", "1");
    PUT(write, 4, "late", "1"); /* belongs to nobody */
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    expect_objects(kit, "3:1:results:{\"maxsize\":0}\n9:4:results:{}\n");
    expect_entries(kit, 9, "new=1\n");
}

static void the_reaper_takes_entries_in_slices(void **state)
{
    struct kit *kit = *state;
    have_two(kit);
    struct store_write *write = kit_write();
    for (int i = 0; i < 1000; i++) {
        char key[8];
        int length = snprintf(key, sizeof key, "%d", i);
        store_write_entry(write, 4, key, (size_t)length, "1", 1);
    }
    store_write_add(write, STORE_OBJECT_DROP, 4);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    struct store_reap reap = kit_reap(kit, KIT_CREATED, 64);
    assert_true(reap.more && reap.entries && reap.status == STORE_OK);
    unsigned slices = 1;
    for (; reap.more; slices++)
        reap = kit_reap(kit, KIT_CREATED, 64);
    assert_int_equal(slices, 2);
    assert_false(reap.entries);
    expect_entries(kit, 4, "");
    expect_entries(kit, 3, "a=1\nb=2\n");
}

static void a_full_disk_keeps_jobs_and_objects_together(void **state)
{
    struct kit *kit = *state;
    have_two(kit);
    store_fail_commit(kit->store, 1, STORE_FULL);
    struct job_view view = kit_job(1, JOB_READY);
    struct store_write *write = kit_write();
    kit_put_job(write, &view);
    store_write_entry_drop(write, 3, "a", 1);
    assert_int_equal(kit_commit(kit, write), STORE_FULL);
    expect_entries(kit, 3, "a=1\nb=2\n");
    assert_int_equal(kit_job_status(kit, 1, 0), STORE_NOT_FOUND);
}

static void all_is_there_after_a_restart(void **state)
{
    struct kit *kit = *state;
    have_two(kit);
    struct store_write *write = kit_write();
    store_write_add(write, STORE_OBJECT_DROP, 4);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    kit_reopen(kit, false);
    expect_objects(kit, "3:1:results:{\"maxsize\":0}\n");
    expect_entries(kit, 3, "a=1\nb=2\n");
    assert_false(kit_reap(kit, KIT_CREATED, 64).more);
    kit_reopen(kit, true);
    expect_entries(kit, 3, "a=1\nb=2\n");
}

#define ON(backend, test)                                                                                              \
    {                                                                                                                  \
#test " (" #backend ")", test, kit_open_##backend, kit_close, NULL                                             \
    }
#define BOTH(test) ON(memory, test), ON(sqlite, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(objects_and_entries_come_back),
        BOTH(later_puts_replace),
        BOTH(order_is_that_of_bytes),
        BOTH(a_reader_may_stop),
        BOTH(large_values_are_whole),
        BOTH(what_is_cancelled_does_not_happen),
        BOTH(a_dropped_object_is_gone_at_once),
        BOTH(the_reaper_takes_entries_in_slices),
        BOTH(a_full_disk_keeps_jobs_and_objects_together),
        ON(sqlite, all_is_there_after_a_restart),
    };
    return cmocka_run_group_tests_name("store_objects", tests, NULL, NULL);
}
