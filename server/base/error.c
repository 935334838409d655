#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *e, const char *format, ...)
{
    if (e == NULL)
        return -1;
    int kept = errno; /* callers look at errno after the message is made */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(e->text, sizeof e->text, format, arguments);
    va_end(arguments);
    errno = kept;
    return -1;
}
