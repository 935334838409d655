/* The engine's core: its pure parts, each rule by itself, and thousands of random lives (engine_sim). */
#include "engine_sim.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "engine/lines.h"

static struct sim sim;

static int close_sim(void **state)
{
    (void)state;
    sim_close(&sim);
    return 0;
}

static int open_sim(void **state)
{
    (void)state;
    sim_open(&sim, 1, 4);
    sim_run(&sim, 20);
    return 0;
}

static int64_t map_of(uint32_t count, int ms)
{
    return sim_accept(&sim, sim_submission(&sim, sim_items(0, count, 1000, NULL, ms), JOB_MAP));
}

static void expect_line(int64_t seq, uint32_t index, const char *part)
{
    char *line = sim_line(&sim, seq, index);
    if (!strstr(line, part))
        fail_msg("item %u: %s, not %s", index, line, part);
    free(line);
}

static struct sim_ask *ask_now(enum engine_request_type type, int64_t seq)
{
    struct sim_ask *ask = sim_ask(&sim, type, seq);
    sim_send(ask);
    sim_wait(&sim, ask, 5000);
    return ask;
}

/* ---- ranges ---- */

static void ranges_are_a_set(void **state)
{
    (void)state;
    enum { N = 300 };
    uint64_t random = 7;
    for (int round = 0; round < 50; round++) {
        struct ranges r = {0};
        bool in[N] = {false};
        for (int step = 0; step < 400; step++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            uint32_t index = (uint32_t)(random >> 33) % N, first, most = (uint32_t)(random >> 50) % 5;
            if (random % 3 == 0) {
                assert_int_equal(ranges_remove(&r, index), in[index]);
                in[index] = false;
            } else if (random % 3 == 1 && !in[index]) {
                uint32_t count = 1;
                while (index + count < N && !in[index + count] && count < 4)
                    count++;
                ranges_add(&r, index, count);
                memset(in + index, 1, count);
            } else {
                uint32_t taken = ranges_take(&r, most, &first);
                for (uint32_t i = 0; i < taken; i++) {
                    assert_true(in[first + i]);
                    in[first + i] = false;
                }
                for (uint32_t i = 0; taken && i < first; i++)
                    assert_false(in[i]);
            }
            uint64_t total = 0;
            for (uint32_t i = 0; i < N; i++) {
                total += in[i];
                assert_int_equal(ranges_find(&r, i) != NULL, in[i]);
            }
            assert_int_equal(r.total, total);
        }
        for (size_t i = 1; i < r.count; i++)
            assert_true(r.runs[r.start + i - 1].first + r.runs[r.start + i - 1].count < r.runs[r.start + i].first);
        ranges_free(&r);
    }
}

/* ---- lines ---- */

static void lines_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t first, count;
        int failed; /* -1: refused */
    } cases[] = {
        {"{\"index\":7,\"value\":49}\n", 7, 1, 0},
        {"{\"index\":7,\"value\":49}\n{\"index\":8,\"value\":{\"a\":[1e400]}}\n", 7, 2, 0},
        {"{\"index\":0,\"error\":{\"type\":\"error\",\"message\":\"no\"}}\n", 0, 1, 1},
        {"{\"index\":2000000000,\"value\":null}\n", 2000000000, 1, 0},
        {"", 7, 0, 0},
        {"{\"index\":7,\"value\":49}\n", 7, 2, -1},
        {"{\"index\":7,\"value\":49}\n{\"index\":8,\"value\":1}\n", 7, 1, -1},
        {"{\"index\":8,\"value\":49}\n", 7, 1, -1},
        {"{\"index\":70,\"value\":49}\n", 7, 1, -1},
        {"{\"index\":7,\"value\":49}", 7, 1, -1},
        {"{\"index\":7,\"value\":}\n", 7, 1, -1},
        {"{\"index\":7,\"value\":1,\"x\":2}\n", 7, 1, -1},
        {"{\"index\":7,\"value\":[1,\n2]}\n", 7, 1, -1},
        {"{\"index\":7,\"value\":\n1}\n", 7, 1, -1},
        {"{\"index\":7,\"error\":1}\n", 7, 1, -1},
        {"{\"index\":7,\"error\":{\"type\":\"nonsense\"}}\n", 7, 1, -1},
        {"{\"index\":7,\"error\":{\"type\":1}}\n", 7, 1, -1},
        {"{\"index\":07,\"value\":1}\n", 7, 1, -1},
        {"{\"index\":7,\"value\":01}\n", 7, 1, -1},
        {" {\"index\":7,\"value\":1}\n", 7, 1, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t failed;
        size_t length = strlen(cases[i].text);
        char *copy = malloc(length + 1); /* exact: the sanitizer sees what is read beyond */
        memcpy(copy, cases[i].text, length);
        bool good = result_lines_check(copy, copy + length, cases[i].first, cases[i].count, &failed);
        if (good != (cases[i].failed >= 0) || (good && (int)failed != cases[i].failed))
            fail_msg("case %zu: %s", i, cases[i].text);
        free(copy);
    }
}

static void mutated_lines_never_pass_as_others(void **state)
{
    (void)state;
    const char good[] =
        "{\"index\":7,\"value\":[1,\"a\"]}\n{\"index\":8,\"error\":{\"type\":\"crash\",\"message\":\"x\"}}\n";
    size_t length = sizeof good - 1;
    for (size_t at = 0; at < length; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char *copy = malloc(length);
            uint32_t failed;
            memcpy(copy, good, length);
            copy[at] = (char)byte;
            if (result_lines_check(copy, copy + length, 7, 2, &failed)) {
                assert_int_equal(failed, 1);
                assert_non_null(memchr(copy, '\n', length - 1));
            }
            assert_false(result_lines_check(copy, copy + at, 7, 2, &failed));
            free(copy);
        }
    }
}

