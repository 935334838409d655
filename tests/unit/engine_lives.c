/* engine_lives: random lives of the core. Jobs of all sorts, followers, cancels, kills of workers and of the whole
 * service, full disks, reloads, functions that do not start – and what must hold after each.
 *
 *     engine_test lives SEED COUNT     runs these seeds only */
#include "engine_sim.h"

#include "engine/lines.h"

struct life_job {
    int64_t seq; /* 0 = not accepted (yet) */
    struct sim_ask *submit;
    unsigned char kinds[SIM_ITEMS];
    uint32_t items; /* acknowledged */
    struct job_options options;
    const char *function;
    bool accepted, cancelled, may_be_more, uploading, unknown;
    struct sim_ask *append;
    uint32_t append_items;
    bool append_last;
    struct life_follower {
        bool input_order, slow;
        struct sim_ask *ask;
        uint32_t from;
        int64_t next; /* not before */
        bool ended;
        unsigned char seen[SIM_ITEMS];
    } followers[2];
};

static struct {
    struct sim sim;
    struct life_job jobs[SIM_JOBS];
    unsigned job_count;
    unsigned kills, restarts;
    bool hangs, reloads;
    struct sim_load load; /* of p */
} life;

#define SIM (&life.sim)

static uint32_t random_below(uint32_t n)
{
    return sim_random(SIM, n);
}

static bool one_in(uint32_t n)
{
    return random_below(n) == 0;
}

/* ---- functions: e, at most two at once; p with x and y ---- */

static void reload(bool all)
{
    static const char *const e[] = {"{\"name\":\"e\",\"command\":[\"a\"],\"concurrency\":2}",
                                    "{\"name\":\"e\",\"command\":[\"b\"],\"concurrency\":2}"};
    static const char *const p[] = {
        "{\"name\":\"p\",\"runtime\":\"python\",\"module\":\"p\",\"start_timeout\":1}",
        "{\"name\":\"p\",\"runtime\":\"python\",\"module\":\"p\",\"start_timeout\":1,\"concurrency\":1}",
        "{\"name\":\"p\",\"plugin\":\"/tmp/p.so\",\"start_timeout\":1}"};
    const char *list[2];
    unsigned count = 0;
    if (all || !one_in(4))
        list[count++] = e[random_below(2)];
    if (all || !one_in(4))
        list[count++] = p[random_below(3)];
    sim_functions(SIM, list, count);
}

static void load_somehow(bool fine)
{
    life.load = (struct sim_load){"p", LOAD_FINE, "[\"x\",\"y\",\"p\"]", (int)random_below(100)};
    if (fine || one_in(2))
        return;
    life.load.how = 1 + random_below(3);
    if (one_in(3)) {
        life.load.how = LOAD_FINE;
        life.load.offers = one_in(2) ? "[\"y\"]" : "[]";
    }
}

static const char *random_function(void)
{
    static const char *const names[] = {"f", "f", "f", "e", "p.x", "p.y", "p"};
    return names[random_below(life.reloads ? 7 : 1)];
}

static void check_functions(void)
{
    unsigned busy = 0;
    for (unsigned slot = 0; slot < SIM_SLOTS; slot++)
        busy += SIM->workers[slot].state == SIM_BUSY && strcmp(SIM->workers[slot].run.function, "e") == 0;
    assert_true(busy <= 2);
}

/* ---- jobs ---- */

static struct engine_chunk *random_items(struct life_job *job, uint32_t first, uint32_t count, unsigned trouble)
{
    static char texts[SIM_ITEMS][16];
    static const char *items[SIM_ITEMS];
    for (uint32_t i = 0; i < count; i++) {
        int kind = random_below(100) < trouble ? (int)random_below(ITEM_KINDS) : ITEM_OK;
        if (kind == ITEM_HANG && (!life.hangs || job->function[0] != 'f')) /* others have the long backstop */
            kind = ITEM_OK;
        job->kinds[first + i] = (unsigned char)kind;
        snprintf(texts[i], sizeof texts[i], "[%d,%u]", kind, one_in(3) ? random_below(20) : 0);
        items[i] = texts[i];
    }
    return sim_items(first, count, 1 + random_below(60), items, 0);
}

