#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* PIPE_BUF: a longer write to a pipe may be torn by another process's line. */
#define LINE_SIZE 4096

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_WARNING] = "warning", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

static char process_name[32] = "poold";
static enum log_level most_printed = LOG_INFO;

void log_setup(const char *process, enum log_level most)
{
    snprintf(process_name, sizeof process_name, "%s", process);
    most_printed = most;
}

/* Everything up to the fields; returns its length. */
static size_t print_head(char line[LINE_SIZE], enum log_level level, const char *event)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t length = strftime(line, LINE_SIZE, "time=%Y-%m-%dT%H:%M:%S", &utc);
    int more = snprintf(line + length, 256, ".%03ldZ level=%s process=%s event=%s", now.tv_nsec / 1000000,
                        level_names[level], process_name, event);
    return length + (more < 256 ? (size_t)more : 255);
}

/* One event is one line, whatever a path or a system's message has in it. */
static void blank_controls(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = ' ';
}

void log_event(enum log_level level, const char *event, const char *fields, ...)
{
    if (level > most_printed)
        return;
    int kept = errno;
    char line[LINE_SIZE];
    size_t length = print_head(line, level, event);
    if (fields[0] != '\0') {
        line[length++] = ' ';
        size_t room = sizeof line - length - 1; /* one byte stays for the newline */
        va_list arguments;
        va_start(arguments, fields);
        int more = vsnprintf(line + length, room, fields, arguments);
        va_end(arguments);
        if (more > 0)
            length += (size_t)more < room ? (size_t)more : room - 1;
    }
    blank_controls(line, length);
    line[length++] = '\n';
    /* A log that cannot be written has nowhere to be complained about. */
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;
    errno = kept;
}
