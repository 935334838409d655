/* set: the inside of a set of tokens, for the files of access/ only. */
#ifndef POOLD_ACCESS_SET_H
#define POOLD_ACCESS_SET_H

#include <stdatomic.h>

#include "access/tokens.h"

struct tokens {
    _Atomic unsigned references;
    unsigned count;
    struct token *list;
};

/* Empty, to be filled before anybody else sees it. */
struct tokens *tokens_new(void);
/* One more, all zero; valid until the next. */
struct token *tokens_add(struct tokens *);
/* 0, or -1 when the library cannot. */
int token_digest(const char *text, size_t length, unsigned char digest[TOKEN_DIGEST_BYTES]);

#endif
