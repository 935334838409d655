// timeline: which worker ran what when, as far as the recorder has seen it: as a picture, as a table, and as a trace.

import { attribute, empty, h, svg, text } from "./dom.js";
import * as format from "./format.js";
import { recorder } from "./recorder.js";
import { ticks } from "./ticks.js";
import { download } from "./trace.js";

const ROW = 22, GAP = 4, LABEL = 64, AXIS = 20, DRAW_MAX = 1500, TABLE_MAX = 100, SHORTEST_MS = 2000;
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

function what(span) {
    return span.item === null ? format.plural(span.items, "short item")
        : `item ${format.count(span.item)}${span.attempt > 1 ? `, attempt ${span.attempt}` : ""}`;
}

function where(span) {
    return span.item === null ? `#/jobs/${span.job}` : `#/jobs/${span.job}/items/${span.item}`;
}

function took(span) {
    return format.duration((span.end - span.start) / 1000);
}

// ---- the picture ----

function bar(span, row, { from, to, scale }) {
    const x = LABEL + Math.max(0, (span.start - from) * scale);
    const width = Math.max(1, LABEL + (Math.min(span.end, to) - from) * scale - x);
    return svg("rect", {
        x: x.toFixed(1), y: row * (ROW + GAP), width: width.toFixed(1), height: ROW, rx: Math.min(3, width / 2),
        class: `span tint-${tint(span.job)}${span.item === null ? " several" : ""}${span.running ? " live" : ""}`,
        "data-to": where(span),
    }, svg("title", {}, `${span.function} · ${what(span)} · ${took(span)} · worker ${span.slot} · ${format.clock(span.start)}`));
}

function axis({ from, to, scale, width }, height) {
    return ticks(from, to, width < 500 ? 3 : 8).filter((at) => (to - at) * scale > 26).flatMap((at) => {
        const x = (LABEL + (at - from) * scale).toFixed(1);
        return [svg("line", { x1: x, x2: x, y1: 0, y2: height, class: "grid" }),
            svg("text", { x, y: height + 15, class: "tick", "text-anchor": "middle" }, format.clock(at))];
    });
}

// `there`: slots that have a row even if they did nothing.
function picture(spans, { from, to }, width, there) {
    const view = { from, to, width, scale: (width - LABEL) / (to - from) };
    const slots = [...new Set([...there, ...spans.map((span) => span.slot)])].sort((a, b) => a - b);
    const rows = new Map(slots.map((slot, row) => [slot, row])), height = slots.length * (ROW + GAP);
    return svg("svg", {
        width, height: height + AXIS, role: "img", class: "timeline",
        "aria-label": `${format.plural(spans.length, "stretch", "stretches")} of work on ${format.plural(slots.length, "worker")}; the table below has the last.`,
    }, axis(view, height),
    slots.map((slot, row) => svg("text", { x: 0, y: row * (ROW + GAP) + 15, class: "tick" }, `worker ${slot}`)),
    spans.map((span) => bar(span, rows.get(span.slot), view)));
}

// ---- the table ----

function tableRow(span) {
    return h("tr", {}, h("th", { scope: "row", "data-label": "Worker" }, span.slot),
        h("td", { "data-label": "Ran" }, h("a", { href: where(span) }, `${span.function} · ${what(span)}`)),
        h("td", { "data-label": "From" }, format.clock(span.start)),
        h("td", { "data-label": "Took" }, span.running ? `${took(span)} so far` : took(span)));
}

// The last of it, newest first, for who does not see the picture.
function makeTable() {
    const body = h("tbody"), count = h("span");
    const details = h("details", { class: "as-table" }, h("summary", {}, "As a table"), h("p", { class: "hint" }, count),
        h("table", { class: "stack" }, h("caption", { class: "unseen" }, "Which worker ran what"),
            h("thead", {}, h("tr", {}, ["Worker", "Ran", "From", "Took"].map((label) => h("th", { scope: "col" }, label)))), body));
    function update(spans) {
        const last = spans.slice(-TABLE_MAX).reverse();
        if (!details.open)
            return;
        text(count, last.length < spans.length ? `The last ${last.length} of ${format.count(spans.length)}.` : "");
        body.replaceChildren(...last.map(tableRow));
    }
    return { details, update };
}

// ---- both ----

// From when to when: the last minutes; or for a job all that was seen of it.
function range(chosen, spans) {
    const now = Date.now();
    if (chosen !== "all")
        return { from: now - Number(chosen), to: now };
    const from = Math.min(...spans.map((span) => span.start)), to = Math.max(...spans.map((span) => span.end));
    return { from, to: Math.max(to, from + SHORTEST_MS) };
}

function nothing(job) {
    return job ? empty("Nothing was seen of this job.", "poold does not store which worker ran an item: the page notes it while it is open and the job runs.")
        : empty("No item ran in this time.", "What runs while this page is open is drawn here.");
}

// The card with the timeline of all jobs, or of one; returns what ends it.
export function showTimeline(place, job = null) {
    const chosen = () => recorder.spans.filter((span) => !job || span.job === job);
    const follow = ({ target }) => { location.hash = target.dataset.to ?? location.hash; };
    const area = h("div", { class: "timeline-place", onclick: follow }), table = makeTable();
    const window = h("select", { "aria-label": "Time shown" },
        [...(job ? [["all", "The whole job"]] : []), ...WINDOWS].map(([ms, name]) => h("option", { value: ms }, name)));
    const button = h("button", { type: "button", onclick: () => download(chosen(), `poold-${job || "pool"}-trace.json`) },
        "Download trace");
    function update() {
        if (document.hidden)
            return;
        const all = chosen(), limits = all.length ? range(window.value, all) : null;
        const seen = limits ? all.filter((span) => span.end > limits.from).slice(-DRAW_MAX) : [];
        attribute(button, "disabled", all.length ? null : "");
        const there = job ? [] : (recorder.workers || []).map((worker) => worker.slot);
        area.replaceChildren(seen.length ? picture(seen, limits, Math.max(260, area.clientWidth), there) : nothing(job));
        table.details.hidden = !seen.length;
        table.update(seen);
    }
    window.addEventListener("change", update);
    table.details.addEventListener("toggle", update);
    place.append(h("section", { class: "card" },
        h("div", { class: "card-head" }, h("h2", {}, "Timeline"), window, button),
        h("p", { class: "hint" }, "Which worker ran what, as seen while this page was open. ",
            "A paler stretch is several short items between two looks. The trace opens in ui.perfetto.dev and chrome://tracing."),
        area, table.details));
    const observer = new ResizeObserver(update);
    observer.observe(place);
    recorder.addEventListener("workers", update);
    update();
    return () => {
        observer.disconnect();
        recorder.removeEventListener("workers", update);
    };
}
