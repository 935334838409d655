// view_jobs: all jobs, newest first, a page at a time.

import { json, path } from "./api.js";
import { attribute, empty, field, h, heading, keep, part, text } from "./dom.js";
import * as format from "./format.js";
import { poll } from "./poll.js";
import { setQuery } from "./router.js";
import { progressOf, updateProgress } from "./progress.js";

const PAGE = 50, POLL_MS = 2000;
const STATES = ["open", "ready", "running", "succeeded", "failed", "cancelled"];

function makeRow(job) {
    const cell = (label, name) => h("td", { "data-label": label, "data-part": name });
    return h("tr", {},
        h("td", { "data-label": "Job" }, h("a", { href: `#/jobs/${job.id}`, class: "row-link", "data-part": "title" }),
            h("span", { class: "hint id" }, job.id)),
        h("td", { "data-label": "State" }, h("span", { class: "badge", "data-part": "state" })),
        h("td", { "data-label": "Progress" }, progressOf(`Progress of ${job.id}`), h("span", { class: "job-waits", "data-part": "waits" })),
        cell("Rate", "rate"), cell("ETA", "eta"), cell("Failed", "failed"),
        h("td", { "data-label": "Created" }, h("time", { datetime: job.created, title: job.created }, format.time(job.created))));
}

function updateRow(row, job) {
    text(part(row, "title"), job.name ? `${job.function} · ${job.name}` : job.function);
    attribute(part(row, "state"), "data-state", job.state);
    text(part(row, "state"), job.state);
    updateProgress(row, job.counts);
    text(part(row, "waits"), job.waiting_for ? `waits: ${job.waiting_for}` : "");
    text(part(row, "rate"), format.rate(job.rate));
    text(part(row, "eta"), job.ended ? "–" : format.duration(job.eta));
    attribute(part(row, "eta"), "data-none", job.ended ? "" : null);
    text(part(row, "failed"), format.count(job.counts.failed));
    attribute(part(row, "failed"), "data-none", job.counts.failed ? null : "");
    attribute(part(row, "failed"), "class", job.counts.failed ? "failing" : null);
}

function makeFilters(query, changed) {
    const state = h("select", { id: "filter-state", onchange: changed }, h("option", { value: "" }, "any state"),
        STATES.map((name) => h("option", { value: name, selected: query.get("state") === name }, name)));
    const wanted = query.get("function") || "";
    const name = h("select", { id: "filter-function", onchange: changed }, h("option", { value: "" }, "any function"),
        wanted ? h("option", { value: wanted, selected: true }, wanted) : null);
    const form = h("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
        field("State", state), field("Function", name));
    return { form, state, name };
}

async function fillFunctions(select) {
    const { functions } = await json("/v1/functions");
    const there = new Set([...select.options].map((option) => option.value));
    for (const { name } of functions)
        if (!there.has(name))
            select.append(h("option", { value: name }, name));
}

function nothing(filtered) {
    return filtered
        ? empty("No job is like that.", "Choose another state or function.")
        : empty("There are no jobs yet.", "Try a function under ", h("a", { href: "#/functions" }, "Functions"),
            ", or ", h("code", {}, "POST /v1/jobs"), ".");
}

export function jobsView(place, parts, query) {
    const trail = [];  // the `after` of the pages before this one
    let after = query.get("after") || "", next = null, wanted = 0;
    const filters = makeFilters(query, () => {
        trail.length = 0;
        go("");
    });
    const body = h("tbody");
    const table = h("table", { class: "jobs stack" }, h("caption", { class: "unseen" }, "Jobs, newest first"),
        h("thead", {}, h("tr", {}, ["Job", "State", "Progress", "Rate", "ETA", "Failed", "Created"]
            .map((label) => h("th", { scope: "col" }, label)))), body);
    const none = h("div", {}, h("p", { class: "hint" }, "Asking…")), problem = h("p", { class: "error", role: "alert" });
    table.hidden = true;
    const newer = h("button", { type: "button", onclick: () => go(trail.pop() ?? "") }, "← Newer");
    const older = h("button", { type: "button", onclick: () => { trail.push(after); go(next); } }, "Older →");
    const pager = h("nav", { class: "pager", "aria-label": "Pages of jobs", hidden: true }, newer, older);
    place.append(heading("Jobs", filters.form), problem, table, none, pager);

    function go(position) {
        after = position;
        setQuery({ state: filters.state.value, function: filters.name.value, after });
        polling.now();
    }

    async function load() {
        const mine = ++wanted;
        const chosen = { state: filters.state.value, function: filters.name.value };
        const page = await json(path("/v1/jobs", { ...chosen, limit: PAGE, after }));
        if (mine !== wanted)
            return;
        next = page.next;
        keep(body, page.jobs, (job) => job.id, makeRow, updateRow);
        table.hidden = page.jobs.length === 0;
        none.replaceChildren(...(page.jobs.length ? [] : [nothing(chosen.state || chosen.function || after)]));
        pager.hidden = !after && !next;
        newer.disabled = !after;
        older.disabled = !next;
        text(problem, "");
    }
    const polling = poll(POLL_MS, load, (error) => text(problem, error.message));
    fillFunctions(filters.name).catch(() => {});
    return { end: () => polling.stop() };
}
