/* functions_test: every built-in function with good and wrong arguments, as JSON in and JSON out. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "functions/function.h"
#include "functions/number.h"

static char room[70000];
static struct call call;

static int run(const char *name, const char *item, uint32_t attempt)
{
    const struct function *function = function_find(name, true);
    assert_non_null(function);
    call = (struct call){.item = item,
                         .length = strlen(item),
                         .attempt = attempt,
                         .name = name,
                         .value = room,
                         .room = sizeof room - 1,
                         .value_max = sizeof room - 1};
    return function->call(&call);
}

static void gives_at(const char *name, const char *item, uint32_t attempt, const char *value)
{
    if (run(name, item, attempt) != 0)
        fail_msg("%s(%s): %s", name, item, call.error);
    room[call.value_length] = '\0';
    assert_string_equal(room, value);
}

static void gives(const char *name, const char *item, const char *value)
{
    gives_at(name, item, 1, value);
}

static void refuses(const char *name, const char *item, const char *message)
{
    assert_int_equal(run(name, item, 1), -1);
    assert_string_equal(call.error_type, "error");
    assert_string_equal(call.error, message);
}

static void square_of_integers(void **state)
{
    (void)state;
    gives("square", "7", "49");
    gives("square", "0", "0");
    gives("square", "-0", "0");
    gives("square", "-12", "144");
    gives("square", "3037000500", "9223372037000250000");
    gives("square", "4294967296", "18446744073709551616");
    gives("square", "9223372036854775807", "85070591730234615847396907784232501249");
    gives("square", "-9223372036854775808", "85070591730234615865843651857942052864");
    gives("square", "18446744073709551615", "340282366920938463426481119284349108225");
    gives("square", "10000000000", "100000000000000000000");
    gives("square", "999999999999999999", "999999999999999998000000000000000001");
    refuses("square", "18446744073709551616", "square: the result is beyond 128 bits");
    refuses("square", "340282366920938463463374607431768211455", "square: the result is beyond 128 bits");
    refuses("square", "340282366920938463463374607431768211456", "square: the integer is beyond 128 bits");
    refuses("square", "99999999999999999999999999999999999999999999", "square: the integer is beyond 128 bits");
}

static void square_of_fractions(void **state)
{
    (void)state;
    gives("square", "1.5", "2.25");
    gives("square", "0.1", "0.010000000000000002");
    gives("square", "-0.0", "0");
    gives("square", "1e3", "1000000");
    gives("square", "1E-200", "0");
    gives("square", "1e100", "1e+200");
    refuses("square", "1e400", "square: the number is beyond the range of a double");
    refuses("square", "1e200", "square: the result is beyond the range of a double");
}

static void square_of_nonsense(void **state)
{
    (void)state;
    refuses("square", "\"7\"", "square: expected a number, got a string");
    refuses("square", "[7]", "square: expected a number, got an array");
    refuses("square", "{}", "square: expected a number, got an object");
    refuses("square", "null", "square: expected a number, got null");
    refuses("square", "true", "square: expected a number, got true");
    refuses("square", "false", "square: expected a number, got false");
}

static void cube_of_numbers(void **state)
{
    (void)state;
    gives("cube", "3", "27");
    gives("cube", "-3", "-27");
    gives("cube", "-0", "0");
    gives("cube", "2097152", "9223372036854775808");
    gives("cube", "-2642245", "-18446724184312856125");
    gives("cube", "6981463658331", "340282366920856711588743492508790678691");
    refuses("cube", "6981463658332", "cube: the result is beyond 128 bits");
    refuses("cube", "-9223372036854775808", "cube: the result is beyond 128 bits");
    gives("cube", "-1.5", "-3.375");
    gives("cube", "-0.0", "-0");
    refuses("cube", "1e103", "cube: the result is beyond the range of a double");
    refuses("cube", "\"a\"", "cube: expected a number, got a string");
}

static void doubles_are_shortest_and_read_back(void **state)
{
    (void)state;
    const struct {
        double value;
        const char *text;
    } cases[] = {{0.1, "0.1"},       {0.1 + 0.2, "0.30000000000000004"},
                 {5e-324, "5e-324"}, {1.7976931348623157e308, "1.7976931348623157e+308"},
                 {1e21, "1e+21"},    {2.2250738585072014e-308, "2.2250738585072014e-308"},
                 {123456, "123456"}, {-1.0 / 3, "-0.3333333333333333"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[NUMBER_TEXT_MAX];
        number_write_real(text, cases[i].value);
        assert_string_equal(text, cases[i].text);
        assert_true(strtod(text, NULL) == cases[i].value);
    }
}

/* Against what the compiler's own 128-bit arithmetic and printf say. */
static void integers_survive_the_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        uint64_t value = seed >> (seed & 63);
        char expected[32], text[NUMBER_TEXT_MAX];
        int length =
            snprintf(expected, sizeof expected, "%s%llu", i & 1 && value ? "-" : "", (unsigned long long)value);
        char *at = number_write_back(text + sizeof text, i & 1, value);
        assert_memory_equal(at, expected, (size_t)length);
        assert_ptr_equal(at + length, text + sizeof text);
        struct number read;
        assert_int_equal(number_read(&read, expected, expected + length), NUMBER_OK);
        assert_true(read.exact && read.magnitude == value && read.negative == (i & 1 && value));
    }
}