static void failures_become_lines(void **state)
{
    (void)state;
    struct failure_report report = {
        .failure = FAILURE_CRASH, .message = "a \"b\"\n", .signal_name = "SIGSEGV", .exit_code = -1, .attempts = 2};
    struct blob *line = result_line_failure(12, &report);
    assert_string_equal(line->data,
                        "{\"index\":12,\"error\":{\"type\":\"crash\",\"message\":\"a \\\"b\\\"\\n\",\"signal\":"
                        "\"SIGSEGV\",\"exit_code\":null,\"attempts\":2}}\n");
    uint32_t failed;
    assert_true(result_lines_check(line->data, line->data + line->length, 12, 1, &failed));
    assert_int_equal(failed, 1);
    blob_unref(&line);
}

static void messages_become_plain_text(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"plain", "plain"},
        {"a \\\"b\\\" \\\\ \\/ \\n", "a \"b\" \\ / \n"},
        {"\\u00e9 \\u20ac \\ud83d\\ude00 \\u0000", "\u00e9 \u20ac \U0001f600  "},
        {"\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac", "\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac"}, /* cut at a whole one */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[20];
        struct result_line line = {.message = cases[i][0], .message_length = strlen(cases[i][0])};
        result_line_message(&line, text, sizeof text);
        assert_string_equal(text, cases[i][1]);
    }
}

/* ---- states ---- */

static void states_move_as_drawn(void **state)
{
    (void)state;
    static const char *const allowed[] = {"12", "23456", "3456", "456", "", "", ""};
    for (int from = 0; from <= JOB_CANCELLED; from++) {
        for (int to = JOB_OPEN; to <= JOB_CANCELLED; to++) {
            bool may = strchr(from == 0 ? "12" : allowed[from], '0' + to) != NULL;
            assert_int_equal(job_state_allowed((enum job_state)from, (enum job_state)to), may);
        }
    }
}

/* ---- one rule each ---- */

static void a_map_ends_with_all_its_values(void **state)
{
    (void)state;
    int64_t seq = map_of(1000, 0);
    struct job_view view = sim_end(&sim, seq, 5000);
    assert_int_equal(view.state, JOB_SUCCEEDED);
    assert_int_equal(view.counts.succeeded, 1000);
    sim_check_results(&sim, seq);
    expect_line(seq, 999, "{\"index\":999,\"value\":[0,0]}");
}

static void an_empty_map_succeeds(void **state)
{
    (void)state;
    assert_int_equal(sim_end(&sim, map_of(0, 0), 500).state, JOB_SUCCEEDED);
}

static void only_the_running_item_pays(void **state)
{
    (void)state;
    const char *items[20];
    for (int i = 0; i < 20; i++)
        items[i] = i == 7 ? "[2,30]" : "[0,1]";
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 20, 20, items, 0), JOB_MAP);
    ask->r.submit.options.chunksize = 20;
    int64_t seq = sim_accept(&sim, ask);
    struct job_view view = sim_end(&sim, seq, 5000);
    assert_int_equal(view.state, JOB_FAILED);
    assert_int_equal(view.counts.failed, 1);
    assert_int_equal(view.counts.succeeded, 19);
    expect_line(seq, 7, "\"type\":\"crash\",\"message\":\"killed by SIGSEGV\",\"signal\":\"SIGSEGV\"");
    assert_int_equal(sim_attempts(&sim, seq, 7, FAILURE_CRASH), 1);
    unsigned starts[20] = {0};
    for (size_t i = 0; i < sim.start_count; i++)
        starts[sim.starts[i].index]++;
    for (int i = 0; i < 20; i++)
        assert_int_equal(starts[i], 1); /* nothing twice: results that were not sent were found */
}

static void garbage_costs_one_item_and_one_worker(void **state)
{
    (void)state;
    const char *items[] = {"[0,0]", "[6,0]", "[7,0]", "[0,0]"};
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 4, 4, items, 0), JOB_MAP);
    int64_t seq = sim_accept(&sim, ask);
    struct job_view view = sim_end(&sim, seq, 5000);
    assert_int_equal(view.counts.failed, 2);
    expect_line(seq, 1, "\"type\":\"protocol\"");
    expect_line(seq, 2, "\"type\":\"protocol\"");
    sim_check_results(&sim, seq);
}

/* Bytes that are no frame came from any of the items that have no result yet: none is blamed before it was alone. */
static void a_garbled_channel_is_blamed_on_who_is_alone(void **state)
{
    (void)state;
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 4, 4, NULL, 10), JOB_MAP);
    ask->r.submit.options.processes = 1;
    ask->r.submit.options.chunksize = 4;
    int64_t seq = sim_accept(&sim, ask);
    bool alone = false;
    for (int i = 0; i < 1000 && !alone; i++) {
        sim_step(&sim);
        for (unsigned slot = 0; slot < 4; slot++) {
            const struct worker *worker = &sim.core.workers[slot];
            if (!worker->job || worker->first > 2 || worker->first + worker->count <= 2 || !sim.workers[slot].in_item)
                continue;
            alone = worker->count == 1;
            core_worker_garbled(&sim.core, slot, worker->generation);
        }
    }
    assert_true(alone);
    struct job_view view = sim_end(&sim, seq, 5000);
    assert_int_equal(view.counts.failed, 1);
    assert_int_equal(view.counts.succeeded, 3);
    expect_line(seq, 2, "\"type\":\"protocol\"");
    sim_check_results(&sim, seq);
}

static void a_timeout_kills_and_spares_the_neighbours(void **state)
{
    (void)state;
    const char *items[8];
    for (int i = 0; i < 8; i++)
        items[i] = i == 2 ? "[5,0]" : "[0,1]";
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 8, 8, items, 0), JOB_MAP);
    ask->r.submit.options.chunksize = 8;
    ask->r.submit.options.timeout_ms = 200;
    int64_t seq = sim_accept(&sim, ask), began = sim.now;
    struct job_view view = sim_end(&sim, seq, 5000);
    assert_int_equal(view.counts.failed, 1);
    expect_line(seq, 2, "\"type\":\"timeout\"");
    assert_in_range((sim.now - began) / NS_PER_MS, 200, 200 + 100 + 100);
}

