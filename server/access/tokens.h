/* tokens: who may do what, as the token file says. Pure but for tokens_load(); fuzzed.
 *
 *     # a comment
 *     TOKEN name=web scopes=read,submit functions=thumb*,resize rate=20 jobs=100 streams=10
 *     sha256:HEX64 name=grafana scopes=read
 *
 * TOKEN is the text that clients send; of sha256:HEX64 the file holds only the digest. A file of one single word is one
 * token, named "default", that may do everything. Messages name file and line, and never show a token; the set keeps
 * digests only.
 *
 * A set never changes: the file is read into a new one. It is counted, any thread may drop it: who asked a minute ago
 * still holds the set that admitted him. */
#ifndef POOLD_ACCESS_TOKENS_H
#define POOLD_ACCESS_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum scope {
    SCOPE_READ = 1,   /* look */
    SCOPE_SUBMIT = 2, /* make and change jobs and shared objects */
    SCOPE_ADMIN = 4,  /* change the service; includes the others */
    SCOPES_ALL = SCOPE_READ | SCOPE_SUBMIT | SCOPE_ADMIN
};

enum {
    TOKEN_BYTES_MIN = 32,
    TOKEN_BYTES_MAX = 511,
    TOKEN_NAME_MAX = 64,
    TOKEN_DIGEST_BYTES = 32, /* SHA-256 */
    TOKEN_FILE_MAX = 1024 * 1024,
    TOKENS_MAX = 1000,
    TOKEN_LIMIT_MAX = 1000000 /* as of --client-rate and so on */
};

/* What one client may have at a time; 0 = any. */
struct limits {
    unsigned rate;    /* requests a second */
    unsigned jobs;    /* unfinished */
    unsigned streams; /* and waits */
};

struct token {
    char name[TOKEN_NAME_MAX + 1];
    unsigned scopes;    /* SCOPE_… */
    char *functions;    /* patterns, comma separated; NULL = any */
    struct limits said; /* … in the file, and whether they were: */
    bool says_rate, says_jobs, says_streams;
    unsigned line;
    unsigned char digest[TOKEN_DIGEST_BYTES];
};

struct tokens;

/* `text` has `length` bytes and a NUL behind them; it is overwritten. `file` is for messages. NULL with the error. */
struct tokens *tokens_parse(const char *file, char *text, size_t length, struct error *);
/* Reads and parses a file. *exposed: every user of the machine may read it. NULL with the error. */
struct tokens *tokens_load(const char *file, bool *exposed, struct error *);
struct tokens *tokens_ref(struct tokens *);
void tokens_unref(struct tokens **);

unsigned tokens_count(const struct tokens *);
/* In the order of the file. */
const struct token *tokens_at(const struct tokens *, unsigned index);
/* Whose text this is; NULL: nobody's. As long as the set. Takes the same time whoever it is, if it has the length of a
 * token. */
const struct token *tokens_find(const struct tokens *, const char *text, size_t length);

/* Whether it may call, and see jobs of, this function. */
bool token_allows(const struct token *, const char *function);
/* Its own limits, and for what its line does not say these. */
struct limits token_limits(const struct token *, struct limits standard);
/* "read", "submit", "admin". */
const char *scope_name(enum scope);

#endif
