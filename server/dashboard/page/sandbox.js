// sandbox: what keeps the functions in, as /v1/pool says; nothing where it says nothing.

import { h } from "./dom.js";

function rule(name, on, detail) {
    return h("li", { "data-on": String(Boolean(on)) }, h("span", { class: "sandbox-mark", "aria-hidden": "true" }, on ? "✓" : "–"),
        h("span", {}, h("strong", {}, name), h("span", { class: "unseen" }, on ? ": in force. " : ": not in force. "), h("span", { class: "hint" }, detail)));
}

function rules({ no_new_privs: privileges, seccomp, landlock, signals, user }) {
    return [
        rule("No new privileges", privileges, "setuid programs gain nothing"),
        rule("System calls", seccomp, "seccomp refuses what functions have no reason for"),
        rule("Files", landlock, landlock ? `Landlock, ABI ${landlock}` : "Landlock is not in force"),
        rule("Signals", signals, "none leaves a worker’s own processes"),
        rule("User", user, user ? `functions run as ${user}` : "functions run as poold does"),
    ];
}

export function showSandbox(place, sandbox) {
    const said = JSON.stringify(sandbox);
    if (!sandbox || place.dataset.said === said)
        return;
    place.dataset.said = said;
    place.replaceChildren(h("section", { class: "card" },
        h("div", { class: "card-head" }, h("h2", {}, "Sandbox of the workers"), h("code", { class: "hint" }, `--sandbox ${sandbox.mode}`)),
        h("ul", { class: "sandbox" }, rules(sandbox)),
        (sandbox.missing || []).map((why) => h("p", { class: "warning" }, why))));
}
