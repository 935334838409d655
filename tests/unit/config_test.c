/* config_test: where options come from, who wins, what is refused, and that children read the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"

static struct config config;
static char message[512];
static char file_name[] = "/tmp/poold_config_XXXXXX";

#define PARSE(...) parse((const char *[]){"poold", __VA_ARGS__, NULL})

static enum config_result parse(const char *const *argv)
{
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    memset(&config, 0xa5, sizeof config);
    return config_parse(&config, argc, (char **)(uintptr_t)argv, message, sizeof message);
}

static void write_config(const char *text)
{
    FILE *file = fopen(file_name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int clean_environment(void **state)
{
    (void)state;
    static const char *const names[] = {"CONFIG",    "MAX_BODY",       "DATA", "FUNCTIONS",
                                        "PROCESSES", "TEST_FUNCTIONS", "CHECK"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char variable[64];
        snprintf(variable, sizeof variable, "POOLD_%s", names[i]);
        unsetenv(variable);
    }
    return 0;
}

static void defaults_are_as_the_header_says(void **state)
{
    (void)state;
    assert_int_equal(parse((const char *[]){"poold", NULL}), CONFIG_OK);
    assert_string_equal(config.listen, "127.0.0.1:8080");
    assert_string_equal(config.data, "./poold-data");
    assert_string_equal(config.token_file, "");
    assert_string_equal(config.allow_hosts, "");
    assert_int_equal(config.processes, 0);
    assert_int_equal(config.functions_count, 0);
    assert_false(config.test_functions || config.read_only || config.check);
    assert_int_equal(config.idle_runtimes, 4);
    assert_int_equal(config.log_level, LOG_INFO);
    assert_int_equal(config.grace_s, 10);
    assert_int_equal(config.kill_grace_ms, 2000);
    assert_int_equal(config.hello_deadline_ms, 10000);
    assert_int_equal(config.retention_s, 604800);
    assert_int_equal(config.max_body, 64 << 20);
    assert_int_equal(config.max_item, 8 << 20);
    assert_int_equal(config.max_value, 8 << 20);
    assert_int_equal(config.max_objects, 256 << 20);
    assert_int_equal(config.min_free, 64 << 20);
    assert_int_equal(config.max_connections, 1024);
    assert_int_equal(config.max_connections_per_address, 512);
    assert_int_equal(config.max_streams, 512);
    assert_int_equal(config.head_timeout_ms, 10000);
    assert_int_equal(config.body_timeout_ms, 60000);
}

static void flags_win_over_environment_over_file(void **state)
{
    (void)state;
    write_config("# a comment\n\n  max-body = 1M   # another\ndata=/from/file#1\nprocesses = 3\n");
    assert_int_equal(PARSE("--config", file_name), CONFIG_OK);
    assert_int_equal(config.max_body, 1 << 20);
    assert_string_equal(config.data, "/from/file#1");
    setenv("POOLD_CONFIG", file_name, 1);
    setenv("POOLD_MAX_BODY", "2M", 1);
    setenv("POOLD_DATA", "", 1); /* as if it were not set */
    assert_int_equal(PARSE("--processes", "7"), CONFIG_OK);
    assert_int_equal(config.max_body, 2 << 20);
    assert_string_equal(config.data, "/from/file#1");
    assert_int_equal(config.processes, 7);
    assert_int_equal(PARSE("--max-body=3M", "--processes=1", "--processes=2"), CONFIG_OK);
    assert_int_equal(config.max_body, 3 << 20);
    assert_int_equal(config.processes, 2);
    assert_int_equal(PARSE("--config="), CONFIG_OK); /* no file after all */
    assert_string_equal(config.data, "./poold-data");
}

