/* shared: see shared.h. */
#include "engine/shared.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"

enum { SLOTS_MIN = 64, SLOTS_KEPT = 4096, OP_COST = 128 };

/* ---- what the present turn writes ---- */

static size_t hash(int64_t id, const char *key, size_t length)
{
    uint64_t h = (uint64_t)id * 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)key[i]) * 0x100000001B3u;
    return (size_t)(h ^ h >> 29);
}

static struct store_op **find(const struct unwritten *u, int64_t id, const char *key, size_t length)
{
    size_t at = hash(id, key, length) & (u->capacity - 1);
    for (;; at = (at + 1) & (u->capacity - 1)) {
        const struct store_op *op = u->slots[at];
        if (!op || (op->seq == id && op->key_length == length && memcmp(op->data, key, length) == 0))
            return &u->slots[at];
    }
}

static void make(struct unwritten *u, size_t capacity)
{
    u->slots = calloc(capacity, sizeof(struct store_op *));
    CHECK(u->slots, "out of memory");
    u->capacity = capacity;
}

static void grow(struct unwritten *u)
{
    struct unwritten old = *u;
    make(u, old.capacity * 2);
    for (size_t i = 0; i < old.capacity; i++) {
        struct store_op *op = old.slots[i];
        if (op)
            *find(u, op->seq, op->data, op->key_length) = op;
    }
    free(old.slots);
}

static size_t cost(const struct store_op *op)
{
    return OP_COST + op->key_length + op->length;
}

/* The place of the newest change of this entry; an older one of the same turn will not be executed. */
static struct store_op **place(struct core *core, struct store_write *write, int64_t id, const char *key, size_t length)
{
    struct unwritten *u = &core->shared->unwritten;
    if (!u->capacity)
        make(u, SLOTS_MIN);
    if (u->count >= u->capacity / 2)
        grow(u);
    struct store_op **slot = find(u, id, key, length);
    if (*slot) {
        if ((*slot)->bytes)
            write->bytes -= (*slot)->length;
        store_op_cancel(*slot);
    } else {
        u->count++;
    }
    return slot;
}

void shared_flushed(struct core *core)
{
    struct unwritten *u = core->shared ? &core->shared->unwritten : NULL;
    if (!u || !u->count)
        return;
    if (u->capacity > SLOTS_KEPT) {
        free(u->slots);
        *u = (struct unwritten){0};
    } else {
        memset(u->slots, 0, u->capacity * sizeof(struct store_op *));
        u->count = 0;
    }
}

/* ---- ports ---- */

/* Read-only (after a storage error) nothing is written: calls that would are refused, but a start may want to note
 * something. */
static struct store_write *write_of(struct core *core)
{
    return core->config->read_only ? NULL : turn_current(core)->write;
}

static int64_t port_now(void *context)
{
    struct core *core = context;
    return core->ports.now_ns(core->ports.context);
}

static int64_t port_wall(void *context)
{
    struct core *core = context;
    return core->ports.wall_ms(core->ports.context);
}

static void port_object_put(void *context, int64_t id, enum object_kind kind, const char *name, const char *config,
                            size_t length)
{
    struct store_write *write = write_of(context);
    if (write)
        write->bytes += cost(store_write_object(write, id, kind, name, config, length));
}

static void port_object_drop(void *context, int64_t id)
{
    struct core *core = context;
    struct store_write *write = write_of(core);
    if (write)
        store_write_add(write, STORE_OBJECT_DROP, id);
    core->reap_ns = 0; /* its entries go soon */
}

static void port_entry_put(void *context, int64_t id, const char *key, size_t key_length, const char *value,
                           size_t length)
{
    struct store_write *write = write_of(context);
    if (!write)
        return;
    struct store_op **slot = place(context, write, id, key, key_length);
    *slot = store_write_entry(write, id, key, key_length, value, length);
    write->bytes += cost(*slot);
}

static void port_entry_drop(void *context, int64_t id, const char *key, size_t key_length)
{
    struct store_write *write = write_of(context);
    if (!write)
        return;
    struct store_op **slot = place(context, write, id, key, key_length);
    *slot = store_write_entry_drop(write, id, key, key_length);
    write->bytes += cost(*slot);
}

/* ---- recovery ---- */

struct recovery {
    struct objects *objects;
    struct error *error;
    int64_t *ids;
    size_t count, capacity;
    int64_t id; /* whose entries are read */
    bool failed;
};

static bool restore_object(void *context, int64_t id, uint32_t kind, const char *name, const char *config,
                           size_t length)
{
    struct recovery *r = context;
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 64;
        r->ids = realloc(r->ids, r->capacity * sizeof *r->ids);
        CHECK(r->ids, "out of memory");
    }
    r->ids[r->count++] = id;
    r->failed = objects_restore_object(r->objects, id, (enum object_kind)kind, name, config, length, r->error) != 0;
    return !r->failed;
}

static bool restore_entry(void *context, const char *key, size_t key_length, const char *value, size_t length)
{
    struct recovery *r = context;
    r->failed = objects_restore_entry(r->objects, r->id, key, key_length, value, length, r->error) != 0;
    return !r->failed;
}

