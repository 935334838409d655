/* Tests of server/wire but for the scanner: codec, frames, channels, scoreboard, workbench. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "wire/channel.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/messages.h"
#include "wire/scoreboard.h"
#include "wire/workbench.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static uint64_t random_state = 88172645463325252u;

static uint64_t random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static unsigned open_fds(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* ---- messages ---- */

static void fill_text(char *text, size_t capacity, int how)
{
    const size_t length = how == 0 ? 0 : how == 1 ? capacity - 1 : random_u64() % capacity;
    for (size_t i = 0; i < length; i++)
        text[i] = (char)(1 + random_u64() % 255);
    text[length] = '\0';
}

/* For each message: fill_X (how: 0 all least, 1 all most, else random) and check_X, which is given any bytes. */
#define NUMBER_U32(how) ((how) == 0 ? 0 : (how) == 1 ? UINT32_MAX : (uint32_t)random_u64())
#define NUMBER_U64(how) ((how) == 0 ? 0 : (how) == 1 ? UINT64_MAX : random_u64())
#define FIELD(kind, name) message->name = NUMBER_##kind(how);
#define TEXT(name, capacity) fill_text(message->name, capacity, how);
#define MESSAGE(name, number, fields)                                                                                  \
    static void fill_##name(struct message_##name *message, int how)                                                   \
    {                                                                                                                  \
        memset(message, 0, sizeof *message);                                                                           \
        fields                                                                                                         \
    }                                                                                                                  \
    /* Whatever is accepted is the one way to write it. */                                                             \
    static int check_##name(const unsigned char *bytes, size_t length)                                                 \
    {                                                                                                                  \
        struct message_##name message;                                                                                 \
        unsigned char again[MESSAGE_BODY_MAX];                                                                         \
        if (message_##name##_decode(&message, bytes, length) != 0)                                                     \
            return -1;                                                                                                 \
        assert_int_equal(message_##name##_encode(&message, again), length);                                            \
        assert_memory_equal(again, bytes, length);                                                                     \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static void roundtrip_##name(int how)                                                                              \
    {                                                                                                                  \
        struct message_##name message, again;                                                                          \
        unsigned char body[MESSAGE_BODY_MAX + 1] = {0};                                                                \
        fill_##name(&message, how);                                                                                    \
        const size_t length = message_##name##_encode(&message, body);                                                 \
        assert_true(length <= MESSAGE_BODY_MAX);                                                                       \
        memset(&again, 0xaa, sizeof again);                                                                            \
        assert_int_equal(message_##name##_decode(&again, body, length), 0);                                            \
        assert_memory_equal(&again, &message, sizeof message);                                                         \
        for (size_t cut = 0; cut < length; cut++)                                                                      \
            assert_int_equal(message_##name##_decode(&again, body, cut), -1);                                          \
        assert_int_equal(message_##name##_decode(&again, body, length + 1), -1);                                       \
        for (size_t i = 0; i < 4 * length; i++) {                                                                      \
            const size_t at = random_u64() % length;                                                                   \
            const unsigned char kept = body[at];                                                                       \
            body[at] ^= (unsigned char)(1u << random_u64() % 8);                                                       \
            check_##name(body, length);                                                                                \
            body[at] = kept;                                                                                           \
        }                                                                                                              \
    }
#include "wire/messages.def"
#undef MESSAGE
#undef TEXT
#undef FIELD

static void test_messages_roundtrip(void **state)
{
    (void)state;
    for (int how = 0; how < 50; how++) {
#define FIELD(kind, name)
#define TEXT(name, capacity)
#define MESSAGE(name, number, fields)                                                                                  \
    roundtrip_##name(how);                                                                                             \
    assert_string_equal(message_name(number), #name);
#include "wire/messages.def"
#undef MESSAGE
    }
}

static void test_messages_garbage(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        unsigned char bytes[MESSAGE_BODY_MAX];
        const size_t length = random_u64() % sizeof bytes;
        for (size_t at = 0; at < length; at++)
            bytes[at] = (unsigned char)(random_u64() % 4 ? 0 : random_u64());
#define MESSAGE(name, number, fields) check_##name(bytes, length);
#include "wire/messages.def"
#undef MESSAGE
#undef TEXT
#undef FIELD
    }
}

static void test_message_bytes(void **state)
{
    (void)state;
    const struct message_hello hello = {
        .protocol = 1, .pid = 0x01020304, .guards = 5, .landlock = 7, .uid = 256, .missing = "no"};
    const unsigned char expected[] = {1, 0, 0, 0, 4, 3, 2, 1, 5, 0, 0, 0, 7, 0, 0, 0, 0, 1, 0, 0, 2, 0, 'n', 'o'};
    unsigned char body[MESSAGE_BODY_MAX];
    assert_int_equal(message_hello_encode(&hello, body), sizeof expected);
    assert_memory_equal(body, expected, sizeof expected);
}

/* `run` ends in texts: their lengths may not lie. */
static void test_message_texts(void **state)
{
    (void)state;
    struct message_run run, again;
    unsigned char body[MESSAGE_BODY_MAX] = {0};
    fill_run(&run, 0);
    strcpy(run.job_id, "abc");
    strcpy(run.function, "echo");
    strcpy(run.traceparent, "00-1");
    const size_t length = message_run_encode(&run, body), job_id = length - (2 + 4) - (2 + 4) - (2 + 3);
    assert_int_equal(body[job_id], 3);
    assert_int_equal(message_run_decode(&again, body, length), 0);
    body[job_id + 2 + 1] = '\0';
    assert_int_equal(message_run_decode(&again, body, length), -1); /* NUL within */
    body[job_id + 2 + 1] = 'b';
    body[job_id] = 24;
    assert_int_equal(message_run_decode(&again, body, sizeof body), -1); /* does not fit */
    body[job_id] = 3;
    body[job_id + 1] = 0xff;
    assert_int_equal(message_run_decode(&again, body, length), -1);
}

static void test_names(void **state)
{
    (void)state;
    assert_null(message_name(0));
    assert_null(message_name(15));
    assert_null(message_name(65535));
    for (int cause = 0; cause < STOP_CAUSES; cause++)
        assert_string_not_equal(stop_cause_name((enum stop_cause)cause), "unknown");
    assert_string_equal(stop_cause_name(STOP_TIMEOUT), "timeout");
    assert_string_equal(stop_cause_name(STOP_CAUSES), "unknown");
}

/* ---- frames ---- */

static size_t put_frame(unsigned char *to, unsigned type, uint32_t slot, size_t body_length, const char *tail)
{
    unsigned char body[MESSAGE_BODY_MAX];
    memset(body, 'b', sizeof body);
    const size_t head = frame_encode(to, type, slot, slot + 1, body, body_length, strlen(tail));
    memcpy(to + head, tail, strlen(tail));
    return head + strlen(tail);
}

static void test_frame_prefixes(void **state)
{
    (void)state;
    unsigned char bytes[512];
    struct frame frame;
    size_t needed = 0;
    const size_t whole = put_frame(bytes, MESSAGE_result, 7, 36, "tail\n");
    assert_int_equal(whole, FRAME_HEAD_BYTES + 36 + 5);
    for (size_t length = 0; length < whole; length++) {
        assert_int_equal(frame_decode(&frame, bytes, length, &needed), 0);
        assert_int_equal(needed, length < FRAME_HEAD_BYTES ? FRAME_HEAD_BYTES : whole);
    }
    for (size_t length = whole; length < whole + 3; length++)
        assert_int_equal(frame_decode(&frame, bytes, length, NULL), whole);
    assert_int_equal(frame.type, MESSAGE_result);
    assert_int_equal(frame.slot, 7);
    assert_int_equal(frame.generation, 8);
    assert_int_equal(frame.body_length, 36);
    assert_int_equal(frame.body[0], 'b');
    assert_int_equal(frame.tail_length, 5);
    assert_memory_equal(frame.tail, "tail\n", 5);
}

static void test_frame_nonsense(void **state)
{
    (void)state;
    unsigned char bytes[512] = {0};
    struct frame frame;
    put_frame(bytes, MESSAGE_drain, 0, 4, "");
    const struct {
        size_t at;
        unsigned char value;
    } wrong[] = {{0, 'q'}, {3, '2'}, {4, 99}, {5, 1}, {6 + 1, 2}, {8 + 3, 1}};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        const unsigned char kept = bytes[wrong[i].at];
        bytes[wrong[i].at] = wrong[i].value;
        assert_int_equal(frame_decode(&frame, bytes, FRAME_HEAD_BYTES, NULL), -1);
        bytes[wrong[i].at] = kept;
    }
    assert_int_equal(frame_decode(&frame, bytes, sizeof bytes, NULL), FRAME_HEAD_BYTES + 4);
}

/* ---- channels ---- */

struct ends {
    struct channel a, b;
    unsigned fds_before;
};

static struct ends *open_ends(int buffer)
{
    struct ends *ends = test_malloc(sizeof *ends);
    int fds[2];
    ends->fds_before = open_fds();
    assert_int_equal(fd_stream_pair(fds, buffer), 0);
    channel_init(&ends->a, fds[0]);
    channel_init(&ends->b, fds[1]);
    return ends;
}

/* Also checks that no descriptor is left behind. */
static void close_ends(struct ends *ends)
{
    channel_close(&ends->a);
    channel_close(&ends->a);
    channel_close(&ends->b);
    assert_int_equal(open_fds(), ends->fds_before);
    test_free(ends);
}

static enum channel_status send_drain(struct channel *channel, uint32_t slot, const char *tail, size_t tail_length)
{
    unsigned char body[MESSAGE_BODY_MAX];
    const struct message_drain drain = {.grace_ms = slot};
    return channel_send(channel, MESSAGE_drain, slot, 0, body, message_drain_encode(&drain, body), tail, tail_length);
}

static void raw_send(int fd, const void *bytes, size_t length)
{
    assert_int_equal(send(fd, bytes, length, MSG_NOSIGNAL), length);
}

static void test_channel_split_everywhere(void **state)
{
    (void)state;
    unsigned char bytes[1024];
    size_t ends_at[3], length = 0;
    const char *const tails[] = {"", "one\n", "two\nthree\n"};
    for (uint32_t i = 0; i < 3; i++)
        ends_at[i] = length += put_frame(bytes + length, MESSAGE_output, i, i * 8, tails[i]);
    for (size_t split = 0; split <= length; split++) { /* in two, and byte by byte when split is 0 */
        struct ends *ends = open_ends(0);
        struct frame frame;
        uint32_t got = 0;
        for (size_t at = 0; at < length;) {
            const size_t part = split == 0 ? 1 : at == 0 ? split : length - at;
            raw_send(ends->a.fd, bytes + at, part);
            at += part;
            assert_int_equal(channel_receive(&ends->b), CHANNEL_OK);
            while (channel_next(&ends->b, &frame)) {
                assert_true(ends_at[got] <= at);
                assert_int_equal(frame.slot, got);
                assert_int_equal(frame.body_length, got * 8);
                assert_memory_equal(frame.tail, tails[got], strlen(tails[got]));
                got++;
            }
            assert_true(got == 3 || ends_at[got] > at);
        }
        assert_int_equal(got, 3);
        assert_false(ends->b.broken);
        close_ends(ends);
    }
}

/* Sizes about every edge there is, large and small in turn, through a socket with a small buffer. */
static void test_channel_stream(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,      1,     100,   FRAME_BYTES_MAX, 5,    65536, 131072 - 24, 131072, 3, 3,
                                   200000, 16384, 16385, 2000000,         8192, 0,     131071,      131000, 7};
    struct ends *ends = open_ends(32 * 1024);
    char *tail = malloc(FRAME_BYTES_MAX);
    assert_non_null(tail);
    for (size_t i = 0; i < FRAME_BYTES_MAX; i++)
        tail[i] = (char)(i * 7 + i / 251);
    const uint32_t rounds = 5 * COUNT(sizes);
    uint32_t sent = 0, got = 0;
    while (got < rounds) {
        if (sent < rounds && (!channel_wants_write(&ends->a) || random_u64() % 4 == 0)) {
            assert_int_equal(send_drain(&ends->a, sent, tail, sizes[sent % COUNT(sizes)]), CHANNEL_OK);
            sent++;
        }
        assert_int_equal(channel_flush(&ends->a), CHANNEL_OK);
        assert_int_equal(channel_receive(&ends->b), CHANNEL_OK);
        struct frame frame;
        while (random_u64() % 8 && channel_next(&ends->b, &frame)) { /* sometimes it leaves frames behind */
            const size_t size = sizes[got % COUNT(sizes)];
            struct message_drain drain;
            assert_int_equal(frame.slot, got);
            assert_int_equal(message_drain_decode(&drain, frame.body, frame.body_length), 0);
            assert_int_equal(drain.grace_ms, got);
            assert_int_equal(frame.tail_length, size);
            assert_int_equal(memcmp(frame.tail, tail, size), 0);
            got++;
        }
        assert_true(ends->b.in.capacity <= 2 * (FRAME_BYTES_MAX + 1024 * 1024));
    }
    assert_int_equal(channel_receive(&ends->b), CHANNEL_OK);
    assert_true(ends->b.in.capacity <= 128 * 1024); /* the large ones are forgotten */
    assert_true(ends->a.out.capacity <= 128 * 1024);
    free(tail);
    close_ends(ends);
}

static void test_channel_slow_reader(void **state)
{
    (void)state;
    struct ends *ends = open_ends(0);
    enum { TAIL = 1000 * 1000 };
    char *tail = calloc(1, TAIL);
    unsigned sent = 0;
    enum channel_status status;
    while ((status = send_drain(&ends->a, sent, tail, TAIL)) == CHANNEL_OK) {
        assert_true(ends->a.out.length - ends->a.out_start <= CHANNEL_OUT_MAX);
        sent++;
        assert_true(sent < 100);
    }
    assert_int_equal(status, CHANNEL_BROKEN);
    assert_true(ends->a.broken && !channel_wants_write(&ends->a));
    assert_true(sent > CHANNEL_OUT_MAX / TAIL - 2);
    assert_int_equal(send_drain(&ends->a, 0, NULL, 0), CHANNEL_BROKEN);
    assert_int_equal(channel_flush(&ends->a), CHANNEL_BROKEN);
    free(tail);
    close_ends(ends);
}

/* Many small frames pile up in the queue; memory follows what is queued. */
static void test_channel_queue_order(void **state)
{
    (void)state;
    struct ends *ends = open_ends(4096);
    struct frame frame;
    uint32_t sent = 0, got = 0;
    char tail[300] = {0};
    for (; sent < 20000; sent++)
        assert_int_equal(send_drain(&ends->a, sent, tail, sent % sizeof tail), CHANNEL_OK);
    assert_true(channel_wants_write(&ends->a));
    while (got < sent) {
        if (sent < 40000)
            assert_int_equal(send_drain(&ends->a, sent++, tail, 17), CHANNEL_OK);
        assert_int_equal(channel_flush(&ends->a), CHANNEL_OK);
        assert_int_equal(channel_receive(&ends->b), CHANNEL_OK);
        while (channel_next(&ends->b, &frame))
            assert_int_equal(frame.slot, got++);
    }
    assert_false(channel_wants_write(&ends->a));
    assert_true(ends->a.out.capacity <= 128 * 1024);
    close_ends(ends);
}

/* The peer dies with our message unread: what it had said must still arrive. */
static void test_channel_drain_the_dead(void **state)
{
    (void)state;
    struct ends *ends = open_ends(0);
    struct frame frame;
    assert_int_equal(send_drain(&ends->a, 1, "last words\n", 11), CHANNEL_OK);
    assert_int_equal(send_drain(&ends->b, 9, NULL, 0), CHANNEL_OK);
    channel_close(&ends->a);
    assert_int_equal(send_drain(&ends->b, 9, NULL, 0), CHANNEL_BROKEN);
    assert_true(ends->b.broken && !ends->b.confused);
    assert_int_equal(channel_receive(&ends->b), CHANNEL_OK); /* EOF with the next call */
    assert_true(channel_next(&ends->b, &frame));
    assert_memory_equal(frame.tail, "last words\n", 11);
    assert_false(channel_next(&ends->b, &frame));
    assert_int_equal(channel_receive(&ends->b), CHANNEL_EOF);
    close_ends(ends);
}

static void test_channel_reset_is_eof(void **state)
{
    (void)state;
    struct ends *ends = open_ends(0);
    assert_int_equal(send_drain(&ends->b, 9, NULL, 0), CHANNEL_OK);
    channel_close(&ends->a);
    assert_int_equal(channel_receive(&ends->b), CHANNEL_EOF); /* the system says ECONNRESET */
    assert_false(ends->b.broken);
    close_ends(ends);
}

static void test_channel_nonsense(void **state)
{
    (void)state;
    struct ends *ends = open_ends(0);
    struct frame frame;
    assert_int_equal(send_drain(&ends->a, 5, NULL, 0), CHANNEL_OK);
    raw_send(ends->a.fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35);
    assert_int_equal(channel_receive(&ends->b), CHANNEL_OK);
    assert_true(channel_next(&ends->b, &frame)); /* what came before counts */
    assert_int_equal(frame.slot, 5);
    assert_false(channel_next(&ends->b, &frame));
    assert_true(ends->b.broken && ends->b.confused);
    assert_int_equal(channel_receive(&ends->b), CHANNEL_BROKEN);
    close_ends(ends);
}

/* ---- descriptors over channels ---- */

/* A memfd whose content is its number. */
static int numbered_fd(unsigned number)
{
    const int fd = memfd_create("numbered", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &number, sizeof number, 0), sizeof number);
    return fd;
}

static void assert_number(int fd, unsigned expected)
{
    unsigned number = UINT32_MAX;
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(pread(fd, &number, sizeof number, 0), sizeof number);
    assert_int_equal(number, expected);
    fd_close(&fd);
}

static enum channel_status send_numbered(struct channel *channel, uint32_t slot, unsigned number, unsigned count)
{
    const int fds[] = {numbered_fd(number), count > 1 ? numbered_fd(number + 1) : -1};
    unsigned char body[MESSAGE_BODY_MAX];
    const struct message_worker_new new = {.pid = number};
    return channel_send_fds(channel, MESSAGE_worker_new, slot, count, body, message_worker_new_encode(&new, body), fds,
                            count);
}

/* Takes all frames; of those with descriptors, the descriptors. Returns how many frames. */
static unsigned take_numbered(struct channel *channel, uint32_t *slot)
{
    struct frame frame;
    unsigned count = 0;
    for (; channel_next(channel, &frame); count++) {
        assert_int_equal(frame.slot, (*slot)++);
        struct message_worker_new new;
        if (frame.type != MESSAGE_worker_new)
            continue;
        assert_int_equal(message_worker_new_decode(&new, frame.body, frame.body_length), 0);
        for (uint32_t i = 0; i < frame.generation; i++)
            assert_number(channel_take_fd(channel), new.pid + i);
    }
    return count;
}

/* Frames with and without descriptors in turn, first through an empty socket, then through a full one. */
static void test_fds_in_order(void **state)
{
    (void)state;
    for (size_t tail = 0; tail <= 30000; tail += 7500) {
        struct ends *ends = open_ends(8192);
        char *bytes = calloc(1, tail + 1);
        uint32_t sent = 0, got = 0;
        for (unsigned i = 0; i < 60; i++) {
            assert_int_equal(send_drain(&ends->a, sent++, bytes, tail), CHANNEL_OK);
            assert_int_equal(send_numbered(&ends->a, sent++, i * 2, 1 + i % 2), CHANNEL_OK);
            if (i % 3 == 0)
                assert_int_equal(send_numbered(&ends->a, sent++, i * 2 + 1000, 2), CHANNEL_OK);
            if (i % 16 == 15 || tail == 0) {
                for (int turn = 0; turn < 50; turn++) {
                    assert_int_equal(channel_receive(&ends->b), CHANNEL_OK);
                    take_numbered(&ends->b, &got);
                    assert_int_equal(channel_flush(&ends->a), CHANNEL_OK);
                }
            }
        }
        while (got < sent) {
            assert_int_equal(channel_flush(&ends->a), CHANNEL_OK);
            assert_int_equal(channel_receive(&ends->b), CHANNEL_OK);
            take_numbered(&ends->b, &got);
        }
        assert_int_equal(channel_take_fd(&ends->b), -1);
        free(bytes);
        close_ends(ends);
    }
}

static void test_fds_not_leaked(void **state)
{
    (void)state;
    static char tail[1000 * 1000];
    struct ends *ends = open_ends(0); /* queued and never sent */
    assert_int_equal(send_drain(&ends->a, 0, tail, sizeof tail), CHANNEL_OK);
    for (unsigned i = 0; i < COUNT(ends->a.pending); i++)
        assert_int_equal(send_numbered(&ends->a, i, i, 2), CHANNEL_OK);
    assert_int_equal(send_numbered(&ends->a, 0, 0, 2), CHANNEL_BROKEN); /* one too many */
    close_ends(ends);

    ends = open_ends(0); /* received and never taken */
    assert_int_equal(send_numbered(&ends->a, 0, 0, 2), CHANNEL_OK);
    assert_int_equal(channel_receive(&ends->b), CHANNEL_OK);
    close_ends(ends);

    ends = open_ends(0); /* sent and never received */
    assert_int_equal(send_numbered(&ends->a, 0, 0, 2), CHANNEL_OK);
    close_ends(ends);

    ends = open_ends(0); /* nobody there; closed */
    channel_close(&ends->b);
    assert_int_equal(send_numbered(&ends->a, 0, 0, 2), CHANNEL_BROKEN);
    assert_int_equal(send_numbered(&ends->a, 0, 0, 2), CHANNEL_BROKEN);
    close_ends(ends);
}

static void raw_send_fds(int socket, unsigned count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control = {0};
    struct iovec part = {(char[]){'p'}, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
    for (unsigned i = 0; i < count; i++)
        memcpy(CMSG_DATA(&control.header) + i * sizeof socket, &socket, sizeof socket);
    assert_int_equal(sendmsg(socket, &message, MSG_NOSIGNAL), 1);
}

static void test_fds_too_many(void **state)
{
    (void)state;
    struct ends *ends = open_ends(0); /* in one message */
    raw_send_fds(ends->a.fd, 3);
    assert_int_equal(channel_receive(&ends->b), CHANNEL_BROKEN);
    close_ends(ends);

    ends = open_ends(0); /* all in all */
    enum channel_status status = CHANNEL_OK;
    unsigned sent = 0;
    while (status == CHANNEL_OK && sent < 1000) {
        assert_int_equal(send_numbered(&ends->a, 0, sent, 2), CHANNEL_OK);
        sent += 2;
        status = channel_receive(&ends->b);
    }
    assert_int_equal(status, CHANNEL_BROKEN);
    assert_int_equal(sent, COUNT(ends->b.received) + 2);
    close_ends(ends);
}

/* ---- scoreboard ---- */

static void test_scoreboard(void **state)
{
    (void)state;
    char directory[] = "/tmp/poold-wire-XXXXXX", path[64];
    const unsigned before = open_fds();
    struct error error;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/scoreboard", directory);
    int fd = scoreboard_create(path, &error);
    assert_true(fd >= 0);
    struct stat stat;
    assert_int_equal(fstat(fd, &stat), 0);
    assert_int_equal(stat.st_size, WORKERS_MAX * SCOREBOARD_PAGE);
    assert_int_equal(stat.st_mode & 0777, 0600);

    struct scoreboard board;
    assert_int_equal(scoreboard_map(&board, fd, &error), 0);
    assert_int_equal(board.slots, WORKERS_MAX);
    for (unsigned slot = 0; slot < WORKERS_MAX; slot += WORKERS_MAX - 1) {
        struct scoreboard_slot *own = scoreboard_map_slot(fd, slot, &error);
        assert_non_null(own);
        assert_ptr_not_equal(own, scoreboard_slot(&board, slot));
        own->job = slot + 77;
        own->started_ns = -5;
        own->activity = ACTIVITY_RUNNING;
        assert_int_equal(scoreboard_slot(&board, slot)->job, slot + 77);
        assert_int_equal(scoreboard_slot(&board, slot)->started_ns, -5);
        scoreboard_slot(&board, slot)->generation = 3;
        assert_int_equal(own->generation, 3);
        munmap(own, SCOREBOARD_PAGE);
    }
    assert_int_equal(scoreboard_slot(&board, 1)->activity, ACTIVITY_NONE);
    assert_null(scoreboard_map_slot(fd, WORKERS_MAX, &error));
    assert_non_null(strstr(error.text, "512"));
    scoreboard_unmap(&board);
    scoreboard_unmap(&board);
    fd_close(&fd);

    fd = scoreboard_create(path, &error); /* what it says outlives its processes */
    assert_int_equal(scoreboard_map(&board, fd, &error), 0);
    assert_int_equal(scoreboard_slot(&board, WORKERS_MAX - 1)->job, WORKERS_MAX - 1 + 77);
    scoreboard_unmap(&board);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_int_equal(scoreboard_map(&board, fd, &error), -1); /* would be SIGBUS */
    fd_close(&fd);
    fd = scoreboard_create(path, &error); /* grows it again and keeps what there is */
    struct scoreboard_slot *first = scoreboard_map_slot(fd, 0, &error);
    assert_non_null(first);
    assert_int_equal(first->job, 77);
    munmap(first, SCOREBOARD_PAGE);
    fd_close(&fd);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(scoreboard_create(directory, &error), -1);
    assert_int_equal(symlink("/tmp/elsewhere", path), 0);
    assert_int_equal(scoreboard_create(path, &error), -1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
    assert_int_equal(open_fds(), before);
}

/* ---- workbench ---- */

/* Mapped twice, as by server and worker. */
struct benches {
    int fd;
    struct workbench *server, *worker;
};

static struct benches open_benches(void)
{
    struct error error;
    struct benches benches = {.fd = workbench_create(&error)};
    assert_true(benches.fd >= 0);
    benches.server = workbench_map(benches.fd, &error);
    benches.worker = workbench_map(benches.fd, &error);
    assert_non_null(benches.server);
    assert_non_null(benches.worker);
    return benches;
}

static void close_benches(struct benches *benches)
{
    workbench_unmap(&benches->server);
    workbench_unmap(&benches->server);
    workbench_unmap(&benches->worker);
    workbench_unmap(NULL);
    assert_null(benches->server);
    fd_close(&benches->fd);
}

static void finish_line(struct workbench *bench, uint32_t offset, const char *line)
{
    char *room = workbench_room(bench, strlen(line));
    assert_non_null(room);
    memcpy(room, line, strlen(line));
    workbench_finish(bench, offset, strlen(line), false);
}

static void test_workbench_claim(void **state)
{
    (void)state;
    struct benches benches = open_benches();
    uint32_t offset;
    assert_false(workbench_claim(benches.worker, &offset)); /* nothing was offered */
    workbench_offer(benches.server, 5, 10);
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(workbench_claim(benches.worker, &offset));
        assert_int_equal(offset, i);
    }
    assert_int_equal(workbench_trim(benches.server, 6), UINT32_MAX);
    assert_true(workbench_claim(benches.worker, &offset));
    assert_int_equal(workbench_trim(benches.server, 5), 5);
    assert_int_equal(workbench_trim(benches.server, 5), 5);
    assert_false(workbench_claim(benches.worker, &offset));
    workbench_offer(benches.server, 6, 1);
    assert_true(workbench_claim(benches.worker, &offset));
    assert_int_equal(offset, 0);
    assert_false(workbench_claim(benches.worker, &offset));
    assert_int_equal(workbench_trim(benches.server, 6), 1);
    close_benches(&benches);
}

struct race {
    struct benches benches;
    _Atomic unsigned offered, done; /* rounds */
    uint32_t claimed;               /* of the round, written by the worker before `done` */
    bool in_order;
};

enum { RACE_ROUNDS = 5000 };

static void *race_worker(void *context)
{
    struct race *race = context;
    for (unsigned round = 1; round <= RACE_ROUNDS; round++) {
        while (race->offered < round)
            sched_yield();
        uint32_t offset;
        race->claimed = 0;
        while (workbench_claim(race->benches.worker, &offset)) {
            if (offset != race->claimed)
                race->in_order = false;
            race->claimed++;
            if (((offset * 2654435761u + round * 40503u) >> 16) % 256 == 0)
                sched_yield(); /* now and then, so that one processor will do */
        }
        race->done = round;
    }
    return NULL;
}

static void test_workbench_race(void **state)
{
    (void)state;
    struct race race = {.benches = open_benches(), .in_order = true};
    pthread_t thread;
    unsigned cut = 0;
    assert_int_equal(pthread_create(&thread, NULL, race_worker, &race), 0);
    for (unsigned round = 1; round <= RACE_ROUNDS; round++) {
        workbench_offer(race.benches.server, round, CHUNK_ITEMS_MAX);
        race.offered = round;
        const uint32_t wait = (uint32_t)(random_u64() % CHUNK_ITEMS_MAX);
        for (unsigned spins = 1; race.benches.server->claim >> 32 < wait && race.done < round; spins++)
            if (spins % 256 == 0)
                sched_yield(); /* the worker may be waiting for this very processor */
        const uint32_t limit = workbench_trim(race.benches.server, round);
        while (race.done < round)
            sched_yield();
        assert_int_equal(race.claimed, limit); /* each below once, none beyond */
        cut += limit < CHUNK_ITEMS_MAX;
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(race.in_order);
    assert_true(cut > 0);
    print_message("trimmed in time: %u of %u\n", cut, RACE_ROUNDS);
    close_benches(&race.benches);
}

static void test_workbench_outbox(void **state)
{
    (void)state;
    struct benches benches = open_benches();
    struct outbox_view view;
    workbench_offer(benches.server, 5, 10);
    workbench_outbox(benches.server, 5, &view);
    assert_int_equal(view.count, 0);
    finish_line(benches.worker, 3, "{\"index\":3}\n");
    char *room = workbench_room(benches.worker, 100); /* begun, not finished: does not count */
    room[0] = 'x';
    finish_line(benches.worker, 4, "{}\n");
    workbench_outbox(benches.server, 5, &view);
    assert_int_equal(view.first, 3);
    assert_int_equal(view.count, 2);
    assert_int_equal(view.bytes, 15);
    assert_memory_equal(view.lines, "{\"index\":3}\n{}\n", 15);
    workbench_outbox(benches.server, 6, &view);
    assert_int_equal(view.count, 0);
    assert_int_equal(view.bytes, 0);

    workbench_finish(benches.worker, 5, (size_t)(workbench_room(benches.worker, 1) - benches.worker->data) / 15, true);
    assert_int_equal(benches.server->outbox_failed, 1);
    workbench_sent(benches.worker);
    workbench_outbox(benches.server, 5, &view);
    assert_int_equal(view.count, 0);
    close_benches(&benches);
}

/* The worker dies after it said done and before it emptied the outbox; the next slice was offered already. */
static void test_workbench_outbox_of_old_slice(void **state)
{
    (void)state;
    struct benches benches = open_benches();
    struct outbox_view view;
    workbench_offer(benches.server, 5, 1);
    finish_line(benches.worker, 0, "old\n");
    workbench_offer(benches.server, 6, 1);
    workbench_outbox(benches.server, 6, &view);
    assert_int_equal(view.count, 0);
    close_benches(&benches);
}

static void test_workbench_corrupt(void **state)
{
    (void)state;
    struct benches benches = open_benches();
    struct outbox_view view;
    workbench_offer(benches.server, 5, 10);
    const struct {
        uint32_t count, bytes, first;
        bool good;
    } cases[] = {
        {1, 2, 0, true},
        {1024, 2048, 0, true},
        {1, WORKBENCH_DATA_BYTES, 1023, true},
        {0, 10, 0, false},
        {1, 0, 0, false},
        {5, 4, 0, false},
        {1, WORKBENCH_DATA_BYTES + 1, 0, false},
        {1, UINT32_MAX, 0, false},
        {1025, 5000, 0, false},
        {UINT32_MAX, UINT32_MAX, 0, false},
        {2, 10, 1023, false},
        {2, 10, UINT32_MAX, false},
        {1024, 2048, 1, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        benches.worker->outbox = (uint64_t)cases[i].count << 32 | cases[i].bytes;
        benches.worker->outbox_first = cases[i].first;
        workbench_outbox(benches.server, 5, &view);
        assert_int_equal(view.count, cases[i].good ? cases[i].count : 0);
        assert_int_equal(view.bytes, cases[i].good ? cases[i].bytes : 0);
    }
    benches.worker->outbox = UINT32_MAX;
    assert_null(workbench_room(benches.worker, 1));
    benches.worker->claim = UINT64_MAX; /* next and limit both absurd: no crash, the caller sees it */
    assert_true(workbench_trim(benches.server, 5) > 10);
    close_benches(&benches);
}

static blkcnt_t blocks(int fd)
{
    struct stat stat;
    assert_int_equal(fstat(fd, &stat), 0);
    return stat.st_blocks * 512;
}

static void test_workbench_memory(void **state)
{
    (void)state;
    struct benches benches = open_benches();
    workbench_offer(benches.server, 5, 10);
    assert_true(blocks(benches.fd) <= 64 * 1024); /* sparse */
    assert_null(workbench_room(benches.worker, WORKBENCH_DATA_BYTES + 1));
    char *room = workbench_room(benches.worker, WORKBENCH_DATA_BYTES);
    assert_non_null(room);
    memset(room, 'x', WORKBENCH_DATA_BYTES);
    workbench_finish(benches.worker, 0, WORKBENCH_DATA_BYTES, false);
    assert_null(workbench_room(benches.worker, 1));
    assert_true(blocks(benches.fd) >= (blkcnt_t)WORKBENCH_DATA_BYTES);
    workbench_offer(benches.server, 6, 10); /* in between: the worker must still know what it touched */
    workbench_sent(benches.worker);
    assert_true(blocks(benches.fd) <= 1100 * 1024);
    finish_line(benches.worker, 0, "again\n");
    struct outbox_view view;
    workbench_outbox(benches.server, 6, &view);
    assert_memory_equal(view.lines, "again\n", 6);
    close_benches(&benches);
}

static void test_workbench_sealed(void **state)
{
    (void)state;
    struct benches benches = open_benches();
    struct error error;
    assert_int_equal(ftruncate(benches.fd, 0), -1);
    assert_int_equal(errno, EPERM);
    int other = memfd_create("other", MFD_CLOEXEC);
    assert_null(workbench_map(other, &error));
    fd_close(&other);
    close_benches(&benches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_roundtrip),
        cmocka_unit_test(test_messages_garbage),
        cmocka_unit_test(test_message_bytes),
        cmocka_unit_test(test_message_texts),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_frame_prefixes),
        cmocka_unit_test(test_frame_nonsense),
        cmocka_unit_test(test_channel_split_everywhere),
        cmocka_unit_test(test_channel_stream),
        cmocka_unit_test(test_channel_slow_reader),
        cmocka_unit_test(test_channel_queue_order),
        cmocka_unit_test(test_channel_drain_the_dead),
        cmocka_unit_test(test_channel_reset_is_eof),
        cmocka_unit_test(test_channel_nonsense),
        cmocka_unit_test(test_fds_in_order),
        cmocka_unit_test(test_fds_not_leaked),
        cmocka_unit_test(test_fds_too_many),
        cmocka_unit_test(test_scoreboard),
        cmocka_unit_test(test_workbench_claim),
        cmocka_unit_test(test_workbench_race),
        cmocka_unit_test(test_workbench_outbox),
        cmocka_unit_test(test_workbench_outbox_of_old_slice),
        cmocka_unit_test(test_workbench_corrupt),
        cmocka_unit_test(test_workbench_memory),
        cmocka_unit_test(test_workbench_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
