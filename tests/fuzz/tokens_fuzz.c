/* Token files: what is accepted gives each token a name of its own and scopes, and every text of its lines that is a
 * token is found again; what is refused is refused with the file's name. No message tells what stands in the file. */
#include <stdlib.h>
#include <string.h>

#include "access/tokens.h"
#include "base/check.h"
#include "fuzz.h"

static void check_set(const struct tokens *t)
{
    CHECK(tokens_count(t) >= 1 && tokens_count(t) <= TOKENS_MAX, "some tokens");
    for (unsigned i = 0; i < tokens_count(t); i++) {
        const struct token *token = tokens_at(t, i);
        CHECK(token->scopes && !(token->scopes & ~(unsigned)SCOPES_ALL), "scopes");
        CHECK(*token->name && strlen(token->name) <= TOKEN_NAME_MAX, "a name");
        for (unsigned other = 0; other < i; other++)
            CHECK(strcmp(tokens_at(t, other)->name, token->name) != 0, "a name of its own");
        token_allows(token, "a");
    }
}

/* The first word of the first line that has one; a comment is not meant. */
static void check_found(const struct tokens *t, const char *text)
{
    static const char space[] = " \t\r\v\f\n";
    text += strspn(text, space);
    size_t length = strcspn(text, space);
    if (*text != '#' && strncmp(text, "sha256:", 7) != 0)
        CHECK(tokens_find(t, text, length) == tokens_at(t, 0), "the first token is found");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = {""};
    char *text = calloc(1, size + 1), *kept = calloc(1, size + 1);
    CHECK(text && kept, "out of memory");
    memcpy(text, data, size);
    memcpy(kept, data, size);
    struct tokens *t = tokens_parse("file", text, size, &e);
    if (t) {
        check_set(t);
        check_found(t, kept);
    } else {
        CHECK(strncmp(e.text, "file:", 5) == 0, "a refusal says where");
    }
    tokens_unref(&t);
    free(text);
    free(kept);
    return 0;
}
