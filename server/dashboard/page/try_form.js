// try_form: calls a function from the page: its example, options, and the answer, followed until the job has ended.

import { locks, mayCall, reason, whyNot } from "./access.js";
import { hasToken, path, text as ask, Unreachable } from "./api.js";
import { h, text } from "./dom.js";
import * as format from "./format.js";
import { members, plain } from "./raw.js";
import { readPage } from "./results.js";
import { progressOf, updateProgress } from "./progress.js";
import { announce, failure, wording } from "./say.js";

const WAIT_S = 10, SHOWN = 10000, RESULTS_SHOWN = 10, RESULT_SHOWN = 1000;
const ENDED = ["succeeded", "failed", "cancelled"];
const OPTIONS = [
    ["timeout", "Timeout (s)", { min: 0, step: "any", placeholder: "none" }],
    ["max_attempts", "Attempts", { min: 1, step: 1, placeholder: "1" }],
    ["chunksize", "Chunk size", { min: 0, step: 1, placeholder: "auto" }],
    ["processes", "Processes at most", { min: 0, step: 1, placeholder: "any" }],
    ["priority", "Priority", { min: 0, max: 9, step: 1, placeholder: "5" }],
];

// ---- what is sent ----

export function exampleFor(kind, example) {
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
    if (kind === "starmap" && !parsed.every(Array.isArray))
        throw new Error("starmap takes an array of arrays: the arguments of each call.");
    return value.trim();
}

// The values go in as they were typed: they are kept byte for byte.
function submission(name, kind, value, options) {
    const said = Object.entries(options).map(([option, of]) => `,${JSON.stringify(option)}:${JSON.stringify(of)}`).join("");
    return `{"function":${JSON.stringify(name)},"${kind}":${value}${said}}`;
}

function quoted(string) {
    return `'${string.replaceAll("'", "'\\''")}'`;
}

function curl(body) {
    const token = hasToken() ? ' \\\n  -H "Authorization: Bearer $POOLD_TOKEN"' : "";
    return `curl ${quoted(`${location.origin}/v1/jobs?wait=${WAIT_S}`)}${token} \\\n  -d ${quoted(body)}`;
}

// ---- what comes back ----

function resultRow(result) {
    return h("li", {}, h("span", { class: "hint" }, `${format.count(result.index)} `), result.error
        ? h("span", { class: "error" }, `${result.error.type}: ${format.cut(result.error.message || "", RESULT_SHOWN)}`)
        : h("code", { class: "value" }, format.cut(result.value ?? "", RESULT_SHOWN)));
}

function failureOf(error) {
    return h("div", {}, h("p", { class: "error" }, `${error.type}: ${error.message}`),
        error.traceback ? h("pre", { class: "value", tabindex: "0", "aria-label": "Traceback" }, format.cut(String(error.traceback), SHOWN)) : null);
}

async function content(fields, id, counts) {
    if (fields.has("value"))
        return h("pre", { class: "value", tabindex: "0", "aria-label": "Result" }, format.cut(fields.get("value"), SHOWN));
    if (fields.has("error"))
        return failureOf(plain(fields, "error"));
    const { results } = await readPage(id, { limit: RESULTS_SHOWN });
    return h("div", {}, h("ol", { class: "answers" }, results.map(resultRow)),
        counts.total > results.length ? h("p", { class: "hint" }, `The first ${results.length} of ${format.count(counts.total)}.`) : null);
}

async function showAnswer(place, fields) {
    const id = plain(fields, "id"), state = plain(fields, "state"), counts = plain(fields, "counts");
    const bar = progressOf("Progress");
    updateProgress(bar, counts);
    place.replaceChildren(...[h("p", {}, h("span", { class: "badge", "data-state": state }, state), " ",
        h("a", { href: `#/jobs/${id}` }, `Job ${id}`), ` · ${format.plural(counts.total, "item")}`),
    counts.total > 1 || !ENDED.includes(state) ? bar : null,
    ENDED.includes(state) ? await content(fields, id, counts) : null].filter(Boolean));
    return ENDED.includes(state);
}

