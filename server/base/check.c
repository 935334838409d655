#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

void check_failed(const char *file, int line, const char *expression, const char *format, ...)
{
    char note[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note, sizeof note, format, arguments);
    va_end(arguments);
    log_event(LOG_ERROR, "check.failed", "where=\"%s:%d\" expected=\"%s\" note=\"%s\"", file, line, expression, note);
    abort();
}
