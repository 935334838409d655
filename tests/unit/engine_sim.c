/* engine_sim: see engine_sim.h. */
#include "engine_sim.h"

#include <sys/mman.h>

#include "base/check.h"
#include "base/log.h"

static const char functions[] = "[{\"name\":\"f\"},{\"name\":\"g\"}]";

uint32_t sim_random(struct sim *sim, uint32_t below)
{
    sim->random = sim->random * 6364136223846793005u + 1442695040888963407u;
    return below ? (uint32_t)(sim->random >> 33) % below : 0;
}

static bool chaos(struct sim *sim)
{
    return sim->chaos && sim_random(sim, 1000) < sim->chaos;
}

/* ---- ports ---- */

static int64_t port_now(void *context)
{
    return ((struct sim *)context)->now;
}

static int64_t port_wall(void *context)
{
    return INT64_C(1700000000000) + ((struct sim *)context)->now / NS_PER_MS;
}

static struct sim_worker *worker_of(struct sim *sim, unsigned slot, unsigned generation)
{
    assert_true(slot < SIM_SLOTS);
    return sim->workers[slot].generation == generation ? &sim->workers[slot] : NULL;
}

static void port_run(void *context, unsigned slot, unsigned generation, const struct message_run *run,
                     const char *items, size_t length)
{
    struct sim *sim = context;
    struct sim_worker *worker = worker_of(sim, slot, generation);
    assert_non_null(worker);
    if (worker->state == SIM_DYING)
        return;
    assert_int_equal(worker->state, SIM_IDLE);
    assert_true(length > 0 && items[length - 1] == '\n');
    assert_true(run->definition == 0 || worker->defined[run->definition % SIM_DEFINITIONS]);
    worker->state = SIM_BUSY;
    worker->run = *run;
    worker->items = malloc(length + 1);
    memcpy(worker->items, items, length);
    worker->items[length] = '\0';
    worker->next_item = worker->items;
    worker->in_item = false;
    worker->at = sim->now + (sim->begin_ms ? sim->begin_ms : sim_random(sim, 2)) * NS_PER_MS;
    uint32_t lines = 0;
    for (size_t i = 0; i < length; i++)
        lines += items[i] == '\n';
    assert_int_equal(lines, run->count);
}

static void port_define(void *context, unsigned slot, unsigned generation, uint32_t definition, const char *text)
{
    struct sim_worker *worker = worker_of(context, slot, generation);
    assert_non_null(worker);
    assert_true(definition && text[0] == '{');
    assert_false(worker->defined[definition % SIM_DEFINITIONS]); /* once */
    worker->defined[definition % SIM_DEFINITIONS] = true;
}

static const struct sim_load *load_of(const struct sim *sim, const char *name)
{
    static const struct sim_load fine = {"", LOAD_FINE, "[\"x\",\"y\"]", 2};
    for (unsigned i = 0; i < sim->function_load_count; i++) {
        if (strcmp(sim->function_loads[i].name, name) == 0)
            return &sim->function_loads[i];
    }
    return &fine;
}

static void port_probe(void *context, unsigned slot, unsigned generation, uint32_t definition)
{
    struct sim *sim = context;
    struct sim_worker *worker = worker_of(sim, slot, generation);
    struct scoreboard_slot *board = scoreboard_slot(&sim->board, slot);
    assert_non_null(worker);
    assert_true(worker->defined[definition % SIM_DEFINITIONS]);
    sim->probes++;
    if (worker->state == SIM_DYING)
        return;
    assert_int_equal(worker->state, SIM_IDLE);
    worker->state = SIM_PROBING;
    worker->probe = definition;
    worker->load = load_of(sim, definition_numbered(&sim->core, definition)->manifest->name);
    worker->at = sim->now + worker->load->ms * NS_PER_MS;
    atomic_store(&board->generation, generation);
    atomic_store(&board->loading, definition);
}

