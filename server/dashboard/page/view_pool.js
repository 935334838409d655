// view_pool: the pool, a tile for each worker, resize; charts; the timeline; what keeps the workers in.

import { locks, whyNot } from "./access.js";
import { json } from "./api.js";
import { showCharts } from "./charts.js";
import { attribute, h, heading, keep, part, text } from "./dom.js";
import * as format from "./format.js";
import { recorder } from "./recorder.js";
import { showSandbox } from "./sandbox.js";
import { action, announce, note } from "./say.js";
import { showTimeline, tint } from "./timeline.js";

const PROCESSES_MAX = 480, MANY = 16;

// ---- tiles ----

function makeTile(worker) {
    const row = (name, label) => h("div", {}, h("dt", {}, label), h("dd", { "data-part": name }));
    return h("li", { class: "tile" },
        h("div", { class: "tile-head" }, h("strong", {}, `Worker ${worker.slot}`),
            h("span", { class: "tile-for", "data-part": "for" }), h("span", { class: "badge", "data-part": "state" })),
        h("p", { class: "tile-job" }, h("a", { "data-part": "job" }), h("span", { "data-part": "item" })),
        h("p", { class: "tile-waits", "data-part": "waits" }),
        h("dl", { class: "tile-facts" }, row("since", "Since"), row("cpu", "CPU"), row("memory", "Memory"),
            row("done", "Done"), row("restarts", "Restarts"), row("pid", "Process")));
}

// slot → {pid, at, cpu, share}: how much of a processor between two looks
const processor = new Map();

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

// Its job is missing if it is not for this token.
function isBusy(worker) {
    return worker.job !== null || ["running", "waiting"].includes(worker.state);
}

function updateTile(tile, worker) {
    const used = share(worker);
    attribute(tile, "data-state", worker.state);
    attribute(tile, "data-waits", worker.waiting_for ? "" : null);
    attribute(part(tile, "state"), "data-state", worker.state);
    text(part(tile, "state"), worker.extra ? `${worker.state}, isolated` : worker.state);
    text(part(tile, "job"), worker.job ? worker.function : "");
    attribute(part(tile, "job"), "href", worker.job ? `#/jobs/${worker.job}` : null);
    attribute(part(tile, "job"), "class", worker.job ? `job-mark tint-${tint(worker.job)}` : null);
    text(part(tile, "item"), worker.job
        ? `item ${format.count(worker.item)}${worker.attempt > 1 ? `, attempt ${worker.attempt}` : ""}`
        : isBusy(worker) ? "what this token may not see" : "nothing to do");
    text(part(tile, "waits"), worker.waiting_for ? `waits for ${worker.waiting_for}` : "");
    const since = Date.parse(worker.since);
    text(part(tile, "for"), worker.since ? format.duration(Math.max(0, (Date.now() - since) / 1000)) : "");
    text(part(tile, "since"), format.time(worker.since));
    text(part(tile, "cpu"), worker.cpu_seconds === null ? "–" : used === null ? format.duration(worker.cpu_seconds)
        : `${Math.round(used * 100)} % · ${format.duration(worker.cpu_seconds)}`);
    text(part(tile, "memory"), format.bytes(worker.rss_bytes));
    text(part(tile, "done"), format.count(worker.items_done));
    text(part(tile, "restarts"), format.count(worker.restarts));
    attribute(part(tile, "restarts"), "class", worker.restarts ? "warned" : null);
    text(part(tile, "pid"), worker.pid || "–");
}

// ---- the pool as a whole ----

const FIGURES = [["busy", "workers busy"], ["queued", "items queued"], ["live", "live jobs"], ["speed", "items per second"],
    ["cpu", "processors used"], ["memory", "memory of workers"]];

function makeSummary() {
    return h("dl", { class: "figures" }, FIGURES.map(([name, label]) =>
        h("div", { class: "figure" }, h("dt", {}, label), h("dd", { "data-part": name }, "–"))));
}

function sum(workers, of) {
    return workers.reduce((total, worker) => total + (of(worker) ?? 0), 0);
}

function updateSummary(place, pool, workers) {
    const sample = recorder.samples.at(-1);
    const speed = sample && Date.now() - sample.at < 30000 ? sample.succeeded + sample.failed : null;
    text(part(place, "busy"), `${sum(workers, isBusy)} of ${workers.length}`);
    text(part(place, "queued"), format.short(pool.items_queued));
    text(part(place, "live"), format.short(pool.jobs_live));
    text(part(place, "speed"), speed === null ? "–" : format.short(Number(speed.toPrecision(3))));
    text(part(place, "cpu"), `${sum(workers, (worker) => processor.get(worker.slot)?.share).toFixed(1)} of ${pool.cpu_count}`);
    text(part(place, "memory"), format.bytes(sum(workers, (worker) => worker.rss_bytes)));
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
    const less = action(h("button", { type: "button", "aria-label": "One process less" }, "−"), () => step(-1));
    const more = action(h("button", { type: "button", "aria-label": "One process more" }, "+"), () => step(1));
    const why = whyNot("admin", "resize the pool");
    locks(why, less, input, more, apply);
    const form = h("form", { class: "resize", onsubmit: (event) => event.preventDefault() },
        h("label", { for: "processes" }, "Processes"), less, input, more, apply, why);
    return { form, update: (pool) => touched || document.activeElement === input || (input.value = pool.processes) };
}

export function poolView(place) {
    const summary = makeSummary(), resize = makeResize();
    const tiles = h("ul", { class: "tiles", "aria-label": "Workers" });
    const warnings = h("div", { role: "status" });
    const state = h("p", { class: "hint" }, "Asking…");
    const charts = h("div", { class: "charts" }), timeline = h("div"), sandbox = h("div");
    place.append(heading("Pool", resize.form), warnings, summary, state, tiles, charts, timeline, sandbox);

    function update() {
        const { pool, workers, refused } = recorder;
        if (refused)
            text(state, `The workers cannot be shown: ${refused.message}`);
        state.hidden = !refused && workers?.length > 0;
        if (!pool || refused)
            return;
        if (!workers.length)
            text(state, "No worker is there yet; they are being started.");
        resize.update(pool);
        keep(warnings, troubles(pool), (line) => line, () => h("p", { class: "warning" }), text);
        attribute(tiles, "data-many", workers.length > MANY ? "" : null);
        keep(tiles, workers, (worker) => worker.slot, makeTile, updateTile);
        updateSummary(summary, pool, workers);
        showSandbox(sandbox, pool.sandbox);
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
