// view_pool: the pool, a tile for each worker, resize; charts; the timeline.

import { json } from "./api.js";
import { showCharts } from "./charts.js";
import { attribute, h, heading, keep, part, text } from "./dom.js";
import * as format from "./format.js";
import { recorder } from "./recorder.js";
import { action, announce, note } from "./say.js";
import { showTimeline, tint } from "./timeline.js";

const PROCESSES_MAX = 256;

// ---- tiles ----

function makeTile(worker) {
    const row = (name, label) => [h("dt", {}, label), h("dd", { "data-part": name })];
    return h("li", { class: "tile" },
        h("div", { class: "tile-head" }, h("strong", {}, `Worker ${worker.slot}`),
            h("span", { class: "badge", "data-part": "state" })),
        h("p", { class: "tile-job" }, h("a", { "data-part": "job" }), h("span", { "data-part": "item" })),
        h("p", { class: "tile-waits", "data-part": "waits" }),
        h("dl", { class: "facts" }, row("since", "Since"), row("cpu", "CPU"), row("memory", "Memory"),
            row("done", "Items done"), row("restarts", "Restarts"), row("pid", "Process")));
}

const processor = new Map(); // slot → {pid, at, cpu, share}: how much of a processor between two looks

function share(worker) {
    const before = processor.get(worker.slot), now = Date.now();
    if (worker.cpu_seconds === null)
        return null;
    if (before && before.pid === worker.pid && now - before.at < 900)
        return before.share;
    const known = before && before.pid === worker.pid;
    const value = known ? Math.max(0, (worker.cpu_seconds - before.cpu) / ((now - before.at) / 1000)) : null;
    processor.set(worker.slot, { pid: worker.pid, at: now, cpu: worker.cpu_seconds, share: value });
    return value;
}

function updateTile(tile, worker) {
    const used = share(worker);
    attribute(tile, "data-state", worker.state);
    attribute(part(tile, "state"), "data-state", worker.state);
    text(part(tile, "state"), worker.extra ? `${worker.state}, isolated` : worker.state);
    text(part(tile, "job"), worker.job ? worker.function : "");
    attribute(part(tile, "job"), "href", worker.job ? `#/jobs/${worker.job}` : null);
    attribute(part(tile, "job"), "class", worker.job ? `job-mark tint-${tint(worker.job)}` : null);
    text(part(tile, "item"), worker.job
        ? ` item ${format.count(worker.item)}${worker.attempt > 1 ? `, attempt ${worker.attempt}` : ""}`
        : "nothing to do");
    text(part(tile, "waits"), worker.waiting_for ? `waits for ${worker.waiting_for}` : "");
    text(part(tile, "since"), format.duration(Math.max(0, (Date.now() - Date.parse(worker.since)) / 1000)));
    text(part(tile, "cpu"), worker.cpu_seconds === null ? "–"
        : `${used === null ? "" : `${Math.round(used * 100)} %, `}${format.duration(worker.cpu_seconds)}`);
    text(part(tile, "memory"), format.bytes(worker.rss_bytes));
    text(part(tile, "done"), format.count(worker.items_done));
    text(part(tile, "restarts"), format.count(worker.restarts));
    attribute(part(tile, "restarts"), "class", worker.restarts ? "warned" : null);
    text(part(tile, "pid"), worker.pid || "–");
}

// ---- the pool as a whole ----

function makeSummary() {
    const fact = (name, label) =>
        h("div", { class: "figure" }, h("span", { class: "figure-value", "data-part": name }, "–"), h("span", {}, label));
    return h("div", { class: "figures" }, fact("ready", "ready"), fact("running", "running"), fact("waiting", "waiting"),
        fact("starting", "starting"), fact("live", "live jobs"), fact("queued", "items queued"));
}

function troubles(pool) {
    const found = [];
    if (pool.draining)
        found.push("The service is shutting down: it takes no new jobs.");
    if (pool.storage === "full")
        found.push("There is no space left: new jobs are refused until there is.");
    if (pool.storage === "failed")
        found.push("Storage has failed: nothing can be stored.");
    if (pool.stuck)
        found.push(`Stuck: ${pool.stuck}`);
    return found;
}

function updateSummary(place, pool) {
    text(part(place, "ready"), format.short(pool.workers.ready));
    text(part(place, "running"), format.short(pool.workers.running));
    text(part(place, "waiting"), format.short(pool.workers.waiting ?? 0));
    text(part(place, "starting"), format.short(pool.workers.starting));
    text(part(place, "live"), format.short(pool.jobs_live));
    text(part(place, "queued"), format.short(pool.items_queued));
}

function makeResize() {
    const input = h("input", {
        type: "number", id: "processes", min: 1, max: PROCESSES_MAX, step: 1, required: true, inputmode: "numeric",
    });
    let touched = false;
    const set = async (value) => {
        const pool = await json("/v1/pool", { method: "PATCH", body: { processes: value } });
        touched = false;
        input.value = pool.processes;
        announce(`The pool has ${format.plural(pool.processes, "process", "processes")} now.`);
        note(`The pool is ${format.plural(pool.processes, "process", "processes")} large now.`);
        recorder.now();
    };
    const step = (by) => {
        touched = true;
        input.value = Math.min(PROCESSES_MAX, Math.max(1, Number(input.value) + by));
    };
    const apply = action(h("button", { class: "primary" }, "Resize"), async () => {
        if (input.reportValidity())
            await set(Number(input.value));
    });
    input.addEventListener("input", () => { touched = true; });
    const form = h("form", { class: "resize", onsubmit: (event) => event.preventDefault() },
        h("label", { for: "processes" }, "Processes"),
        h("button", { type: "button", "aria-label": "One process less", onclick: () => step(-1) }, "−"), input,
        h("button", { type: "button", "aria-label": "One process more", onclick: () => step(1) }, "+"), apply);
    return { form, update: (pool) => touched || document.activeElement === input || (input.value = pool.processes) };
}

export function poolView(place) {
    const summary = makeSummary(), resize = makeResize();
    const tiles = h("ul", { class: "tiles", "aria-label": "Workers" });
    const warnings = h("div", { role: "status" });
    const state = h("p", { class: "hint" }, "Asking…");
    const charts = h("div", { class: "charts" }), timeline = h("div");
    place.append(heading("Pool", resize.form), warnings, summary, state, tiles, charts, timeline);

    function update() {
        const { pool, workers, refused } = recorder;
        if (refused)
            text(state, `The workers cannot be shown: ${refused.message}`);
        if (!pool || refused)
            return;
        resize.update(pool);
        updateSummary(summary, pool);
        keep(warnings, troubles(pool), (line) => line, () => h("p", { class: "warning" }), text);
        state.hidden = workers.length > 0;
        text(state, "No worker is there yet; they are being started.");
        keep(tiles, workers, (worker) => worker.slot, makeTile, updateTile);
    }
    recorder.addEventListener("workers", update);
    const endCharts = showCharts(charts), endTimeline = showTimeline(timeline);
    update();
    return {
        end() {
            recorder.removeEventListener("workers", update);
            endCharts();
            endTimeline();
        },
    };
}