// Until it has ended, or another one was begun, or nobody looks any more.
async function follow(place, answer, current) {
    let fields = members(answer);
    while (!await showAnswer(place, fields) && current() && place.isConnected)
        fields = members(await ask(path(`/v1/jobs/${plain(fields, "id")}`, { wait: 1 })));
    announce(`The job is ${plain(fields, "state")}.`);
}

// ---- the form ----

function field(id, label, control) {
    return h("div", {}, h("label", { for: id }, label), control);
}

function makeOptions(entry) {
    const inputs = OPTIONS.map(([name, , rules]) => {
        const standard = entry.defaults?.[name];
        return h("input", { id: `${name}-${entry.name}`, type: "number", inputmode: "decimal", ...rules,
            placeholder: standard === undefined ? rules.placeholder : String(standard), max: entry.ceilings?.[name] ?? rules.max });
    });
    const isolation = h("select", { id: `isolation-${entry.name}` }, ["", "pool", "process"].map((name) =>
        h("option", { value: name }, name || entry.defaults?.isolation || "as usual")));
    const place = h("details", { class: "more" }, h("summary", {}, "Options"), h("div", { class: "fields" },
        OPTIONS.map(([name, label], i) => field(`${name}-${entry.name}`, label, inputs[i])),
        field(`isolation-${entry.name}`, "Isolation", isolation)));
    const values = () => ({
        ...Object.fromEntries(OPTIONS.map(([name], i) => [name, inputs[i].value]).filter(([, value]) => value !== "")
            .map(([name, value]) => [name, Number(value)])),
        ...(isolation.value ? { isolation: isolation.value } : {}),
    });
    return { place, values };
}

function refusal(entry) {
    return whyNot("submit", "run functions")
        || (mayCall(entry.name) ? null : reason("This token may not use this function: it is not on its list."));
}

export function makeForm(entry) {
    const id = (name) => `${name}-${entry.name}`;
    const kind = h("select", { id: id("kind") }, ["apply", "map", "starmap"].map((name) => h("option", { value: name }, name)));
    const value = h("textarea", { id: id("value"), rows: 3, spellcheck: "false", autocapitalize: "off" });
    const options = makeOptions(entry), label = h("label", { for: id("value") }, "The item, as JSON");
    const answer = h("div", { class: "answer", role: "status" }), problem = h("p", { class: "error", role: "alert" });
    const command = h("pre", { class: "value", tabindex: "0", "aria-label": "The same with curl" });
    const button = h("button", { class: "primary" }, "Run"), why = refusal(entry);
    let turn = 0;
    locks(why, button);
    value.value = exampleFor("apply", entry.example);

    const body = () => submission(entry.name, kind.value, value.value.trim(), options.values());
    const changed = () => text(command, curl(body()));
    kind.addEventListener("change", () => {
        value.value = exampleFor(kind.value, entry.example);
        text(label, kind.value === "apply" ? "The item, as JSON" : "The items, as a JSON array");
    });
    async function run(event) {
        event.preventDefault();
        if (why || button.disabled)
            return;
        const mine = ++turn;
        text(problem, "");
        button.disabled = true;
        answer.replaceChildren();
        try {
            checked(value.value, kind.value);
            const headers = { "Content-Type": "application/json", "Idempotency-Key": `dashboard-${crypto.getRandomValues(new Uint32Array(3)).join("-")}` };
            const accepted = await ask("/v1/jobs?wait=1", { method: "POST", body: body(), headers });
            button.disabled = false;
            await follow(answer, accepted, () => mine === turn);
        } catch (error) {
            if (error instanceof Unreachable)
                failure(error);
            else
                text(problem, wording(error));
        }
        button.disabled = false;
    }
    const form = h("form", { class: "try", onsubmit: run, oninput: changed, onchange: changed },
        h("div", { class: "fields" }, field(id("kind"), "Call", kind)), label, value, options.place,
        h("details", { class: "more" }, h("summary", {}, "The same with curl"), command), problem,
        h("div", { class: "actions" }, button, why), answer);
    changed();
    return form;
}
