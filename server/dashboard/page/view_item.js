// view_item: one item: its input, its result or error, its attempts and what it printed.

import { Refusal } from "./api.js";
import { attribute, empty, h, heading, text } from "./dom.js";
import * as format from "./format.js";
import { itemBlocks, readItem } from "./item_parts.js";
import { poll } from "./poll.js";
import { plain } from "./raw.js";

const POLL_MS = 1000;
const ENDED = ["succeeded", "failed", "cancelled"];

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
    const [, id, , index] = parts, number = Number(index);
    const badge = h("span", { class: "badge" }), area = h("div", {}, h("p", { class: "hint" }, "Asking…"));
    const problem = h("p", { class: "error", role: "alert" });
    const beside = (to, label) => to >= 0 ? h("a", { class: "button", href: `#/jobs/${id}/items/${to}` }, label) : null;
    place.append(h("p", { class: "crumb" }, h("a", { href: "#/jobs" }, "Jobs"), " / ",
        h("a", { href: `#/jobs/${id}`, class: "id" }, id), ` / item ${index}`),
    heading(`Item ${format.count(number)}`, badge,
        h("nav", { class: "actions", "aria-label": "Items beside it" }, beside(number - 1, "← Item before"), beside(number + 1, "Next item →"))),
    problem, area);
    let before = "";

    async function load() {
        const { answer, fields } = await readItem(id, index);
        if (answer === before)
            return;
        before = answer;
        const state = plain(fields, "state");
        attribute(badge, "data-state", state);
        text(badge, state);
        area.replaceChildren(...[facts(fields), ...itemBlocks(fields)].filter(Boolean));
        text(problem, "");
        if (ENDED.includes(state))
            polling.stop();
    }
    function failed(error) {
        if (!(error instanceof Refusal) || (error.status !== 404 && error.status !== 410)) {
            text(problem, error.message);
            return;
        }
        polling.stop();
        area.replaceChildren(empty(error.status === 410 ? "Its job is gone." : "There is no such item.",
            h("a", { href: `#/jobs/${id}` }, "To the job")));
    }
    const polling = poll(POLL_MS, load, failed);
    return { end: () => polling.stop() };
}
