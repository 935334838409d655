#include "wire/messages.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "base/check.h"

/* How many bytes a field takes on the wire at most. */
enum { BYTES_U32 = 4, BYTES_U64 = 8, BYTES_TEXT_LENGTH = 2 };

#define FIELD(kind, name) +BYTES_##kind
#define TEXT(name, capacity) +BYTES_TEXT_LENGTH + (capacity)-1
#define MESSAGE(name, number, fields) _Static_assert(0 fields <= MESSAGE_BODY_MAX, "body fits a frame");
#include "wire/messages.def"
#undef MESSAGE
#undef TEXT
#undef FIELD

static unsigned char *put_U32(unsigned char *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

static unsigned char *put_U64(unsigned char *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

static unsigned char *put_text(unsigned char *to, const char *text, size_t capacity)
{
    size_t length = strnlen(text, capacity);
    CHECK(length < capacity, "a text of a message has no end");
    uint16_t wire_length = htole16((uint16_t)length);
    memcpy(to, &wire_length, sizeof wire_length);
    memcpy(to + sizeof wire_length, text, length);
    return to + sizeof wire_length + length;
}

/* The rest of a body; once it was too short or wrong, `bad` stays. */
struct reader {
    const unsigned char *at, *end;
    bool bad;
};

/* `count` bytes, or NULL when there are fewer. */
static const unsigned char *take(struct reader *reader, size_t count)
{
    if (reader->bad || (size_t)(reader->end - reader->at) < count) {
        reader->bad = true;
        return NULL;
    }
    reader->at += count;
    return reader->at - count;
}

static void get_U32(struct reader *reader, uint32_t *value)
{
    const unsigned char *bytes = take(reader, sizeof *value);
    if (bytes) {
        memcpy(value, bytes, sizeof *value);
        *value = le32toh(*value);
    }
}

static void get_U64(struct reader *reader, uint64_t *value)
{
    const unsigned char *bytes = take(reader, sizeof *value);
    if (bytes) {
        memcpy(value, bytes, sizeof *value);
        *value = le64toh(*value);
    }
}

static void get_text(struct reader *reader, char *text, size_t capacity)
{
    uint16_t length = 0;
    const unsigned char *bytes = take(reader, sizeof length);
    if (!bytes)
        return;
    memcpy(&length, bytes, sizeof length);
    length = le16toh(length);
    if (length >= capacity) {
        reader->bad = true;
        return;
    }
    bytes = take(reader, length);
    if (!bytes)
        return;
    if (memchr(bytes, '\0', length)) { /* else two different bodies would give the same text */
        reader->bad = true;
        return;
    }
    memcpy(text, bytes, length);
    text[length] = '\0';
}

#define FIELD(kind, name) at = put_##kind(at, message->name);
#define TEXT(name, capacity) at = put_text(at, message->name, capacity);
#define MESSAGE(name, number, fields)                                                                                  \
    size_t message_##name##_encode(const struct message_##name *message, unsigned char *to)                            \
    {                                                                                                                  \
        unsigned char *at = to;                                                                                        \
        fields return (size_t)(at - to);                                                                               \
    }
#include "wire/messages.def"
#undef MESSAGE
#undef TEXT
#undef FIELD

/* The struct is zeroed first: no byte of a text beyond its end is left to chance. */
#define FIELD(kind, name) get_##kind(&reader, &message->name);
#define TEXT(name, capacity) get_text(&reader, message->name, capacity);
#define MESSAGE(name, number, fields)                                                                                  \
    int message_##name##_decode(struct message_##name *message, const unsigned char *from, size_t length)              \
    {                                                                                                                  \
        struct reader reader = {from, from + length, false};                                                           \
        memset(message, 0, sizeof *message);                                                                           \
        fields return reader.bad || reader.at != reader.end ? -1 : 0;                                                  \
    }
#include "wire/messages.def"
#undef MESSAGE
#undef TEXT
#undef FIELD

const char *message_name(unsigned type)
{
    switch (type) {
#define FIELD(kind, name)
#define TEXT(name, capacity)
#define MESSAGE(name, number, fields)                                                                                  \
    case (number):                                                                                                     \
        return #name;
#include "wire/messages.def"
#undef MESSAGE
#undef TEXT
#undef FIELD
    default:
        return NULL;
    }
}

const char *stop_cause_name(enum stop_cause cause)
{
    static const char *const names[STOP_CAUSES] = {
        [STOP_NONE] = "none",         [STOP_TIMEOUT] = "timeout", [STOP_CANCEL] = "cancel",
        [STOP_PROTOCOL] = "protocol", [STOP_RESIZE] = "resize",   [STOP_HELLO] = "hello",
        [STOP_SHUTDOWN] = "shutdown",
    };
    return (unsigned)cause < STOP_CAUSES ? names[cause] : "unknown";
}
