// view_functions: what can be called, and a form to try one, filled with its example.

import { Refusal, text as ask, Unreachable } from "./api.js";
import { empty, h, heading, text } from "./dom.js";
import * as format from "./format.js";
import { poll } from "./poll.js";
import { elements, members, plain } from "./raw.js";
import { announce, failure } from "./say.js";

const WAIT_S = 10;

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

function rules(title, object) {
    const said = Object.entries(object || {});
    return said.length ? h("p", { class: "hint" }, `${title}: ${said.map(([name, value]) => `${name} ${value}`).join(", ")}`) : null;
}

// ---- the form ----

function exampleFor(kind, example) {
    const one = example || "null";
    return kind === "map" ? `[${one}, ${one}, ${one}]` : kind === "starmap" ? `[[${one}]]` : one;
}

function checked(value, kind) {
    let parsed;
    try {
        parsed = JSON.parse(value);
    } catch (error) {
        throw new Error(`This is not JSON: ${error.message}`);
    }
    if (kind !== "apply" && !Array.isArray(parsed))
        throw new Error(`${kind} takes an array of items.`);
    return value;
}

// The values go in as they were typed: they are kept byte for byte.
function submission(name, kind, value, timeout, attempts) {
    const extra = (timeout ? `,"timeout":${Number(timeout)}` : "") + (attempts ? `,"max_attempts":${Number(attempts)}` : "");
    return `{"function":${JSON.stringify(name)},"${kind}":${value}${extra}}`;
}

function showAnswer(place, answer) {
    const fields = members(answer), id = plain(fields, "id"), state = plain(fields, "state");
    const counts = plain(fields, "counts"), error = plain(fields, "error");
    announce(`The job is ${state}.`);
    place.replaceChildren(...[h("p", {}, h("span", { class: "badge", "data-state": state }, state), " ",
        h("a", { href: `#/jobs/${id}` }, `Job ${id}`), ` · ${format.plural(counts.total, "item")}`),
    fields.has("value") ? h("pre", { class: "value", tabindex: "0", "aria-label": "Result" }, format.cut(fields.get("value"), 10000)) : null,
    error ? h("p", { class: "error" }, `${error.type}: ${error.message}`) : null].filter(Boolean));
}

function makeForm(entry) {
    const id = (name) => `${name}-${entry.name}`;
    const kind = h("select", { id: id("kind") }, ["apply", "map", "starmap"].map((name) => h("option", { value: name }, name)));
    const value = h("textarea", { id: id("value"), rows: 3, spellcheck: "false" });
    const timeout = h("input", { id: id("timeout"), type: "number", min: 0, step: "any", placeholder: "none" });
    const attempts = h("input", { id: id("attempts"), type: "number", min: 1, step: 1, placeholder: "1" });
    const answer = h("div", { class: "answer", role: "status" }), problem = h("p", { class: "error", role: "alert" });
    const button = h("button", { class: "primary" }, "Run");
    value.value = exampleFor("apply", entry.example);
    kind.addEventListener("change", () => { value.value = exampleFor(kind.value, entry.example); });

    async function run(event) {
        event.preventDefault();
        text(problem, "");
        button.disabled = true;
        try {
            const body = submission(entry.name, kind.value, checked(value.value, kind.value), timeout.value, attempts.value);
            const headers = { "Content-Type": "application/json", "Idempotency-Key": `dashboard-${Math.random().toString(36).slice(2)}${Date.now()}` };
            showAnswer(answer, await ask(`/v1/jobs?wait=${WAIT_S}`, { method: "POST", body, headers }));
        } catch (error) {
            if (error instanceof Unreachable)
                failure(error);
            else
                text(problem, error instanceof Refusal ? `${error.problem.title}: ${error.message}` : error.message);
        }
        button.disabled = false;
    }
    return h("form", { class: "try", onsubmit: run },
        h("div", { class: "fields" }, h("div", {}, h("label", { for: id("kind") }, "Call"), kind),
            h("div", {}, h("label", { for: id("timeout") }, "Timeout (s)"), timeout),
            h("div", {}, h("label", { for: id("attempts") }, "Attempts"), attempts)),
        h("label", { for: id("value") }, "Items, as JSON"), value, problem,
        h("div", { class: "actions" }, button), answer);
}

// ---- the list ----

function makeFunction(entry, open) {
    const card = h("details", { class: "card function", "data-name": entry.name, open },
        h("summary", {}, h("span", { class: "function-name" }, entry.name), h("span", { class: "hint" }, entry.language || entry.kind),
            entry.state === "ready" ? null : h("span", { class: "badge", "data-state": entry.state }, entry.state),
            entry.test ? h("span", { class: "badge", "data-state": "test" }, "test") : null,
            h("span", { class: "function-summary" }, entry.summary || "")),
        entry.problem ? h("p", { class: "error" }, entry.problem) : null,
        rules("Unless the request says", entry.defaults), rules("At most", entry.ceilings), rules("Limits", entry.limits),
        entry.concurrency ? h("p", { class: "hint" }, `At most ${format.plural(entry.concurrency, "item")} at once.`) : null);
    const fill = () => card.open && !card.querySelector("form") && card.append(makeForm(entry));
    card.addEventListener("toggle", fill);
    fill();
    return card;
}

export function functionsView(place, parts) {
    const list = h("div", { class: "functions" }), problem = h("div", { role: "alert" });
    const search = h("input", { id: "search", type: "search", placeholder: "name or summary" });
    let all = [];
    const draw = () => {
        const wanted = search.value.toLowerCase();
        const found = all.filter((entry) => `${entry.name} ${entry.summary || ""}`.toLowerCase().includes(wanted));
        list.replaceChildren(...found.slice(0, 300).map((entry) => makeFunction(entry, entry.name === parts[1])));
        if (!found.length)
            list.append(empty(all.length ? "No function is like that." : "There are no functions yet.", "They come from manifests in --functions DIR."));
    };
    search.addEventListener("input", draw);
    place.append(heading("Functions", h("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
        h("label", { for: "search" }, "Find"), search)), problem, list);
    async function load() {
        const answer = await readFunctions();
        all = answer.functions;
        if (answer.problem)
            problem.replaceChildren(h("p", { class: "warning" }, `The last reload was refused: ${answer.problem}`));
        draw();
        if (all.length)
            polling.stop();
    }
    const polling = poll(2000, load, (error) => problem.replaceChildren(h("p", { class: "error" }, error.message)));
    return { end: () => polling.stop() };
}
