// results: those of a job, a page at a time and in either order, as they come. Only one page is ever in the document;
// what is there already is not asked for again.

import { path, text as ask } from "./api.js";
import { attribute, field, h, keep, text } from "./dom.js";
import * as format from "./format.js";
import { poll } from "./poll.js";
import { elements, members, plain } from "./raw.js";
import { setQuery } from "./router.js";

const PAGE = 100, POLL_MS = 1000, SHOWN = 300;

// A line of results: {index, value (as it was written), error, attempts}.
export function resultOf(line) {
    const fields = members(line);
    return { index: plain(fields, "index"), value: fields.get("value"), error: plain(fields, "error") };
}

// A page of them: {results, count, next, end}; or only those of it that have an error.
export async function readPage(id, parameters, errorsOnly = false) {
    const fields = members(await ask(path(`/v1/jobs/${id}/results`, { ...parameters, format: "json" })));
    const lines = elements(fields.get("results"));
    const results = (errorsOnly ? lines.filter((line) => line.includes('"error":')) : lines).map(resultOf);
    return { results, count: lines.length, next: plain(fields, "next"), end: plain(fields, "end") };
}

function makeRow(id, result) {
    const wrong = result.error;
    return h("tr", { class: wrong ? "failing" : null },
        h("th", { scope: "row" }, h("a", { href: `#/jobs/${id}/items/${result.index}` }, format.count(result.index))),
        h("td", {}, wrong ? h("span", {}, h("span", { class: "badge", "data-state": "failed" }, wrong.type), ` ${format.cut(wrong.message || "", SHOWN)}`)
            : h("code", { class: "value" }, format.cut(result.value ?? "", SHOWN))));
}

function expected(job) {
    return job.counts.succeeded + job.counts.failed + job.counts.cancelled;
}

export function showResults(place, id, current) {
    const asked = new URLSearchParams(location.hash.split("?")[1] || "");
    let order = asked.get("order") === "completion" ? "completion" : "input";
    let from = Math.max(0, Math.floor(Number(asked.get("from")) || 0));
    let rows = [], complete = false, turn = 0;
    const select = h("select", { id: "order", onchange: () => { order = select.value; go(0); } },
        h("option", { value: "input", selected: order === "input" }, "in input order"),
        h("option", { value: "completion", selected: order === "completion" }, "as they finished"));
    const follow = h("input", { type: "checkbox", id: "follow", onchange: () => polling.now() });
    const jump = h("input", { type: "number", id: "jump", min: 0, step: 1, value: from, inputmode: "numeric" });
    const toJump = (event) => {
        event.preventDefault();
        follow.checked = false;
        go(Math.max(0, Math.floor(Number(jump.value) || 0)));
    };
    const body = h("tbody");
    const table = h("table", { class: "results" }, h("caption", { class: "unseen" }, "Results"),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Item"), h("th", { scope: "col" }, "Result"))), body);
    const state = h("p", { class: "hint" }), problem = h("p", { class: "error", role: "alert" });
    const first = h("button", { type: "button", onclick: () => turnTo(0) }, "First");
    const back = h("button", { type: "button", onclick: () => turnTo(Math.max(0, from - PAGE)) }, "← Previous");
    const on = h("button", { type: "button", onclick: () => turnTo(from + PAGE) }, "Next →");
    const last = h("button", { type: "button", onclick: () => turnTo(lastPage()) }, "Last");
    const pager = h("nav", { class: "pager", "aria-label": "Pages of results" }, first, back, on, last);
    place.append(h("form", { class: "filters", onsubmit: toJump }, field("Order", select), field("From", jump),
        h("button", {}, "Go"),
        h("label", { class: "check" }, follow, " follow the newest")), problem, state, table,
    pager);

    const lastPage = () => Math.max(0, Math.floor((expected(current()) - 1) / PAGE) * PAGE);

    function turnTo(position) {
        follow.checked = false;
        go(position);
    }
    function go(position) {
        from = position;
        rows = [];
        complete = false;
        turn++;
        jump.value = from;
        setQuery({ order: order === "input" ? null : order, from: from || null });
        polling.now();
    }
    function draw() {
        keep(body, rows, (row) => row.index, (row) => makeRow(id, row), () => {});
        table.hidden = rows.length === 0;
        pager.hidden = from === 0 && expected(current()) <= PAGE;
        text(state, rows.length ? `Results ${format.count(from)} to ${format.count(from + rows.length - 1)} of `
                + `${format.count(expected(current()))}${current().ended ? "" : " so far"}.`
            : complete ? "There are no results here." : "No result is there yet. They are shown as they come.");
        attribute(first, "disabled", from === 0 ? "" : null);
        attribute(back, "disabled", from === 0 ? "" : null);
        attribute(on, "disabled", rows.length < PAGE || complete ? "" : null);
        attribute(last, "disabled", from >= lastPage() ? "" : null);
    }
    async function load() {
        if (follow.checked && from !== lastPage())
            go(lastPage());
        const mine = turn;
        if (rows.length < PAGE && !complete) {
            const page = await readPage(id, { order, from: from + rows.length, limit: PAGE - rows.length });
            if (mine !== turn)
                return;
            rows.push(...page.results);
            complete = page.end;
            text(problem, "");
        }
        draw();
    }
    const polling = poll(POLL_MS, load, (error) => text(problem, error.message));
    return { end: () => polling.stop() };
}
