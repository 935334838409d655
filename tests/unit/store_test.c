/* store_test: what store.h promises, the same suite on both backends. */
#include "store_kit.h"

#include <stdio.h>

static void a_job_comes_back_as_it_was_put(void **state)
{
    struct kit *kit = *state;
    struct job_view put = kit_job(7, JOB_READY), got;
    put.kind = JOB_STARMAP;
    put.started_ms = 11, put.ended_ms = 12, put.expires_ms = KIT_CREATED * 2;
    put.options = (struct job_options){.chunksize = 1,
                                       .processes = 2,
                                       .timeout_ms = 3,
                                       .max_attempts = 4,
                                       .backoff_ms = 5,
                                       .priority = 6,
                                       .isolation = ISOLATION_PROCESS,
                                       .fail_fast = true,
                                       .delay_ms = 8,
                                       .retention_s = 9,
                                       .open = true};
    strcpy(put.options.name, "späte Bilder \"x\"");
    strcpy(put.reason, "because");
    strcpy(put.origin.client, "ci");
    strcpy(put.origin.traceparent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    put.counts = (struct job_counts){.total = 100, .succeeded = 20, .failed = 3, .cancelled = 4};
    put.positions = 27;
    put.retry_of = 5, put.retry_of_created_ms = 6, put.retried_by = 8, put.retried_by_created_ms = 9;
    put.uploading = true;
    struct store_write *write = kit_write();
    kit_put_job(write, &put);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    assert_int_equal(store_read_job(kit->reader, 7, put.created_ms, KIT_CREATED, &got), STORE_OK);
    put.counts.ready = 73; /* neither running nor waiting is committed */
    assert_memory_equal(&got.options.name, &put.options.name, sizeof got.options.name);
    assert_string_equal(got.reason, put.reason);
    assert_string_equal(got.origin.client, put.origin.client);
    assert_string_equal(got.origin.traceparent, put.origin.traceparent);
    assert_string_equal(got.function, "square");
    assert_memory_equal(&got.counts, &put.counts, sizeof got.counts);
    assert_int_equal(got.kind, JOB_STARMAP);
    assert_int_equal(got.options.isolation, ISOLATION_PROCESS);
    assert_true(got.options.fail_fast && got.options.open && got.uploading);
    assert_true(got.options.chunksize == 1 && got.options.processes == 2 && got.options.timeout_ms == 3 &&
                got.options.max_attempts == 4 && got.options.backoff_ms == 5 && got.options.priority == 6 &&
                got.options.delay_ms == 8 && got.options.retention_s == 9);
    assert_true(got.started_ms == 11 && got.ended_ms == 12 && got.expires_ms == KIT_CREATED * 2 && got.seq == 7);
    assert_true(got.retry_of == 5 && got.retry_of_created_ms == 6 && got.retried_by == 8 &&
                got.retried_by_created_ms == 9 && got.positions == 27);
}

static void an_update_changes_what_moves_and_nothing_else(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 10);
    struct job_view update = {
        .seq = 1, .state = JOB_FAILED, .positions = 10, .started_ms = 5, .ended_ms = 6, .expires_ms = 99};
    strcpy(update.reason, "fail_fast");
    update.counts = (struct job_counts){.total = 10, .succeeded = 9, .failed = 1, .ready = 77};
    struct store_write *write = kit_write();
    kit_update_job(write, &update);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    struct job_view got;
    assert_int_equal(store_read_job(kit->reader, 1, 0, 98, &got), STORE_OK);
    assert_string_equal(got.function, "square");
    assert_int_equal(got.options.priority, 5);
    assert_int_equal(got.created_ms, KIT_CREATED + 1);
    assert_int_equal(got.state, JOB_FAILED);
    assert_string_equal(got.reason, "fail_fast");
    assert_true(got.counts.ready == 0 && got.counts.succeeded == 9 && got.counts.failed == 1);
    assert_true(got.started_ms == 5 && got.ended_ms == 6 && got.expires_ms == 99 && got.positions == 10);
}

