#include "http/traceparent.h"

#include <string.h>

#include "http/heads.h"

#define HEX "0123456789abcdef"

/* version "-" trace-id "-" parent-id "-" flags */
enum {
    TRACE_AT = 3,
    TRACE_DIGITS = 32,
    PARENT_AT = TRACE_AT + TRACE_DIGITS + 1,
    PARENT_DIGITS = 16,
    FLAGS_AT = PARENT_AT + PARENT_DIGITS + 1
};

static bool is_hex(const char *at, size_t digits)
{
    return strspn(at, HEX) >= digits;
}

static bool is_id(const char *at, size_t digits)
{
    return strspn(at, HEX) == digits && strspn(at, "0") < digits;
}

static bool is_valid(const char *header, size_t length)
{
    bool later = memcmp(header, "00", 2) != 0; /* whose own fields may follow */
    return is_hex(header, 2) && memcmp(header, "ff", 2) != 0 && header[TRACE_AT - 1] == '-' &&
           is_id(header + TRACE_AT, TRACE_DIGITS) && header[PARENT_AT - 1] == '-' &&
           is_id(header + PARENT_AT, PARENT_DIGITS) && header[FLAGS_AT - 1] == '-' && is_hex(header + FLAGS_AT, 2) &&
           (length == TRACEPARENT_LENGTH || (later && header[TRACEPARENT_LENGTH] == '-'));
}

/* Of a later version's flags only the one that this version has, "sampled", is known to mean the same. */
static void as_version_0(char *kept)
{
    bool sampled = (strchr(HEX, kept[FLAGS_AT + 1]) - HEX) & 1;
    memcpy(kept, "00", 2);
    memcpy(kept + FLAGS_AT, sampled ? "01" : "00", 2);
}

bool traceparent_read(const char *header, char kept[TRACEPARENT_LENGTH + 1])
{
    size_t length = heads_value_length(header);
    kept[0] = '\0';
    if (length < TRACEPARENT_LENGTH || !is_valid(header, length))
        return false;
    memcpy(kept, header, TRACEPARENT_LENGTH);
    kept[TRACEPARENT_LENGTH] = '\0';
    if (memcmp(kept, "00", 2) != 0)
        as_version_0(kept);
    return true;
}