static void echo_keeps_every_byte(void **state)
{
    (void)state;
    gives("echo", "1e400", "1e400");
    gives("echo", "-0", "-0");
    gives("echo", "0.10000", "0.10000");
    gives("echo", "{\"a\": [1, \"\\u0000\"] }", "{\"a\": [1, \"\\u0000\"] }");
    gives("echo", "\"\"", "\"\"");
}

static void greet_says_hello(void **state)
{
    (void)state;
    gives("greet", "\"Ada\"", "\"Hello, Ada!\"");
    gives("greet", "\"\"", "\"Hello, !\"");
    gives("greet", "\"A\\\"d\\u00e9\"", "\"Hello, A\\\"d\\u00e9!\"");
    refuses("greet", "1", "greet: expected a string, got a number");
}

static void sum_is_exact_while_it_can_be(void **state)
{
    (void)state;
    gives("sum", "[]", "0");
    gives("sum", "[ 1 , 2 , 3 ]", "6");
    gives("sum", "[1,-3]", "-2");
    gives("sum", "[9223372036854775807,9223372036854775807]", "18446744073709551614");
    gives("sum", "[-9223372036854775808,-9223372036854775808]", "-18446744073709551616");
    gives("sum", "[340282366920938463463374607431768211455,-340282366920938463463374607431768211455,5]", "5");
    gives("sum", "[340282366920938463463374607431768211455,-5,-6]", "340282366920938463463374607431768211444");
    refuses("sum", "[340282366920938463463374607431768211455,1]", "sum: the result is beyond 128 bits");
    gives("sum", "[0.5,1]", "1.5");
    gives("sum", "[1,0.5,2]", "3.5");
    gives("sum", "[340282366920938463463374607431768211455,340282366920938463463374607431768211455,0.5]",
          "6.80564733841877e+38");
}

static void sum_of_nonsense(void **state)
{
    (void)state;
    refuses("sum", "[1,\"2\"]", "sum: expected an array of numbers, got a string at position 1");
    refuses("sum", "[[1]]", "sum: expected an array of numbers, got an array at position 0");
    refuses("sum", "3", "sum: expected an array of numbers, got a number");
    refuses("sum", "{}", "sum: expected an array of numbers, got an object");
    refuses("sum", "[1e400]", "sum: the number is beyond the range of a double");
    refuses("sum", "[1.7e308,1.7e308]", "sum: the result is beyond the range of a double");
    refuses("sum", "[1,99999999999999999999999999999999999999999999]", "sum: the integer is beyond 128 bits");
}

static void sum_of_very_many(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    char *item = malloc(COUNT * 20 + 3), *at = item;
    *at++ = '[';
    for (int i = 0; i < COUNT; i++)
        at += sprintf(at, "%s%d", i ? "," : "", i);
    strcpy(at, "]");
    gives("sum", item, "4999950000");
    free(item);
}

static void fibonacci_counts(void **state)
{
    (void)state;
    gives("fibonacci", "0", "0");
    gives("fibonacci", "-0", "0");
    gives("fibonacci", "1", "1");
    gives("fibonacci", "2", "1");
    gives("fibonacci", "30", "832040");
    refuses("fibonacci", "51", "fibonacci: expected an integer from 0 to 50");
    refuses("fibonacci", "-1", "fibonacci: expected an integer from 0 to 50");
    refuses("fibonacci", "1.5", "fibonacci: expected an integer from 0 to 50");
    refuses("fibonacci", "\"3\"", "fibonacci: expected a number, got a string");
}

static void sleep_returns_what_it_got(void **state)
{
    (void)state;
    gives("sleep", "0", "0");
    gives("sleep", "0.010", "0.010");
    gives("sleep", "1e-3", "1e-3");
    refuses("sleep", "-1", "sleep: expected seconds from 0 to 1000000000");
    refuses("sleep", "1e10", "sleep: expected seconds from 0 to 1000000000");
    refuses("sleep", "null", "sleep: expected a number, got null");
}

static void every_example_works(void **state)
{
    (void)state;
    for (size_t i = 0; i < functions_count && !functions[i].test_only; i++)
        assert_int_equal(run(functions[i].name, functions[i].example, 1), 0);
}