static void growth_and_progress_do_not_forget_each_other(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 10);
    struct job_view grown = {.seq = 1, .counts = {.total = 30, .succeeded = 4}};
    struct job_view update = kit_job(1, JOB_RUNNING);
    update.counts = (struct job_counts){.total = 10, .succeeded = 7};
    struct store_write *write = kit_write();
    store_write_add(write, STORE_JOB_GROW, 1)->job = memcpy(malloc(sizeof grown), &grown, sizeof grown);
    kit_update_job(write, &update);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    struct job_view got;
    assert_int_equal(store_read_job(kit->reader, 1, 0, 0, &got), STORE_OK);
    assert_true(got.counts.total == 30 && got.counts.succeeded == 7 && got.counts.ready == 23);
    assert_int_equal(got.state, JOB_RUNNING);
}

static void links_lead_to_the_newest_retry(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 1);
    struct job_view link = {.retried_by = 2, .retried_by_created_ms = 22, .seq = 1};
    struct store_write *write = kit_write();
    store_write_add(write, STORE_JOB_LINK, 1)->job = memcpy(malloc(sizeof link), &link, sizeof link);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    struct job_view got;
    assert_int_equal(store_read_job(kit->reader, 1, 0, 0, &got), STORE_OK);
    assert_true(got.retried_by == 2 && got.retried_by_created_ms == 22 && got.state == JOB_READY);
}

static void gone_is_not_the_same_as_never_there(void **state)
{
    struct kit *kit = *state;
    struct job_view view;
    assert_int_equal(kit_job_status(kit, 1, 0), STORE_NOT_FOUND);
    kit_have_job(kit, 1, 1);
    kit_have_job(kit, 3, 1); /* 2 was given out, but its POST was never committed */
    assert_int_equal(kit_job_status(kit, 1, 0), STORE_OK);
    assert_int_equal(kit_job_status(kit, 2, 0), STORE_GONE);
    assert_int_equal(kit_job_status(kit, 4, 0), STORE_NOT_FOUND);
    assert_int_equal(store_read_job(kit->reader, 1, KIT_CREATED, 0, &view), STORE_NOT_FOUND);
    assert_int_equal(store_read_job(kit->reader, 1, KIT_CREATED + 1, 0, &view), STORE_OK);
}

static void end_job(struct kit *kit, int64_t seq, int64_t expires_ms)
{
    struct job_view view = kit_job(seq, JOB_SUCCEEDED);
    view.expires_ms = expires_ms;
    struct store_write *write = kit_write();
    kit_update_job(write, &view);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
}

static void delete_job(struct kit *kit, int64_t seq)
{
    struct store_write *write = kit_write();
    store_write_add(write, STORE_JOB_DELETE, seq);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
}

static void expired_and_deleted_jobs_are_gone_from_every_answer(void **state)
{
    struct kit *kit = *state;
    for (int seq = 1; seq <= 3; seq++) {
        kit_have_job(kit, seq, 1);
        end_job(kit, seq, seq == 1 ? 100 : 0);
    }
    delete_job(kit, 2);
    assert_int_equal(kit_job_status(kit, 1, 99), STORE_OK);
    assert_int_equal(kit_job_status(kit, 1, 100), STORE_GONE);
    assert_int_equal(kit_job_status(kit, 2, 0), STORE_GONE);
    assert_int_equal(kit_job_status(kit, 3, INT64_MAX), STORE_OK);
    end_job(kit, 2, 0); /* too late to bring it back */
    assert_int_equal(kit_job_status(kit, 2, 0), STORE_GONE);
    struct job_view views[3];
    unsigned count;
    struct store_jobs_query query = {.limit = 3, .now_ms = 100};
    assert_int_equal(store_read_jobs(kit->reader, &query, views, &count), STORE_OK);
    assert_int_equal(count, 1);
    assert_int_equal(views[0].seq, 3);
}

