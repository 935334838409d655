/* Tests of the token file: what it may say, every error, whose text is whose, and what a token may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "access/tokens.h"

#define T32 "0123456789abcdef0123456789abcdef"
#define U32 "fedcba9876543210fedcba9876543210"
/* printf %s 0123456789abcdef0123456789abcdef | sha256sum */
#define T32_DIGEST "sha256:3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9"

static struct tokens *parse_bytes(const char *text, size_t length, struct error *e)
{
    char *copy = malloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    struct tokens *t = tokens_parse("f", copy, length, e);
    free(copy); /* nothing of it is kept */
    return t;
}

static struct tokens *parse(const char *text)
{
    struct error e = {""};
    struct tokens *t = parse_bytes(text, strlen(text), &e);
    if (!t)
        fail_msg("refused: %s", e.text);
    return t;
}

static const struct token *find(const struct tokens *t, const char *text)
{
    return tokens_find(t, text, strlen(text));
}

static void test_one_word(void **state)
{
    (void)state;
    static const char *const texts[] = {T32, T32 "\n", " \t\n" T32 "\r\n\n", T32_DIGEST};
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct tokens *t = parse(texts[i]);
        assert_int_equal(tokens_count(t), 1);
        const struct token *token = find(t, T32);
        assert_ptr_equal(token, tokens_at(t, 0));
        assert_string_equal(token->name, "default");
        assert_int_equal(token->scopes, SCOPES_ALL);
        assert_true(token_allows(token, "anything"));
        assert_null(find(t, T32 "x"));
        assert_null(find(t, ""));
        tokens_unref(&t);
        assert_null(t);
    }
}

static void test_lines(void **state)
{
    (void)state;
    struct tokens *t = parse("# tokens\r\n"
                             "\n"
                             "   # more\n" T32
                             "#x\tname=web  scopes=submit,read functions=a.b,thumb* rate=20 # of the web\n" T32_DIGEST
                             " scopes=read jobs=0 streams=1000000\n" U32 " scopes=admin");
    assert_int_equal(tokens_count(t), 3);
    const struct token *web = find(t, T32 "#x"), *read = find(t, T32), *admin = find(t, U32);
    assert_string_equal(web->name, "web");
    assert_int_equal(web->scopes, SCOPE_READ | SCOPE_SUBMIT);
    assert_string_equal(web->functions, "a.b,thumb*");
    assert_string_equal(read->name, "token-5");
    assert_int_equal(read->scopes, SCOPE_READ);
    assert_null(read->functions);
    assert_string_equal(admin->name, "token-6");
    assert_int_equal(admin->scopes, SCOPES_ALL);
    const struct limits standard = {.rate = 1, .jobs = 2, .streams = 3};
    struct limits l = token_limits(web, standard);
    assert_true(l.rate == 20 && l.jobs == 2 && l.streams == 3);
    l = token_limits(read, standard);
    assert_true(l.rate == 1 && l.jobs == 0 && l.streams == 1000000);
    tokens_unref(&t);
}

