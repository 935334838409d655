/* probes: finding out what a runtime or plugin offers, by letting an idle worker load it; and which worker knows and
 * has warm what. A worker that probes is busy: loading may take its time, or its life. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/signal_name.h"
#include "engine/functions.h"
#include "engine/lines.h"
#include "wire/scan.h"

#define LOAD_SPARE_NS (5 * NS_PER_S) /* beyond what the worker itself allows */
enum { COLD = 1000 };                /* above every rank of a warm one */

/* ---- what a worker knows ---- */

void definition_send(struct core *core, struct worker *worker, const struct definition *definition)
{
    for (size_t i = worker->defined_count; i-- > 0;) {
        if (worker->defined[i] == definition->number)
            return;
    }
    if (worker->defined_count == worker->defined_capacity) {
        worker->defined_capacity = worker->defined_capacity ? worker->defined_capacity * 2 : 8;
        worker->defined = realloc(worker->defined, worker->defined_capacity * sizeof *worker->defined);
        CHECK(worker->defined, "out of memory");
    }
    worker->defined[worker->defined_count++] = definition->number;
    core->ports.define(core->ports.context, worker->slot, worker->generation, definition->number,
                       manifest_text(definition->manifest));
}

/* Its place among those that the worker ran, or -1. */
static int recency(const struct worker *worker, const struct definition *definition)
{
    for (int i = 0; i < RECENT_DEFINITIONS; i++) {
        if (worker->recent[i] == definition->number)
            return i;
    }
    return -1;
}

void definition_ran(struct worker *worker, const struct definition *definition)
{
    if (definition->manifest->kind == MANIFEST_EXEC || worker->recent[0] == definition->number)
        return;
    int place = recency(worker, definition);
    size_t before = place < 0 ? RECENT_DEFINITIONS - 1 : (size_t)place;
    memmove(worker->recent + 1, worker->recent, before * sizeof *worker->recent);
    worker->recent[0] = definition->number;
}

/* The lower the better: warm ones first, then those with the least to push out. */
static int rank(const struct core *core, const struct worker *worker, const struct definition *definition)
{
    int place = definition && definition->manifest->kind != MANIFEST_EXEC ? recency(worker, definition) : -1;
    bool plugin = place >= 0 && definition->manifest->kind == MANIFEST_PLUGIN; /* once loaded, it stays */
    if (place == 0 || plugin || (place > 0 && place < (int)core->config->idle_runtimes))
        return place;
    int others = 0;
    while (others < RECENT_DEFINITIONS && worker->recent[others])
        others++;
    return COLD + others;
}

struct worker *worker_for(struct core *core, const struct job *job)
{
    const struct definition *definition = function_definition(job->function);
    struct worker *best = NULL;
    int best_rank = 0;
    for (unsigned i = 0; i < core->worker_top; i++) {
        struct worker *worker = &core->workers[i];
        if (!worker_is_idle(core, worker))
            continue;
        int its_rank = rank(core, worker, definition);
        if (!best || its_rank < best_rank) {
            best = worker;
            best_rank = its_rank;
        }
    }
    return best;
}

void worker_forget(struct worker *worker)
{
    free(worker->defined);
    worker->defined = NULL;
    worker->defined_count = worker->defined_capacity = 0;
    definition_unref(&worker->probe);
    definition_unref(&worker->definition);
    blob_unref(&worker->progress);
}

/* ---- probing ---- */

static int64_t load_limit_ns(const struct core *core, const struct definition *definition)
{
    return (definition->manifest->start_timeout_ms + core->config->kill_grace_ms) * NS_PER_MS + LOAD_SPARE_NS;
}

static void probe_start(struct core *core, struct worker *worker, struct definition *definition)
{
    definition_probing(core, definition);
    worker->probe = definition_ref(definition);
    worker->probe_until_ns = core->ports.now_ns(core->ports.context) + load_limit_ns(core, definition);
    worker->since_ms = core->ports.wall_ms(core->ports.context);
    definition_send(core, worker, definition);
    core->ports.probe(core->ports.context, worker->slot, worker->generation, definition->number);
}

/* What hangs while it is loaded must leave some workers to the others. */
static bool may_probe(const struct core *core)
{
    unsigned probing = 0;
    for (unsigned i = 0; i < core->worker_top; i++)
        probing += core->workers[i].probe != NULL;
    return probing < (core->processes > 3 ? core->processes / 2 : 1);
}

void probes_turn(struct core *core)
{
    int64_t now = core->ports.now_ns(core->ports.context);
    if (now < core->probe_ns)
        return;
    core->probe_ns = INT64_MAX;
    for (struct definition *definition = core->definitions; definition; definition = definition->hh.next) {
        if (definition->state != DEFINITION_UNKNOWN && definition->state != DEFINITION_BROKEN)
            continue;
        struct worker *worker = definition->retry_ns <= now && may_probe(core) ? worker_idle(core) : NULL;
        if (worker)
            probe_start(core, worker, definition);
        else if (definition->retry_ns < core->probe_ns)
            core->probe_ns = definition->retry_ns;
    }
}