static void check_list(struct kit *kit, struct store_jobs_query query, const char *expected)
{
    struct job_view views[10];
    unsigned count;
    assert_int_equal(store_read_jobs(kit->reader, &query, views, &count), STORE_OK);
    char got[100] = "";
    for (unsigned i = 0; i < count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%lld ", (long long)views[i].seq);
    assert_string_equal(got, expected);
}

static void lists_are_newest_first_filtered_and_paged(void **state)
{
    struct kit *kit = *state;
    for (int seq = 1; seq <= 6; seq++) {
        struct job_view view = kit_job(seq, seq % 2 ? JOB_READY : JOB_FAILED);
        strcpy(view.function, seq <= 3 ? "square" : "cube");
        struct store_write *write = kit_write();
        kit_put_job(write, &view);
        assert_int_equal(kit_commit(kit, write), STORE_OK);
    }
    check_list(kit, (struct store_jobs_query){.limit = 10}, "6 5 4 3 2 1 ");
    check_list(kit, (struct store_jobs_query){.limit = 2}, "6 5 ");
    check_list(kit, (struct store_jobs_query){.limit = 2, .before = 5}, "4 3 ");
    check_list(kit, (struct store_jobs_query){.limit = 0}, "");
    check_list(kit, (struct store_jobs_query){.limit = 10, .by_state = true, .state = JOB_FAILED}, "6 4 2 ");
    check_list(kit, (struct store_jobs_query){.limit = 10, .function = "square"}, "3 2 1 ");
    check_list(kit, (struct store_jobs_query){.limit = 10, .function = "cube", .by_state = true, .state = JOB_READY},
               "5 ");
    check_list(kit, (struct store_jobs_query){.limit = 10, .function = "squ"}, "");
}

static void note_seq(void *context, const struct job_view *view)
{
    char *text = context;
    sprintf(text + strlen(text), "%lld ", (long long)view->seq);
}

static void a_start_finds_what_has_not_ended(void **state)
{
    struct kit *kit = *state;
    int64_t last = -1;
    assert_int_equal(store_read_last_seq(kit->reader, &last), STORE_OK);
    assert_int_equal(last, 0);
    for (int seq = 1; seq <= 6; seq++) {
        struct job_view view = kit_job(seq, (enum job_state)(7 - seq));
        struct store_write *write = kit_write();
        kit_put_job(write, &view);
        assert_int_equal(kit_commit(kit, write), STORE_OK);
    }
    char seqs[100] = "";
    assert_int_equal(store_read_unfinished(kit->reader, note_seq, seqs), STORE_OK);
    assert_string_equal(seqs, "4 5 6 ");
    assert_int_equal(store_read_last_seq(kit->reader, &last), STORE_OK);
    assert_int_equal(last, 6);
}

static void read_chunk(struct kit *kit, int64_t seq, uint32_t index, uint32_t first, uint32_t count)
{
    uint32_t got_first, got_count;
    struct blob *items, *origins;
    assert_int_equal(store_read_chunk(kit->reader, seq, index, &got_first, &got_count, &items, &origins), STORE_OK);
    assert_int_equal(got_first, first);
    assert_int_equal(got_count, count);
    struct blob *expected = kit_lines(first, count, false);
    assert_int_equal(items->length, expected->length);
    assert_memory_equal(items->data, expected->data, items->length);
    assert_null(origins);
    blob_unref(&expected);
    blob_unref(&items);
}

static void a_chunk_is_found_by_any_of_its_items(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 25);
    kit_have_job(kit, 2, 5);
    read_chunk(kit, 1, 0, 0, 10);
    read_chunk(kit, 1, 9, 0, 10);
    read_chunk(kit, 1, 10, 10, 10);
    read_chunk(kit, 1, 24, 20, 5);
    read_chunk(kit, 2, 4, 0, 5);
    uint32_t first, count;
    struct blob *items, *origins;
    assert_int_equal(store_read_chunk(kit->reader, 1, 25, &first, &count, &items, &origins), STORE_NOT_FOUND);
    assert_int_equal(store_read_chunk(kit->reader, 3, 0, &first, &count, &items, &origins), STORE_NOT_FOUND);
}