static void a_worker_that_never_begins_is_replaced(void **state)
{
    (void)state;
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 1, 8, NULL, 0), JOB_MAP);
    ask->r.submit.options.timeout_ms = 200;
    for (unsigned slot = 0; slot < 4; slot++) { /* stopped, all four: they take the item and do nothing */
        sim.workers[slot].at = 0;
    }
    sim_send(ask);
    while (!ask->back)
        sim_step(&sim);
    for (int i = 0; i < 3; i++) {
        for (unsigned slot = 0; slot < 4; slot++) {
            if (sim.workers[slot].state == SIM_BUSY)
                sim.workers[slot].at = sim.now + 10000 * NS_PER_MS;
        }
        sim_step(&sim);
    }
    assert_int_equal(sim_end(&sim, ask->r.seq, 2000).state, JOB_SUCCEEDED);
}

static void attempts_follow_their_backoff(void **state)
{
    (void)state;
    const char *items[] = {"[1,0]", "[4,0]", "[3,0]", "[0,0]"};
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 4, 4, items, 0), JOB_MAP);
    ask->r.submit.options.max_attempts = 3;
    ask->r.submit.options.backoff_ms = 400;
    int64_t seq = sim_accept(&sim, ask);
    struct job_view view = sim_end(&sim, seq, 10000);
    assert_int_equal(view.counts.failed, 1);
    assert_int_equal(view.counts.succeeded, 3);
    assert_int_equal(sim_attempts(&sim, seq, 0, FAILURE_ERROR), 3);
    assert_int_equal(sim_attempts(&sim, seq, 1, FAILURE_ERROR), 1);
    assert_int_equal(sim_attempts(&sim, seq, 2, FAILURE_CRASH), 1);
    assert_int_equal(sim_attempts(&sim, seq, 3, FAILURE_NONE), 0);
    int64_t last = 0;
    uint32_t attempt = 0;
    for (size_t i = 0; i < sim.start_count; i++) {
        const struct sim_start *start = &sim.starts[i];
        if (start->index != 0)
            continue;
        assert_int_equal(start->attempt, ++attempt);
        int64_t wait = (start->at - last) / NS_PER_MS, base = attempt > 1 ? 400 << (attempt - 2) : 0;
        if (attempt > 1)
            assert_in_range(wait, base * 3 / 4, base * 5 / 4 + 50);
        last = start->at;
    }
    expect_line(seq, 0, "\"attempts\":3");
}

static void cancel_spares_nothing_that_is_ready(void **state)
{
    (void)state;
    const char *items[50];
    for (int i = 0; i < 50; i++)
        items[i] = i == 1 ? "[5,0]" : "[0,20]";
    int64_t seq = sim_accept(&sim, sim_submission(&sim, sim_items(0, 50, 50, items, 0), JOB_MAP));
    sim_run(&sim, 60);
    struct sim_ask *cancel = ask_now(ASK_CANCEL, seq);
    assert_int_equal(cancel->r.status, ENGINE_OK);
    struct job_view view = sim_end(&sim, seq, 1000);
    assert_int_equal(view.state, JOB_CANCELLED);
    assert_true(view.counts.cancelled > 30 && view.counts.succeeded > 0);
    expect_line(seq, 1, "");
    sim_check_results(&sim, seq);
    assert_int_equal(ask_now(ASK_DELETE, seq)->r.status, ENGINE_OK);
    assert_int_equal(ask_now(ASK_CANCEL, seq)->r.status, ENGINE_NOT_LIVE);
    struct job_view gone;
    assert_int_equal(store_read_job(sim.reader, seq, 0, 1, &gone), STORE_GONE);
}

static void a_live_job_is_not_deleted(void **state)
{
    (void)state;
    int64_t seq = map_of(100, 20);
    assert_int_equal(ask_now(ASK_DELETE, seq)->r.status, ENGINE_NOT_ENDED);
    assert_int_equal(sim_end(&sim, seq, 9000).state, JOB_SUCCEEDED);
    assert_int_equal(ask_now(ASK_CANCEL, seq)->r.status, ENGINE_ENDED);
}

static void fail_fast_ends_the_rest(void **state)
{
    (void)state;
    for (int kind = ITEM_ERROR; kind <= ITEM_CRASH; kind++) {
        const char *items[100];
        for (int i = 0; i < 100; i++)
            items[i] = i == 5 ? (kind == ITEM_ERROR ? "[1,5]" : "[2,5]") : "[0,5]";
        struct sim_ask *ask = sim_submission(&sim, sim_items(0, 100, 100, items, 0), JOB_MAP);
        ask->r.submit.options.fail_fast = true;
        ask->r.submit.options.chunksize = 30;
        struct job_view view = sim_end(&sim, sim_accept(&sim, ask), 3000);
        assert_int_equal(view.state, JOB_FAILED);
        assert_int_equal(view.counts.failed, 1);
        assert_true(view.counts.cancelled > 50);
        assert_string_equal(view.reason, "an item failed (fail_fast)");
        sim_check_results(&sim, ask->r.seq);
    }
}