static int restore(struct core *core, struct recovery *r)
{
    if (store_read_objects(core->reader, restore_object, r) != STORE_OK)
        return error_set(r->error, "cannot read the shared objects");
    for (size_t i = 0; i < r->count && !r->failed; i++) {
        r->id = r->ids[i];
        if (store_read_entries(core->reader, r->id, restore_entry, r) != STORE_OK)
            return error_set(r->error, "cannot read the entries of object %lld", (long long)r->id);
    }
    if (r->count && !r->failed)
        log_event(LOG_INFO, "objects.restored", "objects=%zu", r->count);
    return r->failed ? -1 : objects_restored(r->objects, r->error);
}

int shared_open(struct core *core, struct error *error)
{
    const struct object_ports ports = {.context = core,
                                       .now_ns = port_now,
                                       .wall_ms = port_wall,
                                       .object_put = port_object_put,
                                       .object_drop = port_object_drop,
                                       .entry_put = port_entry_put,
                                       .entry_drop = port_entry_drop};
    char folder[sizeof core->config->data + sizeof "/objects"];
    snprintf(folder, sizeof folder, "%s/objects", core->config->data);
    core->shared = calloc(1, sizeof *core->shared);
    CHECK(core->shared, "out of memory");
    core->shared->called = true; /* what was restored may be due */
    core->shared->next_ns = INT64_MAX;
    core->shared->objects =
        objects_new(&ports, core->config->data[0] ? folder : NULL, (size_t)core->config->max_objects, error);
    if (!core->shared->objects)
        return -1;
    struct recovery r = {.objects = core->shared->objects, .error = error};
    int result = restore(core, &r);
    free(r.ids);
    return result;
}

void shared_close(struct core *core)
{
    struct shared *shared = core->shared;
    if (!shared)
        return;
    objects_free(&shared->objects);
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        struct callers *callers = core->workers[i].callers;
        core->workers[i].callers = NULL;
        if (callers)
            free(callers->items);
        free(callers);
    }
    free(shared->unwritten.slots);
    buf_free(&shared->text);
    free(shared);
    core->shared = NULL;
}

/* ---- time ---- */

void shared_tick(struct core *core)
{
    struct shared *shared = core->shared;
    if (!shared || (!shared->called && shared->next_ns == INT64_MAX))
        return;
    int64_t now = core->ports.now_ns(core->ports.context);
    if (!shared->called && now < shared->next_ns)
        return;
    shared->called = false;
    shared->next_ns = objects_tick(shared->objects, now);
}

/* ---- who waits ---- */

bool shared_is_waiting(const struct worker *worker)
{
    return worker->callers && worker->callers->waiting > 0;
}

bool shared_waits(const struct core *core, const struct worker *worker, uint32_t index, char *text, size_t size)
{
    struct object_holder holder = {worker->run, index};
    return shared_is_waiting(worker) && objects_waits(core->shared->objects, &holder, text, size);
}

static bool all_wait(const struct core *core)
{
    unsigned waiting = 0;
    for (unsigned i = 0; i < core->worker_top && i < core->processes; i++) {
        const struct worker *worker = &core->workers[i];
        waiting += worker->present && !worker->extra && shared_is_waiting(worker);
    }
    return core->processes > 0 && waiting == core->processes;
}

/* Items that could run are kept from it by items that wait, perhaps for them. */
void shared_watch(struct core *core, int64_t now)
{
    struct shared *shared = core->shared;
    if (!all_wait(core) || queue_empty(&core->pool_queue)) {
        shared->full_ns = 0;
        shared->stuck = false;
        return;
    }
    if (!shared->full_ns)
        shared->full_ns = now;
    if (shared->stuck || now - shared->full_ns < STUCK_NS)
        return;
    shared->stuck = true;
    log_event(LOG_WARNING, "pool.stuck", "workers=%u note=\"all wait for shared objects while items are ready\"",
              core->processes);
}

/* ---- what is not taken ---- */

static bool is_one_of(const char *op, const char *const *names)
{
    while (*names && strcmp(*names, op) != 0)
        names++;
    return *names != NULL;
}

static bool only_reads(const struct object_call *call)
{
    static const char *const reading[] = {"list",  "inspect", "size",  "len",   "contains", "keys", "values",
                                          "items", "slice",   "index", "count", "poll",     "read", NULL};
    return is_one_of(call->op, reading) || (strcmp(call->op, "get") == 0 && call->kind != OBJECT_QUEUE);
}

/* Tasks see to their objects in each item: what is there already costs nothing. */
static bool adds(const struct core *core, const struct object_call *call)
{
    static const char *const adding[] = {"put",    "send",   "set",       "setdefault", "update", "append",
                                         "extend", "insert", "set_slice", "write",      NULL};
    if (strcmp(call->op, "create") == 0)
        return !objects_has(core->shared->objects, call->kind, call->name);
    return is_one_of(call->op, adding);
}

enum engine_status shared_refusal(const struct core *core, const struct object_call *call)
{
    bool outside = call->holder.run == 0;
    bool full = core->turn && core->turn->write->bytes > UNWRITTEN_MAX + (size_t)core->config->max_objects;
    if (only_reads(call))
        return ENGINE_OK;
    if (core->storage_failed || core->config->read_only)
        return ENGINE_STORE_FAILED;
    if (full || (core->storage_full && (outside || adds(core, call))) || (core->space_low && adds(core, call)))
        return ENGINE_STORE_FULL;
    return ENGINE_OK;
}
