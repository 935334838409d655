#include "supervisor/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define BACKLOG 1024 /* what comes while a server restarts waits here; the kernel caps it by somaxconn */

/* "[::1]:80" → "::1", "80". */
static int split_address(const char *text, char host[128], char port[16], struct error *error)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);
    if (length == 0 || length >= 128 || strlen(colon + 1) == 0 || strlen(colon + 1) >= 16)
        return error_set(error, "--listen %s: expected ADDR:PORT", text);
    if (text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    }
    snprintf(host, 128, "%.*s", (int)length, text);
    snprintf(port, 16, "%s", colon + 1);
    return 0;
}

static struct addrinfo *resolve(const char *host, const char *port, struct error *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int result = getaddrinfo(host, port, &hints, &found);
    if (result == 0)
        return found;
    error_set(error, "--listen %s:%s: %s", host, port, gai_strerror(result));
    return NULL;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}

/* Every address is fine with tokens; without, only loopback is. What stands in the file is the server's to judge. */
static int check_tokens(const struct config *config, bool loopback, struct error *error)
{
    if (config->token_file[0] == '\0')
        return loopback ? 0
                        : error_set(error,
                                    "--listen %s is reachable from other machines: that needs --token-file FILE "
                                    "(e.g. head -c 32 /dev/urandom | base64 > FILE)",
                                    config->listen);
    int fd = open(config->token_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd == -1)
        return error_set(error, "--token-file %s: %s", config->token_file, strerror(errno));
    fd_close(&fd);
    return 0;
}

/* A poold that was just killed may have a server that still holds the port for a moment: try for half a second. */
static int bind_patiently(int fd, const struct addrinfo *address)
{
    const struct timespec pause = {.tv_nsec = 20 * NS_PER_MS};
    for (int left = 25;; left--) {
        if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
            return 0;
        if (errno != EADDRINUSE || left == 0)
            return -1;
        nanosleep(&pause, NULL);
    }
}

static int open_socket(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind_patiently(fd, address) == -1)
        fd_close(&fd);
    return fd;
}

static void describe(struct listener *l, const struct config *config)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    char host[128] = "", port[16] = "";
    getsockname(l->fd, (struct sockaddr *)&address, &length);
    getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    l->port = ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                  : ((struct sockaddr_in *)&address)->sin_port);
    snprintf(l->at, sizeof l->at, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    snprintf(l->url, sizeof l->url, "%s://%s", config->tls_cert[0] != '\0' ? "https" : "http", l->at);
}

/* The address, when we may listen there. */
static struct addrinfo *allowed_address(const struct config *config, struct error *error)
{
    char host[128], port[16];
    if (split_address(config->listen, host, port, error) == -1)
        return NULL;
    struct addrinfo *address = resolve(host, port, error);
    if (address == NULL || check_tokens(config, is_loopback(address->ai_addr), error) == 0)
        return address;
    freeaddrinfo(address);
    return NULL;
}

int listener_check(const struct config *config, struct error *error)
{
    struct addrinfo *address = allowed_address(config, error);
    if (address == NULL)
        return -1;
    freeaddrinfo(address);
    return 0;
}

int listener_open(struct listener *l, const struct config *config, struct error *error)
{
    *l = (struct listener){.fd = -1};
    struct addrinfo *address = allowed_address(config, error);
    if (address == NULL)
        return -1;
    l->fd = open_socket(address);
    if (l->fd == -1)
        error_set(error, "--listen %s: %s", config->listen, strerror(errno));
    freeaddrinfo(address);
    if (l->fd == -1)
        return -1;
    describe(l, config);
    return 0;
}

void listener_close(struct listener *l)
{
    fd_close(&l->fd);
}