static void open_jobs_take_items_until_closed(void **state)
{
    (void)state;
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 3, 3, NULL, 0), JOB_MAP);
    ask->r.submit.options.open = true;
    int64_t seq = sim_accept(&sim, ask);
    sim_run(&sim, 100);
    assert_false(job_state_ended(sim_stored(&sim, seq).state));
    struct sim_ask *more[3];
    for (int i = 0; i < 3; i++) {
        more[i] = sim_ask(&sim, ASK_APPEND, seq);
        more[i]->r.append.chunks = sim_items(0, 5, 2, NULL, 1);
        more[i]->r.append.last = i == 1;
        sim_send(more[i]);
    }
    for (int i = 0; i < 3; i++)
        sim_wait(&sim, more[i], 1000);
    assert_int_equal(more[0]->r.status, ENGINE_OK);
    assert_int_equal(more[1]->r.status, ENGINE_OK);
    assert_int_equal(more[1]->r.view.counts.total, 13);
    assert_int_equal(more[2]->r.status, ENGINE_NOT_OPEN); /* behind the close */
    struct job_view view = sim_end(&sim, seq, 1000);
    assert_int_equal(view.counts.total, 13);
    assert_int_equal(view.state, JOB_SUCCEEDED);
    sim_check_results(&sim, seq);
}

static void an_aborted_upload_is_cancelled_and_its_key_free(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) { /* by an abort, by a restart */
        struct sim_ask *ask = sim_submission(&sim, sim_items(0, 3, 3, NULL, 0), JOB_MAP);
        ask->r.submit.uploading = true;
        strcpy(ask->r.submit.key, "k");
        int64_t seq = sim_accept(&sim, ask);
        if (round == 0) {
            struct sim_ask *abort = sim_ask(&sim, ASK_APPEND, seq);
            abort->r.append.abort = abort->r.append.uploading = true;
            strcpy(abort->r.append.reason, "it broke");
            sim_send(abort);
            sim_wait(&sim, abort, 1000);
            assert_int_equal(abort->r.status, ENGINE_OK);
        } else {
            sim_restart(&sim);
        }
        struct job_view view = sim_end(&sim, seq, 1000);
        assert_int_equal(view.state, JOB_CANCELLED);
        int64_t found;
        uint64_t fingerprint;
        assert_int_equal(store_read_key(sim.reader, "k", &found, &fingerprint), STORE_NOT_FOUND);
    }
}

static void a_key_makes_one_job(void **state)
{
    (void)state;
    struct sim_ask *asks[4];
    sim.commit_ms = 5;
    for (int i = 0; i < 4; i++) {
        asks[i] = sim_submission(&sim, sim_items(0, 3, 3, NULL, 0), JOB_MAP);
        strcpy(asks[i]->r.submit.key, "k");
        asks[i]->r.submit.fingerprint = i == 2 ? 6 : 5;
        if (i < 2)
            sim_send(asks[i]);
    }
    assert_true(asks[1]->back && asks[1]->r.status == ENGINE_BUSY_KEY);
    sim_wait(&sim, asks[0], 1000);
    sim_send(asks[2]);
    assert_int_equal(asks[2]->r.status, ENGINE_OTHER_BODY);
    sim.core.draining = true; /* a replay makes no new job */
    sim_send(asks[3]);
    assert_int_equal(asks[3]->r.status, ENGINE_OK);
    assert_true(asks[3]->r.submit.replayed && asks[3]->r.seq == asks[0]->r.seq);
    sim.core.draining = false;
}

static void waited_apply_of_a_key_keeps_it_busy(void **state)
{
    (void)state;
    struct sim_ask *asks[2];
    sim.commit_ms = 0;
    for (int i = 0; i < 2; i++) {
        asks[i] = sim_submission(&sim, sim_items(0, 1, 1, NULL, 300), JOB_APPLY);
        strcpy(asks[i]->r.submit.key, "k");
        asks[i]->r.submit.wait = true;
        asks[i]->r.deadline_ns = sim.now + 1000 * NS_PER_MS;
    }
    sim_send(asks[0]);
    sim_run(&sim, 15);
    sim.store_at = sim.now + 50 * NS_PER_MS; /* its commit is slow */
    sim.commit_ms = 50;
    sim_run(&sim, 12);
    sim_send(asks[1]);
    sim_wait(&sim, asks[1], 2000);
    sim_wait(&sim, asks[0], 2000);
    assert_int_equal(asks[0]->r.status, ENGINE_OK);
    assert_non_null(asks[0]->r.submit.line);
}

static void a_waited_apply_needs_one_commit(void **state)
{
    (void)state;
    struct store_stats before, after;
    store_stats(sim.store, &before);
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 1, 1, NULL, 0), JOB_APPLY);
    ask->r.submit.wait = true;
    ask->r.deadline_ns = sim.now + 1000 * NS_PER_MS;
    sim_send(ask);
    sim_wait(&sim, ask, 100);
    store_stats(sim.store, &after);
    assert_int_equal(after.commits - before.commits, 1);
    assert_int_equal(ask->r.status, ENGINE_OK);
    assert_int_equal(ask->r.view.state, JOB_SUCCEEDED);
    assert_string_equal(ask->r.submit.line->data, "{\"index\":0,\"value\":[0,0]}\n");
    assert_int_equal(sim_stored(&sim, ask->r.seq).state, JOB_SUCCEEDED);
}

static void a_deadline_answers_202_after_the_commit_only(void **state)
{
    (void)state;
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 1, 1, NULL, 2000), JOB_APPLY);
    ask->r.submit.wait = true;
    ask->r.deadline_ns = sim.now + 1; /* at once */
    sim.commit_ms = 40;
    sim_send(ask);
    while (!ask->back)
        sim_step(&sim);
    assert_int_equal(ask->r.status, ENGINE_TIMEOUT);
    assert_false(job_state_ended(sim_stored(&sim, ask->r.seq).state)); /* it is there */
    struct sim_ask *wait = sim_ask(&sim, ASK_JOB, ask->r.seq);
    wait->r.deadline_ns = sim.now + 50 * NS_PER_MS;
    sim_send(wait);
    sim_wait(&sim, wait, 100);
    assert_int_equal(wait->r.status, ENGINE_TIMEOUT);
    struct sim_ask *results = sim_ask(&sim, ASK_RESULTS, ask->r.seq);
    results->r.deadline_ns = sim.now + 50 * NS_PER_MS;
    sim_send(results);
    sim_wait(&sim, results, 100);
    assert_int_equal(results->r.status, ENGINE_TIMEOUT);
    assert_int_equal(sim_end(&sim, ask->r.seq, 5000).state, JOB_SUCCEEDED);
}

