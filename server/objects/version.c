#include "objects/version.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

static const char key[1] = {VERSION_KEY};

void version_write(char bytes[8], uint64_t version)
{
    uint64_t big = htobe64(version);
    memcpy(bytes, &big, sizeof big);
}

uint64_t version_read(const char bytes[8])
{
    uint64_t big;
    memcpy(&big, bytes, sizeof big);
    return be64toh(big);
}

uint64_t version_next(struct object *object, uint64_t *reserved)
{
    if (object->version >= *reserved) {
        char bytes[8];
        *reserved = object->version + VERSION_BLOCK;
        version_write(bytes, *reserved);
        object_entry_put(object, key, sizeof key, bytes, sizeof bytes);
    }
    return ++object->version;
}

bool version_restore(struct object *object, uint64_t *reserved, const char *entry, size_t entry_length,
                     const char *value, size_t length)
{
    if (entry_length != sizeof key || *entry != *key || length != 8)
        return false;
    *reserved = object->version = version_read(value);
    return true;
}

enum object_status version_matches(struct object_call *call, const struct arguments *arguments, uint64_t version)
{
    const struct argument *wanted = argument(arguments, "version");
    if (!wanted->given || (wanted->integer >= 0 && (uint64_t)wanted->integer == version))
        return OBJECT_OK;
    return call_problem(call, OBJECT_CHANGED, "it has version %" PRIu64 ", not %" PRId64, version, wanted->integer);
}
