#include "support/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void note_wrong(struct stream *s, const char *line, size_t length)
{
    if (s->wrong++ == 0)
        snprintf(s->first_wrong, sizeof s->first_wrong, "%.*s", (int)(length < 250 ? length : 250), line);
}

/* After {"index":N comes ,"value": or ,"error": or, in a retry, "origin" first. */
static void take_line(struct stream *s, const char *line, size_t length)
{
    if (length == 0)
        return; /* heartbeat */
    if (length >= 6 && memcmp(line, "{\"end\"", 6) == 0) {
        s->ended = true;
        snprintf(s->end, sizeof s->end, "%.*s", (int)length, line);
        return;
    }
    s->lines++;
    static const char head[] = "{\"index\":";
    if (length < sizeof head || memcmp(line, head, sizeof head - 1) != 0) {
        note_wrong(s, line, length);
        return;
    }
    const char *at = line + sizeof head - 1;
    uint32_t index = 0;
    while (*at >= '0' && *at <= '9')
        index = index * 10 + (uint32_t)(*at++ - '0');
    bool failed = memcmp(at, ",\"error\":", 9) == 0;
    if (!failed && memcmp(at, ",\"value\":", 9) != 0) {
        note_wrong(s, line, length);
        return;
    }
    s->failed += failed;
    at += 9;
    if (s->on_result != NULL && !s->on_result(s->context, index, at, (size_t)(line + length - 1 - at), failed))
        note_wrong(s, line, length);
}

static void keep_rest(struct stream *s, const char *bytes, size_t length)
{
    if (s->rest_length + length + 16 > s->rest_room) {
        s->rest_room = (s->rest_length + length + 16) * 2;
        s->rest = realloc(s->rest, s->rest_room);
        if (s->rest == NULL)
            abort();
    }
    memcpy(s->rest + s->rest_length, bytes, length);
    s->rest_length += length;
}

bool stream_data(void *stream, const char *bytes, size_t length)
{
    struct stream *s = stream;
    const char *end = bytes + length, *line_end;
    while ((line_end = memchr(bytes, '\n', (size_t)(end - bytes))) != NULL) {
        if (s->rest_length > 0) {
            keep_rest(s, bytes, (size_t)(line_end - bytes));
            memset(s->rest + s->rest_length, 0, 16); /* take_line may look a little past the end */
            take_line(s, s->rest, s->rest_length);
            s->rest_length = 0;
        } else {
            take_line(s, bytes, (size_t)(line_end - bytes));
        }
        bytes = line_end + 1;
    }
    if (bytes < end)
        keep_rest(s, bytes, (size_t)(end - bytes));
    return true;
}

void stream_free(struct stream *s)
{
    free(s->rest);
    s->rest = NULL;
}