static struct job_options random_options(void)
{
    struct job_options o = job_options_default();
    static const uint32_t sizes[] = {0, 0, 0, 1, 7, 50};
    o.chunksize = sizes[random_below(6)];
    o.processes = one_in(4) ? 1 + random_below(3) : 0;
    o.timeout_ms = life.hangs || one_in(4) ? 150 + random_below(200) : 0;
    o.max_attempts = 1 + random_below(3);
    o.backoff_ms = 10 + random_below(200);
    o.priority = random_below(10);
    o.isolation = one_in(8) ? ISOLATION_PROCESS : ISOLATION_POOL;
    o.fail_fast = one_in(8);
    o.delay_ms = one_in(8) ? random_below(300) : 0;
    o.open = one_in(5);
    return o;
}

static void submit_one(void)
{
    struct life_job *job = &life.jobs[life.job_count++];
    memset(job, 0, sizeof *job);
    job->function = random_function();
    bool apply = one_in(3);
    uint32_t count = apply ? 1 : random_below(one_in(5) ? 600 : 40);
    struct job_options options = random_options();
    if (apply)
        options.open = false;
    if (options.isolation == ISOLATION_PROCESS && count > 20)
        count = 20;
    struct sim_ask *ask =
        sim_submission(SIM, random_items(job, 0, count, one_in(2) ? 10 : 0), apply ? JOB_APPLY : JOB_MAP);
    ask->r.submit.options = job->options = options;
    strcpy(ask->r.submit.function, job->function);
    ask->r.submit.uploading = !apply && !options.open && one_in(5);
    ask->r.submit.wait = one_in(2);
    ask->r.deadline_ns = SIM->now + random_below(2000) * NS_PER_MS;
    if (one_in(3))
        snprintf(ask->r.submit.key, sizeof ask->r.submit.key, "key%u", life.job_count);
    job->items = count;
    job->submit = ask;
    job->uploading = ask->r.submit.uploading;
    job->may_be_more = options.open || job->uploading;
    job->followers[1].input_order = true;
    for (int i = 0; i < 2; i++)
        job->followers[i].slow = one_in(3);
    sim_send(ask);
}

static void submit_step(struct life_job *job)
{
    struct sim_ask *ask = job->submit;
    if (!ask)
        return;
    if (ask->broken) {
        job->unknown = true; /* it may be there or not; nobody was told its id */
        job->submit = NULL;
    } else if (ask->back) {
        job->submit = NULL;
        job->accepted = ask->r.status == ENGINE_OK || ask->r.status == ENGINE_TIMEOUT;
        job->seq = job->accepted ? ask->r.seq : 0;
        bool no_function = ask->r.status == ENGINE_NO_FUNCTION && job->function[0] != 'f';
        if (!job->accepted && ask->r.status != ENGINE_STORE_FULL && !no_function)
            fail_msg("submission: status %d", ask->r.status);
        if (job->accepted) {
            struct job_view view = sim_stored(SIM, job->seq); /* a 2xx is committed */
            assert_true(view.counts.total >= job->items);
        }
        if (ask->r.submit.line)
            assert_true(ask->r.view.state == JOB_SUCCEEDED || ask->r.view.state == JOB_FAILED);
    }
}

static void append_answered(struct life_job *job)
{
    struct sim_ask *ask = job->append;
    job->append = NULL;
    if (getenv("LIVES_VERBOSE"))
        fprintf(stderr, "%lld ms: append to job %lld of %u items, last %d: status %d broken %d\n",
                (long long)(SIM->now / NS_PER_MS), (long long)job->seq, job->append_items, job->append_last,
                (int)ask->r.status, ask->broken);
    /* The items may be stored and only the end that came with them not: 507 is a 5xx too. */
    job->unknown |= ask->broken || (ask->r.status == ENGINE_STORE_FULL && job->append_last);
    if (ask->broken || ask->r.status != ENGINE_OK) /* a refusal may be forgotten by a restart: ask again */
        return;
    job->items += job->append_items;
    assert_true(sim_stored(SIM, job->seq).counts.total >= job->items);
    if (job->append_last)
        job->may_be_more = false;
}

