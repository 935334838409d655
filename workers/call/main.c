/* poold-call: shared objects – queues, locks, dicts … – for the shell scripts and other programs of an exec item.
 *
 * Talks to the worker over the socket that POOLD_SOCKET names; needs no network, address or token. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/call.h"

static const char help[] =
    "Usage: poold-call OBJECT OPERATION [ARGUMENT…] [--wait SECONDS|forever] [--NAME VALUE…]\n"
    "       poold-call locks/NAME run [--wait SECONDS] -- COMMAND [ARGUMENT…]\n"
    "       poold-call progress JSON\n"
    "\n"
    "Inside of an item: one operation on a shared object, or this item's progress.\n"
    "\n"
    "  poold-call queues/results put 7\n"
    "  poold-call queues/results put '{\"value\": {\"a\": 1}}' --wait 5\n"
    "  poold-call queues/results get --wait forever\n"
    "  poold-call dicts/config set colour blue\n"
    "  poold-call dicts/hits add /index.html 1\n"
    "  poold-call locks/printer run -- lpr page.ps\n"
    "\n"
    "ARGUMENTs are JSON, or else text; a single one that is a JSON object holds all arguments by name, and\n"
    "--NAME VALUE is one argument by name (--lease 30). `-` is read from stdin.\n"
    "\n"
    "  --wait S   how long to wait (absent: not at all; for `run`: for ever)\n"
    "  --raw      print a string's content, without quotes\n"
    "  --text     arguments that follow are text, also when they look like JSON\n"
    "  --json     print the whole answer, not only the value in it\n"
    "  --help     this text\n"
    "\n"
    "Exit status: 0; 75 empty, full or busy; 66 there is no such object, key or element, or a pipe's end of file;\n"
    "69 this is not inside of an item; 64 wrong usage; 1 anything else. All operations: server/objects/README.md\n";

_Noreturn void fail(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("poold-call: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(status);
}

_Noreturn void usage_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("poold-call: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs(" (see poold-call --help)\n", stderr);
    va_end(arguments);
    exit(EX_USAGE);
}

static int say_progress(int argc, char **argv)
{
    struct buf json = BUF_EMPTY;
    if (argc != 3)
        usage_error("progress takes one argument");
    request_append_word(&json, argv[2], false);
    link_progress(&json);
    buf_free(&json);
    return EXIT_SUCCESS;
}

static int call(struct wish *wish)
{
    struct buf request = BUF_EMPTY, line = BUF_EMPTY;
    size_t length;
    bool ok;
    int status = EXIT_SUCCESS;
    if (wish->command)
        usage_error("only `run` takes a command");
    request_make(wish, &request);
    const char *answer = link_ask(&request, &line, &length, &ok);
    if (ok)
        show(wish, answer, length);
    else
        status = show_error(answer, length);
    buf_free(&request);
    buf_free(&line);
    return status;
}

/* Cuts the command behind "--" off. */
static char **split_command(int *argc, char **argv)
{
    for (int i = 1; i < *argc; i++)
        if (strcmp(argv[i], "--") == 0) {
            *argc = i;
            argv[i] = NULL;
            return argv + i + 1;
        }
    return NULL;
}

int main(int argc, char **argv)
{
    char **command = split_command(&argc, argv);
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    if (argc > 1 && strcmp(argv[1], "progress") == 0)
        return say_progress(argc, argv);
    if (argc < 3 || argv[1][0] == '-' || argv[2][0] == '-')
        usage_error("which object, and what with it?");
    struct wish wish = {.object = argv[1], .op = argv[2], .words = argv + 3, .count = argc - 3, .command = command};
    return strcmp(wish.op, "run") == 0 ? run_locked(&wish) : call(&wish);
}