static void a_retry_keeps_where_its_items_came_from(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 0);
    uint32_t origins[] = {4, 70000, 9};
    struct store_write *write = kit_write();
    kit_put_chunk(write, 1, 0, 3);
    write->first->origins = blob_new(origins, sizeof origins);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    uint32_t first, count;
    struct blob *items, *got;
    assert_int_equal(store_read_chunk(kit->reader, 1, 2, &first, &count, &items, &got), STORE_OK);
    assert_int_equal(got->length, sizeof origins);
    assert_memory_equal(got->data, origins, sizeof origins);
    blob_unref(&items);
    blob_unref(&got);
}

static void leave_load(struct store_load *load)
{
    (void)load;
}

static void loads_are_answered(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 25);
    struct store_load load = {.seq = 1, .index = 13, .done = leave_load},
                      beyond = {.seq = 1, .index = 25, .done = leave_load};
    store_put_load(kit->store, &load);
    store_put_load(kit->store, &beyond);
    assert_true(store_turn(kit->store));
    assert_false(store_turn(kit->store));
    assert_int_equal(load.status, STORE_OK);
    assert_true(load.first == 10 && load.count == 10);
    assert_memory_equal(load.items->data, "10\n11\n", 6);
    blob_unref(&load.items);
    assert_int_equal(beyond.status, STORE_NOT_FOUND);
    assert_null(beyond.items);
}

/* Reads and writes down "position:first+count" of each batch, checking the lines. */
static void check_results(struct kit *kit, bool input_order, uint32_t from, size_t bytes, unsigned capacity,
                          const char *expected)
{
    struct store_batch batches[20];
    unsigned count;
    assert_int_equal(store_read_results(kit->reader, 1, input_order, from, bytes, batches, capacity, &count), STORE_OK);
    char got[200] = "";
    for (unsigned i = 0; i < count; i++) {
        struct store_batch *batch = &batches[i];
        snprintf(got + strlen(got), sizeof got - strlen(got), "%u:%u+%u%s ", batch->position, batch->first,
                 batch->count, batch->lines == NULL ? "c" : "");
        struct blob *lines = kit_lines(batch->first, batch->count, true);
        if (batch->lines != NULL)
            assert_memory_equal(batch->lines->data, lines->data, lines->length + 1);
        blob_unref(&lines);
        blob_unref(&batch->lines);
    }
    assert_string_equal(got, expected);
}

static void results_come_in_both_orders_from_anywhere(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 100);
    kit_have_job(kit, 2, 100);
    struct store_write *write = kit_write();
    kit_put_result(write, 1, 0, 10, 10);
    kit_put_result(write, 1, 10, 0, 10);
    kit_put_result(write, 1, 20, 40, 10);
    kit_put_cancelled(write, 1, 30, 20, 20);
    kit_put_cancelled(write, 1, 50, 60, 10);
    kit_put_result(write, 2, 0, 0, 10);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    check_results(kit, false, 0, SIZE_MAX, 20, "0:10+10 10:0+10 20:40+10 30:20+20c 50:60+10c ");
    check_results(kit, false, 15, SIZE_MAX, 20, "10:0+10 20:40+10 30:20+20c 50:60+10c ");
    check_results(kit, false, 60, SIZE_MAX, 20, "");
    check_results(kit, true, 0, SIZE_MAX, 20, "10:0+10 0:10+10 30:20+20c 20:40+10 "); /* a gap at 50 */
    check_results(kit, true, 29, SIZE_MAX, 20, "30:20+20c 20:40+10 ");
    check_results(kit, true, 50, SIZE_MAX, 20, "");
    check_results(kit, true, 60, SIZE_MAX, 20, "50:60+10c ");
    check_results(kit, true, 0, 1, 20, "10:0+10 "); /* at least one */
    check_results(kit, false, 0, 300, 20, "0:10+10 10:0+10 ");
    check_results(kit, false, 0, SIZE_MAX, 3, "0:10+10 10:0+10 20:40+10 ");
    check_results(kit, false, 0, SIZE_MAX, 0, "");
}

