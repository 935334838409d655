/* killloop_bin N SEED: N random kill -9 of workers, server, supervisor or all, under load; then the tally.
 *
 * Exit status 0 when every promise held, 1 when not (the log of what was sent and acknowledged is kept and named). The
 * seed fixes what is sent and what is killed when; how they meet is up to the machine. */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "killloop.h"
#include "support/procs.h"

enum target { KILL_WORKER, KILL_SERVER, KILL_SUPERVISOR, KILL_ALL, KILL_TARGETS };
static const char *const target_names[KILL_TARGETS] = {"worker", "server", "supervisor", "all"};

struct loop {
    struct service service;
    uint64_t random;
    unsigned kills[KILL_TARGETS], restarts;
    long long slowest_ms; /* from a restart to "listening" */
    struct load_client clients[LOAD_CLIENTS];
    pthread_t threads[LOAD_CLIENTS];
    atomic_bool stop;
    char dir[256];
    int log;
};

static enum target pick(uint64_t *random)
{
    unsigned n = (unsigned)(load_random(random) % 20);
    return n < 11 ? KILL_WORKER : n < 16 ? KILL_SERVER : n < 18 ? KILL_SUPERVISOR : KILL_ALL;
}

/* All at the same time: stopped first, so that none sees the others die. */
static void kill_tree(struct loop *l)
{
    struct process found[PROCS_MAX];
    int count = procs_find(l->service.mark, found, PROCS_MAX, false);
    for (int i = 0; i < count; i++)
        kill(found[i].pid, SIGSTOP);
    for (int i = 0; i < count; i++)
        kill(found[i].pid, SIGKILL);
}

static bool kill_one(struct loop *l, enum target target)
{
    const char *mark = l->service.mark;
    if (target == KILL_ALL) {
        kill_tree(l);
        return true;
    }
    enum role role = target == KILL_WORKER ? ROLE_WORKER : target == KILL_SERVER ? ROLE_SERVER : ROLE_SUPERVISOR;
    int count = procs_count(mark, role);
    if (count == 0)
        return false;
    pid_t pid = procs_role(mark, role, (int)(load_random(&l->random) % (unsigned)count));
    return pid != 0 && kill(pid, SIGKILL) == 0;
}

/* The supervisor never ends by itself: if it did, that is a failure; after our kill it is started again. */
static void restart_if_gone(struct loop *l, bool killed)
{
    for (long long end = now_ms() + 5000; killed && service_alive(&l->service) && now_ms() < end;)
        sleep_ms(1);
    if (service_alive(&l->service))
        return;
    if (!killed)
        service_give_up(&l->service, "the supervisor ended although nobody killed it");
    long long start = now_ms();
    for (int attempt = 0; !service_try_start(&l->service, 15000); attempt++)
        if (attempt == 3)
            service_give_up(&l->service, "poold does not start again");
    l->restarts++;
    if (now_ms() - start > l->slowest_ms)
        l->slowest_ms = now_ms() - start;
}

static void kill_many(struct loop *l, unsigned n)
{
    for (unsigned done = 0; done < n;) {
        /* Mostly in full work, sometimes while it is still getting up. */
        unsigned quick = load_random(&l->random) % 4 == 0;
        sleep_ms((int)(load_random(&l->random) % (quick ? 40 : 400)));
        enum target target = pick(&l->random);
        if (kill_one(l, target)) {
            l->kills[target]++;
            done++;
            if (done % 50 == 0)
                fprintf(stderr, "killloop: %u of %u kills\n", done, n);
            restart_if_gone(l, target >= KILL_SUPERVISOR);
        } else {
            restart_if_gone(l, false);
        }
    }
}

static void begin(struct loop *l, uint64_t seed)
{
    static const char *const args[] = {"--processes", "4", NULL};
    memset(l, 0, sizeof *l);
    l->random = seed;
    const char *tmp = getenv("TMPDIR");
    snprintf(l->dir, sizeof l->dir, "%.200s/poold-killloop-XXXXXX", tmp != NULL ? tmp : "/tmp");
    char log[280];
    if (mkdtemp(l->dir) == NULL)
        exit(2);
    snprintf(log, sizeof log, "%s/log", l->dir);
    l->log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    service_begin(&l->service, args);
    for (unsigned i = 0; i < LOAD_CLIENTS; i++) {
        l->clients[i] = (struct load_client){
            .service = &l->service, .number = i, .random = seed * 1000 + i, .log = l->log, .stop = &l->stop};
        l->clients[i].jobs = calloc(LOAD_JOBS_MAX, sizeof *l->clients[i].jobs);
        pthread_create(&l->threads[i], NULL, load_run, &l->clients[i]);
    }
}

