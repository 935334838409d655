// log: what the items of a job print, while they do. The last lines only are in the document.

import { json, path } from "./api.js";
import { empty, field, h, text } from "./dom.js";
import * as format from "./format.js";
import { poll } from "./poll.js";

const PAGE = 500, LINES_MAX = 1000, POLL_MS = 1000;

export function logLine(id, line) {
    return h("div", { class: `log-line ${line.stream}` },
        id ? h("a", { href: `#/jobs/${id}/items/${line.index}`, title: line.stream }, `${line.index}`) : null,
        h("span", {}, line.text.replace(/\n$/, "")));
}

export function showLog(place, id) {
    let after = 0, seen = 0, turn = 0;
    const item = h("input", { type: "number", id: "log-item", min: 0, step: 1, inputmode: "numeric", placeholder: "any" });
    const stream = h("select", { id: "log-stream" },
        ["", "stdout", "stderr"].map((name) => h("option", { value: name }, name || "both")));
    const lines = h("div", { class: "log", role: "log", tabindex: "0", "aria-label": "Log", "aria-live": "off" });
    const none = h("div"), problem = h("p", { class: "error", role: "alert" }), state = h("p", { class: "hint" });
    const again = () => {
        after = seen = 0;
        turn++;
        lines.replaceChildren();
        polling.now();
    };
    item.addEventListener("change", again);
    stream.addEventListener("change", again);
    place.append(h("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
        field("Item", item), field("Stream", stream)),
    problem, state, lines, none);

    function show(page) {
        const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 30;
        lines.append(...page.lines.map((line) => logLine(id, line)));
        while (lines.children.length > LINES_MAX)
            lines.firstElementChild.remove();
        if (atEnd)
            lines.scrollTop = lines.scrollHeight;
    }
    async function load() {
        for (let more = true; more;) {
            const mine = turn;
            const page = await json(path(`/v1/jobs/${id}/log`,
                { format: "json", after, limit: PAGE, item: item.value, stream: stream.value }));
            if (mine !== turn)
                return;
            seen += page.lines.length;
            after = page.lines.at(-1)?.id ?? after;
            more = page.lines.length === PAGE;
            if (page.lines.length)
                show(page);
        }
        lines.hidden = seen === 0;
        none.replaceChildren(...(seen ? [] : [empty("Nothing has been printed.", "What functions write to stdout and stderr is shown here.")]));
        text(state, seen > LINES_MAX ? `The last ${format.count(LINES_MAX)} of ${format.count(seen)} pieces.` : "");
        text(problem, "");
    }
    const polling = poll(POLL_MS, load, (error) => text(problem, error.message));
    return { end: () => polling.stop() };
}
