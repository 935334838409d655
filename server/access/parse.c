/* The token file: lines of words. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/set.h"
#include "base/check.h"

#define DIGEST_MARK "sha256:"
#define BYTE_ORDER_MARK "\xef\xbb\xbf" /* what some editors put before UTF-8 */
static const char blanks[] = " \t\r\v\f";
static const char name_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

struct parse {
    const char *file;
    unsigned line;
    struct tokens *to;
    struct error *error;
};

/* Never pass it what stands in the file: that may be a token in a wrong place. */
static int fail(struct parse *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct parse *p, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return error_set(p->error, "%s:%u: %s", p->file, p->line, text);
}

/* ---- words ---- */

/* The next word, cut off by a NUL, or NULL at the line's end or a comment: # at the beginning of a word. */
static char *next_word(char **at)
{
    char *word = *at + strspn(*at, blanks);
    if (!*word || *word == '#')
        return NULL;
    char *end = word + strcspn(word, blanks);
    *at = *end ? end + 1 : end;
    *end = '\0';
    return word;
}

/* The next part of a comma separated value, cut off by a NUL; NULL behind the last. */
static char *next_part(char **at)
{
    char *part = *at;
    if (!part)
        return NULL;
    char *comma = strchr(part, ',');
    *at = comma ? comma + 1 : NULL;
    if (comma)
        *comma = '\0';
    return part;
}

static bool is_name(const char *text, size_t length)
{
    return length >= 1 && length <= TOKEN_NAME_MAX && strspn(text, name_letters) >= length;
}

/* ---- the attributes of a token ---- */

typedef int take_attribute(struct parse *, struct token *, char *value);

/* Whoever asks from there without a token, or with a wrong one, would use up what this token may. */
static bool is_address(const char *name)
{
    struct in_addr address;
    return inet_pton(AF_INET, name, &address) == 1;
}

static int take_name(struct parse *p, struct token *token, char *value)
{
    if (is_address(value))
        return fail(p, "name: that is an address, as clients without a token have it");
    if (!is_name(value, strlen(value)))
        return fail(p, "name: expected 1 to %d letters, digits, '_', '.' or '-'", TOKEN_NAME_MAX);
    strcpy(token->name, value);
    return 0;
}

static int take_scopes(struct parse *p, struct token *token, char *value)
{
    token->scopes = 0;
    for (char *part; (part = next_part(&value));) {
        if (strcmp(part, "admin") == 0)
            token->scopes |= SCOPES_ALL;
        else if (strcmp(part, "submit") == 0)
            token->scopes |= SCOPE_SUBMIT;
        else if (strcmp(part, "read") == 0)
            token->scopes |= SCOPE_READ;
        else
            return fail(p, "scopes: expected some of read, submit and admin, separated by commas");
    }
    return 0;
}

static bool is_pattern(const char *text)
{
    size_t length = strlen(text);
    return (length && text[length - 1] == '*' && (length == 1 || is_name(text, length - 1))) || is_name(text, length);
}

static int take_functions(struct parse *p, struct token *token, char *value)
{
    token->functions = strdup(value);
    CHECK(token->functions, "out of memory");
    for (char *part; (part = next_part(&value));)
        if (!is_pattern(part))
            return fail(p, "functions: expected names separated by commas, which may end in '*'");
    return 0;
}

static int take_number(struct parse *p, const char *what, const char *value, unsigned *to, bool *said)
{
    size_t length = strlen(value);
    unsigned long number = length && length <= 7 && strspn(value, "0123456789") == length ? strtoul(value, NULL, 10)
                                                                                          : TOKEN_LIMIT_MAX + 1UL;
    if (number > TOKEN_LIMIT_MAX)
        return fail(p, "%s: expected a number from 0 (any) to %d", what, TOKEN_LIMIT_MAX);
    *to = (unsigned)number;
    *said = true;
    return 0;
}

static int take_rate(struct parse *p, struct token *token, char *value)
{
    return take_number(p, "rate", value, &token->said.rate, &token->says_rate);
}

static int take_jobs(struct parse *p, struct token *token, char *value)
{
    return take_number(p, "jobs", value, &token->said.jobs, &token->says_jobs);
}

static int take_streams(struct parse *p, struct token *token, char *value)
{
    return take_number(p, "streams", value, &token->said.streams, &token->says_streams);
}

static const struct {
    const char *name;
    take_attribute *take;
} attributes[] = {{"name=", take_name}, {"scopes=", take_scopes}, {"functions=", take_functions},
                  {"rate=", take_rate}, {"jobs=", take_jobs},     {"streams=", take_streams}};
enum { ATTRIBUTES = sizeof attributes / sizeof *attributes };

