#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects/inside.h"
#include "objects_kit.h"

/* ---- the store ---- */

struct kit_row {
    size_t length;
    char *value;
    int kind; /* of an object; 0: an entry */
    size_t key_length;
    UT_hash_handle hh;
    char key[]; /* of an object: its id; of an entry: its id and the key. Big endian, so that it sorts */
};

static size_t make_key(char *out, int64_t id, const char *key, size_t length)
{
    for (int i = 0; i < 8; i++)
        out[i] = (char)(unsigned char)((uint64_t)id >> (8 * (7 - i)));
    if (length)
        memcpy(out + 8, key, length);
    return 8 + length;
}

static int64_t id_of(const struct kit_row *row)
{
    uint64_t id = 0;
    for (int i = 0; i < 8; i++)
        id = id << 8 | (unsigned char)row->key[i];
    return (int64_t)id;
}

static void drop_row(struct kit *kit, struct kit_row *row)
{
    HASH_DEL(kit->rows, row);
    free(row->value);
    free(row);
}

static void put_row(struct kit *kit, int kind, const char *key, size_t key_length, const char *value, size_t length)
{
    struct kit_row *row;
    HASH_FIND(hh, kit->rows, key, key_length, row);
    if (row)
        drop_row(kit, row);
    row = calloc(1, sizeof *row + key_length);
    row->kind = kind;
    row->key_length = key_length;
    memcpy(row->key, key, key_length);
    row->value = malloc(length + 1);
    row->length = length;
    if (length)
        memcpy(row->value, value, length);
    HASH_ADD_KEYPTR(hh, kit->rows, row->key, key_length, row);
}

/* An object's value is its name, NUL, its configuration. */
static void object_put(void *context, int64_t id, enum object_kind kind, const char *name, const char *config,
                       size_t length)
{
    char key[8], value[4096];
    size_t name_length = strlen(name) + 1;
    assert_true(name_length + length <= sizeof value);
    memcpy(value, name, name_length);
    memcpy(value + name_length, config, length);
    put_row(context, (int)kind, key, make_key(key, id, NULL, 0), value, name_length + length);
}

static void object_drop(void *context, int64_t id)
{
    struct kit *kit = context;
    struct kit_row *row, *next;
    bool found = false;
    HASH_ITER(hh, kit->rows, row, next)
    {
        if (id_of(row) == id) {
            found = found || row->kind;
            drop_row(kit, row);
        }
    }
    assert_true(found);
}

static void entry_put(void *context, int64_t id, const char *key, size_t key_length, const char *value, size_t length)
{
    struct kit *kit = context;
    char *whole = malloc(8 + key_length);
    kit->puts++;
    put_row(kit, 0, whole, make_key(whole, id, key, key_length), value, length);
    free(whole);
}

static void entry_drop(void *context, int64_t id, const char *key, size_t key_length)
{
    struct kit *kit = context;
    struct kit_row *row;
    char *whole = malloc(8 + key_length);
    size_t whole_length = make_key(whole, id, key, key_length);
    kit->drops++;
    HASH_FIND(hh, kit->rows, whole, whole_length, row);
    free(whole);
    if (row)
        drop_row(kit, row);
}

static int64_t now_ns(void *context)
{
    return ((struct kit *)context)->now_ns;
}

static int64_t wall_ms(void *context)
{
    return ((struct kit *)context)->wall_ms;
}

static int by_key(struct kit_row *a, struct kit_row *b)
{
    size_t common = a->key_length < b->key_length ? a->key_length : b->key_length;
    int order = memcmp(a->key, b->key, common);
    return order ? order : a->key_length < b->key_length ? -1 : a->key_length > b->key_length;
}

/* ---- life ---- */

