/* source: bytes as they come from a runtime, taken out as lines. See runtime.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "runtimes/runtime.h"

enum { SOURCE_KEPT = 256 * 1024 };

char *source_line(struct source *source, size_t *length)
{
    struct buf *bytes = &source->bytes;
    if (source->looked == bytes->length)
        return NULL;
    char *newline = memchr(bytes->data + source->looked, '\n', bytes->length - source->looked);
    if (newline == NULL) {
        source->looked = bytes->length;
        return NULL;
    }
    char *line = bytes->data + source->start;
    *length = (size_t)(newline - line);
    source->start = source->looked = (size_t)(newline + 1 - bytes->data);
    return line;
}

void source_tidy(struct source *source)
{
    if (source->start == source->bytes.length)
        buf_clear(&source->bytes, SOURCE_KEPT);
    else if (source->start > 0)
        buf_consume(&source->bytes, source->start);
    source->looked -= source->start;
    source->start = 0;
}

void source_clear(struct source *source)
{
    buf_clear(&source->bytes, SOURCE_KEPT);
    *source = (struct source){.bytes = source->bytes};
}

int source_read(struct source *source, int fd)
{
    for (size_t total = 0; total < READ_TURN;) {
        ssize_t got = read(fd, buf_reserve(&source->bytes, READ_PIECE), READ_PIECE);
        if (got > 0) {
            source->bytes.length += (size_t)got;
            total += (size_t)got;
            if (got < READ_PIECE / 2) /* most likely all: what is left makes the descriptor readable again */
                return 0;
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            return -1;
        } else if (errno == EAGAIN) {
            return 0;
        }
    }
    return 0;
}