static void note_batch(void *context, const struct store_batch *batch)
{
    char *text = context;
    assert_null(batch->lines);
    sprintf(text + strlen(text), "%u:%u+%u/%u ", batch->position, batch->first, batch->count, batch->failed);
}

static void a_start_learns_which_items_are_done(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 30);
    struct store_write *write = kit_write();
    kit_put_result(write, 1, 0, 20, 5);
    write->first->failed = 3;
    kit_put_cancelled(write, 1, 5, 0, 7);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    char done[100] = "";
    assert_int_equal(store_read_done(kit->reader, 1, note_batch, done), STORE_OK);
    assert_string_equal(done, "5:0+7/0 0:20+5/3 ");
    assert_int_equal(store_read_done(kit->reader, 2, note_batch, done), STORE_OK);
}

static void note_attempt(void *context, const struct store_attempt *attempt)
{
    char *text = context;
    assert_string_equal(attempt->message, "oh");
    assert_int_equal(attempt->exit_code, -1);
    sprintf(text + strlen(text), "%u=%s ", attempt->number, failure_name(attempt->failure));
}

static void note_job_attempt(void *context, uint32_t index, const struct store_attempt *attempt)
{
    char *text = context;
    sprintf(text + strlen(text), "%u/", index);
    note_attempt(context, attempt);
}

static void attempts_are_told_by_item_and_age(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 30);
    kit_have_job(kit, 2, 30);
    struct store_write *write = kit_write();
    kit_put_attempt(write, 1, 8, 1, FAILURE_CRASH);
    kit_put_attempt(write, 1, 3, 1, FAILURE_INTERRUPTED);
    kit_put_attempt(write, 2, 3, 1, FAILURE_ERROR);
    kit_put_attempt(write, 1, 3, 1, FAILURE_TIMEOUT);
    kit_put_attempt(write, 1, 3, 2, FAILURE_MEMORY);
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    char item[200] = "", job[200] = "";
    assert_int_equal(store_read_attempts(kit->reader, 1, 3, note_attempt, item), STORE_OK);
    assert_string_equal(item, "1=interrupted 1=timeout 2=memory ");
    assert_int_equal(store_read_job_attempts(kit->reader, 1, note_job_attempt, job), STORE_OK);
    assert_string_equal(job, "3/1=interrupted 3/1=timeout 3/2=memory 8/1=crash ");
}

struct outputs {
    int64_t last;
    char text[200];
};

static void note_output(void *context, const struct store_output *output)
{
    struct outputs *outputs = context;
    assert_true(output->id > outputs->last);
    outputs->last = output->id;
    snprintf(outputs->text + strlen(outputs->text), 100, "%u/%u/%u=%.*s ", output->index, output->attempt,
             output->stream, (int)output->length, output->bytes);
}

static void check_output(struct kit *kit, int64_t index, unsigned limit, struct outputs *outputs, const char *expected)
{
    outputs->text[0] = '\0';
    assert_int_equal(store_read_output(kit->reader, 1, index, outputs->last, limit, note_output, outputs), STORE_OK);
    assert_string_equal(outputs->text, expected);
}

static void output_is_paged_by_item_or_job(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 30);
    kit_have_job(kit, 2, 30);
    struct store_write *write = kit_write();
    kit_put_output(write, 1, 4, 1, "a");
    kit_put_output(write, 2, 4, 1, "no");
    kit_put_output(write, 1, 2, 2, "b");
    kit_put_output(write, 1, 4, 2, "");
    kit_put_output(write, 1, 4, 2, "d");
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    struct outputs job = {0, ""}, item = {0, ""};
    check_output(kit, -1, 3, &job, "4/1/1=a 2/1/2=b 4/1/2= ");
    check_output(kit, -1, 3, &job, "4/1/2=d ");
    check_output(kit, -1, 3, &job, "");
    check_output(kit, 4, 2, &item, "4/1/1=a 4/1/2= ");
    check_output(kit, 4, 2, &item, "4/1/2=d ");
}