static void port_answer(void *context, unsigned slot, unsigned generation, const struct message_answer *answer,
                        const char *text, size_t length)
{
    struct sim *sim = context;
    struct sim_worker *worker = worker_of(sim, slot, generation);
    assert_non_null(worker);
    assert_true(answer->run == worker->run.run);
    if (sim->answer_count == sim->answer_capacity) {
        sim->answer_capacity = sim->answer_capacity ? sim->answer_capacity * 2 : 64;
        sim->answers = realloc(sim->answers, sim->answer_capacity * sizeof *sim->answers);
    }
    assert_string_equal(sim_answer(sim, answer->call), ""); /* once */
    sim->answers[sim->answer_count++] = (struct sim_answer){*answer, slot, strndup(text, length)};
}

static bool port_left(void *context, unsigned slot, unsigned generation)
{
    const struct sim_worker *worker = worker_of(context, slot, generation);
    return !worker || worker->state == SIM_DYING || worker->state == SIM_ABSENT;
}

static void die(struct sim *sim, struct sim_worker *worker, unsigned signal, unsigned exit_code, int64_t after_ms)
{
    int64_t at = sim->now + after_ms * NS_PER_MS;
    if (worker->state == SIM_ABSENT || (worker->state == SIM_DYING && worker->at <= at))
        return;
    worker->state = SIM_DYING;
    worker->gone = (struct message_worker_gone){.signal = signal, .exit_code = exit_code};
    worker->at = at;
}

static void port_stop(void *context, unsigned slot, unsigned generation, enum stop_cause cause, unsigned grace_ms)
{
    struct sim *sim = context;
    struct sim_worker *worker = worker_of(sim, slot, generation);
    (void)cause;
    if (!worker)
        return;
    if (worker->in_item && worker->kind == ITEM_HANG && worker->state == SIM_BUSY) {
        worker->stop = true; /* it ignores SIGTERM */
        worker->at = sim->now + grace_ms * NS_PER_MS;
    } else {
        die(sim, worker, 15, 0, sim_random(sim, 3));
    }
}

static void port_release(void *context, unsigned slot, unsigned generation)
{
    struct sim *sim = context;
    struct sim_worker *worker = worker_of(sim, slot, generation);
    sim->released++;
    if (worker)
        die(sim, worker, 0, 0, 1);
}

static void port_ready(void *context, unsigned slot, unsigned generation, unsigned pid)
{
    (void)context, (void)slot, (void)generation, (void)pid;
}

