/* plugin_objects: see plugin_objects.h. */
#include "runtimes/plugin_objects.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "wire/limits.h"
#include "wire/scan.h"

enum { ANSWER_KEPT = 64 * 1024, MAPS_KEPT = 16 };

struct plugin_map {
    struct plugin_map *next;
    dev_t device; /* with the inode: which file it is, also when that has no name any more */
    ino_t inode;
    size_t offset, size;
    void *base;
    uint64_t item; /* that used it last */
};

/* ---- calls ---- */

static int refuse(struct plugin_objects *it, struct call *call, const char *type, const char *message,
                  const char **answer, size_t *length)
{
    buf_clear(&it->answer, ANSWER_KEPT);
    buf_printf(&it->answer, "{\"type\":\"%s\",\"message\":\"%s\"}", type, message);
    *answer = buf_cstr(&it->answer);
    *length = it->answer.length;
    return call_error(call, "%s", message);
}

static bool key_is(const struct scan_walk *walk, const char *key)
{
    size_t length = strlen(key);
    return (size_t)(walk->key_end - walk->key) == length && memcmp(walk->key, key, length) == 0;
}

/* Whatever a plugin brings is not believed; and of a quiet call there is mostly no answer to wait for. */
static bool is_request(const char *request, size_t length)
{
    struct scan_walk walk;
    const char *end = request + length, *begin = scan_space(request, end);
    if (begin == end || *begin != '{')
        return false;
    for (scan_enter(&walk, (char *)begin, (char *)end, false); scan_next(&walk);)
        if (key_is(&walk, "quiet") && walk.kind != SCAN_FALSE)
            return false;
    return walk.done && scan_space(walk.at, end) == end;
}

/* The message is the item's error, unless the function answers something else. */
static int fail(struct call *call, const char *error, size_t length)
{
    json_t *object = json_loadb(error, length, 0, NULL);
    const char *message = json_string_value(json_object_get(object, "message"));
    call_error(call, "%s", message ? message : "the call failed");
    json_decref(object);
    return -1;
}

int plugin_objects_call(struct plugin_objects *it, struct call *call, const char *request, const char **answer,
                        size_t *length)
{
    struct scan_walk walk;
    size_t size, ignored_length;
    const char *ignored;
    answer = answer ? answer : &ignored;
    length = length ? length : &ignored_length;
    if (call->ask == NULL)
        return refuse(it, call, "invalid", "shared objects can be called while an item runs, not before", answer,
                      length);
    if (request == NULL || !is_request(request, strlen(request)))
        return refuse(it, call, "invalid", "a call must be a JSON object, and not be quiet", answer, length);
    if (strlen(request) > FRAME_BYTES_MAX)
        return refuse(it, call, "limit", "the request is too large", answer, length);
    const char *text = call->ask(call, request, strlen(request), &size);
    scan_enter(&walk, (char *)text, (char *)text + size, false);
    if (!scan_next(&walk))
        return refuse(it, call, "invalid", "the answer is broken", answer, length);
    buf_clear(&it->answer, ANSWER_KEPT);
    buf_append(&it->answer, walk.value, (size_t)(walk.value_end - walk.value));
    *answer = buf_cstr(&it->answer);
    *length = it->answer.length;
    return key_is(&walk, "ok") ? 0 : fail(call, *answer, *length);
}

/* ---- memory ---- */

static size_t size_of(char typecode)
{
    switch (typecode) {
    case 'b':
    case 'B':
        return 1;
    case 'h':
    case 'H':
        return 2;
    case 'i':
    case 'I':
    case 'f':
        return 4;
    case 'l':
    case 'L':
    case 'q':
    case 'Q':
    case 'd':
        return 8;
    default:
        return 0;
    }
}

static void drop(struct plugin_map **at)
{
    struct plugin_map *map = *at;
    *at = map->next;
    munmap(map->base, map->size);
    free(map);
}

