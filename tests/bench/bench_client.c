/* bench_client PORT WORK N [OPTIONS]: does one measurement against a running poold and prints it as one line of JSON.
 *
 *   map N FUNCTION ORDER ints|objects|empty   one POST that streams its results back; from its start to the last line
 *   apply N [FUNCTION]                   N applies one after the other, keep-alive, ?wait=
 *   clients N THREADS                    N applies by each of THREADS clients at the same time
 *   upload N                             an open job: N items as NDJSON in one request while another reads results
 *   beside N                             applies while a map of N items runs
 *   spawn N AT_ONCE                      no poold: vfork and exec of /bin/true
 *
 * With BENCH_CA=cert.pem in the environment it asks over HTTPS. Every result is checked; exit status 1 when one is
 * wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_work.h"

static int usage(void)
{
    fprintf(stderr, "usage: bench_client PORT map|apply|clients|upload|beside|spawn N [OPTIONS]\n");
    return 2;
}

static enum bench_items items_named(const char *name)
{
    return strcmp(name, "objects") == 0 ? BENCH_OBJECTS : strcmp(name, "empty") == 0 ? BENCH_EMPTY : BENCH_INTS;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return usage();
    struct service service = {.port = (unsigned)atoi(argv[1]), .ca = getenv("BENCH_CA")};
    const char *work = argv[2];
    uint32_t n = (uint32_t)strtoul(argv[3], NULL, 10);
    curl_global_init(CURL_GLOBAL_ALL);
    if (strcmp(work, "map") == 0 && argc == 7)
        return bench_map(&service, n, argv[4], argv[5], items_named(argv[6]));
    if (strcmp(work, "apply") == 0)
        return bench_clients(&service, n, 1, argc == 5 ? argv[4] : "square");
    if (strcmp(work, "clients") == 0 && argc == 5)
        return bench_clients(&service, n, (unsigned)atoi(argv[4]), "square");
    if (strcmp(work, "spawn") == 0 && argc == 5)
        return bench_spawn(n, (unsigned)atoi(argv[4]));
    if (strcmp(work, "upload") == 0)
        return bench_upload(&service, n);
    if (strcmp(work, "beside") == 0)
        return bench_beside(&service, n);
    return usage();
}