static void test_functions(void **state)
{
    (void)state;
    struct tokens *t = parse(T32 " functions=a.b,thumb*,z\n" U32 " functions=*");
    const struct token *some = find(t, T32), *any = find(t, U32);
    static const char *const yes[] = {"a.b", "thumb", "thumbs", "thumb.of", "z"};
    static const char *const no[] = {"a.bc", "a", "a.b,thumb", "thum", "Thumb", "zz", "", "*"};
    for (unsigned i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(token_allows(some, yes[i]));
    for (unsigned i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(token_allows(some, no[i]));
    assert_true(token_allows(any, "x"));
    tokens_unref(&t);
}

static void refused(const char *text, size_t length, const char *message)
{
    struct error e = {""};
    struct tokens *t = parse_bytes(text, length, &e);
    if (t)
        fail_msg("taken: %s", text);
    assert_string_equal(e.text, message);
}

static void test_errors(void **state)
{
    (void)state;
    static const char names[] = "name: expected 1 to 64 letters, digits, '_', '.' or '-'";
    static const char scopes[] = "scopes: expected some of read, submit and admin, separated by commas";
    static const char functions[] = "functions: expected names separated by commas, which may end in '*'";
    static const char words[] = "after the token, expected only name=, scopes=, functions=, rate=, jobs= and streams=";
    static const char numbers[] = "expected a number from 0 (any) to 1000000";
    const struct {
        const char *text, *message, *more;
    } cases[] = {
        {"", "f: expected a token of at least 32 bytes", ""},
        {"\n# " T32 "\n\n", "f: expected a token of at least 32 bytes", ""},
        {"#" T32, "f: expected a token of at least 32 bytes", ""},
        {"short", "f:1: expected a token of 32 to 511 bytes; it has 5", ""},
        {"\n\n0123456789abcdef0123456789abcde\n", "f:3: expected a token of 32 to 511 bytes; it has 31", ""},
        {T32 "\001", "f:1: the token has a control character", ""},
        {"sha256:ab", "f:1: behind sha256: expected 64 hexadecimal digits", ""},
        {"sha256:E3B0C44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         "f:1: that is the SHA-256 of nothing: what it was made of was empty", ""},
        {T32_DIGEST "0", "f:1: behind sha256: expected 64 hexadecimal digits", ""},
        {"sha256:" T32 "0123456789abcdef0123456789abcdeg", "f:1: behind sha256: expected 64 hexadecimal digits", ""},
        {T32 " name=", "f:1: ", names},
        {T32 " name=a/b", "f:1: ", names},
        {T32 " name=" U32 U32 "x", "f:1: ", names},
        {T32 " name=10.0.0.5", "f:1: name: that is an address, as clients without a token have it", ""},
        {T32 " scopes=", "f:1: ", scopes},
        {T32 "\n" U32 " scopes=read,,submit", "f:2: ", scopes},
        {T32 " scopes=read,", "f:1: ", scopes},
        {T32 " scopes=Read", "f:1: ", scopes},
        {T32 " functions=", "f:1: ", functions},
        {T32 " functions=a,", "f:1: ", functions},
        {T32 " functions=a*b", "f:1: ", functions},
        {T32 " functions=a**", "f:1: ", functions},
        {T32 " functions=a/b", "f:1: ", functions},
        {T32 " rate=", "f:1: rate: ", numbers},
        {T32 " rate=-1", "f:1: rate: ", numbers},
        {T32 " jobs=1000001", "f:1: jobs: ", numbers},
        {T32 " streams=99999999999999999999999", "f:1: streams: ", numbers},
        {T32 " streams=1s", "f:1: streams: ", numbers},
        {T32 " " U32, "f:1: ", words},
        {T32 " name = web", "f:1: ", words},
        {T32 " Name=web", "f:1: ", words},
        {T32 " name=a name=b", "f:1: name comes twice", ""},
        {T32 " scopes=read scopes=read", "f:1: scopes comes twice", ""},
        {T32 "\n#\n" T32 "\n", "f:3: the token is that of line 1, too", ""},
        {T32 "\n" T32_DIGEST "\n", "f:2: the token is that of line 1, too", ""},
        {T32 " name=a\n" U32 " name=a\n", "f:2: the name is that of line 1, too", ""},
        {T32 " name=token-2\n" U32 "\n", "f:2: the name is that of line 1, too", ""},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char message[256];
        snprintf(message, sizeof message, "%s%s", cases[i].message, cases[i].more);
        refused(cases[i].text, strlen(cases[i].text), message);
    }
    refused(T32 "\0" T32, 65, "f: expected text; it has a NUL byte");
}

/* As editors on Windows save it. */
static void test_marks(void **state)
{
    (void)state;
    struct tokens *t = parse("\xef\xbb\xbf" T32 " name=a\r\n# and\r\n" U32 " scopes=read\r\n");
    assert_string_equal(find(t, T32)->name, "a");
    assert_int_equal(find(t, U32)->scopes, SCOPE_READ);
    tokens_unref(&t);
    t = parse("\xef\xbb\xbf" T32);
    assert_string_equal(find(t, T32)->name, "default");
    tokens_unref(&t);
    refused("\xef\xbb\xbf", 3, "f: expected a token of at least 32 bytes");
}

/* sha256: of a text that is too short to be a token. */
static void test_digest_of_a_short_text(void **state)
{
    (void)state;
    struct tokens *t = parse("sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b");
    assert_null(find(t, "secret"));
    tokens_unref(&t);
}

static void test_lengths(void **state)
{
    (void)state;
    char text[520];
    memset(text, 'x', sizeof text);
    text[511] = '\0';
    struct tokens *t = parse(text);
    assert_non_null(find(t, text));
    tokens_unref(&t);
    text[511] = 'x';
    refused(text, 512, "f:1: expected a token of 32 to 511 bytes; it has 512");
}

static void test_too_many(void **state)
{
    (void)state;
    char *text = calloc(1002, 40), message[80];
    for (unsigned i = 0; i < 1000; i++)
        sprintf(text + strlen(text), "%036u\n", i);
    struct tokens *t = parse(text);
    assert_int_equal(tokens_count(t), 1000);
    assert_string_equal(find(t, "000000000000000000000000000000000999")->name, "token-1000");
    tokens_unref(&t);
    strcat(text, U32);
    snprintf(message, sizeof message, "f:1001: expected at most %d tokens", 1000);
    refused(text, strlen(text), message);
    free(text);
}

static void test_kept_by_who_holds_it(void **state)
{
    (void)state;
    struct tokens *t = parse(T32 " name=a functions=b"), *held = tokens_ref(t);
    const struct token *token = find(t, T32);
    tokens_unref(&t);
    assert_string_equal(token->functions, "b");
    tokens_unref(&held);
}

static void test_file(void **state)
{
    (void)state;
    char path[] = "/tmp/poold-tokens-XXXXXX", message[128];
    struct error e = {""};
    bool exposed = true;
    int fd = mkstemp(path);
    assert_int_equal(write(fd, T32 "\n", 33), 33);
    struct tokens *t = tokens_load(path, &exposed, &e);
    assert_non_null(t);
    assert_false(exposed);
    tokens_unref(&t);
    fchmod(fd, 0604);
    t = tokens_load(path, &exposed, &e);
    assert_true(exposed);
    tokens_unref(&t);
    assert_int_equal(ftruncate(fd, TOKEN_FILE_MAX + 1), 0);
    assert_null(tokens_load(path, &exposed, &e));
    snprintf(message, sizeof message, "%s: expected a token file of at most 1048576 bytes", path);
    assert_string_equal(e.text, message);
    unlink(path);
    close(fd);
    assert_null(tokens_load(path, &exposed, &e));
    snprintf(message, sizeof message, "%s: No such file or directory", path);
    assert_string_equal(e.text, message);
    assert_null(tokens_load("/tmp", &exposed, &e));
    assert_string_equal(e.text, "/tmp: Is a directory");
    assert_int_equal(mkfifo(path, 0600), 0); /* that nobody writes to: it must not be waited for */
    assert_null(tokens_load(path, &exposed, &e));
    snprintf(message, sizeof message, "%s: expected a token of at least 32 bytes", path);
    assert_string_equal(e.text, message);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_word), cmocka_unit_test(test_lines),    cmocka_unit_test(test_functions),
        cmocka_unit_test(test_errors),   cmocka_unit_test(test_marks),    cmocka_unit_test(test_digest_of_a_short_text),
        cmocka_unit_test(test_lengths),  cmocka_unit_test(test_too_many), cmocka_unit_test(test_kept_by_who_holds_it),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
