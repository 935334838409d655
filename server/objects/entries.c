/* entries: what kinds write to the store, and how its keys and numbers look. */
#include "base/clock.h"
#include "objects/inside.h"

void object_entry_put(struct object *object, const void *key, size_t key_length, const void *value, size_t length)
{
    const struct object_ports *ports = &object->all->ports;
    ports->entry_put(ports->context, object->id, key, key_length, value, length);
}

void object_entry_drop(struct object *object, const void *key, size_t key_length)
{
    const struct object_ports *ports = &object->all->ports;
    ports->entry_drop(ports->context, object->id, key, key_length);
}

struct entry_key entry_key(char letter, uint64_t number)
{
    struct entry_key key;
    key.bytes[0] = letter;
    for (unsigned i = 1; i < ENTRY_KEY_SIZE; i++)
        key.bytes[i] = (char)(unsigned char)(number >> (8 * (8 - i)));
    return key;
}

uint64_t entry_key_number(const char *bytes)
{
    uint64_t number = 0;
    for (unsigned i = 1; i < ENTRY_KEY_SIZE; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return number;
}

size_t entry_numbers(const char *value, size_t length, uint64_t *numbers, unsigned count)
{
    const char *at = value, *end = value + length;
    for (unsigned i = 0; i < count; i++) {
        const char *stop = at;
        long long number;
        while (stop != end && *stop != ' ')
            stop++;
        if (stop == end || scan_integer(at, stop, &number) != 0 || number < 0)
            return 0;
        numbers[i] = (uint64_t)number;
        at = stop + 1;
    }
    return (size_t)(at - value);
}

int entry_nonsense(const struct object *object, const char *key, size_t key_length, struct error *error)
{
    return error_set(error, "%s %s has an entry that makes no sense (%.*s…, %zu bytes)", object->ops->name,
                     object->name, key_length ? 1 : 0, key, key_length);
}

int64_t object_at_ns(const struct object *object, int64_t wall_ms)
{
    const int64_t ages = INT64_MAX / 4 / NS_PER_MS; /* what no clock of ours reaches must not overflow */
    int64_t left = wall_ms - object_wall_ms(object);
    return object_now_ns(object) + (left < ages ? left : ages) * NS_PER_MS;
}
