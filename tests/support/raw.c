#include "support/raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int raw_try_connect(const struct service *s)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == -1) {
        close(fd);
        return -1;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

int raw_connect(const struct service *s)
{
    int fd = raw_try_connect(s);
    if (fd == -1)
        service_give_up(s, "cannot connect: %s", strerror(errno));
    return fd;
}

bool raw_send(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}

static ssize_t read_some(int fd, char *to, size_t size, long long end)
{
    long long left = end - now_ms();
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (left <= 0 || poll(&p, 1, (int)left) <= 0)
        return -2;
    return recv(fd, to, size, 0);
}

size_t raw_read(int fd, char *to, size_t size, int timeout_ms)
{
    long long end = now_ms() + timeout_ms;
    size_t length = 0;
    while (length + 1 < size) {
        ssize_t n = read_some(fd, to + length, size - 1 - length, end);
        if (n <= 0)
            break;
        length += (size_t)n;
    }
    to[length] = '\0';
    return length;
}

int raw_status(const struct service *s, const char *text)
{
    int fd = raw_connect(s);
    raw_send(fd, text, strlen(text));
    char answer[16384];
    size_t length = 0;
    long long end = now_ms() + 15000;
    ssize_t n;
    do {
        n = read_some(fd, answer + length, sizeof answer - 1 - length, end);
        length += n > 0 ? (size_t)n : 0;
        answer[length] = '\0';
    } while (n > 0 && strstr(answer, "\r\n\r\n") == NULL);
    close(fd);
    int status = n == -2 ? -1 : 0;
    if (sscanf(answer, "HTTP/1.%*c %d", &status) != 1 && n == -2)
        return -1;
    return status;
}

bool raw_closed(int fd, int timeout_ms)
{
    char bytes[4096];
    long long end = now_ms() + timeout_ms;
    for (;;) {
        ssize_t n = read_some(fd, bytes, sizeof bytes, end);
        if (n == -2)
            return false;
        if (n <= 0)
            return true;
    }
}