static void a_stronger_list_replaces_a_weaker_one(void **state)
{
    (void)state;
    write_config("functions = /f1\nfunctions = /f2\nfunctions = /f3\n");
    assert_int_equal(PARSE("--config", file_name), CONFIG_OK);
    assert_int_equal(config.functions_count, 3);
    assert_string_equal(config.functions[2], "/f3");
    setenv("POOLD_FUNCTIONS", "/e1:/e2", 1);
    assert_int_equal(PARSE("--config", file_name), CONFIG_OK);
    assert_int_equal(config.functions_count, 2);
    assert_string_equal(config.functions[1], "/e2");
    assert_int_equal(PARSE("--functions", "/a", "--functions=/b:c"), CONFIG_OK);
    assert_int_equal(config.functions_count, 2);
    assert_string_equal(config.functions[1], "/b:c");
    assert_int_equal(PARSE("--functions="), CONFIG_OK);
    assert_int_equal(config.functions_count, 0);
}

static void values_have_units(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--max-body", "5000", "--min-free", "2g", "--max-item", "512K"), CONFIG_OK);
    assert_true(config.max_body == 5000 && config.min_free == INT64_C(2) << 30 && config.max_item == 512 << 10);
    assert_int_equal(PARSE("--kill-grace", "300ms", "--grace", "5", "--retention", "12h"), CONFIG_OK);
    assert_true(config.kill_grace_ms == 300 && config.grace_s == 5 && config.retention_s == 12 * 3600);
    assert_int_equal(PARSE("--test-functions", "--log-level", "debug"), CONFIG_OK);
    assert_true(config.test_functions && config.log_level == LOG_DEBUG);
    assert_int_equal(PARSE("--test-functions=no", "--listen", "[::1]:0"), CONFIG_OK);
    assert_false(config.test_functions);
    assert_string_equal(config.listen, "[::1]:0");
}

static void assert_refused(const char *flag, const char *value, const char *expected)
{
    enum config_result result = value != NULL ? PARSE(flag, value) : PARSE(flag);
    assert_int_equal(result, CONFIG_ERROR);
    if (strstr(message, expected) == NULL)
        fail_msg("%s %s: \"%s\" does not say \"%s\"", flag, value != NULL ? value : "", message, expected);
}

static void errors_name_the_option_and_what_was_expected(void **state)
{
    (void)state;
    char longest[1100];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_refused("--max-body", "12Q", "--max-body: \"12Q\" is not a size such as");
    assert_refused("--max-body", "-1", "not a size");
    assert_refused("--max-body", " 1", "not a size");
    assert_refused("--max-body", "9223372036854775807K", "not a size");
    assert_refused("--max-body", "99999999999999999999", "not a size");
    assert_refused("--max-item", "9M", "out of range, expected 1 to 8M");
    assert_refused("--processes", "2K", "not a whole number");
    assert_refused("--processes", "", "not a whole number");
    assert_refused("--processes", "100000", "out of range");
    assert_refused("--grace", "500ms", "whole seconds");
    assert_refused("--grace", "soon", "a time such as");
    assert_refused("--log-level", "loud", "error, warning, info or debug");
    assert_refused("--test-functions=maybe", NULL, "neither true nor false");
    assert_refused("--data", longest, "--data: the text is 1099 bytes long, at most 1023");
    assert_refused("--data", NULL, "--data: a value is missing, expected DIR");
    assert_refused("--dat", "x", "no option \"--dat\"");
    assert_refused("data", NULL, "unexpected argument \"data\"");
    assert_refused("--", NULL, "unexpected argument");
    assert_refused("--config", "/nonexistent", "cannot read /nonexistent: No such file");
    assert_refused("--config", "/tmp", "cannot read /tmp: Is a directory");
    static const char *const addresses[] = {"8080", ":8080", "1.2.3.4:", "1.2.3.4:65536", "::1:80", "[::1:80", "a:b"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        assert_refused("--listen", addresses[i], "is not ADDR:PORT");
}

static void errors_name_the_line_or_the_variable(void **state)
{
    (void)state;
    write_config("\n# fine\nmax-item = 1x\n");
    assert_refused("--config", file_name, ":3: max-item: \"1x\" is not a size");
    write_config("max_item = 1\n");
    assert_refused("--config", file_name, ":1: there is no option \"max_item\"");
    write_config("just words\n");
    assert_refused("--config", file_name, ":1: \"just words\" is not `name = value`");
    setenv("POOLD_PROCESSES", "many", 1);
    assert_refused("--data", "x", "POOLD_PROCESSES: \"many\" is not a whole number");
}

static void help_and_version_win(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--nonsense", "--help"), CONFIG_HELP);
    assert_int_equal(PARSE("-h"), CONFIG_HELP);
    assert_int_equal(PARSE("--version"), CONFIG_VERSION);
}

static void help_names_every_option(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    config_print_help(out);
    fclose(out);
    char **argv = config_to_argv(&config, "poold");
    for (char **word = argv + 1; *word != NULL; word++) {
        char flag[64];
        snprintf(flag, sizeof flag, "  %.*s", (int)strcspn(*word, "="), *word);
        if (strcmp(flag, "  --read-only") != 0 && strstr(text, flag) == NULL)
            fail_msg("%s is not in the help", flag);
    }
    assert_non_null(strstr(text, "[POOLD_MAX_CONNECTIONS_PER_ADDRESS; default: 512]"));
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 100);
    free(argv);
    free(text);
}