static unsigned check_all(struct loop *l, struct check_tally *tally)
{
    unsigned wrong = 0;
    struct http h;
    http_open(&h, &l->service);
    for (unsigned i = 0; i < LOAD_CLIENTS; i++) {
        check_client(&l->clients[i], &h, tally);
        wrong += l->clients[i].wrong;
    }
    if (!wait_workers(&h, NULL, LOAD_WORKERS, 20000)) {
        fprintf(stderr, "WRONG: the pool has not its size back\n");
        wrong++;
    }
    http_close(&h);
    return wrong;
}

static unsigned check_end(struct loop *l)
{
    unsigned wrong = 0;
    int status = service_stop(&l->service, 30000);
    if (status != 0) {
        fprintf(stderr, "WRONG: after SIGTERM poold ended with %d\n", status);
        wrong++;
    }
    if (!procs_wait_none(l->service.mark, 5000)) {
        fprintf(stderr, "WRONG: processes are left\n");
        wrong++;
    }
    wrong += service_server_deaths(&l->service);
    if (!service_database_sound(&l->service)) {
        fprintf(stderr, "WRONG: the database is damaged\n");
        wrong++;
    }
    return wrong;
}

/* A worker's death costs the one item that it ran; a death of the service costs an item its life only at the third. */
static unsigned check_failures(const struct loop *l, const struct check_tally *t)
{
    unsigned service = l->kills[KILL_SERVER] + l->kills[KILL_SUPERVISOR] + l->kills[KILL_ALL];
    if (t->crashes <= l->kills[KILL_WORKER] && t->interrupted <= (uint64_t)service * LOAD_WORKERS / 3)
        return 0;
    fprintf(stderr, "WRONG: more failed items than the kills can explain: %" PRIu64 " crash, %" PRIu64 " interrupted\n",
            t->crashes, t->interrupted);
    return 1;
}

static void print_tally(const struct loop *l, const struct check_tally *t, unsigned wrong, uint64_t seed)
{
    uint32_t replays = 0, reads = 0, broken = 0;
    for (unsigned i = 0; i < LOAD_CLIENTS; i++) {
        replays += l->clients[i].replays;
        reads += l->clients[i].reads;
        broken += l->clients[i].broken;
    }
    printf("killloop: seed %" PRIu64 ": kills", seed);
    for (int i = 0; i < KILL_TARGETS; i++)
        printf(" %s %u", target_names[i], l->kills[i]);
    printf("; restarts %u (slowest %lld ms)\n", l->restarts, l->slowest_ms);
    printf("killloop: jobs %" PRIu32 " (map %" PRIu32 ", apply %" PRIu32 ", open %" PRIu32 ", ndjson %" PRIu32
           "), items %" PRIu64 ", of them crash %" PRIu64 ", interrupted %" PRIu64 "; reads %" PRIu32
           ", replays %" PRIu32 ", broken answers %" PRIu32 "\n",
           t->jobs, t->maps, t->applies, t->opens, t->ndjsons, t->items, t->crashes, t->interrupted, reads, replays,
           broken);
    printf("killloop: %s, %u wrong\n", wrong == 0 ? "PASSED" : "FAILED", wrong);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: killloop N SEED\n");
        return 2;
    }
    static struct loop l;
    unsigned n = (unsigned)strtoul(argv[1], NULL, 10);
    uint64_t seed = strtoull(argv[2], NULL, 10);
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_ALL);
    printf("killloop: seed %" PRIu64 "\n", seed);
    fflush(stdout);
    begin(&l, seed);
    kill_many(&l, n);
    restart_if_gone(&l, false);
    l.stop = true;
    for (unsigned i = 0; i < LOAD_CLIENTS; i++)
        pthread_join(l.threads[i], NULL);
    struct check_tally tally = {0};
    unsigned wrong = check_all(&l, &tally);
    wrong += check_failures(&l, &tally);
    wrong += check_end(&l);
    print_tally(&l, &tally, wrong, seed);
    if (wrong > 0) {
        fprintf(stderr, "killloop: kept %s (what was sent and acknowledged) and %s\n", l.dir, l.service.dir);
        procs_kill_all(l.service.mark, 0);
        return 1;
    }
    service_discard(&l.service);
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", l.dir);
    return system(command) == 0 ? 0 : 1;
}