uint32_t worker_loads(const struct worker *worker)
{
    bool ours = atomic_load(&worker->board->generation) == worker->generation;
    return ours ? atomic_load(&worker->board->loading) : 0;
}

static bool is_late(const struct core *core, const struct worker *worker, int64_t now)
{
    if (worker->probe)
        return now > worker->probe_until_ns;
    return worker->job && worker->definition && worker_loads(worker) == worker->definition->number &&
           now - worker->started_ns > load_limit_ns(core, worker->definition);
}

void probes_tick(struct core *core, int64_t now)
{
    for (unsigned i = 0; i < core->worker_top; i++) {
        struct worker *worker = &core->workers[i];
        if (!worker->present || worker->stopping || !is_late(core, worker, now))
            continue;
        worker->late = true;
        stop_worker(core, worker, worker->probe ? STOP_PROTOCOL : STOP_TIMEOUT);
    }
}

static void probe_end(struct core *core, struct worker *worker)
{
    definition_unref(&worker->probe);
    worker->since_ms = core->ports.wall_ms(core->ports.context);
}

/* One line of text, whatever came; whose it is, is said elsewhere. */
static void read_reason(const struct definition *definition, char *text, size_t size, const char *bytes, size_t length)
{
    size_t own = strlen(definition->manifest->name);
    if (length > own + 2 && memcmp(bytes, definition->manifest->name, own) == 0 && memcmp(bytes + own, ": ", 2) == 0) {
        bytes += own + 2;
        length -= own + 2;
    }
    bool utf8 = scan_is_utf8(bytes, bytes + length);
    size_t used = length < size - 1 ? length : size - 1;
    while (utf8 && used < length && used > 0 && ((unsigned char)bytes[used] & 0xc0) == 0x80)
        used--;
    for (size_t i = 0; i < used; i++) {
        unsigned char c = (unsigned char)bytes[i];
        text[i] = c < 0x20 || c == 0x7f ? ' ' : c >= 0x80 && !utf8 ? '?' : (char)c;
    }
    text[used] = '\0';
    if (used == 0)
        snprintf(text, size, "it gave no reason");
}

void core_worker_offer(struct core *core, unsigned slot, unsigned generation, const struct message_offer *offer,
                       const char *offers, size_t length)
{
    struct worker *worker = worker_at(core, slot, generation);
    if (!worker)
        return;
    struct definition *definition = definition_numbered(core, offer->definition); /* NULL: a reload has replaced it */
    bool asked = worker->probe && worker->probe->number == offer->definition;
    struct error error;
    if (asked)
        probe_end(core, worker);
    if (!definition)
        return;
    if (!offer->ok)
        read_reason(definition, error.text, sizeof error.text, offers, length);
    if (!asked && !offer->ok)
        definition_doubtful(core, definition, error.text);
    if (!asked)
        return;
    if (!offer->ok || offers_take(core, definition, offers, length, &error) != 0) {
        definition_broken(core, definition, error.text);
        return;
    }
    definition_ran(worker, definition);
    definition_ready(core, definition);
}

/* What the worker wrote down of its own end, when it saw it coming; its plugin may have scribbled over it. */
static bool read_note(const struct worker *worker, const struct definition *definition, char *text, size_t size)
{
    for (unsigned i = 0; i < SCOREBOARD_LOADS; i++) {
        struct scoreboard_load note = worker->board->loads[i];
        size_t length = strnlen(note.reason, sizeof note.reason);
        if (note.definition != definition->number || length == 0 || strncmp(note.reason, "killed", 6) == 0)
            continue; /* "killed while…" stands there from the beginning: the signal says more */
        read_reason(definition, text, size, note.reason, length);
        return true;
    }
    return false;
}

static void tell_end(const struct worker *worker, const struct definition *definition,
                     const struct message_worker_gone *gone, char *text, size_t size)
{
    char name[16];
    if (read_note(worker, definition, text, size))
        return;
    if (worker->late)
        snprintf(text, size, "it did not start within %.3g s", (double)definition->manifest->start_timeout_ms / 1000);
    else if (gone->signal)
        snprintf(text, size, "killed by %s while it was being loaded", signal_name((int)gone->signal, name));
    else
        snprintf(text, size, "its process exited with status %u while it was being loaded", gone->exit_code);
}

void probe_worker_gone(struct core *core, struct worker *worker, const struct message_worker_gone *gone)
{
    char reason[sizeof((struct definition *)0)->problem];
    bool probing = worker->probe != NULL;
    struct definition *definition = definition_numbered(core, probing ? worker->probe->number : worker_loads(worker));
    bool by_us = worker->releasing || (worker->stopping && !worker->late && worker->stop_cause != STOP_PROTOCOL);
    if (probing)
        probe_end(core, worker);
    if (definition && !by_us) {
        tell_end(worker, definition, gone, reason, sizeof reason);
        definition_broken(core, definition, reason);
    } else if (definition && probing && definition->state == DEFINITION_PROBING) {
        definition_unprobed(core, definition);
    }
}