static void append_step(struct life_job *job)
{
    if (job->append && (job->append->back || job->append->broken))
        append_answered(job);
    if (job->append || !job->seq || !job->may_be_more || !one_in(40))
        return;
    if (job_state_ended(sim_stored(SIM, job->seq).state)) {
        job->may_be_more = false;
        return;
    }
    uint32_t room = SIM_ITEMS - 100 - job->items, count = random_below(50);
    /* After a broken append the server may have more items than were acknowledged: count what is stored. */
    uint32_t stored = (uint32_t)sim_stored(SIM, job->seq).counts.total;
    if (stored > job->items) {
        for (uint32_t i = job->items; i < stored; i++)
            job->kinds[i] = ITEM_KINDS;
        job->items = stored;
    }
    job->append_items = count < room ? count : 0;
    job->append_last = one_in(4) || room < 200;
    job->append = sim_ask(SIM, ASK_APPEND, job->seq);
    job->append->r.append.uploading = job->uploading;
    job->append->r.append.last = job->append_last;
    if (job->append_items)
        job->append->r.append.chunks = random_items(job, job->items, job->append_items, 3);
    sim_send(job->append);
}

/* ---- followers ---- */

static void see_batch(struct life_job *job, struct life_follower *f, const struct store_batch *batch)
{
    uint32_t start = f->input_order ? batch->first : batch->position;
    assert_true(f->from - start < batch->count); /* the first holds `from`, the others follow */
    struct store_batch stored;
    unsigned count;
    store_read_results(SIM->reader, job->seq, false, batch->position, 1, &stored, 1, &count);
    assert_int_equal(count, 1); /* committed before it is shown */
    assert_true(stored.position == batch->position && stored.first == batch->first && stored.count == batch->count &&
                stored.failed == batch->failed);
    assert_int_equal(stored.lines != NULL, batch->lines != NULL);
    if (stored.lines) {
        assert_int_equal(stored.lines->length, batch->lines->length);
        assert_memory_equal(stored.lines->data, batch->lines->data, stored.lines->length);
    }
    blob_unref(&stored.lines);
    for (uint32_t n = f->from; n < start + batch->count; n++)
        f->seen[batch->first + (n - start)]++;
    f->from = start + batch->count;
}

/* What an HTTP stream does when the engine sends it to the store. */
static bool read_store(struct life_job *job, struct life_follower *f)
{
    struct store_batch batches[8];
    unsigned count;
    store_read_results(SIM->reader, job->seq, f->input_order, f->from, 10000, batches, 8, &count);
    for (unsigned i = 0; i < count; i++) {
        see_batch(job, f, &batches[i]);
        blob_unref(&batches[i].lines);
    }
    return count > 0;
}

static void follower_answered(struct life_job *job, struct life_follower *f)
{
    struct engine_request *r = &f->ask->r;
    struct sim_ask *ask = f->ask;
    f->ask = NULL;
    if (ask->broken && ask->r.status == ENGINE_SHUTDOWN)
        return;
    if (r->status == ENGINE_NOT_LIVE) {
        assert_true(job_state_ended(sim_stored(SIM, job->seq).state)); /* not live: its end is committed */
        while (read_store(job, f))
            ;
        f->ended = true;
        return;
    }
    for (unsigned i = 0; i < r->results.count; i++) {
        see_batch(job, f, &r->results.batches[i]);
        blob_unref(&r->results.batches[i].lines);
    }
    if (r->results.in_store)
        assert_true(read_store(job, f));
    if (r->status == ENGINE_OK)
        assert_true(r->results.count || r->results.in_store || r->results.ended);
    else
        assert_int_equal(r->status, ENGINE_TIMEOUT);
    r->results.count = 0;
    f->ended = r->results.ended;
    f->next = f->slow ? SIM->now + random_below(300) * NS_PER_MS : 0;
}

