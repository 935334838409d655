// view_item: one item: its input, its result or error, its attempts and what it printed.

import { text as ask } from "./api.js";
import { attribute, empty, h, heading, text } from "./dom.js";
import * as format from "./format.js";
import { logLine } from "./log.js";
import { poll } from "./poll.js";
import { members, plain } from "./raw.js";

const POLL_MS = 1000, SHOWN = 64 * 1024;

function block(title, value) {
    if (value === undefined)
        return null;
    return h("section", { class: "card" }, h("h2", {}, title), h("pre", { class: "value", tabindex: "0", "aria-label": title }, format.cut(value, SHOWN)),
        value.length > SHOWN ? h("p", { class: "hint" }, `The first 64 KiB of ${format.bytes(value.length)}.`) : null);
}

function errorBlock(error) {
    if (!error)
        return null;
    const facts = Object.entries(error).filter(([name, value]) => value !== null && !["message", "type", "traceback"].includes(name));
    return h("section", { class: "card failing" }, h("h2", {}, `Error: ${error.type}`), h("p", {}, error.message || ""),
        error.traceback ? h("pre", { class: "value", tabindex: "0", "aria-label": "Traceback" }, String(error.traceback)) : null,
        h("dl", { class: "facts wide" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name.replace("_", " ")),
            h("dd", {}, format.cut(typeof value === "object" ? JSON.stringify(value) : String(value), 2000))))));
}

function attemptsBlock(attempts) {
    if (!attempts.length)
        return null;
    return h("section", { class: "card" }, h("h2", {}, "Attempts that failed"), h("table", { class: "stack" },
        h("thead", {}, h("tr", {}, ["Attempt", "Type", "Message", "Started", "Took"].map((label) => h("th", { scope: "col" }, label)))),
        h("tbody", {}, attempts.map((one) => h("tr", {}, h("th", { scope: "row", "data-label": "Attempt" }, one.attempt),
            h("td", { "data-label": "Type" }, one.type), h("td", { "data-label": "Message" }, format.cut(one.message || one.signal || "–", 400)),
            h("td", { "data-label": "Started" }, format.time(one.started)),
            h("td", { "data-label": "Took" }, one.started && one.ended
                ? format.duration((Date.parse(one.ended) - Date.parse(one.started)) / 1000) : "–"))))));
}

function outputBlock(lines) {
    return h("section", { class: "card" }, h("h2", {}, "Log"), lines.length
        ? h("div", { class: "log", tabindex: "0", role: "log", "aria-label": "Log", "aria-live": "off" }, lines.map((line) => logLine(null, line)))
        : empty("It has printed nothing."));
}

function facts(fields) {
    const list = [["Attempt", plain(fields, "attempt")], ["Worker", plain(fields, "worker")],
        ["Started", plain(fields, "started") && format.time(plain(fields, "started"))],
        ["Due", plain(fields, "due") && format.time(plain(fields, "due"))],
        ["Waits for", plain(fields, "waiting_for")], ["Progress", fields.get("progress")],
        ["Index in the first job", plain(fields, "origin")]].filter((pair) => pair[1] !== null && pair[1] !== undefined);
    return list.length ? h("dl", { class: "facts wide" }, list.map(([name, value]) =>
        h("div", {}, h("dt", {}, name), h("dd", {}, format.cut(String(value), 400))))) : null;
}

export function itemView(place, parts) {
    const [, id, , index] = parts;
    const badge = h("span", { class: "badge" }), area = h("div"), problem = h("p", { class: "error", role: "alert" });
    let before = "";
    place.append(h("p", { class: "crumb" }, h("a", { href: "#/jobs" }, "Jobs"), " / ",
        h("a", { href: `#/jobs/${id}`, class: "id" }, id), ` / item ${index}`),
    heading(`Item ${format.count(Number(index))}`, badge), problem, area);

    async function load() {
        const answer = await ask(`/v1/jobs/${encodeURIComponent(id)}/items/${encodeURIComponent(index)}`);
        if (answer === before)
            return;
        before = answer;
        const fields = members(answer), state = plain(fields, "state");
        attribute(badge, "data-state", state);
        text(badge, state);
        area.replaceChildren(...[facts(fields), block("Result", fields.get("value")), errorBlock(plain(fields, "error")),
            block("Input", fields.get("item")), attemptsBlock(plain(fields, "attempts") || []),
            outputBlock(plain(fields, "output") || [])].filter(Boolean));
        text(problem, "");
        if (["succeeded", "failed", "cancelled"].includes(state))
            polling.stop();
    }
    const polling = poll(POLL_MS, load, (error) => text(problem, error.message));
    return { end: () => polling.stop() };
}