static void start_worker(struct sim *sim, unsigned slot, bool extra, uint64_t request)
{
    struct sim_worker *worker = &sim->workers[slot];
    struct workbench *bench = worker->bench;
    if (!bench) {
        bench = mmap(NULL, sizeof *bench, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(bench != MAP_FAILED);
    }
    memset(bench, 0, offsetof(struct workbench, data));
    *worker = (struct sim_worker){.bench = bench,
                                  .generation = ++sim->next_generation,
                                  .state = SIM_STARTING,
                                  .at = sim->now + (1 + sim_random(sim, 5)) * NS_PER_MS,
                                  .extra = extra,
                                  .request = request};
    struct message_worker_new new = {.pid = 1000 + worker->generation, .extra = extra, .request = request};
    core_worker_new(&sim->core, slot, &new, worker->generation, bench, scoreboard_slot(&sim->board, slot));
}

static void port_spawn_extra(void *context, uint64_t request)
{
    struct sim *sim = context;
    unsigned slot = SIM_SLOTS;
    if (sim->muted)
        return;
    while (slot > 0 && sim->workers[slot - 1].state != SIM_ABSENT)
        slot--;
    assert_true(slot > sim->pool);
    sim->spawned++;
    start_worker(sim, slot - 1, true, request);
}

static void port_resize(void *context, unsigned processes)
{
    ((struct sim *)context)->pool = processes;
}

static void port_write(void *context, struct store_write *write)
{
    struct sim *sim = context;
    assert_true(write->first != NULL);
    write->mail.next = NULL;
    *sim->writes_last = write;
    sim->writes_last = (struct store_write **)&write->mail.next;
    if (!sim->store_at)
        sim->store_at = sim->now + (sim->commit_ms ? sim_random(sim, sim->commit_ms + 1) : 0) * NS_PER_MS;
}

static void port_load(void *context, struct store_load *load)
{
    struct sim *sim = context;
    load->mail.next = (struct mail *)sim->loads;
    sim->loads = load;
    sim->load_count++;
}

static void port_reap(void *context, struct store_reap *reap)
{
    ((struct sim *)context)->reap = reap;
}

static void port_storage_failed(void *context)
{
    ((struct sim *)context)->storage_failed = true;
}

/* ---- the store ---- */

static struct sim *the_sim; /* store callbacks carry no context */

static void done_write(struct store_write *write)
{
    struct store_write **tail = &the_sim->written;
    while (*tail)
        tail = (struct store_write **)&(*tail)->mail.next;
    write->mail.next = NULL;
    *tail = write;
}

static struct store_load *loaded;
static void done_load(struct store_load *load)
{
    load->mail.next = (struct mail *)loaded;
    loaded = load;
}

static void done_reap(struct store_reap *reap)
{
    (void)reap;
}

static void commit(struct sim *sim)
{
    the_sim = sim;
    for (struct store_write *write = sim->writes, *next; write; write = next) {
        next = (struct store_write *)write->mail.next;
        write->done = done_write;
        store_put_write(sim->store, write);
    }
    sim->writes = NULL;
    sim->writes_last = &sim->writes;
    sim->store_at = 0;
    store_turn(sim->store);
}

static void give_written(struct sim *sim)
{
    while (sim->written) {
        struct store_write *write = sim->written;
        sim->written = (struct store_write *)write->mail.next;
        core_written(&sim->core, write);
    }
}

static void give_loads(struct sim *sim)
{
    for (struct store_load *load = sim->loads, *next; load; load = next) {
        next = (struct store_load *)load->mail.next;
        load->done = done_load;
        store_put_load(sim->store, load);
    }
    sim->loads = NULL;
    if (sim->reap) {
        sim->reap->done = done_reap;
        store_put_reap(sim->store, sim->reap);
    }
    the_sim = sim;
    store_turn(sim->store);
    while (loaded) {
        struct store_load *load = loaded;
        loaded = (struct store_load *)load->mail.next;
        core_loaded(&sim->core, load);
    }
    if (sim->reap) {
        struct store_reap *reap = sim->reap;
        sim->reap = NULL;
        core_reaped(&sim->core, reap);
    }
}

static void store_step(struct sim *sim)
{
    if (sim->writes && sim->now >= sim->store_at)
        commit(sim);
    if (sim->written && (!sim->commit_ms || sim_random(sim, 2)))
        give_written(sim);
    if ((sim->loads || sim->reap) && (!sim->commit_ms || sim_random(sim, 2)))
        give_loads(sim);
}

/* ---- workers ---- */

static void deliver(struct sim *sim, unsigned slot)
{
    struct sim_worker *worker = &sim->workers[slot];
    unsigned count = worker->frame_count, generation = worker->generation;
    struct sim_frame frames[SIM_FRAMES];
    memcpy(frames, worker->frames, sizeof frames);
    worker->frame_count = 0;
    for (unsigned i = 0; i < count; i++) {
        core_worker_result(&sim->core, slot, generation, &frames[i].message, frames[i].lines, frames[i].length);
        free(frames[i].lines);
    }
}

/* False: it died. */
static bool flush(struct sim *sim, struct sim_worker *worker, bool done)
{
    struct outbox_view outbox;
    workbench_outbox(worker->bench, worker->run.run, &outbox);
    if (chaos(sim))
        return false; /* half sent: a cut frame is none */
    assert_true(worker->frame_count < SIM_FRAMES);
    struct sim_frame *frame = &worker->frames[worker->frame_count++];
    frame->message = (struct message_result){.run = worker->run.run,
                                             .first = worker->run.first + outbox.first,
                                             .count = outbox.count,
                                             .done = done,
                                             .busy_ns = (uint64_t)(sim->now - worker->began) + 1000u * outbox.count};
    frame->length = outbox.bytes;
    frame->lines = malloc(outbox.bytes + 1);
    memcpy(frame->lines, outbox.lines, outbox.bytes);
    if (chaos(sim))
        return false;
    workbench_sent(worker->bench);
    return true;
}

static void note_start(struct sim *sim, const struct sim_worker *worker)
{
    if (sim->start_count == sim->start_capacity) {
        sim->start_capacity = sim->start_capacity ? sim->start_capacity * 2 : 256;
        sim->starts = realloc(sim->starts, sim->start_capacity * sizeof *sim->starts);
    }
    sim->starts[sim->start_count++] = (struct sim_start){.seq = (int64_t)worker->run.job,
                                                         .at = sim->now,
                                                         .index = worker->run.first + worker->offset,
                                                         .attempt = worker->run.attempt,
                                                         .slot = (uint32_t)(worker - sim->workers),
                                                         .definition = worker->run.definition};
}

static bool begin_item(struct sim *sim, struct sim_worker *worker)
{
    struct scoreboard_slot *board = scoreboard_slot(&sim->board, (unsigned)(worker - sim->workers));
    atomic_store(&board->index, worker->run.first + worker->offset);
    atomic_store(&board->started_ns, sim->now);
    if (chaos(sim))
        return false;
    atomic_store(&board->activity, ACTIVITY_RUNNING);
    assert_int_equal(sscanf(worker->next_item, "[%d,%d]", &worker->kind, &worker->ms), 2);
    worker->in_item = true;
    worker->at = sim->now + worker->ms * NS_PER_MS;
    note_start(sim, worker);
    return !chaos(sim);
}

static void write_line(struct sim_worker *worker, uint32_t index, bool failed)
{
    char line[200];
    int value = (int)strcspn(worker->next_item, "\n");
    if (worker->kind == ITEM_GARBAGE)
        snprintf(line, sizeof line, "garbage\n");
    else if (failed)
        snprintf(line, sizeof line,
                 "{\"index\":%u,\"error\":{\"type\":\"error\",\"message\":\"no \\\"%u\\\"\",\"attempts\":%u}}\n", index,
                 index, worker->run.attempt);
    else
        snprintf(line, sizeof line, "{\"index\":%u,\"value\":%.*s}\n",
                 worker->kind == ITEM_WRONG_INDEX ? index + 1 : index, value, worker->next_item);
    char *room = workbench_room(worker->bench, strlen(line));
    memcpy(room, line, strlen(line));
    workbench_finish(worker->bench, worker->offset, strlen(line), failed);
}

/* False: it died. */
static bool end_item(struct sim *sim, struct sim_worker *worker)
{
    struct scoreboard_slot *board = scoreboard_slot(&sim->board, (unsigned)(worker - sim->workers));
    bool first = worker->run.attempt == 1;
    if (worker->kind == ITEM_CRASH || (worker->kind == ITEM_CRASH_ONCE && first) || chaos(sim))
        return false;
    write_line(worker, worker->run.first + worker->offset,
               worker->kind == ITEM_ERROR || (worker->kind == ITEM_ERROR_ONCE && first));
    if (chaos(sim))
        return false;
    atomic_store(&board->activity, ACTIVITY_READY);
    worker->next_item += strcspn(worker->next_item, "\n") + 1;
    worker->in_item = false;
    return !chaos(sim);
}

static void begin_slice(struct sim *sim, struct sim_worker *worker)
{
    struct scoreboard_slot *board = scoreboard_slot(&sim->board, (unsigned)(worker - sim->workers));
    if (atomic_load(&board->run) == worker->run.run && atomic_load(&board->generation) == worker->generation)
        return;
    worker->began = sim->now;
    if (atomic_load(&board->generation) != worker->generation) {
        atomic_store(&board->verdict, FAILURE_NONE);
        atomic_store(&board->loading, 0);
    }
    atomic_store(&board->activity, ACTIVITY_READY);
    atomic_store(&board->started_ns, 0);
    atomic_store(&board->generation, worker->generation);
    atomic_store(&board->run, worker->run.run);
    atomic_store(&board->job, worker->run.job);
}

/* As much of the slice as goes in this millisecond; false: it died. */
static bool work(struct sim *sim, struct sim_worker *worker)
{
    begin_slice(sim, worker);
    for (;;) {
        if (worker->in_item && (worker->kind == ITEM_HANG || sim->now < worker->at))
            return true;
        if (worker->in_item && !end_item(sim, worker))
            return false;
        uint32_t offset;
        if (!workbench_claim(worker->bench, &offset)) {
            if (sim_random(sim, 4) == 0 && !flush(sim, worker, false))
                return false; /* who has called sends its line at once: then an empty frame says that all is done */
            if (!flush(sim, worker, true))
                return false;
            free(worker->items);
            worker->items = NULL;
            worker->state = SIM_IDLE;
            if (worker->extra)
                die(sim, worker, 0, 0, 1);
            return true;
        }
        worker->offset = offset;
        if (worker->frame_count < SIM_FRAMES - 2 && offset > 0 && sim_random(sim, 4) == 0 && !flush(sim, worker, false))
            return false;
        if (!begin_item(sim, worker))
            return false;
    }
}

static void worker_gone(struct sim *sim, unsigned slot)
{
    struct sim_worker *worker = &sim->workers[slot];
    deliver(sim, slot); /* drained before it is judged */
    free(worker->items);
    worker->items = NULL;
    worker->state = SIM_ABSENT;
    worker->at = sim->now + sim_random(sim, 10) * NS_PER_MS;
    core_worker_gone(&sim->core, slot, worker->generation, &worker->gone);
}

static void end_probe(struct sim *sim, unsigned slot)
{
    struct sim_worker *worker = &sim->workers[slot];
    const struct sim_load *load = worker->load;
    if (load->how == LOAD_HANG)
        return;
    if (load->how == LOAD_CRASH || chaos(sim)) {
        die(sim, worker, 11, 0, 1);
        return;
    }
    worker->state = SIM_IDLE;
    atomic_store(&scoreboard_slot(&sim->board, slot)->loading, 0);
    struct message_offer offer = {.definition = worker->probe, .ok = load->how == LOAD_FINE};
    core_worker_offer(&sim->core, slot, worker->generation, &offer, load->offers, strlen(load->offers));
}

static void worker_step(struct sim *sim, unsigned slot)
{
    const struct message_hello hello = {.protocol = WIRE_PROTOCOL};
    struct sim_worker *worker = &sim->workers[slot];
    if (worker->frame_count && (!sim->commit_ms || sim_random(sim, 2)))
        deliver(sim, slot);
    if (worker->state == SIM_ABSENT && slot < sim->pool && sim->now >= worker->at) {
        start_worker(sim, slot, false, 0);
    } else if (worker->state == SIM_STARTING && sim->now >= worker->at) {
        worker->state = SIM_IDLE;
        if (sim->chaos && sim_random(sim, 50) == 0)
            die(sim, worker, 9, 0, 1); /* before its hello */
        else
            core_worker_hello(&sim->core, slot, worker->generation, &hello, functions, sizeof functions - 1);
    } else if (worker->state == SIM_PROBING && sim->now >= worker->at) {
        end_probe(sim, slot);
    } else if (worker->state == SIM_BUSY && worker->stop && sim->now >= worker->at) {
        die(sim, worker, 9, 0, 0);
    } else if (worker->state == SIM_BUSY && (worker->in_item || sim->now >= worker->at)) {
        if (!work(sim, worker))
            die(sim, worker, 11, 0, sim_random(sim, 4));
    } else if (worker->state == SIM_DYING && sim->now >= worker->at) {
        worker_gone(sim, slot);
    }
}

void sim_kill_worker(struct sim *sim, unsigned slot)
{
    die(sim, &sim->workers[slot], 9, 0, 0);
}

void sim_step(struct sim *sim)
{
    sim->now += NS_PER_MS;
    store_step(sim);
    for (unsigned slot = 0; slot < SIM_SLOTS; slot++)
        worker_step(sim, slot);
    if (sim->now >= sim->next_tick) {
        sim->next_tick = sim->now + (core_busy(&sim->core) ? TICK_NS : NS_PER_S);
        core_tick(&sim->core);
    }
    core_turn_end(&sim->core); /* also what core_due_ns tells of */
    if (core_busy(&sim->core) && sim->next_tick > sim->now + TICK_NS)
        sim->next_tick = sim->now + TICK_NS;
}

void sim_run(struct sim *sim, int64_t ms)
{
    while (ms-- > 0)
        sim_step(sim);
}

/* ---- life and death ---- */

static void init_core(struct sim *sim)
{
    struct core_ports ports = {.context = sim,
                               .now_ns = port_now,
                               .wall_ms = port_wall,
                               .run = port_run,
                               .define = port_define,
                               .probe = port_probe,
                               .answer = port_answer,
                               .worker_left = port_left,
                               .stop_worker = port_stop,
                               .release_worker = port_release,
                               .worker_ready = port_ready,
                               .spawn_extra = port_spawn_extra,
                               .resize = port_resize,
                               .write = port_write,
                               .load = port_load,
                               .reap = port_reap,
                               .storage_failed = port_storage_failed};
    core_init(&sim->core, &sim->config, &ports, sim->store, sim->reader);
    core_functions(&sim->core, &sim->functions);
}

static void drop_functions(struct sim *sim)
{
    while (sim->functions.count)
        manifest_unref(&sim->functions.list[--sim->functions.count]);
}

void sim_functions(struct sim *sim, const char *const manifests[], unsigned count)
{
    drop_functions(sim);
    for (unsigned i = 0; i < count; i++) {
        struct error error;
        struct manifest *manifest = manifest_parse(manifests[i], strlen(manifests[i]), "test.json", "/tmp", &error);
        if (!manifest)
            fail_msg("%s", error.text);
        sim->functions.list[sim->functions.count++] = manifest;
    }
    core_functions(&sim->core, &sim->functions);
}

char *sim_catalog(struct sim *sim)
{
    struct blob *list = catalog(&sim->core);
    return list ? strdup(list->data) : NULL;
}

void sim_open(struct sim *sim, uint64_t seed, unsigned processes)
{
    log_setup("sim", LOG_ERROR, LOG_TEXT); /* thousands of jobs */
    struct error error;
    static char *pages;
    *sim = (struct sim){.random = seed * 2654435761u + 12345, .now = 1000 * NS_PER_S, .pool = processes};
    sim->writes_last = &sim->writes;
    sim->config.processes = processes;
    sim->config.retention_s = 3600;
    sim->config.kill_grace_ms = 100;
    sim->config.max_value = 1 << 20;
    sim->config.idle_runtimes = 2;
    sim->config.max_objects = 64 << 20;
    sim->store = store_open_memory();
    sim->reader = store_reader_open(sim->store, &error);
    if (!pages)
        pages = aligned_alloc(SCOREBOARD_PAGE, SCOREBOARD_PAGE * SIM_SLOTS);
    memset(pages, 0, SCOREBOARD_PAGE * SIM_SLOTS);
    sim->board = (struct scoreboard){.slots = SIM_SLOTS, .map = pages};
    sim->next_tick = sim->now;
    init_core(sim);
    assert_int_equal(core_recover(&sim->core, &sim->board, &error), 0);
}

static void end_workers(struct sim *sim)
{
    for (unsigned slot = 0; slot < SIM_SLOTS; slot++) {
        struct sim_worker *worker = &sim->workers[slot];
        for (unsigned i = 0; i < worker->frame_count; i++)
            free(worker->frames[i].lines);
        free(worker->items);
        *worker = (struct sim_worker){.bench = worker->bench, .generation = worker->generation};
    }
}

/* What was on its way to the disk is there or is not; what the dead server still says, nobody hears. */
void sim_kill(struct sim *sim)
{
    sim->muted = sim->core.closing = true;
    for (struct sim_ask *ask = sim->asks; ask; ask = ask->next)
        ask->broken |= !ask->back;
    if (sim->writes && sim_random(sim, 2)) {
        commit(sim);
    } else {
        sim->written = sim->written ? sim->written : sim->writes;
        if (sim->written != sim->writes) {
            struct store_write *last = sim->written;
            while (last->mail.next)
                last = (struct store_write *)last->mail.next;
            last->mail.next = (struct mail *)sim->writes;
        }
        sim->writes = NULL;
        sim->writes_last = &sim->writes;
        sim->store_at = 0;
    }
    for (struct store_write *write = sim->written; write; write = (struct store_write *)write->mail.next)
        write->status = STORE_IO;
    give_written(sim);
    give_loads(sim);
    assert_null(sim->writes);
    core_shutdown(&sim->core);
    end_workers(sim);
    while (sim->loads) {
        struct store_load *load = sim->loads;
        sim->loads = (struct store_load *)load->mail.next;
        free(load);
    }
    sim->reap = NULL;
    sim->storage_failed = false;
}

void sim_recover(struct sim *sim)
{
    struct error error;
    sim->muted = false;
    init_core(sim);
    assert_int_equal(core_recover(&sim->core, &sim->board, &error), 0);
    core_turn_end(&sim->core);
    sim->next_tick = sim->now;
}

void sim_restart(struct sim *sim)
{
    sim_kill(sim);
    sim_recover(sim);
}

static void free_batches(struct engine_request *r)
{
    for (unsigned i = 0; r->type == ASK_RESULTS && i < r->results.count; i++)
        blob_unref(&r->results.batches[i].lines);
    if (r->type == ASK_SUBMIT)
        blob_unref(&r->submit.line);
    if (r->type == ASK_ITEM)
        blob_unref(&r->item.progress);
    if (r->type == ASK_POOL)
        engine_pool_free(&r->pool.pool);
}

void sim_close(struct sim *sim)
{
    sim_kill(sim);
    assert_int_equal(sim->outstanding, 0); /* every request came back */
    while (sim->asks) {
        struct sim_ask *ask = sim->asks;
        sim->asks = ask->next;
        free_batches(&ask->r);
        free(ask);
    }
    for (unsigned slot = 0; slot < SIM_SLOTS; slot++) {
        if (sim->workers[slot].bench)
            munmap(sim->workers[slot].bench, sizeof(struct workbench));
    }
    for (size_t i = 0; i < sim->answer_count; i++)
        free(sim->answers[i].text);
    free(sim->answers);
    free(sim->starts);
    drop_functions(sim);
    store_reader_close(&sim->reader);
    store_close(&sim->store);
}

/* ---- requests ---- */

static void done(struct engine_request *request)
{
    struct sim_ask *ask = (struct sim_ask *)request;
    assert_false(ask->back); /* exactly once */
    ask->back = true;
    ask->answered_ns = ask->sim->now;
    ask->sim->outstanding--;
}

struct sim_ask *sim_ask(struct sim *sim, enum engine_request_type type, int64_t seq)
{
    struct sim_ask *ask = calloc(1, sizeof *ask);
    ask->r.type = type;
    ask->r.seq = seq;
    ask->r.done = done;
    ask->sim = sim;
    ask->next = sim->asks;
    sim->asks = ask;
    return ask;
}

void sim_send(struct sim_ask *ask)
{
    ask->asked_ns = ask->sim->now;
    ask->sim->outstanding++;
    core_request(&ask->sim->core, &ask->r);
    core_turn_end(&ask->sim->core);
}

void sim_wait(struct sim *sim, struct sim_ask *ask, int64_t ms)
{
    while (!ask->back && ms-- > 0)
        sim_step(sim);
    assert_true(ask->back);
}

struct engine_chunk *sim_items(uint32_t first, uint32_t count, uint32_t per_chunk, const char *const *items, int ms)
{
    struct engine_chunk *list = NULL, **tail = &list;
    struct buf text = BUF_EMPTY;
    (void)first;
    for (uint32_t i = 0; i < count;) {
        uint32_t n = 0;
        for (; n < per_chunk && i < count; n++, i++) {
            if (items)
                buf_printf(&text, "%s\n", items[i]);
            else
                buf_printf(&text, "[0,%d]\n", ms);
        }
        *tail = engine_chunk_new(n, blob_new(text.data, text.length));
        tail = &(*tail)->next;
        text.length = 0;
    }
    buf_free(&text);
    return list;
}

struct sim_ask *sim_submission(struct sim *sim, struct engine_chunk *chunks, enum job_kind kind)
{
    struct sim_ask *ask = sim_ask(sim, ASK_SUBMIT, 0);
    strcpy(ask->r.submit.function, "f");
    ask->r.submit.kind = kind;
    ask->r.submit.options = job_options_default();
    ask->r.submit.chunks = chunks;
    return ask;
}

int64_t sim_accept(struct sim *sim, struct sim_ask *ask)
{
    for (int i = 0; i < 1000 && !sim->core.builtins; i++)
        sim_step(sim);
    sim_send(ask);
    sim_wait(sim, ask, 10000);
    assert_int_equal(ask->r.status, ENGINE_OK);
    return ask->r.seq;
}

static uint32_t calls;

uint32_t sim_next_call(void)
{
    return calls + 1;
}

uint32_t sim_call(struct sim *sim, unsigned slot, const char *request)
{
    struct sim_worker *worker = &sim->workers[slot];
    assert_true(worker->state == SIM_BUSY && worker->in_item);
    deliver(sim, slot); /* what was sent before */
    struct message_call call = {.run = worker->run.run,
                                .index = worker->run.first + worker->offset,
                                .attempt = worker->run.attempt,
                                .call = ++calls};
    core_worker_call(&sim->core, slot, worker->generation, &call, request, strlen(request), false);
    return calls;
}

const char *sim_answer(const struct sim *sim, uint32_t call)
{
    for (size_t i = sim->answer_count; i > 0; i--)
        if (sim->answers[i - 1].message.call == call)
            return sim->answers[i - 1].text;
    return "";
}

/* ---- looking ---- */

struct job_view sim_stored(struct sim *sim, int64_t seq)
{
    struct job_view view;
    assert_int_equal(store_read_job(sim->reader, seq, 0, 1, &view), STORE_OK);
    return view;
}

struct job_view sim_end(struct sim *sim, int64_t seq, int64_t ms)
{
    while (!job_state_ended(sim_stored(sim, seq).state)) {
        if (ms-- <= 0)
            fail_msg("job %lld does not end", (long long)seq);
        sim_step(sim);
    }
    return sim_stored(sim, seq);
}

char *sim_line(struct sim *sim, int64_t seq, uint32_t index)
{
    struct store_batch batch;
    unsigned count;
    assert_int_equal(store_read_results(sim->reader, seq, true, index, 1, &batch, 1, &count), STORE_OK);
    if (count != 1)
        fail_msg("job %lld item %u has no result", (long long)seq, index);
    if (!batch.lines)
        return strdup("");
    const char *at = batch.lines->data;
    for (uint32_t i = batch.first; i < index; i++)
        at = strchr(at, '\n') + 1;
    char *line = strndup(at, strcspn(at, "\n"));
    blob_unref(&batch.lines);
    return line;
}

struct count_attempts {
    enum failure of;
    unsigned count;
};

static void count_attempt(void *context, const struct store_attempt *attempt)
{
    struct count_attempts *c = context;
    c->count += c->of == FAILURE_NONE ? attempt->failure != FAILURE_INTERRUPTED : attempt->failure == c->of;
}

unsigned sim_attempts(struct sim *sim, int64_t seq, uint32_t index, enum failure of)
{
    struct count_attempts c = {.of = of};
    store_read_attempts(sim->reader, seq, index, count_attempt, &c);
    return c.count;
}

void sim_check_results(struct sim *sim, int64_t seq)
{
    struct job_view view = sim_stored(sim, seq);
    int64_t failed = 0, cancelled = 0, succeeded = 0;
    for (uint32_t position = 0; position < view.positions;) {
        struct store_batch batch;
        unsigned count;
        store_read_results(sim->reader, seq, false, position, 1, &batch, 1, &count);
        assert_int_equal(count, 1);
        assert_int_equal(batch.position, position);
        position += batch.count;
        failed += batch.lines ? batch.failed : 0;
        succeeded += batch.lines ? batch.count - batch.failed : 0;
        cancelled += batch.lines ? 0 : batch.count;
        blob_unref(&batch.lines);
    }
    assert_true(succeeded == view.counts.succeeded && failed == view.counts.failed &&
                cancelled == view.counts.cancelled);
    if (!job_state_ended(view.state))
        return;
    assert_int_equal(view.positions, view.counts.total);
    for (uint32_t index = 0; index < view.counts.total; index++)
        free(sim_line(sim, seq, index));
}