static void follower_step(struct life_job *job, struct life_follower *f)
{
    if (f->ask && (f->ask->back || f->ask->broken))
        follower_answered(job, f);
    if (f->ask || f->ended || !job->seq || SIM->now < f->next)
        return;
    f->ask = sim_ask(SIM, ASK_RESULTS, job->seq);
    f->ask->r.results.input_order = f->input_order;
    f->ask->r.results.from = f->from;
    f->ask->r.deadline_ns = one_in(5) ? 0 : SIM->now + random_below(500) * NS_PER_MS;
    sim_send(f->ask);
}

/* ---- what goes wrong ---- */

static void calamity(void)
{
    struct life_job *job = &life.jobs[random_below(life.job_count ? life.job_count : 1)];
    switch (random_below(life.reloads ? 8 : 6)) {
    case 0:
        sim_kill_worker(SIM, random_below(SIM_SLOTS));
        life.kills++;
        break;
    case 1:
        if (life.job_count && job->seq && one_in(2)) {
            job->cancelled = true;
            sim_send(sim_ask(SIM, ASK_CANCEL, job->seq));
        }
        break;
    case 2: {
        struct sim_ask *resize = sim_ask(SIM, ASK_RESIZE, 0);
        resize->r.resize.processes = 1 + random_below(4);
        SIM->config.processes = resize->r.resize.processes;
        sim_send(resize);
        break;
    }
    case 3:
        if (one_in(3))
            store_fail_commit(SIM->store, 1 + random_below(3), STORE_FULL);
        break;
    case 4:
        if (one_in(3)) {
            sim_restart(SIM);
            life.restarts++;
        }
        break;
    case 6:
        reload(false);
        break;
    case 7:
        load_somehow(false);
        break;
    default:
        sim_send(sim_ask(SIM, one_in(2) ? ASK_POOL : ASK_JOB, life.job_count ? job->seq : 1));
    }
}

/* ---- after it ---- */

static void check_item(const struct life_job *job, uint32_t index, bool ended_early)
{
    char *line = sim_line(SIM, job->seq, index);
    int kind = job->kinds[index];
    bool worked = strstr(line, "\"value\":") != NULL, was_cancelled = line[0] == '\0';
    bool calm = !SIM->chaos && !life.kills && !life.restarts && job->function[0] == 'f';
    unsigned counted = sim_attempts(SIM, job->seq, index, FAILURE_NONE);
    if (getenv("LIVES_VERBOSE"))
        fprintf(stderr, "job %lld item %u kind %d attempts %u of %u: %s\n", (long long)job->seq, index, kind, counted,
                job->options.max_attempts, line);
    if (was_cancelled)
        assert_true(ended_early);
    else if (calm && kind == ITEM_OK)
        assert_true(worked);
    else if (kind == ITEM_ERROR || kind == ITEM_CRASH || kind == ITEM_HANG || kind == ITEM_GARBAGE ||
             kind == ITEM_WRONG_INDEX)
        assert_false(worked);
    assert_true(counted <= job->options.max_attempts);
    if (!worked && !was_cancelled && !strstr(line, "interrupted") && !ended_early)
        assert_int_equal(counted, job->options.max_attempts);
    if (strstr(line, "interrupted"))
        assert_int_equal(sim_attempts(SIM, job->seq, index, FAILURE_INTERRUPTED), INTERRUPTED_MAX);
    free(line);
}

static void check_job(const struct life_job *job)
{
    struct job_view view = sim_stored(SIM, job->seq);
    bool early = job->cancelled || view.reason[0];
    sim_check_results(SIM, job->seq);
    assert_true(view.counts.total >= job->items);
    if (!job->unknown && !early)
        assert_int_equal(view.counts.total, job->items);
    for (uint32_t i = 0; i < job->items; i++)
        check_item(job, i, early);
    for (int f = 0; f < 2; f++) {
        for (int64_t i = 0; i < view.counts.total; i++)
            assert_int_equal(job->followers[f].seen[i], 1);
    }
}