static void a_key_finds_its_job_until_it_is_dropped(void **state)
{
    struct kit *kit = *state;
    struct store_write *write = kit_write();
    for (int seq = 1; seq <= 2; seq++) {
        struct job_view view = kit_job(seq, JOB_READY);
        struct store_op *op = kit_put_job(write, &view);
        op->key = strdup(seq == 1 ? "one" : "two");
        op->fingerprint = UINT64_MAX - (uint64_t)seq;
    }
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    int64_t seq = 0;
    uint64_t fingerprint = 0;
    assert_int_equal(store_read_key(kit->reader, "two", &seq, &fingerprint), STORE_OK);
    assert_true(seq == 2 && fingerprint == UINT64_MAX - 2);
    assert_int_equal(store_read_key(kit->reader, "three", &seq, &fingerprint), STORE_NOT_FOUND);
    write = kit_write();
    store_write_add(write, STORE_KEY_DROP, 1);
    struct job_view again = kit_job(3, JOB_READY);
    kit_put_job(write, &again)->key = strdup("one"); /* the same write may give it to another */
    assert_int_equal(kit_commit(kit, write), STORE_OK);
    assert_int_equal(store_read_key(kit->reader, "one", &seq, &fingerprint), STORE_OK);
    assert_int_equal(seq, 3);
}

static void the_reaper_takes_slices_and_remembers_the_last_seq(void **state)
{
    struct kit *kit = *state;
    for (int seq = 1; seq <= 3; seq++) {
        kit_have_job(kit, seq, 50);
        struct store_write *write = kit_write();
        kit_put_result(write, seq, 0, 0, 10);
        kit_put_attempt(write, seq, 0, 1, FAILURE_CRASH);
        kit_put_output(write, seq, 0, 1, "x");
        assert_int_equal(kit_commit(kit, write), STORE_OK);
    }
    end_job(kit, 1, 0);
    end_job(kit, 2, 1000);
    end_job(kit, 3, 0);
    delete_job(kit, 3);
    struct store_reap reap = kit_reap(kit, 999, 4);
    assert_true(reap.more && reap.jobs_removed == 0 && reap.status == STORE_OK);
    reap = kit_reap(kit, 999, 10);
    assert_true(!reap.more && reap.jobs_removed == 1);
    assert_int_equal(kit_job_status(kit, 3, 0), STORE_GONE);
    int64_t last;
    assert_int_equal(store_read_last_seq(kit->reader, &last), STORE_OK);
    assert_int_equal(last, 3);
    reap = kit_reap(kit, 1000, 100);
    assert_true(!reap.more && reap.jobs_removed == 1);
    assert_int_equal(kit_job_status(kit, 2, 0), STORE_GONE);
    assert_int_equal(kit_job_status(kit, 1, INT64_MAX), STORE_OK);
    char done[100] = "";
    assert_int_equal(store_read_done(kit->reader, 2, note_batch, done), STORE_OK);
    assert_string_equal(done, "");
    assert_int_equal(store_read_done(kit->reader, 1, note_batch, done), STORE_OK);
    assert_string_equal(done, "0:0+10/0 ");
}

static void writes_that_queue_up_are_one_commit(void **state)
{
    struct kit *kit = *state;
    struct store_write *writes[50];
    struct store_stats before, after;
    store_stats(kit->store, &before);
    for (int i = 0; i < 50; i++) {
        struct job_view view = kit_job(i + 1, JOB_READY);
        writes[i] = kit_write();
        kit_put_job(writes[i], &view);
        store_put_write(kit->store, writes[i]);
    }
    assert_true(store_turn(kit->store));
    store_stats(kit->store, &after);
    assert_int_equal(after.commits - before.commits, 1);
    assert_true(after.commit.sum_ns >= before.commit.sum_ns && after.free_bytes > 0);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(writes[i]->status, STORE_OK);
        store_write_free(&writes[i]);
        assert_null(writes[i]);
    }
    store_write_free(&writes[0]);
}