/* Of the file as it is now: the same name may be another array by now. */
static struct plugin_map *find(struct plugin_objects *it, const struct plugin_map *wanted)
{
    for (struct plugin_map **at = &it->maps, *map; (map = *at); at = &map->next) {
        if (map->device != wanted->device || map->inode != wanted->inode || map->offset != wanted->offset ||
            map->size != wanted->size)
            continue;
        *at = map->next; /* to the front */
        map->next = it->maps;
        return it->maps = map;
    }
    return NULL;
}

/* Keeps what this item uses, and some more. */
static void drop_old(struct plugin_objects *it)
{
    unsigned count = 0;
    for (struct plugin_map **at = &it->maps; *at;)
        if (++count > MAPS_KEPT && (*at)->item != it->item)
            drop(at);
        else
            at = &(*at)->next;
}

/* Every page at once: a function mostly looks at all of it. */
static struct plugin_map *map_open(struct plugin_objects *it, int fd, struct plugin_map *wanted)
{
    struct stat stat;
    if (fstat(fd, &stat) == -1)
        return NULL;
    wanted->device = stat.st_dev;
    wanted->inode = stat.st_ino;
    struct plugin_map *map = find(it, wanted);
    if (map)
        return map;
    wanted->base =
        mmap(NULL, wanted->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)wanted->offset);
    if (wanted->base == MAP_FAILED)
        return NULL;
    map = malloc(sizeof *map);
    CHECK(map, "out of memory");
    *map = *wanted;
    map->next = it->maps;
    return it->maps = map;
}

static void *map_file(struct plugin_objects *it, const char *path, size_t offset, size_t bytes)
{
    size_t before = offset % (size_t)sysconf(_SC_PAGESIZE);
    struct plugin_map wanted = {.offset = offset - before, .size = before + (bytes ? bytes : 1)};
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd == -1)
        return NULL;
    struct plugin_map *map = map_open(it, fd, &wanted);
    int error = errno;
    close(fd);
    errno = error;
    if (map == NULL)
        return NULL;
    map->item = it->item;
    drop_old(it);
    return (char *)map->base + before;
}

static void *map_opened(struct plugin_objects *it, struct call *call, const char *object, const json_t *opened,
                        size_t *length, char *typecode)
{
    const char *path = json_string_value(json_object_get(opened, "path"));
    const char *code = json_string_value(json_object_get(opened, "typecode"));
    const json_t *count = json_object_get(opened, "length");
    json_int_t offset = json_integer_value(json_object_get(opened, "offset"));
    json_int_t elements = count ? json_integer_value(count) : 1;
    size_t size = code ? size_of(*code) : 0;
    if (path == NULL || size == 0 || offset < 0 || elements < 0)
        return call_error(call, "%s has no memory to map", object), NULL;
    void *memory = map_file(it, path, (size_t)offset, (size_t)elements * size);
    if (memory == NULL)
        return call_error(call, "%s: %s: %s", object, path, strerror(errno)), NULL;
    if (length)
        *length = (size_t)elements;
    if (typecode)
        *typecode = *code;
    return memory;
}

void *plugin_objects_map(struct plugin_objects *it, struct call *call, const char *object, size_t *length,
                         char *typecode)
{
    struct buf request = BUF_EMPTY;
    const char *answer;
    size_t size;
    buf_append_text(&request, "{\"object\":");
    buf_append_json_string(&request, object, strlen(object));
    buf_append_text(&request, ",\"op\":\"open\"}");
    int result = plugin_objects_call(it, call, buf_cstr(&request), &answer, &size);
    buf_free(&request);
    if (result == -1)
        return NULL;
    json_t *opened = json_loadb(answer, size, 0, NULL);
    void *memory = map_opened(it, call, object, opened, length, typecode);
    json_decref(opened);
    return memory;
}

void plugin_objects_rest(struct plugin_objects *it)
{
    it->item++;
}

void plugin_objects_unmap(struct plugin_objects *it)
{
    while (it->maps)
        drop(&it->maps);
}

void plugin_objects_free(struct plugin_objects *it)
{
    plugin_objects_unmap(it);
    buf_free(&it->answer);
}
