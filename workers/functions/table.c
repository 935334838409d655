/* table: every function that is built in. */
#include <string.h>

#include "functions/builtin.h"
#include "functions/function.h"

const struct function functions[] = {
    {.name = "echo", .summary = "returns the item as it came", .example = "{\"any\":\"JSON\"}", .call = builtin_echo},
    {.name = "square",
     .summary = "a number times itself; integers are exact up to 128 bits",
     .example = "7",
     .call = builtin_square},
    {.name = "cube",
     .summary = "a number to the power of three; integers are exact up to 128 bits",
     .example = "3",
     .call = builtin_cube},
    {.name = "fibonacci",
     .summary = "the n-th Fibonacci number by naive recursion: load for one processor (n from 0 to 50)",
     .example = "30",
     .call = builtin_fibonacci},
    {.name = "sleep", .summary = "waits for so many seconds and returns them", .example = "0.5", .call = builtin_sleep},
    {.name = "greet", .summary = "says hello to a name", .example = "\"Ada\"", .call = builtin_greet},
    {.name = "sum",
     .summary = "the sum of an array of numbers; integers are exact up to 128 bits",
     .example = "[1,2,3]",
     .call = builtin_sum},

    {.name = "crash",
     .summary = "dies of a signal: its name or number, null for SIGSEGV",
     .example = "\"SIGSEGV\"",
     .test_only = true,
     .call = inject_crash},
    {.name = "crash_until",
     .summary = "dies of SIGKILL while the attempt is below `until`, then returns the attempt",
     .example = "{\"until\":2}",
     .test_only = true,
     .call = inject_crash_until},
    {.name = "exit",
     .summary = "ends the worker with an exit code",
     .example = "3",
     .test_only = true,
     .call = inject_exit},
    {.name = "hang",
     .summary = "ignores SIGTERM and never returns",
     .example = "null",
     .test_only = true,
     .call = inject_hang},
    {.name = "garbage",
     .summary = "writes nonsense to the worker's channel",
     .example = "null",
     .test_only = true,
     .call = inject_garbage},
    {.name = "raw",
     .summary = "returns the content of a string as if it were JSON",
     .example = "\"[1,2]\"",
     .test_only = true,
     .unchecked = true,
     .call = inject_raw},
    {.name = "allocate",
     .summary = "takes memory until it is killed (or has 64 GiB)",
     .example = "null",
     .test_only = true,
     .call = inject_allocate},
    {.name = "huge",
     .summary = "returns a string of so many characters",
     .example = "1000000",
     .test_only = true,
     .call = inject_huge},
    {.name = "print",
     .summary = "writes the item to stdout and stderr and returns it",
     .example = "\"hello\"",
     .test_only = true,
     .prints = true,
     .call = inject_print},
    {.name = "fail",
     .summary = "fails; given {\"until\":k}, only while the attempt is below k",
     .example = "{\"until\":2}",
     .test_only = true,
     .call = inject_fail},
    {.name = "pid",
     .summary = "the process id of the worker",
     .example = "null",
     .test_only = true,
     .call = inject_pid},
};
const size_t functions_count = sizeof functions / sizeof functions[0];

const struct function *function_find(const char *name, bool test_functions)
{
    for (size_t i = 0; i < functions_count; i++)
        if (strcmp(functions[i].name, name) == 0)
            return functions[i].test_only && !test_functions ? NULL : &functions[i];
    return NULL;
}