static int log_file, real_stderr;

/* What is logged from here on… */
static void catch_log(void)
{
    log_setup("sim", LOG_WARNING, LOG_TEXT);
    log_file = memfd_create("log", MFD_CLOEXEC);
    real_stderr = dup(STDERR_FILENO);
    assert_int_not_equal(dup2(log_file, STDERR_FILENO), -1);
}

/* …has the one so often, and the other. */
static void expect_logged(const char *one, unsigned ones, const char *other, unsigned others)
{
    static char text[65536];
    unsigned found[2] = {0};
    dup2(real_stderr, STDERR_FILENO);
    fd_close(&real_stderr);
    log_setup("sim", LOG_ERROR, LOG_TEXT);
    ssize_t length = pread(log_file, text, sizeof text - 1, 0);
    fd_close(&log_file);
    assert_true(length >= 0);
    text[length] = '\0';
    for (const char *at = text; (at = strstr(at, one)); at++)
        found[0]++;
    for (const char *at = text; (at = strstr(at, other)); at++)
        found[1]++;
    assert_int_equal(found[0], ones);
    assert_int_equal(found[1], others);
}

static void a_full_disk_is_told_and_survived(void **state)
{
    (void)state;
    int64_t seq = map_of(200, 3);
    sim_run(&sim, 30);
    store_fail_commit(sim.store, 1, STORE_FULL);
    while (!sim.core.storage_full)
        sim_step(&sim);
    struct sim_ask *refused = sim_submission(&sim, sim_items(0, 1, 1, NULL, 0), JOB_MAP);
    sim_send(refused);
    assert_int_equal(refused->r.status, ENGINE_STORE_FULL);
    assert_int_equal(sim_end(&sim, seq, 9000).state, JOB_SUCCEEDED);
    sim_check_results(&sim, seq);
}

/* Neither who asks while the disk is full nor who asked in the turn that found it so waits for room. */
static void nobody_waits_for_room(void **state)
{
    (void)state;
    int64_t ended = map_of(3, 1), seq = map_of(200, 3);
    sim_end(&sim, ended, 5000);
    store_fail_commit(sim.store, 1, STORE_FULL);
    struct sim_ask *found = sim_ask(&sim, ASK_DELETE, ended);
    sim_send(found);
    sim_wait(&sim, found, 500);
    while (!sim.core.storage_full)
        sim_step(&sim);
    struct sim_ask *later = sim_ask(&sim, ASK_CANCEL, seq);
    sim_send(later);
    assert_int_equal(later->r.status, ENGINE_STORE_FULL);
    assert_int_equal(sim_end(&sim, seq, 9000).state, JOB_CANCELLED); /* all the same */
}

/* A submission meets the full disk while a turn is on its way: the turn must not be given to the store twice. */
static void a_full_disk_for_one_is_not_for_all(void **state)
{
    (void)state;
    int64_t seq = map_of(100, 3);
    for (int i = 0; i < 20; i++) {
        sim.commit_ms = 6;
        store_fail_commit(sim.store, 1, STORE_FULL);
        struct sim_ask *ask = sim_submission(&sim, sim_items(0, 1, 1, NULL, 0), JOB_MAP);
        sim_send(ask);
        sim_wait(&sim, ask, 5000);
        sim_run(&sim, 7);
    }
    store_fail_commit(sim.store, 0, STORE_OK);
    sim_end(&sim, seq, 50000);
    sim_check_results(&sim, seq);
}

/* However many submissions meet it; and also if none but them did. */
static void a_full_disk_is_logged_once_and_its_end(void **state)
{
    (void)state;
    catch_log();
    for (int i = 0; i < 5; i++) {
        bool full = i < 3;
        store_fail_commit(sim.store, full, full ? STORE_FULL : STORE_OK);
        struct sim_ask *ask = sim_submission(&sim, sim_items(0, 1, 1, NULL, 0), JOB_MAP);
        sim_send(ask);
        sim_wait(&sim, ask, 100);
        assert_int_equal(ask->r.status, full ? ENGINE_STORE_FULL : ENGINE_OK);
        sim_run(&sim, 1500);
    }
    expect_logged("event=storage.full", 1, "event=storage.resumed", 1);
}

static void an_unknown_commit_ends_the_service(void **state)
{
    (void)state;
    store_fail_commit(sim.store, 1, STORE_IO);
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 1, 1, NULL, 0), JOB_MAP);
    sim_send(ask);
    sim_wait(&sim, ask, 100);
    assert_int_equal(ask->r.status, ENGINE_STORE_FAILED);
    assert_true(sim.storage_failed);
    struct sim_ask *next = sim_submission(&sim, sim_items(0, 1, 1, NULL, 0), JOB_MAP);
    sim_send(next);
    assert_int_equal(next->r.status, ENGINE_STORE_FAILED);
}

static void an_apply_waits_for_a_slice_not_for_the_map(void **state)
{
    (void)state;
    int64_t map = map_of(4000, 2);
    sim_run(&sim, 400);
    for (int i = 0; i < 10; i++) {
        struct sim_ask *ask = sim_submission(&sim, sim_items(0, 1, 1, NULL, 0), JOB_APPLY);
        ask->r.submit.wait = true;
        ask->r.deadline_ns = sim.now + 1000 * NS_PER_MS;
        sim_send(ask);
        sim_wait(&sim, ask, 1000);
        assert_true(ask->answered_ns - ask->asked_ns <= 20 * NS_PER_MS);
        sim_run(&sim, 13);
    }
    assert_false(job_state_ended(sim_stored(&sim, map).state));
}

