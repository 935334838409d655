// trace: what the recorder has seen, as Chrome's trace events: Perfetto and chrome://tracing read them.

import { h } from "./dom.js";

const PROCESS = 1;
// Perfetto keeps thread 0 for the idle processor.
const thread = (slot) => slot + 1;

function names(slots) {
    const named = [{ name: "process_name", ph: "M", pid: PROCESS, tid: 0, args: { name: `poold ${location.host}` } }];
    for (const slot of slots)
        named.push(
            { name: "thread_name", ph: "M", pid: PROCESS, tid: thread(slot), args: { name: `worker ${slot}` } },
            { name: "thread_sort_index", ph: "M", pid: PROCESS, tid: thread(slot), args: { sort_index: slot } });
    return named;
}

function event(span) {
    const several = span.item === null;
    return {
        name: several ? `${span.function} × ${span.items}` : `${span.function} ${span.item}`,
        cat: several ? "items" : "item", ph: "X", pid: PROCESS, tid: thread(span.slot),
        ts: span.start * 1000, dur: Math.max(0, span.end - span.start) * 1000, // µs
        args: {
            job: span.job, function: span.function, item: span.item, attempt: span.attempt, items: span.items,
            running: span.running, worker: span.slot, process: span.pid, generation: span.generation,
        },
    };
}

export function trace(spans) {
    const slots = [...new Set(spans.map((span) => span.slot))].sort((a, b) => a - b);
    return {
        displayTimeUnit: "ms",
        traceEvents: [...names(slots), ...spans.map(event).sort((a, b) => a.ts - b.ts)],
        otherData: { source: location.origin, made: new Date().toISOString() },
    };
}

export function download(spans, name) {
    const url = URL.createObjectURL(new Blob([JSON.stringify(trace(spans))], { type: "application/json" }));
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
}
