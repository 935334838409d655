// sandbox: what keeps the functions in, as /v1/pool says; nothing where it says nothing.

import { h } from "./dom.js";

function words(value) {
    if (value === true || value === false)
        return value ? "in force" : "not in force";
    if (Array.isArray(value))
        return value.map(words).join(", ") || "none";
    if (value !== null && typeof value === "object")
        return Object.entries(value).map(([name, of]) => `${name.replaceAll("_", " ")}: ${words(of)}`).join("; ") || "none";
    return value === null || value === "" ? "none" : String(value);
}

export function showSandbox(place, sandbox) {
    const said = JSON.stringify(sandbox);
    if (!sandbox || place.dataset.said === said)
        return;
    place.dataset.said = said;
    const facts = typeof sandbox === "object" ? Object.entries(sandbox) : [["sandbox", sandbox]];
    place.replaceChildren(h("section", { class: "card" }, h("h2", {}, "Sandbox of the workers"),
        h("dl", { class: "facts wide" }, facts.map(([name, value]) =>
            h("div", {}, h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, words(value)))))));
}
