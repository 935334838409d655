/* log: see log.h. */
#include "runtimes/log.h"

#include <string.h>

enum { LOG_PIECE = 16 * 1024 };

/* How long the sequence that begins with this byte is; 1 for what begins none. */
static size_t sequence_length(unsigned char first)
{
    return first >= 0xf0 && first <= 0xf4 ? 4 : first >= 0xe0 ? (first < 0xf0 ? 3 : 1) : first >= 0xc2 ? 2 : 1;
}

size_t log_whole_characters(const char *text, size_t length)
{
    for (size_t back = 1; back <= 3 && back <= length; back++) {
        unsigned char c = (unsigned char)text[length - back];
        if ((c & 0xc0) == 0x80)
            continue;
        return sequence_length(c) > back ? length - back : length;
    }
    return length; /* four continuations in a row are no character anyway */
}

static void say(struct log_cap *cap, const char *bytes, size_t length)
{
    if (length > 0)
        cap->host->output(cap->host->context, cap->place, cap->stream, bytes, length);
    cap->passed += length;
}

static void cut(struct log_cap *cap, const char *bytes, size_t room)
{
    say(cap, bytes, log_whole_characters(bytes, room));
    say(cap, LOG_MARK, strlen(LOG_MARK));
    cap->cut = true;
    cap->held_count = 0;
}

/* At most LOG_PIECE bytes, with what was held back before them. `last`: nothing is held back. */
static void pass_piece(struct log_cap *cap, const char *bytes, size_t length, bool last)
{
    char piece[LOG_PIECE + sizeof cap->held];
    size_t room = LOG_MAX - strlen(LOG_MARK) - cap->passed;
    memcpy(piece, cap->held, cap->held_count);
    if (length > 0)
        memcpy(piece + cap->held_count, bytes, length);
    length += cap->held_count;
    if (length > room) {
        cut(cap, piece, room);
        return;
    }
    size_t whole = last ? length : log_whole_characters(piece, length);
    cap->held_count = (unsigned)(length - whole);
    memcpy(cap->held, piece + whole, cap->held_count);
    say(cap, piece, whole);
}

void log_cap_begin(struct log_cap *cap, const struct host *host, uint32_t place, unsigned stream)
{
    *cap = (struct log_cap){.host = host, .place = place, .stream = stream};
}

void log_cap_pass(struct log_cap *cap, const char *bytes, size_t length)
{
    while (length > 0 && !cap->cut) {
        size_t piece = length < LOG_PIECE ? length : LOG_PIECE;
        pass_piece(cap, bytes, piece, false);
        bytes += piece;
        length -= piece;
    }
}

void log_cap_end(struct log_cap *cap)
{
    if (cap->held_count > 0 && !cap->cut)
        pass_piece(cap, NULL, 0, true);
}
