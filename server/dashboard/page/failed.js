// failed: the failed items of a job; each opens to its error, input, attempts and log. The results are looked through
// for them in the order in which they ended, some thousands at a time, so that a job with a million items is no burden.

import { empty, h, keep, text } from "./dom.js";
import * as format from "./format.js";
import { itemBlocks, readItem } from "./item_parts.js";
import { poll } from "./poll.js";
import { readPage } from "./results.js";
import { wording } from "./say.js";

const LOOK = 5000, ENOUGH = 100, POLL_MS = 1000, PAGES_A_TURN = 5;

// What is inside is asked for when it is opened first.
function opens(card, id, index) {
    let asked = false;
    return async () => {
        if (!card.open || asked)
            return;
        asked = true;
        const place = card.lastElementChild;
        place.replaceChildren(h("p", { class: "hint" }, "Asking…"));
        try {
            place.replaceChildren(h("p", {}, h("a", { href: `#/jobs/${id}/items/${index}` }, `Page of item ${format.count(index)}`)),
                ...itemBlocks((await readItem(id, index)).fields));
        } catch (error) {
            asked = false;
            place.replaceChildren(h("p", { class: "error" }, wording(error)));
        }
    };
}

function makeEntry(id, { index, error }) {
    const card = h("details", { class: "card failure" },
        h("summary", {}, h("span", { class: "failure-item" }, `Item ${format.count(index)}`),
            h("span", { class: "badge", "data-state": "failed" }, error.type),
            h("span", { class: "failure-message" }, format.cut(error.message || "–", 400)),
            h("span", { class: "hint" }, format.plural(error.attempts, "attempt"))),
        h("div", { class: "failure-inside" }));
    card.addEventListener("toggle", opens(card, id, index));
    return card;
}

export function showFailed(place, id, current) {
    const found = [];
    let position = 0, wanted = ENOUGH, end = false;
    const list = h("div", { class: "failures" });
    const state = h("p", { class: "hint", role: "status" }), none = h("div"), problem = h("p", { class: "error", role: "alert" });
    const more = h("button", { type: "button", onclick: () => { wanted += ENOUGH; polling.now(); } }, "Show more");
    place.append(problem, state, list, none, h("div", { class: "pager" }, more));

    function draw() {
        const { failed } = current().counts, shown = found.slice(0, wanted);
        keep(list, shown, (result) => result.index, (result) => makeEntry(id, result), () => {});
        none.replaceChildren(...(failed ? [] : [empty("No item has failed.")]));
        more.hidden = wanted >= failed || found.length < wanted;
        text(state, !failed ? "" : `${format.count(shown.length)} of ${format.plural(failed, "failed item")}`
            + `${found.length < failed && found.length < wanted ? `; ${format.plural(position, "result")} looked through…` : ""}.`);
    }
    async function load() {
        for (let i = 0; i < PAGES_A_TURN && !end && found.length < Math.min(wanted, current().counts.failed); i++) {
            const page = await readPage(id, { order: "completion", from: position, limit: LOOK }, true);
            position += page.count;
            found.push(...page.results.filter((result) => result.error && result.error.type !== "cancelled"));
            end = page.end;
            draw();
            if (page.count < LOOK)
                break;
        }
        draw();
    }
    const polling = poll(POLL_MS, load, (error) => text(problem, error.message));
    return { end: () => polling.stop() };
}
