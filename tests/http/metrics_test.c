/* /metrics: every line is what Prometheus' text format wants, and the numbers follow what happens. Where promtool is
 * installed, it judges too. */
#include "fixture.h"

#include "base/config.h"

#include <math.h>
#include <time.h>
#include <unistd.h>

enum { FAMILIES_MAX = 256, NAME_MAX_LENGTH = 128 };

/* What has been read so far. */
struct reading {
    char families[FAMILIES_MAX][NAME_MAX_LENGTH];
    unsigned count;
    char type[32];            /* of the last family */
    bool typed;               /* its TYPE has come */
    char series[256];         /* the histogram series whose buckets come just now: its labels but `le` */
    double bound, up_to, all; /* of its last bucket; of le="+Inf" */
    unsigned histograms;
};

static const char *family_of(const struct reading *reading)
{
    return reading->families[reading->count - 1];
}

static void read_help(struct reading *reading, const char *line)
{
    char name[NAME_MAX_LENGTH];
    int used = 0;
    assert_int_equal(sscanf(line, "# HELP %127[a-zA-Z0-9_:] %n", name, &used), 1);
    if (line[used] == '\0')
        fail_msg("no help: %s", line);
    for (unsigned i = 0; i < reading->count; i++)
        assert_string_not_equal(reading->families[i], name);
    assert_true(reading->count < FAMILIES_MAX);
    memcpy(reading->families[reading->count++], name, sizeof name);
    reading->typed = false;
}

static void read_type(struct reading *reading, const char *line)
{
    char name[NAME_MAX_LENGTH];
    assert_true(reading->count > 0 && !reading->typed);
    assert_int_equal(sscanf(line, "# TYPE %127s %31s", name, reading->type), 2);
    assert_string_equal(name, family_of(reading));
    if (strcmp(reading->type, "counter") != 0 && strcmp(reading->type, "gauge") != 0 &&
        strcmp(reading->type, "histogram") != 0)
        fail_msg("no type: %s", line);
    size_t length = strlen(name);
    bool total = length > 6 && strcmp(name + length - 6, "_total") == 0;
    assert_int_equal(total, strcmp(reading->type, "counter") == 0);
    reading->typed = true;
    reading->series[0] = '\0';
}

/* `labels` is what stands between the braces. The bound is the last label, as this service writes it. */
static void read_bucket(struct reading *reading, const char *labels, double value)
{
    const char *le = strstr(labels, "le=\"");
    assert_non_null(le);
    char series[256];
    snprintf(series, sizeof series, "+%.*s", (int)(le - labels), labels);
    if (strcmp(series, reading->series) != 0) {
        memcpy(reading->series, series, sizeof series);
        reading->bound = -1;
        reading->up_to = 0;
    }
    double bound = strcmp(le, "le=\"+Inf\"") == 0 ? INFINITY : strtod(le + 4, NULL);
    assert_true(bound > reading->bound && value >= reading->up_to);
    reading->bound = bound;
    reading->up_to = reading->all = value;
}

static void read_histogram(struct reading *reading, const char *suffix, const char *labels, double value)
{
    if (strcmp(suffix, "_bucket") == 0) {
        read_bucket(reading, labels, value);
    } else if (strcmp(suffix, "_count") == 0) {
        assert_true(isinf(reading->bound) && value == reading->all);
        reading->histograms++;
    } else {
        assert_string_equal(suffix, "_sum");
        assert_true(value >= 0);
    }
}

static void read_sample(struct reading *reading, const char *line)
{
    char name[NAME_MAX_LENGTH], labels[256] = "", *end;
    assert_true(reading->typed);
    assert_int_equal(sscanf(line, "%127[a-zA-Z0-9_:]", name), 1);
    const char *at = line + strlen(name);
    if (*at == '{') {
        const char *close = strrchr(at, '}');
        assert_true(close && close - at < (long)sizeof labels);
        snprintf(labels, sizeof labels, "%.*s", (int)(close - at - 1), at + 1);
        at = close + 1;
    }
    double value = strtod(at + 1, &end);
    if (*at != ' ' || end == at + 1 || *end != '\0' || isnan(value))
        fail_msg("no number: %s", line);
    size_t length = strlen(family_of(reading));
    assert_int_equal(strncmp(name, family_of(reading), length), 0);
    if (strcmp(reading->type, "histogram") == 0)
        read_histogram(reading, name + length, labels, value);
    else
        assert_string_equal(name, family_of(reading));
}

