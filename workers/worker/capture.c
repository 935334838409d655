/* capture: stdout and stderr of a function become its item's log.
 *
 * Both are turned to memory files around the call only, so that our own log keeps its stderr. What a process that
 * dies in between has printed is lost with it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "worker/worker.h"

#define CAPTURE_MAX (64 * 1024) /* of one stream of one item */
#define CAPTURE_MARK "…[cut]\n"

static int saved[2] = {-1, -1};

static int open_memory(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    CHECK(fd != -1, "memfd_create: %s", strerror(errno));
    /* Appending, so that writers that share it cannot overwrite each other, and that emptying it is all it takes. */
    CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0, "F_SETFL: %s", strerror(errno));
    return fd;
}

void capture_begin(struct worker *worker)
{
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        if (worker->captured[i] == -1)
            worker->captured[i] = open_memory(i == 0 ? "poold-stdout" : "poold-stderr");
        saved[i] = fcntl(STDOUT_FILENO + i, F_DUPFD_CLOEXEC, 10);
        dup2(worker->captured[i], STDOUT_FILENO + i);
    }
}

static void give_back(int stream)
{
    if (saved[stream] == -1) { /* it was closed when we came */
        close(STDOUT_FILENO + stream);
        return;
    }
    dup2(saved[stream], STDOUT_FILENO + stream);
    close(saved[stream]);
    saved[stream] = -1;
}

/* Bytes of [text, text + length) that do not end within a UTF-8 sequence. */
static size_t whole_characters(const char *text, size_t length)
{
    size_t at = length;
    while (at > 0 && length - at < 4 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

/* Reads what was printed, at most CAPTURE_MAX with the mark; returns its length. */
static size_t read_printed(int fd, char text[CAPTURE_MAX])
{
    struct stat stat;
    if (fstat(fd, &stat) == -1)
        return 0;
    ssize_t got = pread(fd, text, CAPTURE_MAX, 0);
    if (got <= 0 || stat.st_size <= CAPTURE_MAX)
        return got > 0 ? (size_t)got : 0;
    size_t kept = whole_characters(text, CAPTURE_MAX - strlen(CAPTURE_MARK));
    memcpy(text + kept, CAPTURE_MARK, strlen(CAPTURE_MARK));
    return kept + strlen(CAPTURE_MARK);
}

static void send_printed(struct worker *worker, const struct message_run *run, uint32_t index, int stream)
{
    static char text[CAPTURE_MAX];
    unsigned char body[MESSAGE_BODY_MAX];
    struct message_output output = {
        .run = run->run, .index = index, .attempt = run->attempt, .stream = (uint32_t)stream + 1};
    size_t length = read_printed(worker->captured[stream], text);
    if (length == 0)
        return;
    worker_send(worker, MESSAGE_output, body, message_output_encode(&output, body), text, length);
    CHECK(ftruncate(worker->captured[stream], 0) == 0, "ftruncate: %s", strerror(errno));
}

void capture_end(struct worker *worker, const struct message_run *run, uint32_t index)
{
    fflush(NULL);
    for (int stream = 0; stream < 2; stream++) {
        give_back(stream);
        send_printed(worker, run, index, stream);
    }
}
