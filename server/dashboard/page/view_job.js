// view_job: one job: how far it is, what can be done with it, and below one of four parts, which the address names:
// #/jobs/ID, …/failed, …/log, …/timeline.

import { locks, whyNot } from "./access.js";
import { json, Refusal } from "./api.js";
import { attribute, empty, h, keep, part, text } from "./dom.js";
import { showFailed } from "./failed.js";
import * as format from "./format.js";
import { showLog } from "./log.js";
import { poll } from "./poll.js";
import { legendOf, progressOf, updateLegend, updateProgress } from "./progress.js";
import { showResults } from "./results.js";
import { action, announce, confirm, note } from "./say.js";
import { showTimeline } from "./timeline.js";

const POLL_MS = 1000, ENDED_POLL_MS = 15000;
const ENDED = new Set(["succeeded", "failed", "cancelled"]);
const PARTS = [["", "Results"], ["failed", "Failed"], ["log", "Log"], ["timeline", "Timeline"]];

export function ended(job) {
    return ENDED.has(job.state);
}

// ---- what can be done ----

function makeActions(id, refresh, current) {
    const cancel = action(h("button", { type: "button" }, "Cancel"), async () => {
        const { counts } = current(), open = counts.ready + counts.waiting + counts.running;
        if (!await confirm("Cancel this job?", `${format.plural(open, "item")} not yet done ${open === 1 ? "is" : "are"} given up, `
            + "running ones are stopped. Results so far stay.", "Cancel the job", "Let it run"))
            return;
        await json(`/v1/jobs/${id}/cancel`, { method: "POST" });
        note("The job is being cancelled; results so far stay.");
        refresh();
    });
    const retry = action(h("button", { type: "button" }, "Retry failed"), async () => {
        const job = await json(`/v1/jobs/${id}/retry`, { method: "POST" });
        note(`A new job has the ${format.plural(job.counts.total, "failed item")}.`);
        location.hash = `#/jobs/${job.id}`;
    });
    const forget = action(h("button", { type: "button", class: "danger" }, "Delete"), async () => {
        if (!await confirm("Delete this job?", "Its items, results and logs are forgotten for good.", "Delete"))
            return;
        await json(`/v1/jobs/${id}`, { method: "DELETE" });
        note("The job is deleted.");
        location.hash = "#/jobs";
    });
    const why = whyNot("submit", "cancel, retry or delete jobs");
    locks(why, cancel, retry, forget);
    function update(job) {
        const focused = [cancel, retry, forget].includes(document.activeElement) ? document.activeElement : null;
        cancel.hidden = ended(job);
        retry.hidden = !ended(job) || job.counts.failed === 0;
        forget.hidden = !ended(job);
        if (focused?.hidden) // it is not lost with its button
            document.querySelector("h1")?.focus();
    }
    cancel.hidden = retry.hidden = forget.hidden = true;
    return { place: h("div", { class: "actions" }, cancel, retry, forget, why), update };
}

// ---- what it is ----

function options(job) {
    const usual = { chunksize: 0, processes: 0, timeout: 0, max_attempts: 1, backoff: 1, priority: 5, isolation: "pool",
        fail_fast: false, delay: 0, retention: null, open: false };
    const said = Object.entries(job.options).filter(([name, value]) => value !== usual[name]);
    return said.length ? said.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ") : "the usual";
}

const LONG = ["Options", "Trace parent", "Reason"]; // two columns for these

function seconds(from, to) {
    return (Date.parse(to) - Date.parse(from)) / 1000;
}

function facts(job) {
    const list = [["Call", `${job.kind} of ${format.plural(job.counts.total, "item")}`], ["Rate", format.rate(job.rate)]];
    if (!ended(job))
        list.push(["ETA", format.duration(job.eta)]);
    list.push(["Created", format.time(job.created)], ["Started", format.time(job.started)]);
    if (job.ended)
        list.push(["Ended", format.time(job.ended)]);
    if (job.started)
        list.push([job.ended ? "Took" : "Runs for", format.duration(job.ended ? seconds(job.started, job.ended)
            : Math.max(0, (Date.now() - Date.parse(job.started)) / 1000))]);
    if (job.expires)
        list.push(["Kept until", format.time(job.expires)]);
    list.push(["Options", options(job)], ["Submitted by", job.client], ["Trace parent", job.traceparent], ["Reason", job.reason]);
    return list.filter(([, value]) => value).map(([name, value]) => ({ name, value }));
}

function relatives(job) {
    return [["Retry of", job.retry_of], ["Retried by", job.retried_by]].filter((pair) => pair[1])
        .map(([name, id]) => h("p", {}, `${name} `, h("a", { href: `#/jobs/${id}`, class: "id" }, id)));
}

