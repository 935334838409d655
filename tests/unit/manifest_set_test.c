/* manifest_set_test: folders of manifests: what belongs to a set, and what spoils it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "manifest/manifest.h"

static struct error error;

static char dir[64];

static void write_file(const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make_dir(void **state)
{
    (void)state;
    char a[80], b[80];
    snprintf(dir, sizeof dir, "/tmp/poold_manifest_XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(a, sizeof a, "%s/a", dir);
    snprintf(b, sizeof b, "%s/b", dir);
    return mkdir(a, 0700) || mkdir(b, 0700);
}

static int remove_dir(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static struct manifest_set *load(const char *first, const char *second)
{
    char a[200], b[200];
    snprintf(a, sizeof a, "%s/%s", dir, first);
    snprintf(b, sizeof b, "%s/%s", dir, second != NULL ? second : "");
    error.text[0] = '\0';
    return manifest_load((const char *[]){a, b}, second != NULL ? 2 : 1, &error);
}

static void assert_load_fails(const char *expected)
{
    char whole[400];
    snprintf(whole, sizeof whole, expected, dir, dir);
    assert_null(load("a", "b"));
    assert_string_equal(error.text, whole);
}

static void folders_make_one_set(void **state)
{
    (void)state;
    char source[100], path[100];
    write_file("a/z.json", "{\"command\":[\"./z\"]}");
    write_file("a/notes.txt", "not a manifest");
    write_file("a/.hidden.json", "nor this");
    write_file("b/m.json", "{\"runtime\":\"python\",\"module\":\"k\"}");
    struct manifest_set *set = load("a/", "b");
    if (set == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(set->count, 2);
    assert_string_equal(set->list[0]->name, "k");
    assert_string_equal(set->list[1]->name, "z");
    snprintf(source, sizeof source, "%s/a/z.json", dir);
    assert_string_equal(set->list[1]->source, source);
    snprintf(path, sizeof path, "%s/a/z", dir);
    assert_string_equal(set->list[1]->argv[0], path);
    manifest_set_free(&set);
    assert_null(set);
    set = manifest_load(NULL, 0, &error);
    assert_int_equal(set->count, 0);
    manifest_set_free(&set);
}

static void a_bad_file_spoils_the_set(void **state)
{
    (void)state;
    write_file("a/a.json", "{\"command\":[\"a\"]}");
    write_file("b/b.json", "{\"command\":[\"a\"],\n \"input\":2}");
    assert_load_fails("%s/b/b.json:2: \"input\": expected \"json\", \"text\" or \"base64\", got 2");
    write_file("b/b.json", "{\"command\":[\"a\"]}");
    write_file("b/1.json", "{\"command\":[\"a\"]}");
    assert_load_fails(
        "%s/b/1.json:1: \"name\": \"1\" cannot be one; add \"name\" (letters, digits, _ and - (with command "
        "also .), first a letter or _, at most 64)");
    write_file("b/1.json", "{\"canonical\":1,\"folder\":\"/etc\",\"command\":[\"a\"]}");
    assert_load_fails("%s/b/1.json:1: \"canonical\": no such key (workers/README.md lists them)");
    assert_null(load("a", "none"));
    assert_non_null(strstr(error.text, "/none: the folder cannot be read: No such file or directory"));
    assert_null(load("a/a.json", NULL));
    assert_non_null(strstr(error.text, "the folder cannot be read: Not a directory"));
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    char path[100];
    snprintf(path, sizeof path, "%s/a/pipe.json", dir);
    assert_int_equal(mkfifo(path, 0600), 0); /* opening it must not wait for a writer */
    assert_load_fails("%s/a/pipe.json: not a file");
    unlink(path);
    snprintf(path, sizeof path, "%s/a/gone.json", dir);
    assert_int_equal(symlink("/nonexistent", path), 0);
    assert_load_fails("%s/a/gone.json: cannot be read: No such file or directory");
    unlink(path);
    char *large = malloc((2 << 20) + 1);
    memset(large, ' ', 2 << 20);
    large[2 << 20] = '\0';
    write_file("a/large.json", large);
    free(large);
    assert_load_fails("%s/a/large.json: larger than 1048576 bytes");
}

static void names_collide(void **state)
{
    (void)state;
    write_file("a/x.json", "{\"command\":[\"a\"],\n\"name\":\"images\"}");
    write_file("b/y.json", "{\"runtime\":\"python\",\n\n\"module\":\"images\"}");
    assert_load_fails("%s/b/y.json:1: \"name\": \"images\" collides with \"images\" of %s/a/x.json:2");
    write_file("a/x.json", "{\"command\":[\"a\"],\n\"name\":\"images.thumb\"}");
    assert_load_fails("%s/b/y.json:1: \"name\": \"images\" collides with \"images.thumb\" of %s/a/x.json:2");
    write_file("a/x.json", "{\"runtime\":\"python\",\"module\":\"images\"}");
    write_file("b/y.json", "{\"command\":[\"a\"],\n\"name\":\"images.a.b\"}");
    assert_load_fails("%s/b/y.json:2: \"name\": \"images.a.b\" collides with \"images\" of %s/a/x.json:1");
    write_file("a/x.json", "{\"command\":[\"a\"],\"name\":\"images\"}"); /* two execs are two functions */
    struct manifest_set *set = load("a", "b");
    assert_non_null(set);
    manifest_set_free(&set);
    write_file("a/x.json", "{\"plugin\":\"x.so\",\"name\":\"image\"}"); /* the beginning of a name is not it */
    assert_non_null(set = load("a", "b"));
    manifest_set_free(&set);
}

static void there_is_a_most(void **state)
{
    (void)state;
    char name[40];
    for (int i = 0; i < MANIFESTS_MAX; i++) {
        snprintf(name, sizeof name, "a/f%d.json", i);
        write_file(name, "{\"command\":[\"a\"]}");
    }
    struct manifest_set *set = load("a", "b");
    assert_non_null(set);
    assert_int_equal(set->count, MANIFESTS_MAX);
    for (unsigned i = 1; i < set->count; i++)
        assert_true(strcmp(set->list[i - 1]->name, set->list[i]->name) < 0);
    manifest_set_free(&set);
    write_file("b/g.json", "{\"command\":[\"a\"]}");
    assert_load_fails("%s/b/g.json: more than 256 manifests");
}

int main(void)
{
#define IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(folders_make_one_set), IN_FOLDER(a_bad_file_spoils_the_set), IN_FOLDER(what_is_no_file_is_refused),
        IN_FOLDER(names_collide),        IN_FOLDER(there_is_a_most),
    };
    return cmocka_run_group_tests_name("manifest set", tests, NULL, NULL);
}
