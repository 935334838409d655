// failed: the failed items of a job. The results are looked through for them in the order in which they ended, some
// thousands at a time, so that a job with a million items is no burden.

import { empty, h, keep, text } from "./dom.js";
import * as format from "./format.js";
import { poll } from "./poll.js";
import { readPage } from "./results.js";

const LOOK = 2000, ENOUGH = 100, POLL_MS = 1000, PAGES_A_TURN = 5;

function makeRow(id, { index, error }) {
    return h("tr", {},
        h("th", { scope: "row", "data-label": "Item" }, h("a", { href: `#/jobs/${id}/items/${index}` }, format.count(index))),
        h("td", { "data-label": "Error" }, h("span", { class: "badge", "data-state": "failed" }, error.type)),
        h("td", { "data-label": "Message" }, format.cut(error.message || "–", 400)),
        h("td", { "data-label": "Attempts" }, format.count(error.attempts)));
}

export function showFailed(place, id, current) {
    const found = [];
    let position = 0, wanted = ENOUGH, end = false;
    const body = h("tbody");
    const table = h("table", { class: "stack" }, h("caption", { class: "unseen" }, "Failed items"),
        h("thead", {}, h("tr", {}, ["Item", "Error", "Message", "Attempts"].map((label) => h("th", { scope: "col" }, label)))), body);
    const state = h("p", { class: "hint", role: "status" }), none = h("div"), problem = h("p", { class: "error", role: "alert" });
    const more = h("button", { type: "button", onclick: () => { wanted += ENOUGH; polling.now(); } }, "Show more");
    place.append(problem, state, table, none, more);

    function draw() {
        const { failed } = current().counts;
        keep(body, found, (result) => result.index, (result) => makeRow(id, result), () => {});
        table.hidden = found.length === 0;
        none.replaceChildren(...(failed ? [] : [empty("No item has failed.")]));
        more.hidden = found.length < wanted;
        text(state, !failed ? "" : `${format.count(found.length)} of ${format.plural(failed, "failed item")}`
            + `${found.length < failed && found.length < wanted ? `; ${format.plural(position, "result")} looked through…` : ""}.`);
    }
    async function load() {
        for (let i = 0; i < PAGES_A_TURN && !end && found.length < Math.min(wanted, current().counts.failed); i++) {
            const page = await readPage(id, { order: "completion", from: position, limit: LOOK });
            position += page.results.length;
            found.push(...page.results.filter((result) => result.error && result.error.type !== "cancelled"));
            end = page.end;
            draw();
            if (page.results.length < LOOK)
                break;
        }
        draw();
    }
    const polling = poll(POLL_MS, load, (error) => text(problem, error.message));
    return { end: () => polling.stop() };
}