function makeHead(id, actions) {
    return h("header", { class: "job-head" },
        h("p", { class: "crumb" }, h("a", { href: "#/jobs" }, "Jobs"), ` / `, h("span", { class: "id" }, id)),
        h("div", { class: "heading" }, h("h1", { tabindex: "-1", "data-part": "title" }, "Job"),
            h("span", { class: "badge", "data-part": "state" }), actions.place),
        h("p", { class: "warning", "data-part": "waits", role: "status", hidden: true }),
        progressOf("Progress"), legendOf(), h("dl", { class: "facts wide", "data-part": "facts" }), h("div", { "data-part": "family" }));
}

function updateHead(head, job) {
    text(part(head, "title"), job.name ? `${job.function} · ${job.name}` : job.function);
    attribute(part(head, "state"), "data-state", job.state);
    text(part(head, "state"), job.state);
    text(part(head, "waits"), job.waiting_for ? `Its items cannot start now: ${job.waiting_for}` : "");
    part(head, "waits").hidden = !job.waiting_for;
    updateProgress(head, job.counts);
    updateLegend(head, job.counts);
    keep(part(head, "facts"), facts(job), (fact) => fact.name,
        (fact) => h("div", { class: LONG.includes(fact.name) ? "long" : null }, h("dt", {}, fact.name),
            h("dd", { class: fact.name === "Trace parent" ? "id" : null })),
        (element, fact) => text(element.lastElementChild, fact.value));
    const family = [job.retry_of, job.retried_by].join(" ");
    if (part(head, "family").dataset.of !== family) {
        part(head, "family").dataset.of = family;
        part(head, "family").replaceChildren(...relatives(job));
    }
}

// ---- its parts ----

function makeTabs(id) {
    const links = PARTS.map(([name, label]) => h("a", { href: `#/jobs/${id}${name && `/${name}`}` }, label));
    return {
        nav: h("nav", { class: "tabs", "aria-label": "Parts of the job" }, links),
        mark: (name) => links.forEach((link, i) => attribute(link, "aria-current", PARTS[i][0] === name ? "page" : null)),
    };
}

function show(name, place, id, current) {
    if (name === "failed")
        return showFailed(place, id, current);
    if (name === "log")
        return showLog(place, id, current);
    if (name === "timeline")
        return { end: showTimeline(place, id) };
    return showResults(place, id, current);
}

export function jobView(place, parts) {
    const id = parts[1];
    let job = null, shown = null;
    const actions = makeActions(id, () => polling.now(), () => job);
    const head = makeHead(id, actions), tabs = makeTabs(id), area = h("div");
    const problem = h("div", { role: "alert" }), asking = h("p", { class: "hint" }, "Asking…");
    head.dataset.asking = ""; // its heading is there from the beginning, for the focus
    tabs.nav.hidden = true;
    place.append(problem, head, asking, tabs.nav, area);

    function moved([, , wanted = ""]) {
        const name = PARTS.some((entry) => entry[0] === wanted) ? wanted : "";
        tabs.mark(name);
        shown?.end();
        area.replaceChildren();
        shown = job && show(name, area, id, () => job);
    }

    let pause = 0;
    async function load() {
        if (Date.now() < pause)
            return;
        const before = job;
        job = await json(`/v1/jobs/${encodeURIComponent(id)}`);
        pause = ended(job) ? Date.now() + ENDED_POLL_MS : 0;
        problem.replaceChildren();
        asking.hidden = true;
        delete head.dataset.asking;
        tabs.nav.hidden = false;
        actions.update(job);
        updateHead(head, job);
        document.title = `${job.function} ${job.state} – poold`;
        if (!before)
            moved(parts);
        else if (before.state !== job.state && ended(job))
            announce(`The job has ${job.state === "cancelled" ? "been cancelled" : job.state}.`);
        shown?.update?.(job);
    }
    function failed(error) {
        asking.hidden = true;
        if (!(error instanceof Refusal) || (error.status !== 404 && error.status !== 410)) {
            problem.replaceChildren(h("p", { class: "error" }, error.message));
            return;
        }
        polling.stop();
        shown?.end();
        place.replaceChildren(h("h1", { tabindex: "-1" }, "Job"), error.status === 410
            ? empty("This job is gone.", "It was deleted, or was kept for as long as it had to be.")
            : empty("There was never such a job."), h("p", {}, h("a", { href: "#/jobs" }, "All jobs")));
    }
    const polling = poll(POLL_MS, load, failed);
    const now = polling.now;
    polling.now = () => {
        pause = 0;
        now();
    };
    return {
        moved(next) {
            parts = next;
            if (job)
                moved(next);
        },
        end() {
            polling.stop();
            shown?.end();
        },
    };
}