static enum store_status try_job(struct kit *kit, int64_t seq)
{
    struct job_view view = kit_job(seq, JOB_READY);
    struct store_write *write = kit_write();
    kit_put_job(write, &view);
    return kit_commit(kit, write);
}

static void a_full_disk_leaves_nothing_and_may_pass(void **state)
{
    struct kit *kit = *state;
    store_fail_commit(kit->store, 2, STORE_FULL);
    assert_int_equal(try_job(kit, 1), STORE_OK);
    assert_int_equal(try_job(kit, 2), STORE_FULL);
    assert_int_equal(kit_job_status(kit, 2, 0), STORE_NOT_FOUND);
    assert_int_equal(try_job(kit, 2), STORE_OK);
    assert_int_equal(kit_job_status(kit, 2, 0), STORE_OK);
}

static void an_unknown_outcome_ends_all_writing(void **state)
{
    struct kit *kit = *state;
    kit_have_job(kit, 1, 5);
    store_fail_commit(kit->store, 1, STORE_IO);
    assert_int_equal(try_job(kit, 2), STORE_IO);
    assert_int_equal(try_job(kit, 3), STORE_IO);
    assert_int_equal(kit_reap(kit, INT64_MAX, 10).status, STORE_IO);
    assert_int_equal(kit_job_status(kit, 3, 0), STORE_NOT_FOUND);
    struct store_load load = {.seq = 1, .done = leave_load}; /* reading goes on */
    store_put_load(kit->store, &load);
    assert_true(store_turn(kit->store));
    assert_int_equal(load.status, STORE_OK);
    blob_unref(&load.items);
}

static void count_done(struct store_write *write)
{
    assert_int_equal(write->status, STORE_OK);
    ++*(int *)write->owner;
    store_write_free(&write);
}

static void the_thread_executes_all_before_it_stops(void **state)
{
    struct kit *kit = *state;
    int done = 0;
    assert_int_equal(store_start(kit->store, NULL), 0);
    for (int i = 0; i < 200; i++) {
        struct job_view view = kit_job(i + 1, JOB_READY);
        struct store_write *write = kit_write();
        kit_put_job(write, &view);
        write->done = count_done;
        write->owner = &done;
        store_put_write(kit->store, write);
    }
    store_stop(kit->store);
    assert_int_equal(done, 200);
    assert_int_equal(kit_job_status(kit, 200, 0), STORE_OK);
}

#define ON(backend, test)                                                                                              \
    {                                                                                                                  \
#test " (" #backend ")", test, kit_open_##backend, kit_close, NULL                                             \
    }
#define BOTH(test) ON(memory, test), ON(sqlite, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_job_comes_back_as_it_was_put),
        BOTH(an_update_changes_what_moves_and_nothing_else),
        BOTH(growth_and_progress_do_not_forget_each_other),
        BOTH(links_lead_to_the_newest_retry),
        BOTH(gone_is_not_the_same_as_never_there),
        BOTH(expired_and_deleted_jobs_are_gone_from_every_answer),
        BOTH(lists_are_newest_first_filtered_and_paged),
        BOTH(a_start_finds_what_has_not_ended),
        BOTH(a_chunk_is_found_by_any_of_its_items),
        BOTH(a_retry_keeps_where_its_items_came_from),
        BOTH(loads_are_answered),
        BOTH(results_come_in_both_orders_from_anywhere),
        BOTH(a_start_learns_which_items_are_done),
        BOTH(attempts_are_told_by_item_and_age),
        BOTH(output_is_paged_by_item_or_job),
        BOTH(a_key_finds_its_job_until_it_is_dropped),
        BOTH(the_reaper_takes_slices_and_remembers_the_last_seq),
        BOTH(writes_that_queue_up_are_one_commit),
        BOTH(a_full_disk_leaves_nothing_and_may_pass),
        BOTH(an_unknown_outcome_ends_all_writing),
        BOTH(the_thread_executes_all_before_it_stops),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