/* From what kit has stored; its own writes go to `to`. */
static struct objects *restore(struct kit *kit, struct kit *to)
{
    struct object_ports ports = {to, now_ns, wall_ms, object_put, object_drop, entry_put, entry_drop};
    struct error error = {""};
    struct kit_row *row, *next;
    struct objects *objects = objects_new(&ports, kit->folder, 256 * 1024 * 1024, &error);
    int bad = objects ? 0 : -1;
    HASH_SORT(kit->rows, by_key);
    HASH_ITER(hh, kit->rows, row, next)
    {
        size_t name = row->kind ? strlen(row->value) + 1 : 0;
        if (row->kind && !bad)
            bad = objects_restore_object(objects, id_of(row), (enum object_kind)row->kind, row->value,
                                         row->value + name, row->length - name, &error);
    }
    HASH_ITER(hh, kit->rows, row, next)
    {
        if (!row->kind && !bad)
            bad = objects_restore_entry(objects, id_of(row), row->key + 8, row->key_length - 8, row->value, row->length,
                                        &error);
    }
    if (bad || objects_restored(objects, &error) != 0)
        fail_msg("what was written cannot be restored: %s", error.text);
    return objects;
}

void kit_start(struct kit *kit)
{
    *kit = (struct kit){.now_ns = 1000, .wall_ms = 1700000000000, .check_restore = true, .kinds = ~0U};
    kit->objects = restore(kit, kit);
}

static void drop_rows(struct kit *kit)
{
    struct kit_row *row, *next;
    HASH_ITER(hh, kit->rows, row, next)
    {
        drop_row(kit, row);
    }
}

void kit_restart(struct kit *kit)
{
    struct kit lost = {.now_ns = kit->now_ns, .wall_ms = kit->wall_ms};
    kit->objects->ports.context = &lost; /* the dying one writes nothing any more */
    objects_free(&kit->objects);
    drop_rows(&lost);
    kit->objects = restore(kit, kit);
    objects_tick(kit->objects, kit->now_ns);
}

void kit_stop(struct kit *kit)
{
    objects_free(&kit->objects);
    drop_rows(kit);
}

void kit_advance(struct kit *kit, double seconds)
{
    kit->now_ns += (int64_t)llround(seconds * 1e9);
    kit->wall_ms += (int64_t)llround(seconds * 1e3);
    int64_t next = objects_tick(kit->objects, kit->now_ns);
    assert_true(next > kit->now_ns);
}

/* ---- the check ---- */

static void keep(struct object_call *call)
{
    (void)call;
}

/* The lists of all kinds, without the waiting ones, who are not stored. */
static void describe(struct kit *kit, struct objects *objects, struct buf *out)
{
    for (int kind = 1; kind < OBJECT_KINDS; kind++) {
        if (!object_kinds[kind] || !(kit->kinds & 1U << kind))
            continue;
        struct object_call call = {
            .kind = (enum object_kind)kind, .op = "list", .args = "{\"limit\":1000}", .done = keep};
        call.args_length = strlen(call.args);
        objects_call(objects, &call);
        assert_int_equal(call.status, OBJECT_OK);
        for (char *at = (char *)(uintptr_t)buf_cstr(&call.answer), *stop; (at = strstr(at, ",\"waiting\":")); at = stop)
            for (stop = at + 1; *stop != ','; stop++)
                *stop = '_';
        buf_append_text(out, buf_cstr(&call.answer));
        buf_append_char(out, '\n');
        buf_free(&call.answer);
    }
}

void kit_check_restore(struct kit *kit)
{
    if (kit->objects->holders)
        return; /* tasks hold something or wait, of which a restart knows nothing */
    struct buf here = BUF_EMPTY, there = BUF_EMPTY;
    describe(kit, kit->objects, &here);
    struct kit lost = {.now_ns = kit->now_ns, .wall_ms = kit->wall_ms};
    struct objects *second = restore(kit, &lost);
    describe(kit, second, &there);
    objects_free(&second);
    drop_rows(&lost);
    if (strcmp(buf_cstr(&here), buf_cstr(&there)) != 0)
        fail_msg("after a restart it would be\n%s, but it is\n%s", buf_cstr(&there), buf_cstr(&here));
    buf_free(&here);
    buf_free(&there);
}

static void check(struct kit *kit)
{
    if (kit->check_restore)
        kit_check_restore(kit);
}

/* ---- calls ---- */

static void done(struct object_call *call)
{
    struct kit_call *mine = call->owner;
    assert_false(mine->done);
    mine->done = true;
    mine->order = mine->kit->answers++;
    mine->text = call->answer.length ? buf_cstr(&call->answer) : "";
}

