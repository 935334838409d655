// view_objects: the shared objects, by kind, a page at a time.

import { json, path } from "./api.js";
import { attribute, empty, h, heading, keep, text } from "./dom.js";
import * as format from "./format.js";
import { poll } from "./poll.js";
import { recorder } from "./recorder.js";
import { setQuery } from "./router.js";

const PAGE = 100, POLL_MS = 2000;
export const KINDS = ["queues", "locks", "pipes", "dicts", "lists", "values", "arrays"];
const FIRST = { queues: ["size", "leased", "unfinished"], locks: ["type", "available", "held"], pipes: ["a", "b"],
    dicts: ["length"], lists: ["length"], values: ["typecode"], arrays: ["typecode", "length"] };

function label(name) {
    return { bytes: "Memory", a: "End a", b: "End b" }[name] || name[0].toUpperCase() + name.slice(1);
}

function end(side) {
    return side ? `${format.count(side.unread)} unread${side.closed ? ", closed" : ""}` : "–";
}

function cellOf(object, name) {
    const value = object[name];
    if (name === "bytes")
        return format.bytes(value);
    if (typeof value === "object" && value !== null)
        return end(value);
    return typeof value === "number" ? format.count(value) : String(value ?? "–");
}

export function objectsView(place, parts, query) {
    let kind = "", after = "", next = null, turn = 0, trail = [];
    const tabs = KINDS.map((name) => h("a", { href: `#/objects/${name}` }, name, " ", h("span", { class: "count" })));
    const prefix = h("input", { id: "prefix", type: "search", value: query.get("prefix") || "", placeholder: "all" });
    const head = h("tr"), body = h("tbody");
    const caption = h("caption", { class: "unseen" });
    const table = h("table", { class: "stack" }, caption, h("thead", {}, head), body);
    const none = h("div"), problem = h("p", { class: "error", role: "alert" });
    const newer = h("button", { type: "button", onclick: () => go(trail.pop() ?? "") }, "← Previous");
    const older = h("button", { type: "button", onclick: () => { trail.push(after); go(next); } }, "Next →");
    const pager = h("nav", { class: "pager", "aria-label": "Pages of objects", hidden: true }, newer, older);
    prefix.addEventListener("input", () => {
        trail = [];
        setQuery({ prefix: prefix.value });
        go("");
    });
    place.append(heading("Objects", h("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
        h("label", { for: "prefix" }, "Name begins with"), prefix)),
    h("nav", { class: "tabs", "aria-label": "Kinds of objects" }, tabs), problem, table, none,
    pager);

    // How many there are of each kind, as /metrics counts them.
    function count() {
        tabs.forEach((tab, i) => {
            const number = recorder.metrics?.get(`poold_objects{kind="${KINDS[i].slice(0, -1)}"}`);
            text(tab.lastElementChild, number === undefined ? "" : format.short(number));
        });
    }
    function columns() {
        return [...FIRST[kind], "waiting", "bytes"];
    }
    function makeRow(object) {
        return h("tr", {}, h("th", { scope: "row", "data-label": "Name" },
            h("a", { class: "row-link", href: `#/objects/${kind}/${encodeURIComponent(object.name)}` }, object.name)),
        columns().map((name) => h("td", { "data-label": label(name) })));
    }
    function updateRow(row, object) {
        columns().forEach((name, i) => text(row.children[i + 1], cellOf(object, name)));
    }
    function go(position) {
        after = position;
        turn++;
        polling.now();
    }
    function choose([, wanted]) {
        kind = KINDS.includes(wanted) ? wanted : KINDS[0];
        after = "";
        trail = [];
        turn++;
        tabs.forEach((tab, i) => attribute(tab, "aria-current", KINDS[i] === kind ? "page" : null));
        text(caption, `All ${kind}`);
        head.replaceChildren(...["name", ...columns()].map((name) => h("th", { scope: "col" }, label(name))));
        body.replaceChildren();
        table.hidden = true;
    }
    async function load() {
        const mine = turn;
        const page = await json(path(`/v1/${kind}`, { prefix: prefix.value, after, limit: PAGE }));
        if (mine !== turn)
            return;
        const objects = page[kind];
        next = page.next;
        keep(body, objects, (object) => object.name, makeRow, updateRow);
        table.hidden = objects.length === 0;
        none.replaceChildren(...(objects.length ? [] : [prefix.value ? empty(`None of the ${kind} has such a name.`)
            : empty(`There are no ${kind}.`, "Tasks and clients make them: ", h("code", {}, `PUT /v1/${kind}/NAME`), ".")]));
        pager.hidden = !after && !next;
        newer.disabled = !after;
        older.disabled = !next;
        text(problem, "");
        count();
    }
    recorder.addEventListener("samples", count);
    choose(parts);
    const polling = poll(POLL_MS, load, (error) => text(problem, error.message));
    return {
        moved(wanted) {
            choose(wanted);
            polling.now();
        },
        end() {
            polling.stop();
            recorder.removeEventListener("samples", count);
        },
    };
}
