/* spelling: an example of a plugin. Suggests how a word is written, from a list of words that is read once in each
 * worker, and tells how far two words are apart. Words are UTF-8, distances are in characters. */
#include "poold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 64, SUGGESTIONS = 5, FAR = 3 };

struct word {
    const char *text;
    size_t length;
    uint32_t letters[WORD_MAX]; /* as Unicode has them */
    unsigned count;
};

static char *text; /* the whole list */
static struct word *words;
static size_t word_count;

/* ---- words ---- */

/* Good UTF-8 is what poold gives; a list that is not reads strangely, no worse. */
static int read_word(struct word *word, const char *from, size_t length)
{
    word->text = from;
    word->length = length;
    word->count = 0;
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)from[i];
        if ((c & 0xc0) == 0x80 && word->count > 0) {
            word->letters[word->count - 1] = word->letters[word->count - 1] << 6 | (c & 0x3f);
            continue;
        }
        if (word->count == WORD_MAX)
            return -1;
        word->letters[word->count++] = c < 0x80 ? c : c < 0xe0 ? c & 0x1f : c < 0xf0 ? c & 0x0f : c & 0x07;
    }
    return 0;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    const unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* How many letters to insert, delete or replace, or neighbours to swap. Gives up with `limit` once it cannot be less. */
static unsigned distance_of(const struct word *a, const struct word *b, unsigned limit)
{
    unsigned rows[3][WORD_MAX + 1]; /* of the table of all beginnings of a and b, the last three */
    for (unsigned j = 0; j <= b->count; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a->count; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *higher = rows[(i + 1) % 3];
        unsigned smallest = row[0] = i;
        for (unsigned j = 1; j <= b->count; j++) {
            row[j] = least(above[j - 1] + (a->letters[i - 1] != b->letters[j - 1]), above[j] + 1, row[j - 1] + 1);
            if (i > 1 && j > 1 && a->letters[i - 1] == b->letters[j - 2] && a->letters[i - 2] == b->letters[j - 1])
                row[j] = least(row[j], row[j], higher[j - 2] + 1);
            smallest = row[j] < smallest ? row[j] : smallest;
        }
        if (smallest >= limit + (i < a->count)) /* a swap may still save one */
            return limit;
    }
    return rows[a->count % 3][b->count] < limit ? rows[a->count % 3][b->count] : limit;
}

/* A word from the item. 0, or what the function should return. */
static int take(const struct poold_host *host, struct poold_call *call, const char *json, size_t length,
                struct word *word)
{
    size_t size;
    const char *given = host->text(call, json, length, &size);
    if (given == NULL)
        return host->expected(call, "a string, or an array of two strings for distance");
    return read_word(word, given, size) == 0 ? 0 : host->error(call, "a word of more than 64 letters");
}

/* ---- functions ---- */

/* "kitten", "sitting" → 3; called by a starmap with two arguments, or with one array of two. */
static int distance(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    struct word pair[2];
    const char *at = NULL;
    size_t size = 0;
    unsigned count = 0;
    while ((at = host->element(call, item, length, at, &size)) != NULL)
        if (count++ < 2 && take(host, call, at, size, &pair[count - 1]) == -1)
            return -1;
    if (count != 2)
        return host->error(call, "distance needs two words");
    return poold_integer(host, call, distance_of(&pair[0], &pair[1], WORD_MAX + 1));
}

struct suggestions {
    unsigned count;
    struct {
        const struct word *word;
        unsigned distance;
    } list[SUGGESTIONS]; /* nearest first; of those as near, the earlier in the list of words */
};

static void suggest(struct suggestions *best, const struct word *word, unsigned distance)
{
    unsigned at = best->count < SUGGESTIONS ? best->count++ : SUGGESTIONS - 1;
    for (; at > 0 && best->list[at - 1].distance > distance; at--)
        best->list[at] = best->list[at - 1];
    best->list[at].word = word;
    best->list[at].distance = distance;
}

/* The words of the list need no escapes: initialise has looked. */
static int give(const struct poold_host *host, struct poold_call *call, const struct suggestions *best)
{
    char json[SUGGESTIONS * (WORD_MAX * 4 + 3) + 3];
    size_t length = 0;
    json[length++] = '[';
    for (unsigned i = 0; i < best->count; i++)
        length += (size_t)snprintf(json + length, sizeof json - length, "%s\"%.*s\"", i > 0 ? "," : "",
                                   (int)best->list[i].word->length, best->list[i].word->text);
    json[length++] = ']';
    return host->value(call, json, length);
}

/* "recieve" → ["receive","relieve",…]; a word that is in the list comes first. */
static int nearest(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    struct suggestions best = {0};
    struct word word;
    if (take(host, call, item, length, &word) == -1)
        return -1;
    for (size_t i = 0; i < word_count; i++) {
        const unsigned limit = best.count < SUGGESTIONS ? FAR : best.list[SUGGESTIONS - 1].distance;
        const unsigned found = distance_of(&word, &words[i], limit);
        if (found < limit)
            suggest(&best, &words[i], found);
    }
    return give(host, call, &best);
}

/* ---- the list ---- */

/* All of a file with a NUL behind it; NULL with errno. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *all = NULL;
    size_t length = 0, got;
    if (file == NULL)
        return NULL;
    do {
        char *more = realloc(all, length + 65536 + 1);
        if (more == NULL) {
            free(all);
            fclose(file);
            return NULL;
        }
        all = more;
        got = fread(all + length, 1, 65536, file);
        length += got;
    } while (got > 0);
    all[length] = '\0';
    fclose(file);
    return all;
}

static int add(const char *from, size_t length)
{
    struct word *more = words;
    if (word_count % 1024 == 0)
        more = realloc(words, (word_count + 1024) * sizeof *words);
    if (more == NULL)
        return -1;
    words = more;
    if (length > 0 && memchr(from, '"', length) == NULL && memchr(from, '\\', length) == NULL &&
        read_word(&words[word_count], from, length) == 0)
        word_count++;
    return 0;
}

static int read_list(const char *path)
{
    text = read_file(path);
    for (char *at = text; at != NULL && *at != '\0';) {
        const size_t length = strcspn(at, "\r\n");
        if (add(at, length) == -1)
            return -1;
        at += length + strspn(at + length, "\r\n");
    }
    return text != NULL ? 0 : -1;
}

/* ["words.txt"]: a file with a word a line; a relative path begins at the manifest's `directory`. */
static int initialise(const struct poold_host *host, struct poold_call *call, const char *initargs, size_t length)
{
    size_t size = 0;
    char message[300];
    const char *first = host->element(call, initargs, length, NULL, &size);
    const char *path = first != NULL ? host->text(call, first, size, NULL) : NULL;
    if (path == NULL)
        return host->error(call, "initargs must be [\"path of a list of words\"]");
    if (read_list(path) == 0)
        return 0;
    snprintf(message, sizeof message, "%.200s: %s", path, strerror(errno));
    return host->error(call, message);
}

static void finalise(void)
{
    free(words);
    free(text);
    words = NULL;
    text = NULL;
    word_count = 0;
}

/* ---- what poold sees ---- */

static const struct poold_function functions[] = {
    POOLD_FUNCTION("nearest", nearest, "words of the list that look most like this one", "\"recieve\""),
    POOLD_STAR_FUNCTION("distance", distance, "letters to change from one word to the other", "[\"kitten\",\"sitting\"]"),
};
static const struct poold_plugin plugin = POOLD_PLUGIN(functions, initialise, finalise);

const struct poold_plugin *poold_plugin(void)
{
    return &plugin;
}
