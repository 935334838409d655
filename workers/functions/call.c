/* call: what functions use to give back a value or an error. See function.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "functions/function.h"
#include "wire/scan.h"

char *call_room_made(struct call *call, size_t bytes)
{
    bool fits = bytes <= call->value_max && (bytes <= call->room || (call->more && call->more(call, bytes)));
    if (!fits) {
        call_error(call, "the value has %zu bytes, the limit is %zu", bytes, call->value_max);
        call->error_type = "too_large";
        return NULL;
    }
    call->value_length = bytes;
    return call->value;
}

int call_value(struct call *call, const char *json, size_t length)
{
    char *to = call_room(call, length);
    if (to == NULL)
        return -1;
    memcpy(to, json, length);
    return 0;
}

int call_error(struct call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(call->error, sizeof call->error, format, arguments);
    va_end(arguments);
    call->error_type = "error";
    return -1;
}

const char *json_kind(char first)
{
    switch (first) {
    case '"':
        return "a string";
    case '[':
        return "an array";
    case '{':
        return "an object";
    case 't':
        return "true";
    case 'f':
        return "false";
    case 'n':
        return "null";
    default:
        return "a number";
    }
}

int call_expected(struct call *call, const char *what)
{
    return call_error(call, "%s: expected %s, got %s", call->name, what, json_kind(call->item[0]));
}

int call_unpack(struct call *call)
{
    if (call->item[0] != '[')
        return call_error(call, "%s: expected an array of arguments, got %s", call->name, json_kind(call->item[0]));
    struct scan_walk walk;
    unsigned count = 0;
    const char *argument = NULL, *argument_end = NULL;
    for (scan_enter(&walk, (char *)call->item, (char *)call->item + call->length, false); scan_next(&walk); count++) {
        argument = walk.value;
        argument_end = walk.value_end;
    }
    if (count != 1 || walk.error.reason)
        return call_error(call, "%s: takes 1 argument, got %u", call->name, count);
    call->item = argument;
    call->length = (size_t)(argument_end - argument);
    return 0;
}