static bool finished(void)
{
    for (unsigned i = 0; i < life.job_count; i++) {
        const struct life_job *job = &life.jobs[i];
        if (job->submit || job->append)
            return false;
        if (job->seq &&
            (!job_state_ended(sim_stored(SIM, job->seq).state) || !job->followers[0].ended || !job->followers[1].ended))
            return false;
    }
    return SIM->outstanding == 0;
}

static void tell_unfinished(void)
{
    for (unsigned i = 0; i < life.job_count; i++) {
        const struct life_job *job = &life.jobs[i];
        fprintf(stderr, "job %lld: submit %d append %d followers %d %d, more %d\n", (long long)job->seq,
                job->submit != NULL, job->append != NULL, job->followers[0].ended, job->followers[1].ended,
                job->may_be_more);
    }
    for (struct job *job = SIM->core.jobs; job; job = job->hh.next)
        fprintf(
            stderr,
            "core job %lld of %s: gate %d queue %d starved %d, state %d ready %llu waiting %u workers %u spawning %u "
            "positions %lld of %lld\n",
            (long long)job->view.seq, job->view.function, (int)function_gate(job->function, job),
            job->queue == &job->function->gate ? 2 : job->queue != NULL, job->starved, (int)job->view.state,
            (unsigned long long)job->ready.total, job->waiting, job->workers, job->spawning,
            (long long)job->view.positions, (long long)job->view.counts.total);
    fail_msg("not finished: %u requests are out", SIM->outstanding);
}

static void live(uint64_t seed)
{
    memset(&life, 0, offsetof(__typeof__(life), jobs));
    life.job_count = life.kills = life.restarts = 0;
    sim_open(SIM, seed, 1 + (unsigned)(seed % 4));
    SIM->chaos = one_in(2) ? 0 : random_below(20);
    SIM->commit_ms = one_in(4) ? 0 : random_below(12);
    life.hangs = one_in(3);
    life.reloads = one_in(2);
    SIM->function_loads = &life.load;
    SIM->function_load_count = 1;
    load_somehow(!life.reloads);
    if (life.reloads)
        reload(false);
    unsigned jobs = 1 + random_below(8), calm = one_in(3);
    while (!SIM->core.builtins)
        sim_step(SIM);
    for (int ms = 0; ms < 60000; ms++) {
        if (life.job_count < jobs && SIM->core.builtins && !SIM->core.storage_full && one_in(20))
            submit_one();
        if (!calm && ms < 3000 && one_in(60))
            calamity();
        if (ms == 3000) /* no more troubles: all must end now */
            SIM->chaos = SIM->chaos ? 1 : 0;
        if (ms == 3000 && life.reloads) {
            load_somehow(true);
            sim_functions(SIM, NULL, 0); /* or what has not changed stays as it is */
            reload(true);
        }
        for (unsigned i = 0; i < life.job_count; i++) {
            struct life_job *job = &life.jobs[i];
            submit_step(job);
            append_step(job);
            follower_step(job, &job->followers[0]);
            follower_step(job, &job->followers[1]);
        }
        sim_step(SIM);
        check_functions();
        if (life.job_count == jobs && finished())
            break;
    }
    if (life.job_count < jobs || !finished())
        tell_unfinished();
    for (unsigned i = 0; i < life.job_count; i++) {
        if (life.jobs[i].seq)
            check_job(&life.jobs[i]);
    }
    sim_run(SIM, 3200); /* ended jobs are let go */
    for (struct function *function = SIM->core.functions; function; function = function->hh.next)
        assert_true(function->jobs || (!function->running && !function->admitted && queue_empty(&function->gate)));
    for (struct job *job = SIM->core.jobs; job; job = job->hh.next)
        assert_true(!job->ended || job->pins || SIM->now - job->ended_ns < 4 * NS_PER_S);
    sim_close(SIM);
}

static uint64_t first_seed = 1, seeds = 300;

void random_lives(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
        if (getenv("LIVES_VERBOSE"))
            fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        live(seed);
    }
}

void lives_seeds(uint64_t first, uint64_t count)
{
    first_seed = first;
    seeds = count;
}
