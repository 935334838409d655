// item_parts: what is known of one item, in pieces: its result or error, its input, its attempts, what it printed. The
// page of an item and the list of failed ones are made of them.

import { text as ask } from "./api.js";
import { empty, h } from "./dom.js";
import * as format from "./format.js";
import { logLine } from "./log.js";
import { members, plain } from "./raw.js";

const SHOWN = 64 * 1024, LINES_MAX = 1000;

// A Map from names to the texts of their values, and the answer itself, to compare.
export async function readItem(id, index) {
    const answer = await ask(`/v1/jobs/${encodeURIComponent(id)}/items/${encodeURIComponent(index)}`);
    return { answer, fields: members(answer) };
}

function block(title, ...content) {
    return h("section", { class: "card" }, h("h2", {}, title), content);
}

export function valueBlock(title, value) {
    if (value === undefined)
        return null;
    return block(title, h("pre", { class: "value", tabindex: "0", "aria-label": title }, format.cut(value, SHOWN)),
        value.length > SHOWN ? h("p", { class: "hint" }, `The first 64 KiB of ${format.bytes(value.length)}.`) : null);
}

function errorFact(name, value) {
    if (["limit", "peak"].includes(name) && value > 4096)
        return format.bytes(value);
    return format.cut(typeof value === "object" ? JSON.stringify(value) : String(value), 2000);
}

export function errorBlock(error) {
    if (!error)
        return null;
    const long = ["traceback", "stderr"].filter((name) => error[name]);
    const facts = Object.entries(error).filter(([name, value]) => value !== null && !["message", "type", "class", ...long].includes(name));
    return h("section", { class: "card failing" }, h("h2", {}, error.type === "error" ? error.class || "Error" : `Error: ${error.type}`), h("p", {}, error.message || ""),
        long.map((name) => h("pre", { class: "value", tabindex: "0", "aria-label": name }, format.cut(String(error[name]), SHOWN))),
        h("dl", { class: "facts wide" }, facts.map(([name, value]) =>
            h("div", {}, h("dt", {}, name.replace("_", " ")), h("dd", {}, errorFact(name, value))))));
}

function attemptRow(one) {
    return h("tr", {}, h("th", { scope: "row", "data-label": "Attempt" }, one.attempt),
        h("td", { "data-label": "Type" }, one.type), h("td", { "data-label": "Message" }, format.cut(one.message || one.signal || "–", 400)),
        h("td", { "data-label": "Started" }, format.time(one.started)),
        h("td", { "data-label": "Took" }, one.started && one.ended
            ? format.duration((Date.parse(one.ended) - Date.parse(one.started)) / 1000) : "–"));
}

export function attemptsBlock(attempts) {
    if (!attempts.length)
        return null;
    return block("Attempts that failed", h("table", { class: "stack" }, h("caption", { class: "unseen" }, "Attempts that failed"),
        h("thead", {}, h("tr", {}, ["Attempt", "Type", "Message", "Started", "Took"].map((label) => h("th", { scope: "col" }, label)))),
        h("tbody", {}, attempts.map(attemptRow))));
}

export function outputBlock(lines) {
    return block("Log", lines.length
        ? h("div", { class: "log", tabindex: "0", role: "log", "aria-label": "Log", "aria-live": "off" },
            lines.slice(-LINES_MAX).map((line) => logLine(null, line)))
        : empty("It has printed nothing."));
}

// All of it.
export function itemBlocks(fields) {
    return [valueBlock("Result", fields.get("value")), errorBlock(plain(fields, "error")), valueBlock("Input", fields.get("item")),
        attemptsBlock(plain(fields, "attempts") || []), outputBlock(plain(fields, "output") || [])].filter(Boolean);
}