static void metrics(struct reply *r)
{
    char media[128] = "";
    http_get(&web, r, "/metrics");
    assert_int_equal(r->status, 200);
    reply_header(r, "content-type", media, sizeof media);
    assert_string_equal(media, "text/plain; version=0.0.4");
}

/* The sample of that name and labels, as it stands there. */
static double sample(const char *name)
{
    struct reply r;
    char start[256];
    metrics(&r);
    snprintf(start, sizeof start, "\n%s ", name);
    const char *at = strstr(r.body, start);
    if (!at)
        fail_msg("no %s in\n%s", name, r.body);
    double value = at ? strtod(at + strlen(start), NULL) : 0;
    reply_free(&r);
    return value;
}

static void test_every_line(void **state)
{
    (void)state;
    struct reading reading = {0};
    struct reply r;
    metrics(&r);
    assert_true(r.length > 0 && r.body[r.length - 1] == '\n');
    for (char *line = r.body, *next; *line; line = next) {
        char *newline = strchr(line, '\n');
        *newline = '\0';
        next = newline + 1;
        if (strncmp(line, "# HELP ", 7) == 0)
            read_help(&reading, line);
        else if (strncmp(line, "# TYPE ", 7) == 0)
            read_type(&reading, line);
        else
            read_sample(&reading, line);
    }
    assert_int_equal(reading.histograms, 5); /* run, commit, three kinds of jobs */
    reply_free(&r);
}

static void test_values_move(void **state)
{
    (void)state;
    static const char ran[] = "poold_item_run_seconds_count",
                      maps[] = "poold_job_submit_to_result_seconds_count"
                               "{kind=\"map\"}",
                      applies[] = "poold_job_submit_to_result_seconds_count{kind=\"apply\"}",
                      good[] = "poold_function_items_total{function=\"square\",outcome=\"succeeded\"}",
                      slept[] = "poold_item_run_seconds_bucket{le=\"0.025\"}",
                      commits[] = "poold_store_commit_seconds_count",
                      busy[] = "poold_function_run_seconds_total{function=\"sleep\"}";
    double ran_before = sample(ran), maps_before = sample(maps), applies_before = sample(applies),
           good_before = sample(good), commits_before = sample(commits);
    run_job("{\"function\":\"square\",\"map\":[1,2,3,4,5]}", "succeeded");
    run_job("{\"function\":\"square\",\"apply\":6}", "succeeded");
    assert_true(sample(ran) == ran_before + 6);
    assert_true(sample(maps) == maps_before + 1);
    assert_true(sample(applies) == applies_before + 1);
    assert_true(sample(good) == good_before + 6);
    assert_true(sample(commits) > commits_before);
    double short_before = sample(slept), sum_before = sample("poold_item_run_seconds_sum"), busy_before = sample(busy);
    run_job("{\"function\":\"sleep\",\"apply\":0.05}", "succeeded");
    assert_true(sample(slept) == short_before); /* it took longer than that bound */
    assert_true(sample("poold_item_run_seconds_sum") >= sum_before + 0.04);
    assert_true(sample(busy) >= busy_before + 0.04);
    assert_true(sample(ran) == ran_before + 7);
}

