// timeline: which worker ran what when, as far as the recorder has seen it; and the same as a trace for Perfetto.

import { h, svg } from "./dom.js";
import * as format from "./format.js";
import { recorder } from "./recorder.js";

const ROW = 22, GAP = 4, LABEL = 52, AXIS = 20, DRAW_MAX = 1500;
const WINDOWS = [[60e3, "1 minute"], [300e3, "5 minutes"], [1800e3, "30 minutes"]];

const TINTS = 8, JOBS_MAX = 1000;
const tints = new Map();

// One of eight colours: the same for the same job, another for the next.
export function tint(job) {
    if (!tints.has(job)) {
        if (tints.size >= JOBS_MAX)
            tints.delete(tints.keys().next().value);
        tints.set(job, tint.next = ((tint.next ?? -1) + 1) % TINTS);
    }
    return tints.get(job);
}

function title(span) {
    const what = span.item === null ? `${format.plural(span.items, "item")}` : `item ${span.item}, attempt ${span.attempt}`;
    return `${span.function} · ${what} · ${format.duration((span.end - span.start) / 1000)}`
        + ` · worker ${span.slot} · ${format.clock(span.start)}`;
}

function bar(span, row, from, scale, end) {
    const x = LABEL + Math.max(0, (span.start - from) * scale);
    const width = Math.max(1, LABEL + (Math.min(span.end, end) - from) * scale - x);
    return svg("rect", {
        x: x.toFixed(1), y: row * (ROW + GAP), width: width.toFixed(1), height: ROW, rx: Math.min(3, width / 2),
        class: `span tint-${tint(span.job)}${span.item === null ? " several" : ""}${span.running ? " live" : ""}`,
        onclick: () => { location.hash = `#/jobs/${span.job}`; },
    }, svg("title", {}, title(span)));
}

function axis(from, end, scale, height, width) {
    const lines = [], step = (end - from) / (width < 500 ? 3 : 6);
    for (let at = from + step; at < end; at += step) {
        const x = LABEL + (at - from) * scale;
        lines.push(svg("line", { x1: x, x2: x, y1: 0, y2: height, class: "grid" }),
            svg("text", { x, y: height + 14, class: "tick", "text-anchor": "middle" }, format.clock(at)));
    }
    return lines;
}

function draw(place, spans, window) {
    const end = Date.now(), from = end - window, width = Math.max(280, place.clientWidth);
    const seen = spans.filter((span) => span.end > from).slice(-DRAW_MAX);
    const slots = [...new Set(seen.map((span) => span.slot))].sort((a, b) => a - b);
    const height = slots.length * (ROW + GAP), scale = (width - LABEL) / window;
    const rows = new Map(slots.map((slot, row) => [slot, row]));
    if (!slots.length) {
        place.replaceChildren(h("p", { class: "chart-empty" }, "No item has run while this page was open."));
        return;
    }
    place.replaceChildren(svg("svg", {
        width, height: height + AXIS, role: "img", class: "timeline",
        "aria-label": `${format.plural(seen.length, "span")} on ${format.plural(slots.length, "worker")}`,
    }, axis(from, end, scale, height, width),
    slots.map((slot, row) => svg("text", { x: 0, y: row * (ROW + GAP) + 15, class: "tick" }, `worker ${slot}`)),
    seen.map((span) => bar(span, rows.get(span.slot), from, scale, end))));
}

// ---- the trace ----

// Chrome's trace events, as Perfetto and chrome://tracing read them.
export function trace(spans) {
    const slots = [...new Set(spans.map((span) => span.slot))];
    const events = slots.map((slot) =>
        ({ name: "thread_name", ph: "M", pid: 1, tid: slot, args: { name: `worker ${slot}` } }));
    events.push({ name: "process_name", ph: "M", pid: 1, tid: 0, args: { name: "poold" } });
    for (const span of spans)
        events.push({
            name: span.item === null ? `${span.function} × ${span.items}` : `${span.function} ${span.item}`,
            cat: span.item === null ? "items" : "item", ph: "X", pid: 1, tid: span.slot,
            ts: span.start * 1000, dur: Math.max(0, span.end - span.start) * 1000,
            args: {
                job: span.job, function: span.function, item: span.item, attempt: span.attempt,
                items: span.items, process: span.pid, generation: span.generation,
            },
        });
    return { displayTimeUnit: "ms", traceEvents: events, otherData: { source: location.origin } };
}

function download(spans, name) {
    const url = URL.createObjectURL(new Blob([JSON.stringify(trace(spans))], { type: "application/json" }));
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// The card with the timeline of all jobs, or of one; returns what ends it.
export function showTimeline(place, job = null) {
    const chosen = () => recorder.spans.filter((span) => !job || span.job === job);
    const area = h("div", { class: "timeline-place" });
    const window = h("select", { "aria-label": "Time shown" },
        WINDOWS.map(([ms, name]) => h("option", { value: ms }, name)));
    const button = h("button", { type: "button", onclick: () => download(chosen(), `poold-${job || "pool"}-trace.json`) },
        "Download trace");
    const update = () => document.hidden || draw(area, chosen(), Number(window.value));
    window.addEventListener("change", update);
    place.append(h("section", { class: "card" },
        h("div", { class: "card-head" }, h("h2", {}, "Timeline"), window, button),
        h("p", { class: "hint" }, "Which worker ran what, as seen since this page was opened. ",
            "Paler stretches are short items between two looks. The trace opens in Perfetto or chrome://tracing."),
        area));
    const observer = new ResizeObserver(update);
    observer.observe(place);
    recorder.addEventListener("workers", update);
    update();
    return () => {
        observer.disconnect();
        recorder.removeEventListener("workers", update);
    };
}