static int take_word(struct parse *p, struct token *token, char *word, unsigned *seen)
{
    for (unsigned i = 0; i < ATTRIBUTES; i++) {
        size_t length = strlen(attributes[i].name);
        if (strncmp(word, attributes[i].name, length) != 0)
            continue;
        if (*seen & 1U << i)
            return fail(p, "%.*s comes twice", (int)length - 1, attributes[i].name);
        *seen |= 1U << i;
        return attributes[i].take(p, token, word + length);
    }
    return fail(p, "after the token, expected only name=, scopes=, functions=, rate=, jobs= and streams=");
}

/* ---- the token itself ---- */

/* 0 … 15; anything else is not hexadecimal. */
static unsigned hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, tolower((unsigned char)c)) : NULL;
    return found ? (unsigned)(found - digits) : 16;
}

/* What `sha256sum` says of a file that is empty or a command that failed; it would open the door to an empty token. */
static bool is_of_nothing(const unsigned char digest[TOKEN_DIGEST_BYTES])
{
    unsigned char nothing[TOKEN_DIGEST_BYTES];
    return token_digest("", 0, nothing) == 0 && memcmp(digest, nothing, sizeof nothing) == 0;
}

static int take_digest(struct parse *p, struct token *token, const char *hex)
{
    bool fine = strlen(hex) == 2 * TOKEN_DIGEST_BYTES;
    for (unsigned i = 0; fine && i < TOKEN_DIGEST_BYTES; i++) {
        unsigned high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
        fine = high < 16 && low < 16;
        token->digest[i] = (unsigned char)(high << 4 | low);
    }
    if (!fine)
        return fail(p, "behind " DIGEST_MARK " expected %d hexadecimal digits", 2 * TOKEN_DIGEST_BYTES);
    return is_of_nothing(token->digest) ? fail(p, "that is the SHA-256 of nothing: what it was made of was empty") : 0;
}

static int take_token(struct parse *p, struct token *token, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(word, DIGEST_MARK, sizeof DIGEST_MARK - 1) == 0)
        return take_digest(p, token, word + sizeof DIGEST_MARK - 1);
    if (length < TOKEN_BYTES_MIN || length > TOKEN_BYTES_MAX)
        return fail(p, "expected a token of %d to %d bytes; it has %zu", TOKEN_BYTES_MIN, TOKEN_BYTES_MAX, length);
    for (const char *c = word; *c; c++)
        if (iscntrl((unsigned char)*c))
            return fail(p, "the token has a control character");
    return token_digest(word, length, token->digest) ? fail(p, "SHA-256 is not available") : 0;
}

static int check_alone(struct parse *p, const struct token *token)
{
    for (unsigned i = 0; i + 1 < p->to->count; i++) {
        const struct token *other = &p->to->list[i];
        if (memcmp(other->digest, token->digest, sizeof token->digest) == 0)
            return fail(p, "the token is that of line %u, too", other->line);
        if (strcmp(other->name, token->name) == 0)
            return fail(p, "the name is that of line %u, too", other->line);
    }
    return 0;
}

/* ---- lines ---- */

static int take_line(struct parse *p, char *line)
{
    unsigned seen = 0;
    char *word = next_word(&line);
    if (!word)
        return 0;
    if (p->to->count == TOKENS_MAX)
        return fail(p, "expected at most %d tokens", TOKENS_MAX);
    struct token *token = tokens_add(p->to);
    token->line = p->line;
    token->scopes = SCOPES_ALL;
    snprintf(token->name, sizeof token->name, "token-%u", p->line);
    if (take_token(p, token, word))
        return -1;
    while ((word = next_word(&line)))
        if (take_word(p, token, word, &seen))
            return -1;
    return check_alone(p, token);
}

static int take_lines(struct parse *p, char *text)
{
    while (text) {
        char *end = strchr(text, '\n');
        if (end)
            *end = '\0';
        p->line++;
        if (take_line(p, text))
            return -1;
        text = end ? end + 1 : NULL;
    }
    return p->to->count ? 0
                        : error_set(p->error, "%s: expected a token of at least %d bytes", p->file, TOKEN_BYTES_MIN);
}

/* What a token file was before there were scopes. */
static bool is_one_word(const char *text)
{
    text += strspn(text, " \t\r\v\f\n");
    text += strcspn(text, " \t\r\v\f\n");
    return text[strspn(text, " \t\r\v\f\n")] == '\0';
}

struct tokens *tokens_parse(const char *file, char *text, size_t length, struct error *e)
{
    struct parse p = {.file = file, .error = e};
    if (strlen(text) != length) {
        error_set(e, "%s: expected text; it has a NUL byte", file);
        return NULL;
    }
    if (strncmp(text, BYTE_ORDER_MARK, sizeof BYTE_ORDER_MARK - 1) == 0)
        text += sizeof BYTE_ORDER_MARK - 1;
    bool one_word = is_one_word(text);
    p.to = tokens_new();
    if (take_lines(&p, text))
        tokens_unref(&p.to);
    else if (one_word)
        strcpy(p.to->list[0].name, "default");
    return p.to;
}
