// recorder: watches the pool for as long as the page is open, whatever view is shown: which worker ran what when, and
// how much was done. All of it is bounded. What was seen outlives a reload of the tab.

import { may } from "./access.js";
import { events, json, Refusal, text } from "./api.js";
import { parseMetrics, latencyOf } from "./metrics.js";
import { poll } from "./poll.js";

const WORKERS_MS = 1000, METRICS_MS = 2000;
const SAMPLES_MAX = 900; // half an hour
const SPANS_MAX = 4000;
const STORED = "poold-seen", STORED_SPANS_MAX = 1500;

function restored() {
    try {
        return JSON.parse(sessionStorage.getItem(STORED)) || {};
    } catch {
        return {};
    }
}

class Recorder extends EventTarget {
    workers = null; // as /v1/workers has them, or null
    pool = null;
    spans = [];     // {slot, generation, pid, job, function, item, attempt, start, end, items, running}
    metrics = null; // of the last look: a Map from name{labels} to the number
    samples = [];   // {at, succeeded, failed, cancelled: items/s; run, total: {p50, p95} in seconds, or null}
    refused = null; // why it may not look
    #open = new Map();
    #seen = new Map();
    #before = null;

    start() {
        const refuse = (error) => {
            this.refused = error;
            this.dispatchEvent(new Event("workers"));
        };
        this.#restore();
        const keep = () => this.#keep();
        addEventListener("pagehide", keep);
        events.addEventListener("forget", () => removeEventListener("pagehide", keep));
        this.polling = poll(WORKERS_MS, () => this.#lookAtWorkers(), refuse);
        poll(METRICS_MS, () => this.#lookAtMetrics(), (error) => {
            if (!(error instanceof Refusal))
                throw error;
        });
    }

    now() {
        this.polling.now();
    }

    #restore() {
        const { spans = [], samples = [] } = restored();
        this.spans = spans;
        this.samples = samples;
        sessionStorage.removeItem(STORED);
    }

    #keep() {
        const spans = this.spans.slice(-STORED_SPANS_MAX).map((span) => ({ ...span, key: "", running: false }));
        try {
            sessionStorage.setItem(STORED, JSON.stringify({ spans, samples: this.samples }));
        } catch {
            // there is no room: it begins with nothing then
        }
    }

    async #lookAtWorkers() {
        if (!may("read"))
            return;
        const [pool, { workers }] = await Promise.all([json("/v1/pool"), json("/v1/workers")]);
        const now = Date.now();
        this.refused = null;
        this.pool = pool;
        this.workers = workers;
        for (const worker of workers)
            this.#record(worker, now);
        this.#closeGone(workers);
        if (this.spans.length > SPANS_MAX)
            this.spans.splice(0, this.spans.length - SPANS_MAX);
        this.dispatchEvent(new Event("workers"));
    }

    #closeGone(workers) {
        const there = new Set(workers.map((worker) => worker.slot));
        for (const [slot, span] of this.#open)
            if (!there.has(slot)) {
                span.running = false;
                this.#open.delete(slot);
                this.#seen.delete(slot);
            }
    }

    // What a worker did between two looks is known by how many items it has done since.
    #record(worker, now) {
        const key = `${worker.generation} ${worker.job} ${worker.item} ${worker.attempt}`;
        const open = this.#open.get(worker.slot), seen = this.#seen.get(worker.slot);
        if (open && open.key === key) {
            open.end = now;
        } else {
            const since = Math.min(now, Math.max(Date.parse(worker.since), seen?.at || 0));
            if (open)
                this.#close(open, worker, seen, since);
            this.#open.delete(worker.slot);
            if (worker.job)
                this.#begin(worker, key, open ? since : Math.min(now, Date.parse(worker.since)), now);
        }
        this.#seen.set(worker.slot, { at: now, done: worker.items_done, generation: worker.generation });
    }

    #close(open, worker, seen, since) {
        open.running = false;
        open.key = "";
        const done = worker.generation === open.generation ? worker.items_done - seen.done : 1;
        if (done === 1)
            open.end = since;
        else if (done > 1 && worker.job === open.job && since > open.end)
            this.spans.push({ ...open, key: "", item: null, attempt: null, start: open.end, end: since, items: done - 1 });
    }

    // What ran when the page was loaded anew is still the same.
    #goesOn(worker) {
        return this.spans.findLast((span) => span.slot === worker.slot && span.generation === worker.generation
            && span.job === worker.job && span.item === worker.item && span.attempt === worker.attempt && !span.running);
    }

    #begin(worker, key, start, now) {
        const before = this.#goesOn(worker);
        if (before) {
            this.#open.set(worker.slot, Object.assign(before, { key, end: now, running: true }));
            return;
        }
        const span = {
            key, slot: worker.slot, generation: worker.generation, pid: worker.pid, job: worker.job,
            function: worker.function, item: worker.item, attempt: worker.attempt,
            start, end: now, items: 1, running: true,
        };
        this.#open.set(worker.slot, span);
        this.spans.push(span);
    }

    // Of the items seen to end since then: what a service that counts no latencies cannot tell.
    #seenLatency(since) {
        const took = this.spans.filter((span) => !span.running && span.items === 1 && span.end > since)
            .map((span) => (span.end - span.start) / 1000).sort((a, b) => a - b);
        const at = (q) => took[Math.min(took.length - 1, Math.floor(q * took.length))];
        return took.length ? { p50: at(0.5), p95: at(0.95) } : null;
    }

    async #lookAtMetrics() {
        if (!may("read"))
            return;
        const metrics = parseMetrics(await text("/metrics", { headers: { Accept: "text/plain" } }));
        const at = Date.now(), before = this.#before;
        this.#before = { at, metrics };
        this.metrics = metrics;
        if (!before || at - before.at > 30 * METRICS_MS)
            return; // a gap is no rate
        const seconds = (at - before.at) / 1000;
        const of = (state) => {
            const name = `poold_items_ended_total{state="${state}"}`;
            const grown = (metrics.get(name) ?? 0) - (before.metrics.get(name) ?? 0);
            return Math.max(0, grown) / seconds; // it began anew after a restart
        };
        const latency = latencyOf(before.metrics, metrics);
        this.samples.push({
            at, succeeded: of("succeeded"), failed: of("failed"), cancelled: of("cancelled"),
            run: latency.counted ? latency.run : this.#seenLatency(before.at), total: latency.total,
        });
        if (this.samples.length > SAMPLES_MAX)
            this.samples.shift();
        this.dispatchEvent(new Event("samples"));
    }
}

export const recorder = new Recorder();
