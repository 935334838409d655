/* Runs a fuzz target without libFuzzer: replay SECONDS (FILE | FOLDER)…
 *
 * Every file as it is, then simple mutations of them for so many seconds, always the same ones. An input that kills
 * the target is left in ./crash-PID. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "fuzz.h"

enum { SEEDS_MAX = 1024, INPUT_MAX = 64 * 1024 };

struct seed {
    uint8_t *bytes;
    size_t length;
};

static struct seed seeds[SEEDS_MAX];
static size_t seeds_count;
static uint8_t input[INPUT_MAX]; /* static, so that keep_input finds them */
static size_t input_length;
static char crash_path[64];

/* --- the corpus ------------------------------------------------------------------------------------------------- */

static void load_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct seed seed = {.bytes = malloc(INPUT_MAX)};
    CHECK(file && seed.bytes, "cannot read %s", path);
    CHECK(seeds_count < SEEDS_MAX, "too many files");
    seed.length = fread(seed.bytes, 1, INPUT_MAX, file);
    fclose(file);
    seeds[seeds_count++] = seed;
}

static int by_name(const struct dirent **one, const struct dirent **other)
{
    return strcmp((*one)->d_name, (*other)->d_name); /* not the locale's order: runs must be repeatable */
}

static void load(const char *path)
{
    struct stat status;
    struct dirent **names;
    CHECK(!stat(path, &status), "no such file: %s", path);
    if (!S_ISDIR(status.st_mode)) {
        load_file(path);
        return;
    }
    int count = scandir(path, &names, NULL, by_name);
    CHECK(count >= 0, "cannot list %s", path);
    for (int i = 0; i < count; i++) {
        char inner[4096];
        snprintf(inner, sizeof inner, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            load(inner);
        free(names[i]);
    }
    free(names);
}

/* --- mutations -------------------------------------------------------------------------------------------------- */

static uint64_t state = 1;

static size_t below(size_t limit) /* splitmix64 */
{
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return limit ? (z ^ (z >> 31)) % limit : 0;
}

static uint8_t any_byte(void)
{
    static const char marks[] = "\"\\{}[]:,0019-+.eE \n\r\t%&=/\x01\x1f\x7f\x80\xbf\xc2\xe0\xed\xf0\xf4\xff";
    return below(2) ? (uint8_t)marks[below(sizeof marks)] : (uint8_t)below(256);
}

static void insert(size_t at, const uint8_t *bytes, size_t count)
{
    if (input_length + count > INPUT_MAX)
        return;
    memmove(input + at + count, input + at, input_length - at);
    memcpy(input + at, bytes, count);
    input_length += count;
}

static void graft(size_t at)
{
    const struct seed *other = &seeds[below(seeds_count)];
    size_t from = below(other->length), count = below(other->length - from + 1);
    insert(at, other->bytes + from, count);
}

static void cut(size_t at, size_t count)
{
    if (count > input_length - at)
        count = input_length - at;
    memmove(input + at, input + at + count, input_length - at - count);
    input_length -= count;
}

static void mutate(void)
{
    size_t at = below(input_length);
    uint8_t byte = any_byte();
    switch (below(input_length ? 6 : 2)) {
    case 0:
        insert(at, &byte, 1);
        break;
    case 1:
        graft(at);
        break;
    case 2:
        input[at] = byte;
        break;
    case 3:
        input[at] = (uint8_t)(input[at] ^ 1u << below(8));
        break;
    case 4:
        cut(at, 1 + below(8));
        break;
    default:
        input_length = below(16) ? input_length : at;
    }
}

static void next_input(void)
{
    const struct seed *seed = &seeds[below(seeds_count)];
    memcpy(input, seed->bytes, seed->length);
    input_length = seed->length;
    for (size_t steps = 1 + below(6); steps--;)
        mutate();
}

/* --- running ---------------------------------------------------------------------------------------------------- */

static void keep_input(int signal_number)
{
    int fd = open(crash_path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    if (fd >= 0 && write(fd, input, input_length) == (ssize_t)input_length)
        (void)!write(STDERR_FILENO, crash_path, strlen(crash_path));
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void replay_seeds(void)
{
    for (size_t i = 0; i < seeds_count; i++) {
        memcpy(input, seeds[i].bytes, input_length = seeds[i].length);
        LLVMFuzzerTestOneInput(input, input_length);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s SECONDS (FILE | FOLDER)...\n", argv[0]);
        return 2;
    }
    snprintf(crash_path, sizeof crash_path, "crash-%d", (int)getpid());
    signal(SIGABRT, keep_input);
    for (int i = 2; i < argc; i++)
        load(argv[i]);
    CHECK(seeds_count, "no files to begin with");

    unsigned long runs = 0;
    replay_seeds();
    for (double stop = now() + strtod(argv[1], NULL); now() < stop; runs++) {
        next_input();
        LLVMFuzzerTestOneInput(input, input_length);
    }
    printf("%zu files and %lu mutations\n", seeds_count, runs);
    for (size_t i = 0; i < seeds_count; i++)
        free(seeds[i].bytes);
    return 0;
}
