#include "http/output.h"

enum { ITEM_LINES = 1000 };

void output_write_line(struct buf *b, const struct store_output *o)
{
    buf_printf(b, "{\"id\":%lld,\"index\":%u,\"attempt\":%u,\"stream\":\"%s\",\"text\":", (long long)o->id, o->index,
               o->attempt, o->stream == 2 ? "stderr" : "stdout");
    buf_append_json_string(b, o->bytes, o->length);
    buf_append_char(b, '}');
}

struct writer {
    struct buf *to;
    bool any;
};

static void write_line(void *context, const struct store_output *o)
{
    struct writer *w = context;
    if (w->any)
        buf_append_char(w->to, ',');
    w->any = true;
    output_write_line(w->to, o);
}

void output_write_item(struct store_reader *reader, int64_t seq, uint32_t index, struct buf *b)
{
    struct writer w = {.to = b};
    store_read_output(reader, seq, index, 0, ITEM_LINES, write_line, &w);
}