static void names_are_found(void **state)
{
    (void)state;
    assert_string_equal(function_find("square", false)->name, "square");
    assert_null(function_find("crash", false));
    assert_non_null(function_find("crash", true));
    assert_null(function_find("", true));
    assert_null(function_find("squar", true));
    for (size_t i = 0; i < functions_count; i++)
        assert_ptr_equal(function_find(functions[i].name, true), &functions[i]);
}

static void values_over_the_limit(void **state)
{
    (void)state;
    assert_int_equal(run("huge", "69998", 1), -1);
    assert_string_equal(call.error_type, "too_large");
    assert_string_equal(call.error, "the value has 70000 bytes, the limit is 69999");
    assert_int_equal(run("huge", "69997", 1), 0);
    assert_int_equal(call.value_length, 69999);
    assert_memory_equal(room, "\"xxx", 4);
    assert_int_equal(room[69998], '"');
    gives("huge", "0", "\"\"");
    refuses("huge", "-1", "huge: expected an integer from 0 to 1099511627776");
}

static void arguments_are_unpacked(void **state)
{
    (void)state;
    const struct {
        const char *item, *argument, *error;
    } cases[] = {{"[7]", "7", NULL},
                 {"[ [1, 2] ]", "[1, 2]", NULL},
                 {"[]", NULL, "f: takes 1 argument, got 0"},
                 {"[1,2]", NULL, "f: takes 1 argument, got 2"},
                 {"7", NULL, "f: expected an array of arguments, got a number"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        call = (struct call){.item = cases[i].item, .length = strlen(cases[i].item), .name = "f"};
        assert_int_equal(call_unpack(&call), cases[i].error ? -1 : 0);
        if (cases[i].error)
            assert_string_equal(call.error, cases[i].error);
        else
            assert_memory_equal(call.item, cases[i].argument, call.length);
    }
}

/* Runs it in a child of its own; returns the wait status. */
static int fate_of(const char *name, const char *item, uint32_t attempt)
{
    int status;
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        _exit(run(name, item, attempt) == 0 ? 100 : 101);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void injectors_kill(void **state)
{
    (void)state;
    assert_int_equal(WTERMSIG(fate_of("crash", "null", 1)), SIGSEGV);
    assert_int_equal(WTERMSIG(fate_of("crash", "\"SIGKILL\"", 1)), SIGKILL);
    assert_int_equal(WTERMSIG(fate_of("crash", "\"SIGABRT\"", 1)), SIGABRT);
    assert_int_equal(WTERMSIG(fate_of("crash", "15", 1)), SIGTERM);
    assert_int_equal(WTERMSIG(fate_of("crash_until", "{\"until\":2}", 1)), SIGKILL);
    assert_int_equal(WEXITSTATUS(fate_of("exit", "3", 1)), 3);
    refuses("crash", "\"SIGNOTHING\"", "crash: expected a signal's name (\"SIGSEGV\") or number");
    refuses("crash", "\"\"", "crash: expected a signal's name (\"SIGSEGV\") or number");
    refuses("crash", "0", "crash: expected a signal's name (\"SIGSEGV\") or number");
    refuses("exit", "256", "exit: expected an integer from 0 to 255");
    refuses("exit", "null", "exit: expected an integer from 0 to 255");
}

static void injectors_relent(void **state)
{
    (void)state;
    refuses("fail", "null", "fail: failed as it was told");
    refuses("fail", "{\"until\":2}", "fail: failed as it was told");
    gives_at("fail", "{\"until\":2}", 2, "2");
    gives_at("crash_until", "{\"until\":2}", 2, "2");
    gives("crash_until", "{}", "1");
    gives("raw", "\"[1,\\u0032]\"", "[1,2]");
    refuses("raw", "1", "raw: expected a string, got a number");
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    gives("pid", "null", pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(square_of_integers),
        cmocka_unit_test(square_of_fractions),
        cmocka_unit_test(square_of_nonsense),
        cmocka_unit_test(cube_of_numbers),
        cmocka_unit_test(doubles_are_shortest_and_read_back),
        cmocka_unit_test(integers_survive_the_round_trip),
        cmocka_unit_test(echo_keeps_every_byte),
        cmocka_unit_test(greet_says_hello),
        cmocka_unit_test(sum_is_exact_while_it_can_be),
        cmocka_unit_test(sum_of_nonsense),
        cmocka_unit_test(sum_of_very_many),
        cmocka_unit_test(fibonacci_counts),
        cmocka_unit_test(sleep_returns_what_it_got),
        cmocka_unit_test(every_example_works),
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(values_over_the_limit),
        cmocka_unit_test(arguments_are_unpacked),
        cmocka_unit_test(injectors_kill),
        cmocka_unit_test(injectors_relent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