/* Apostrophes stand for quotes, so that tests can be read. */
static char *quoted(const char *text)
{
    char *copy = strdup(text ? text : "");
    for (char *at = copy; (at = strchr(at, '\'')); at++)
        *at = '"';
    return copy;
}

struct kit_call *kit_begin(struct kit *kit, uint64_t run, const char *object, const char *op, double wait,
                           const char *args)
{
    struct kit_call *call = calloc(1, sizeof *call);
    const char *slash = strchr(object, '/');
    assert_non_null(slash);
    assert_int_equal(object_kind_parse(object, (size_t)(slash - object), &call->call.kind), 0);
    snprintf(call->call.name, sizeof call->call.name, "%s", slash + 1);
    snprintf(call->call.op, sizeof call->call.op, "%s", op);
    call->kit = kit;
    char *mine = quoted(args);
    call->call.args = mine;
    call->call.args_length = strlen(mine);
    call->call.deadline_ns = wait < 0 ? INT64_MAX : wait > 0 ? kit->now_ns + (int64_t)llround(wait * 1e9) : 0;
    call->call.holder.run = run;
    snprintf(call->call.holder_name, sizeof call->call.holder_name, run ? "run %llu" : "http", (unsigned long long)run);
    call->call.done = done;
    call->call.owner = call;
    objects_call(kit->objects, &call->call);
    memset(mine, 'x', strlen(mine)); /* whoever keeps it must have copied it */
    free(mine);
    check(kit);
    return call;
}

void kit_end(struct kit_call **call)
{
    assert_true((*call)->done);
    buf_free(&(*call)->call.answer);
    free(*call);
    *call = NULL;
}

void kit_give_up(struct kit_call *call)
{
    kit_is_waiting(call);
    objects_give_up(call->kit->objects, &call->call);
    check(call->kit);
}

void kit_gone(struct kit *kit, uint64_t run, bool died)
{
    objects_holder_gone(kit->objects, &(struct object_holder){.run = run}, died);
    check(kit);
}

void kit_is_waiting(const struct kit_call *call)
{
    if (call->done)
        fail_msg("%s %s is done: %s %s %s", call->call.name, call->call.op, object_status_name(call->call.status),
                 call->text, call->call.problem);
}

void kit_answers(struct kit_call **call, enum object_status status, const char *answer)
{
    const struct object_call *it = &(*call)->call;
    char *wanted = quoted(answer);
    if (!(*call)->done)
        fail_msg("%s %s still waits", it->name, it->op);
    if (it->status != status)
        fail_msg("%s %s: %s (%s), not %s", it->name, it->op, object_status_name(it->status), it->problem,
                 object_status_name(status));
    if (answer && strcmp((*call)->text, wanted) != 0)
        fail_msg("%s %s: %s, not %s", it->name, it->op, (*call)->text, wanted);
    bool fine = status == OBJECT_OK || status == OBJECT_CREATED;
    if (fine == (it->problem[0] != '\0'))
        fail_msg("%s %s: %s with problem \"%s\"", it->name, it->op, object_status_name(status), it->problem);
    free(wanted);
    kit_end(call);
}

void kit_expect(struct kit *kit, uint64_t run, const char *object, const char *op, const char *args,
                enum object_status status, const char *answer)
{
    struct kit_call *call = kit_begin(kit, run, object, op, 0, args);
    kit_answers(&call, status, answer);
}

char *kit_text(struct kit *kit, uint64_t run, const char *object, const char *op, const char *args)
{
    struct kit_call *call = kit_begin(kit, run, object, op, 0, args);
    char *text = strdup(call->text);
    enum object_status status = call->call.status;
    kit_answers(&call, status == OBJECT_CREATED ? OBJECT_CREATED : OBJECT_OK, NULL);
    return text;
}

long long kit_number(const char *json, const char *member)
{
    char name[64];
    snprintf(name, sizeof name, "\"%s\":", member);
    const char *at = strstr(json, name);
    if (!at)
        fail_msg("no %s in %s", member, json);
    at += strlen(name);
    return strtoll(*at == '[' ? at + 1 : at, NULL, 10);
}
