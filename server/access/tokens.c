#include "access/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/set.h"
#include "base/check.h"
#include "base/fd.h"

/* ---- the set ---- */

struct tokens *tokens_new(void)
{
    struct tokens *t = calloc(1, sizeof *t);
    CHECK(t, "out of memory");
    t->references = 1;
    return t;
}

struct token *tokens_add(struct tokens *t)
{
    t->list = reallocarray(t->list, t->count + 1, sizeof *t->list);
    CHECK(t->list, "out of memory");
    struct token *token = &t->list[t->count++];
    *token = (struct token){0};
    return token;
}

struct tokens *tokens_ref(struct tokens *t)
{
    atomic_fetch_add(&t->references, 1);
    return t;
}

void tokens_unref(struct tokens **tokens)
{
    struct tokens *t = *tokens;
    *tokens = NULL;
    if (!t || atomic_fetch_sub(&t->references, 1) > 1)
        return;
    for (unsigned i = 0; i < t->count; i++)
        free(t->list[i].functions);
    free(t->list);
    free(t);
}

unsigned tokens_count(const struct tokens *t)
{
    return t->count;
}

const struct token *tokens_at(const struct tokens *t, unsigned index)
{
    return index < t->count ? &t->list[index] : NULL;
}

/* ---- finding ---- */

int token_digest(const char *text, size_t length, unsigned char digest[TOKEN_DIGEST_BYTES])
{
    return gnutls_hash_fast(GNUTLS_DIG_SHA256, text, length, digest) ? -1 : 0;
}

const struct token *tokens_find(const struct tokens *t, const char *text, size_t length)
{
    unsigned char digest[TOKEN_DIGEST_BYTES];
    const struct token *found = NULL;
    if (length < TOKEN_BYTES_MIN || length > TOKEN_BYTES_MAX) /* nor what somebody took the SHA-256 of */
        return NULL;
    if (token_digest(text, length, digest))
        return NULL;
    for (unsigned i = 0; i < t->count; i++) /* all, always */
        if (gnutls_memcmp(t->list[i].digest, digest, sizeof digest) == 0)
            found = &t->list[i];
    return found;
}

/* ---- what one may do ---- */

static bool matches(const char *pattern, size_t length, const char *name)
{
    if (length && pattern[length - 1] == '*')
        return strncmp(name, pattern, length - 1) == 0;
    return strlen(name) == length && memcmp(name, pattern, length) == 0;
}

bool token_allows(const struct token *token, const char *function)
{
    size_t length;
    if (!token->functions)
        return true;
    for (const char *at = token->functions; *at; at += length, at += *at == ',') {
        length = strcspn(at, ",");
        if (matches(at, length, function))
            return true;
    }
    return false;
}

struct limits token_limits(const struct token *token, struct limits standard)
{
    return (struct limits){.rate = token->says_rate ? token->said.rate : standard.rate,
                           .jobs = token->says_jobs ? token->said.jobs : standard.jobs,
                           .streams = token->says_streams ? token->said.streams : standard.streams};
}

const char *scope_name(enum scope scope)
{
    return scope == SCOPE_READ ? "read" : scope == SCOPE_SUBMIT ? "submit" : "admin";
}

/* ---- the file ---- */

/* Bytes, or -1 with the error. */
static ssize_t read_all(int fd, const char *file, char *text, struct error *e)
{
    size_t length = 0;
    for (;;) {
        ssize_t got = read(fd, text + length, TOKEN_FILE_MAX + 1 - length);
        if (got == -1 && errno != EINTR)
            return error_set(e, "%s: %s", file, strerror(errno));
        if (got > 0)
            length += (size_t)got;
        if (length > TOKEN_FILE_MAX)
            return error_set(e, "%s: expected a token file of at most %d bytes", file, TOKEN_FILE_MAX);
        if (got == 0)
            return (ssize_t)length;
    }
}

static struct tokens *load(int fd, const char *file, struct error *e)
{
    struct tokens *tokens = NULL;
    char *text = malloc(TOKEN_FILE_MAX + 1);
    CHECK(text, "out of memory");
    ssize_t length = read_all(fd, file, text, e);
    if (length >= 0) {
        text[length] = '\0';
        tokens = tokens_parse(file, text, (size_t)length, e);
        explicit_bzero(text, (size_t)length);
    }
    free(text);
    return tokens;
}

struct tokens *tokens_load(const char *file, bool *exposed, struct error *e)
{
    struct stat about = {0};
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO: SIGHUP must not wait for who writes to it */
    if (fd == -1 || fstat(fd, &about)) {
        error_set(e, "%s: %s", file, strerror(errno));
        fd_close(&fd);
        return NULL;
    }
    *exposed = (about.st_mode & S_IRWXO) != 0;
    struct tokens *tokens = load(fd, file, e);
    fd_close(&fd);
    return tokens;
}
