/* link: one connection to the worker whose item this is. See call.h, runtimes/callers.h. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "call/call.h"
#include "wire/scan.h"

static int worker = -1;

static void open_link(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *name = getenv("POOLD_SOCKET");
    if (worker != -1)
        return;
    if (name == NULL || strlen(name) + 1 >= sizeof address.sun_path)
        fail(EX_UNAVAILABLE, "works inside of an item of poold only (POOLD_SOCKET is not set)");
    memcpy(address.sun_path + 1, name, strlen(name)); /* an abstract name: its first byte is 0 */
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    worker = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (worker == -1 || connect(worker, (struct sockaddr *)&address, size) == -1)
        fail(EX_UNAVAILABLE, "no item of poold runs here: %s", strerror(errno));
}

static void send_line(const struct buf *line)
{
    open_link();
    for (size_t done = 0; done < line->length;) {
        ssize_t sent = send(worker, line->data + done, line->length - done, MSG_NOSIGNAL);
        if (sent == -1 && errno != EINTR)
            fail(EX_UNAVAILABLE, "the item has ended: %s", strerror(errno));
        done += sent > 0 ? (size_t)sent : 0;
    }
}

static void read_line(struct buf *line)
{
    enum { PIECE = 64 * 1024 };
    buf_clear(line, PIECE);
    do {
        ssize_t got = recv(worker, buf_reserve(line, PIECE), PIECE, 0);
        if (got == 0 || (got == -1 && errno != EINTR))
            fail(EX_UNAVAILABLE, "the worker has hung up");
        line->length += got > 0 ? (size_t)got : 0;
    } while (line->length == 0 || line->data[line->length - 1] != '\n');
    line->length--;
}

/* The last member of an object: of {"call":1,"answer":{…}} or {"ok":…}. */
static bool last_member(char *at, char *end, struct scan_walk *member)
{
    struct scan_walk walk;
    bool found = false;
    if (at == end || *at != '{')
        return false;
    for (scan_enter(&walk, at, end, false); scan_next(&walk); found = true)
        *member = walk;
    return found;
}

const char *link_ask(const struct buf *request, struct buf *line, size_t *length, bool *ok)
{
    struct scan_walk answer, inner;
    buf_clear(line, 0);
    buf_append_text(line, "{\"call\":1,\"request\":");
    buf_append(line, request->data, request->length);
    buf_append_text(line, "}\n");
    send_line(line);
    read_line(line);
    if (!last_member(line->data, line->data + line->length, &answer) ||
        !last_member(answer.value, answer.value_end, &inner))
        fail(EXIT_FAILURE, "the worker's answer makes no sense");
    *ok = inner.key_end - inner.key == 2 && memcmp(inner.key, "ok", 2) == 0;
    *length = (size_t)(inner.value_end - inner.value);
    return inner.value;
}

void link_progress(const struct buf *json)
{
    struct buf line = BUF_EMPTY;
    buf_append_text(&line, "{\"progress\":");
    buf_append(&line, json->data, json->length);
    buf_append_text(&line, "}\n");
    send_line(&line);
    buf_free(&line);
}
