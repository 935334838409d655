/* fault: see fault.h. */
#include "runtimes/fault.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/signal_name.h"

void fault_begin(struct buf *object, const struct fault *fault)
{
    char name[16];
    buf_printf(object, "{\"type\":\"%s\",\"message\":", failure_name(fault->type));
    buf_append_json_string(object, fault->message, strlen(fault->message));
    if (fault->signal)
        buf_printf(object, ",\"signal\":\"%s\"", signal_name(fault->signal, name));
    else
        buf_append_text(object, ",\"signal\":null");
    if (fault->exit_code >= 0)
        buf_printf(object, ",\"exit_code\":%d", fault->exit_code);
    else
        buf_append_text(object, ",\"exit_code\":null");
    buf_printf(object, ",\"attempts\":%u", fault->attempts);
}

void fault_text(struct buf *object, const char *key, const char *text, size_t length)
{
    buf_printf(object, ",\"%s\":", key);
    buf_append_json_string(object, text, length);
}

void fault_number(struct buf *object, const char *key, int64_t value)
{
    buf_printf(object, ",\"%s\":%" PRId64, key, value);
}

void fault_end(struct buf *object)
{
    buf_append_char(object, '}');
}