static void priorities_share_by_weight(void **state)
{
    (void)state;
    struct sim_ask *asks[2];
    for (uint32_t i = 0; i < 2; i++) {
        asks[i] = sim_submission(&sim, sim_items(0, 2000, 100, NULL, 10), JOB_MAP);
        asks[i]->r.submit.options.priority = i == 0 ? 1 : 7; /* weights 2 and 8 */
        asks[i]->r.submit.options.chunksize = 1;
        sim_accept(&sim, asks[i]);
    }
    sim_run(&sim, 2000);
    double low = (double)sim_stored(&sim, asks[0]->r.seq).counts.succeeded;
    double high = (double)sim_stored(&sim, asks[1]->r.seq).counts.succeeded;
    assert_true(high / low > 3.5 && high / low < 4.6);
}

static void processes_caps_a_job(void **state)
{
    (void)state;
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 40, 100, NULL, 10), JOB_MAP);
    ask->r.submit.options.processes = 2;
    int64_t seq = sim_accept(&sim, ask);
    for (int i = 0; i < 100; i++) {
        unsigned busy = 0;
        sim_step(&sim);
        for (unsigned slot = 0; slot < 4; slot++)
            busy += sim.workers[slot].state == SIM_BUSY;
        assert_true(busy <= 2);
    }
    sim_end(&sim, seq, 5000);
}

/* What becomes of a job of `client`, who may have two. */
static struct sim_ask *of_client(const char *client)
{
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 1, 1, NULL, 500), JOB_MAP);
    strcpy(ask->r.submit.origin.client, client);
    ask->r.submit.client_jobs = 2;
    sim_send(ask);
    sim_wait(&sim, ask, 1000);
    return ask;
}

static void a_client_has_so_many_unfinished_jobs(void **state)
{
    (void)state;
    struct sim_ask *first = of_client("a");
    assert_int_equal(first->r.status, ENGINE_OK);
    assert_int_equal(of_client("a")->r.status, ENGINE_OK);
    assert_int_equal(of_client("a")->r.status, ENGINE_CLIENT_JOBS);
    assert_int_equal(of_client("b")->r.status, ENGINE_OK); /* others are not affected */
    assert_int_equal(of_client("")->r.status, ENGINE_OK);  /* nobody in particular is not counted */
    assert_int_equal(of_client("")->r.status, ENGINE_OK);
    assert_int_equal(of_client("")->r.status, ENGINE_OK);
    sim_restart(&sim);
    sim_run(&sim, 20);
    assert_int_equal(of_client("a")->r.status, ENGINE_CLIENT_JOBS);
    sim_end(&sim, first->r.seq, 5000);
    sim_run(&sim, 2000); /* all have ended */
    store_fail_commit(sim.store, 1, STORE_FULL);
    assert_int_equal(of_client("a")->r.status, ENGINE_STORE_FULL); /* what was not stored does not count */
    sim_run(&sim, 5000);
    assert_int_equal(of_client("a")->r.status, ENGINE_OK);
    assert_int_equal(of_client("a")->r.status, ENGINE_OK);
    assert_int_equal(of_client("a")->r.status, ENGINE_CLIENT_JOBS);
    sim_run(&sim, 5000);
    assert_null(sim.core.clients); /* who has none is forgotten */
}

static void delay_holds_the_first_item_back(void **state)
{
    (void)state;
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 2, 2, NULL, 0), JOB_MAP);
    ask->r.submit.options.delay_ms = 500;
    int64_t seq = sim_accept(&sim, ask);
    int64_t accepted = sim.now;
    struct sim_ask *item = ask_now(ASK_ITEM, seq);
    assert_int_equal(item->r.item.state, ITEM_WAITING);
    sim_run(&sim, 100);
    sim_restart(&sim); /* it counts from the acceptance, whatever dies */
    sim_end(&sim, seq, 5000);
    assert_in_range((sim.starts[0].at - accepted) / NS_PER_MS, 480, 540);
}

static void idle_workers_steal(void **state)
{
    (void)state;
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 12, 12, NULL, 50), JOB_MAP);
    ask->r.submit.options.chunksize = 12; /* all in one worker's hands */
    int64_t seq = sim_accept(&sim, ask);
    int64_t began = sim.now;
    sim_end(&sim, seq, 5000);
    assert_true(sim.core.counters.steals > 0);
    assert_true((sim.now - began) / NS_PER_MS < 450);
}

/* On a busy machine none begins at once. */
static void what_no_worker_has_begun_is_left_to_it(void **state)
{
    (void)state;
    sim.begin_ms = 100;
    assert_int_equal(sim_end(&sim, map_of(3, 0), 2000).state, JOB_SUCCEEDED);
    assert_int_equal(sim.core.counters.steals, 0);
    sim.begin_ms = 5000; /* stopped, or stuck: then it is taken after all */
    uint64_t slices = sim.core.counters.slices;
    map_of(1, 0);
    sim_run(&sim, 1500);
    assert_int_equal(sim.core.counters.slices - slices, 2);
}

/* Fast items first, and a slow one behind: the lines of the fast ones do not wait for it. */
static void finished_lines_are_fetched_from_a_slow_slice(void **state)
{
    (void)state;
    const char *items[] = {"[0,0]", "[0,0]", "[0,3000]", "[0,0]"};
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 4, 4, items, 0), JOB_MAP);
    ask->r.submit.options.chunksize = 4;
    int64_t seq = sim_accept(&sim, ask);
    sim_run(&sim, 200);
    assert_int_equal(sim_stored(&sim, seq).counts.succeeded, 3);
    assert_int_equal(sim_end(&sim, seq, 5000).state, JOB_SUCCEEDED);
    sim_check_results(&sim, seq);
}

