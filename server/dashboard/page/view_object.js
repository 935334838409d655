// view_object: one shared object: what it is, and what is in it, a page at a time. Reading takes nothing out, so of
// queues and pipes there is only how much they hold.

import { path, Refusal, text as ask } from "./api.js";
import { empty, h, heading, keep, text } from "./dom.js";
import * as format from "./format.js";
import { poll } from "./poll.js";
import { elements, members, plain } from "./raw.js";

const PAGE = 100, POLL_MS = 2000, SHOWN = 2000;
const CONTENTS = ["name", "kind", "items", "keys", "values", "value", "start", "next"];

// What is asked to see the contents from `position`.
function contentsPath(kind, base, position) {
    if (kind === "dicts")
        return path(base, { limit: PAGE, after: position });
    if (kind === "lists")
        return path(base, { limit: PAGE, start: position });
    return base;
}

// {rows: [[key, value as it was written]…], next, or null}
function contentsOf(kind, fields) {
    if (kind === "dicts")
        return { rows: [...members(fields.get("items"))], next: plain(fields, "next") };
    if (kind === "lists") {
        const start = plain(fields, "start");
        return { rows: elements(fields.get("values")).map((value, i) => [start + i, value]), next: plain(fields, "next") };
    }
    return { rows: kind === "values" ? [["value", fields.get("value")]] : [], next: null };
}

async function arrayContents(base, fields, position) {
    const length = plain(fields, "length"), start = Number(position) || 0, stop = Math.min(length, start + PAGE);
    const data = members(await ask(path(`${base}/data`, { start, stop, format: "json" })));
    return { rows: elements(data.get("values")).map((value, i) => [start + i, value]), next: stop < length ? stop : null };
}

function words(name, value) {
    if (name === "bytes")
        return format.bytes(Number(value));
    if (["null", "true", "false"].includes(value))
        return { null: "–", true: "yes", false: "no" }[value];
    return value.replace(/^"(.*)"$/, "$1");
}

// What is more than a word comes last and has all the width.
function factsOf(fields) {
    return [...fields].filter(([name]) => !CONTENTS.includes(name)).map(([name, value]) => ({
        name: name === "bytes" ? "Memory" : name[0].toUpperCase() + name.slice(1).replaceAll("_", " "),
        value: format.cut(words(name, value), SHOWN), wide: /^[[{]/.test(value),
    })).sort((a, b) => a.wide - b.wide);
}

export function objectView(place, parts) {
    const [, kind, name] = parts;
    const base = `/v1/${encodeURIComponent(kind)}/${encodeURIComponent(name)}`;
    const trail = [];
    let position = null, next = null, turn = 0;
    const facts = h("dl", { class: "facts wide" }), body = h("tbody");
    const table = h("table", { class: "results" }, h("caption", { class: "unseen" }, "Contents"),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, kind === "dicts" ? "Key" : "Index"), h("th", { scope: "col" }, "Value"))), body);
    const none = h("div"), problem = h("p", { class: "error", role: "alert" });
    const back = h("button", { type: "button", onclick: () => go(trail.pop() ?? null) }, "← Previous");
    const on = h("button", { type: "button", onclick: () => { trail.push(position); go(next); } }, "Next →");
    const pager = h("nav", { class: "pager", "aria-label": "Pages of the contents" }, back, on);
    place.append(h("p", { class: "crumb" }, h("a", { href: `#/objects/${kind}` }, kind), ` / ${name}`),
        heading(name, h("span", { class: "badge" }, kind.replace(/s$/, ""))), problem, facts, table, none, pager);
    table.hidden = pager.hidden = true;

    function go(wanted) {
        position = wanted;
        turn++;
        polling.now();
    }
    async function load() {
        const mine = turn;
        const fields = members(await ask(contentsPath(kind, base, position)));
        const { rows, next: after } = kind === "arrays" ? await arrayContents(base, fields, position) : contentsOf(kind, fields);
        if (mine !== turn)
            return;
        next = after;
        keep(facts, factsOf(fields), (fact) => fact.name, (fact) => h("div", { class: fact.wide ? "full" : null }, h("dt", {}, fact.name), h("dd", { class: fact.wide ? "id" : null })),
            (element, fact) => text(element.lastElementChild, fact.value));
        keep(body, rows, (row) => row[0], (row) => h("tr", {}, h("th", { scope: "row" }, String(row[0])), h("td", {}, h("code", { class: "value" }))),
            (element, row) => text(element.querySelector("code"), format.cut(row[1] ?? "", SHOWN)));
        table.hidden = rows.length === 0;
        none.replaceChildren(...(rows.length ? [] : [["queues", "pipes", "locks"].includes(kind)
            ? empty("What it holds is not shown.", "To read an element is to take it.") : empty("It is empty.")]));
        if (kind === "locks")
            none.replaceChildren();
        pager.hidden = !trail.length && next === null;
        back.disabled = !trail.length;
        on.disabled = next === null;
        text(problem, "");
    }
    const polling = poll(POLL_MS, load, (error) => {
        if (!(error instanceof Refusal) || error.status !== 404) {
            text(problem, error.message);
            return;
        }
        polling.stop();
        facts.replaceChildren();
        table.hidden = pager.hidden = true;
        none.replaceChildren(empty("There is no such object.", "It was deleted, or never made. ", h("a", { href: `#/objects/${kind}` }, `All ${kind}`)));
    });
    return { end: () => polling.stop() };
}