static void test_outcomes_and_restarts(void **state)
{
    (void)state;
    static const char failed[] = "poold_function_items_total{function=\"crash\",outcome=\"failed\"}",
                      cancelled[] = "poold_function_items_total{function=\"sleep\",outcome=\"cancelled\"}",
                      crashes[] = "poold_worker_restarts_total{cause=\"crash\"}",
                      timeouts[] = "poold_worker_restarts_total{cause=\"timeout\"}";
    double failed_before = sample(failed), crashes_before = sample(crashes), timeouts_before = sample(timeouts);
    double cancelled_before = sample(cancelled);
    run_job("{\"function\":\"crash\",\"apply\":\"SIGSEGV\"}", "failed");
    assert_true(sample(failed) == failed_before + 1);
    run_job("{\"function\":\"sleep\",\"apply\":30,\"timeout\":0.1}", "failed");
    struct job_id id = job_submit(&web, "{\"function\":\"sleep\",\"map\":[1,2],\"delay\":60}");
    struct reply r;
    char path[96];
    snprintf(path, sizeof path, "/v1/jobs/%s/cancel", id.text);
    http_post(&web, &r, path, "");
    reply_free(&r);
    job_wait(&web, id, 20000, &r);
    reply_free(&r);
    assert_true(sample(cancelled) == cancelled_before + 2);
    assert_true(wait_workers(&web, NULL, 4, 20000)); /* their successors are there */
    for (long long end = now_ms() + 10000; sample(timeouts) == timeouts_before && now_ms() < end;)
        sleep_ms(10);
    assert_true(sample(crashes) == crashes_before + 1);
    assert_true(sample(timeouts) == timeouts_before + 1);
}

static void test_requests(void **state)
{
    (void)state;
    static const char found[] = "poold_http_requests_total{method=\"GET\",code=\"200\"}",
                      missing[] = "poold_http_requests_total{method=\"GET\",code=\"404\"}",
                      other[] = "poold_http_requests_total{method=\"other\",code=\"405\"}",
                      accepted[] = "poold_http_connections_accepted_total";
    struct reply r;
    http_get(&web, &r, "/v1/nothing");
    reply_free(&r);
    http_ask(&web, &(struct ask){.method = "BREW", .path = "/v1/jobs"}, &r);
    assert_int_equal(r.status, 405);
    reply_free(&r);
    double found_before = sample(found), missing_before = sample(missing), other_before = sample(other);
    http_get(&web, &r, "/v1/nothing");
    reply_free(&r);
    http_ask(&web, &(struct ask){.method = "BREW", .path = "/v1/jobs"}, &r);
    reply_free(&r);
    assert_true(sample(missing) == missing_before + 1);
    assert_true(sample(other) == other_before + 1);
    assert_true(sample(found) > found_before);
    assert_true(sample(accepted) > 0);
}

static void test_states(void **state)
{
    (void)state;
    static const char *const fine[] = {"poold_draining",   "poold_pool_stuck",   "poold_functions_refused",
                                       "poold_store_full", "poold_store_failed", "poold_http_streams"};
    for (unsigned i = 0; i < sizeof fine / sizeof *fine; i++)
        assert_true(sample(fine[i]) == 0);
    assert_true(sample("poold_build_info{version=\"" POOLD_VERSION "\"}") == 1);
    assert_true(sample("poold_store_database_bytes") >= 4096);
}

static void test_process(void **state)
{
    (void)state;
    double fds = sample("process_open_fds"), start = sample("process_start_time_seconds");
    assert_true(fds > 3 && fds < sample("process_max_fds"));
    assert_true(sample("process_resident_memory_bytes") > 1 << 20);
    assert_true(sample("process_virtual_memory_bytes") > sample("process_resident_memory_bytes"));
    assert_true(sample("process_cpu_seconds_total") >= 0);
    double age = (double)time(NULL) - start;
    assert_true(age > -3 && age < 600);
    assert_true(sample("process_start_time_seconds") == start);
    assert_true(sample("poold_items_queued") == 0);
    assert_true(sample("poold_store_wal_bytes") >= 0);
}

static void test_promtool(void **state)
{
    (void)state;
    if (system("command -v promtool >/dev/null 2>&1") != 0) // NOLINT
        skip();
    char path[] = "/tmp/poold-metrics-XXXXXX", command[128];
    int fd = mkstemp(path);
    struct reply r;
    metrics(&r);
    assert_int_equal(write(fd, r.body, r.length), (ssize_t)r.length);
    close(fd);
    reply_free(&r);
    snprintf(command, sizeof command, "promtool check metrics <%s", path);
    int status = system(command); // NOLINT
    unlink(path);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_move), cmocka_unit_test(test_outcomes_and_restarts),
        cmocka_unit_test(test_every_line),  cmocka_unit_test(test_requests),
        cmocka_unit_test(test_states),      cmocka_unit_test(test_process),
        cmocka_unit_test(test_promtool),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
