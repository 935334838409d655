// view_functions: what can be called, what cannot and why; each opens to its rules and a form to try it.

import { mayCall } from "./access.js";
import { text as ask } from "./api.js";
import { attribute, empty, h, heading, keep, part, text } from "./dom.js";
import * as format from "./format.js";
import { poll } from "./poll.js";
import { elements, members, plain } from "./raw.js";
import { makeForm } from "./try_form.js";

const POLL_MS = 5000, SHOWN = 300;

// The functions, with their examples as they were written.
async function readFunctions() {
    const fields = members(await ask("/v1/functions"));
    return {
        problem: plain(fields, "problem"),
        functions: elements(fields.get("functions")).map((entry) => {
            const of = members(entry);
            const example = of.get("example");
            return { ...JSON.parse(entry), example: example === "null" ? "" : example };
        }),
    };
}

function rule(name, value) {
    return `${name.replaceAll("_", " ")} ${["memory", "output"].includes(name) ? format.bytes(value) : value}`;
}

function rules(title, object) {
    const said = Object.entries(object || {});
    return said.length ? h("p", { class: "hint" }, `${title}: ${said.map(([name, value]) => rule(name, value)).join(", ")}.`) : null;
}

// What its processes may touch beside what every program needs.
function files({ read, write, enforced }) {
    const list = (paths) => paths.flatMap((path, i) => [i ? ", " : "", h("code", {}, path)]);
    const said = [read.length ? ["reads ", ...list(read)] : null, write.length ? ["writes ", ...list(write)] : null].filter(Boolean);
    return h("p", { class: "hint" }, "Files: ", said.length ? said.flatMap((part, i) => [i ? "; " : "", ...part]) : "none of its own", ".",
        enforced ? null : h("span", { class: "warned" }, " Not enforced here: see the sandbox of the pool."));
}

// What has changed makes it anew; what is in its form stays otherwise.
function keyOf(entry) {
    return `${entry.name} ${JSON.stringify([entry.kind, entry.summary, entry.example, entry.defaults, entry.ceilings, entry.limits, entry.concurrency, entry.files])}`;
}

function makeFunction(entry, open) {
    const card = h("details", { class: "card function", "data-name": entry.name, open },
        h("summary", {}, h("span", { class: "function-name" }, entry.name), h("span", { class: "hint" }, entry.language || entry.kind),
            h("span", { class: "badge", "data-part": "state" }),
            entry.test ? h("span", { class: "badge", "data-state": "test" }, "test") : null,
            mayCall(entry.name) ? null : h("span", { class: "badge" }, "not for this token"),
            h("span", { class: "function-summary" }, entry.summary || ""),
            h("span", { class: "function-problem", "data-part": "problem" })),
        rules("Unless the request says", entry.defaults), rules("At most", entry.ceilings), rules("Limits", entry.limits),
        entry.files ? files(entry.files) : null,
        entry.concurrency ? h("p", { class: "hint" }, `At most ${format.plural(entry.concurrency, "item")} at once.`) : null);
    const fill = () => card.open && !card.querySelector("form") && card.append(makeForm(entry));
    card.addEventListener("toggle", fill);
    fill();
    return card;
}

const NOT_READY = { loading: "It is being started; jobs for it wait.", broken: "It does not start; jobs for it wait. It is tried again." };

function updateFunction(card, entry) {
    const ready = entry.state === "ready";
    attribute(part(card, "state"), "data-state", entry.state);
    text(part(card, "state"), entry.state);
    part(card, "state").hidden = ready;
    text(part(card, "problem"), ready ? "" : [entry.problem, NOT_READY[entry.state]].filter(Boolean).join(" · "));
}

export function functionsView(place, parts) {
    const list = h("div", { class: "functions" }), problem = h("div", { role: "alert" });
    const none = h("div", {}, h("p", { class: "hint" }, "Asking…"));
    const search = h("input", { id: "search", type: "search", placeholder: "name or summary" });
    let all = null;
    function draw() {
        if (!all)
            return;
        const wanted = search.value.toLowerCase();
        const found = all.filter((entry) => `${entry.name} ${entry.summary || ""}`.toLowerCase().includes(wanted));
        keep(list, found.slice(0, SHOWN), keyOf, (entry) => makeFunction(entry, entry.name === parts[1]), updateFunction);
        none.replaceChildren(...(found.length > SHOWN ? [h("p", { class: "hint" }, `The first ${SHOWN} of ${format.count(found.length)}.`)]
            : found.length ? [] : [all.length ? empty("No function is like that.", "Look for another name.")
                : empty("There are no functions yet.", "They come from manifests in --functions DIR.")]));
    }
    search.addEventListener("input", draw);
    place.append(heading("Functions", h("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
        h("label", { for: "search" }, "Find"), search)), problem, list, none);
    async function load() {
        const answer = await readFunctions();
        all = answer.functions;
        keep(problem, answer.problem ? [`The last reload was refused: ${answer.problem}`] : [], (line) => line, () => h("p", { class: "warning" }), text);
        draw();
    }
    const polling = poll(POLL_MS, load, (error) => keep(problem, [error.message], (line) => line, () => h("p", { class: "error" }), text));
    return { end: () => polling.stop() };
}