static void children_read_the_same(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--listen=[::1]:99", "--data=/d a", "--processes=3", "--functions=/a", "--functions=/b",
                           "--token-file=/t", "--allow-hosts=a,b", "--test-functions", "--log-level=debug", "--grace=7",
                           "--kill-grace=1234ms", "--hello-deadline=2s", "--retention=61", "--max-body=1025",
                           "--max-item=3M", "--max-value=1", "--max-objects=1G", "--min-free=0", "--max-connections=9",
                           "--max-streams=11", "--max-connections-per-address=10", "--head-timeout=50ms",
                           "--body-timeout=51ms", "--idle-runtimes=64", "--check", "--read-only"),
                     CONFIG_OK);
    static struct config before;
    before = config;
    char **argv = config_to_argv(&before, "poold-server");
    assert_string_equal(argv[0], "poold-server");
    /* What the parent's environment says must not come through a second time. */
    setenv("POOLD_CONFIG", "/nonexistent", 1);
    setenv("POOLD_DATA", "/other", 1);
    assert_int_equal(parse((const char *const *)argv), CONFIG_OK);
    assert_memory_equal(&config, &before, sizeof config);
    free(argv);
}

static void children_of_defaults_read_the_same(void **state)
{
    (void)state;
    assert_int_equal(parse((const char *[]){"poold", NULL}), CONFIG_OK);
    static struct config before;
    before = config;
    char **argv = config_to_argv(&before, "poold-server");
    setenv("POOLD_FUNCTIONS", "/other", 1);
    setenv("POOLD_TEST_FUNCTIONS", "yes", 1);
    setenv("POOLD_CHECK", "yes", 1);
    assert_int_equal(parse((const char *const *)argv), CONFIG_OK);
    assert_int_equal(config.functions_count, 0);
    assert_false(config.test_functions || config.check);
    assert_int_equal(config.retention_s, before.retention_s);
    assert_int_equal(config.max_body, before.max_body);
    free(argv);
}

int main(void)
{
    int fd = mkstemp(file_name);
    if (fd == -1)
        return 1;
    close(fd);
#define TEST(name) cmocka_unit_test_setup(name, clean_environment)
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_as_the_header_says),
        TEST(flags_win_over_environment_over_file),
        TEST(a_stronger_list_replaces_a_weaker_one),
        TEST(values_have_units),
        TEST(errors_name_the_option_and_what_was_expected),
        TEST(errors_name_the_line_or_the_variable),
        TEST(help_and_version_win),
        TEST(help_names_every_option),
        TEST(children_read_the_same),
        TEST(children_of_defaults_read_the_same),
    };
    int failed = cmocka_run_group_tests_name("config", tests, NULL, NULL);
    unlink(file_name);
    return failed;
}