static void slices_grow_with_fast_items_only(void **state)
{
    (void)state;
    uint64_t slices = sim.core.counters.slices;
    sim_end(&sim, map_of(50000, 0), 20000);
    assert_true(sim.core.counters.slices - slices < 400);
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 40, 40, NULL, 60), JOB_MAP);
    strcpy(ask->r.submit.function, "g");
    slices = sim.core.counters.slices;
    int64_t seq = sim_accept(&sim, ask);
    sim_end(&sim, seq, 20000);
    assert_int_equal(sim.core.counters.slices - slices, 40);
}

static void an_item_that_takes_the_service_down_is_given_up(void **state)
{
    (void)state;
    const char *items[] = {"[0,5000]", "[0,0]"};
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 2, 2, items, 0), JOB_MAP);
    catch_log();
    int64_t seq = sim_accept(&sim, ask);
    for (int i = 0; i < 3; i++) {
        sim_run(&sim, 300);
        assert_false(job_state_ended(sim_stored(&sim, seq).state));
        sim_restart(&sim);
    }
    struct job_view view = sim_end(&sim, seq, 300);
    assert_int_equal(view.counts.failed, 1);
    assert_int_equal(view.counts.succeeded, 1);
    expect_line(seq, 0, "\"type\":\"interrupted\"");
    assert_int_equal(sim_attempts(&sim, seq, 0, FAILURE_INTERRUPTED), 3);
    expect_logged("again=true", 2, "again=false", 1);
}

/* As the supervisor marks the board when all are gone. */
static void stop_on_purpose(void)
{
    for (unsigned i = 0; i < sim.board.slots; i++) {
        struct scoreboard_slot *slot = scoreboard_slot(&sim.board, i);
        if (atomic_load(&slot->activity) == ACTIVITY_RUNNING)
            atomic_store(&slot->activity, ACTIVITY_STOPPED);
    }
    sim_restart(&sim);
}

static void stops_on_purpose_give_no_item_up(void **state)
{
    (void)state;
    const char *items[] = {"[0,5000]"};
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 1, 1, items, 0), JOB_MAP);
    int64_t seq = sim_accept(&sim, ask);
    catch_log();
    for (int i = 0; i < 5; i++) {
        sim_run(&sim, 300);
        stop_on_purpose();
    }
    assert_int_equal(sim_end(&sim, seq, 9000).state, JOB_SUCCEEDED);
    assert_int_equal(sim_attempts(&sim, seq, 0, FAILURE_INTERRUPTED), 5);
    expect_logged("again=true", 5, "again=false", 0);
}

/* The board of a dead worker says what ran; once that has been judged, a restart must not charge it again. */
static void a_judged_item_is_not_blamed_again(void **state)
{
    (void)state;
    const char *items[] = {"[3,0]"};
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 1, 1, items, 0), JOB_MAP);
    ask->r.submit.options.max_attempts = 2;
    ask->r.submit.options.backoff_ms = 5000;
    int64_t seq = sim_accept(&sim, ask);
    sim_run(&sim, 200);
    assert_int_equal(sim_attempts(&sim, seq, 0, FAILURE_CRASH), 1);
    sim_restart(&sim);
    assert_int_equal(sim_end(&sim, seq, 9000).state, JOB_SUCCEEDED);
    assert_int_equal(sim_attempts(&sim, seq, 0, FAILURE_INTERRUPTED), 0);
}

static void isolated_items_have_a_process_each(void **state)
{
    (void)state;
    const char *items[] = {"[0,1]", "[2,1]", "[0,1]", "[0,30]", "[0,1]", "[0,1]", "[0,1]"};
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 7, 7, items, 0), JOB_MAP);
    ask->r.submit.options.isolation = ISOLATION_PROCESS;
    struct job_view view = sim_end(&sim, sim_accept(&sim, ask), 2000);
    assert_int_equal(view.counts.succeeded, 6);
    assert_int_equal(view.counts.failed, 1);
    sim_run(&sim, 50);
    assert_int_equal(sim.core.extras, 0);
    assert_true(sim.spawned >= 7 && sim.spawned < 12);
    for (size_t i = 0; i < sim.start_count; i++)
        assert_true(sim.starts[i].slot >= 4);
}

static void a_smaller_pool_lets_idle_workers_go(void **state)
{
    (void)state;
    struct sim_ask *resize = sim_ask(&sim, ASK_RESIZE, 0);
    resize->r.resize.processes = 2;
    sim_send(resize);
    sim_run(&sim, 50);
    assert_int_equal(sim.released, 2);
    struct sim_ask *pool = ask_now(ASK_POOL, 0);
    assert_int_equal(pool->r.pool.pool->worker_count, 2);
    assert_int_equal(pool->r.pool.pool->ready, 2);
    assert_int_equal(sim_end(&sim, map_of(50, 1), 1000).state, JOB_SUCCEEDED);
}

static void a_retry_is_linked_both_ways(void **state)
{
    (void)state;
    int64_t first = map_of(1, 0);
    sim_end(&sim, first, 1000);
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 1, 1, NULL, 0), JOB_MAP);
    ask->r.submit.retry_of = first;
    int64_t second = sim_accept(&sim, ask);
    assert_int_equal(sim_stored(&sim, second).retry_of, first);
    assert_int_equal(sim_stored(&sim, first).retried_by, second);
    sim_end(&sim, second, 1000);
}

static void draining_finishes_what_runs_and_no_more(void **state)
{
    (void)state;
    int64_t seq = map_of(100, 30);
    sim_run(&sim, 50);
    core_drain(&sim.core);
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 1, 1, NULL, 0), JOB_MAP);
    sim_send(ask);
    assert_int_equal(ask->r.status, ENGINE_DRAINING);
    for (int i = 0; !core_drained(&sim.core) && i < 200; i++)
        sim_step(&sim);
    assert_true(core_drained(&sim.core));
    assert_false(job_state_ended(sim_stored(&sim, seq).state));
    sim_restart(&sim);
    assert_int_equal(sim_end(&sim, seq, 5000).state, JOB_SUCCEEDED);
    sim_check_results(&sim, seq);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(sim_attempts(&sim, seq, i, FAILURE_INTERRUPTED), 0);
}

static void what_outlives_the_grace_is_handed_back(void **state)
{
    (void)state;
    static const char *const items[] = {"[0,5]", "[5,0]", "[0,5]", "[5,0]"};
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 4, 4, items, 0), JOB_MAP);
    int64_t seq = sim_accept(&sim, ask);
    for (unsigned life = 0; life < 2 * INTERRUPTED_MAX; life++) {
        sim_run(&sim, 500);
        core_drain(&sim.core);
        sim_run(&sim, 500);
        assert_false(core_drained(&sim.core));
        core_hand_back(&sim.core);
        for (int i = 0; !core_drained(&sim.core) && i < 2000; i++)
            sim_step(&sim);
        assert_true(core_drained(&sim.core));
        sim_restart(&sim);
    }
    assert_false(job_state_ended(sim_stored(&sim, seq).state));
    assert_int_equal(sim_stored(&sim, seq).counts.succeeded, 2);
    assert_int_equal(sim_stored(&sim, seq).counts.failed, 0);
    assert_int_equal(sim_attempts(&sim, seq, 1, FAILURE_INTERRUPTED), 2 * INTERRUPTED_MAX);
    assert_int_equal(sim_attempts(&sim, seq, 0, FAILURE_INTERRUPTED), 0);
}

static void items_beyond_the_cache_are_loaded_again(void **state)
{
    (void)state;
    int64_t seq = sim_accept(&sim, sim_submission(&sim, sim_items(0, 3000, 100, NULL, 0), JOB_MAP));
    sim_kill(&sim);
    sim_recover(&sim); /* nothing of the items is in memory now */
    assert_int_equal(sim_end(&sim, seq, 9000).state, JOB_SUCCEEDED);
    assert_true(sim.load_count > 5);
    sim_check_results(&sim, seq);
}

static void old_results_are_in_the_store(void **state)
{
    (void)state;
    struct sim_ask *ask = sim_submission(&sim, sim_items(0, 9000, 1000, NULL, 0), JOB_MAP);
    ask->r.submit.options.chunksize = 1;
    ask->r.submit.options.open = true;
    int64_t seq = sim_accept(&sim, ask);
    while (sim_stored(&sim, seq).positions < 9000)
        sim_step(&sim);
    sim_run(&sim, 5);
    for (int order = 0; order < 2; order++) {
        for (uint32_t from = 0; from < 9000; from += 8999) {
            struct sim_ask *results = sim_ask(&sim, ASK_RESULTS, seq);
            results->r.results.input_order = order;
            results->r.results.from = from;
            sim_send(results);
            assert_int_equal(results->r.status, ENGINE_OK);
            assert_int_equal(results->r.results.in_store, from == 0);
            assert_int_equal(results->r.results.count, from != 0);
        }
    }
}

#define RULE(f) cmocka_unit_test_setup_teardown(f, open_sim, close_sim)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_a_set),
        cmocka_unit_test(lines_are_checked),
        cmocka_unit_test(mutated_lines_never_pass_as_others),
        cmocka_unit_test(failures_become_lines),
        cmocka_unit_test(messages_become_plain_text),
        cmocka_unit_test(states_move_as_drawn),
        RULE(a_map_ends_with_all_its_values),
        RULE(an_empty_map_succeeds),
        RULE(only_the_running_item_pays),
        RULE(garbage_costs_one_item_and_one_worker),
        RULE(a_garbled_channel_is_blamed_on_who_is_alone),
        RULE(a_timeout_kills_and_spares_the_neighbours),
        RULE(a_worker_that_never_begins_is_replaced),
        RULE(attempts_follow_their_backoff),
        RULE(cancel_spares_nothing_that_is_ready),
        RULE(a_live_job_is_not_deleted),
        RULE(fail_fast_ends_the_rest),
        RULE(open_jobs_take_items_until_closed),
        RULE(an_aborted_upload_is_cancelled_and_its_key_free),
        RULE(a_key_makes_one_job),
        RULE(waited_apply_of_a_key_keeps_it_busy),
        RULE(a_waited_apply_needs_one_commit),
        RULE(a_deadline_answers_202_after_the_commit_only),
        RULE(a_full_disk_is_told_and_survived),
        RULE(nobody_waits_for_room),
        RULE(a_full_disk_for_one_is_not_for_all),
        RULE(a_full_disk_is_logged_once_and_its_end),
        RULE(an_unknown_commit_ends_the_service),
        RULE(an_apply_waits_for_a_slice_not_for_the_map),
        RULE(priorities_share_by_weight),
        RULE(processes_caps_a_job),
        RULE(a_client_has_so_many_unfinished_jobs),
        RULE(delay_holds_the_first_item_back),
        RULE(idle_workers_steal),
        RULE(what_no_worker_has_begun_is_left_to_it),
        RULE(finished_lines_are_fetched_from_a_slow_slice),
        RULE(slices_grow_with_fast_items_only),
        RULE(an_item_that_takes_the_service_down_is_given_up),
        RULE(stops_on_purpose_give_no_item_up),
        RULE(a_judged_item_is_not_blamed_again),
        RULE(isolated_items_have_a_process_each),
        RULE(a_smaller_pool_lets_idle_workers_go),
        RULE(a_retry_is_linked_both_ways),
        RULE(draining_finishes_what_runs_and_no_more),
        RULE(what_outlives_the_grace_is_handed_back),
        RULE(items_beyond_the_cache_are_loaded_again),
        RULE(old_results_are_in_the_store),
        cmocka_unit_test(random_lives),
    };
    const char *only = argc > 1 ? argv[1] : NULL;
    if (argc == 4 && strcmp(only, "lives") == 0) {
        lives_seeds(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
        only = "random_lives";
    }
    if (only)
        cmocka_set_test_filter(only);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
